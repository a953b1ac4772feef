import Wire

/// IP protocols in text: numbers, and names that mean the same thing everywhere.
enum ProtocolText {
    /// Never looked up in `/etc/protocols`, where `ipip` is 94.
    static let names: [String: UInt8] = [
        "icmp": IPProtocol.icmp, "igmp": 2, "tcp": IPProtocol.tcp, "udp": IPProtocol.udp, "dccp": IPProtocol.dccp,
        "gre": IPProtocol.gre, "esp": 50, "ah": IPProtocol.authentication, "icmpv6": IPProtocol.icmpv6, "ospf": 89,
        "pim": 103, "vrrp": 112, "sctp": IPProtocol.sctp, "udplite": IPProtocol.udpLite,
    ]

    static func number(_ text: String) throws(TraceError) -> UInt8 {
        if let number = UInt8(text) { return number }
        if let number = names[text.lowercased()] { return number }
        if ["ipip", "ip-in-ip", "ipencap"].contains(text.lowercased()) {
            throw TraceError(
                "proto=\(text) is ambiguous: write proto=4 for IPv4 in IP (RFC 2003), or proto=94 for KA9Q's IP within "
                    + "IP, which /etc/protocols calls ipip."
            )
        }
        throw TraceError(
            "proto=\(text) is no protocol: write a number from 0 to 255 or one of "
                + "\(names.keys.sorted().joined(separator: ", "))."
        )
    }
}
