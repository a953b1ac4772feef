import Forwarding
import Tables
import TestCloud
import Testing
import Wire

/// Red and blue have the same prefixes, hosts, MACs and routers, and never meet (RFC 7348 §5 VX9, RFC 1812 §5.2.4 RT9).
@Suite struct OverlapTests {
    @Test("each tenant's packets leave by its own tunnels only", arguments: Way.all)
    func ownTunnels(_ way: Way) throws {
        let bench = try Bench()
        for (i, tenant) in ["red", "blue"].enumerated() {
            let ending = bench.send(fromWeb(packet(from: way.local, to: way.remote)), at: "\(tenant)/web")
            #expect(ending.sent.map(\.to) == [.tunnel("\(tenant)/gw", way.name)])
            #expect(ending.sent.map(\.destination) == [mapped(OverlapTests.end(of: way, i))])
        }
    }

    @Test("what comes out of a tunnel is for its tenant only", arguments: Way.all)
    func outOfTunnels(_ way: Way) throws {
        let bench = try Bench()
        for (i, tenant) in ["red", "blue"].enumerated() {
            let inner = way.wrap(packet(from: way.remote, to: way.local))
            let ending = bench.receive(inner, by: way.door, from: OverlapTests.end(of: way, i))
            #expect(ending.sent.map(\.to) == [.port("\(tenant)/web")])
        }
    }

    static func end(of way: Way, _ tenant: Int) -> String {
        switch way.name {
        case "ipip": Names.ipipEnd(tenant)
        case "ipip6": Names.ipip6End(tenant)
        case "sit": Names.sitEnd(tenant)
        case "sit6": Names.sit6End(tenant)
        case "gre6": Names.gre6End(tenant)
        default: Names.greEnd(tenant)
        }
    }

    @Test("a prefix that only red has: blue hears from its own router that there is no route, and red hears nothing")
    func redsOwnPrefix() throws {
        let bench = try Bench()
        let sent = packet(from: web4, to: "10.2.0.5")
        let routed = packet(from: web4, to: "10.2.0.5", ttl: 63)
        #expect(
            bench.send(fromWeb(sent), at: "red/web")
                == .forward(.tunnel("red/gw", "ipip", Names.ipipEnd(0), routed))
        )
        let error = icmpError(3, 0, from: gateway4, to: web4, about: sent)
        let ending = bench.send(fromWeb(sent), at: "blue/web")
        #expect(ending == .drop(.noRoute, .port("blue/web", toWeb(error))))
        #expect(bench.decision.segment == bench.tables.segment("blue/app"))
        // And from blue's far end it cannot come.
        let back = packet(from: "10.2.0.5", to: web4)
        #expect(bench.receive(back, by: .raw(4), from: Names.ipipEnd(1)) == .drop(.reversePath))
    }

    @Test("between the networks: the same frames, each tenant's own ports and identifiers")
    func betweenNetworks() throws {
        let bench = try Bench()
        for (i, tenant) in ["red", "blue"].enumerated() {
            let here = bench.send(fromWeb(packet(from: web4, to: db4)), at: "\(tenant)/web")
            #expect(here == .forward(.port("\(tenant)/db", toDB(packet(from: web4, to: db4, ttl: 63)))))
            let there = bench.send(fromWeb(packet(from: web6, to: "2001:db8:b::22")), at: "\(tenant)/web")
            let routed = ethernet(
                to: Names.farDB,
                from: Names.gateway,
                packet(from: web6, to: "2001:db8:b::22", ttl: 63)
            )
            #expect(there == .forward(.vtep(2, "\(tenant)/data", gre(key: 77 + i, type: 0x6558, routed))))
        }
    }

    @Test("what one tenant learned of an address is not the other's")
    func neighbors() throws {
        let bench = try Bench()
        bench.learn("10.0.1.99", is: Names.db, in: "red/data")
        let sent = packet(from: web4, to: "10.0.1.99")
        let routed = toDB(packet(from: web4, to: "10.0.1.99", ttl: 63))
        #expect(bench.send(fromWeb(sent), at: "red/web") == .forward(.port("red/db", routed)))
        #expect(bench.send(fromWeb(sent), at: "blue/web") == Ending(verdict: .hold))
        #expect(bench.decision.neighbor.segment == bench.tables.segment("blue/data"))
    }

    @Test("a router's echo and its errors go back by the port that asked")
    func answers() throws {
        let bench = try Bench()
        for tenant in ["red", "blue"] {
            let ending = bench.send(fromWeb(echo(from: web4, to: dataGateway4)), at: "\(tenant)/web")
            let reply = toWeb(echo(from: dataGateway4, to: web4, isReply: true))
            #expect(ending == .answer(.port("\(tenant)/web", reply)))
        }
    }

    @Test("a host whose network is not routed is not reached, whatever address it has")
    func unroutedNetwork() throws {
        var cloud = TestCloud.twoTenants
        cloud.networks.append(.init("green/app", .vxlan(5009), mtu: 1450))
        cloud.ports.append(.init("green/web", host: 1, "green/app", mac: Names.web, [web4], mtu: 1450))
        let bench = try Bench(cloud)
        let frame = fromWeb(packet(from: web4, to: db4))
        let ending = bench.send(frame, at: "green/web")
        #expect(ending == Ending(verdict: .flood, sent: [.vtep(2, "green/app", vxlan(5009, frame))]))
        let ask = arpRequest((Names.web, web4), for: gateway4)
        #expect(bench.send(ask, at: "green/web").answer == nil)
    }
}
