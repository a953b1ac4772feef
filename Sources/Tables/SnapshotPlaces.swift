import Wire

/// Where the sections of one validated image are, and how many rows they have.
@frozen
@usableFromInline
struct SnapshotPlaces {
    @usableFromInline var generation: UInt64
    @usableFromInline var endpointCount: UInt32
    @usableFromInline var segmentCount: UInt32
    @usableFromInline var attachmentCount: UInt32
    @usableFromInline var peerCount: UInt32
    @usableFromInline var endpoints: UnsafePointer<EndpointRecord>
    @usableFromInline var segments: UnsafePointer<SegmentRecord>
    @usableFromInline var attachments: UnsafePointer<AttachmentRecord>
    @usableFromInline var peers: UnsafePointer<PeerRecord>
    @usableFromInline var flood: UnsafePointer<UInt32>
    @usableFromInline var routerCount: UInt32
    @usableFromInline var interfaceCount: UInt32
    @usableFromInline var routeCount: UInt32
    @usableFromInline var neighborCount: UInt32
    @usableFromInline var routers: UnsafePointer<RouterRecord>
    @usableFromInline var interfaces: UnsafePointer<InterfaceRecord>
    @usableFromInline var addresses: UnsafePointer<InterfaceAddress>
    @usableFromInline var routes: UnsafePointer<RouteRecord>
    @usableFromInline var hops: UnsafePointer<NextHopRecord>
    @usableFromInline var rangesIPv4: UnsafePointer<RangeIPv4>
    @usableFromInline var rangesIPv6: UnsafePointer<RangeIPv6>
    @usableFromInline var rangeIndex: UnsafePointer<UInt32>
    @usableFromInline var neighbors: UnsafePointer<NeighborRecord>
    @usableFromInline var vlanIndex: FrozenIndex
    @usableFromInline var vniIndex: FrozenIndex
    @usableFromInline var memberIndex: FrozenIndex
    @usableFromInline var peerIndex: FrozenIndex
    @usableFromInline var toldIndex: FrozenIndex
    @usableFromInline var interfaceIndex: FrozenIndex
    @usableFromInline var neighborIndex: FrozenIndex
    @usableFromInline var tunnelIndex: FrozenIndex
    @usableFromInline var strings: UnsafeRawPointer
    @usableFromInline var stringBytes: Int
}

// What `Snapshot` is read by. Each is one load.
extension Snapshot {
    @inlinable @inline(__always)
    public var generation: UInt64 { places.pointee.generation }
    @inlinable @inline(__always)
    public var endpointCount: UInt32 { places.pointee.endpointCount }
    @inlinable @inline(__always)
    public var segmentCount: UInt32 { places.pointee.segmentCount }
    @inlinable @inline(__always)
    public var attachmentCount: UInt32 { places.pointee.attachmentCount }
    @inlinable @inline(__always)
    public var peerCount: UInt32 { places.pointee.peerCount }
    @inlinable @inline(__always)
    public var endpoints: UnsafePointer<EndpointRecord> { places.pointee.endpoints }
    @inlinable @inline(__always)
    public var segments: UnsafePointer<SegmentRecord> { places.pointee.segments }
    @inlinable @inline(__always)
    public var attachments: UnsafePointer<AttachmentRecord> { places.pointee.attachments }
    @inlinable @inline(__always)
    public var peers: UnsafePointer<PeerRecord> { places.pointee.peers }
    @inlinable @inline(__always)
    public var flood: UnsafePointer<UInt32> { places.pointee.flood }
    @inlinable @inline(__always)
    public var routerCount: UInt32 { places.pointee.routerCount }
    @inlinable @inline(__always)
    public var interfaceCount: UInt32 { places.pointee.interfaceCount }
    @inlinable @inline(__always)
    public var routeCount: UInt32 { places.pointee.routeCount }
    @inlinable @inline(__always)
    public var neighborCount: UInt32 { places.pointee.neighborCount }
    @inlinable @inline(__always)
    public var routers: UnsafePointer<RouterRecord> { places.pointee.routers }
    @inlinable @inline(__always)
    public var interfaces: UnsafePointer<InterfaceRecord> { places.pointee.interfaces }
    @inlinable @inline(__always)
    public var addresses: UnsafePointer<InterfaceAddress> { places.pointee.addresses }
    @inlinable @inline(__always)
    public var routes: UnsafePointer<RouteRecord> { places.pointee.routes }
    @inlinable @inline(__always)
    public var hops: UnsafePointer<NextHopRecord> { places.pointee.hops }
    @inlinable @inline(__always)
    public var rangesIPv4: UnsafePointer<RangeIPv4> { places.pointee.rangesIPv4 }
    @inlinable @inline(__always)
    public var rangesIPv6: UnsafePointer<RangeIPv6> { places.pointee.rangesIPv6 }
    @inlinable @inline(__always)
    public var rangeIndex: UnsafePointer<UInt32> { places.pointee.rangeIndex }
    @inlinable @inline(__always)
    public var neighbors: UnsafePointer<NeighborRecord> { places.pointee.neighbors }
    @inlinable @inline(__always)
    public var vlanIndex: FrozenIndex { places.pointee.vlanIndex }
    @inlinable @inline(__always)
    public var vniIndex: FrozenIndex { places.pointee.vniIndex }
    @inlinable @inline(__always)
    public var memberIndex: FrozenIndex { places.pointee.memberIndex }
    @inlinable @inline(__always)
    public var peerIndex: FrozenIndex { places.pointee.peerIndex }
    @inlinable @inline(__always)
    public var toldIndex: FrozenIndex { places.pointee.toldIndex }
    @inlinable @inline(__always)
    public var interfaceIndex: FrozenIndex { places.pointee.interfaceIndex }
    @inlinable @inline(__always)
    public var neighborIndex: FrozenIndex { places.pointee.neighborIndex }
    @inlinable @inline(__always)
    public var tunnelIndex: FrozenIndex { places.pointee.tunnelIndex }
    @inlinable @inline(__always)
    public var strings: UnsafeRawPointer { places.pointee.strings }
    @inlinable @inline(__always)
    public var stringBytes: Int { places.pointee.stringBytes }
}
