import Testing
import Wire

@testable import Tables

private typealias State = NeighborTable.State

@Suite("Neighbours: limits and fairness") struct NeighborLimitTests {
    @Test("a segment has 64 unanswered addresses at most; another is not concerned")
    func incompleteLimit() throws {
        var bench = try NeighborBench(buckets: 1024)
        let asked = (0..<1000).filter { bench.ask(0, $0) }
        #expect(asked == Array(0..<Int(NeighborTable.incompleteLimit)))
        #expect(bench.ask(1, 1))
        #expect(bench.table.held(0, bench.snapshot) == NeighborTable.incompleteLimit)
        bench.answer(0, 5)
        #expect(bench.ask(0, 500), "an answer makes room")
        #expect(!bench.ask(0, 501))
        for _ in 0..<3 {
            bench.now += 1
            for n in asked { _ = bench.review(0, n) }
        }
        #expect(bench.ask(0, 501), "so does a failure")
        #expect(bench.countsAgree())
    }

    @Test("a segment has an eighth of the table at most, and goes on in its own place")
    func segmentLimit() throws {
        let bench = try NeighborBench(buckets: 128)
        for n in 0..<100_000 { bench.answer(0, n, creates: true) }
        let limit = bench.table.segmentLimit
        #expect(limit == 64)
        #expect(bench.table.held(0, bench.snapshot) == limit)
        // 64 of 512 entries: of 10 000 addresses many meet one of the segment's own, and take its place.
        let replaced = (100_000..<110_000).filter {
            bench.answer(0, $0, creates: true)
            return bench.state(0, $0) == State.reachable
        }
        #expect(replaced.count > 1000)
        #expect(bench.table.held(0, bench.snapshot) == limit)
        #expect(bench.ask(1, 1))
        #expect(bench.countsAgree())
    }

    @Test("a network whose scan is over resolves again")
    func afterScan() throws {
        var bench = try NeighborBench(buckets: 128)
        var pending: [Int] = []
        for n in 0..<20_000 {
            if bench.ask(0, n) { pending.append(n) }
            guard n % 20 == 0 else { continue }
            bench.now += 1
            pending.removeAll { bench.review(0, $0) == 2 }
            bench.sweep()
            let unanswered = bench.table.unanswered(0, bench.snapshot)
            #expect(unanswered <= NeighborTable.incompleteLimit)
        }
        while !pending.isEmpty {
            bench.now += 1
            pending.removeAll { bench.review(0, $0) == 2 }
        }
        bench.now += NeighborTable.failedSeconds
        bench.sweep()
        #expect(bench.table.held(0, bench.snapshot) == 0)
        #expect(bench.ask(0, 99_999))
        #expect(bench.answer(0, 99_999))
        #expect(bench.countsAgree())
    }

    @Test("who scans takes nobody's answered address", arguments: [64, 128, 1024])
    func scanner(buckets: Int) throws {
        var bench = try NeighborBench(segments: 3, buckets: buckets)
        let victims = 0..<20
        for n in victims { bench.answer(1, n, creates: true) }
        var pending: [Int] = []
        for n in 0..<30_000 {
            if bench.ask(0, n) { pending.append(n) }
            // Answers of its own too, as many as it is allowed.
            bench.answer(2, n, creates: true)
            guard n % 100 == 0 else { continue }
            bench.now += 1
            pending.removeAll { bench.review(0, $0) == 2 }
            bench.sweep()
        }
        #expect(bench.now - 1000 < NeighborTable.forgottenSeconds)
        for n in victims { #expect(bench.state(1, n) == State.reachable, "\(n)") }
        #expect(bench.countsAgree())
    }

    @Test("in a full table a newcomer gets room from whoever holds most")
    func newcomer() throws {
        // Each of 16 segments at its limit: twice what the table holds.
        let bench = try NeighborBench(segments: 18, buckets: 64)
        for n in 0..<5000 {
            for segment in 0..<16 as Range<UInt32> { bench.answer(segment, n, creates: true) }
        }
        let entries = Int(bench.table.bucketCount) * NeighborTable.width
        let held = (0..<16).map { Int(bench.table.held($0, bench.snapshot)) }
        #expect(held.reduce(0, +) == entries)
        #expect(held.allSatisfy { $0 <= Int(bench.table.segmentLimit) })
        let before = held.max()!
        for n in 0..<5 {
            #expect(bench.ask(16, n))
            #expect(bench.answer(16, n))
        }
        for n in 0..<5 { #expect(bench.state(16, n) == State.reachable) }
        let after = (0..<16).map { Int(bench.table.held($0, bench.snapshot)) }
        #expect(after.reduce(0, +) == entries - 5)
        #expect(after.max()! <= before)
        // And keeps it: the others hold more.
        for n in 5000..<8000 {
            for segment in 0..<16 as Range<UInt32> {
                bench.answer(segment, n, creates: true)
                _ = bench.ask(segment, n + 10_000)
            }
        }
        for n in 0..<5 { #expect(bench.state(16, n) == State.reachable) }
        #expect(bench.countsAgree())
    }

    @Test("a table of one bucket works")
    func tiny() throws {
        let bench = try NeighborBench(buckets: 1)
        for n in 0..<100 { bench.answer(0, n, creates: true) }
        #expect(bench.table.held(0, bench.snapshot) == 4)
        #expect(bench.ask(1, 1), "who holds nothing gets a place")
        #expect(bench.countsAgree())
    }

    /// What anybody may know about the table without knowing how it hashes.
    @Test("counts, limits and fairness hold over anything that can happen", arguments: 1...12 as ClosedRange<UInt64>)
    func invariants(seed: UInt64) throws {
        var random = Random(state: seed)
        let segments = 6
        var builder = plainBuilder(segments: segments, ports: 1)
        var bench = try NeighborBench(
            segments: segments,
            buckets: [3, 8, 20, 64][Int(seed % 4)],
            now: [1000, .max - 500, 0x7FFF_FF00][Int(seed % 3)]
        )
        func reachable() -> [UInt64: UInt32] {
            var found: [UInt64: UInt32] = [:]
            bench.table.forEach(now: bench.now, snapshot: bench.snapshot) { entry in
                let key = UInt64(entry.segment) << 32 | entry.address.low & 0xFFFF_FFFF
                #expect(found[key] == nil, "seed \(seed): an address has two entries")
                found[key] = entry.state == State.reachable ? 1 : 0
            }
            return found.filter { $0.value == 1 }
        }
        for step in 0..<6000 {
            let segment = UInt32.random(in: 0..<UInt32(segments), using: &random)
            let n = Int.random(in: 0..<(segment == 0 ? 5000 : 60), using: &random)
            let before = step % 7 == 0 ? reachable() : nil
            let heldBefore = (0..<UInt32(segments)).map { bench.table.held($0, bench.snapshot) }
            var inserts = false
            switch UInt8.random(in: 0..<100, using: &random) {
            case 0..<35:
                _ = bench.ask(segment, n)
                inserts = true
            case 35..<60: bench.answer(segment, n)
            case 60..<72:
                bench.answer(segment, n, creates: true)
                inserts = true
            case 72..<90: _ = bench.review(segment, n)
            case 90..<95: bench.now &+= UInt32.random(in: 0...3, using: &random)
            case 95: bench.now &+= UInt32.random(in: 0...200, using: &random)
            case 96: bench.sweep()
            case 97: bench.table.flush(segment: segment, snapshot: bench.snapshot)
            case 98:
                builder.segments[Int(segment)].generation &+= 1
                bench.snapshot = try OwnedSnapshot(builder.freeze(generation: UInt64(step), seed: 3)).snapshot
            default:
                // Seldom, so that segments get full.
                guard UInt8.random(in: 0..<10, using: &random) == 0 else { continue }
                bench.table.flush(segment: noSlot, snapshot: bench.snapshot)
            }
            guard bench.countsAgree() else {
                Issue.record("seed \(seed), step \(step): a count is wrong")
                return
            }
            for s in 0..<UInt32(segments) {
                let held = bench.table.held(s, bench.snapshot)
                #expect(held <= bench.table.segmentLimit)
                #expect(bench.table.unanswered(s, bench.snapshot) <= min(held, NeighborTable.incompleteLimit))
            }
            guard let before, inserts else { continue }
            let after = reachable()
            for key in before.keys where after[key] == nil {
                let loser = UInt32(key >> 32)
                #expect(
                    loser == segment || heldBefore[Int(loser)] > heldBefore[Int(segment)],
                    "seed \(seed), step \(step): \(segment) took an answered address of \(loser)"
                )
            }
        }
    }
}
