import Forwarding
import Rings
import Wire

extension Reference {
    /// RFC 6040 §4.2, figure 4: rows are the inner bits 0…3 (Not-ECT, ECT(1), ECT(0), CE), columns the outer. -1 drops.
    static let ecnResult = [[0, 0, 0, -1], [1, 1, 1, 3], [2, 1, 2, 3], [3, 3, 3, 3]]
    /// Cells marked (!!!) are 2, those marked (!) are 1.
    static let ecnAlarm = [[0, 2, 2, 2], [0, 0, 1, 0], [0, 0, 0, 0], [0, 2, 0, 0]]

    /// A frame on its way through the model.
    struct Walk {
        var judgement = Judgement()
        var layers = Layers([])
        var content: ArraySlice<UInt8> = []
        var isTunnelled = false
        /// The EtherType of an IP packet without a frame around it, or 0.
        var bareType = 0
        var isBare: Bool { bareType != 0 }
        var stripped = 0
        var priority = 0
        var offload = Offload.none
        var tos = 0
        var l3 = 14
        /// Length of the largest IP packet that leaves.
        var packet = 0
        var isTagged = false
        /// Another host of the same router sent it.
        var isFromSibling = false
        var ends = Ends()
        /// A router's frame around the packet: addresses, and the network that it is for.
        var frame: (to: MACAddress, from: MACAddress)?
        var target: Int?
        /// Routers passed.
        var hops = 0
        /// The same for all packets of a flow: any number will do.
        var flow: UInt32 = 0
    }

    /// What becomes of a frame. `flow` is what the switch hashed its flow to, a number that nobody can foretell.
    func judge(_ arrival: Arrival, now: UInt32, flow: UInt32 = 0) -> Judgement {
        var walk = Walk()
        walk.flow = flow
        if let reason = walkThrough(arrival, &walk, now) {
            walk.judgement.reason = reason
            walk.judgement.verdict = .drop
            walk.judgement.copies = []
            walk.judgement.fragment = 0
        }
        if walk.judgement.verdict == .forward || walk.judgement.verdict == .flood { walk.judgement.hops = walk.hops }
        return walk.judgement
    }

    private func walkThrough(_ arrival: Arrival, _ walk: inout Walk, _ now: UInt32) -> DropReason? {
        guard cloud.endpoints.indices.contains(arrival.endpoint) else { return .portWithoutNetwork }
        walk.content = arrival.bytes[...]
        switch cloud.endpoints[arrival.endpoint].place {
        case .unused: return .portWithoutNetwork
        case .port, .provider:
            if let reason = enterByTag(arrival, &walk) { return reason }
        case .vxlan, .gre:
            if let reason = enterByTunnel(arrival, &walk) { return reason }
        case .ip(let number):
            if let reason = enterByProtocol(arrival, number, &walk) { return reason }
        }
        if walk.content.count > 14 + 8 + 65535 { return .tooLong }
        if !walk.isBare {
            if walk.content.count < 14 { return .tooShort }
            if let reason = readTags(&walk) { return reason }
        }
        let layers = walk.isBare ? Layers(walk.content, packet: walk.bareType) : Layers(walk.content)
        walk.layers = layers
        walk.l3 = layers.l3
        walk.tos = layers.tos
        walk.isTagged = layers.tags * 4 > walk.stripped
        if walk.isTunnelled, layers.version != 0 {
            let inner = layers.tos & 3
            let outer = Int(arrival.outerTOS & 3)
            switch Reference.ecnAlarm[inner][outer] {
            case 1: walk.judgement.events |= Event.ecnNotice.bit
            case 2: walk.judgement.events |= Event.ecnAlarm.bit
            default: break
            }
            let result = Reference.ecnResult[inner][outer]
            if result < 0 { return .ecnInvalid }
            if result != inner { rewriteECN(result, layers, &walk) }
        }
        if layers.version != 0 { walk.ends = walk.readEnds() }
        if walk.isBare && isNested(arrival, walk) { return .nestedTunnel }
        if let reason = readOffload(arrival, layers, &walk) { return reason }
        if walk.isTunnelled, !findUnfinished(layers, &walk) { return .badOffload }
        walk.packet =
            walk.offload.gsoType != 0
            ? Int(walk.offload.gsoSize) + layers.payload - layers.l3
            : walk.content.count - layers.l3
        if walk.isBare { return route(&walk, at: cloud.attachments[walk.judgement.ingress!]!.interface!, now) }
        return switchFrame(&walk, now)
    }

    /// A packet out of a tunnel that is itself in a tunnel from where the first one came.
    private func isNested(_ arrival: Arrival, _ walk: Walk) -> Bool {
        walk.layers.version != 0 && [4, 41, 47, 94].contains(walk.layers.proto)
            && walk.ends.source == arrival.outerSource
    }

    private func enter(_ attachment: Int, _ walk: inout Walk) {
        walk.judgement.ingress = attachment
        walk.judgement.network = cloud.attachments[attachment]!.network
    }

    private func enterByTag(_ arrival: Arrival, _ walk: inout Walk) -> DropReason? {
        let f = arrival.bytes
        if f.count < 14 { return .tooShort }
        let type = Int(f[12]) << 8 | Int(f[13])
        let endpoint = cloud.endpoints[arrival.endpoint]
        let readsTags = endpoint.readsTags || endpoint.place == .provider
        if readsTags && Layers.isTag(type) {
            if f.count < 18 { return .tooShort }
            let vid = Int(f[14] & 15) << 8 | Int(f[15])
            if vid == 4095 { return .reservedVLAN }
            if vid != 0 {
                guard let slot = tagged[Tag(endpoint: arrival.endpoint, tpid: type, vid: vid)] else {
                    return .unknownVLAN
                }
                walk.stripped = 4
                walk.priority = Int(f[14] >> 4)
                enter(slot, &walk)
                return nil
            }
        }
        guard let slot = untagged[arrival.endpoint] else { return readsTags ? .noUntaggedNetwork : .portWithoutNetwork }
        enter(slot, &walk)
        return nil
    }

    private func enterByTunnel(_ arrival: Arrival, _ walk: inout Walk) -> DropReason? {
        let f = arrival.bytes
        if tenantInterfaces.contains(arrival.outerInterface) { return .tunnelFromTenant }
        var header = 8
        let identifier: UInt32
        var unknown = DropReason.unknownVNI
        if case .vxlan = cloud.endpoints[arrival.endpoint].place {
            if f.count < 8 { return .tunnelHeaderTruncated }
            if f[0] != 8 && f[0] != 0 || f[1] | f[2] | f[3] | f[7] != 0 {
                walk.judgement.events |= Event.vxlanReservedBits.bit
            }
            if f[0] & 8 == 0 { return .vxlanNoVNI }
            identifier = UInt32(f[4]) << 16 | UInt32(f[5]) << 8 | UInt32(f[6])
        } else {
            if f.count < 4 { return .tunnelHeaderTruncated }
            if f[1] & 7 != 0 { return .greHeader }
            if f[0] & 0b0100_1100 != 0 { return .greHeader }
            let (hasChecksum, hasKey, hasSequence) = (f[0] & 0x80 != 0, f[0] & 0x20 != 0, f[0] & 0x10 != 0)
            header = 4 + (hasChecksum ? 4 : 0) + (hasKey ? 4 : 0) + (hasSequence ? 4 : 0)
            if f.count < header { return .tunnelHeaderTruncated }
            if hasChecksum && onesSum(f[...]) != 0xFFFF {
                if f[4] != 0 || f[5] != 0 { return .greChecksum }
                walk.judgement.events |= Event.partialChecksumFound.bit
            }
            if hasSequence { walk.judgement.events |= Event.greSequenceIgnored.bit }
            let type = Int(f[2]) << 8 | Int(f[3])
            let at = hasChecksum ? 8 : 4
            let key = hasKey ? f[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) } : nil
            if type == 0x0800 || type == 0x86DD {
                walk.bareType = type
                return enterFarEnd(arrival, key, f[header...], &walk)
            }
            if type != 0x6558 { return .greProtocol }
            guard let key else { return .greNoKey }
            identifier = key
            unknown = .unknownKey
        }
        walk.isTunnelled = true
        walk.content = f[header...]
        guard let peer = peers[arrival.outerSource] else { return .unknownPeer }
        guard let network = identities[Identity(endpoint: arrival.endpoint, identifier: identifier)] else {
            return unknown
        }
        walk.judgement.network = network
        guard let slot = memberships[Member(network: network, peer: peer)] else { return .peerNotInNetwork }
        enter(slot, &walk)
        return nil
    }

    /// Packets of IP protocol 4, 41 and 94 have nothing in front of them.
    private func enterByProtocol(_ arrival: Arrival, _ number: Int, _ walk: inout Walk) -> DropReason? {
        if tenantInterfaces.contains(arrival.outerInterface) { return .tunnelFromTenant }
        if number == 94 { return .ka9qIPIP }
        guard let first = arrival.bytes.first else { return .tunnelHeaderTruncated }
        if number == 4 && first >> 4 != 4 { return .protocol4WithoutIPv4 }
        if number == 41 && first >> 4 != 6 { return .protocol41WithoutIPv6 }
        walk.bareType = number == 4 ? 0x0800 : 0x86DD
        return enterFarEnd(arrival, nil, arrival.bytes[...], &walk)
    }

    private func enterFarEnd(
        _ arrival: Arrival,
        _ key: UInt32?,
        _ content: ArraySlice<UInt8>,
        _ walk: inout Walk
    ) -> DropReason? {
        walk.isTunnelled = true
        walk.content = content
        guard let peer = peers[arrival.outerSource] else { return .unknownPeer }
        guard let slot = farEnds[FarEnd(endpoint: arrival.endpoint, peer: peer, key: key)] else {
            return key == nil ? .unknownPeer : .unknownKey
        }
        enter(slot, &walk)
        return nil
    }

    private func readTags(_ walk: inout Walk) -> DropReason? {
        let f = walk.content
        let first = f.startIndex
        let network = cloud.networks[walk.judgement.network!]
        while true {
            let at = first + 12 + walk.stripped
            guard Layers.isTag(Int(f[at]) << 8 | Int(f[at + 1])) else { return nil }
            if at + 6 > f.endIndex { return .tooShort }
            let vid = Int(f[at + 2] & 15) << 8 | Int(f[at + 3])
            if vid == 4095 { return .reservedVLAN }
            if vid == 0 && walk.stripped < 8 {
                if walk.stripped == 0 { walk.priority = Int(f[at + 2] >> 4) }
                walk.stripped += 4
            } else if network.isTransparent {
                return nil
            } else if walk.stripped > 0 {
                return .doubleTagged
            } else {
                return walk.isTunnelled ? .taggedInSegment : .taggedOnAccessPort
            }
        }
    }

    private func rewriteECN(_ ecn: Int, _ layers: Layers, _ walk: inout Walk) {
        let at = walk.content.startIndex + layers.l3
        walk.tos = layers.tos & 0xFC | ecn
        if layers.version == 6 {
            walk.content[at + 1] = walk.content[at + 1] & 0b1100_1111 | UInt8(ecn << 4)
            return
        }
        rewrite(&walk.content, at, word: 0, to: Int(walk.content[at]) << 8 | walk.tos)
    }

    /// Changes 16 bits of an IPv4 header and its checksum by RFC 1624, equation 3: HC' = ~(~HC + ~m + m').
    func rewrite(_ bytes: inout ArraySlice<UInt8>, _ header: Int, word: Int, to new: Int) {
        let old = Int(bytes[header + word]) << 8 | Int(bytes[header + word + 1])
        let checksum = Int(bytes[header + 10]) << 8 | Int(bytes[header + 11])
        var sum = (0xFFFF - checksum) + (0xFFFF - old) + new
        while sum > 0xFFFF { sum = sum & 0xFFFF + sum >> 16 }
        bytes[header + word] = UInt8(new >> 8)
        bytes[header + word + 1] = UInt8(new & 255)
        bytes[header + 10] = UInt8((0xFFFF - sum) >> 8)
        bytes[header + 11] = UInt8((0xFFFF - sum) & 255)
    }
}
