import Forwarding
import Tables
import TestCloud
import Testing
import Wire

/// Neighbour discovery (RFC 4861, 4862, 6980) as routers take part in it.
@Suite struct NeighborDiscoveryTests {
    private let web = (mac: Names.web, ip: web6)
    private let gateway = (mac: Names.gateway, ip: gateway6)
    /// A station that the file does not know.
    private let guest = (mac: "02:00:00:00:00:99", ip: "2001:db8:a::99")

    @Test("RFC 4861 §7.2.4: who solicits the router's address gets a solicited advertisement from it")
    func solicited() throws {
        let bench = try Bench()
        let answer = advertisement(gateway, of: gateway6, to: web, flags: 0xE0)
        #expect(bench.send(solicitation(web, for: gateway6), at: "red/web") == .answer(.port("red/web", answer)))
        // RFC 4861 §7.3: to see whether it is still there, by unicast and without the option.
        let probe = solicitation(web, for: gateway6, to: Names.gateway, hasOption: false)
        #expect(bench.send(probe, at: "red/web") == .answer(.port("red/web", answer)))
    }

    @Test("RFC 4861 §7.2.4: the router's link-local address too")
    func linkLocal() throws {
        let bench = try Bench()
        let own = "fe80::ff:fe00:1"
        let host = (mac: Names.web, ip: "fe80::ff:fe00:11")
        let answer = advertisement((Names.gateway, own), of: own, to: host, flags: 0xE0)
        #expect(bench.send(solicitation(host, for: own), at: "red/web") == .answer(.port("red/web", answer)))
    }

    @Test("RFC 4862 §5.4.3: who wants to take the router's address is told before all")
    func duplicate() throws {
        let bench = try Bench()
        let probe = solicitation((guest.mac, "::"), for: gateway6, hasOption: false)
        let answer = advertisement(
            gateway,
            of: gateway6,
            to: ("33:33:00:00:00:01", "ff02::1"),
            flags: 0xA0
        )
        #expect(bench.send(probe, at: "red/web") == .answer(.port("red/web", answer)))
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.none)
    }

    @Test("RFC 4861 §7.2.3, §7.2.5: what is learned of solicitations and advertisements")
    func learning() throws {
        let bench = try Bench()
        _ = bench.send(solicitation(guest, for: gateway6), at: "red/web")
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.learn)
        #expect(bench.decision.neighbor.address == mapped(guest.ip))
        let frame = advertisement(guest, of: guest.ip, to: gateway)
        let ending = bench.send(frame, at: "red/web")
        #expect(ending == Ending(verdict: .relay, sent: [.vtep(2, "red/app", vxlan(5001, frame))]))
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.learn)
        // Unsolicited, to all: no entry is made of it.
        let all = advertisement(guest, of: guest.ip, to: ("33:33:00:00:00:01", "ff02::1"), flags: 0x20)
        #expect(bench.send(all, at: "red/web").verdict == .flood)
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.update)
    }

    @Test("OVN 35144aba9: an option or target that is not the sender's own is not believed")
    func forgedOption() throws {
        let bench = try Bench()
        _ = bench.send(solicitation(guest, for: gateway6, option: "02:00:00:00:00:98"), at: "red/web")
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.none)
        _ = bench.send(
            advertisement(guest, of: guest.ip, to: gateway, option: "02:00:00:00:00:98"),
            at: "red/web"
        )
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.none)
        // CVE-2023-5366: the target of a port of the file.
        _ = bench.send(advertisement(guest, of: web6, to: gateway), at: "red/web")
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.none)
    }

    /// A solicitation for the router, spoilt.
    struct Spoilt: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var frame: [UInt8]
    }

    static let spoilt: [Spoilt] = {
        let web = (mac: Names.web, ip: web6)
        func message(
            _ name: String,
            type: Int = 135,
            code: Int = 0,
            flags: Int = 0,
            target: String = gateway6,
            source: String = web6,
            options: [UInt8] = [],
            cut: Int = 0,
            mac destinationMAC: String = Names.gateway,
            destination: String = gateway6
        ) -> Spoilt {
            let data = (address(target) + options).dropLast(cut)
            let body = icmpv6(type, code, flags << 24, from: source, to: destination, Array(data))
            let packet = ipv6(from: source, to: destination, next: 58, hopLimit: 255, body)
            return Spoilt(testDescription: name, frame: ethernet(to: destinationMAC, from: Names.web, packet))
        }
        var badSum = solicitation(web, for: gateway6, to: Names.gateway)
        badSum[14 + 42] ^= 1
        let group = solicitedNode(gateway6)
        let zero = [UInt8](repeating: 0, count: 6)
        return [
            Spoilt(testDescription: "checksum", frame: badSum),
            message("code 1", code: 1),
            message("23 bytes", cut: 1),
            message("8 bytes", cut: 16),
            message("multicast target", target: "ff02::1"),
            message("option of length 0", options: [1, 0] + zero),
            message("option behind the end", options: [1, 2] + zero),
            message("option of length 255", options: [1, 255] + zero),
            message("half an option", options: [1]),
            message("no source, and a source option", source: "::", options: [1, 1] + zero),
            message("no source, and not to a solicited-node group", source: "::"),
            message("multicast source", source: "ff02::5"),
            message("advertisement with the solicited flag to a group", type: 136, flags: 0x40, destination: group.ip),
        ]
    }()

    @Test("RFC 4861 §7.1.1, §7.1.2: what is not valid is silently discarded", arguments: spoilt)
    func invalid(_ spoilt: Spoilt) throws {
        let bench = try Bench()
        let ending = bench.send(spoilt.frame, at: "red/web")
        #expect(ending.answer == nil && bench.decision.neighbor.kind == NeighborNews.Kind.none)
        #expect(ending.verdict == .drop)
    }

    @Test("RFC 4861 §7.1.1: hop limit 255, or it is from further away", arguments: [0, 1, 64, 254])
    func hopLimit(_ hopLimit: Int) throws {
        let bench = try Bench()
        let frame = solicitation(web, for: gateway6, to: Names.gateway, hopLimit: hopLimit)
        #expect(bench.send(frame, at: "red/web") == .drop(.noSuchService))
        #expect(bench.decision.neighbor.kind == NeighborNews.Kind.none)
    }

    @Test("RFC 6980 §5: neighbour discovery in fragments is silently discarded, atomic ones included")
    func fragmented() throws {
        let bench = try Bench()
        let data = address(gateway6) + [1, 1] + address(Names.web)
        let body = icmpv6(135, 0, from: web6, to: gateway6, data)
        let packet = ipv6(from: web6, to: gateway6, next: 44, hopLimit: 255, [58, 0, 0, 0, 0, 0, 0, 1] + body)
        let frame = ethernet(to: Names.gateway, from: Names.web, packet)
        #expect(bench.send(frame, at: "red/web") == .drop(.brokenNeighborDiscovery))
    }

    @Test("RFC 4861 §6.1.2: router advertisements and solicitations of others are none of the router's business")
    func routerDiscovery() throws {
        let bench = try Bench()
        let message = icmpv6(133, 0, from: web6, to: "ff02::2")
        let frame = ethernet(
            to: "33:33:00:00:00:02",
            from: Names.web,
            ipv6(from: web6, to: "ff02::2", next: 58, hopLimit: 255, message)
        )
        #expect(bench.send(frame, at: "red/web").verdict == .flood)
    }
}
