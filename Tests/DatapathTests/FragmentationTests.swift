import Forwarding
import Rings
import TestCloud
import Testing
import Wire

/// IPv4 packets that are too large for their way and may be cut (RFC 791 §3.2, RFC 1812 §5.2.1).
@Suite struct FragmentationTests {
    /// An IPv4 packet as it was before it was cut, put together from its fragments: an independent reading of RFC 791.
    struct Reassembly {
        var header: [UInt8] = []
        var payload: [UInt8] = []

        struct Fault: Error { var what: String }

        /// Throws unless the fragments are a whole datagram, each at most `mtu` bytes.
        init(_ fragments: [[UInt8]], mtu: Int) throws(Fault) {
            var next = 0
            var isOver = false
            for fragment in fragments {
                let length = Int(fragment[0] & 15) * 4
                let total = Int(fragment[2]) << 8 | Int(fragment[3])
                let field = Int(fragment[6]) << 8 | Int(fragment[7])
                guard fragment.count == total, total <= mtu else {
                    throw Fault(what: "\(total) of \(fragment.count) bytes")
                }
                guard onesSum(Array(fragment[..<length])) == 0xFFFF else { throw Fault(what: "header checksum") }
                guard field & dontFragment == 0 else { throw Fault(what: "DF in a fragment") }
                if header.isEmpty {
                    header = Array(fragment[..<length])
                    next = field & 0x1FFF
                } else {
                    // RFC 791 §3.1: these tell that they belong together.
                    guard fragment[4..<6] == header[4..<6], fragment[8..<10] == header[8..<10],
                        fragment[12..<20] == header[12..<20], fragment[1] == header[1]
                    else { throw Fault(what: "not of one datagram") }
                }
                guard !isOver, field & 0x1FFF == next else {
                    throw Fault(what: "offset \(field & 0x1FFF), not \(next)")
                }
                let data = Array(fragment[length...])
                isOver = field & moreFragments == 0
                guard isOver || data.count % 8 == 0, !data.isEmpty else { throw Fault(what: "\(data.count) bytes") }
                next += data.count / 8
                payload += data
            }
            guard !fragments.isEmpty else { throw Fault(what: "no fragments") }
            lastHasMore = !isOver
        }

        /// Compared here: what a failing expectation says about long arrays takes minutes.
        func carries(_ original: [UInt8]) -> Bool { payload == original }

        /// The original had the flag itself.
        var lastHasMore = false
    }

    /// What left by a tunnel of red's, as packets.
    private func tunnelled(_ cloud: Underlay, _ end: String) -> [[UInt8]] {
        cloud.takenAway().filter { $0.destination == mapped(end) }.map(\.bytes)
    }

    @Test("into a tunnel: the fragments are the packet", arguments: [1461, 1462, 2936, 4000, 40_000, 65_515])
    func intoATunnel(_ count: Int) throws {
        let cloud = try Underlay()
        let payload = filler(count)
        cloud.send(fromWeb(ipv4(from: web4, to: "10.9.0.5", tos: 0x28, id: 0xBEEF, payload)), at: "red/web")
        let fragments = tunnelled(cloud, Names.ipipEnd(0))
        let whole = try Reassembly(fragments, mtu: 1480)
        #expect(whole.carries(payload) && !whole.lastHasMore)
        #expect(whole.header[8] == 63 && whole.header[1] == 0x28 && whole.header[4..<6] == [0xBE, 0xEF])
        #expect(fragments.count == (count + 1455) / 1456 || count <= 1460)
        #expect(cloud[1].events(.fragmented) == 1)
        #expect(cloud.taken("red/web").isEmpty)
    }

    @Test("into a tunnel with a GRE checksum: each fragment's own is right")
    func intoGRE() throws {
        let cloud = try Underlay()
        let payload = filler(5000)
        cloud.send(fromWeb(ipv4(from: web4, to: "10.8.0.5", payload)), at: "red/web")
        let packets = tunnelled(cloud, Names.greEnd(0))
        for packet in packets {
            #expect(packet.prefix(4) == [0xA0, 0, 8, 0] && packet[8..<12] == [0, 0, 0, 9])
            #expect(onesSum(packet) == 0xFFFF)
        }
        let whole = try Reassembly(packets.map { Array($0[12...]) }, mtu: 1468)
        #expect(whole.carries(payload))
    }

    @Test("into a network of smaller packets, here and on another host")
    func betweenNetworks() throws {
        let cloud = try Underlay()
        let payload = filler(3000)
        cloud.send(fromDB(ipv4(from: db4, to: web4, payload)), at: "red/db")
        let here = cloud.taken("red/web")
        #expect(here.allSatisfy { $0.prefix(14) == toWeb([0x45]).prefix(14) })
        #expect(try Reassembly(here.map { Array($0[14...]) }, mtu: 1450).carries(payload))
        cloud.send(fromDB(ipv4(from: db4, to: far4, payload)), at: "red/db")
        let there = cloud.taken("red/far")
        #expect(there.allSatisfy { $0.prefix(14) == ethernet(to: Names.far, from: Names.gateway, [0x45]).prefix(14) })
        #expect(try Reassembly(there.map { Array($0[14...]) }, mtu: 1450).carries(payload))
    }

    @Test("bridged into a tunnel: under the same two MACs, the TTL untouched")
    func bridged() throws {
        let cloud = try Underlay()
        let payload = filler(3000)
        cloud.send(ethernet(to: Names.far, from: Names.web, ipv4(from: web4, to: far4, payload)), at: "red/web")
        let frames = cloud.taken("red/far")
        #expect(frames.allSatisfy { $0.prefix(14) == ethernet(to: Names.far, from: Names.web, [0x45]).prefix(14) })
        let whole = try Reassembly(frames.map { Array($0[14...]) }, mtu: 1450)
        #expect(whole.carries(payload) && whole.header[8] == 64)
    }

    @Test("RFC 791 §3.1: options with the copied flag are in every fragment, the others in the first")
    func options() throws {
        let cloud = try Underlay()
        let copied: [UInt8] = [0x94, 4, 0, 0]
        let once: [UInt8] = [7, 7, 4, 0, 0, 0, 0]
        let payload = filler(4000)
        cloud.send(fromWeb(ipv4(from: web4, to: "10.9.0.5", options: once + copied + [1], payload)), at: "red/web")
        let fragments = tunnelled(cloud, Names.ipipEnd(0))
        #expect(try Reassembly(fragments, mtu: 1480).carries(payload))
        #expect(fragments[0][20..<32] == (once + copied + [1])[...])
        #expect(fragments.dropFirst().allSatisfy { $0[0] == 0x46 && $0[20..<24] == copied[...] })
    }

    @Test("what is a fragment already is cut further", arguments: [0, moreFragments])
    func fragmentsOfFragments(_ flag: Int) throws {
        let cloud = try Underlay()
        let payload = filler(4000)
        cloud.send(fromWeb(ipv4(from: web4, to: "10.9.0.5", fragment: flag | 300, payload)), at: "red/web")
        let fragments = tunnelled(cloud, Names.ipipEnd(0))
        let whole = try Reassembly(fragments, mtu: 1480)
        #expect(whole.carries(payload) && whole.lastHasMore == (flag != 0))
        #expect(fragments[0][6...7] == be16(moreFragments | 300)[...])
    }

    @Test("a checksum that was left to do is finished first: no fragment could be finished on its own")
    func unfinishedChecksum() throws {
        let cloud = try Underlay()
        let ends = (from: web4, to: "10.9.0.5")
        let good = udp(7, 8, over: ends, filler(3001))
        var unfinished = good
        unfinished.replaceSubrange(6..<8, with: be16(pseudoSum(web4, "10.9.0.5", 17, good.count)))
        let frame = fromWeb(ipv4(from: web4, to: "10.9.0.5", protocol: 17, unfinished))
        let offload = Offload(flags: Offload.needsChecksumFlag, checksumStart: 34, checksumOffset: 6)
        cloud.send(frame, at: "red/web", offload: offload)
        let whole = try Reassembly(tunnelled(cloud, Names.ipipEnd(0)), mtu: 1480)
        #expect(whole.carries(good))
    }

    @Test("of many at once each is whole: fragments of different datagrams do not mix")
    func manyAtOnce() throws {
        let cloud = try Underlay()
        let host = cloud[1]
        // More fragments than the queues hold at a time.
        for i in 0..<40 {
            let frame = fromWeb(ipv4(from: web4, to: db4, id: i, filler(60_000 + i)))
            try #require(host.inject(frame, at: .port("red/web")))
            if i % 8 == 7 {
                // Large frames are dealt with one by one, four in a turn.
                for _ in 0..<2 { host.turn(.port("red/web")) }
                let frames = host.taken("red/db")
                for number in i - 7...i {
                    let own = frames.filter { $0[18..<20] == be16(number)[...] }.map { Array($0[14...]) }
                    let whole = try Reassembly(own, mtu: 1458)
                    #expect(whole.carries(filler(60_000 + number)))
                }
            }
        }
        #expect(host.drops("red/web", .noTransmitSlot) == 0)
    }

    @Test("a burst that becomes more fragments than the queues hold is sent in parts, and nothing of it is lost")
    func moreThanTheQueuesHold() throws {
        let cloud = try Underlay()
        cloud[1].learnPathMTU(88, to: Names.ipipEnd(0), now: cloud.now)
        for i in 0..<32 {
            let frame = fromWeb(ipv4(from: web4, to: "10.9.0.5", id: i, filler(2000 + i)))
            try #require(cloud[1].inject(frame, at: .port("red/web")))
        }
        cloud[1].turn(.port("red/web"))
        cloud.carry()
        let sent = tunnelled(cloud, Names.ipipEnd(0))
        #expect(sent.count > 1024)
        for number in 0..<32 {
            let whole = try Reassembly(sent.filter { $0[4..<6] == be16(number)[...] }, mtu: 68)
            #expect(whole.carries(filler(2000 + number)))
        }
    }

    @Test("sizes, options and limits at random: what arrives is what was sent")
    func random() throws {
        let cloud = try Underlay()
        var seed: UInt64 = 0x1234_5678_9ABC_DEF1
        func below(_ limit: Int) -> Int {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(seed >> 33) % limit
        }
        for round in 0..<400 {
            let mtu = 100 + below(1400)
            cloud[1].learnPathMTU(UInt32(mtu), to: Names.ipipEnd(0), now: cloud.now)
            let options = [UInt8](repeating: 1, count: below(11) * 4)
            let count = below(9000)
            let offset = below(2) * below(1000)
            let packet = ipv4(
                from: web4,
                to: "10.9.0.5",
                id: round,
                fragment: offset,
                options: options,
                filler(count)
            )
            cloud.send(fromWeb(packet), at: "red/web")
            let limit = mtu - 20
            let sent = tunnelled(cloud, Names.ipipEnd(0))
            if packet.count <= limit {
                #expect(sent.count == 1)
            } else {
                let whole = try Reassembly(sent, mtu: limit)
                #expect(whole.carries(filler(count)) && whole.header.count == 20 + options.count)
            }
            // The next limit may be wider only when this one is forgotten.
            cloud.forgetPathMTU(of: Names.ipipEnd(0))
        }
    }

    @Test("with DF, in IPv6 and where not even 8 bytes would fit: refused")
    func refused() throws {
        let cloud = try Underlay()
        cloud.send(fromWeb(ipv4(from: web4, to: "10.9.0.5", fragment: dontFragment, filler(3000))), at: "red/web")
        cloud.send(fromWeb(ipv6(from: web6, to: "2001:db8:9::5", filler(3000))), at: "red/web")
        #expect(cloud.takenAway().isEmpty)
        #expect(cloud[1].drops("red/web", .exceedsMTU) == 2)
        cloud[1].learnPathMTU(80, to: Names.ipipEnd(0), now: cloud.now)
        cloud.send(fromWeb(ipv4(from: web4, to: "10.9.0.5", filler(100))), at: "red/web")
        #expect(cloud.takenAway().isEmpty)
        #expect(cloud[1].drops("red/web", .exceedsPathMTU) == 1)
    }
}
