/// EtherTypes (IEEE registration authority) as read from the wire in host order.
public enum EtherType {
    public static let ipv4: UInt16 = 0x0800
    public static let arp: UInt16 = 0x0806
    /// Transparent Ethernet bridging: what GRE says when it carries a whole frame (RFC 1701, RFC 7637 §3.2).
    public static let transparentEthernet: UInt16 = 0x6558
    /// The C-tag of IEEE 802.1Q.
    public static let vlan: UInt16 = 0x8100
    public static let ipv6: UInt16 = 0x86DD
    /// The S-tag of IEEE 802.1ad.
    public static let serviceVLAN: UInt16 = 0x88A8
    /// S-tag written by equipment from before 802.1ad; recognised as a tag, never written.
    public static let oldServiceVLAN: UInt16 = 0x9100

    /// Whether a frame with this type carries a VLAN tag.
    @inlinable @inline(__always)
    public static func isTag(_ type: UInt16) -> Bool {
        type == vlan || type == serviceVLAN || type == oldServiceVLAN
    }
}

/// IP protocol numbers (IANA "Assigned Internet Protocol Numbers"). Compiled in: never `getprotobyname` or
/// `/etc/protocols`, where the word `ipip` stands for 94.
public enum IPProtocol {
    public static let hopByHop: UInt8 = 0
    public static let icmp: UInt8 = 1
    /// IPv4 encapsulation, IP in IP (RFC 2003).
    public static let ipv4: UInt8 = 4
    public static let tcp: UInt8 = 6
    public static let udp: UInt8 = 17
    public static let dccp: UInt8 = 33
    /// IPv6 encapsulation (RFC 2473, RFC 4213).
    public static let ipv6: UInt8 = 41
    public static let routing: UInt8 = 43
    public static let fragment: UInt8 = 44
    public static let gre: UInt8 = 47
    /// Authentication header (RFC 4302).
    public static let authentication: UInt8 = 51
    public static let icmpv6: UInt8 = 58
    public static let destinationOptions: UInt8 = 60
    /// KA9Q's IP within IP, which is not RFC 2003's.
    public static let ka9qIPIP: UInt8 = 94
    public static let sctp: UInt8 = 132
    /// UDP with partial coverage of its checksum (RFC 3828).
    public static let udpLite: UInt8 = 136
}

/// Lengths of headers in bytes.
public enum HeaderLength {
    public static let ethernet = 14
    public static let vlanTag = 4
    public static let ipv4 = 20
    public static let ipv6 = 40
    public static let udp = 8
    public static let tcp = 20
    public static let vxlan = 8
    /// The part that all messages of ICMP and ICMPv6 have.
    public static let icmp = 8
    /// ARP for IPv4 over Ethernet (RFC 826).
    public static let arp = 28
}

/// The UDP port of VXLAN (RFC 7348 §5).
public let vxlanPort: UInt16 = 4789
