import Wire

/// Ethernet addresses that routers have resolved or are resolving: taught state with one owner, the datapath's worker.
///
/// Promises: fixed memory; a segment holds at most an eighth of it, and of that at most `incompleteLimit` addresses that
/// nobody has answered for, so that a tenant who scans an empty prefix neither fills the table nor the line with
/// questions; where there is no room, a segment that holds more gives way to one that holds fewer, and never the other
/// way round: what is unanswered first, then the oldest; an entry is good only while its segment's slot has the same
/// owner. Keys are hashed with a secret seed and have two candidate buckets.
///
/// The owner may be killed at any instruction and succeeded: what it was asking for is then forgotten by itself.
@frozen
public struct NeighborTable {
    /// What is known about an address.
    public enum State {
        public static let none: UInt8 = 0
        /// Asked for, not answered.
        public static let incomplete: UInt8 = 1
        /// Answered.
        public static let reachable: UInt8 = 2
        /// Asked for in vain. Packets are refused until it is forgotten.
        public static let failed: UInt8 = 3
    }

    /// 40 bytes.
    @frozen
    public struct Entry {
        /// IPv4 as mapped address.
        public var address: IPv6Address
        public var mac: UInt64
        public var segment: UInt32
        /// Second in which it was answered for last, or in which the first question was asked.
        public var confirmed: UInt32
        /// Second of the last question.
        public var asked: UInt32
        public var state: UInt8
        /// Questions since the last answer.
        public var questions: UInt8
        /// That of the segment.
        public var generation: UInt8
        public var reserved: UInt8
    }

    /// Entries per bucket.
    public static let width = 4
    /// Buckets per flag of the occupancy map, so that ageing and listing never touch memory nobody used.
    static let bucketsPerPage = 64
    /// An answer holds good for this many seconds; after that the next packet has it asked for again, while it is still
    /// used (RFC 1122 §2.3.2.1, RFC 4861 §7.3).
    public static let freshSeconds: UInt32 = 60
    /// Questions, one a second, before an address counts as unreachable (RFC 4861 §10: MAX_MULTICAST_SOLICIT).
    public static let questionLimit: UInt8 = 3
    /// Seconds for which an address that did not answer is refused.
    public static let failedSeconds: UInt32 = 3
    /// Seconds after which an answer that nobody used is forgotten.
    public static let forgottenSeconds: UInt32 = 600
    /// Seconds after the last question after which nobody is asking any more: whoever did was killed.
    static let abandonedSeconds: UInt32 = 8
    /// Addresses of one segment that may be unanswered at a time.
    public static let incompleteLimit: UInt32 = 64

    let entries: UnsafeMutablePointer<Entry>
    /// One flag for each page of buckets that may have an entry.
    let occupied: UnsafeMutablePointer<UInt8>
    /// Per segment slot: generation (8 bits), unanswered addresses (8), addresses (16).
    let counts: UnsafeMutablePointer<UInt32>
    /// Slots that have a count.
    let segmentCapacity: UInt32
    public let bucketCount: UInt32
    let seed: UInt64

    init(
        entries: UnsafeMutableRawPointer,
        occupied: UnsafeMutableRawPointer,
        counts: UnsafeMutableRawPointer,
        segmentCapacity: UInt32,
        bucketCount: UInt32,
        seed: UInt64
    ) {
        self.entries = entries.assumingMemoryBound(to: Entry.self)
        self.occupied = occupied.assumingMemoryBound(to: UInt8.self)
        self.counts = counts.assumingMemoryBound(to: UInt32.self)
        self.segmentCapacity = segmentCapacity
        self.bucketCount = bucketCount
        self.seed = seed
    }

    /// The most addresses that one segment may have.
    var segmentLimit: UInt32 { max(8, min(bucketCount / 2, 0xFFFF)) }

    /// The first entries of the two candidate buckets, which may be the same.
    func buckets(_ segment: UInt32, _ address: IPv6Address) -> (Int, Int) {
        let inner = KeyedHash.mix(address.high, UInt64(segment), seed: seed)
        let hash = KeyedHash.mix(address.low, inner, seed: seed)
        let first = ((hash & 0xFFFF_FFFF) &* UInt64(bucketCount)) >> 32
        let second = ((hash >> 32) &* UInt64(bucketCount)) >> 32
        return (
            Int(truncatingIfNeeded: first) &* NeighborTable.width,
            Int(truncatingIfNeeded: second) &* NeighborTable.width
        )
    }

    /// Whether an entry speaks of the present owner of its segment's slot.
    func isGood(_ entry: Entry, _ snapshot: Snapshot) -> Bool {
        entry.state != State.none && entry.segment < snapshot.segmentCount
            && snapshot.segments[Int(entry.segment)].inUse != 0
            && snapshot.segments[Int(entry.segment)].generation == entry.generation
    }

    /// What is known about an address in a segment: an entry of state `none` if nothing is.
    public func find(segment: UInt32, _ address: IPv6Address, now: UInt32, snapshot: Snapshot) -> Entry {
        let i = index(segment, address, snapshot)
        guard i >= 0, !isOutlived(entries[i], now) else { return NeighborTable.nothing }
        return entries[i]
    }

    static var nothing: Entry {
        Entry(
            address: IPv6Address(high: 0, low: 0),
            mac: 0,
            segment: noSlot,
            confirmed: 0,
            asked: 0,
            state: State.none,
            questions: 0,
            generation: 0,
            reserved: 0
        )
    }

    /// The entry of an address, outlived or not, or -1.
    func index(_ segment: UInt32, _ address: IPv6Address, _ snapshot: Snapshot) -> Int {
        let (first, second) = buckets(segment, address)
        for i in first..<(first &+ NeighborTable.width)
        where entries[i].segment == segment && entries[i].address == address && isGood(entries[i], snapshot) {
            return i
        }
        for i in second..<(second &+ NeighborTable.width)
        where entries[i].segment == segment && entries[i].address == address && isGood(entries[i], snapshot) {
            return i
        }
        return -1
    }

    func isOutlived(_ entry: Entry, _ now: UInt32) -> Bool {
        switch entry.state {
        case State.incomplete: NeighborTable.age(entry.asked, now) >= NeighborTable.abandonedSeconds
        case State.reachable: NeighborTable.age(entry.confirmed, now) >= NeighborTable.forgottenSeconds
        case State.failed: NeighborTable.age(entry.asked, now) >= NeighborTable.failedSeconds
        default: false
        }
    }

    /// Seconds from `then` to `now`, over the wrap of both. A reader's `now` may be a moment behind the owner's.
    static func age(_ then: UInt32, _ now: UInt32) -> UInt32 {
        let seconds = Int32(bitPattern: now &- then)
        return seconds < 0 ? 0 : UInt32(bitPattern: seconds)
    }

    /// Every entry that is good now, for `show neighbors`.
    public func forEach(now: UInt32, snapshot: Snapshot, _ body: (Entry) -> Void) {
        for page in 0..<pageCount where occupied[page] != 0 {
            for i in entries(ofPage: page) {
                // Read once: the owner may be writing.
                let entry = entries[i]
                if isGood(entry, snapshot) && !isOutlived(entry, now) { body(entry) }
            }
        }
    }

    var pageCount: Int { (Int(bucketCount) + NeighborTable.bucketsPerPage - 1) / NeighborTable.bucketsPerPage }

    func entries(ofPage page: Int) -> Range<Int> {
        let start = page * NeighborTable.bucketsPerPage * NeighborTable.width
        return
            start..<min(
                start + NeighborTable.bucketsPerPage * NeighborTable.width,
                Int(bucketCount) * NeighborTable.width
            )
    }
}
