/// A 48-bit Ethernet address, held in the low bits in the order in which it is read: `02:00:00:00:00:01` is
/// `0x0200_0000_0001`.
public struct MACAddress: Hashable, Sendable, Comparable {
    /// 48 bits; the upper 16 are zero.
    public var bits: UInt64

    /// Takes the lower 48 bits.
    @inlinable public init(bits: UInt64) { self.bits = bits & 0xFFFF_FFFF_FFFF }

    /// All stations.
    public static let broadcast = MACAddress(bits: 0xFFFF_FFFF_FFFF)
    /// No address: never valid on the wire.
    public static let zero = MACAddress(bits: 0)

    /// The I/G bit: multicast or broadcast, never valid as a source (IEEE 802.3 §3.2.3).
    @inlinable public var isGroup: Bool { bits & 0x0100_0000_0000 != 0 }

    @inlinable public static func < (a: Self, b: Self) -> Bool { a.bits < b.bits }
}

/// An IPv4 address, held in host order: `192.0.2.1` is `0xC000_0201`.
public struct IPv4Address: Hashable, Sendable, Comparable {
    /// Host order.
    public var bits: UInt32

    /// Takes host order.
    @inlinable public init(bits: UInt32) { self.bits = bits }

    @inlinable public static func < (a: Self, b: Self) -> Bool { a.bits < b.bits }
}

/// An IPv6 address as two host-order halves.
public struct IPv6Address: Hashable, Sendable, Comparable {
    /// The network half, as a rule.
    public var high: UInt64
    /// The interface half.
    public var low: UInt64

    /// Takes both halves in host order.
    @inlinable public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2): how tables hold addresses of both families in one shape.
    @inlinable public init(mapping v4: IPv4Address) {
        self.init(high: 0, low: 0xFFFF_0000_0000 | UInt64(v4.bits))
    }

    /// The IPv4 address inside a mapped one.
    @inlinable public var mappedIPv4: IPv4Address? {
        high == 0 && low >> 32 == 0xFFFF ? IPv4Address(bits: UInt32(truncatingIfNeeded: low)) : nil
    }

    @inlinable public static func < (a: Self, b: Self) -> Bool { (a.high, a.low) < (b.high, b.low) }
}

/// An address of either family.
public enum IPAddress: Hashable, Sendable {
    case v4(IPv4Address)
    case v6(IPv6Address)

    /// The IPv4-mapped or plain IPv6 form that tables use as key.
    public var mapped: IPv6Address {
        switch self {
        case .v4(let a): IPv6Address(mapping: a)
        case .v6(let a): a
        }
    }

    /// The address that a mapped or plain IPv6 form stands for.
    public init(mapped: IPv6Address) {
        self = mapped.mappedIPv4.map(IPAddress.v4) ?? .v6(mapped)
    }

    /// Whether it is of the IPv6 family.
    public var isIPv6: Bool { if case .v6 = self { true } else { false } }
}

/// An address with its prefix length, as written: `10.0.0.11/24` keeps its host bits.
public struct IPPrefix: Hashable, Sendable {
    /// With its host bits.
    public var address: IPAddress
    /// In bits: 0 to 32 or 128.
    public var length: Int

    /// Takes what is given: text is checked where it is read.
    public init(address: IPAddress, length: Int) {
        self.address = address
        self.length = length
    }

    /// The longest length of the family: 32 or 128.
    public var maximumLength: Int { address.isIPv6 ? 128 : 32 }

    /// The prefix with its host bits cleared.
    public var network: IPPrefix { IPPrefix(address: address.masked(length), length: length) }

    /// Whether `other` lies inside this prefix; never across families.
    public func contains(_ other: IPAddress) -> Bool {
        other.isIPv6 == address.isIPv6 && other.masked(length) == address.masked(length)
    }

    /// Whether the two prefixes share an address.
    public func overlaps(_ other: IPPrefix) -> Bool {
        length <= other.length ? contains(other.address) : other.contains(address)
    }
}

extension IPAddress {
    /// The address with all but the first `length` bits cleared; lengths outside of the family's range count as the
    /// nearest one inside.
    public func masked(_ length: Int) -> IPAddress {
        switch self {
        case .v4(let a):
            return .v4(IPv4Address(bits: a.bits & ~UInt32(0) << (32 - min(max(length, 0), 32))))
        case .v6(let a):
            let length = min(max(length, 0), 128)
            let high = ~UInt64(0) << (64 - min(length, 64))
            let low = ~UInt64(0) << (128 - max(length, 64))
            return .v6(IPv6Address(high: a.high & high, low: a.low & low))
        }
    }
}
