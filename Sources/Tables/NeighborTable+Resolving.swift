import Wire

// The owner's side.

extension NeighborTable {
    /// Whether a question about an address is to be sent now, and if so notes that it is: at most one a second. A new
    /// address begins to be resolved by this; false without an entry afterwards if there is no room for it. A known
    /// address stays usable while it is asked for again.
    public func ask(segment: UInt32, _ address: IPv6Address, now: UInt32, snapshot: Snapshot) -> Bool {
        var i = index(segment, address, snapshot)
        if i >= 0, isOutlived(entries[i], now) {
            remove(i)
            i = -1
        }
        if i < 0 {
            guard unanswered(segment, snapshot) < NeighborTable.incompleteLimit else { return false }
            i = insert(segment, address, mac: 0, State.incomplete, now: now, snapshot)
            guard i >= 0 else { return false }
        }
        guard entries[i].state != State.failed, entries[i].asked != now else { return false }
        if entries[i].questions >= NeighborTable.questionLimit {
            // `review` has the last word, unless nobody calls it any more.
            guard NeighborTable.age(entries[i].asked, now) >= NeighborTable.abandonedSeconds else { return false }
            entries[i].questions = 0
        }
        entries[i].asked = now
        entries[i].questions &+= 1
        return true
    }

    /// An address was answered for. Unless `creates`, only an entry that is there is changed. A MAC that no station can
    /// have is not believed (RFC 1812 §3.3.2).
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
        guard !mac.isGroup, mac != .zero else { return false }
        var i = index(segment, address, snapshot)
        if i >= 0, isOutlived(entries[i], now) {
            remove(i)
            i = -1
        }
        guard i >= 0 else {
            if creates { _ = insert(segment, address, mac: mac.bits, State.reachable, now: now, snapshot) }
            return false
        }
        let waited = entries[i].state == State.incomplete
        if waited { count(segment, entries[i].generation, unanswered: -1, all: 0) }
        entries[i].mac = mac.bits
        entries[i].confirmed = now
        entries[i].questions = 0
        entries[i].state = State.reachable
        return waited
    }

    /// Looks after an address that is being asked for, once a second.
    ///
    /// - Returns: 1 if the question is to be repeated now (and notes that it is), 2 if there is nothing to wait for any
    ///   more: nobody has answered in time (the entry has failed, also if it was known once, and is forgotten after
    ///   `failedSeconds`), or the entry is outlived or had to give way to another. Else 0.
    public func review(segment: UInt32, _ address: IPv6Address, now: UInt32, snapshot: Snapshot) -> Int {
        let i = index(segment, address, snapshot)
        guard i >= 0, !isOutlived(entries[i], now) else { return 2 }
        guard entries[i].questions > 0, entries[i].state != State.failed else { return 0 }
        if now == entries[i].asked { return 0 }
        if entries[i].questions < NeighborTable.questionLimit {
            entries[i].asked = now
            entries[i].questions &+= 1
            return 1
        }
        if entries[i].state == State.incomplete { count(segment, entries[i].generation, unanswered: -1, all: 0) }
        entries[i].state = State.failed
        entries[i].asked = now
        return 2
    }

    /// Forgets the addresses of a segment, or of all with `noSlot`.
    public func flush(segment: UInt32, snapshot: Snapshot) {
        for page in 0..<pageCount where occupied[page] != 0 {
            for i in entries(ofPage: page)
            where entries[i].state != State.none && (segment == noSlot || entries[i].segment == segment) {
                remove(i)
            }
        }
    }

    /// Removes what is outlived or a former owner's from one page of buckets and returns the page to do next. Called a
    /// slice a turn: until then it counts against its segment's limits.
    public func sweep(page: Int, now: UInt32, snapshot: Snapshot) -> Int {
        if occupied[page] != 0 {
            var left = false
            for i in entries(ofPage: page) where entries[i].state != State.none {
                if isGood(entries[i], snapshot) && !isOutlived(entries[i], now) { left = true } else { remove(i) }
            }
            if !left { occupied[page] = 0 }
        }
        return page + 1 < pageCount ? page + 1 : 0
    }

    /// Becomes equal to another table of the same size and seed. Nobody may be writing either of them.
    func copy(from other: NeighborTable) {
        for page in 0..<pageCount where occupied[page] != 0 || other.occupied[page] != 0 {
            let range = entries(ofPage: page)
            // Only counts that an entry stands for are touched: the others' pages take neither memory nor time.
            for i in range {
                copyCount(of: entries[i].segment, from: other)
                copyCount(of: other.entries[i].segment, from: other)
            }
            (entries + range.lowerBound).update(from: other.entries + range.lowerBound, count: range.count)
            occupied[page] = other.occupied[page]
        }
    }

    private func copyCount(of segment: UInt32, from other: NeighborTable) {
        if segment < segmentCapacity { counts[Int(segment)] = other.counts[Int(segment)] }
    }

    /// - Returns: the new entry, or -1 if there is no room.
    private func insert(
        _ segment: UInt32,
        _ address: IPv6Address,
        mac: UInt64,
        _ state: UInt8,
        now: UInt32,
        _ snapshot: Snapshot
    ) -> Int {
        let owner = snapshot.segments[Int(segment)]
        guard owner.inUse != 0 else { return -1 }
        let target = place(buckets(segment, address), for: segment, now: now, snapshot)
        guard target >= 0 else { return -1 }
        if entries[target].state != State.none { remove(target) }
        occupied[target / (NeighborTable.width * NeighborTable.bucketsPerPage)] = 1
        entries[target] = Entry(
            address: address,
            mac: mac,
            segment: segment,
            confirmed: now,
            // Not asked in this second yet.
            asked: now &- 1,
            state: state,
            questions: 0,
            generation: owner.generation,
            reserved: 0
        )
        // An owner that is killed between the two leaves a count that is too small, which only makes a limit wider.
        count(segment, owner.generation, unanswered: state == State.incomplete ? 1 : 0, all: 1)
        return target
    }

    /// Where an address of `segment` may be put: an entry that is free, in the emptier bucket first, or that must give
    /// way. -1 if none must.
    private func place(_ candidates: (Int, Int), for segment: UInt32, now: UInt32, _ snapshot: Snapshot) -> Int {
        let mine = held(segment, snapshot)
        let isFull = mine >= segmentLimit
        var best = -1
        var bestRank: UInt64 = 0
        for choice in 0..<2 {
            let bucket = choice == 0 ? candidates.0 : candidates.1
            var free: UInt64 = 0
            for i in bucket..<(bucket &+ NeighborTable.width) {
                let entry = entries[i]
                let isOwn = isGood(entry, snapshot) && entry.segment == segment
                let rank: UInt64
                if !isGood(entry, snapshot) || isOutlived(entry, now) {
                    // A segment at its limit may only put one address in another's place.
                    guard !isFull || isOwn else { continue }
                    free += 1
                    rank = 1 << 60 | free
                } else {
                    let theirs = held(entry.segment, snapshot)
                    // Nobody holds more than a segment at its limit.
                    guard isOwn || theirs > mine else { continue }
                    let unanswered: UInt64 = entry.state == State.reachable ? 1 : 2
                    rank = unanswered << 56 | UInt64(theirs) << 32 | UInt64(NeighborTable.age(entry.confirmed, now))
                }
                if rank > bestRank { (best, bestRank) = (i, rank) }
            }
        }
        return best
    }

    private func remove(_ i: Int) {
        let entry = entries[i]
        if entry.segment < segmentCapacity, counts[Int(entry.segment)] >> 24 == UInt32(entry.generation) {
            let waiting: Int32 = entry.state == State.incomplete ? -1 : 0
            count(entry.segment, entry.generation, unanswered: waiting, all: -1)
        }
        entries[i].state = State.none
        entries[i].segment = noSlot
    }

    // MARK: Counts

    /// A count that belongs to an earlier owner of the slot is 0.
    private func word(_ segment: UInt32, _ generation: UInt8) -> UInt32 {
        let value = counts[Int(segment)]
        return value >> 24 == UInt32(generation) ? value & 0xFF_FFFF : 0
    }

    /// Addresses of a segment.
    public func held(_ segment: UInt32, _ snapshot: Snapshot) -> UInt32 {
        word(segment, snapshot.segments[Int(segment)].generation) & 0xFFFF
    }

    /// Addresses of a segment that nobody has answered for.
    public func unanswered(_ segment: UInt32, _ snapshot: Snapshot) -> UInt32 {
        word(segment, snapshot.segments[Int(segment)].generation) >> 16
    }

    private func count(_ segment: UInt32, _ generation: UInt8, unanswered: Int32, all: Int32) {
        let old = word(segment, generation)
        let waiting = UInt32(max(0, min(0xFF, Int32(old >> 16) + unanswered)))
        let total = UInt32(max(0, min(0xFFFF, Int32(old & 0xFFFF) + all)))
        counts[Int(segment)] = UInt32(generation) << 24 | waiting << 16 | total
    }
}
