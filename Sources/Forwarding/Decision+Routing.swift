import Tables
import Wire

/// What a packet's way through routers changes about it.
@frozen
public struct Routing: Equatable, Sendable {
    /// The Ethernet addresses that the frame leaves with, if `isReframed`.
    public var destination: MACAddress
    public var source: MACAddress
    /// The segment that it leaves by.
    public var segment: UInt32
    /// What is taken from TTL or hop limit: routers passed on this host.
    public var hops: UInt8
    /// The frame leaves with Ethernet addresses of its own and without the tags that it came with.
    public var isReframed: Bool

    @inlinable
    public init() {
        destination = .zero
        source = .zero
        segment = noSlot
        hops = 0
        isReframed = false
    }
}

/// What is sent back to where a frame came from.
@frozen
public struct Answer: Equatable, Sendable {
    public enum Kind {
        public static let none: UInt8 = 0
        /// That the router has the address asked for.
        public static let arpReply: UInt8 = 1
        public static let neighborAdvertisement: UInt8 = 2
        /// The echo request itself, turned round.
        public static let echoReply: UInt8 = 3
        /// An ICMP error about the frame.
        public static let error: UInt8 = 4
    }

    public var kind: UInt8
    /// Of an ICMP error, with its parameter: the MTU in bytes, or the place of what is wrong.
    public var type: UInt8
    public var code: UInt8
    public var parameter: UInt32
    /// The router that speaks, whose rates apply; `noSlot` for a switch that answers in the name of the destination.
    public var router: UInt32
    /// The address that speaks.
    public var source: IPv6Address

    @inlinable
    public init() {
        kind = Kind.none
        type = 0
        code = 0
        parameter = 0
        router = noSlot
        source = IPv6Address(high: 0, low: 0)
    }
}

/// What a frame says about an address in a segment, or what has to be found out before it can go on.
@frozen
public struct NeighborNews: Equatable, Sendable {
    public enum Kind {
        public static let none: UInt8 = 0
        /// `mac` has the address: remember it.
        public static let learn: UInt8 = 1
        /// The same if it is known already, with whatever address.
        public static let update: UInt8 = 2
        /// Nobody knows who has the address: ask.
        public static let resolve: UInt8 = 3
        /// `mac` had it a while ago: ask whether it still does.
        public static let recheck: UInt8 = 4
        /// The way to the peer `address` takes no IP packets longer than `Decision.pathMTU`.
        public static let pathMTU: UInt8 = 5
    }

    public var kind: UInt8
    public var segment: UInt32
    /// The interface that asks.
    public var interface: UInt32
    public var mac: MACAddress
    public var address: IPv6Address

    @inlinable
    public init() {
        kind = Kind.none
        segment = noSlot
        interface = noSlot
        mac = .zero
        address = IPv6Address(high: 0, low: 0)
    }
}
