import Wire

/// One line about a frame, for people.
enum FrameSummary {
    /// `02:…:01 > 02:…:02, vlan 10, IPv4 10.0.0.1 > 10.0.0.2, tcp 49152 > 80, 54 bytes`
    /// A bare packet begins with its IP header: `IPv4 10.0.0.1 > 10.0.0.2, tcp 49152 > 80, 40 bytes`
    static func text(_ bytes: [UInt8], isPacket: Bool = false) -> String {
        guard !bytes.isEmpty else { return "0 bytes" }
        return bytes.withUnsafeBytes { raw in
            let base = raw.baseAddress!
            if isPacket {
                let parsed = ParsedFrame(datagram: base, raw.count, etherType: etherType(ofPacket: bytes))
                let parts = parsed.isIP ? packet(base, parsed) : ["broken IP"]
                return (parts + ["\(raw.count) bytes"]).joined(separator: ", ")
            }
            let parsed = ParsedFrame(base, raw.count)
            guard parsed.isEthernet else { return "\(raw.count) bytes" }
            var parts = ["\(parsed.source) > \(parsed.destination)"]
            if parsed.tagCount > 0 { parts.append(tag(parsed.outerTagType, parsed.outerTag)) }
            if parsed.tagCount > 1 { parts.append(tag(parsed.innerTagType, parsed.innerTag)) }
            parts += parsed.isIP ? packet(base, parsed) : [type(base, raw.count, parsed)]
            parts.append("\(raw.count) bytes")
            return parts.joined(separator: ", ")
        }
    }

    /// By its version.
    static func etherType(ofPacket bytes: [UInt8]) -> UInt16 {
        (bytes.first ?? 0) >> 4 == 6 ? EtherType.ipv6 : EtherType.ipv4
    }

    private static func tag(_ type: UInt16, _ tag: UInt16) -> String {
        let priority = tag >> 13
        return (type == EtherType.vlan ? "vlan" : "svlan") + " \(tag & 0xFFF)"
            + (priority == 0 ? "" : " priority \(priority)")
    }

    private static func type(_ base: UnsafeRawPointer, _ count: Int, _ parsed: ParsedFrame) -> String {
        let start = HeaderLength.ethernet + HeaderLength.vlanTag * Int(min(parsed.tagCount, 2))
        if parsed.etherType == EtherType.arp, count >= start + 28 {
            let (from, to) = (base.ipv4(start + 14), base.ipv4(start + 24))
            switch base.be16(start + 6) {
            case 1: return "ARP who has \(to), says \(from)"
            case 2: return "ARP \(from) is at \(base.mac(start + 8))"
            default: break
            }
        }
        return "type 0x" + String(parsed.etherType, radix: 16)
    }

    private static func packet(_ base: UnsafeRawPointer, _ parsed: ParsedFrame) -> [String] {
        let at = parsed.networkOffset
        let addresses =
            parsed.isIPv4
            ? "IPv4 \(base.ipv4(at + 12)) > \(base.ipv4(at + 16))" : "IPv6 \(base.ipv6(at + 8)) > \(base.ipv6(at + 24))"
        let name = ProtocolText.names.first { $0.value == parsed.protocol }?.key ?? "protocol \(parsed.protocol)"
        if parsed.has(.ports) { return [addresses, "\(name) \(parsed.sourcePort) > \(parsed.destinationPort)"] }
        return [addresses, name + (parsed.has(.laterFragment) ? " fragment" : "")]
    }

    static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(2 * bytes.count)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
