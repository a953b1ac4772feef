import Tables
import Testing
import Wire

@Suite("Learned addresses") struct MACTableTests {
    private func state(buckets: Int = 1024) -> OwnedState {
        OwnedState(StateCapacity(endpoints: 64, segments: 64, attachments: 256, peers: 4, macBuckets: buckets))
    }

    @Test("agrees with a dictionary over random learning, moves and time")
    func slowTwin() throws {
        for seed in 1...8 as ClosedRange<UInt64> {
            var random = Random(state: seed)
            let owned = try OwnedSnapshot(plainBuilder(segments: 8, ports: 4).freeze(generation: 1, seed: seed))
            let state = state()
            let table = state.region.macs
            var twin: [UInt64: (attachment: UInt32, seen: UInt32)] = [:]
            var now: UInt32 = 1000
            for _ in 0..<20_000 {
                let attachment = UInt32.random(in: 0..<32, using: &random)
                let segment = attachment / 4
                let mac = MACAddress(bits: 0x0200_0000_0000 | UInt64.random(in: 1..<200, using: &random))
                let key = mac.bits << 8 | UInt64(segment)
                switch UInt8.random(in: 0..<10, using: &random) {
                case 0:
                    now += UInt32.random(in: 0..<40, using: &random)
                case 1...4:
                    let known = twin[key].flatMap { now - $0.seen < 300 ? $0 : nil }
                    let lesson = table.learn(mac: mac, attachment: attachment, now: now, snapshot: owned.snapshot)
                    if let known {
                        #expect((lesson == .refreshed) == (known.attachment == attachment), "seed \(seed)")
                    }
                    twin[key] = (attachment, now)
                default:
                    let expected = twin[key].flatMap { now - $0.seen < 300 ? $0.attachment : nil } ?? noSlot
                    #expect(
                        table.find(segment: segment, mac: mac, now: now, snapshot: owned.snapshot) == expected,
                        "seed \(seed)"
                    )
                }
            }
            // Counts are those of the twin once everything outlived is swept out.
            var page = 0
            repeat { page = table.sweep(page: page, now: now, snapshot: owned.snapshot) } while page != 0
            for segment in 0..<8 as Range<UInt32> {
                let alive = twin.filter { $0.key & 0xFF == UInt64(segment) && now - $0.value.seen < 300 }.count
                #expect(table.learned(segment: segment, generation: 0) == UInt32(alive), "seed \(seed)")
            }
        }
    }

    @Test("the same MAC in two segments is two stations")
    func segmentsApart() throws {
        let owned = try OwnedSnapshot(plainBuilder(segments: 2, ports: 1).freeze(generation: 1, seed: 3))
        let table = state().region.macs
        let mac = MACAddress(bits: 0x0200_0000_0001)
        #expect(table.learn(mac: mac, attachment: 0, now: 1, snapshot: owned.snapshot) == .learned)
        #expect(table.find(segment: 1, mac: mac, now: 1, snapshot: owned.snapshot) == noSlot)
        #expect(table.learn(mac: mac, attachment: 1, now: 1, snapshot: owned.snapshot) == .learned)
        #expect(table.find(segment: 0, mac: mac, now: 1, snapshot: owned.snapshot) == 0)
        #expect(table.find(segment: 1, mac: mac, now: 1, snapshot: owned.snapshot) == 1)
    }

    @Test("a slot that changes hands forgets what was learned")
    func generations() throws {
        var builder = plainBuilder(segments: 2, ports: 2)
        let before = try OwnedSnapshot(builder.freeze(generation: 1, seed: 3))
        let table = state().region.macs
        let mac = MACAddress(bits: 0x0200_0000_0001)
        _ = table.learn(mac: mac, attachment: 0, now: 1, snapshot: before.snapshot)
        builder.attachments[0].generation = 1
        let attachmentChanged = try OwnedSnapshot(builder.freeze(generation: 2, seed: 3))
        #expect(table.find(segment: 0, mac: mac, now: 1, snapshot: attachmentChanged.snapshot) == noSlot)
        #expect(table.learned(attachment: 0, generation: 1) == 0)
        builder.attachments[0].generation = 0
        builder.segments[0].generation = 1
        let segmentChanged = try OwnedSnapshot(builder.freeze(generation: 3, seed: 3))
        #expect(table.find(segment: 0, mac: mac, now: 1, snapshot: segmentChanged.snapshot) == noSlot)
    }

    @Test("ages to the second, over the wrap of its 16-bit clock", arguments: [10, 65_400, 65_535, 1_000_000])
    func ageing(start: UInt32) throws {
        let owned = try OwnedSnapshot(plainBuilder(segments: 1, ports: 1).freeze(generation: 1, seed: 3))
        let table = state().region.macs
        let mac = MACAddress(bits: 0x0200_0000_0001)
        _ = table.learn(mac: mac, attachment: 0, now: start, snapshot: owned.snapshot)
        #expect(table.find(segment: 0, mac: mac, now: start + 299, snapshot: owned.snapshot) == 0)
        #expect(table.find(segment: 0, mac: mac, now: start + 300, snapshot: owned.snapshot) == noSlot)
    }

    @Test("a network's limit holds, and leaves room for its other ports")
    func limit() throws {
        let owned = try OwnedSnapshot(
            plainBuilder(segments: 2, ports: 2, macLimit: 100).freeze(generation: 1, seed: 3)
        )
        let table = state().region.macs
        for i in 1...1000 as ClosedRange<UInt64> {
            _ = table.learn(
                mac: MACAddress(bits: 0x0200_0000_0000 | i),
                attachment: 0,
                now: 1,
                snapshot: owned.snapshot
            )
        }
        let flooder = table.learned(attachment: 0, generation: 0)
        #expect(flooder >= 80 && flooder < 100)
        let victim = MACAddress(bits: 0x0600_0000_0001)
        #expect(table.learn(mac: victim, attachment: 1, now: 1, snapshot: owned.snapshot) == .learned)
        #expect(table.learned(segment: 0, generation: 0) <= 100)
        #expect(table.learned(segment: 1, generation: 0) == 0)
    }

    @Test("a full table gives up the entries of whoever holds most")
    func fairEviction() throws {
        let owned = try OwnedSnapshot(plainBuilder(segments: 2, ports: 1).freeze(generation: 1, seed: 3))
        let table = state(buckets: 64).region.macs
        for i in 1...10_000 as ClosedRange<UInt64> {
            _ = table.learn(
                mac: MACAddress(bits: 0x0200_0000_0000 | i),
                attachment: 0,
                now: 1,
                snapshot: owned.snapshot
            )
        }
        for i in 1...20 as ClosedRange<UInt64> {
            let mac = MACAddress(bits: 0x0600_0000_0000 | i)
            #expect(table.learn(mac: mac, attachment: 1, now: 1, snapshot: owned.snapshot) == .evictedAnother)
        }
        for i in 10_001...20_000 as ClosedRange<UInt64> {
            _ = table.learn(
                mac: MACAddress(bits: 0x0200_0000_0000 | i),
                attachment: 0,
                now: 1,
                snapshot: owned.snapshot
            )
        }
        for i in 1...20 as ClosedRange<UInt64> {
            let mac = MACAddress(bits: 0x0600_0000_0000 | i)
            #expect(table.find(segment: 1, mac: mac, now: 1, snapshot: owned.snapshot) == 1)
        }
    }
}
