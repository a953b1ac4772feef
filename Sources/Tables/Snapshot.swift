import Wire

/// The sections of a snapshot in the order of its header.
enum Section: Int, CaseIterable {
    case endpoints, segments, attachments, peers, flood
    case routers, interfaces, addresses, routes, hops, rangesIPv4, rangesIPv6, rangeIndex, neighbors
    case vlanIndex, vniIndex, memberIndex, peerIndex, toldIndex, interfaceIndex, neighborIndex, tunnelIndex
    case strings

    /// Bytes of one row.
    var stride: Int {
        switch self {
        case .endpoints: MemoryLayout<EndpointRecord>.stride
        case .segments: MemoryLayout<SegmentRecord>.stride
        case .attachments: MemoryLayout<AttachmentRecord>.stride
        case .peers: MemoryLayout<PeerRecord>.stride
        case .flood, .rangeIndex: 4
        case .routers: MemoryLayout<RouterRecord>.stride
        case .interfaces: MemoryLayout<InterfaceRecord>.stride
        case .addresses: MemoryLayout<InterfaceAddress>.stride
        case .routes: MemoryLayout<RouteRecord>.stride
        case .hops: MemoryLayout<NextHopRecord>.stride
        case .rangesIPv4: MemoryLayout<RangeIPv4>.stride
        case .rangesIPv6: MemoryLayout<RangeIPv6>.stride
        case .neighbors: MemoryLayout<NeighborRecord>.stride
        case .strings: 1
        default: MemoryLayout<FrozenIndex.Entry>.stride
        }
    }

    var isIndex: Bool { (Section.vlanIndex.rawValue...Section.tunnelIndex.rawValue).contains(rawValue) }
}

/// The first bytes of a snapshot: magic, layout version, generation, size, seed, then (offset, count) of each section.
enum SnapshotHeader {
    static let magic: UInt64 = 0x736C_7569_6365_3031  // "sluice01"
    static let layout: UInt64 = 2
    static let magicOffset = 0
    static let layoutOffset = 8
    static let generationOffset = 16
    static let sizeOffset = 24
    static let seedOffset = 32
    static let sectionsOffset = 64
    static let length = 64 + 16 * Section.allCases.count
}

/// Told state, as the datapath sees it: one immutable flat image, replaced whole. A view: it does not own the memory of
/// the image. Every key begins with an endpoint or a segment, so a look-up without a tenant cannot be written.
///
/// One word: it is handed from stage to stage for every frame.
@frozen
public struct Snapshot: @unchecked Sendable {
    @usableFromInline let places: UnsafePointer<SnapshotPlaces>

    /// Takes the places that validation found; `forget` gives their memory back.
    init(_ found: SnapshotPlaces) {
        let memory = UnsafeMutablePointer<SnapshotPlaces>.allocate(capacity: 1)
        memory.initialize(to: found)
        places = UnsafePointer(memory)
    }

    /// Gives back what the view itself takes. Nobody may use it, or a copy of it, any more.
    public func forget() { places.deallocate() }

    /// The attachment of a tagged frame on a VLAN-aware endpoint, or `noSlot`.
    @inlinable @inline(__always)
    public func attachment(endpoint: UInt32, tpid: UInt16, vid: UInt16) -> UInt32 {
        vlanIndex.find(UInt64(endpoint) << 32 | UInt64(tpid) << 16 | UInt64(vid))
    }

    /// The segment of a VNI or GRE key on a tunnel endpoint, or `noSlot`.
    ///
    /// - Parameter endpoint: on an uplink, a `WayIn`.
    @inlinable @inline(__always)
    public func segment(endpoint: UInt32, identifier: UInt32) -> UInt32 {
        vniIndex.find(UInt64(endpoint) << 32 | UInt64(identifier))
    }

    /// The interface of the underlay's router, behind which a far end on an uplink is.
    @inlinable @inline(__always)
    public func underlayInterface(_ place: AttachmentRecord) -> UInt32 {
        // A VTEP's row says it; that of a router's tunnel has the interface of its own router.
        place.isTunnel
            ? place.interface : attachments[Int(endpoints[Int(place.endpoint)].untagged)].interface
    }

    /// The slot of a remote VTEP, or `noSlot`.
    @inlinable @inline(__always)
    public func peer(_ address: IPv6Address) -> UInt32 {
        // The key is a digest; the row decides.
        let slot = peerIndex.find(address.high &* 0x9E37_79B9_7F4A_7C15 ^ address.low)
        return slot != noSlot && peers[Int(slot)].address == address ? slot : noSlot
    }

    /// The attachment of a remote VTEP in a segment, or `noSlot` where it has no port there.
    @inlinable @inline(__always)
    public func attachment(segment: UInt32, peer: UInt32) -> UInt32 {
        memberIndex.find(UInt64(segment) << 32 | UInt64(peer))
    }

    /// The attachment that the operator's file names as home of an address, or `noSlot`.
    @inlinable @inline(__always)
    public func told(segment: UInt32, mac: MACAddress) -> UInt32 {
        toldIndex.find(mac.bits | UInt64(segment & 0xFFFF) << 48, segment >> 16)
    }

    /// Whether a host interface belongs to a tenant's port, so that no tunnel packet may come from there.
    @inlinable @inline(__always)
    public func isTenantInterface(_ index: UInt32) -> Bool {
        index != 0 && interfaceIndex.find(UInt64(index)) != noSlot
    }

    /// The text of a string reference.
    public func text(_ ref: StringRef) -> String {
        let start = Int(ref)
        guard start + 2 <= stringBytes else { return "" }
        let count = Int(strings.loadUnaligned(fromByteOffset: start, as: UInt16.self))
        guard start + 2 + count <= stringBytes else { return "" }
        return String(
            decoding: UnsafeRawBufferPointer(start: strings + start + 2, count: count),
            as: UTF8.self
        )
    }
}
