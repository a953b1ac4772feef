import Forwarding
import Tables
import TestCloud
import Testing
import Wire

/// The security record of tunnels: CVE-2020-10136 (IPIP), CVE-2025-23019 (6in4), CVE-2024-7595 (GRE), CVE-2025-23018
/// (4in6, 6in6). Each is the same mistake: to take out whatever comes in, from anybody, and to send it anywhere.
@Suite struct TunnelSecurityTests {
    /// Ways by the record that they stand in.
    static func ways(_ doors: [Door]) -> [Way] { Way.all.filter { doors.contains($0.door) } }
    static let ipip = ways([.raw(4)])
    static let sixInFour = ways([.raw(41)])
    static let gre = ways([.gre, .gre6])
    static let overIPv6 = ways([.raw6(4), .raw6(41)])

    @Test("CVE-2020-10136: IPIP is no open proxy", arguments: ipip)
    func ipipProxy(_ way: Way) throws { try attack(way) }

    @Test("CVE-2025-23019: 6in4 is no open proxy", arguments: sixInFour)
    func sixInFourProxy(_ way: Way) throws { try attack(way) }

    @Test("CVE-2024-7595: GRE is no open proxy", arguments: gre)
    func greProxy(_ way: Way) throws { try attack(way) }

    @Test("CVE-2025-23018: 4in6 and 6in6 are no open proxies", arguments: overIPv6)
    func overIPv6Proxy(_ way: Way) throws { try attack(way) }

    /// Everything that the papers try, through one tunnel.
    private func attack(_ way: Way) throws {
        let bench = try Bench()
        func receive(_ inner: [UInt8], from source: String? = nil, interface: UInt32 = 2) -> Ending {
            bench.receive(way.wrap(inner), by: way.door, from: source ?? way.end, interface: interface)
        }
        let good = packet(from: way.remote, to: way.local)
        // The sentinel.
        #expect(receive(good).sent.map(\.to) == [.port("red/web")])
        // An outer source that is not listed, also our own and the tunnel's neighbour.
        let strangers =
            way.door.isIPv6
            ? ["2001:db8:0:eeee::99", TestCloud.underlay(1, isIPv6: true), "::1"]
            : ["198.51.100.99", TestCloud.underlay(1), "127.0.0.1"]
        for stranger in strangers { #expect(receive(good, from: stranger) == .drop(.unknownPeer)) }
        // From a tenant's own device, whatever it claims.
        let device = HostTables.firstInterface
        #expect(receive(good, interface: device) == .drop(.tunnelFromTenant))
        // A spoofed inner source: anywhere in the world, the tenant's own, the router's.
        let world = way.isIPv6 ? "2001:db8:7777::1" : "203.0.113.9"
        #expect(receive(packet(from: world, to: way.local)) == .drop(.reversePath))
        #expect(receive(packet(from: way.local, to: way.isIPv6 ? db6 : db4)) == .drop(.reversePath))
        let own = way.isIPv6 ? gateway6 : gateway4
        #expect(receive(packet(from: own, to: way.local)) == .drop(.martianSource))
        // One-way proxy: to the world, which the tenant has no route to. The error goes to the source, into the tunnel.
        let out = receive(packet(from: way.remote, to: world))
        #expect(out.reason == .noRoute && out.sent.isEmpty)
        if let answer = out.answer { #expect(answer.to == .tunnel("red/gw", way.name)) }
        // Ping-pong: back into the tunnel that it came out of.
        let near = way.isIPv6 ? way.remote + "5" : "10." + way.remote.split(separator: ".")[1] + ".200.1"
        let pong = receive(packet(from: way.remote, to: near))
        #expect(pong.reason == .tunnelLoop && pong.sent.isEmpty)
        if let answer = pong.answer { #expect(answer.bytes.count < 128) }
    }

    @Test("a tunnel packet between the same two ends inside of one goes nowhere", arguments: Way.all)
    func nestedTunnel(_ way: Way) throws {
        let bench = try Bench()
        let isOverIPv6 = way.door.isIPv6
        // Inside: from the far end to us, once more. Only what can carry the outer family can hold it.
        guard way.isIPv6 == isOverIPv6 else { return }
        let here = TestCloud.underlay(1, isIPv6: isOverIPv6)
        for number in [4, 41, 47, 94] {
            let content = way.wrap(packet(from: way.remote, to: way.local))
            let nested =
                isOverIPv6
                ? ipv6(from: way.end, to: here, next: number, content)
                : ipv4(from: way.end, to: here, protocol: number, content)
            let ending = bench.receive(way.wrap(nested), by: way.door, from: way.end)
            #expect(ending == .drop(.nestedTunnel), "protocol \(number)")
        }
    }

    @Test("a tenant's own tunnel inside of one is a tenant's packet like any other: it arrives whole")
    func tenantsTunnel() throws {
        let bench = try Bench()
        func inside(_ ttl: Int) -> [UInt8] {
            ipv4(from: "10.9.0.5", to: web4, protocol: 4, ttl: ttl, ipv4(from: "10.1.1.1", to: "10.1.1.2", filler(9)))
        }
        let ending = bench.receive(inside(64), by: .raw(4), from: Names.ipipEnd(0))
        #expect(ending == .forward(.port("red/web", toWeb(inside(63)))))
        // To the router it is nothing that it offers.
        let own = ipv4(from: "10.9.0.5", to: gateway4, protocol: 4, ipv4(from: "10.1.1.1", to: "10.1.1.2"))
        let refused = bench.receive(own, by: .raw(4), from: Names.ipipEnd(0))
        #expect(refused.reason == .noSuchService && refused.sent.isEmpty)
    }

    @Test("VXLAN inside of a network is a tenant's datagram, also to our own address and port")
    func nestedVXLAN() throws {
        let bench = try Bench()
        let inner = ethernet(to: Names.web, from: Names.far, packet(from: "10.0.0.21", to: web4))
        let nested = ipv4(
            from: TestCloud.underlay(2),
            to: TestCloud.underlay(1),
            protocol: 17,
            udp(50_000, 4789, vxlan(5002, inner))
        )
        let frame = ethernet(to: Names.web, from: Names.far, nested)
        let ending = bench.receive(vxlan(5001, frame), by: .vxlan, from: TestCloud.underlay(2))
        #expect(ending == .forward(.port("red/web", frame)))
    }

    // MARK: Protocol numbers

    @Test("protocol 94 is KA9Q's, not IPIP: dropped for a reason of its own, whoever sends it")
    func ka9q() throws {
        let bench = try Bench()
        let inner = packet(from: "10.9.0.5", to: web4)
        for source in [Names.ipipEnd(0), Names.ipipEnd(1), "198.51.100.99"] {
            #expect(bench.receive(inner, by: .raw(94), from: source) == .drop(.ka9qIPIP))
        }
        #expect(bench.receive([], by: .raw(94), from: Names.ipipEnd(0)) == .drop(.ka9qIPIP))
        #expect(bench.receive(inner, by: .raw6(94), from: Names.ipip6End(0)) == .drop(.ka9qIPIP))
        let sentence = DropReason.ka9qIPIP.sentence
        #expect(sentence.contains("94") && sentence.contains("protocol 4"))
    }

    @Test("protocol 41 with IPv4 inside, and 4 with IPv6 inside: reasons of their own that name both")
    func wrongFamily() throws {
        let bench = try Bench()
        let four = packet(from: "10.9.0.5", to: web4)
        let six = packet(from: "2001:db8:9::5", to: web6)
        #expect(bench.receive(four, by: .raw(41), from: Names.sitEnd(0)) == .drop(.protocol41WithoutIPv6))
        #expect(bench.receive(four, by: .raw6(41), from: Names.sit6End(0)) == .drop(.protocol41WithoutIPv6))
        #expect(bench.receive(six, by: .raw(4), from: Names.ipipEnd(0)) == .drop(.protocol4WithoutIPv4))
        #expect(bench.receive(six, by: .raw6(4), from: Names.ipip6End(0)) == .drop(.protocol4WithoutIPv4))
        for reason in [DropReason.protocol41WithoutIPv6, .protocol4WithoutIPv4] {
            #expect(reason.sentence.contains("41") && reason.sentence.contains("4 "))
        }
        for version in [0, 5, 7, 15] as [UInt8] {
            #expect(bench.receive([version << 4], by: .raw(4), from: Names.ipipEnd(0)) == .drop(.protocol4WithoutIPv4))
        }
    }

    // MARK: What is not there is not read

    @Test("CVE-2024-26882: ECN is not taken over into a header that is not there", arguments: Way.all)
    func truncatedInside(_ way: Way) throws {
        let bench = try Bench()
        // With a GRE checksum that is right for what there is, so that it is not the reason.
        let whole = packet(from: way.remote, to: way.local)
        let fixed = way.isIPv6 ? 40 : 20
        for length in 1..<fixed {
            let ending = bench.receive(way.wrap(Array(whole.prefix(length))), by: way.door, from: way.end, tos: 3)
            #expect(ending == .drop(.brokenIPHeader), "\(length) bytes")
        }
        let nothing = bench.receive(way.wrap([]), by: way.door, from: way.end, tos: 3)
        #expect(nothing.verdict == .drop && nothing.sent.isEmpty)
    }

    @Test("CVE-2016-10377: bytes behind the IP total length are nobody's")
    func trailer() throws {
        let bench = try Bench()
        let trailer = [UInt8](repeating: 0xEE, count: 30)
        for way in Way.all where way.name != "gre" {
            let inner = packet(from: way.remote, to: way.local) + trailer
            let ending = bench.receive(way.wrap(inner), by: way.door, from: way.end)
            let expected = packet(from: way.remote, to: way.local, ttl: 63)
            #expect(ending == .forward(.port("red/web", toWeb(expected))), "\(way)")
        }
    }

    @Test("CVE-2020-35498: a short packet in a long frame is judged and sent by what it is")
    func padded() throws {
        let bench = try Bench()
        let frame = fromWeb(packet(from: web4, to: "10.9.0.5")) + [UInt8](repeating: 0xEE, count: 1500)
        let expected = packet(from: web4, to: "10.9.0.5", ttl: 63)
        #expect(bench.send(frame, at: "red/web") == .forward(.tunnel("red/gw", "ipip", Names.ipipEnd(0), expected)))
    }

    @Test("OVN 2c063b508: an ICMP error quotes nothing that was not received")
    func quoteIsReceived() throws {
        let bench = try Bench()
        // A packet that says 1500 bytes in a frame of 60: to the router no packet at all.
        var liar = ipv4(from: web4, to: db4, ttl: 1, fragment: dontFragment, filler(26))
        liar.replaceSubrange(2..<4, with: be16(1500))
        liar.replaceSubrange(10..<12, with: [0, 0])
        liar.replaceSubrange(10..<12, with: be16(0xFFFF - onesSum(Array(liar[..<20]))))
        #expect(bench.send(fromWeb(liar), at: "red/web") == .drop(.brokenIPHeader))
        // Bridged into a tunnel: too large, and claims to be larger still. Nothing is said about a lie.
        for claimed in [9000, 65_535] {
            var large = ipv4(from: web4, to: "10.0.0.21", protocol: 17, fragment: dontFragment, udp(1, 2, filler(1450)))
            large.replaceSubrange(2..<4, with: be16(claimed))
            large.replaceSubrange(10..<12, with: [0, 0])
            large.replaceSubrange(10..<12, with: be16(0xFFFF - onesSum(Array(large[..<20]))))
            let ending = bench.send(ethernet(to: Names.far, from: Names.web, large), at: "red/web")
            #expect(ending == .drop(.exceedsMTU))
        }
        // And nothing behind the end that the packet itself names: the rest is the link's.
        let small = ipv4(from: web4, to: "10.0.0.21", protocol: 17, fragment: dontFragment, udp(1, 2, filler(20)))
        let stretched = ethernet(to: Names.far, from: Names.web, small + [UInt8](repeating: 0xEE, count: 1450))
        let told = bench.send(stretched, at: "red/web")
        let error = icmpError(3, 4, 1450, from: "10.0.0.21", to: web4, about: small)
        #expect(told.answer == .port("red/web", ethernet(to: Names.web, from: Names.far, error)))
    }

    @Test("CVE-2026-63992: too large and no honest packet: dropped, and only what may be answered is")
    func oversizeOddities() throws {
        var cloud = TestCloud.twoTenants
        cloud.networks[cloud.index(of: "red/app")].isTransparent = true
        let bench = try Bench(cloud)
        func ending(_ packet: [UInt8], tags: [(type: Int, tag: Int)] = []) -> Ending {
            bench.send(ethernet(to: Names.far, from: Names.web, tags: tags, packet), at: "red/web")
        }
        let large = ipv4(from: web4, to: "10.0.0.21", fragment: dontFragment, filler(1450))
        #expect(ending(large).answer != nil)
        // With a tag of the tenant's own nobody knows how an answer would have to look.
        #expect(ending(large, tags: [(0x8100, 7)]) == .drop(.exceedsPathMTU))
        // An IP header that is none.
        for first in [0x44, 0x4F, 0x55] as [UInt8] {
            var broken = large
            broken[0] = first
            let ending = ending(broken)
            #expect(ending.reason == .exceedsMTU && ending.sent.isEmpty)
            if first != 0x4F { #expect(ending.answer == nil) }
        }
        // Extension headers that lead nowhere.
        let endless = ipv6(from: web6, to: "2001:db8:a::21", next: 0, [UInt8](repeating: 0, count: 1450))
        #expect(ending(endless) == .drop(.exceedsMTU))
        // Something that is not IP at all.
        let odd = ethernet(to: Names.far, from: Names.web, type: 0x88B5, filler(1500))
        #expect(bench.send(odd, at: "red/web") == .drop(.exceedsMTU))
    }
}
