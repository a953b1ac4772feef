import Wire

/// A frame in text, for `trace`: either its bytes in hexadecimal, or words that say what matters and leave the rest to
/// be filled in:
///
///     src=02:00:00:00:00:01 dst=02:00:00:00:00:02 from=10.0.0.1 to=10.0.0.2 proto=tcp dport=80
///     vlan=10,20 src=… dst=… type=arp from=10.0.0.1 to=10.0.0.2
///     from=10.0.0.1 to=10.0.0.2 icmp=echo-request
///     icmp 10.0.0.1 > 10.0.0.2
///
/// Words: `src` `dst` (MACs) · `vlan` `svlan` (ids, outermost first; `svlan` writes an 802.1ad tag) · `type` (ipv4,
/// ipv6, arp, nd for a neighbour solicitation, or a number) · `from` `to`, or `ip=FROM>TO` · `proto` (number or name) ·
/// `sport` `dport` · `icmp` (echo-request, echo-reply, TYPE or TYPE/CODE) · `ttl` `tos` · `length` (bytes of payload
/// behind the last header). Lengths and checksums are computed.
struct FrameText {
    var words: [(key: String, value: String)] = []
    private var used: Set<String> = []

    /// What the text leaves out.
    struct Defaults {
        /// The address used where the text has no `src`.
        var source: MACAddress?
        /// The address used where it has no `dst`, by `to`.
        var destination: (IPAddress) -> MACAddress? = { _ in nil }
        /// A packet without an Ethernet header is meant.
        var isPacket = false
    }

    static func bytes(_ text: String, source: MACAddress? = nil) throws(TraceError) -> [UInt8] {
        try bytes(text, Defaults(source: source))
    }

    static func bytes(_ text: String, _ defaults: Defaults) throws(TraceError) -> [UInt8] {
        let words = spelledOut(text.split(whereSeparator: \.isWhitespace).map(String.init))
        guard !words.isEmpty else {
            throw TraceError("the frame is empty: write its bytes in hexadecimal, or src=… dst=….")
        }
        guard words.contains(where: { $0.contains("=") }) else { return try hex(words.joined()) }
        var parser = FrameText()
        for word in words {
            guard let sign = word.firstIndex(of: "=") else {
                throw TraceError("\"\(word)\" is not KEY=VALUE; a frame is either all hexadecimal or all words.")
            }
            let key = String(word[..<sign])
            guard keys.contains(key) else {
                throw TraceError("there is no word \"\(key)\" for a frame; there is \(keys.joined(separator: ", ")).")
            }
            let repeated = parser.words.contains { $0.key == key }
            guard !repeated else { throw TraceError("\(key)= is given twice.") }
            parser.words.append((key, String(word[word.index(after: sign)...])))
        }
        // The one word that means two things is refused before anything that is merely missing.
        if let proto = parser.words.first(where: { $0.key == "proto" }) { _ = try ProtocolText.number(proto.value) }
        return try defaults.isPacket ? parser.buildPacket() : parser.build(defaults)
    }

    /// `PROTOCOL FROM > TO …` as words: `ip=FROM>TO proto=PROTOCOL …`. Anything else as it is.
    private static func spelledOut(_ words: [String]) -> [String] {
        guard let first = words.first?.lowercased(), ProtocolText.names[first] != nil || first == "arp" || first == "nd"
        else { return words }
        let end = words.dropFirst().firstIndex { $0.contains("=") } ?? words.endIndex
        var spelled = ["ip=" + words[1..<end].joined()]
        switch first {
        case "arp", "nd": spelled.append("type=\(first)")
        // The addresses tell which of the two; without ports it is the default.
        case "icmp", "icmpv6": break
        default: spelled.append("proto=\(first)")
        }
        return spelled + words[end...]
    }

    static let keys = [
        "src", "dst", "vlan", "svlan", "type", "ip", "from", "to", "proto", "sport", "dport", "icmp", "ttl", "tos",
        "length",
    ]
    /// The largest frame that a port carries whole.
    static let longest = 65_536

    /// Hexadecimal digits with nothing, or `:`, `-`, `.`, `_` between them.
    static func hex(_ text: String) throws(TraceError) -> [UInt8] {
        var digits = text.hasPrefix("0x") ? Substring(text.dropFirst(2)) : Substring(text)
        digits = digits.filter { !":-._".contains($0) }[...]
        var bytes: [UInt8] = []
        var high: UInt8?
        for digit in digits {
            guard let value = digit.hexDigitValue, digit.isASCII else {
                throw TraceError(
                    "\"\(digit)\" is not a hexadecimal digit; write a frame as hexadecimal bytes, as words such as "
                        + "src=… dst=… from=… to=…, or as @FILE."
                )
            }
            if let h = high {
                bytes.append(h << 4 | UInt8(value))
                high = nil
            } else {
                high = UInt8(value)
            }
        }
        guard high == nil else { throw TraceError("the frame has an odd number of hexadecimal digits.") }
        guard (1...longest).contains(bytes.count) else {
            throw TraceError("the frame has \(bytes.count) bytes; it must have 1 to \(longest).")
        }
        return bytes
    }

    // MARK: Words

    mutating func take(_ key: String) -> String? {
        used.insert(key)
        return words.first { $0.key == key }?.value
    }

    mutating func number(_ key: String, in range: ClosedRange<Int>, default value: Int) throws(TraceError)
        -> Int
    {
        guard let text = take(key) else { return value }
        return try Self.number(text, key, in: range)
    }

    static func number(_ text: String, _ key: String, in range: ClosedRange<Int>) throws(TraceError) -> Int {
        let parsed = text.hasPrefix("0x") ? Int(text.dropFirst(2), radix: 16) : Int(text)
        guard let parsed, range.contains(parsed) else {
            throw TraceError("\(key)=\(text) must be a number from \(range.lowerBound) to \(range.upperBound).")
        }
        return parsed
    }

    private mutating func mac(_ key: String) throws(TraceError) -> MACAddress? {
        guard let text = take(key) else { return nil }
        guard let mac = MACAddress(text) else {
            throw TraceError("\(key)=\(text) is not an Ethernet address such as 02:00:00:00:00:01.")
        }
        return mac
    }

    private mutating func addresses() throws(TraceError) -> (from: IPAddress, to: IPAddress)? {
        var pair: (String, String)?
        if let both = take("ip") {
            let parts = both.split(separator: ">", omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw TraceError("ip=\(both) must be ip=FROM>TO.") }
            pair = (String(parts[0]), String(parts[1]))
        }
        let (from, to) = (take("from"), take("to"))
        if from != nil || to != nil {
            guard pair == nil else { throw TraceError("ip= says the same as from= and to=: write one of them.") }
            guard let from, let to else { throw TraceError("from= and to= go together.") }
            pair = (from, to)
        }
        guard let pair else { return nil }
        guard let a = IPAddress(pair.0) else { throw TraceError("\(pair.0) is not an IP address.") }
        guard let b = IPAddress(pair.1) else { throw TraceError("\(pair.1) is not an IP address.") }
        guard a.isIPv6 == b.isIPv6 else { throw TraceError("\(a) and \(b) are of two families.") }
        return (a, b)
    }

    private mutating func tags() throws(TraceError) -> [(type: UInt16, id: UInt16)] {
        var tags: [(type: UInt16, id: UInt16)] = []
        for (key, type) in [("svlan", EtherType.serviceVLAN), ("vlan", EtherType.vlan)] {
            guard let text = take(key) else { continue }
            for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                tags.append((type, UInt16(try Self.number(String(part), key, in: 0...4095))))
            }
        }
        return tags
    }

    private mutating func etherType(_ pair: (from: IPAddress, to: IPAddress)?) throws(TraceError) -> UInt16 {
        guard let text = take("type") else {
            guard let pair else {
                throw TraceError("the frame needs type=, or addresses in from= and to= that tell its type.")
            }
            return pair.from.isIPv6 ? EtherType.ipv6 : EtherType.ipv4
        }
        let known = ["ipv4": EtherType.ipv4, "ipv6": EtherType.ipv6, "arp": EtherType.arp, "nd": EtherType.ipv6]
        if let type = known[text.lowercased()] { return type }
        guard text.first?.isNumber == true else {
            throw TraceError("type=\(text) must be ipv4, ipv6, arp, nd or a number such as 0x88cc.")
        }
        return UInt16(try Self.number(text, "type", in: 0...65_535))
    }

    // MARK: Bytes

    private mutating func build(_ defaults: Defaults) throws(TraceError) -> [UInt8] {
        guard let src = try mac("src") ?? defaults.source else { throw TraceError("the frame needs src=MAC.") }
        let pair = try addresses()
        let tags = try tags()
        let type = try etherType(pair)
        let isSolicitation = take("type")?.lowercased() == "nd"
        let written = try mac("dst")
        let group = Self.defaultDestination(type, isSolicitation ? pair.map { Self.solicitedNode($0.to) } : pair?.to)
        guard let dst = written ?? group ?? pair.flatMap({ defaults.destination($0.to) }) else {
            throw TraceError(
                "the frame needs dst=MAC; only ARP, multicast and what a router knows or routes tell theirs."
            )
        }
        var frame = FrameBytes()
        frame.mac(dst)
        frame.mac(src)
        for tag in tags {
            frame.be16(tag.type)
            frame.be16(tag.id)
        }
        frame.be16(type)
        switch (type, pair) {
        case (EtherType.arp, let pair): try arp(&frame, src, pair)
        case (EtherType.ipv6, let pair) where isSolicitation: try solicitation(&frame, src, pair)
        case (EtherType.ipv4, let pair?) where !pair.from.isIPv6: try packet(&frame, pair)
        case (EtherType.ipv6, let pair?) where pair.from.isIPv6: try packet(&frame, pair)
        case (EtherType.ipv4, _), (EtherType.ipv6, _):
            throw TraceError("type=ipv4 and type=ipv6 need addresses of that family in from= and to=.")
        default: frame.zeros(try payloadLength())
        }
        try refuseIdleWords()
        return frame.bytes
    }

    /// A packet as it comes out of a router's tunnel.
    private mutating func buildPacket() throws(TraceError) -> [UInt8] {
        guard let pair = try addresses() else { throw TraceError("the packet needs from= and to=.") }
        var packet = FrameBytes()
        try self.packet(&packet, pair)
        try refuseIdleWords()
        return packet.bytes
    }

    private func refuseIdleWords() throws(TraceError) {
        if let idle = words.first(where: { !used.contains($0.key) }) {
            throw TraceError("\(idle.key)= has no place in this frame.")
        }
    }

    mutating func payloadLength() throws(TraceError) -> Int {
        try number("length", in: 0...65_000, default: 0)
    }

    /// Where the frame goes if the text does not say: broadcast for ARP, the group's address for multicast (RFC 1112
    /// §6.4, RFC 2464 §7).
    private static func defaultDestination(_ type: UInt16, _ to: IPAddress?) -> MACAddress? {
        if type == EtherType.arp { return .broadcast }
        switch to {
        case .v4(let a) where a.bits == UInt32.max: return .broadcast
        case .v4(let a) where a.bits >> 28 == 0xE:
            return MACAddress(bits: 0x0100_5E00_0000 | UInt64(a.bits & 0x7F_FFFF))
        case .v6(let a) where a.high >> 56 == 0xFF: return MACAddress(bits: 0x3333_0000_0000 | a.low & 0xFFFF_FFFF)
        default: return nil
        }
    }
}
