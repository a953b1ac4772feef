import Forwarding
import Tables
import TestCloud
import Testing
import Wire

/// ARP (RFC 826, 1812, 5227) as routers take part in it.
@Suite struct ARPTests {
    private let web = (mac: Names.web, ip: web4)
    private let gateway = (mac: Names.gateway, ip: gateway4)
    /// A station that the file does not know.
    private let guest = (mac: "02:00:00:00:00:99", ip: "10.0.0.99")

    @Test("RFC 826: who asks for the router's address is answered, and nobody else hears the question")
    func request() throws {
        let bench = try Bench()
        let answer = Ending.answer(.port("red/web", arpReply(gateway, to: web)))
        #expect(bench.send(arpRequest(web, for: gateway4), at: "red/web") == answer)
        // RFC 1122 §2.3.2.1: by unicast too.
        #expect(bench.send(arpRequest(web, for: gateway4, to: Names.gateway), at: "red/web") == answer)
        // Padding to 60 bytes is no part of it.
        let padded = arpRequest(web, for: gateway4) + [UInt8](repeating: 0, count: 18)
        #expect(bench.send(padded, at: "red/web") == answer)
    }

    @Test("RFC 826: a question for another's address, or for the router's in another network, goes its way")
    func requestForOthers() throws {
        let bench = try Bench()
        for target in ["10.0.0.21", dataGateway4, "10.0.0.2"] {
            let frame = arpRequest(web, for: target)
            let ending = bench.send(frame, at: "red/web")
            #expect(ending == Ending(verdict: .flood, sent: [.vtep(2, "red/app", vxlan(5001, frame))]))
        }
        // What is asked of the router and is not the router's is nobody's.
        #expect(
            bench.send(arpRequest(web, for: "10.0.0.21", to: Names.gateway), at: "red/web") == .drop(.noSuchService)
        )
    }

    @Test(
        "RFC 826: hardware type, protocol type and both lengths are checked before anything else",
        arguments: [
            [0, 6, 8, 0, 6, 4], [0, 1, 0x86, 0xDD, 6, 4], [0, 1, 8, 0, 5, 4], [0, 1, 8, 0, 6, 16], [0, 1, 8, 0, 0, 0],
        ] as [[UInt8]]
    )
    func otherKinds(_ types: [UInt8]) throws {
        let bench = try Bench()
        let asked = arp(1, web, (noMAC, gateway4), types: types)
        let ending = bench.send(asked, at: "red/web")
        #expect(ending.verdict == .flood && ending.answer == nil)
        let direct = arp(1, web, (noMAC, gateway4), to: Names.gateway, types: types)
        #expect(bench.send(direct, at: "red/web") == .drop(.brokenARP))
    }

    @Test("RFC 826: an ARP packet cut short anywhere is not answered")
    func truncatedARP() throws {
        let bench = try Bench()
        let whole = arpRequest(web, for: gateway4, to: Names.gateway)
        for length in 14..<whole.count {
            #expect(bench.send(Array(whole.prefix(length)), at: "red/web") == .drop(.brokenARP), "\(length) bytes")
        }
    }

    @Test("RFC 826: who asks the router is merged; of others only what is known is updated")
    func merge() throws {
        let bench = try Bench()
        _ = bench.send(arpRequest(guest, for: gateway4), at: "red/web")
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.learn)
        #expect(bench.decision.neighbor.mac == mac(guest.mac))
        #expect(bench.decision.neighbor.address == mapped(guest.ip))
        _ = bench.send(arpRequest(guest, for: "10.0.0.21"), at: "red/web")
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.update)
        _ = bench.send(arp(2, guest, (everybody, guest.ip), to: everybody), at: "red/web")
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.update)
        // What the file says is not up for discussion.
        _ = bench.send(arpRequest((guest.mac, web4), for: gateway4), at: "red/web")
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.none)
    }

    @Test("RFC 826: an answer to the router's question is noted, and told to the router on the other hosts")
    func reply() throws {
        let bench = try Bench()
        let frame = arpReply(guest, to: gateway)
        let ending = bench.send(frame, at: "red/web")
        #expect(ending == Ending(verdict: .relay, sent: [.vtep(2, "red/app", vxlan(5001, frame))]))
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.learn)
        // From there it goes no further.
        let heard = bench.receive(vxlan(5001, frame), by: .vxlan, from: TestCloud.underlay(2))
        #expect(heard == Ending(verdict: .taken))
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.learn)
    }

    @Test(
        "RFC 1812 §3.3.2: a broadcast, multicast or zero MAC is never believed",
        arguments: [everybody, "01:00:5e:00:00:01", "33:33:00:00:00:01", noMAC]
    )
    func groupMAC(_ claimed: String) throws {
        let bench = try Bench()
        _ = bench.send(arp(1, (claimed, guest.ip), (noMAC, gateway4), from: guest.mac), at: "red/web")
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.none)
        _ = bench.send(arp(2, (claimed, guest.ip), gateway, from: guest.mac), at: "red/web")
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.none)
    }

    @Test("OSSA-2016-009: a pair that is not the sender's own is not believed, and its question not answered")
    func spoofedPair() throws {
        let bench = try Bench()
        let forged = arp(1, ("02:00:00:00:00:98", guest.ip), (noMAC, gateway4), from: guest.mac)
        let ending = bench.send(forged, at: "red/web")
        #expect(ending == Ending(verdict: .answer))
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.none)
        _ = bench.send(arp(2, ("02:00:00:00:00:98", guest.ip), gateway, from: guest.mac), at: "red/web")
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.none)
    }

    @Test("RFC 5227 §2.1.1: a probe is answered and nothing is learned of it, least of all 0.0.0.0")
    func probe() throws {
        let bench = try Bench()
        let answer = arpReply(gateway, to: (guest.mac, "0.0.0.0"))
        let ending = bench.send(arpRequest((guest.mac, "0.0.0.0"), for: gateway4), at: "red/web")
        #expect(ending == .answer(.port("red/web", answer)))
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.none)
    }

    @Test("RFC 5227 §2.4: who announces the router's address learns whose it is, and is not believed")
    func announcement() throws {
        let bench = try Bench()
        let thief = (mac: guest.mac, ip: gateway4)
        let ending = bench.send(arpRequest(thief, for: gateway4), at: "red/web")
        #expect(ending == .answer(.port("red/web", arpReply(gateway, to: thief))))
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.none)
    }

    @Test("RFC 826: RARP and other operations that the router is sent are dropped", arguments: [0, 3, 4, 8, 9, 0xFFFF])
    func operations(_ operation: Int) throws {
        let bench = try Bench()
        #expect(bench.send(arp(operation, web, gateway), at: "red/web") == .drop(.brokenARP))
    }

    @Test("OSSA-2021-004: a tag around it does not hide an ARP packet")
    func taggedARP() throws {
        let bench = try Bench()
        func tagged(_ tags: [(type: Int, tag: Int)]) -> [UInt8] {
            let plain = arpRequest(web, for: gateway4)
            return ethernet(to: everybody, from: Names.web, tags: tags, type: 0x0806, Array(plain[14...]))
        }
        // VLAN id 0 is a priority only.
        let answer = Ending.answer(.port("red/web", arpReply(gateway, to: web)))
        #expect(bench.send(tagged([(0x8100, 0xE000)]), at: "red/web") == answer)
        #expect(bench.send(tagged([(0x8100, 5)]), at: "red/web") == .drop(.taggedOnAccessPort))
        #expect(bench.send(tagged([(0x8100, 0), (0x8100, 5)]), at: "red/web") == .drop(.doubleTagged))
        // As LLC/SNAP it is no ARP, and the router's address is not given away.
        let snap = ethernet(
            to: Names.gateway,
            from: Names.web,
            type: 36,
            [0xAA, 0xAA, 3, 0, 0, 0, 8, 6] + Array(arpRequest(web, for: gateway4)[14...])
        )
        #expect(bench.send(snap, at: "red/web") == .drop(.notRoutable))
    }

    // MARK: Who answers

    @Test("a question that comes in by a tunnel is answered by the designated host only")
    func designated() throws {
        let frame = arpRequest(guest, for: gateway4)
        let source = TestCloud.underlay(2)
        let first = try Bench()
        let answer = Sent.vtep(2, "red/app", vxlan(5001, arpReply(gateway, to: guest)))
        #expect(first.receive(vxlan(5001, frame), by: .vxlan, from: source) == .answer(answer))
        let second = try Bench(host: 2)
        let ending = second.receive(vxlan(5001, frame), by: .vxlan, from: TestCloud.underlay(1))
        #expect(ending == Ending(verdict: .flood, sent: [.port("red/far", frame)]))
        let direct = arpRequest(guest, for: gateway4, to: Names.gateway)
        #expect(
            second.receive(vxlan(5001, direct), by: .vxlan, from: TestCloud.underlay(1)) == .drop(.notDesignated)
        )
        // To its own ports every host answers.
        let far = (mac: Names.far, ip: "10.0.0.21")
        #expect(
            second.send(arpRequest(far, for: gateway4), at: "red/far")
                == .answer(.port("red/far", arpReply(gateway, to: far)))
        )
    }

    @Test("RFC 7348 §7: nobody but its own hosts may use the router's MAC")
    func routerMACIsTold() throws {
        let bench = try Bench()
        let forged = ethernet(to: Names.far, from: Names.gateway, packet(from: web4, to: "10.0.0.21"))
        #expect(bench.send(forged, at: "red/web") == .drop(.sourceBelongsToAnotherPort))
        // From a host of the router it is the router's.
        let routed = ethernet(to: Names.web, from: Names.gateway, packet(from: "10.0.1.22", to: web4))
        #expect(
            bench.receive(vxlan(5001, routed), by: .vxlan, from: TestCloud.underlay(2))
                == .forward(.port("red/web", routed))
        )
    }
}
