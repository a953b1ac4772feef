import Wire

// What stands behind the EtherType: ARP, and IP with its transport header.

extension FrameText {
    /// An ARP request (RFC 826).
    func arp(
        _ frame: inout FrameBytes,
        _ src: MACAddress,
        _ pair: (from: IPAddress, to: IPAddress)?
    ) throws(TraceError) {
        guard case (.v4(let from), .v4(let to))? = pair else {
            throw TraceError("type=arp needs IPv4 addresses: from= who asks, to= who is asked for.")
        }
        for half: UInt16 in [1, EtherType.ipv4, 0x0604, 1] { frame.be16(half) }
        frame.mac(src)
        frame.be32(from.bits)
        frame.mac(.zero)
        frame.be32(to.bits)
    }

    /// A neighbour solicitation (RFC 4861 §4.3): `from` asks who has `to`.
    func solicitation(
        _ frame: inout FrameBytes,
        _ src: MACAddress,
        _ pair: (from: IPAddress, to: IPAddress)?
    ) throws(TraceError) {
        guard case (.v6(let from), .v6(let to))? = pair else {
            throw TraceError("type=nd needs IPv6 addresses: from= who asks, to= who is asked for.")
        }
        var question = [UInt8](repeating: 0, count: NeighborDiscovery.frameLength)
        let count = question.withUnsafeMutableBytes {
            NeighborDiscovery.writeSolicitation(to: $0.baseAddress!, senderMAC: src, source: from, target: to)
        }
        // Addresses and type stand already, with the tags that the text asks for.
        frame.bytes += question[HeaderLength.ethernet..<count]
    }

    /// The group that a solicitation for an address goes to (RFC 4291 §2.7.1).
    static func solicitedNode(_ address: IPAddress) -> IPAddress {
        guard case .v6(let a) = address else { return address }
        return .v6(IPv6Address(high: 0xFF02 << 48, low: 0x0000_0001_FF00_0000 | a.low & 0xFF_FFFF))
    }

    mutating func packet(
        _ frame: inout FrameBytes,
        _ pair: (from: IPAddress, to: IPAddress)
    ) throws(TraceError) {
        let isIPv6 = pair.from.isIPv6
        var proto = isIPv6 ? IPProtocol.icmpv6 : IPProtocol.icmp
        if let text = take("proto") {
            proto = try ProtocolText.number(text)
            if words.contains(where: { $0.key == "icmp" }), proto != (isIPv6 ? IPProtocol.icmpv6 : IPProtocol.icmp) {
                throw TraceError("icmp= goes with proto=\(isIPv6 ? "icmpv6" : "icmp"), or without proto=.")
            }
        } else if words.contains(where: { $0.key == "sport" || $0.key == "dport" }) {
            proto = IPProtocol.udp
        }
        let ttl = try number("ttl", in: 0...255, default: 64)
        let tos = try number("tos", in: 0...255, default: 0)
        let transport = try transport(proto, pair)
        let total = transport.count + (isIPv6 ? 0 : HeaderLength.ipv4)
        guard total <= 65_535 else { throw TraceError("the packet has \(total) bytes, more than IP can count.") }
        let start = frame.bytes.count
        switch pair {
        case (.v4(let from), .v4(let to)):
            for half in [0x4500 | UInt16(tos), UInt16(total), 0, 0x4000, UInt16(ttl) << 8 | UInt16(proto), 0] {
                frame.be16(half)
            }
            frame.be32(from.bits)
            frame.be32(to.bits)
            frame.bytes.withUnsafeMutableBytes {
                Checksum.write(ipv4Header: $0.baseAddress! + start, length: HeaderLength.ipv4)
            }
        default:
            frame.be32(0x6000_0000 | UInt32(tos) << 20)
            frame.be16(UInt16(total))
            frame.be16(UInt16(proto) << 8 | UInt16(ttl))
            for address in [pair.from.mapped, pair.to.mapped] {
                frame.be64(address.high)
                frame.be64(address.low)
            }
        }
        frame.bytes += transport
    }

    /// The transport header and its payload, with its checksum.
    private mutating func transport(
        _ proto: UInt8,
        _ pair: (from: IPAddress, to: IPAddress)
    ) throws(TraceError) -> [UInt8] {
        var segment = FrameBytes()
        let payload = try payloadLength()
        var checksumOffset: Int?
        var usesPseudoHeader = true
        switch proto {
        case IPProtocol.tcp:
            try ports(&segment)
            segment.be64(0)
            // A SYN without options: five words of header, the largest window.
            segment.be32(0x5002_FFFF)
            segment.be32(0)
            checksumOffset = 16
        case IPProtocol.udp:
            try ports(&segment)
            segment.be16(UInt16(clamping: HeaderLength.udp + payload))
            segment.be16(0)
            checksumOffset = 6
        case IPProtocol.icmp, IPProtocol.icmpv6:
            let (type, code) = try icmp(isIPv6: proto == IPProtocol.icmpv6)
            segment.be16(UInt16(type) << 8 | UInt16(code))
            // Of an echo: identifier and sequence number, the same each time.
            segment.be16(0)
            segment.be32(0x0001_0001)
            checksumOffset = 2
            usesPseudoHeader = proto == IPProtocol.icmpv6
        default: break
        }
        segment.zeros(payload)
        guard let checksumOffset else { return segment.bytes }
        let count = segment.bytes.count
        segment.bytes.withUnsafeMutableBytes { bytes in
            let base = UnsafeMutableRawPointer(bytes.baseAddress!)
            let pseudo =
                usesPseudoHeader
                ? Checksum.pseudo(
                    source: pair.from.mapped,
                    destination: pair.to.mapped,
                    protocol: proto,
                    length: count
                ) : 0
            base.set16(checksumOffset, Checksum.finishTransport(Checksum.sum(base, count, pseudo)))
        }
        return segment.bytes
    }

    /// Type and code; an echo request where the text does not say.
    private mutating func icmp(isIPv6: Bool) throws(TraceError) -> (UInt8, UInt8) {
        let request = isIPv6 ? ICMPv6.echoRequest : ICMP.echoRequest
        guard let text = take("icmp") else { return (request, 0) }
        switch text.lowercased() {
        case "echo-request": return (request, 0)
        case "echo-reply": return (isIPv6 ? ICMPv6.echoReply : ICMP.echoReply, 0)
        default: break
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, text.first?.isNumber == true else {
            throw TraceError("icmp=\(text) must be echo-request, echo-reply, TYPE or TYPE/CODE.")
        }
        let numbers = try parts.map { part throws(TraceError) in try Self.number(String(part), "icmp", in: 0...255) }
        return (UInt8(numbers[0]), UInt8(numbers.count > 1 ? numbers[1] : 0))
    }

    private mutating func ports(_ segment: inout FrameBytes) throws(TraceError) {
        segment.be16(UInt16(try number("sport", in: 0...65_535, default: 49_152)))
        segment.be16(UInt16(try number("dport", in: 0...65_535, default: 9)))
    }
}

/// Bytes in the order of the wire.
struct FrameBytes {
    var bytes: [UInt8] = []

    mutating func be16(_ value: UInt16) { bytes += [UInt8(value >> 8), UInt8(value & 0xFF)] }
    mutating func be32(_ value: UInt32) {
        be16(UInt16(value >> 16))
        be16(UInt16(value & 0xFFFF))
    }
    mutating func be64(_ value: UInt64) {
        be32(UInt32(value >> 32))
        be32(UInt32(value & 0xFFFF_FFFF))
    }
    mutating func mac(_ value: MACAddress) {
        be16(UInt16(value.bits >> 32))
        be32(UInt32(value.bits & 0xFFFF_FFFF))
    }
    mutating func zeros(_ count: Int) { bytes += [UInt8](repeating: 0, count: count) }
}
