import Model
import Tables
import Wire

/// A tunnel of a router that begins on this host.
struct AnchoredTunnel {
    /// Into `Scope.routers`.
    var router: Int
    /// Into `Router.tunnels`.
    var index: Int
    /// The number of its far end among the peers.
    var peer: Int
}

/// A router's place in a network, or at the near end of a tunnel.
struct InterfacePlan {
    /// Into `Scope.routers`.
    var router: Int
    /// Of a network: into `Router.interfaces`, and into `Scope.networks`. Else -1.
    var index: Int
    var network: Int
    /// Of a tunnel: into `Compilation.anchored`, else -1.
    var tunnel: Int
    var segment: UInt32
    var slot: UInt32 = noSlot
    /// The router's side.
    var attachment: UInt32 = noSlot
}

extension Compilation {
    func router(_ number: Int) -> Router {
        topology.tenants[scope.routers[number].tenant].routers[scope.routers[number].index]
    }

    func tunnel(_ anchored: AnchoredTunnel) -> RouterTunnel { router(anchored.router).tunnels[anchored.index] }

    mutating func planAnchoredTunnels() {
        for number in scope.routers.indices {
            for (i, tunnel) in router(number).tunnels.enumerated() where tunnel.host == host.name {
                anchored.append(
                    AnchoredTunnel(router: number, index: i, peer: tunnels.number(tunnel.remote.mapped))
                )
            }
        }
    }

    func key(of anchored: AnchoredTunnel) -> SegmentKey {
        let router = router(anchored.router)
        return SegmentKey(tenant: router.tenant, router: router.name, tunnel: router.tunnels[anchored.index].name)
    }

    func identity(of anchored: AnchoredTunnel) -> SlotAllocation.SegmentIdentity {
        let tunnel = tunnel(anchored)
        return .init(
            kind: SegmentKind.routed,
            identifier: tunnel.key ?? 0,
            way: SlotAllocation.SegmentIdentity.way(
                tunnel.attachmentKind,
                tunnel.attachmentFlags,
                endpoint: (underlay.map { plans[$0.plan].key } ?? tunnel.socketKey).description,
                peer: tunnel.remote.mapped
            )
        )
    }

    /// Routers and their interfaces get their slots.
    mutating func planRouters() {
        var keys = scope.routers.indices.map { RouterKey(tenant: router($0).tenant, router: router($0).name) }
        if underlay != nil { keys.append(.underlay) }
        routerSlots = allocation.routers.assign(keys)
        var next = 0
        for number in scope.routers.indices {
            for (i, interface) in scope.routers[number].interfaces.enumerated() where interface.number >= 0 {
                interfaces.append(
                    InterfacePlan(
                        router: number,
                        index: i,
                        network: interface.number,
                        tunnel: -1,
                        segment: segmentSlots[interface.number]
                    )
                )
            }
            while next < anchored.count, anchored[next].router == number {
                let segment = segmentSlots[scope.networks.count + next]
                interfaces.append(
                    InterfacePlan(router: number, index: -1, network: -1, tunnel: next, segment: segment)
                )
                next += 1
            }
        }
        var wanted = interfaces.map {
            SlotAllocation.InterfaceKey(router: routerSlots[$0.router], segment: $0.segment)
        }
        if underlay != nil, let router = routerSlots.last, let segment = segmentSlots.last {
            wanted.append(.init(router: router, segment: segment))
        }
        let slots = allocation.interfaces.assign(wanted)
        for i in interfaces.indices { interfaces[i].slot = slots[i] }
        if underlay != nil, let slot = slots.last { underlay?.interface = slot }
    }

    // MARK: Rows

    /// Rows of routers, interfaces and tunnels, and what is told about them in their networks.
    mutating func writeRouters() throws(CompileError) {
        builder.routers = [RouterRecord](repeating: RouterRecord(), count: allocation.routers.count)
        builder.interfaces = [InterfaceRecord](repeating: InterfaceRecord(), count: allocation.interfaces.count)
        for number in scope.routers.indices { writeRow(router(number), number) }

        var next = attachmentRanges.last?.upperBound ?? 0
        var claimed: [TunnelWayIn: Int] = [:]
        for i in interfaces.indices {
            interfaces[i].attachment = attachmentSlots[next]
            next += 1
            let plan = interfaces[i]
            writeAttachment(plan.attachment, AttachmentKind.router, plan.segment, noSlot)
            builder.attachments[Int(plan.attachment)].interface = plan.slot
            if plan.tunnel >= 0 {
                try writeTunnel(plan, farEnd: attachmentSlots[next], &claimed)
                next += 1
            } else {
                let interface = router(plan.router).interfaces[plan.index]
                writeInterface(plan, interface.network, interface.addresses)
                tellRouter(plan)
            }
        }
        tellPorts()
    }

    private mutating func writeRow(_ router: Router, _ number: Int) {
        var record = RouterRecord()
        record.mac = router.mac.bits
        record.hostMAC = router.mac.bits
        if scope.groups[scope.routers[number].group].hosts[0] == scope.here {
            record.flags |= RouterRecord.designated
        } else {
            record.hostMAC = router.mac(onHost: host.name).bits
        }
        switch router.reversePath {
        case .strict: record.flags |= RouterRecord.strictReversePath
        case .loose: record.flags |= RouterRecord.looseReversePath
        case .off: break
        }
        for prefix in router.interfaces.flatMap(\.addresses) + router.tunnels.flatMap(\.addresses) {
            switch prefix.address {
            case .v4(let address): if record.anyIPv4 == 0 { record.anyIPv4 = address.bits }
            case .v6(let address): if record.anyIPv6 == IPv6Address(high: 0, low: 0) { record.anyIPv6 = address }
            }
        }
        record.tenant = builder.string(router.tenant)
        record.name = builder.string(RouterKey(tenant: router.tenant, router: router.name).description)
        record.inUse = 1
        builder.routers[Int(routerSlots[number])] = record
    }

    private mutating func writeInterface(_ plan: InterfacePlan, _ name: String, _ addresses: [IPPrefix]) {
        var record = InterfaceRecord()
        record.router = routerSlots[plan.router]
        record.segment = plan.segment
        record.attachment = plan.attachment
        record.addressStart = UInt32(builder.addresses.count)
        record.addressCount = UInt32(addresses.count)
        for prefix in addresses {
            builder.addresses.append(InterfaceAddress(prefix.address.mapped, length: prefix.length))
            switch prefix.address {
            case .v4(let address): if record.ipv4 == 0 { record.ipv4 = address.bits }
            case .v6(let address): if record.ipv6 == IPv6Address(high: 0, low: 0) { record.ipv6 = address }
            }
        }
        record.name = builder.string(name)
        record.inUse = 1
        builder.interfaces[Int(plan.slot)] = record
    }

    /// Packets find their tunnel by where they arrive, their source and, in GRE, their key.
    private struct TunnelWayIn: Hashable {
        var endpoint: UInt32
        var peer: UInt32
        var key: UInt32?
    }

    private mutating func writeTunnel(
        _ plan: InterfacePlan,
        farEnd: UInt32,
        _ claimed: inout [TunnelWayIn: Int]
    ) throws(CompileError) {
        let anchored = anchored[plan.tunnel]
        let router = router(plan.router)
        let tunnel = tunnel(anchored)
        let uplink = host.vteps.contains(tunnel.local) ? underlay?.plan : nil
        guard let socket = uplink ?? sockets[tunnel.socketKey] else {
            throw CompileError(
                .noCommonFamily,
                tunnel.mark,
                "host \(host.name) has no vtep \(tunnel.local) for tunnel \(tunnel.name) to begin on"
            )
        }
        let endpoint = plans[socket].slot
        let peer = peerSlots[anchored.peer]
        let key = tunnel.kind == .gre ? tunnel.key : nil
        let entry = wayIn(endpoint, tunnel.ipProtocol)
        if let other = claimed.updateValue(plan.tunnel, forKey: TunnelWayIn(endpoint: entry, peer: peer, key: key)) {
            throw CompileError(
                .segmentTaken,
                tunnel.mark,
                "tunnel \(tunnel.name) of router \(router.name) of tenant \(router.tenant) has the ends of "
                    + "\(self.key(of: self.anchored[other])), and nothing in its packets would tell them apart"
            )
        }

        var segment = builder.segments[Int(plan.segment)]
        segment.kind = SegmentKind.routed
        segment.flags = SegmentRecord.hasRouter
        segment.mtu = UInt32(clamping: mtus.of(tunnel))
        segment.identifier = key ?? 0
        segment.tenant = builder.string(router.tenant)
        segment.name = builder.string(self.key(of: anchored).description)
        segment.inUse = 1
        builder.segments[Int(plan.segment)] = segment

        writeAttachment(farEnd, tunnel.attachmentKind, plan.segment, endpoint)
        builder.attachments[Int(farEnd)].peer = peer
        builder.attachments[Int(farEnd)].interface = plan.slot
        builder.attachments[Int(farEnd)].flags =
            tunnel.attachmentFlags | (underlay == nil ? 0 : AttachmentRecord.behindUplink)
        builder.mapTunnel(endpoint: entry, peer: peer, key: key, to: farEnd)
        writeInterface(plan, tunnel.name, tunnel.addresses)
    }

    // MARK: Told addresses

    /// Makes the router known in one of its networks.
    private mutating func tellRouter(_ plan: InterfacePlan) {
        let router = router(plan.router)
        let row = builder.routers[Int(routerSlots[plan.router])]
        builder.segments[Int(plan.segment)].flags |= SegmentRecord.hasRouter
        builder.tell(segment: plan.segment, mac: router.mac, at: plan.attachment)
        if let physical = network(plan.network).segment.physical, let provider = providers[physical] {
            tellSiblings(plan, router, provider: plans[provider].slot)
            if row.hostMAC != row.mac {
                builder.tell(segment: plan.segment, mac: MACAddress(bits: row.hostMAC), at: plan.attachment)
            }
        }
        let addresses = router.interfaces[plan.index].addresses.map(\.address)
        let linkLocal = addresses.contains(where: \.isIPv6) ? [IPAddress.v6(IPv6Address(linkLocalOf: router.mac))] : []
        for address in addresses + linkLocal {
            builder.tell(segment: plan.segment, address: address, mac: router.mac, router: plan.attachment)
        }
    }

    /// On a provider network the router's other hosts send under addresses of their own. Nobody else may.
    private mutating func tellSiblings(_ plan: InterfacePlan, _ router: Router, provider: UInt32) {
        guard let attachment = allocation.attachment(segment: plan.segment, endpoint: provider) else { return }
        for sibling in scope.groups[scope.routers[plan.router].group].hosts where sibling != scope.here {
            builder.tell(
                segment: plan.segment,
                mac: router.mac(onHost: topology.hosts[sibling].name),
                at: attachment
            )
        }
    }

    /// Where there is a router, the file saves it asking for the addresses of ports, wherever they are.
    private mutating func tellPorts() {
        for number in scope.networks.indices
        where builder.segments[Int(segmentSlots[number])].flags & SegmentRecord.hasRouter != 0 {
            let ports = topology.tenants[scope.networks[number].tenant].ports
            // A trunk's addresses belong to its untagged network.
            for member in scope.members[scope.networks[number].members] where member.vid == 0 {
                let port = ports[member.index]
                guard port.hasKnownMAC else { continue }
                for prefix in port.addresses {
                    builder.tell(segment: segmentSlots[number], address: prefix.address, mac: port.mac)
                }
            }
        }
    }
}

extension Router {
    /// The address under which a host that is not the designated one sends into provider networks: switches there
    /// would otherwise see the router's own move about.
    func mac(onHost host: String) -> MACAddress { Port.defaultMAC(tenant: tenant, port: "router/\(name)/\(host)") }
}

extension Port {
    /// Whether the machine behind the port has the MAC that the file says, or would have to be asked.
    var hasKnownMAC: Bool {
        switch attach {
        case .tap(_, .some), .veth: true
        case .tap(_, .none), .device: !macIsDefault
        }
    }
}

extension RouterTunnel {
    /// The socket that its packets pass through.
    var socketKey: EndpointKey {
        switch kind {
        case .ipip: .ip(address: local, .ipip)
        case .sit: .ip(address: local, .sit)
        case .gre: .gre(address: local)
        }
    }

    /// The protocol of the outer IP header.
    var ipProtocol: UInt8 {
        switch kind {
        case .ipip: IPProtocol.ipv4
        case .sit: IPProtocol.ipv6
        case .gre: IPProtocol.gre
        }
    }

    /// Of its far end.
    var attachmentKind: UInt8 {
        switch kind {
        case .ipip: AttachmentKind.ipip
        case .sit: AttachmentKind.sit
        case .gre: AttachmentKind.greIP
        }
    }

    var attachmentFlags: UInt16 {
        guard kind == .gre else { return 0 }
        return (key == nil ? 0 : AttachmentRecord.greKey) | (checksum ? AttachmentRecord.greChecksum : 0)
    }
}
