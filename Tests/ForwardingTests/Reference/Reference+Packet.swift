import Wire

// What RFC 791, 1812, 4291, 4443, 5095, 6890 and 8200 say about single packets, for the model.

/// The two ends of a packet, IPv4 as mapped addresses.
struct Ends: Hashable {
    var source = IPv6Address(high: 0, low: 0)
    var destination = IPv6Address(high: 0, low: 0)
}

/// What keeps a router from looking at a packet any further.
enum Fault: Equatable {
    case broken
    case sourceRoute
    /// An option that must be known; where it is, if the sender is to be told.
    case option(Int?)
}

func isIPv4(_ address: IPv6Address) -> Bool { address.high == 0 && address.low >> 32 == 0xFFFF }

extension Reference.Walk {
    /// A byte, a number and an address, counted from the IP header.
    func byte(_ at: Int) -> Int { Int(content[content.startIndex + layers.l3 + at]) }
    func word(_ at: Int) -> Int { byte(at) << 8 | byte(at + 1) }
    func address(_ at: Int) -> IPv6Address {
        func half(_ at: Int) -> UInt64 { (0..<8).reduce(0) { $0 << 8 | UInt64(byte(at + $1)) } }
        return IPv6Address(high: half(at), low: half(at + 8))
    }

    func readEnds() -> Ends {
        if layers.version == 6 { return Ends(source: address(8), destination: address(24)) }
        func mapped(_ at: Int) -> IPv6Address {
            IPv6Address(high: 0, low: 0xFFFF_0000_0000 | UInt64(word(at)) << 16 | UInt64(word(at + 2)))
        }
        return Ends(source: mapped(12), destination: mapped(16))
    }
}

extension Reference {
    func isGroup(_ address: IPv6Address, _ layers: Layers) -> Bool {
        layers.version == 4 ? (224..<240).contains(address.low >> 24 & 255) : address.high >> 56 == 0xFF
    }

    /// Neither one host's nor a group's: this network, loopback, reserved, everybody; of IPv6 also what holds an IPv4
    /// address.
    func isNobody(_ address: IPv6Address, _ layers: Layers) -> Bool {
        if layers.version == 4 {
            let first = address.low >> 24 & 255
            return first == 0 || first == 127 || first >= 240
        }
        return address.high == 0 && [0, 0xFFFF].contains(address.low >> 32)
    }

    func isLinkLocal(_ address: IPv6Address, _ layers: Layers) -> Bool {
        layers.version == 4 ? address.low & 0xFFFF_0000 == 0xA9FE_0000 : address.high >> 48 & 0xFFC0 == 0xFE80
    }

    /// The header of a packet, with its options and extension headers.
    func fault(_ walk: Walk) -> Fault? {
        let layers = walk.layers
        if layers.version == 0 || layers.isCut { return .broken }
        return layers.version == 4 ? faultIPv4(walk) : faultIPv6(walk)
    }

    private func faultIPv4(_ walk: Walk) -> Fault? {
        let length = (walk.byte(0) & 15) * 4
        let start = walk.content.startIndex + walk.layers.l3
        if onesSum(walk.content[start..<start + length]) != 0xFFFF { return .broken }
        var at = 20
        while at < length && walk.byte(at) != 0 {
            if walk.byte(at) == 1 {
                at += 1
                continue
            }
            if at + 1 == length || walk.byte(at + 1) < 2 || at + walk.byte(at + 1) > length { return .broken }
            if walk.byte(at) == 131 || walk.byte(at) == 137 { return .sourceRoute }
            at += walk.byte(at + 1)
        }
        return nil
    }

    private func faultIPv6(_ walk: Walk) -> Fault? {
        let layers = walk.layers
        let end = layers.end - layers.l3
        let isEndless = layers.l4 < 0 && !layers.isLater
        if walk.byte(6) == 0 && end >= 48 {
            let length = 8 + 8 * walk.byte(41)
            if 40 + length > end { return .broken }
            if let fault = faultOfOptions(walk, 42, 40 + length) { return fault }
        }
        var at = 40
        var next = walk.byte(6)
        for _ in 0..<8 {
            if at + 8 > end || ![0, 43, 44, 51, 60].contains(next) { break }
            if next == 43 && walk.byte(at + 2) == 0 { return .sourceRoute }
            if next == 44 && walk.word(at + 2) >> 3 != 0 { break }
            let length = next == 44 ? 8 : 8 + walk.byte(at + 1) * (next == 51 ? 4 : 8)
            next = walk.byte(at)
            at += length
        }
        return isEndless ? .broken : nil
    }

    /// Hop-by-hop options: eight at most, and no more than seven bytes of padding in a row (RFC 8504 §5.3).
    private func faultOfOptions(_ walk: Walk, _ start: Int, _ end: Int) -> Fault? {
        var at = start
        var padding = 0
        var options = 0
        while at < end {
            let type = walk.byte(at)
            if type != 0 && (at + 1 >= end || at + 2 + walk.byte(at + 1) > end) { return .broken }
            let length = type == 0 ? 1 : 2 + walk.byte(at + 1)
            if type <= 1 {
                padding += length
                if padding > 7 { return .broken }
            } else {
                padding = 0
                options += 1
                if options > 8 || type == 5 && length != 4 { return .broken }
                if type != 5 && type >= 64 { return .option(type >= 128 ? at : nil) }
            }
            at += length
        }
        return nil
    }

    func isSound(_ walk: Walk) -> Bool { fault(walk) != .broken }

    /// Whether an ICMP error may be sent about a packet: RFC 1812 §4.3.2.7, RFC 4443 §2.4(e).
    func maySay(_ walk: Walk, isTooBig: Bool = false) -> Bool {
        let layers = walk.layers
        if layers.version == 0 { return false }
        let isIPv6 = layers.version == 6
        let isException = isIPv6 && isTooBig
        if !walk.isBare && walk.content[walk.content.startIndex] & 1 == 1 && !isException { return false }
        let ends = walk.ends
        if isNobody(ends.source, layers) || isGroup(ends.source, layers) { return false }
        if isNobody(ends.destination, layers) { return false }
        if isGroup(ends.destination, layers) && !isException { return false }
        let isICMP = layers.proto == (isIPv6 ? 58 : 1)
        if layers.isLater { return isException && !isICMP }
        if layers.l4 < 0 { return false }
        if !isICMP { return true }
        if layers.l4 >= layers.end { return false }
        let type = walk.byte(layers.l4 - layers.l3)
        if isIPv6 { return type >= 128 && type != 137 }
        return [0, 8, 9, 10, 13, 14, 15, 16, 17, 18, 42, 43].contains(type)
    }

    /// What is known about the way to a peer, or 0: from the file, or from the underlay in the last ten minutes.
    func pathMTU(_ peer: Int, _ now: UInt32) -> Int {
        let told = cloud.peers[peer].pathMTU
        guard let known = paths[peer], now - known.second < 600 else { return told }
        return told == 0 ? known.mtu : min(told, known.mtu)
    }
}
