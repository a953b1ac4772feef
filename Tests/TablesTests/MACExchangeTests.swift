import Tables
import Testing
import Wire

/// What a table believes of what another worker has seen.
@Suite struct MACExchangeTests {
    private let mac = MACAddress(bits: 0x0200_0000_0001)

    private func table(buckets: Int = 64) -> MACTable {
        OwnedState(StateCapacity(endpoints: 4, segments: 4, attachments: 8, peers: 1, macBuckets: buckets)).region.macs
    }

    private func seen(_ attachment: UInt32, at second: UInt32, _ snapshot: Snapshot) -> MACTable.Entry {
        MACTable.report(mac: mac, attachment: attachment, now: second, snapshot: snapshot)
    }

    @Test(
        "the later sight counts, over the wrap of the 16-bit clock, and one from a clock that is ahead is of now",
        arguments: [100, 65_530, 1_000_000]
    )
    func later(start: UInt32) throws {
        let owned = try OwnedSnapshot(plainBuilder(segments: 1, ports: 2).freeze(generation: 1, seed: 3))
        let snapshot = owned.snapshot
        let table = table()
        #expect(table.adopt(seen(0, at: start, snapshot), now: start, snapshot: snapshot))
        #expect(table.adopt(seen(1, at: start + 9, snapshot), now: start + 9, snapshot: snapshot))
        #expect(!table.adopt(seen(0, at: start + 8, snapshot), now: start + 10, snapshot: snapshot))
        #expect(table.find(segment: 0, mac: mac, now: start + 10, snapshot: snapshot) == 1)
        // Two seconds ahead: it lives 300 s from now, and counts once.
        #expect(table.adopt(seen(1, at: start + 12, snapshot), now: start + 10, snapshot: snapshot))
        #expect(table.find(segment: 0, mac: mac, now: start + 309, snapshot: snapshot) == 1)
        #expect(table.find(segment: 0, mac: mac, now: start + 310, snapshot: snapshot) == noSlot)
        #expect(table.learned(segment: 0, generation: 0) == 1 && table.learned(attachment: 0, generation: 0) == 0)
        // Too old to be true.
        #expect(!table.adopt(seen(0, at: start, snapshot), now: start + 300, snapshot: snapshot))
    }

    @Test("nothing is believed about former owners, addresses of the file, or networks that do not learn")
    func refused() throws {
        let builder = plainBuilder(segments: 2, ports: 2)
        let before = try OwnedSnapshot(builder.freeze(generation: 1, seed: 3)).snapshot
        let table = table()
        let report = seen(0, at: 5, before)
        func isBelieved(_ change: (inout SnapshotBuilder) -> Void) throws -> Bool {
            var changed = builder
            change(&changed)
            let next = try OwnedSnapshot(changed.freeze(generation: 2, seed: 3)).snapshot
            return table.adopt(report, now: 5, snapshot: next)
        }
        #expect(try !isBelieved { $0.attachments[0].generation = 1 })
        #expect(try !isBelieved { $0.segments[0].generation = 1 })
        #expect(try !isBelieved { $0.segments[0].flags = 0 })
        #expect(try !isBelieved { $0.tell(segment: 0, mac: mac, at: 1) })
        #expect(table.learned(segment: 0, generation: 0) == 0)
        #expect(try isBelieved { _ in })
    }

    @Test("a network's limit holds for what is told, too")
    func limit() throws {
        let owned = try OwnedSnapshot(plainBuilder(segments: 1, ports: 2, macLimit: 50).freeze(generation: 1, seed: 3))
        let (one, other) = (table(), table())
        for i in 1...500 as ClosedRange<UInt64> {
            let mac = MACAddress(bits: 0x0200_0000_0000 | i)
            _ = one.learn(mac: mac, attachment: 0, now: 1, snapshot: owned.snapshot)
            let report = MACTable.report(mac: mac, attachment: 0, now: 1, snapshot: owned.snapshot)
            other.adopt(report, now: 1, snapshot: owned.snapshot)
        }
        #expect(other.learned(segment: 0, generation: 0) == one.learned(segment: 0, generation: 0))
    }

    @Test("a page's entries are collected once each, those of the endpoints asked for, not the old ones")
    func collected() throws {
        let snapshot = try OwnedSnapshot(plainBuilder(segments: 1, ports: 2).freeze(generation: 1, seed: 3)).snapshot
        let table = table(buckets: 300)
        for i in 1...200 as ClosedRange<UInt64> {
            let mac = MACAddress(bits: 0x0200_0000_0000 | i)
            _ = table.learn(mac: mac, attachment: UInt32(i % 2), now: i < 100 ? 1 : 50, snapshot: snapshot)
        }
        let memory = UnsafeMutablePointer<MACTable.Entry>.allocate(capacity: MACTable.entriesPerPage)
        defer { memory.deallocate() }
        var found: Set<UInt64> = []
        for page in 0..<table.pageCount {
            let count = table.collect(
                page: page,
                refreshedWithin: 20,
                now: 60,
                snapshot: snapshot,
                readBy: 1,
                of: 2,
                into: memory
            )
            for i in 0..<count {
                #expect(found.insert(memory[i].mac.bits).inserted)
                #expect(memory[i].attachment == 1 && memory[i].seen == 50)
            }
        }
        #expect(found.count == 50)
    }
}
