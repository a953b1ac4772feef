// Which addresses may stand where in a packet that a router is to forward.

extension IPv4Address {
    /// 224.0.0.0/4 (RFC 5771).
    @inlinable @inline(__always)
    public var isMulticast: Bool { bits &>> 28 == 0xE }

    /// 127.0.0.0/8 (RFC 1122 §3.2.1.3).
    @inlinable @inline(__always)
    public var isLoopback: Bool { bits &>> 24 == 127 }

    /// 169.254.0.0/16: never forwarded, neither from nor to it (RFC 3927 §7).
    @inlinable @inline(__always)
    public var isLinkLocal: Bool { bits &>> 16 == 0xA9FE }

    /// No packet from it is forwarded or answered: 0.0.0.0/8, 127.0.0.0/8, multicast, 240.0.0.0/4 and the broadcast
    /// address (RFC 1812 §5.3.7, RFC 6890 §2.2.2).
    @inlinable @inline(__always)
    public var isMartianSource: Bool { isMartianDestination || isMulticast }

    /// No packet to it is forwarded: 0.0.0.0/8, 127.0.0.0/8, 240.0.0.0/4 and the broadcast address (RFC 1812 §5.3.7,
    /// RFC 6890 §2.2.2). Multicast is a matter of its own.
    @inlinable @inline(__always)
    public var isMartianDestination: Bool {
        let first = bits &>> 24
        return first == 0 || first == 127 || first >= 240
    }
}

/// Of IPv6 proper: tables hold IPv4 addresses as mapped ones, and those are martians here.
extension IPv6Address {
    /// ff00::/8 (RFC 4291 §2.7).
    @inlinable @inline(__always)
    public var isMulticast: Bool { high &>> 56 == 0xFF }

    /// `::` (RFC 4291 §2.5.2).
    @inlinable @inline(__always)
    public var isUnspecified: Bool { high | low == 0 }

    /// fe80::/10: never forwarded, neither from nor to it (RFC 4291 §2.5.6).
    @inlinable @inline(__always)
    public var isLinkLocal: Bool { high &>> 54 == 0x3FA }

    /// Whether it must not leave its link: fe80::/10, and multicast of interface-local or link-local scope (RFC 4007 §9,
    /// RFC 4291 §2.7). Scope 0 is reserved and counts as one of these.
    @inlinable @inline(__always)
    public var isConfinedToLink: Bool { isLinkLocal || isMulticast && high &>> 48 & 0xF <= 2 }

    /// No packet from it is forwarded or answered: `::`, `::1`, multicast, IPv4-mapped and IPv4-compatible addresses
    /// (RFC 4291 §2.5 and §2.7, RFC 4213 §3.6, RFC 6890 §2.2.3).
    @inlinable @inline(__always)
    public var isMartianSource: Bool { isMartianDestination || isMulticast }

    /// No packet to it is forwarded: `::`, `::1`, IPv4-mapped and IPv4-compatible addresses (RFC 4291 §2.5, RFC 6890
    /// §2.2.3). Multicast is a matter of its own.
    @inlinable @inline(__always)
    public var isMartianDestination: Bool {
        // ::/96 is all of the unspecified, the loopback and the compatible ones.
        high == 0 && (low &>> 32 == 0 || low &>> 32 == 0xFFFF)
    }

    /// ff02::1, all nodes on the link (RFC 4291 §2.7.1).
    @inlinable @inline(__always)
    public static var allNodes: IPv6Address { IPv6Address(high: 0xFF02_0000_0000_0000, low: 1) }

    /// ff02::1:ff00:0/104 with the last 24 bits of this address (RFC 4291 §2.7.1).
    @inlinable @inline(__always)
    public var solicitedNode: IPv6Address {
        IPv6Address(high: 0xFF02_0000_0000_0000, low: 0x1_FF00_0000 | low & 0xFF_FFFF)
    }

    /// Whether it is the solicited-node multicast address of some node.
    @inlinable @inline(__always)
    public var isSolicitedNode: Bool { high == 0xFF02_0000_0000_0000 && low &>> 24 == 0x1FF }

    /// The link-local address of a MAC: fe80::/64 with its modified EUI-64 (RFC 4291 appendix A, RFC 2464 §5).
    @inlinable @inline(__always)
    public init(linkLocalOf mac: MACAddress) {
        let upper = (mac.bits &>> 24 ^ 0x02_0000) &<< 40
        self.init(high: 0xFE80_0000_0000_0000, low: upper | 0xFF_FE00_0000 | mac.bits & 0xFF_FFFF)
    }
}

extension MACAddress {
    /// Where Ethernet sends a packet to an IPv6 multicast address: 33:33 and its last four bytes (RFC 2464 §7).
    @inlinable @inline(__always)
    public init(multicast address: IPv6Address) { self.init(bits: 0x3333_0000_0000 | address.low & 0xFFFF_FFFF) }

    /// Whether frames may come from it: neither zero nor a group (IEEE 802.3 §3.2.3).
    @inlinable @inline(__always)
    public var isUnicast: Bool { !isGroup && bits != 0 }
}
