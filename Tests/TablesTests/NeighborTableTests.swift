import Testing
import Wire

@testable import Tables

/// A neighbour table over one snapshot, and shorter ways to use it.
struct NeighborBench {
    var snapshot: Snapshot
    let table: NeighborTable
    var now: UInt32

    init(segments: Int = 4, buckets: Int = 256, now: UInt32 = 1000) throws {
        snapshot = try OwnedSnapshot(plainBuilder(segments: segments, ports: 1).freeze(generation: 1, seed: 3)).snapshot
        let capacity = StateCapacity(
            endpoints: 16,
            segments: segments,
            attachments: 16,
            peers: 4,
            macBuckets: 16,
            neighborBuckets: buckets
        )
        table = OwnedState(capacity).region.taught.neighbors
        self.now = now
    }

    static func address(_ n: Int) -> IPv6Address { IPv6Address(mapping: IPv4Address(bits: 0x0A00_0000 | UInt32(n))) }

    static func mac(_ n: Int) -> MACAddress { MACAddress(bits: 0x0200_0000_0000 | UInt64(n)) }

    func ask(_ segment: UInt32, _ n: Int) -> Bool {
        table.ask(segment: segment, NeighborBench.address(n), now: now, snapshot: snapshot)
    }

    @discardableResult
    func answer(_ segment: UInt32, _ n: Int, mac: Int? = nil, creates: Bool = false) -> Bool {
        table.confirm(
            segment: segment,
            NeighborBench.address(n),
            mac: NeighborBench.mac(mac ?? n),
            creates: creates,
            now: now,
            snapshot: snapshot
        )
    }

    func review(_ segment: UInt32, _ n: Int) -> Int {
        table.review(segment: segment, NeighborBench.address(n), now: now, snapshot: snapshot)
    }

    func find(_ segment: UInt32, _ n: Int) -> NeighborTable.Entry {
        table.find(segment: segment, NeighborBench.address(n), now: now, snapshot: snapshot)
    }

    func state(_ segment: UInt32, _ n: Int) -> UInt8 { find(segment, n).state }

    func sweep() {
        var page = 0
        repeat { page = table.sweep(page: page, now: now, snapshot: snapshot) } while page != 0
    }

    /// The counts of a segment by going through all entries.
    func recount(_ segment: UInt32) -> (held: UInt32, unanswered: UInt32) {
        let generation = snapshot.segments[Int(segment)].generation
        var held: UInt32 = 0
        var unanswered: UInt32 = 0
        for i in 0..<Int(table.bucketCount) * NeighborTable.width {
            let entry = table.entries[i]
            guard entry.state != NeighborTable.State.none, entry.segment == segment, entry.generation == generation
            else { continue }
            held += 1
            if entry.state == NeighborTable.State.incomplete { unanswered += 1 }
        }
        return (held, unanswered)
    }

    func countsAgree() -> Bool {
        (0..<snapshot.segmentCount).allSatisfy {
            recount($0) == (table.held($0, snapshot), table.unanswered($0, snapshot))
        }
    }
}

private typealias State = NeighborTable.State

/// Starts before, at and after the places where 32-bit clocks break.
private let starts: [UInt32] = [1000, 0, 0x7FFF_FFFE, .max - 2, .max - 300]

@Suite("Neighbours of routers") struct NeighborTableTests {
    @Test("one question a second, three of them, then refused for three seconds, then anew", arguments: starts)
    func unanswered(start: UInt32) throws {
        var bench = try NeighborBench(now: start)
        #expect(bench.state(0, 1) == State.none)
        #expect(bench.ask(0, 1))
        for _ in 0..<10 { #expect(!bench.ask(0, 1)) }
        #expect(bench.review(0, 1) == 0)
        #expect(bench.state(0, 1) == State.incomplete)
        #expect(bench.table.unanswered(0, bench.snapshot) == 1)
        bench.now &+= 1
        #expect(bench.review(0, 1) == 1)
        #expect(!bench.ask(0, 1), "the review's question was this second's")
        bench.now &+= 1
        #expect(bench.ask(0, 1))
        #expect(bench.review(0, 1) == 0, "the packet's question was this second's")
        bench.now &+= 1
        #expect(!bench.ask(0, 1), "three questions were asked")
        #expect(bench.review(0, 1) == 2)
        #expect(bench.state(0, 1) == State.failed)
        #expect(bench.table.unanswered(0, bench.snapshot) == 0)
        #expect(bench.table.held(0, bench.snapshot) == 1)
        for _ in 0..<NeighborTable.failedSeconds {
            #expect(bench.state(0, 1) == State.failed)
            #expect(!bench.ask(0, 1))
            #expect(bench.review(0, 1) == 0)
            bench.now &+= 1
        }
        #expect(bench.state(0, 1) == State.none)
        #expect(bench.ask(0, 1))
        #expect(bench.find(0, 1).questions == 1)
        #expect(bench.countsAgree())
    }

    @Test("an answer counts at once, whatever was known before", arguments: starts)
    func answered(start: UInt32) throws {
        var bench = try NeighborBench(now: start)
        #expect(!bench.answer(0, 1), "nobody asked")
        #expect(bench.state(0, 1) == State.none)
        _ = bench.ask(0, 1)
        #expect(bench.answer(0, 1), "packets waited")
        #expect(bench.state(0, 1) == State.reachable)
        #expect(bench.find(0, 1).mac == NeighborBench.mac(1).bits)
        #expect(bench.table.unanswered(0, bench.snapshot) == 0)
        #expect(!bench.answer(0, 1, mac: 7), "nothing waited any more")
        #expect(bench.find(0, 1).mac == NeighborBench.mac(7).bits)

        _ = bench.ask(0, 2)
        for _ in 0..<3 {
            bench.now &+= 1
            _ = bench.review(0, 2)
        }
        #expect(bench.state(0, 2) == State.failed)
        bench.answer(0, 2)
        #expect(bench.state(0, 2) == State.reachable)
        #expect(bench.find(0, 2).questions == 0)
        #expect(bench.countsAgree())
    }

    @Test("an answer that nobody asked for is kept only where it may be")
    func unsolicited() throws {
        let bench = try NeighborBench()
        bench.answer(0, 1, creates: true)
        #expect(bench.state(0, 1) == State.reachable)
        #expect(bench.state(1, 1) == State.none, "another network")
        bench.answer(1, 1, creates: false)
        #expect(bench.state(1, 1) == State.none)
        #expect(bench.ask(0, 1), "nobody has asked in this second")
        #expect(!bench.ask(0, 1))
    }

    @Test("a MAC that no station has is not believed", arguments: [0, 0xFFFF_FFFF_FFFF, 0x0100_5E00_0001] as [UInt64])
    func impossibleMAC(bits: UInt64) throws {
        let bench = try NeighborBench()
        _ = bench.ask(0, 1)
        for (n, creates) in [(1, false), (2, true)] {
            let waited = bench.table.confirm(
                segment: 0,
                NeighborBench.address(n),
                mac: MACAddress(bits: bits),
                creates: creates,
                now: bench.now,
                snapshot: bench.snapshot
            )
            #expect(!waited)
        }
        #expect(bench.state(0, 1) == State.incomplete)
        #expect(bench.state(0, 2) == State.none)
    }

    @Test("a known address stays usable while it is asked for again, and fails when it is silent", arguments: starts)
    func again(start: UInt32) throws {
        var bench = try NeighborBench(now: start)
        _ = bench.ask(0, 1)
        bench.answer(0, 1)
        bench.now &+= NeighborTable.freshSeconds
        #expect(bench.ask(0, 1))
        #expect(bench.find(0, 1).questions == 1)
        #expect(bench.state(0, 1) == State.reachable)
        bench.now &+= 1
        #expect(bench.review(0, 1) == 1)
        bench.answer(0, 1)
        #expect(bench.find(0, 1).questions == 0)
        #expect(bench.find(0, 1).confirmed == bench.now)
        #expect(bench.review(0, 1) == 0)

        bench.now &+= NeighborTable.freshSeconds
        #expect(bench.ask(0, 1))
        for expected in [1, 1, 2] {
            #expect(bench.state(0, 1) == State.reachable)
            bench.now &+= 1
            #expect(bench.review(0, 1) == expected)
        }
        #expect(bench.state(0, 1) == State.failed)
        #expect(bench.review(0, 1) == 0)
        #expect(!bench.ask(0, 1))
        bench.now &+= NeighborTable.failedSeconds
        #expect(bench.state(0, 1) == State.none)
        #expect(bench.countsAgree())
        #expect(bench.ask(0, 1))
        #expect(bench.state(0, 1) == State.incomplete)
        #expect(bench.countsAgree())
    }

    @Test("what nobody uses is forgotten to the second", arguments: starts)
    func forgotten(start: UInt32) throws {
        var bench = try NeighborBench(now: start)
        bench.answer(0, 1, creates: true)
        bench.now &+= NeighborTable.forgottenSeconds - 1
        bench.sweep()
        #expect(bench.state(0, 1) == State.reachable)
        bench.now &+= 1
        #expect(bench.state(0, 1) == State.none)
        #expect(bench.table.held(0, bench.snapshot) == 1)
        bench.answer(0, 1)
        #expect(bench.state(0, 1) == State.none, "a late answer does not bring it back")
        #expect(bench.table.held(0, bench.snapshot) == 0)
        bench.answer(0, 1, creates: true)
        bench.now &+= NeighborTable.forgottenSeconds
        bench.sweep()
        #expect(bench.table.held(0, bench.snapshot) == 0)
        #expect(bench.countsAgree())
    }

    @Test("a reader whose clock is a second behind still sees what is fresh")
    func lateReader() throws {
        var bench = try NeighborBench(now: 0)
        bench.answer(0, 1, creates: true)
        bench.now &-= 1
        #expect(bench.state(0, 1) == State.reachable)
    }

    @Test("what its owner was asking for when it was killed is forgotten by itself", arguments: starts)
    func abandoned(start: UInt32) throws {
        var bench = try NeighborBench(now: start)
        for n in 0..<Int(NeighborTable.incompleteLimit) { #expect(bench.ask(0, n)) }
        bench.answer(1, 1, creates: true)
        for _ in 0..<3 {
            bench.now &+= 1
            _ = bench.ask(1, 1)
        }
        #expect(!bench.ask(0, 1000))
        // Nobody calls review.
        bench.now &+= NeighborTable.abandonedSeconds
        #expect(bench.state(0, 1) == State.none)
        #expect(bench.ask(1, 1), "the questions begin again")
        #expect(bench.find(1, 1).questions == 1)
        bench.sweep()
        #expect(bench.table.unanswered(0, bench.snapshot) == 0)
        #expect(bench.ask(0, 1000))
        #expect(bench.countsAgree())
    }

    @Test("a slot that is given to another owner forgets everything, and counts from nothing")
    func generations() throws {
        var builder = plainBuilder(segments: 2, ports: 1)
        var bench = try NeighborBench(segments: 2)
        for n in 0..<5 { bench.answer(0, n, creates: true) }
        for n in 5..<8 { _ = bench.ask(0, n) }
        bench.answer(1, 1, creates: true)
        builder.segments[0].generation = 1
        bench.snapshot = try OwnedSnapshot(builder.freeze(generation: 2, seed: 3)).snapshot
        for n in 0..<8 { #expect(bench.state(0, n) == State.none) }
        #expect(bench.state(1, 1) == State.reachable)
        #expect(bench.table.held(0, bench.snapshot) == 0)
        #expect(bench.table.unanswered(0, bench.snapshot) == 0)
        #expect(!bench.answer(0, 5), "the former owner asked")
        #expect(bench.ask(0, 1))
        bench.answer(0, 1, mac: 9)
        #expect(bench.find(0, 1).mac == NeighborBench.mac(9).bits)
        #expect(bench.countsAgree())
        bench.sweep()
        #expect(bench.countsAgree())
        #expect(bench.table.held(0, bench.snapshot) == 1)
    }

    @Test("a slot out of use holds nothing and takes nothing")
    func outOfUse() throws {
        var builder = plainBuilder(segments: 2, ports: 1)
        var bench = try NeighborBench(segments: 2)
        let before = bench.snapshot
        bench.answer(0, 1, creates: true)
        _ = bench.ask(0, 2)
        builder.segments[0].inUse = 0
        bench.snapshot = try OwnedSnapshot(builder.freeze(generation: 2, seed: 3)).snapshot
        #expect(bench.state(0, 1) == State.none)
        #expect(!bench.ask(0, 3))
        bench.answer(0, 3, creates: true)
        #expect(bench.countsAgree())
        bench.sweep()
        #expect(bench.countsAgree())
        // The same owner again: nothing of it is left, and nothing is counted.
        bench.snapshot = before
        #expect(bench.state(0, 1) == State.none)
        #expect(bench.table.held(0, bench.snapshot) == 0)
        #expect(bench.table.unanswered(0, bench.snapshot) == 0)
    }

    @Test("a segment that is gone from the snapshot does no harm")
    func fewerSegments() throws {
        var bench = try NeighborBench(segments: 4)
        bench.answer(3, 1, creates: true)
        _ = bench.ask(3, 2)
        bench.snapshot = try OwnedSnapshot(plainBuilder(segments: 2, ports: 1).freeze(generation: 2, seed: 3)).snapshot
        var listed = 0
        bench.table.forEach(now: bench.now, snapshot: bench.snapshot) { _ in listed += 1 }
        #expect(listed == 0)
        bench.sweep()
        bench.snapshot = try OwnedSnapshot(plainBuilder(segments: 4, ports: 1).freeze(generation: 3, seed: 3)).snapshot
        #expect(bench.table.held(3, bench.snapshot) == 0)
        #expect(bench.countsAgree())
    }

    @Test("flush forgets one segment's addresses, or all")
    func flush() throws {
        let bench = try NeighborBench()
        for n in 0..<10 {
            bench.answer(0, n, creates: true)
            bench.answer(1, n, creates: true)
            _ = bench.ask(2, n)
        }
        bench.table.flush(segment: 0, snapshot: bench.snapshot)
        #expect(bench.table.held(0, bench.snapshot) == 0)
        #expect((0..<10).allSatisfy { bench.state(0, $0) == State.none && bench.state(1, $0) == State.reachable })
        bench.table.flush(segment: noSlot, snapshot: bench.snapshot)
        var listed = 0
        bench.table.forEach(now: bench.now, snapshot: bench.snapshot) { _ in listed += 1 }
        #expect(listed == 0)
        #expect(bench.table.unanswered(2, bench.snapshot) == 0)
        #expect(bench.countsAgree())
    }
}
