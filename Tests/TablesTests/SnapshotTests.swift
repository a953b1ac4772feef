import Tables
import Testing
import Wire

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
}
