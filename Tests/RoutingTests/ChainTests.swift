import Forwarding
import TestCloud
import Testing
import Wire

/// Routers of one tenant behind each other: on one host a packet passes them in one go.
@Suite struct ChainTests {
    private static let edge = "02:00:00:00:00:02"
    private static let host = "02:00:00:00:00:51"

    /// `red/edge` beside `red/gw` in `data`, with a network `dmz` of its own. What is in 10.60.0.0/16 each of the two takes
    /// to be the other's.
    private static var cloud: TestCloud {
        var cloud = TestCloud.twoTenants
        cloud.networks.append(.init("red/dmz", .vxlan(5003), mtu: 1450))
        cloud.ports.append(.init("red/dmz", host: 1, "red/dmz", mac: host, ["10.50.0.5"], mtu: 1450))
        cloud.ports.append(.init("red/fardmz", host: 2, "red/dmz", mac: Names.far, ["10.50.0.6"], mtu: 1450))
        cloud.change("red/gw") {
            $0.routes += [("10.50.0.0/16", [.gateway("10.0.1.2")]), ("10.60.0.0/16", [.gateway("10.0.1.2")])]
        }
        var router = TestCloud.Router(
            "red/edge",
            mac: edge,
            [("red/data", ["10.0.1.2/24"]), ("red/dmz", ["10.50.0.1/24"])]
        )
        router.routes = [("0.0.0.0/0", [.gateway(dataGateway4)])]
        cloud.routers.append(router)
        return cloud
    }

    @Test("RFC 1812 §5.3.1: each router takes one hop, and the last one's MAC is the source")
    func twoRouters() throws {
        let bench = try Bench(ChainTests.cloud)
        let here = bench.send(fromWeb(packet(from: web4, to: "10.50.0.5")), at: "red/web")
        let routed = packet(from: web4, to: "10.50.0.5", ttl: 62)
        #expect(here == .forward(.port("red/dmz", ethernet(to: ChainTests.host, from: ChainTests.edge, routed))))
        let there = bench.send(fromWeb(packet(from: web4, to: "10.50.0.6")), at: "red/web")
        let bridged = ethernet(to: Names.far, from: ChainTests.edge, packet(from: web4, to: "10.50.0.6", ttl: 62))
        #expect(there == .forward(.vtep(2, "red/dmz", vxlan(5003, bridged))))
        let back = ethernet(to: ChainTests.edge, from: ChainTests.host, packet(from: "10.50.0.5", to: web4))
        #expect(
            bench.send(back, at: "red/dmz")
                == .forward(.port("red/web", toWeb(packet(from: "10.50.0.5", to: web4, ttl: 62))))
        )
    }

    @Test("RFC 1812 §4.3.2.4: the router at which the hops end says so, from its address on the way")
    func expires() throws {
        let bench = try Bench(ChainTests.cloud)
        for (ttl, own) in [(1, gateway4), (2, "10.0.1.2")] {
            let sent = packet(from: web4, to: "10.50.0.5", ttl: ttl)
            let error = icmpError(11, 0, from: own, to: web4, about: sent)
            #expect(
                bench.send(fromWeb(sent), at: "red/web") == .drop(.hopLimitExceeded, .port("red/web", toWeb(error)))
            )
        }
        let enough = packet(from: web4, to: "10.50.0.5", ttl: 3)
        #expect(bench.send(fromWeb(enough), at: "red/web").verdict == .forward)
    }

    @Test("the second router's own addresses answer through the first")
    func ownAddresses() throws {
        let bench = try Bench(ChainTests.cloud)
        for own in ["10.0.1.2", "10.50.0.1"] {
            let reply = toWeb(echo(from: own, to: web4, isReply: true))
            let ending = bench.send(fromWeb(echo(from: web4, to: own)), at: "red/web")
            #expect(ending == .answer(.port("red/web", reply)))
        }
        // The first router is one on the way.
        let expired = echo(from: web4, to: "10.50.0.1", ttl: 1)
        #expect(bench.send(fromWeb(expired), at: "red/web") == .refuses(.hopLimitExceeded, 11, 0, expired))
    }

    @Test("RFC 3704: routers that take each other for the nearer one do not send a packet round")
    func ring() throws {
        var cloud = ChainTests.cloud
        let strict = try Bench(cloud)
        let sent = packet(from: web4, to: "10.60.0.1")
        #expect(strict.send(fromWeb(sent), at: "red/web") == .drop(.reversePath))
        for name in ["red/gw", "red/edge"] { cloud.change(name) { $0.reversePath = 0 } }
        let bench = try Bench(cloud)
        #expect(bench.send(fromWeb(sent), at: "red/web") == .drop(.tooManyRouters))
        let short = packet(from: web4, to: "10.60.0.1", ttl: 4)
        #expect(bench.send(fromWeb(short), at: "red/web").reason == .hopLimitExceeded)
    }

    @Test("what one of them forwards the other does not have to know: their tables are their own")
    func ownTables() throws {
        let bench = try Bench(ChainTests.cloud)
        // The edge router sends the world to the first, which has no route there.
        let world = packet(from: "10.50.0.5", to: "172.16.0.1")
        let ending = bench.send(ethernet(to: ChainTests.edge, from: ChainTests.host, world), at: "red/dmz")
        let error = icmpError(3, 0, from: dataGateway4, to: "10.50.0.5", about: world)
        let told = Sent.port("red/dmz", ethernet(to: ChainTests.host, from: ChainTests.edge, error))
        #expect(ending == .drop(.noRoute, told))
    }
}
