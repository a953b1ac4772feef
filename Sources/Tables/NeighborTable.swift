import Wire

/// Ethernet addresses that routers have resolved or are resolving: taught state with one owner, the datapath's worker.
///
/// Promises: fixed memory; a segment holds at most an eighth of it, and of that at most `incompleteLimit` addresses that
/// nobody has answered for, so that a tenant who scans an empty prefix neither fills the table nor the line with
/// questions; a full bucket gives up what is worth least: unanswered before answered, the oldest first; an entry is good
/// only while its segment's slot has the same owner. Keys are hashed with a secret seed.
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
    /// An answer holds good for this many seconds; after that the next packet has it asked for again, while it is still
    /// used (RFC 1122 §2.3.2.1, RFC 4861 §7.3).
    public static let freshSeconds: UInt32 = 60
    /// Questions, one a second, before an address counts as unreachable (RFC 4861 §10: MAX_MULTICAST_SOLICIT).
    public static let questionLimit: UInt8 = 3
    /// Seconds for which an address that did not answer is refused.
    public static let failedSeconds: UInt32 = 3
    /// Seconds after which an answer that nobody used is forgotten.
    public static let forgottenSeconds: UInt32 = 600
    /// Addresses of one segment that may be unanswered at a time.
    public static let incompleteLimit: UInt32 = 64

    let entries: UnsafeMutablePointer<Entry>
    /// Per segment slot: generation (8 bits), unanswered addresses (8), addresses (16).
    let counts: UnsafeMutablePointer<UInt32>
    public let bucketCount: UInt32
    let seed: UInt64

    init(entries: UnsafeMutableRawPointer, counts: UnsafeMutableRawPointer, bucketCount: UInt32, seed: UInt64) {
        self.entries = entries.assumingMemoryBound(to: Entry.self)
        self.counts = counts.assumingMemoryBound(to: UInt32.self)
        self.bucketCount = bucketCount
        self.seed = seed
    }

    /// The most addresses that one segment may have.
    var segmentLimit: UInt32 { max(8, min(bucketCount / 2, 0xFFFF)) }

    private func bucket(_ segment: UInt32, _ address: IPv6Address) -> Int {
        let inner = KeyedHash.mix(address.high, UInt64(segment), seed: seed)
        let hash = KeyedHash.mix(address.low, inner, seed: seed)
        return Int(truncatingIfNeeded: ((hash & 0xFFFF_FFFF) &* UInt64(bucketCount)) >> 32) &* NeighborTable.width
    }

    private func isGood(_ entry: Entry, _ snapshot: Snapshot) -> Bool {
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

    private func index(_ segment: UInt32, _ address: IPv6Address, _ snapshot: Snapshot) -> Int {
        let first = bucket(segment, address)
        for i in first..<(first &+ NeighborTable.width)
        where entries[i].segment == segment && entries[i].address == address && isGood(entries[i], snapshot) {
            return i
        }
        return -1
    }

    private func isOutlived(_ entry: Entry, _ now: UInt32) -> Bool {
        switch entry.state {
        case State.reachable: now &- entry.confirmed >= NeighborTable.forgottenSeconds
        case State.failed: now &- entry.asked >= NeighborTable.failedSeconds
        default: false
        }
    }
}

// MARK: - The owner's side

extension NeighborTable {
    /// Whether a question about an address is to be sent now, and if so notes that it is: at most one a second. A new
    /// address begins to be resolved by this; false without an entry afterwards if there is no room for it.
    public func ask(segment: UInt32, _ address: IPv6Address, now: UInt32, snapshot: Snapshot) -> Bool {
        var i = index(segment, address, snapshot)
        if i >= 0, isOutlived(entries[i], now) {
            remove(i, snapshot)
            i = -1
        }
        if i < 0 {
            guard unanswered(segment, snapshot) < NeighborTable.incompleteLimit else { return false }
            i = insert(segment, address, State.incomplete, now: now, snapshot)
            guard i >= 0 else { return false }
        } else {
            guard entries[i].state != State.failed, entries[i].asked != now || entries[i].questions == 0,
                entries[i].questions < NeighborTable.questionLimit
            else { return false }
        }
        entries[i].asked = now
        entries[i].questions &+= 1
        return true
    }

    /// An address was answered for. Unless `creates`, only an entry that is there is changed.
    ///
    /// - Returns: whether packets that waited for it can go now.
    @discardableResult
    public func confirm(
        segment: UInt32,
        _ address: IPv6Address,
        mac: MACAddress,
        creates: Bool,
        now: UInt32,
        snapshot: Snapshot
    ) -> Bool {
        var i = index(segment, address, snapshot)
        if i < 0 {
            guard creates else { return false }
            i = insert(segment, address, State.reachable, now: now, snapshot)
            guard i >= 0 else { return false }
        }
        let waited = entries[i].state == State.incomplete
        if waited { count(segment, snapshot, unanswered: -1, all: 0) }
        entries[i].mac = mac.bits
        entries[i].state = State.reachable
        entries[i].confirmed = now
        entries[i].questions = 0
        return waited
    }

    /// Looks after an address that is being asked for, once a second.
    ///
    /// - Returns: 1 if the question is to be repeated now (and notes that it is), 2 if nobody has answered in time
    ///   (the entry has failed, or, if it was known once, is forgotten), else 0.
    public func review(segment: UInt32, _ address: IPv6Address, now: UInt32, snapshot: Snapshot) -> Int {
        let i = index(segment, address, snapshot)
        guard i >= 0, entries[i].questions > 0 else { return 0 }
        guard entries[i].state == State.incomplete || entries[i].state == State.reachable else { return 0 }
        if now == entries[i].asked { return 0 }
        if entries[i].questions < NeighborTable.questionLimit {
            entries[i].asked = now
            entries[i].questions &+= 1
            return 1
        }
        if entries[i].state == State.incomplete { count(segment, snapshot, unanswered: -1, all: 0) }
        entries[i].state = State.failed
        entries[i].asked = now
        return 2
    }

    /// Every entry that is good now, for `show neighbors`.
    public func forEach(now: UInt32, snapshot: Snapshot, _ body: (Entry) -> Void) {
        for i in 0..<(Int(bucketCount) * NeighborTable.width)
        where isGood(entries[i], snapshot) && !isOutlived(entries[i], now) {
            body(entries[i])
        }
    }

    /// Forgets the addresses of a segment, or of all with `noSlot`.
    public func flush(segment: UInt32, snapshot: Snapshot) {
        for i in 0..<(Int(bucketCount) * NeighborTable.width)
        where entries[i].state != State.none && (segment == noSlot || entries[i].segment == segment) {
            remove(i, snapshot)
        }
    }

    private func insert(
        _ segment: UInt32,
        _ address: IPv6Address,
        _ state: UInt8,
        now: UInt32,
        _ snapshot: Snapshot
    ) -> Int {
        guard held(segment, snapshot) < segmentLimit else { return -1 }
        let first = bucket(segment, address)
        var target = -1
        for i in first..<(first &+ NeighborTable.width) {
            if !isGood(entries[i], snapshot) || isOutlived(entries[i], now) {
                target = i
                break
            }
            if target < 0 || worth(entries[i], now) < worth(entries[target], now) { target = i }
        }
        if entries[target].state != State.none { remove(target, snapshot) }
        entries[target] = Entry(
            address: address,
            mac: 0,
            segment: segment,
            confirmed: now,
            asked: now,
            state: state,
            questions: 0,
            generation: snapshot.segments[Int(segment)].generation,
            reserved: 0
        )
        count(segment, snapshot, unanswered: state == State.incomplete ? 1 : 0, all: 1)
        return target
    }

    /// What is unanswered is worth least; then what was confirmed longest ago.
    private func worth(_ entry: Entry, _ now: UInt32) -> UInt32 {
        let young = UInt32.max / 2 &- min(now &- entry.confirmed, UInt32.max / 4)
        return entry.state == State.reachable ? young : young / 4
    }

    private func remove(_ i: Int, _ snapshot: Snapshot) {
        let entry = entries[i]
        if isGood(entry, snapshot) {
            count(entry.segment, snapshot, unanswered: entry.state == State.incomplete ? -1 : 0, all: -1)
        }
        entries[i].state = State.none
        entries[i].segment = noSlot
    }

    // MARK: Counts

    private func word(_ segment: UInt32, _ snapshot: Snapshot) -> UInt32 {
        let value = counts[Int(segment)]
        return value >> 24 == UInt32(snapshot.segments[Int(segment)].generation) ? value & 0xFF_FFFF : 0
    }

    /// Addresses of a segment.
    public func held(_ segment: UInt32, _ snapshot: Snapshot) -> UInt32 { word(segment, snapshot) & 0xFFFF }

    /// Addresses of a segment that nobody has answered for.
    public func unanswered(_ segment: UInt32, _ snapshot: Snapshot) -> UInt32 { word(segment, snapshot) >> 16 }

    private func count(_ segment: UInt32, _ snapshot: Snapshot, unanswered: Int32, all: Int32) {
        let old = word(segment, snapshot)
        let waiting = UInt32(max(0, min(0xFF, Int32(old >> 16) + unanswered)))
        let total = UInt32(max(0, min(0xFFFF, Int32(old & 0xFFFF) + all)))
        counts[Int(segment)] = UInt32(snapshot.segments[Int(segment)].generation) << 24 | waiting << 16 | total
    }
}
