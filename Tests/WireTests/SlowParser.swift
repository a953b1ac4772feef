import Wire

/// The frame parser once more, written from the standards over an array with optional reads: nothing is checked ahead,
/// whatever is not there is nil. It shares no code with `ParsedFrame`.
struct SlowParser {
    private let bytes: [UInt8]

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    static func parse(_ bytes: [UInt8]) -> [String: Int] {
        let parser = SlowParser(bytes)
        return parser.ethernet()
    }

    private func byte(_ at: Int, end: Int) -> Int? { at < end && at < bytes.count ? Int(bytes[at]) : nil }

    private func word(_ at: Int, end: Int) -> Int? {
        guard let high = byte(at, end: end), let low = byte(at + 1, end: end) else { return nil }
        return high << 8 | low
    }

    private func ethernet() -> [String: Int] {
        guard var type = word(12, end: bytes.count) else { return [:] }
        var at = 14
        var tags = 0
        while [0x8100, 0x88A8, 0x9100].contains(type) {
            if tags == 2 { return ["type": type, "tags": 3, "network": at] }
            guard let next = word(at + 2, end: bytes.count) else {
                return ["type": type, "tags": tags, "network": at, "malformed": 1]
            }
            type = next
            at += 4
            tags += 1
        }
        var found = ["type": type, "tags": tags, "network": at]
        let inside = type == 0x0800 ? ipv4(at) : type == 0x86DD ? ipv6(at) : [:]
        found.merge(inside) { $1 }
        return found
    }

    private func ipv4(_ at: Int) -> [String: Int] {
        let end = bytes.count
        guard let first = byte(at, end: end), first >> 4 == 4, first & 15 >= 5, byte(at + 19, end: end) != nil,
            byte(at + (first & 15) * 4 - 1, end: end) != nil, let total = word(at + 2, end: end),
            total >= (first & 15) * 4
        else { return ["malformed": 1] }
        let fragment = word(at + 6, end: end)!
        var found = ["ipv4": 1, "tos": Int(bytes[at + 1]), "ttl": Int(bytes[at + 8]), "protocol": Int(bytes[at + 9])]
        let datagramEnd = min(at + total, end)
        if at + total > end { found["cut"] = 1 }
        found["end"] = datagramEnd
        if fragment & 0x3FFF != 0 { found["fragment"] = 1 }
        if fragment & 0x1FFF != 0 {
            found["later"] = 1
        } else {
            found.merge(transport(at + (first & 15) * 4, Int(bytes[at + 9]), end: datagramEnd)) { $1 }
        }
        return found
    }

    private func ipv6(_ at: Int) -> [String: Int] {
        guard let first = byte(at, end: bytes.count), first >> 4 == 6, byte(at + 39, end: bytes.count) != nil,
            let length = word(at + 4, end: bytes.count)
        else { return ["malformed": 1] }
        var found = ["ipv6": 1, "tos": (first & 15) << 4 | Int(bytes[at + 1]) >> 4, "ttl": Int(bytes[at + 7])]
        if at + 40 + length > bytes.count { found["cut"] = 1 }
        let end = min(at + 40 + length, bytes.count)
        found["end"] = end
        var next = Int(bytes[at + 6])
        var here = at + 40
        var walked = 0
        while [0, 43, 44, 51, 60].contains(next) {
            found["protocol"] = next
            guard walked < 8, byte(here + 7, end: end) != nil else {
                found["malformed"] = 1
                return found
            }
            walked += 1
            let kind = next
            next = Int(bytes[here])
            switch kind {
            case 44:
                found["fragmentHeader"] = 1
                let field = word(here + 2, end: end)!
                if field & 0xFFF9 != 0 { found["fragment"] = 1 }
                if field & 0xFFF8 != 0 {
                    found["later"] = 1
                    found["protocol"] = next
                    return found
                }
                here += 8
            case 51:
                found["signed"] = 1
                here += 4 * (Int(bytes[here + 1]) + 2)
            default:
                if kind == 43, bytes[here + 3] != 0 { found["routed"] = 1 }
                here += 8 * (Int(bytes[here + 1]) + 1)
            }
        }
        found["protocol"] = next
        guard here <= end else {
            found["malformed"] = 1
            return found
        }
        return found.merging(transport(here, next, end: end)) { $1 }
    }

    private func transport(_ at: Int, _ number: Int, end: Int) -> [String: Int] {
        var found = ["transport": at]
        guard [6, 17, 33, 132, 136].contains(number), let source = word(at, end: end), let to = word(at + 2, end: end)
        else { return found }
        found["source"] = source
        found["destination"] = to
        if number == 17, byte(at + 7, end: end) != nil { found["payload"] = at + 8 }
        if number == 6, byte(at + 19, end: end) != nil {
            let length = Int(bytes[at + 12]) >> 4 * 4
            if length >= 20, byte(at + length - 1, end: end) != nil { found["payload"] = at + length }
        }
        return found
    }
}

extension ParsedFrame {
    /// What the slow parser says, from the fast one's fields.
    func described(count: Int) -> [String: Int] {
        guard isEthernet else { return [:] }
        var found = ["type": Int(etherType), "tags": Int(tagCount), "network": networkOffset]
        if isIP {
            found.merge(["tos": Int(tos), "ttl": Int(ttl), "protocol": Int(self.protocol), "end": endOffset]) { $1 }
        }
        let names: [(Flags, String)] = [
            (.ipv4, "ipv4"), (.ipv6, "ipv6"), (.fragment, "fragment"), (.laterFragment, "later"), (.cutShort, "cut"),
            (.fragmentHeader, "fragmentHeader"), (.malformed, "malformed"), (.routingHeader, "routed"),
            (.authenticationHeader, "signed"),
        ]
        for (flag, name) in names where has(flag) { found[name] = 1 }
        if has(.transport) { found["transport"] = transportOffset }
        if has(.ports) {
            found["source"] = Int(sourcePort)
            found["destination"] = Int(destinationPort)
        }
        if has(.transportHeader) { found["payload"] = payloadOffset }
        return found
    }
}
