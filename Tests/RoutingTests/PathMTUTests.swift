import Forwarding
import Tables
import TestCloud
import Testing
import Wire

/// RFC 1191, 8201, 4459, 7690, 6864, 8021, 6946: what senders are told, on routers and in bridged networks.
@Suite struct PathMTURuleTests {
    /// Networks and tunnels that would carry anything: the way through the underlay sets the limit.
    private static var wide: TestCloud {
        var cloud = TestCloud.twoTenants
        for i in cloud.networks.indices { cloud.networks[i].mtu = 9000 }
        for i in cloud.ports.indices { cloud.ports[i].mtu = 9000 }
        cloud.networks.append(.init("red/six", .vxlan(5101), mtu: 9000, overIPv6: true))
        cloud.networks.append(.init("red/gresix", .gre(771), mtu: 9000, overIPv6: true))
        for network in ["six", "gresix"] {
            cloud.ports.append(.init("red/\(network)near", host: 1, "red/\(network)", mac: Names.web, [], mtu: 9000))
            cloud.ports.append(.init("red/\(network)far", host: 2, "red/\(network)", mac: Names.far, [], mtu: 9000))
        }
        for i in cloud.routers.indices {
            for j in cloud.routers[i].tunnels.indices { cloud.routers[i].tunnels[j].mtu = 9000 }
        }
        return cloud
    }

    @Test(
        "RFC 4459 §3.1: the largest packet over an underlay of 1500 bytes, routed into a tunnel",
        arguments: [
            ("10.9.0.5", 1480), ("2001:db8:9::5", 1480), ("10.6.0.5", 1460), ("2001:db8:6::5", 1460),
            ("10.7.0.5", 1476), ("10.8.0.5", 1468), ("2001:db8:8::5", 1468), ("10.5.0.5", 1456),
            ("2001:db8:5::5", 1456), ("10.0.1.22", 1458), ("2001:db8:b::22", 1458),
        ]
    )
    func routedSizes(_ destination: String, _ mtu: Int) throws {
        let bench = try Bench(PathMTURuleTests.wide)
        let isIPv6 = destination.contains(":")
        func sized(_ size: Int) -> [UInt8] {
            isIPv6
                ? ipv6(from: web6, to: destination, filler(size - 40))
                : ipv4(from: web4, to: destination, fragment: dontFragment, filler(size - 20))
        }
        let fits = bench.send(fromWeb(sized(mtu)), at: "red/web")
        #expect(fits.sent.count == 1 && fits.reason == nil)
        let large = sized(mtu + 1)
        let refused = Ending.refuses(.exceedsPathMTU, isIPv6 ? 2 : 3, isIPv6 ? 0 : 4, mtu: mtu, large)
        #expect(bench.send(fromWeb(large), at: "red/web") == refused)
    }

    @Test(
        "RFC 4459 §3.1: bridged into a tunnel: the switch says it in the name of the destination",
        arguments: [
            ("red/web", 1450), ("red/db", 1458), ("red/sixnear", 1430), ("red/gresixnear", 1438),
        ]
    )
    func bridgedSizes(_ port: String, _ mtu: Int) throws {
        let bench = try Bench(PathMTURuleTests.wide)
        let far = port == "red/db" ? Names.farDB : Names.far
        let near = port == "red/db" ? Names.db : Names.web
        for isIPv6 in [false, true] {
            func sized(_ size: Int) -> [UInt8] {
                isIPv6
                    ? ipv6(from: "2001:db8:a::11", to: "2001:db8:a::21", filler(size - 40))
                    : ipv4(from: "10.0.0.11", to: "10.0.0.21", fragment: dontFragment, filler(size - 20))
            }
            func frame(_ size: Int) -> [UInt8] { ethernet(to: far, from: near, sized(size)) }
            #expect(bench.send(frame(mtu), at: port).sent.count == 1)
            let error = icmpError(
                isIPv6 ? 2 : 3,
                isIPv6 ? 0 : 4,
                mtu,
                from: isIPv6 ? "2001:db8:a::21" : "10.0.0.21",
                to: isIPv6 ? "2001:db8:a::11" : "10.0.0.11",
                about: sized(mtu + 1)
            )
            let told = Sent.port(port, ethernet(to: near, from: far, error))
            #expect(bench.send(frame(mtu + 1), at: port) == .drop(.exceedsPathMTU, told))
        }
    }

    @Test("RFC 1191 §4: fragmentation needed carries the next hop's MTU, and the network's own counts too")
    func networkMTU() throws {
        let bench = try Bench()
        let large = ipv4(from: web4, to: "10.0.0.21", fragment: dontFragment, filler(1431))
        let error = icmpError(3, 4, 1450, from: "10.0.0.21", to: web4, about: large)
        #expect(
            bench.send(ethernet(to: Names.far, from: Names.web, large), at: "red/web")
                == .drop(.exceedsMTU, .port("red/web", ethernet(to: Names.web, from: Names.far, error)))
        )
        // Between networks: into one of smaller packets. From `data` (1458) to `app` (1450).
        let routed = ipv4(from: db4, to: web4, fragment: dontFragment, filler(1431))
        let told = icmpError(3, 4, 1450, from: dataGateway4, to: db4, about: routed)
        #expect(bench.send(fromDB(routed), at: "red/db") == .drop(.exceedsMTU, .port("red/db", toDB(told))))
    }

    @Test("RFC 8201 §4: nobody is told less than 1280 by ICMPv6")
    func ipv6Minimum() throws {
        let bench = try Bench()
        let taught = bench.state.region.taught
        let peer = bench.tables.peer(TestCloud.underlay(2))
        taught.learnPathMTU(576, peer: peer, now: bench.now, snapshot: bench.snapshot)
        let large = ipv6(from: web6, to: "2001:db8:a::21", filler(1300))
        let error = icmpError(2, 0, 1280, from: "2001:db8:a::21", to: web6, about: large)
        #expect(
            bench.send(ethernet(to: Names.far, from: Names.web, large), at: "red/web")
                == .drop(.exceedsPathMTU, .port("red/web", ethernet(to: Names.web, from: Names.far, error)))
        )
    }

    @Test("RFC 8201 §4: of an IPv6 underlay nothing below 1280 is believed")
    func ipv6Underlay() throws {
        let bench = try Bench()
        let taught = bench.state.region.taught
        let peer = bench.tables.peer(Names.sit6End(0))
        for mtu in [0, 68, 1279] as [UInt32] {
            taught.learnPathMTU(mtu, peer: peer, now: bench.now, snapshot: bench.snapshot)
            #expect(taught.pathMTU(peer, now: bench.now, snapshot: bench.snapshot) == 1500)
        }
        taught.learnPathMTU(1280, peer: peer, now: bench.now, snapshot: bench.snapshot)
        #expect(taught.pathMTU(peer, now: bench.now, snapshot: bench.snapshot) == 1280)
    }

    @Test("RFC 8201 §4: ICMP never makes the path wider; RFC 1191 §6.3: time does")
    func neverRaised() throws {
        let bench = try Bench()
        let taught = bench.state.region.taught
        let peer = bench.tables.peer(Names.ipipEnd(0))
        func limit(at second: UInt32) -> UInt32 { taught.pathMTU(peer, now: second, snapshot: bench.snapshot) }
        func learn(_ mtu: UInt32, at second: UInt32) {
            taught.learnPathMTU(mtu, peer: peer, now: second, snapshot: bench.snapshot)
        }
        #expect(limit(at: 1000) == 1500)
        learn(1400, at: 1000)
        #expect(limit(at: 1000) == 1400)
        learn(1450, at: 1001)
        #expect(limit(at: 1001) == 1400)
        learn(9000, at: 1002)
        #expect(limit(at: 1599) == 1400)
        #expect(limit(at: 1600) == 1500)
        // What was told by the file is never exceeded either.
        learn(9000, at: 1601)
        #expect(limit(at: 1601) == 1500)
        // Another peer's way is its own.
        #expect(taught.pathMTU(bench.tables.peer(Names.ipipEnd(1)), now: 1000, snapshot: bench.snapshot) == 1500)
    }

    @Test("RFC 6864 §4: what the router originates is atomic: DF, identification 0")
    func atomic() throws {
        let bench = try Bench()
        let expired = packet(from: web4, to: db4, ttl: 1)
        guard let answer = bench.send(fromWeb(expired), at: "red/web").answer else { return #expect(Bool(false)) }
        #expect(answer.bytes[14 + 4..<14 + 8] == [0, 0, 0x40, 0])
    }

    @Test("RFC 6946, RFC 8021: an atomic IPv6 fragment passes as it is, and none is made")
    func atomicFragments() throws {
        let bench = try Bench()
        func sent(_ hopLimit: Int) -> [UInt8] {
            ipv6(from: web6, to: db6, next: 44, hopLimit: hopLimit, [253, 0, 0, 0, 1, 2, 3, 4] + filler(20))
        }
        #expect(bench.send(fromWeb(sent(64)), at: "red/web") == .forward(.port("red/db", toDB(sent(63)))))
    }

    @Test("RFC 8200 §5: IPv6 is not cut in transit; RFC 1812 §5.3.7: IPv4 is, where DF is clear")
    func inTransit() throws {
        let bench = try Bench()
        let six = ipv6(from: db6, to: web6, filler(1411))
        let told = icmpError(2, 0, 1450, from: dataGateway6, to: db6, about: six)
        #expect(bench.send(fromDB(six), at: "red/db") == .drop(.exceedsMTU, .port("red/db", toDB(told))))
        #expect(bench.send(fromDB(ipv4(from: db4, to: web4, filler(1431))), at: "red/db").verdict == .forward)
        #expect(bench.decision.fragmentMTU == 1450)
    }

    @Test("RFC 4443 §2.4(e): a packet too big for the tunnel answers nothing about groups of IPv4, errors or parts")
    func noAnswerAboutErrors() throws {
        let bench = try Bench()
        func ending(_ packet: [UInt8]) -> Ending {
            bench.send(ethernet(to: Names.far, from: Names.web, packet), at: "red/web")
        }
        let quote = ipv4(from: "10.0.0.21", to: web4, filler(1430))
        let error = ipv4(from: web4, to: "10.0.0.21", protocol: 1, fragment: dontFragment, icmp(3, 3, 0, quote))
        #expect(ending(error) == .drop(.exceedsMTU))
        let later = ipv4(from: web4, to: "10.0.0.21", fragment: dontFragment | 5, filler(1440))
        #expect(ending(later) == .drop(.exceedsMTU))
        let martian = ipv4(from: "0.0.0.0", to: "10.0.0.21", fragment: dontFragment, filler(1440))
        #expect(ending(martian) == .drop(.exceedsMTU))
        let error6 = icmpv6(1, 0, from: web6, to: "2001:db8:a::21", filler(1440))
        #expect(ending(ipv6(from: web6, to: "2001:db8:a::21", next: 58, error6)) == .drop(.exceedsMTU))
        // A question is no error.
        let ping = echo(from: web6, to: "2001:db8:a::21", filler(1440))
        #expect(ending(ping).answer != nil)
    }
}
