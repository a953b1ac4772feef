import Wire

/// Frames and bytes of one endpoint. Written by the datapath only; readers may see a value a moment old.
@frozen
public struct EndpointCounters: Equatable, Sendable {
    public var receivedFrames: UInt64 = 0
    public var receivedBytes: UInt64 = 0
    public var sentFrames: UInt64 = 0
    public var sentBytes: UInt64 = 0
    /// Frames received whole that stand for many segments.
    public var receivedSuperFrames: UInt64 = 0
    public var sentSuperFrames: UInt64 = 0
    /// Frames that the system refused to take (queue full, link down, too large), by kind in `Event` and drops.
    public var sendFailures: UInt64 = 0
    public var receiveFailures: UInt64 = 0

    public init() {}
}

/// Frames and bytes to and from one remote VTEP.
@frozen
public struct PeerCounters: Equatable, Sendable {
    public var receivedFrames: UInt64 = 0
    public var receivedBytes: UInt64 = 0
    public var sentFrames: UInt64 = 0
    public var sentBytes: UInt64 = 0

    public init() {}
}

/// How much a state region holds. Memory is taken only where something is counted or learned: the region is sparse.
public struct StateCapacity: Equatable, Sendable {
    public var endpoints: Int
    public var segments: Int
    public var attachments: Int
    public var peers: Int
    /// Buckets of four learned addresses.
    public var macBuckets: Int
    /// Buckets of four resolved addresses of routers' neighbours.
    public var neighborBuckets: Int

    public init(
        endpoints: Int,
        segments: Int,
        attachments: Int,
        peers: Int,
        macBuckets: Int,
        neighborBuckets: Int = 64
    ) {
        self.endpoints = endpoints
        self.segments = segments
        self.attachments = attachments
        self.peers = peers
        self.macBuckets = macBuckets
        self.neighborBuckets = neighborBuckets
    }

    /// 16 384 ports, 131 072 segments, 2^20 attachments, 4 096 peers, and room for a million learned addresses at
    /// three quarters load: 21 MiB when all of it is used. 65 536 neighbours of routers: 3 MiB.
    public static let standard = StateCapacity(
        endpoints: 1 << 14,
        segments: 1 << 17,
        attachments: 1 << 20,
        peers: 1 << 12,
        macBuckets: 349_525,
        neighborBuckets: 1 << 14
    )
}

/// Taught state and counters of one worker, in memory that it alone writes and the control process reads. It outlives both
/// processes' crashes: whoever still holds the descriptor hands it to a successor.
@frozen
public struct StateRegion {
    /// Slots for reasons and events, per row.
    public static let reasons = 128
    static let magic: UInt64 = 0x736C_7569_6365_7374  // "sluicest"
    static let layout: UInt64 = 2
    static let headerLength = 4096

    public let base: UnsafeMutableRawPointer
    public let capacity: StateCapacity
    public let counters: UnsafeMutablePointer<EndpointCounters>
    /// `reasons` counters for each endpoint.
    public let endpointDrops: UnsafeMutablePointer<UInt64>
    /// `reasons` counters for each segment.
    public let segmentDrops: UnsafeMutablePointer<UInt64>
    public let peerCounters: UnsafeMutablePointer<PeerCounters>
    /// `reasons` counters of things worth knowing that are not drops.
    public let events: UnsafeMutablePointer<UInt64>
    /// What was learned: addresses, neighbours, path MTUs.
    public let taught: Taught

    private struct Plan {
        var offsets: [Int] = []
        var total = StateRegion.headerLength

        mutating func add(_ bytes: Int) {
            offsets.append(total)
            total += (bytes + 4095) & ~4095
        }

        init(_ c: StateCapacity) {
            add(c.endpoints * MemoryLayout<EndpointCounters>.stride)
            add(c.endpoints * StateRegion.reasons * 8)
            add(c.segments * StateRegion.reasons * 8)
            add(c.peers * MemoryLayout<PeerCounters>.stride)
            add(StateRegion.reasons * 8)
            add(c.attachments * 4)
            add(c.segments * 4)
            add((c.macBuckets + 63) / 64)
            add((c.macBuckets + 63) / 64 * 4096)
            add(c.neighborBuckets * NeighborTable.width * MemoryLayout<NeighborTable.Entry>.stride)
            add((c.neighborBuckets + NeighborTable.bucketsPerPage - 1) / NeighborTable.bucketsPerPage)
            add(c.segments * 4)
            add(c.peers * MemoryLayout<PathMTU>.stride)
        }
    }

    /// Bytes that a region of this capacity spans.
    public static func size(_ capacity: StateCapacity) -> Int { Plan(capacity).total }

    /// Writes the header of a new region over zeroed memory of `size(capacity)` bytes. `seed` is secret and random.
    public static func format(_ base: UnsafeMutableRawPointer, _ capacity: StateCapacity, seed: UInt64) {
        let words: [UInt64] = [
            magic, layout, UInt64(capacity.endpoints), UInt64(capacity.segments), UInt64(capacity.attachments),
            UInt64(capacity.peers), UInt64(capacity.macBuckets), seed, UInt64(capacity.neighborBuckets),
        ]
        for (i, word) in words.enumerated() { base.storeBytes(of: word, toByteOffset: 8 * i, as: UInt64.self) }
    }

    /// A view over a formatted region of `count` bytes; nil if these bytes are not one.
    public init?(_ base: UnsafeMutableRawPointer, count: Int) {
        func word(_ i: Int) -> UInt64 { base.load(fromByteOffset: 8 * i, as: UInt64.self) }
        guard count >= StateRegion.headerLength, word(0) == StateRegion.magic, word(1) == StateRegion.layout,
            (2...6).allSatisfy({ word($0) > 0 && word($0) < 1 << 32 }), word(8) > 0, word(8) < 1 << 32
        else { return nil }
        let capacity = StateCapacity(
            endpoints: Int(word(2)),
            segments: Int(word(3)),
            attachments: Int(word(4)),
            peers: Int(word(5)),
            macBuckets: Int(word(6)),
            neighborBuckets: Int(word(8))
        )
        let plan = Plan(capacity)
        guard count >= plan.total else { return nil }
        self.base = base
        self.capacity = capacity
        counters = (base + plan.offsets[0]).assumingMemoryBound(to: EndpointCounters.self)
        endpointDrops = (base + plan.offsets[1]).assumingMemoryBound(to: UInt64.self)
        segmentDrops = (base + plan.offsets[2]).assumingMemoryBound(to: UInt64.self)
        peerCounters = (base + plan.offsets[3]).assumingMemoryBound(to: PeerCounters.self)
        events = (base + plan.offsets[4]).assumingMemoryBound(to: UInt64.self)
        let macs = MACTable(
            entries: base + plan.offsets[8],
            occupied: base + plan.offsets[7],
            attachmentCounts: base + plan.offsets[5],
            segmentCounts: base + plan.offsets[6],
            bucketCount: UInt32(capacity.macBuckets),
            seed: word(7)
        )
        let neighbors = NeighborTable(
            entries: base + plan.offsets[9],
            occupied: base + plan.offsets[10],
            counts: base + plan.offsets[11],
            segmentCapacity: UInt32(capacity.segments),
            bucketCount: UInt32(capacity.neighborBuckets),
            seed: word(7)
        )
        taught = Taught(
            macs: macs,
            neighbors: neighbors,
            pathMTUs: (base + plan.offsets[12]).assumingMemoryBound(to: PathMTU.self)
        )
    }

    @inlinable @inline(__always)
    public var macs: MACTable { taught.macs }

    /// The secret that the region was formatted with. The regions of one datapath have one, so that any of its workers
    /// chooses the same way for a flow.
    public var seed: UInt64 { base.load(fromByteOffset: 56, as: UInt64.self) }

    /// Takes over everything that another worker had learned; counters stay. Does nothing unless both regions have one
    /// size and one seed. Nobody may be writing either of them.
    public func copyTaught(from other: StateRegion) {
        guard capacity == other.capacity, seed == other.seed else { return }
        macs.copy(from: other.macs)
        taught.neighbors.copy(from: other.taught.neighbors)
        for i in 0..<capacity.peers where taught.pathMTUs[i] != other.taught.pathMTUs[i] {
            taught.pathMTUs[i] = other.taught.pathMTUs[i]
        }
    }

    /// The generation of the snapshot that the datapath forwards by.
    public var appliedGeneration: UInt64 {
        get { base.load(fromByteOffset: 256, as: UInt64.self) }
        nonmutating set { base.storeBytes(of: newValue, toByteOffset: 256, as: UInt64.self) }
    }

    /// Seconds on the datapath's monotonic clock at its last turn, the `now` of the learned addresses.
    public var now: UInt32 {
        get { base.load(fromByteOffset: 264, as: UInt32.self) }
        nonmutating set { base.storeBytes(of: newValue, toByteOffset: 264, as: UInt32.self) }
    }

    /// Turns of the loop so far: shows that it lives.
    public var turns: UInt64 {
        get { base.load(fromByteOffset: 272, as: UInt64.self) }
        nonmutating set { base.storeBytes(of: newValue, toByteOffset: 272, as: UInt64.self) }
    }

    /// Counts a frame that ended at `endpoint` for `reason`, and in `segment` if it got that far.
    @inlinable @inline(__always)
    public func countDrop(_ reason: UInt8, endpoint: UInt32, segment: UInt32) {
        endpointDrops[Int(endpoint) &* StateRegion.reasons &+ Int(reason & 127)] &+= 1
        if segment != noSlot { segmentDrops[Int(segment) &* StateRegion.reasons &+ Int(reason & 127)] &+= 1 }
    }
}
