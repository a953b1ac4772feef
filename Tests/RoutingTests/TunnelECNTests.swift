import Forwarding
import TestCloud
import Testing
import Wire

/// RFC 6040 (RFC 9601 for VXLAN and GRE) and RFC 2983 through every tunnel, over IPv4 and IPv6, with both inside.
@Suite struct TunnelECNTests {
    /// Bits: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE.
    struct Cell: CustomTestStringConvertible, Sendable {
        var inner: Int
        var outer: Int
        /// nil: dropped.
        var result: Int?
        var alarm: Event?

        var testDescription: String {
            func name(_ bits: Int) -> String { ["Not-ECT", "ECT(1)", "ECT(0)", "CE"][bits] }
            return "\(name(inner)) inside, \(name(outer)) outside: \(result.map(name) ?? "dropped")"
        }
    }

    /// Figure 4.
    static let cells = [
        Cell(inner: 0, outer: 0, result: 0), Cell(inner: 0, outer: 2, result: 0, alarm: .ecnAlarm),
        Cell(inner: 0, outer: 1, result: 0, alarm: .ecnAlarm), Cell(inner: 0, outer: 3, alarm: .ecnAlarm),
        Cell(inner: 2, outer: 0, result: 2), Cell(inner: 2, outer: 2, result: 2),
        Cell(inner: 2, outer: 1, result: 1), Cell(inner: 2, outer: 3, result: 3),
        Cell(inner: 1, outer: 0, result: 1), Cell(inner: 1, outer: 2, result: 1, alarm: .ecnNotice),
        Cell(inner: 1, outer: 1, result: 1), Cell(inner: 1, outer: 3, result: 3),
        Cell(inner: 3, outer: 0, result: 3), Cell(inner: 3, outer: 2, result: 3),
        Cell(inner: 3, outer: 1, result: 3, alarm: .ecnAlarm), Cell(inner: 3, outer: 3, result: 3),
    ]

    /// A bridged network in a tunnel: the port in it, and the header.
    struct Segment: CustomTestStringConvertible, Sendable {
        var name: String
        var door: Door
        var wrap: @Sendable ([UInt8]) -> [UInt8]

        var testDescription: String { "\(name) over \(door.isIPv6 ? "IPv6" : "IPv4")" }

        static let all = [
            Segment(name: "vx", door: .vxlan) { vxlan(6001, $0) },
            Segment(name: "vx6", door: .vxlan6) { vxlan(6002, $0) },
            Segment(name: "gre", door: .gre) { gre(key: 601, type: 0x6558, $0) },
            Segment(name: "gre6", door: .gre6) { gre(key: 602, type: 0x6558, $0) },
        ]
    }

    /// A network of each kind, with a port `near` here and `far` on host 2.
    static var cloud: TestCloud {
        var cloud = TestCloud()
        for (name, carrier, overIPv6) in [
            ("vx", .vxlan(6001), false), ("vx6", .vxlan(6002), true),
            ("gre", .gre(601), false), ("gre6", .gre(602), true),
        ] as [(String, TestCloud.Carrier, Bool)] {
            cloud.networks.append(.init(name, carrier, mtu: 1400, overIPv6: overIPv6))
            cloud.ports.append(.init("\(name)/near", host: 1, name, mac: Names.web, [], mtu: 1400))
            cloud.ports.append(.init("\(name)/far", host: 2, name, mac: Names.far, [], mtu: 1400))
        }
        return cloud
    }

    /// DSCP 46 inside, DSCP 10 outside.
    static func inner(_ isIPv6: Bool, _ ecn: Int, ttl: Int = 64, from: String, to: String) -> [UInt8] {
        isIPv6
            ? ipv6(from: from, to: to, hopLimit: ttl, tos: 0xB8 | ecn, flow: 0xABCDE, filler(33))
            : ipv4(from: from, to: to, ttl: ttl, tos: 0xB8 | ecn, options: [1, 1, 1, 1], filler(33))
    }

    @Test("RFC 6040 §4.2, RFC 9601: decapsulation of Ethernet", arguments: cells, Segment.all)
    func bridged(_ cell: Cell, _ segment: Segment) throws {
        let bench = try Bench(TunnelECNTests.cloud)
        for isIPv6 in [false, true] {
            func frame(_ ecn: Int) -> [UInt8] {
                let ends = isIPv6 ? (web6, "2001:db8:a::21") : (web4, "10.0.0.21")
                return ethernet(
                    to: Names.web,
                    from: Names.far,
                    TunnelECNTests.inner(isIPv6, ecn, from: ends.1, to: ends.0)
                )
            }
            let source = TestCloud.underlay(2, isIPv6: segment.door.isIPv6)
            let arrived = segment.wrap(frame(cell.inner))
            let ending = bench.receive(arrived, by: segment.door, from: source, tos: 0x28 | cell.outer)
            // The whole frame: the DSCP is the tenant's own (RFC 2983, pipe), the IPv4 checksum is right again.
            let expected = cell.result.map { Ending.forward(.port("\(segment.name)/near", frame($0))) }
            #expect(ending == expected ?? .drop(.ecnInvalid))
            #expect(bench.decision.events == cell.alarm?.bit ?? 0)
            #expect(bench.decision.learns == false)
        }
    }

    @Test("RFC 6040 §4.2: decapsulation of packets: IPIP, SIT and IP in GRE", arguments: cells, Way.all)
    func routed(_ cell: Cell, _ way: Way) throws {
        let bench = try Bench()
        func inner(_ ecn: Int, ttl: Int = 64) -> [UInt8] {
            TunnelECNTests.inner(way.isIPv6, ecn, ttl: ttl, from: way.remote, to: way.local)
        }
        let ending = bench.receive(way.wrap(inner(cell.inner)), by: way.door, from: way.end, tos: 0x28 | cell.outer)
        let expected = cell.result.map { Ending.forward(.port("red/web", toWeb(inner($0, ttl: 63)))) }
        #expect(ending == expected ?? .drop(.ecnInvalid))
        #expect(bench.decision.events == cell.alarm?.bit ?? 0)
    }

    @Test("RFC 6040 §4.2: what a tunnel behind the first one is told is what came out", arguments: cells)
    func fromTunnelToTunnel(_ cell: Cell) throws {
        let bench = try Bench()
        func inner(_ ecn: Int, ttl: Int = 64) -> [UInt8] {
            TunnelECNTests.inner(false, ecn, ttl: ttl, from: "10.9.0.5", to: "10.7.0.5")
        }
        let ending = bench.receive(inner(cell.inner), by: .raw(4), from: Names.ipipEnd(0), tos: cell.outer)
        let expected = cell.result.map { ecn in
            let sent = gre(inner(ecn, ttl: 63))
            return Ending.forward(.tunnel("red/gw", "plain", Names.greEnd(0), tos: UInt8(ecn), sent))
        }
        #expect(ending == expected ?? .drop(.ecnInvalid))
    }

    @Test(
        "RFC 6040 §4.1, RFC 2983: bridged into a tunnel, ECN goes outside as it is and the DSCP does not",
        arguments: Segment.all,
        [0, 1, 2, 3]
    )
    func encapsulationOfFrames(_ segment: Segment, _ ecn: Int) throws {
        let bench = try Bench(TunnelECNTests.cloud)
        for isIPv6 in [false, true] {
            let ends = isIPv6 ? (web6, "2001:db8:a::21") : (web4, "10.0.0.21")
            let packet = TunnelECNTests.inner(isIPv6, ecn, from: ends.0, to: ends.1)
            let frame = ethernet(to: Names.far, from: Names.web, packet)
            let expected = Sent.vtep(
                2,
                segment.name,
                isIPv6: segment.door.isIPv6,
                tos: UInt8(ecn),
                segment.wrap(frame)
            )
            #expect(bench.send(frame, at: "\(segment.name)/near") == .forward(expected))
        }
    }

    @Test("RFC 6040 §4.1, RFC 2983: routed into a tunnel, the same", arguments: Way.all, [0, 1, 2, 3])
    func encapsulationOfPackets(_ way: Way, _ ecn: Int) throws {
        let bench = try Bench()
        func inner(ttl: Int) -> [UInt8] {
            TunnelECNTests.inner(way.isIPv6, ecn, ttl: ttl, from: way.local, to: way.remote)
        }
        let ending = bench.send(fromWeb(inner(ttl: 64)), at: "red/web")
        #expect(ending == .forward(way.sent(tos: UInt8(ecn), inner(ttl: 63))))
    }

    @Test("RFC 6040 §4.1: what is not IP goes with ECN 0 and DSCP 0", arguments: Segment.all)
    func notIP(_ segment: Segment) throws {
        let bench = try Bench(TunnelECNTests.cloud)
        let frame = arp(2, (Names.web, web4), (Names.far, "10.0.0.21"))
        let expected = Sent.vtep(2, segment.name, isIPv6: segment.door.isIPv6, segment.wrap(frame))
        #expect(bench.send(frame, at: "\(segment.name)/near") == .forward(expected))
        // Congestion that it met has nobody to be told to.
        let back = arp(2, (Names.far, "10.0.0.21"), (Names.web, web4))
        let source = TestCloud.underlay(2, isIPv6: segment.door.isIPv6)
        #expect(
            bench.receive(segment.wrap(back), by: segment.door, from: source, tos: 3)
                == .forward(.port("\(segment.name)/near", back))
        )
    }
}
