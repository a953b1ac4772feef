import Forwarding
import Tables
import TestCloud
import Testing
import Wire

/// IP in IP: RFC 2003, RFC 4213 (IPv6 in IPv4) and RFC 2473 (over IPv6).
@Suite struct IPInIPTests {
    static let ways = Way.all.filter { !$0.isGRE }

    @Test("RFC 2003 §3.1, RFC 4213 §3, RFC 2473 §3 II1: IPv4 leaves as protocol 4, IPv6 as 41", arguments: ways)
    func protocolNumbers(_ way: Way) throws {
        let bench = try Bench()
        let ending = bench.send(fromWeb(packet(from: way.local, to: way.remote)), at: "red/web")
        #expect(ending == .forward(way.sent(packet(from: way.local, to: way.remote, ttl: 63))))
        let place = bench.tables.builder.attachments[Int(bench.decision.attachment)]
        let endpoint = bench.tables.builder.endpoints[Int(place.endpoint)]
        #expect(endpoint.port == (way.isIPv6 ? 41 : 4))
    }

    @Test("RFC 2003 §3.1 II2: nothing of the inner header changes but TTL and checksum")
    func innerHeader() throws {
        let bench = try Bench()
        func inner(ttl: Int) -> [UInt8] {
            ipv4(
                from: web4,
                to: "10.9.0.5",
                protocol: 17,
                ttl: ttl,
                tos: 0xB8,
                id: 0xABCD,
                fragment: dontFragment,
                options: [0x44, 4, 5, 0, 1, 1],
                udp(1, 2, filler(101))
            )
        }
        let ending = bench.send(fromWeb(inner(ttl: 9)), at: "red/web")
        #expect(ending == .forward(.tunnel("red/gw", "ipip", Names.ipipEnd(0), inner(ttl: 8))))
    }

    @Test("RFC 2003 §3.1 II2: padding of the link stays behind")
    func padding() throws {
        let bench = try Bench()
        let short = fromWeb(packet(from: web4, to: "10.9.0.5")) + [UInt8](repeating: 0xEE, count: 23)
        let ending = bench.send(short, at: "red/web")
        #expect(
            ending == .forward(.tunnel("red/gw", "ipip", Names.ipipEnd(0), packet(from: web4, to: "10.9.0.5", ttl: 63)))
        )
    }

    @Test("RFC 2003 §3.1 II3: TTL 0, and 1 which would become 0, is not encapsulated", arguments: ways, [0, 1])
    func ttlZeroIsNotEncapsulated(_ way: Way, _ ttl: Int) throws {
        let bench = try Bench()
        let sent = packet(from: way.local, to: way.remote, ttl: ttl)
        let ending = bench.send(fromWeb(sent), at: "red/web")
        #expect(ending == .refuses(.hopLimitExceeded, way.isIPv6 ? 3 : 11, 0, sent))
        let enough = bench.send(fromWeb(packet(from: way.local, to: way.remote, ttl: 2)), at: "red/web")
        #expect(enough == .forward(way.sent(packet(from: way.local, to: way.remote, ttl: 1))))
    }

    @Test("RFC 2003 §3.1 II4: decapsulation leaves the TTL, forwarding takes one", arguments: Way.all)
    func ttlBehindTheTunnel(_ way: Way) throws {
        let bench = try Bench()
        let ending = bench.receive(way.wrap(packet(from: way.remote, to: way.local)), by: way.door, from: way.end)
        #expect(ending == .forward(.port("red/web", toWeb(packet(from: way.remote, to: way.local, ttl: 63)))))
    }

    @Test("RFC 2003 §3.1 II4: TTL 0 out of a tunnel is discarded, also if it is for the router itself")
    func ttlZeroOutOfATunnel() throws {
        let bench = try Bench()
        let transit = packet(from: "10.9.0.5", to: web4, ttl: 0)
        let error = icmpError(11, 0, from: "10.255.0.1", to: "10.9.0.5", about: transit)
        #expect(
            bench.receive(transit, by: .raw(4), from: Names.ipipEnd(0))
                == .drop(.hopLimitExceeded, .tunnel("red/gw", "ipip", Names.ipipEnd(0), error))
        )
        let own = echo(from: "10.9.0.5", to: "10.255.0.1", ttl: 0)
        #expect(bench.receive(own, by: .raw(4), from: Names.ipipEnd(0)) == .drop(.hopLimitExceeded))
        // RFC 1122 §3.2.1.7: 1 is enough to arrive.
        let reply = echo(from: "10.255.0.1", to: "10.9.0.5", isReply: true)
        #expect(
            bench.receive(echo(from: "10.9.0.5", to: "10.255.0.1", ttl: 1), by: .raw(4), from: Names.ipipEnd(0))
                == .answer(.tunnel("red/gw", "ipip", Names.ipipEnd(0), reply))
        )
    }

    /// The outer header is the socket's, and always says DF: so what may be cut is cut before it goes into the tunnel.
    @Test("RFC 2003 §3.1 II5: with DF an inner packet that is too large is refused, without it is cut to fit")
    func dontFragmentFlag() throws {
        let bench = try Bench()
        func inner(_ flag: Int) -> [UInt8] { ipv4(from: web4, to: "10.9.0.5", fragment: flag, filler(1461)) }
        let refused = inner(dontFragment)
        #expect(bench.send(fromWeb(refused), at: "red/web") == .refuses(.exceedsMTU, 3, 4, mtu: 1480, refused))
        #expect(bench.send(fromWeb(inner(0)), at: "red/web").verdict == .forward)
        #expect(bench.decision.fragmentMTU == 1480)
        #expect(bench.decision.events & Event.fragmented.bit != 0)
        let fits = ipv4(from: web4, to: "10.9.0.5", fragment: dontFragment, filler(1460))
        #expect(bench.send(fromWeb(fits), at: "red/web").verdict == .forward)
        #expect(bench.decision.fragmentMTU == 0)
    }

    @Test("RFC 2003 §3.2 II7: nothing from or for an end of the tunnel goes into it")
    func loops() throws {
        var cloud = TestCloud.twoTenants
        cloud.change("red/gw") {
            $0.routes.append(("198.51.100.0/24", [.tunnel("ipip")]))
            $0.routes.append(("2001:db8:0:eeee::/64", [.tunnel("sit6")]))
            $0.reversePath = 0
        }
        let bench = try Bench(cloud)
        let end = Names.ipipEnd(0)
        #expect(bench.send(fromWeb(packet(from: web4, to: end)), at: "red/web") == .drop(.tunnelLoop))
        #expect(bench.send(fromWeb(packet(from: end, to: "10.9.0.5")), at: "red/web") == .drop(.tunnelLoop))
        #expect(bench.send(fromWeb(packet(from: web6, to: Names.sit6End(0))), at: "red/web") == .drop(.tunnelLoop))
        // The next address is somebody else's.
        let other = packet(from: web4, to: "198.51.100.99", ttl: 63)
        #expect(
            bench.send(fromWeb(packet(from: web4, to: "198.51.100.99")), at: "red/web")
                == .forward(.tunnel("red/gw", "ipip", end, other))
        )
    }

    @Test("RFC 2003 §3.2 II7: nothing that claims to be from the router itself goes into a tunnel")
    func ownAddressAsSource() throws {
        let bench = try Bench()
        for own in [gateway4, dataGateway4, "10.255.0.1"] {
            #expect(bench.send(fromWeb(packet(from: own, to: "10.9.0.5")), at: "red/web") == .drop(.martianSource))
        }
    }

    @Test("RFC 2003 §4.1, §5.1 II8, II9: what is too big for the way under the tunnel is told to the inner sender")
    func pathMTUIsTold() throws {
        let bench = try Bench()
        let sent = ipv4(from: web4, to: "10.9.0.5", fragment: dontFragment, filler(1400))
        #expect(bench.send(fromWeb(sent), at: "red/web").verdict == .forward)
        let peer = bench.tables.peer(Names.ipipEnd(0))
        bench.state.region.taught.learnPathMTU(1400, peer: peer, now: bench.now, snapshot: bench.snapshot)
        #expect(bench.send(fromWeb(sent), at: "red/web") == .refuses(.exceedsPathMTU, 3, 4, mtu: 1380, sent))
        // Soft state: forgotten after ten minutes.
        bench.now += 599
        #expect(bench.send(fromWeb(sent), at: "red/web").reason == .exceedsPathMTU)
        bench.now += 1
        #expect(bench.send(fromWeb(sent), at: "red/web").verdict == .forward)
    }

    @Test("RFC 4213 §3.6 II10: a tunnel has one far end; from elsewhere nothing comes out", arguments: Way.all)
    func tunnelSource(_ way: Way) throws {
        let bench = try Bench()
        let inner = way.wrap(packet(from: way.remote, to: way.local))
        let stranger = way.door.isIPv6 ? "2001:db8:0:eeee::99" : "198.51.100.99"
        #expect(bench.receive(inner, by: way.door, from: stranger) == .drop(.unknownPeer))
        // A VTEP of the cloud is a peer, but not of this tunnel.
        let vtep = TestCloud.underlay(2, isIPv6: way.door.isIPv6)
        #expect(bench.receive(inner, by: way.door, from: vtep).sent.isEmpty)
        // Blue's far end speaks for blue: red's addresses behind it are blue's.
        let blue = way.door.isIPv6 ? Names.sit6End(1) : Names.sitEnd(1)
        if way.name.hasPrefix("sit") {
            let ending = bench.receive(inner, by: way.door, from: blue)
            #expect(ending.sent.map(\.to) == [.port("blue/web")])
        }
    }

    @Test(
        "RFC 4213 §3.6 II10: inner sources that are no host's",
        arguments: ["ff02::1", "::1", "::", "::10.0.0.1", "::ffff:10.0.0.1"]
    )
    func innerSources(_ source: String) throws {
        let bench = try Bench()
        let inner = packet(from: source, to: web6)
        #expect(bench.receive(inner, by: .raw(41), from: Names.sitEnd(0)) == .drop(.martianSource))
        #expect(bench.receive(inner, by: .raw6(41), from: Names.sit6End(0)) == .drop(.martianSource))
    }

    @Test("RFC 4213 §3.6 II10: an inner source that is not behind the tunnel is spoofed", arguments: Way.all)
    func ingressFilter(_ way: Way) throws {
        let bench = try Bench()
        let spoofed = way.isIPv6 ? "2001:db8:b::12" : "10.0.1.12"
        let inner = way.wrap(packet(from: spoofed, to: way.local))
        #expect(bench.receive(inner, by: way.door, from: way.end) == .drop(.reversePath))
    }

    @Test("RFC 2473 §7.1 II11: IPv6 that is too large: at least 1280 bytes may stay", arguments: ["sit", "sit6"])
    func ipv6TooBig(_ name: String) throws {
        let bench = try Bench()
        let prefix = name == "sit" ? "2001:db8:9::5" : "2001:db8:6::5"
        let mtu = name == "sit" ? 1480 : 1460
        let sent = ipv6(from: web6, to: prefix, filler(mtu - 39))
        #expect(bench.send(fromWeb(sent), at: "red/web") == .refuses(.exceedsMTU, 2, 0, mtu: mtu, sent))
        let peer = bench.tables.peer(name == "sit" ? Names.sitEnd(0) : Names.sit6End(0))
        bench.state.region.taught.learnPathMTU(1290, peer: peer, now: bench.now, snapshot: bench.snapshot)
        #expect(bench.send(fromWeb(sent), at: "red/web") == .refuses(.exceedsPathMTU, 2, 0, mtu: 1280, sent))
    }

    @Test("RFC 2473 §7.2 II11: IPv4 over IPv6 that is too large: with DF refused, else cut")
    func ipv4OverIPv6TooBig() throws {
        let bench = try Bench()
        let sent = ipv4(from: web4, to: "10.6.0.5", fragment: dontFragment, filler(1441))
        #expect(bench.send(fromWeb(sent), at: "red/web") == .refuses(.exceedsMTU, 3, 4, mtu: 1460, sent))
        #expect(bench.send(fromWeb(ipv4(from: web4, to: "10.6.0.5", filler(1441))), at: "red/web").verdict == .forward)
        #expect(bench.decision.fragmentMTU == 1460)
    }
}
