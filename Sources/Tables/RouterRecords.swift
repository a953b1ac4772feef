import Wire

// The rows of routers in a snapshot. See `Records` for what they have in common.

/// A part of a section that one router has for one address family: its routes as ranges of addresses in ascending order,
/// and where to begin to look for the range of an address by its first `indexBits` bits.
@frozen
public struct RouteRanges: Equatable, Sendable {
    public var start: UInt32 = 0
    /// At least one for a family that is routed: the first begins at address 0.
    public var count: UInt32 = 0
    /// 2^indexBits + 1 positions from `start`.
    public var indexStart: UInt32 = 0
    public var indexBits: UInt32 = 0

    public init() {}
}

/// The table of one tenant's router.
@frozen
public struct RouterRecord: Equatable, Sendable {
    /// The router's address in its networks, on every host.
    public var mac: UInt64 = 0
    /// The source of what this host sends into provider networks when another host is the designated one, or `mac`.
    public var hostMAC: UInt64 = 0
    public var tenant: StringRef = 0
    /// `tenant/router`.
    public var name: StringRef = 0
    public var flags: UInt32 = 0
    /// 1 in a slot that is in use.
    public var inUse: UInt32 = 0
    public var ipv4 = RouteRanges()
    public var ipv6 = RouteRanges()
    /// Addresses that ICMP errors come from where the interface has none of its own (RFC 1812 §5.2.2.6: the router-id).
    public var anyIPv4: UInt32 = 0
    public var spare: UInt32 = 0
    public var anyIPv6 = IPv6Address(high: 0, low: 0)

    public init() {}

    /// The route back to the source must lead out by the interface that the packet came in by (RFC 3704 §2.2).
    public static let strictReversePath: UInt32 = 1
    /// There must be a route back to the source (RFC 3704 §2.4).
    public static let looseReversePath: UInt32 = 2
    /// This host answers for the router to those outside of the file.
    public static let designated: UInt32 = 4
    /// It is the host's place in the underlay: it passes on nothing.
    public static let underlay: UInt32 = 8

    @inlinable public var isDesignated: Bool { flags & RouterRecord.designated != 0 }
    @inlinable public var isUnderlay: Bool { flags & RouterRecord.underlay != 0 }
}

/// A router's place in a network or at the near end of a tunnel.
@frozen
public struct InterfaceRecord: Equatable, Sendable {
    public var router: UInt32 = noSlot
    public var segment: UInt32 = noSlot
    /// Its own attachment, of kind `router`.
    public var attachment: UInt32 = noSlot
    /// A range of the address section.
    public var addressStart: UInt32 = 0
    public var addressCount: UInt32 = 0
    /// The first IPv4 address, or 0.
    public var ipv4: UInt32 = 0
    /// The first IPv6 address, or ::.
    public var ipv6 = IPv6Address(high: 0, low: 0)
    /// The network's or tunnel's name within the tenant.
    public var name: StringRef = 0
    /// 1 in a slot that is in use.
    public var inUse: UInt32 = 0

    public init() {}
}

/// One address of an interface, with its prefix length in the address's own family.
@frozen
public struct InterfaceAddress: Equatable, Sendable {
    /// IPv4 as mapped address.
    public var address = IPv6Address(high: 0, low: 0)
    public var length: UInt32 = 0
    public var spare: UInt32 = 0

    public init(_ address: IPv6Address, length: Int) {
        self.address = address
        self.length = UInt32(truncatingIfNeeded: length)
    }
}

/// What a route is.
public enum RouteKind {
    /// One of the router's own addresses.
    public static let local: UInt8 = 1
    /// The prefix of an interface.
    public static let connected: UInt8 = 2
    /// From the file, by gateways and tunnels.
    public static let `static`: UInt8 = 3
    /// From the file: dropped silently, as unreachable, or as prohibited.
    public static let blackhole: UInt8 = 4
    public static let unreachable: UInt8 = 5
    public static let prohibit: UInt8 = 6
}

/// A prefix and the ways there.
@frozen
public struct RouteRecord: Equatable, Sendable {
    /// IPv4 as mapped address.
    public var prefix = IPv6Address(high: 0, low: 0)
    public var router: UInt32 = noSlot
    /// A range of the next-hop section; empty for the kinds that go nowhere.
    public var hopStart: UInt32 = 0
    public var hopCount: UInt32 = 0
    public var kind: UInt8 = 0
    /// In the prefix's own family: 0 to 32 or 128.
    public var length: UInt8 = 0
    public var spare: UInt16 = 0

    public init() {}
}

/// How a packet leaves a router.
public enum HopKind {
    /// It is for the router itself.
    public static let local: UInt8 = 1
    /// To the destination itself, in the interface's network.
    public static let connected: UInt8 = 2
    /// To `gateway`, in the interface's network.
    public static let gateway: UInt8 = 3
    /// Into the tunnel behind `attachment`.
    public static let tunnel: UInt8 = 4
    /// As it came, to the host that has the tunnel: the VTEP `attachment` of one of the router's networks.
    public static let redirect: UInt8 = 5
    /// The tunnel is on a host that no tunnelled network of the router leads to.
    public static let unreachable: UInt8 = 6
}

/// One way out.
@frozen
public struct NextHopRecord: Equatable, Sendable {
    /// IPv4 as mapped address; of kind `gateway`.
    public var gateway = IPv6Address(high: 0, low: 0)
    /// The interface that the packet leaves by; of a redirect, that of the tunnel it is on its way to, or `noSlot`.
    public var interface: UInt32 = noSlot
    /// Of a tunnel its far end, of a redirect the VTEP, else the interface's own.
    public var attachment: UInt32 = noSlot
    public var kind: UInt8 = 0
    public var spare: UInt8 = 0
    public var spare2: UInt16 = 0
    /// The tunnel's name, or 0.
    public var name: StringRef = 0

    public init() {}
}

/// An address in a network whose owner the file names: a port of any host, or a router.
@frozen
public struct NeighborRecord: Equatable, Sendable {
    /// IPv4 as mapped address.
    public var address = IPv6Address(high: 0, low: 0)
    public var mac: UInt64 = 0
    public var segment: UInt32 = noSlot
    /// The router's attachment, or `noSlot` for a port's address.
    public var router: UInt32 = noSlot

    public init() {}
}

/// A range of IPv4 addresses that one route covers, up to the next row's start.
@frozen
public struct RangeIPv4: Equatable, Sendable {
    public var start: UInt32
    /// The route, or `noSlot`.
    public var route: UInt32

    public init(start: UInt32, route: UInt32) {
        self.start = start
        self.route = route
    }
}

/// The same for IPv6.
@frozen
public struct RangeIPv6: Equatable, Sendable {
    public var start: IPv6Address
    /// The route, or `noSlot`.
    public var route: UInt32
    public var spare: UInt32 = 0

    public init(start: IPv6Address, route: UInt32) {
        self.start = start
        self.route = route
    }
}
