import Wire

// The rows of a snapshot. Plain integers only: they are written to a sealed memory file by the control process and
// read in place by the datapath. Rows are addressed by slot; the control process keeps slots stable from one snapshot
// to the next and raises a row's generation when a slot is given to somebody else, which makes everything learned
// about the old owner stale at once.

/// The slot that means "none".
public let noSlot = UInt32.max

/// A reference to a string of the snapshot: its byte offset in the string section. 0 is the empty string.
public typealias StringRef = UInt32

/// What stands behind an endpoint slot.
public enum EndpointKind {
    public static let none: UInt8 = 0
    /// A tenant's port: access or trunk.
    public static let port: UInt8 = 1
    /// A provider network's device, shared by flat and VLAN segments of many tenants.
    public static let provider: UInt8 = 2
    /// VXLAN packets, starting at the VXLAN header.
    public static let vxlan: UInt8 = 3
    /// GRE packets, starting at the GRE header.
    public static let gre: UInt8 = 4
    /// Packets of another IP protocol, `EndpointRecord.port`: IPv4 in IP (4), IPv6 in IP (41), KA9Q (94).
    public static let ip: UInt8 = 5
    /// Frames of the underlay itself: the VTEP's addresses are in the switch. `EndpointRecord.untagged` is its place in the
    /// underlay, `EndpointRecord.port` the UDP port of VXLAN.
    public static let uplink: UInt8 = 6
}

/// Something with a descriptor that frames come from and go to.
@frozen
public struct EndpointRecord: Equatable, Sendable {
    public var kind: UInt8 = EndpointKind.none
    public var flags: UInt8 = 0
    public var generation: UInt16 = 0
    /// Largest IP packet it carries, in bytes.
    public var mtu: UInt32 = 0
    /// Attachment of frames without a tag, or `noSlot`.
    public var untagged: UInt32 = noSlot
    /// Interface index in the host's namespace, or 0: tunnel packets that arrive there are a tenant's and refused.
    public var interfaceIndex: UInt32 = 0
    public var tenant: StringRef = 0
    /// `tenant/port`, the provider network's name, or the tunnel kind with its address.
    public var name: StringRef = 0
    /// The device it is attached to.
    public var device: StringRef = 0
    /// UDP port of a VXLAN endpoint or an uplink, ours and that of its peers; the protocol number of an endpoint of kind `ip`.
    public var port: UInt32 = 0

    public init() {}

    /// Tags select the attachment (trunk ports, provider devices).
    public static let vlanAware: UInt8 = 1

    @inlinable public var isVLANAware: Bool { flags & EndpointRecord.vlanAware != 0 }
}

/// What carries a segment between hosts.
public enum SegmentKind {
    public static let local: UInt8 = 0
    public static let flat: UInt8 = 1
    public static let vlan: UInt8 = 2
    public static let vxlan: UInt8 = 3
    public static let gre: UInt8 = 4
    /// A router's tunnel: two ends, no Ethernet.
    public static let routed: UInt8 = 5
    /// The underlay behind an uplink: no tenant's. Its router has the VTEP's addresses.
    public static let underlay: UInt8 = 6
}

/// A broadcast domain of one tenant, or a tunnel of one of its routers.
@frozen
public struct SegmentRecord: Equatable, Sendable {
    public var kind: UInt8 = SegmentKind.local
    public var flags: UInt8 = 0
    public var generation: UInt8 = 0
    public var reserved: UInt8 = 0
    /// Largest IP packet, in bytes.
    public var mtu: UInt32 = 0
    /// VNI, VLAN id or GRE key.
    public var identifier: UInt32 = 0
    /// Seconds after which a learned address is forgotten.
    public var ageing: UInt32 = 300
    /// Most learned addresses, or 0 for no limit of its own.
    public var macLimit: UInt32 = 0
    /// Its attachments: a range of the flood section.
    public var floodStart: UInt32 = 0
    public var floodCount: UInt32 = 0
    public var tenant: StringRef = 0
    /// `tenant/network`.
    public var name: StringRef = 0
    /// 1 in a slot that is in use.
    public var inUse: UInt32 = 0

    public init() {}

    public static let learning: UInt8 = 1
    public static let dropUnknownUnicast: UInt8 = 2
    public static let vlanTransparent: UInt8 = 4
    public static let forwardLinkLocal: UInt8 = 8
    /// A router has an interface here: group frames may concern it.
    public static let hasRouter: UInt8 = 16

    @inlinable public var learns: Bool { flags & SegmentRecord.learning != 0 }
    @inlinable public var dropsUnknownUnicast: Bool { flags & SegmentRecord.dropUnknownUnicast != 0 }
    @inlinable public var isVLANTransparent: Bool { flags & SegmentRecord.vlanTransparent != 0 }
    @inlinable public var forwardsLinkLocal: Bool { flags & SegmentRecord.forwardLinkLocal != 0 }
    @inlinable public var isRouted: Bool { flags & SegmentRecord.hasRouter != 0 }
}

/// Where a segment meets an endpoint: an access port, one VLAN of a trunk, one VLAN of a provider device, a remote VTEP,
/// a router, or the far end of a router's tunnel. What learned and told addresses point at.
@frozen
public struct AttachmentRecord: Equatable, Sendable {
    public var kind: UInt8 = AttachmentKind.none
    public var generation: UInt8 = 0
    /// The tag it carries on its endpoint: `vlanTPID` 0 means untagged.
    public var vlanTPID: UInt16 = 0
    public var vlanID: UInt16 = 0
    /// `greKey` and `greChecksum` of a GRE tunnel of a router, `behindUplink`.
    public var flags: UInt16 = 0
    public var endpoint: UInt32 = noSlot
    public var segment: UInt32 = noSlot
    /// The remote end of a tunnel attachment.
    public var peer: UInt32 = noSlot
    /// The router's interface: its own of a `router` attachment, and at the near end of a router's tunnel. Of an uplink's
    /// place in the underlay, and of VTEPs behind it, that of the underlay's router.
    public var interface: UInt32 = noSlot

    public init() {}

    /// Packets of a GRE tunnel of a router have a key: the segment's identifier.
    public static let greKey: UInt16 = 1
    /// They have a checksum.
    public static let greChecksum: UInt16 = 2
    /// A far end, of a network or a router's tunnel, for which the switch itself writes the outer headers.
    public static let behindUplink: UInt16 = 4

    /// A remote VTEP: split horizon applies between two of these.
    @inlinable public var isTunnel: Bool { kind == AttachmentKind.vxlan || kind == AttachmentKind.gre }
    /// The far end of a router's tunnel, which carries IP packets and no frames.
    @inlinable public var carriesPackets: Bool { kind >= AttachmentKind.ipip }
    @inlinable public var isRouter: Bool { kind == AttachmentKind.router }
    @inlinable public var isBehindUplink: Bool { flags & AttachmentRecord.behindUplink != 0 }
}

/// Kinds of attachment; tunnels say which header is pushed.
public enum AttachmentKind {
    public static let none: UInt8 = 0
    public static let port: UInt8 = 1
    public static let provider: UInt8 = 2
    public static let vxlan: UInt8 = 3
    public static let gre: UInt8 = 4
    /// A router's interface. It has no endpoint.
    public static let router: UInt8 = 5
    /// IPv4 in IP, protocol 4.
    public static let ipip: UInt8 = 6
    /// IPv6 in IP, protocol 41.
    public static let sit: UInt8 = 7
    /// IPv4 or IPv6 in GRE.
    public static let greIP: UInt8 = 8
}

/// A remote VTEP, or the far end of a router's tunnel.
@frozen
public struct PeerRecord: Equatable, Sendable {
    /// IPv4 as mapped address.
    public var address = IPv6Address(high: 0, low: 0)
    public var name: StringRef = 0
    /// Largest IP packet on the way there, in bytes.
    public var pathMTU: UInt32 = 0
    public var inUse: UInt32 = 0
    /// 1 if the address is the VTEP of a host of the file, whose ECN marks are understood there.
    public var isOurs: UInt32 = 0

    public init() {}
}
