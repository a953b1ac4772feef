import Model
import Tables
import Wire

extension Compilation {
    /// Rows of networks and attachments, flood lists, told addresses and the ways in: tags and identifiers.
    mutating func writeSegments() throws(CompileError) {
        var claimed = Set<WayIn>()
        // Attachment of a peer in the network at hand.
        var peerAttachments = [UInt32](repeating: noSlot, count: tunnels.addresses.count)
        for number in scope.networks.indices {
            try write(number, &claimed, &peerAttachments)
        }
    }

    /// How frames find their network on an endpoint that many share: a tag or an identifier. It leads to one network.
    private struct WayIn: Hashable {
        var endpoint: UInt32
        var tpid: UInt16
        var identifier: UInt32
    }

    private mutating func write(
        _ number: Int,
        _ claimed: inout Set<WayIn>,
        _ peerAttachments: inout [UInt32]
    ) throws(CompileError) {
        let network = network(number)
        let segment = segmentSlots[number]
        let mtu = mtus.of(network)
        let tenant = tenant(scope.networks[number].tenant)
        writeRow(network, tenant, segment, mtu)

        var next = attachmentRanges[number].lowerBound
        func takeSlot() -> UInt32 {
            next += 1
            return attachmentSlots[next - 1]
        }
        func claim(_ endpoint: UInt32, _ tpid: UInt16, _ identifier: UInt32) throws(CompileError) {
            if !claimed.insert(WayIn(endpoint: endpoint, tpid: tpid, identifier: identifier)).inserted {
                throw CompileError(
                    .segmentTaken,
                    network.segmentMark,
                    "network \(network.name) of tenant \(tenant) has the segment of another network "
                        + "(\(network.segment)); give it one of its own"
                )
            }
        }

        for i in scope.networks[number].members where scope.members[i].port >= 0 {
            let member = scope.members[i]
            let endpoint = plans[member.port].slot
            let slot = takeSlot()
            writeAttachment(slot, AttachmentKind.port, segment, endpoint)
            if member.vid == 0 {
                builder.endpoints[Int(endpoint)].untagged = slot
            } else {
                builder.attachments[Int(slot)].vlanTPID = EtherType.vlan
                builder.attachments[Int(slot)].vlanID = member.vid
                builder.mapVLAN(endpoint: endpoint, tpid: EtherType.vlan, vid: member.vid, to: slot)
            }
            if case .vxlan = network.segment, host.underlay == .socket { plans[member.port].usesVXLANSocket = true }
            if plans[member.port].mtu == 0 { raiseMTU(endpoint, to: mtu) }
            tell(segment, number, member, at: slot)
        }

        var provider = noSlot
        if let physical = network.segment.physical, let plan = providers[physical] {
            let endpoint = plans[plan].slot
            let tpid = network.segment.tpid
            let vid = UInt16(truncatingIfNeeded: network.segment.identifier)
            provider = takeSlot()
            try claim(endpoint, tpid, UInt32(vid))
            writeAttachment(provider, AttachmentKind.provider, segment, endpoint)
            if tpid == 0 {
                builder.endpoints[Int(endpoint)].untagged = provider
            } else {
                builder.attachments[Int(provider)].vlanTPID = tpid
                builder.attachments[Int(provider)].vlanID = vid
                builder.mapVLAN(endpoint: endpoint, tpid: tpid, vid: vid, to: provider)
            }
            raiseMTU(endpoint, to: mtu)
        }

        if network.segment.isTunnel {
            for address in host.vteps {
                guard let plan = socket(network.segment, on: address) else { continue }
                // All VTEPs are behind one uplink.
                if underlay != nil, address != host.vteps.first { continue }
                try claim(wayIn(plans[plan].slot, network.segment.ipProtocol), 0, network.segment.identifier)
                builder.mapIdentifier(
                    endpoint: wayIn(plans[plan].slot, network.segment.ipProtocol),
                    identifier: network.segment.identifier,
                    to: segment
                )
            }
            let kind = network.segment.kind == SegmentKind.gre ? AttachmentKind.gre : AttachmentKind.vxlan
            for peer in tunnels.peers(of: number) {
                let slot = takeSlot()
                peerAttachments[peer] = slot
                guard let socket = socket(network.segment, to: peer) else { continue }
                writeAttachment(slot, kind, segment, plans[socket].slot)
                builder.attachments[Int(slot)].peer = peerSlots[peer]
                if let underlay {
                    builder.attachments[Int(slot)].interface = underlay.interface
                    builder.attachments[Int(slot)].flags = AttachmentRecord.behindUplink
                }
                builder.mapMember(segment: segment, peer: peerSlots[peer], to: slot)
            }
        }
        builder.setFlood(segment: segment, to: Array(attachmentSlots[attachmentRanges[number]]))

        for i in scope.networks[number].members where scope.members[i].port < 0 {
            let member = scope.members[i]
            let peer = network.segment.isTunnel ? tunnels.hostPeers[member.host] : -1
            let slot = peer >= 0 ? peerAttachments[peer] : provider
            if slot != noSlot { tell(segment, number, member, at: slot) }
        }
    }

    private mutating func writeRow(_ network: Network, _ tenant: String, _ segment: UInt32, _ mtu: Int) {
        var record = builder.segments[Int(segment)]
        record.kind = network.segment.kind
        record.mtu = UInt32(clamping: mtu)
        record.identifier = network.segment.identifier
        record.ageing = UInt32(clamping: network.ageing)
        record.macLimit = UInt32(clamping: network.macLimit ?? 0)
        // In the row, no limit is 0; in the file, 0 lets nothing be learned.
        if network.learning, network.macLimit != 0 {
            record.flags |= SegmentRecord.learning
            learnable += min(network.macLimit ?? 1 << 40, 1 << 40)
        }
        if network.unknownUnicast == .drop { record.flags |= SegmentRecord.dropUnknownUnicast }
        if network.vlanTransparent { record.flags |= SegmentRecord.vlanTransparent }
        if network.linkLocal == .forward { record.flags |= SegmentRecord.forwardLinkLocal }
        record.tenant = builder.string(tenant)
        record.name = builder.string(SegmentKey(tenant: tenant, network: network.name).description)
        record.inUse = 1
        builder.segments[Int(segment)] = record
    }

    mutating func writeAttachment(_ slot: UInt32, _ kind: UInt8, _ segment: UInt32, _ endpoint: UInt32) {
        builder.attachments[Int(slot)].kind = kind
        builder.attachments[Int(slot)].segment = segment
        builder.attachments[Int(slot)].endpoint = endpoint
    }

    private mutating func tell(
        _ segment: UInt32,
        _ number: Int,
        _ member: Scope.Member,
        at slot: UInt32
    ) {
        let mac = topology.tenants[scope.networks[number].tenant].ports[member.index].mac
        builder.tell(segment: segment, mac: mac, at: slot)
    }

    private mutating func raiseMTU(_ endpoint: UInt32, to mtu: Int) {
        builder.endpoints[Int(endpoint)].mtu = max(builder.endpoints[Int(endpoint)].mtu, UInt32(clamping: mtu))
    }
}
