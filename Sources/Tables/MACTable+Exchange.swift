import Wire

// What workers tell each other about stations. Each has a whole table of its own, and is the only one that writes it.

extension MACTable {
    /// The most entries of one page.
    public static let entriesPerPage = bucketsPerPage * width

    /// What `learn` with the same arguments writes down.
    public static func report(mac: MACAddress, attachment: UInt32, now: UInt32, snapshot: Snapshot) -> Entry {
        let place = snapshot.attachments[Int(attachment)]
        let generation = snapshot.segments[Int(place.segment)].generation
        return Entry(
            key: key(place.segment, mac),
            word: word(UInt64(place.segment >> 16), attachment, place.generation, generation, now)
        )
    }

    /// Notes where another worker has seen a station. What is older than what is known here, speaks of former owners of a
    /// slot or of an address that the file gives to somebody is not believed.
    ///
    /// - Returns: whether the table now says what was told.
    @discardableResult
    public func adopt(_ report: Entry, now: UInt32, snapshot: Snapshot) -> Bool {
        var report = report
        // The other's clock may have ticked before ours: nobody is seen in the future, which would look like long ago.
        if Int16(bitPattern: UInt16(truncatingIfNeeded: now) &- report.seen) < 0 {
            report.word = report.word & ~(0xFFFF << 48) | UInt64(now & 0xFFFF) << 48
        }
        guard report.mac != .zero, isGood(report, now: now, snapshot: snapshot) else { return false }
        let segment = report.segment
        let owner = snapshot.segments[Int(segment)]
        guard owner.learns, snapshot.told(segment: segment, mac: report.mac) == noSlot else { return false }
        let place = snapshot.attachments[Int(report.attachment)]
        let high = UInt64(segment >> 16)
        let (first, second) = candidates(report.key, high)
        let i = index(report.key, high, first, second)
        guard i >= 0 else {
            let outcome = insert(
                report.key,
                word: report.word,
                first: first,
                second: second,
                attachment: report.attachment,
                place: place,
                owner: owner,
                now: now,
                snapshot: snapshot
            )
            return outcome != .limitReached
        }
        let known = entries[i]
        if isGood(known, now: now, snapshot: snapshot), known.age(now) < report.age(now) { return false }
        if known.word << 16 == report.word << 16 {
            entries[i].word = report.word
        } else {
            _ = move(i, word: report.word, attachment: report.attachment, place: place, owner: owner)
        }
        return true
    }

    /// Collects from one page the good entries that were refreshed less than `seconds` ago at endpoints that `worker` of
    /// `workers` reads, at most `entriesPerPage`.
    ///
    /// - Returns: their number.
    public func collect(
        page: Int,
        refreshedWithin seconds: UInt32,
        now: UInt32,
        snapshot: Snapshot,
        readBy worker: Int,
        of workers: Int,
        into memory: UnsafeMutablePointer<Entry>
    ) -> Int {
        guard occupied[page] != 0 else { return 0 }
        let start = page * MACTable.entriesPerPage
        let end = min(start + MACTable.entriesPerPage, Int(bucketCount) * MACTable.width)
        var count = 0
        for i in start..<end where entries[i].key != 0 {
            let entry = entries[i]
            guard entry.age(now) < seconds, isGood(entry, now: now, snapshot: snapshot),
                WorkerAssignment.reader(
                    of: snapshot.attachments[Int(entry.attachment)].endpoint,
                    workers: workers
                ) == worker
            else { continue }
            memory[count] = entry
            count += 1
        }
        return count
    }

    /// Becomes equal to another table of the same size and seed. Nobody may be writing either of them.
    func copy(from other: MACTable) {
        for page in 0..<pageCount where occupied[page] != 0 || other.occupied[page] != 0 {
            let start = page * MACTable.entriesPerPage
            let end = min(start + MACTable.entriesPerPage, Int(bucketCount) * MACTable.width)
            // Only counts that an entry stands for are touched: the others' pages take neither memory nor time.
            for i in start..<end where entries[i].key != 0 { copyCounts(of: entries[i], from: other) }
            for i in start..<end where other.entries[i].key != 0 { copyCounts(of: other.entries[i], from: other) }
            (entries + start).update(from: other.entries + start, count: end - start)
            occupied[page] = other.occupied[page]
        }
    }

    private func copyCounts(of entry: Entry, from other: MACTable) {
        attachmentCounts[Int(entry.attachment)] = other.attachmentCounts[Int(entry.attachment)]
        segmentCounts[Int(entry.segment)] = other.segmentCounts[Int(entry.segment)]
    }
}
