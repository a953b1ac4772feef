import Forwarding
import Tables
import TestCloud
import Testing
import Wire

/// Where a router sends packets, and from where it takes them: RFC 1812 §5.2.4, §4.3.3.1, RFC 3704.
@Suite struct RouteChoiceTests {
    @Test("RFC 1812 §5.2.7.1, RFC 4443 §3.1 RT8: no route: network unreachable; routes that refuse say how")
    func unreachables() throws {
        let bench = try Bench()
        for (destination, reason, four) in [
            ("172.16.0.1", DropReason.noRoute, 0), ("10.3.1.7", .refusedByRoute, 1), ("10.3.2.7", .refusedByRoute, 13),
        ] {
            let sent = packet(from: web4, to: destination)
            #expect(bench.send(fromWeb(sent), at: "red/web") == .refuses(reason, 3, four, sent))
        }
        for (destination, reason, six) in [
            ("2001:db8:77::1", DropReason.noRoute, 0), ("2001:db8:3:1::7", .refusedByRoute, 3),
            ("2001:db8:3:2::7", .refusedByRoute, 1),
        ] {
            let sent = packet(from: web6, to: destination)
            #expect(bench.send(fromWeb(sent), at: "red/web") == .refuses(reason, 1, six, sent))
        }
        #expect(bench.send(fromWeb(packet(from: web4, to: "10.3.0.7")), at: "red/web") == .drop(.refusedByRoute))
        #expect(bench.send(fromWeb(packet(from: web6, to: "2001:db8:3::7")), at: "red/web") == .drop(.refusedByRoute))
    }

    @Test("RFC 1812 §3.3.2 RT8: a packet waits for an address; one that nobody has is unreachable")
    func unresolved() throws {
        let bench = try Bench()
        let sent = packet(from: web4, to: "10.0.1.99")
        #expect(bench.send(fromWeb(sent), at: "red/web") == Ending(verdict: .hold))
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.resolve)
        #expect(bench.decision.neighbor.address == mapped("10.0.1.99"))
        let neighbors = bench.state.region.taught.neighbors
        let segment = bench.tables.segment("red/data")
        _ = neighbors.ask(segment: segment, mapped("10.0.1.99"), now: bench.now, snapshot: bench.snapshot)
        for second in 1...3 as ClosedRange<UInt32> {
            #expect(bench.send(fromWeb(sent), at: "red/web") == Ending(verdict: .hold))
            _ = neighbors.review(
                segment: segment,
                mapped("10.0.1.99"),
                now: bench.now + second,
                snapshot: bench.snapshot
            )
        }
        bench.now += 3
        #expect(bench.send(fromWeb(sent), at: "red/web") == .refuses(.neighborUnresolved, 3, 1, sent))
        let six = packet(from: web6, to: "2001:db8:b::99")
        #expect(bench.send(fromWeb(six), at: "red/web") == Ending(verdict: .hold))
        bench.learn("2001:db8:b::99", is: Names.db, in: "red/data")
        let routed = packet(from: web6, to: "2001:db8:b::99", ttl: 63)
        #expect(bench.send(fromWeb(six), at: "red/web") == .forward(.port("red/db", toDB(routed))))
    }

    @Test("RFC 1812 §5.2.4.3 RT9: the longest prefix counts")
    func longestPrefix() throws {
        var cloud = TestCloud.twoTenants
        cloud.change("red/gw") {
            $0.routes += [
                ("0.0.0.0/0", [.tunnel("ipip")]), ("10.9.7.0/24", [.tunnel("plain")]),
                ("10.9.7.7/32", [.gateway(db4)]), ("::/0", [.tunnel("sit")]),
                ("2001:db8:9:7::/64", [.tunnel("gre6")]), ("2001:db8:9:7::7/128", [.gateway(db6)]),
            ]
        }
        let bench = try Bench(cloud)
        for (destination, place) in [
            ("172.16.0.1", Place.tunnel("red/gw", "ipip")), ("10.9.6.255", .tunnel("red/gw", "ipip")),
            ("10.9.7.0", .tunnel("red/gw", "plain")), ("10.9.7.6", .tunnel("red/gw", "plain")),
            ("10.9.7.7", .port("red/db")), ("10.9.7.8", .tunnel("red/gw", "plain")),
            ("10.9.8.0", .tunnel("red/gw", "ipip")), ("2002::1", .tunnel("red/gw", "sit")),
            ("2001:db8:9:6::7", .tunnel("red/gw", "sit")), ("2001:db8:9:7::8", .tunnel("red/gw", "gre6")),
            ("2001:db8:9:7::7", .port("red/db")), ("2001:db8:9:8::", .tunnel("red/gw", "sit")),
        ] {
            let source = destination.contains(":") ? web6 : web4
            let ending = bench.send(fromWeb(packet(from: source, to: destination)), at: "red/web")
            #expect(ending.sent.map(\.to) == [place], "\(destination)")
        }
    }

    @Test("RFC 3704, RFC 1812 §5.3.8 RT11: a source that is not where the packet came from is spoofed")
    func reversePath() throws {
        let bench = try Bench()
        #expect(bench.send(fromWeb(packet(from: db4, to: "10.9.0.5")), at: "red/web") == .drop(.reversePath))
        #expect(bench.send(fromWeb(packet(from: "10.9.0.5", to: db4)), at: "red/web") == .drop(.reversePath))
        #expect(bench.send(fromWeb(packet(from: "172.16.0.1", to: db4)), at: "red/web") == .drop(.reversePath))
        #expect(bench.send(fromWeb(packet(from: db6, to: "2001:db8:9::5")), at: "red/web") == .drop(.reversePath))
        // Nothing is said to a forged source, even about an expired packet.
        let expired = packet(from: "172.16.0.1", to: db4, ttl: 1)
        #expect(bench.send(fromWeb(expired), at: "red/web") == .drop(.reversePath))
        // Behind a gateway is where it should be.
        let behind = packet(from: "10.4.0.9", to: web4)
        #expect(
            bench.send(fromDB(behind), at: "red/db")
                == .forward(.port("red/web", toWeb(packet(from: "10.4.0.9", to: web4, ttl: 63))))
        )
    }

    @Test("RFC 3704 §2.4 RT11: loose: any way back will do; off: none is needed")
    func looseReversePath() throws {
        var cloud = TestCloud.twoTenants
        cloud.change("red/gw") { $0.reversePath = RouterRecord.looseReversePath }
        let loose = try Bench(cloud)
        let elsewhere = packet(from: "10.9.0.5", to: db4)
        let routed = Ending.forward(.port("red/db", toDB(packet(from: "10.9.0.5", to: db4, ttl: 63))))
        #expect(loose.send(fromWeb(elsewhere), at: "red/web") == routed)
        #expect(loose.send(fromWeb(packet(from: "172.16.0.1", to: db4)), at: "red/web") == .drop(.reversePath))
        cloud.change("red/gw") { $0.reversePath = 0 }
        let off = try Bench(cloud)
        let nowhere = Ending.forward(.port("red/db", toDB(packet(from: "172.16.0.1", to: db4, ttl: 63))))
        #expect(off.send(fromWeb(packet(from: "172.16.0.1", to: db4)), at: "red/web") == nowhere)
    }

    @Test("RFC 1812 §5.2.7.2 RT11: out by the network that it came in by: forwarded; no redirect is sent")
    func sameNetwork() throws {
        let bench = try Bench()
        let sent = packet(from: "10.0.0.21", to: web4)
        let frame = ethernet(to: Names.gateway, from: Names.far, sent)
        // From another host's port, through the tunnel: this host is the designated one.
        let ending = bench.receive(vxlan(5001, frame), by: .vxlan, from: TestCloud.underlay(2))
        #expect(ending == .forward(.port("red/web", toWeb(packet(from: "10.0.0.21", to: web4, ttl: 63)))))
        let back = bench.send(fromWeb(packet(from: web4, to: web4)), at: "red/web")
        #expect(back == .forward(.port("red/web", toWeb(packet(from: web4, to: web4, ttl: 63)))))
    }
}
