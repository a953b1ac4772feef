import Wire

extension MACTable {
    /// Notes that `mac` was seen at `attachment`, which belongs to `segment`. `now` counts whole seconds.
    @inlinable @inline(__always)
    public func learn(mac: MACAddress, attachment: UInt32, now: UInt32, snapshot: Snapshot) -> Lesson {
        let place = snapshot.attachments[Int(attachment)]
        let segment = place.segment
        let owner = snapshot.segments[Int(segment)]
        let key = MACTable.key(segment, mac)
        let high = UInt64(segment >> 16)
        let word = MACTable.word(high, attachment, place.generation, owner.generation, now)
        let (first, second) = candidates(key, high)
        let i = index(key, high, first, second)
        if i >= 0 {
            // The usual case: seen here before, often within this very second.
            let known = entries[i].word
            if known == word { return .refreshed }
            if known << 16 != word << 16 {
                return move(i, word: word, attachment: attachment, place: place, owner: owner)
            }
            entries[i].word = word
            return .refreshed
        }
        return insert(
            key,
            word: word,
            first: first,
            second: second,
            attachment: attachment,
            place: place,
            owner: owner,
            now: now,
            snapshot: snapshot
        )
    }

    @inlinable @inline(__always)
    static func word(
        _ high: UInt64,
        _ attachment: UInt32,
        _ attachmentGeneration: UInt8,
        _ segmentGeneration: UInt8,
        _ now: UInt32
    ) -> UInt64 {
        high | UInt64(attachment & 0xFF_FFFF) << 8 | UInt64(attachmentGeneration) << 32
            | UInt64(segmentGeneration) << 40 | UInt64(now & 0xFFFF) << 48
    }

    /// The entry exists but speaks of another attachment or an earlier owner of a slot.
    @inline(never)
    @usableFromInline
    func move(_ i: Int, word: UInt64, attachment: UInt32, place: AttachmentRecord, owner: SegmentRecord) -> Lesson {
        forget(entries[i])
        count(attachment, place.generation, attachmentCounts, by: 1)
        count(place.segment, owner.generation, segmentCounts, by: 1)
        entries[i].word = word
        return .moved
    }

    @inline(never)
    @usableFromInline
    func insert(
        _ key: UInt64,
        word: UInt64,
        first: Int,
        second: Int,
        attachment: UInt32,
        place: AttachmentRecord,
        owner: SegmentRecord,
        now: UInt32,
        snapshot: Snapshot
    ) -> Lesson {
        if owner.macLimit != 0 {
            // Dynamic threshold: nobody may hold more than eight times what is still free, so that one station that
            // invents addresses leaves room for the rest of its network.
            let held = count(place.segment, owner.generation, segmentCounts)
            guard held < owner.macLimit else { return .limitReached }
            let mine = count(attachment, place.generation, attachmentCounts)
            guard UInt64(mine) < 8 * UInt64(owner.macLimit - held) else { return .limitReached }
        }
        var target = -1
        var lesson = Lesson.learned
        // An empty or outlived entry, in the emptier bucket first.
        let order = load(first) <= load(second) ? (first, second) : (second, first)
        target = free(order.0, now: now, snapshot: snapshot)
        if target < 0 { target = free(order.1, now: now, snapshot: snapshot) }
        if target < 0 {
            target = victim(first, second, now: now)
            lesson = .evictedAnother
        }
        if entries[target].key != 0 { forget(entries[target]) }
        occupied[target / (MACTable.width * MACTable.bucketsPerPage)] = 1
        // Readers and a successor after a crash must never see the new key with the old word.
        entries[target].key = 0
        entries[target].word = word
        entries[target].key = key
        count(attachment, place.generation, attachmentCounts, by: 1)
        count(place.segment, owner.generation, segmentCounts, by: 1)
        return lesson
    }

    private func load(_ bucket: Int) -> Int {
        var used = 0
        for i in bucket..<(bucket + MACTable.width) where entries[i].key != 0 { used += 1 }
        return used
    }

    private func free(_ bucket: Int, now: UInt32, snapshot: Snapshot) -> Int {
        for i in bucket..<(bucket + MACTable.width)
        where entries[i].key == 0 || !isGood(entries[i], now: now, snapshot: snapshot) {
            return i
        }
        return -1
    }

    /// The oldest entry of the attachment that holds most, among the eight that compete.
    private func victim(_ first: Int, _ second: Int, now: UInt32) -> Int {
        var best = first
        var bestCount: UInt32 = 0
        var bestAge: UInt32 = 0
        for bucket in [first, second] {
            for i in bucket..<(bucket + MACTable.width) {
                let entry = entries[i]
                let held = count(entry.attachment, entry.attachmentGeneration, attachmentCounts)
                let age = entry.age(now)
                if held > bestCount || held == bestCount && age >= bestAge {
                    (best, bestCount, bestAge) = (i, held, age)
                }
            }
        }
        return best
    }

    // MARK: Counts

    /// Learned addresses at an attachment, for `show` and limits.
    public func learned(attachment: UInt32, generation: UInt8) -> UInt32 {
        count(attachment, generation, attachmentCounts)
    }

    /// Learned addresses in a segment.
    public func learned(segment: UInt32, generation: UInt8) -> UInt32 { count(segment, generation, segmentCounts) }

    private func count(_ slot: UInt32, _ generation: UInt8, _ table: UnsafeMutablePointer<UInt32>) -> UInt32 {
        let value = table[Int(slot)]
        return value >> 24 == UInt32(generation) ? value & 0xFF_FFFF : 0
    }

    /// A count that belongs to an earlier owner of the slot starts again from 0.
    private func count(
        _ slot: UInt32,
        _ generation: UInt8,
        _ table: UnsafeMutablePointer<UInt32>,
        by change: Int32
    ) {
        let old = count(slot, generation, table)
        let new = change < 0 ? (old == 0 ? 0 : old - 1) : min(old + 1, 0xFF_FFFF)
        table[Int(slot)] = UInt32(generation) << 24 | new
    }

    private func forget(_ entry: Entry) {
        let attachment = attachmentCounts[Int(entry.attachment)]
        if attachment >> 24 == UInt32(entry.attachmentGeneration) {
            count(entry.attachment, entry.attachmentGeneration, attachmentCounts, by: -1)
        }
        let segment = segmentCounts[Int(entry.segment)]
        if segment >> 24 == UInt32(entry.segmentGeneration) {
            count(entry.segment, entry.segmentGeneration, segmentCounts, by: -1)
        }
    }

    // MARK: Ageing

    /// Removes what is outlived from one page of buckets and returns the page to do next. Called a slice a turn; `now`
    /// wraps after 65 536 s, far beyond the time in which every page has its turn.
    public func sweep(page: Int, now: UInt32, snapshot: Snapshot) -> Int {
        let pages = (Int(bucketCount) + MACTable.bucketsPerPage - 1) / MACTable.bucketsPerPage
        if occupied[page] != 0 {
            let start = page * MACTable.bucketsPerPage * MACTable.width
            let end = min(start + MACTable.bucketsPerPage * MACTable.width, Int(bucketCount) * MACTable.width)
            var left = 0
            for i in start..<end where entries[i].key != 0 {
                if isGood(entries[i], now: now, snapshot: snapshot) {
                    left += 1
                } else {
                    remove(i)
                }
            }
            if left == 0 { occupied[page] = 0 }
        }
        return page + 1 < pages ? page + 1 : 0
    }

    /// Forgets the addresses for which `condition` holds.
    public func flush(where condition: (Entry) -> Bool) {
        let pages = (Int(bucketCount) + MACTable.bucketsPerPage - 1) / MACTable.bucketsPerPage
        for page in 0..<pages where occupied[page] != 0 {
            let start = page * MACTable.bucketsPerPage * MACTable.width
            let end = min(start + MACTable.bucketsPerPage * MACTable.width, Int(bucketCount) * MACTable.width)
            for i in start..<end where entries[i].key != 0 && condition(entries[i]) { remove(i) }
        }
    }

    private func remove(_ i: Int) {
        forget(entries[i])
        entries[i].key = 0
    }
}
