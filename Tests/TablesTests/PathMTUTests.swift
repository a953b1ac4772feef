import Tables
import Testing
import Wire

@Suite("Path MTUs") struct PathMTUTests {
    /// Two peers, IPv4 and IPv6, with what the file tells about them.
    private struct Bench {
        var builder = SnapshotBuilder()
        var snapshot: Snapshot
        let taught: Taught

        init(told: UInt32 = 1500) throws {
            for (i, address) in ["192.0.2.2", "2001:db8::2"].enumerated() {
                var peer = PeerRecord()
                peer.address = IPAddress(address)!.mapped
                peer.pathMTU = told
                peer.inUse = 1
                builder.peers.append(peer)
                builder.mapPeer(peer.address, to: UInt32(i))
            }
            snapshot = try OwnedSnapshot(builder.freeze(generation: 1, seed: 4)).snapshot
            let capacity = StateCapacity(endpoints: 1, segments: 1, attachments: 1, peers: 2, macBuckets: 1)
            taught = OwnedState(capacity).region.taught
        }

        mutating func reload() throws {
            snapshot = try OwnedSnapshot(builder.freeze(generation: 2, seed: 4)).snapshot
        }

        func learn(_ mtu: UInt32, _ peer: UInt32 = 0, now: UInt32) {
            taught.learnPathMTU(mtu, peer: peer, now: now, snapshot: snapshot)
        }

        func mtu(_ peer: UInt32 = 0, now: UInt32) -> UInt32 {
            taught.pathMTU(peer, now: now, snapshot: snapshot)
        }
    }

    @Test("what the underlay tells only ever narrows the way")
    func narrows() throws {
        let bench = try Bench()
        #expect(bench.mtu(now: 100) == 1500)
        bench.learn(1600, now: 100)
        #expect(bench.mtu(now: 100) == 1500)
        bench.learn(1400, now: 100)
        #expect(bench.mtu(now: 100) == 1400)
        bench.learn(1450, now: 200)
        #expect(bench.mtu(now: 200) == 1400)
        bench.learn(1300, now: 300)
        #expect(bench.mtu(now: 300) == 1300)
        #expect(bench.mtu(1, now: 300) == 1500, "another peer")
    }

    @Test("it holds for ten minutes, over the wrap of the clock", arguments: [0, 100, .max - 300] as [UInt32])
    func expires(start: UInt32) throws {
        let bench = try Bench()
        bench.learn(1400, now: start)
        #expect(bench.mtu(now: start &+ 599) == 1400)
        // Neither what is larger nor what is known already makes it last.
        bench.learn(1450, now: start &+ 599)
        bench.learn(1400, now: start &+ 599)
        #expect(bench.mtu(now: start &+ 600) == 1500)
        bench.learn(1450, now: start &+ 600)
        #expect(bench.mtu(now: start &+ 600) == 1450, "the way may have become wider")
        bench.learn(1350, now: start &+ 1100)
        #expect(bench.mtu(now: start &+ 1300) == 1350)
        #expect(bench.mtu(now: start &+ 1699) == 1350, "a narrower way was told 599 seconds ago")
        #expect(bench.mtu(now: start &+ 1700) == 1500)
    }

    @Test("nothing narrower than any way may be is believed")
    func least() throws {
        let bench = try Bench()
        for mtu in [0, 67] as [UInt32] { bench.learn(mtu, now: 1) }
        #expect(bench.mtu(now: 1) == 1500)
        for mtu in [0, 68, 1279] as [UInt32] { bench.learn(mtu, 1, now: 1) }
        #expect(bench.mtu(1, now: 1) == 1500)
        bench.learn(68, now: 1)
        bench.learn(1280, 1, now: 1)
        #expect(bench.mtu(now: 1) == 68)
        #expect(bench.mtu(1, now: 1) == 1280)
        bench.learn(0, now: 2)
        bench.learn(0, 1, now: 2)
        #expect(bench.mtu(now: 2) == 68, "0 does not undo it")
        #expect(bench.mtu(1, now: 2) == 1280)
    }

    @Test("where the file tells nothing, only what was learned is known")
    func untold() throws {
        let bench = try Bench(told: 0)
        #expect(bench.mtu(now: 5) == 0)
        bench.learn(9000, now: 5)
        #expect(bench.mtu(now: 5) == 9000)
        bench.learn(9216, now: 5)
        #expect(bench.mtu(now: 5) == 9000)
        #expect(bench.mtu(now: 605) == 0)
    }

    @Test("what the file tells counts at once when it is less")
    func toldLess() throws {
        var bench = try Bench()
        bench.learn(1400, now: 1)
        bench.builder.peers[0].pathMTU = 1300
        try bench.reload()
        #expect(bench.mtu(now: 1) == 1300)
        bench.learn(1350, now: 2)
        bench.builder.peers[0].pathMTU = 9000
        try bench.reload()
        #expect(bench.mtu(now: 2) == 1400, "1350 was more than what held")
    }

    @Test("a slot with another address is another way")
    func anotherPeer() throws {
        var bench = try Bench()
        bench.learn(1300, now: 1)
        let before = bench.builder.peers[0].address
        bench.builder.peers[0].address = IPAddress("192.0.2.77")!.mapped
        try bench.reload()
        #expect(bench.mtu(now: 1) == 1500)
        bench.learn(1400, now: 2)
        #expect(bench.mtu(now: 2) == 1400)
        bench.builder.peers[0].address = before
        try bench.reload()
        #expect(bench.mtu(now: 2) == 1500, "the newcomer took the place")
    }
}
