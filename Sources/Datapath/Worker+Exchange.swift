import Forwarding
import Rings
import Tables
import Wire

// What several workers do so that each knows what any of them has learned. None of it is on the way of a frame from a
// station that is known; a worker that is alone does nothing of it.

extension Worker {
    /// Records of one other worker that are taken over in a turn.
    static var recordsPerTurn: Int { 64 }
    /// Seconds by which a whole round through the table may be late.
    private static var roundMargin: UInt32 { 5 }

    // MARK: Telling

    /// Tells where a station was seen for the first time, or after it has moved.
    @inline(never)
    mutating func tellStation(_ decision: Decision) {
        guard rates.allow(.station, segment: decision.segment, now: milliseconds) else { return countLost(1) }
        var report = MACTable.report(
            mac: decision.source,
            attachment: decision.ingress,
            now: now,
            snapshot: snapshot
        )
        tell(Exchange.Header.Kind.stations, &report, MemoryLayout<MACTable.Entry>.size)
    }

    /// Tells the stations of one page of the table that were seen here since the page had its turn last. So entries live
    /// as long with the others as here, and what they could not be told at once they hear now.
    mutating func tellPage(_ page: Int) {
        let count = state.macs.collect(
            page: page,
            refreshedWithin: roundSeconds + Worker.roundMargin,
            now: now,
            snapshot: snapshot,
            readBy: exchange.index,
            of: exchange.count,
            into: reports
        )
        guard count > 0 else { return }
        tell(Exchange.Header.Kind.stations, reports, count * MemoryLayout<MACTable.Entry>.stride)
    }

    /// Tells who has an address, unless the others have heard it in this very second. Somebody may have frames that wait
    /// for it also where this worker knows it for long.
    @inline(never)
    mutating func tellNeighbor(_ news: NeighborNews) {
        let known = state.taught.neighbors.find(segment: news.segment, news.address, now: now, snapshot: snapshot)
        let isOld =
            known.state == NeighborTable.State.reachable && known.mac == news.mac.bits && known.confirmed == now
        guard !isOld else { return }
        guard rates.allow(.neighbor, segment: news.segment, now: milliseconds) else { return countLost(1) }
        var report = Exchange.NeighborReport(
            address: news.address,
            mac: news.mac,
            segment: news.segment,
            generation: snapshot.segments[Int(news.segment)].generation,
            creates: news.kind == NeighborNews.Kind.learn
        )
        tell(Exchange.Header.Kind.neighbor, &report, MemoryLayout<Exchange.NeighborReport>.size)
    }

    mutating func tellPathMTU(_ mtu: UInt32, _ peer: IPv6Address) {
        var peer = peer
        tell(Exchange.Header.Kind.pathMTU, &peer, MemoryLayout<IPv6Address>.size, value: mtu)
    }

    private mutating func tell(_ kind: UInt32, _ body: UnsafeRawPointer, _ length: Int, value: UInt32 = 0) {
        let header = Exchange.Header(generation: snapshot.generation, kind: kind, value: value)
        countLost(exchange.tell(header, body, length))
    }

    private func countLost(_ records: Int) {
        state.events[Int(Event.reportsLost.rawValue)] &+= UInt64(records)
    }

    // MARK: Listening

    /// Takes over what the others have told. Returns the number of records.
    @inline(never) @discardableResult
    mutating func listen(most: Int = Worker.recordsPerTurn) -> Int {
        guard !exchange.isAlone else { return 0 }
        exchange.clearWake()
        var hasMore = false
        var taken = 0
        for other in 0..<exchange.count where other != exchange.index {
            guard let ring = exchange.incoming(other) else { continue }
            var left = most
            while let record = ring.peek() {
                guard left > 0 else {
                    hasMore = true
                    break
                }
                // Told by a snapshot that is still to come here: it waits until then.
                guard take(record) else { break }
                ring.release()
                left -= 1
                taken += 1
            }
        }
        // What had waited for an address may go now.
        flush()
        if hasMore { exchange.wakeSelf() }
        return taken
    }

    /// - Returns: whether this worker is done with the record.
    private mutating func take(_ record: UnsafeRawBufferPointer) -> Bool {
        let size = MemoryLayout<Exchange.Header>.size
        guard let start = record.baseAddress, record.count >= size else { return true }
        let header = start.loadUnaligned(as: Exchange.Header.self)
        guard header.generation <= snapshot.generation else { return false }
        let body = start + size
        let length = record.count - size
        switch header.kind {
        case Exchange.Header.Kind.stations:
            let stride = MemoryLayout<MACTable.Entry>.stride
            for i in 0..<length / stride {
                let report = body.loadUnaligned(fromByteOffset: i * stride, as: MACTable.Entry.self)
                state.macs.adopt(report, now: now, snapshot: snapshot)
            }
        case Exchange.Header.Kind.neighbor where length >= MemoryLayout<Exchange.NeighborReport>.size:
            take(body.loadUnaligned(as: Exchange.NeighborReport.self))
        case Exchange.Header.Kind.pathMTU where length >= MemoryLayout<IPv6Address>.size:
            let peer = snapshot.peer(body.loadUnaligned(as: IPv6Address.self))
            guard peer != noSlot else { break }
            state.taught.learnPathMTU(header.value, peer: peer, now: now, snapshot: snapshot)
        default: break
        }
        return true
    }

    private mutating func take(_ report: Exchange.NeighborReport) {
        guard report.segment < snapshot.segmentCount, snapshot.segments[Int(report.segment)].inUse != 0,
            snapshot.segments[Int(report.segment)].generation == report.generation,
            snapshot.neighbor(segment: report.segment, report.address) == noSlot
        else { return }
        let waited = state.taught.neighbors.confirm(
            segment: report.segment,
            report.address,
            mac: report.mac,
            creates: report.creates,
            now: now,
            snapshot: snapshot
        )
        guard waited else { return }
        count(.neighborResolved)
        release(report.segment, report.address)
    }

    // MARK: Rounds

    /// Chooses how many pages of learned addresses have their turn in a second. Alone a worker is in no hurry; what others
    /// are told has to reach them before it is too old for its network.
    mutating func paceRounds() {
        let pages = state.macs.pageCount
        pagesPerSlice = Worker.leastPagesPerSlice
        if !exchange.isAlone {
            var shortest = UInt32.max
            for segment in 0..<Int(snapshot.segmentCount) where snapshot.segments[segment].inUse != 0 {
                shortest = min(shortest, UInt32(snapshot.segments[segment].ageing))
            }
            let seconds = max(1, Int(min(shortest, 1 << 16)) / 3)
            pagesPerSlice = min(pages, max(pagesPerSlice, (pages + seconds - 1) / seconds))
        }
        roundSeconds = UInt32((pages + pagesPerSlice - 1) / pagesPerSlice)
    }
}
