import Testing
import Wire

@testable import Tables

@Suite("Snapshots") struct SnapshotTests {
    @Test("every index finds what was put in and nothing else")
    func indexes() throws {
        for seed in 1...20 as ClosedRange<UInt64> {
            var random = Random(state: seed)
            var builder = plainBuilder(segments: 50, ports: 3)
            var told: [UInt64: UInt32] = [:]
            for _ in 0..<500 {
                let attachment = UInt32.random(in: 0..<150, using: &random)
                let mac = UInt64.random(in: 1..<1 << 20, using: &random)
                let key = mac << 16 | UInt64(attachment / 3)
                guard told[key] == nil else { continue }
                told[key] = attachment
                builder.tell(segment: attachment / 3, mac: MACAddress(bits: mac), at: attachment)
            }
            let owned = try OwnedSnapshot(builder.freeze(generation: 7, seed: seed))
            #expect(owned.snapshot.generation == 7)
            for _ in 0..<5000 {
                let segment = UInt32.random(in: 0..<50, using: &random)
                let mac = UInt64.random(in: 1..<1 << 20, using: &random)
                let found = owned.snapshot.told(segment: segment, mac: MACAddress(bits: mac))
                #expect(found == told[mac << 16 | UInt64(segment)] ?? noSlot, "seed \(seed)")
            }
            for (key, attachment) in told {
                let mac = MACAddress(bits: key >> 16)
                #expect(owned.snapshot.told(segment: UInt32(key & 0xFFFF), mac: mac) == attachment, "seed \(seed)")
            }
        }
    }

    @Test("peers are told apart by the whole address")
    func peers() throws {
        var builder = SnapshotBuilder()
        let addresses = (0..<100).map { IPv6Address(high: 0x2001_0DB8_0000_0000 | UInt64($0 % 7), low: UInt64($0)) }
        for (i, address) in addresses.enumerated() {
            var peer = PeerRecord()
            peer.address = address
            builder.peers.append(peer)
            builder.mapPeer(address, to: UInt32(i))
        }
        let owned = try OwnedSnapshot(builder.freeze(generation: 1, seed: 5))
        for (i, address) in addresses.enumerated() { #expect(owned.snapshot.peer(address) == UInt32(i)) }
        #expect(owned.snapshot.peer(IPv6Address(high: 1, low: 2)) == noSlot)
    }

    @Test("truncated and damaged images are refused or safe to forward by")
    func damage() throws {
        var builder = plainBuilder(segments: 3, ports: 2)
        builder.tell(segment: 1, mac: MACAddress(bits: 0x0200_0000_0001), at: 2)
        builder.mapVLAN(endpoint: 0, tpid: 0x8100, vid: 10, to: 1)
        _ = builder.string("red/web")
        let image = builder.freeze(generation: 1, seed: 5)
        for length in 0..<image.count {
            #expect(throws: SnapshotError.self) { try OwnedSnapshot(Array(image[..<length])) }
        }
        var random = Random(state: 12)
        var accepted = 0
        for _ in 0..<20_000 {
            var broken = image
            let at = Int.random(in: 0..<image.count, using: &random)
            broken[at] = UInt8.random(in: 0...255, using: &random)
            guard let owned = try? OwnedSnapshot(broken) else { continue }
            accepted += 1
            // What passes validation has no reference that leads nowhere.
            let snapshot = owned.snapshot
            for s in 0..<Int(snapshot.segmentCount) {
                let segment = snapshot.segments[s]
                for f in 0..<Int(segment.floodCount) {
                    #expect(snapshot.flood[Int(segment.floodStart) + f] < snapshot.attachmentCount)
                }
            }
            let found = snapshot.told(segment: 1, mac: MACAddress(bits: 0x0200_0000_0001))
            #expect(found == noSlot || found < snapshot.attachmentCount)
            _ = snapshot.text(2)
        }
        #expect(accepted > 0)
    }

    @Test("rows have the size that the layout version promises")
    func layout() {
        #expect(MemoryLayout<EndpointRecord>.stride == 32)
        #expect(MemoryLayout<SegmentRecord>.stride == 40)
        #expect(MemoryLayout<AttachmentRecord>.stride == 24)
        #expect(MemoryLayout<PeerRecord>.stride == 32)
        #expect(MemoryLayout<MACTable.Entry>.stride == 16)
    }

    @Test("a state region is recognised by its header only when it is whole")
    func region() {
        let capacity = StateCapacity(endpoints: 4, segments: 4, attachments: 8, peers: 2, macBuckets: 16)
        let size = StateRegion.size(capacity)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 4096)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        #expect(StateRegion(memory, count: size) == nil)
        StateRegion.format(memory, capacity, seed: 1)
        #expect(StateRegion(memory, count: size)?.capacity == capacity)
        #expect(StateRegion(memory, count: size - 1) == nil)
    }

    @Test("a region without a table is none", arguments: 2...8)
    func regionWithout(word: Int) {
        let capacity = StateCapacity(endpoints: 4, segments: 4, attachments: 8, peers: 2, macBuckets: 16)
        let size = StateRegion.size(capacity)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 4096)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        StateRegion.format(memory, capacity, seed: 0)
        guard word != 7 else { return #expect(StateRegion(memory, count: size) != nil, "any seed will do") }
        for value in [0, 1 << 32, .max] as [UInt64] {
            memory.storeBytes(of: value, toByteOffset: 8 * word, as: UInt64.self)
            #expect(StateRegion(memory, count: size) == nil)
        }
    }

    @Test("the tables of a region do not overlap, whatever their sizes", arguments: [1, 3, 63, 64, 65, 130])
    func regionsApart(n: Int) throws {
        let capacity = StateCapacity(
            endpoints: n,
            segments: n + 1,
            attachments: n + 2,
            peers: n + 3,
            macBuckets: n + 4,
            neighborBuckets: n
        )
        let region = OwnedState(capacity).region
        let snapshot = try OwnedSnapshot(plainBuilder(segments: n, ports: 1).freeze(generation: 1, seed: 3)).snapshot
        // Everything that the counters have is 1 bits.
        region.counters.withMemoryRebound(to: UInt64.self, capacity: 8 * n) { words in
            for i in 0..<8 * n { words[i] = .max }
        }
        for i in 0..<n * StateRegion.reasons { region.endpointDrops[i] = .max }
        for i in 0..<(n + 1) * StateRegion.reasons { region.segmentDrops[i] = .max }
        for i in 0..<n + 3 {
            region.peerCounters[i] = PeerCounters()
            region.taught.pathMTUs[i] = PathMTU(address: IPv6Address(high: .max, low: .max), mtu: .max, learned: .max)
        }
        for i in 0..<StateRegion.reasons { region.events[i] = .max }
        var found = 0
        region.taught.neighbors.forEach(now: 1, snapshot: snapshot) { _ in found += 1 }
        region.macs.forEach(now: 1, snapshot: snapshot) { _ in found += 1 }
        #expect(found == 0)
        for i in 0..<2000 {
            let segment = UInt32(i % n)
            let mac = MACAddress(bits: 0x0200_0000_0001 + UInt64(i))
            _ = region.macs.learn(mac: mac, attachment: segment, now: 1, snapshot: snapshot)
            let address = IPv6Address(high: 0, low: UInt64(i))
            region.taught.neighbors.confirm(
                segment: segment,
                address,
                mac: mac,
                creates: true,
                now: 1,
                snapshot: snapshot
            )
        }
        #expect((0..<n * StateRegion.reasons).allSatisfy { region.endpointDrops[$0] == .max })
        #expect((0..<(n + 1) * StateRegion.reasons).allSatisfy { region.segmentDrops[$0] == .max })
        #expect((0..<n + 3).allSatisfy { region.peerCounters[$0] == PeerCounters() })
        #expect((0..<n + 3).allSatisfy { region.taught.pathMTUs[$0].mtu == .max })
        #expect((0..<StateRegion.reasons).allSatisfy { region.events[$0] == .max })
        var neighbors: UInt32 = 0
        region.taught.neighbors.forEach(now: 1, snapshot: snapshot) { _ in neighbors += 1 }
        #expect(neighbors == (0..<UInt32(n)).reduce(0) { $0 + region.taught.neighbors.held($1, snapshot) })
        #expect(neighbors > 0)
    }
}
