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
        /// An IP packet without a frame around it.
        var isBare = false
        var stripped = 0
        var priority = 0
        var offload = Offload.none
        var tos = 0
        var l3 = 14
        /// Length of the largest IP packet that leaves.
        var packet = 0
        var isTagged = false
    }

    func judge(_ arrival: Arrival, now: UInt32) -> Judgement {
        var walk = Walk()
        if let reason = walkThrough(arrival, &walk, now) {
            walk.judgement.reason = reason
            walk.judgement.verdict = .drop
        }
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
        }
        if walk.content.count < 14 { return .tooShort }
        if walk.content.count > 14 + 8 + 65535 { return .tooLong }
        if let reason = readTags(&walk) { return reason }

        let layers = Layers(walk.content)
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
        if let reason = readOffload(arrival, layers, &walk) { return reason }
        if walk.isTunnelled { findUnfinished(layers, &walk) }
        walk.packet =
            walk.offload.gsoType != 0
            ? Int(walk.offload.gsoSize) + layers.payload - layers.l3
            : walk.content.count - layers.l3
        return switchFrame(&walk, now)
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
            if f[2...3] == [8, 0] || f[2...3] == [0x86, 0xDD] {
                // No router here has a tunnel.
                if peers[arrival.outerSource] == nil { return .unknownPeer }
                return hasKey ? .unknownKey : .unknownPeer
            }
            if f[2] != 0x65 || f[3] != 0x58 { return .greProtocol }
            if !hasKey { return .greNoKey }
            let at = hasChecksum ? 8 : 4
            identifier = f[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) }
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
        // RFC 1624, equation 3: HC' = ~(~HC + ~m + m').
        let old = Int(walk.content[at]) << 8 | Int(walk.content[at + 1])
        let new = Int(walk.content[at]) << 8 | walk.tos
        let checksum = Int(walk.content[at + 10]) << 8 | Int(walk.content[at + 11])
        var sum = (0xFFFF - checksum) + (0xFFFF - old) + new
        while sum > 0xFFFF { sum = sum & 0xFFFF + sum >> 16 }
        walk.content[at + 1] = UInt8(walk.tos)
        walk.content[at + 10] = UInt8((0xFFFF - sum) >> 8)
        walk.content[at + 11] = UInt8((0xFFFF - sum) & 255)
    }

    private func readOffload(_ arrival: Arrival, _ layers: Layers, _ walk: inout Walk) -> DropReason? {
        let given = arrival.offload
        if given.flags & 1 == 0 && given.gsoType == 0 {
            walk.offload.flags = given.flags & 2
            return nil
        }
        if given.flags & 1 == 0 { return .badOffload }
        let start = Int(given.checksumStart) - walk.content.startIndex
        let offset = Int(given.checksumOffset)
        if start < layers.l3 || start > 0xFF00 || start + offset + 2 > walk.content.count { return .badOffload }
        walk.offload = Offload(flags: 1, checksumStart: UInt16(start), checksumOffset: given.checksumOffset)
        if given.gsoType == 0 { return nil }
        let fits: Bool
        switch given.gsoType {
        case 1, 0x81: fits = layers.version == 4 && layers.proto == 6 && offset == 16
        case 4, 0x84: fits = layers.version == 6 && layers.proto == 6 && offset == 16
        case 5: fits = layers.proto == 17 && offset == 6
        default: fits = false
        }
        if !fits || layers.payload < 0 || start != layers.l4 || layers.isCut || layers.end != walk.content.count
            || isWhole(layers) == false || given.gsoSize == 0
        {
            return .badOffload
        }
        let payload = layers.end - layers.payload
        let size = Int(given.gsoSize)
        if payload > size * 1400 { return .badOffload }
        if payload > size {
            walk.offload.gsoType = given.gsoType
            walk.offload.gsoSize = given.gsoSize
            walk.offload.headerLength = UInt16(layers.payload)
        }
        return nil
    }

    /// Neither a fragment nor something whose pseudo-header is not the one in sight.
    private func isWhole(_ layers: Layers) -> Bool {
        !layers.isFragment && !layers.hasFragmentHeader && !layers.isRouted && !layers.isAuthenticated
    }

    private func findUnfinished(_ layers: Layers, _ walk: inout Walk) {
        guard walk.offload.flags & 1 == 0, layers.payload >= 0, layers.proto == 6 || layers.proto == 17, !layers.isCut,
            !layers.isFragment, !layers.hasFragmentHeader, !layers.isRouted
        else { return }
        let first = walk.content.startIndex
        let length = layers.end - layers.l4
        let offset = layers.proto == 6 ? 16 : 6
        let at = first + layers.l4 + offset
        let field = Int(walk.content[at]) << 8 | Int(walk.content[at + 1])
        if layers.proto == 17 {
            let udpLength = Int(walk.content[first + layers.l4 + 4]) << 8 | Int(walk.content[first + layers.l4 + 5])
            if field == 0 || udpLength != length { return }
        }
        let from = first + layers.l3 + (layers.version == 4 ? 12 : 8)
        let addresses = walk.content[from..<from + (layers.version == 4 ? 8 : 32)]
        let sum = onesSum(addresses, layers.proto + length)
        if field != sum && !(field == 0 && sum == 0xFFFF) { return }
        walk.judgement.events |= Event.partialChecksumFound.bit
        walk.content = walk.content[..<(first + layers.end)]
        walk.offload = Offload(flags: 1, checksumStart: UInt16(layers.l4), checksumOffset: UInt16(offset))
        let mtu = cloud.networks[walk.judgement.network!].mtu
        let size = min(mtu - (layers.payload - layers.l3), 0xFFFF)
        if layers.proto == 6, mtu > 0, layers.end - layers.l3 > mtu, size > 0, isWhole(layers),
            layers.end - layers.payload <= size * 1400
        {
            walk.judgement.events |= Event.superFrameFound.bit
            walk.offload.gsoType = layers.version == 4 ? 1 : 4
            walk.offload.gsoSize = UInt16(size)
            walk.offload.headerLength = UInt16(layers.payload)
        }
    }
}
