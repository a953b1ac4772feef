// Text forms of addresses, without Foundation: `sluice-datapath` and the tables link this module.

extension MACAddress: CustomStringConvertible, LosslessStringConvertible {
    /// Six colon- or dash-separated hexadecimal pairs.
    public init?(_ text: String) {
        let parts = text.split(omittingEmptySubsequences: false, whereSeparator: { $0 == ":" || $0 == "-" })
        guard parts.count == 6 else { return nil }
        var bits: UInt64 = 0
        for part in parts {
            // Integers take a sign, addresses do not.
            guard part.utf8.count == 2, part.allSatisfy(\.isHexDigit), let byte = UInt8(part, radix: 16) else {
                return nil
            }
            bits = bits << 8 | UInt64(byte)
        }
        self.init(bits: bits)
    }

    /// Lower case, separated by colons.
    public var description: String {
        var text = ""
        for i in (0..<6).reversed() {
            let byte = bits >> UInt64(8 * i) & 0xFF
            text += (byte < 16 ? "0" : "") + String(byte, radix: 16) + (i > 0 ? ":" : "")
        }
        return text
    }
}

extension IPv4Address: CustomStringConvertible, LosslessStringConvertible {
    /// Dotted decimal with four parts and no leading zeros: `010.0.0.1` is octal to some and decimal to others.
    public init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bits: UInt32 = 0
        for part in parts {
            guard let byte = UInt8(part), String(byte) == part else { return nil }
            bits = bits << 8 | UInt32(byte)
        }
        self.init(bits: bits)
    }

    /// Dotted decimal.
    public var description: String {
        "\(bits >> 24).\(bits >> 16 & 255).\(bits >> 8 & 255).\(bits & 255)"
    }
}

extension IPv6Address: CustomStringConvertible, LosslessStringConvertible {
    /// RFC 4291 §2.2, all three forms.
    public init?(_ text: String) {
        var groups: [UInt16] = []
        var gap: Int?
        var rest = Substring(text)
        if rest.hasPrefix("::") {
            gap = 0
            rest = rest.dropFirst(2)
        }
        while !rest.isEmpty {
            let end = rest.firstIndex(of: ":") ?? rest.endIndex
            let part = rest[..<end]
            if end == rest.endIndex, part.contains(".") {
                guard let v4 = IPv4Address(String(part)) else { return nil }
                groups += [UInt16(v4.bits >> 16), UInt16(truncatingIfNeeded: v4.bits)]
                rest = ""
                break
            }
            guard (1...4).contains(part.utf8.count), part.allSatisfy(\.isHexDigit), let group = UInt16(part, radix: 16)
            else { return nil }
            groups.append(group)
            rest = rest[end...]
            if rest.hasPrefix("::") {
                guard gap == nil else { return nil }
                gap = groups.count
                rest = rest.dropFirst(2)
            } else if rest.hasPrefix(":") {
                rest = rest.dropFirst()
                guard !rest.isEmpty else { return nil }
            }
        }
        if let gap {
            guard groups.count < 8 else { return nil }
            groups.insert(contentsOf: [UInt16](repeating: 0, count: 8 - groups.count), at: gap)
        }
        guard groups.count == 8 else { return nil }
        self.init(
            high: groups[..<4].reduce(0) { $0 << 16 | UInt64($1) },
            low: groups[4...].reduce(0) { $0 << 16 | UInt64($1) }
        )
    }

    /// RFC 5952: lower case, longest run of zeros shortened, mapped addresses in dotted form.
    public var description: String {
        if let v4 = mappedIPv4 { return "::ffff:\(v4)" }
        let groups = (0..<8).map { i in
            UInt16(truncatingIfNeeded: (i < 4 ? high : low) >> UInt64(48 - 16 * (i % 4)))
        }
        var best = 0..<0
        var start: Int?
        for i in 0...8 {
            if i < 8, groups[i] == 0 {
                start = start ?? i
            } else if let s = start {
                if i - s > best.count, i - s > 1 { best = s..<i }
                start = nil
            }
        }
        let hex = { (slice: ArraySlice<UInt16>) in slice.map { String($0, radix: 16) }.joined(separator: ":") }
        return best.isEmpty
            ? hex(groups[...]) : "\(hex(groups[..<best.lowerBound]))::\(hex(groups[best.upperBound...]))"
    }
}

extension IPAddress: CustomStringConvertible, LosslessStringConvertible {
    /// Either family's text.
    public init?(_ text: String) {
        if let v4 = IPv4Address(text) {
            self = .v4(v4)
        } else if let v6 = IPv6Address(text) {
            self = .v6(v6)
        } else {
            return nil
        }
    }

    /// The text of its family.
    public var description: String {
        switch self {
        case .v4(let a): a.description
        case .v6(let a): a.description
        }
    }
}

extension IPPrefix: CustomStringConvertible, LosslessStringConvertible {
    /// `ADDRESS/LENGTH`; the length is not optional.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(String(parts[0])), let length = Int(parts[1]),
            String(length) == parts[1], (0...(address.isIPv6 ? 128 : 32)).contains(length)
        else { return nil }
        self.init(address: address, length: length)
    }

    /// As it is read.
    public var description: String { "\(address)/\(length)" }
}
