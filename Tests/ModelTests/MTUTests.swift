import Model
import Testing
import Wire

@Suite struct MTUTests {
    @Test(arguments: [
        (Segment.local, 0, 0), (.flat(physical: "p"), 0, 0), (.vlan(physical: "p", id: 5, protocol: .dot1ad), 0, 0),
        (.vxlan(id: 5, port: 4789), 50, 70), (.gre(key: 5), 42, 62),
    ])
    func overheads(segment: Segment, ipv4: Int, ipv6: Int) {
        var network = Network(tenant: "red", name: "app", segment: segment)
        #expect(network.overhead(outerIPv6: false) == ipv4)
        #expect(network.overhead(outerIPv6: true) == ipv6)
        network.vlanTransparent = true
        #expect(network.overhead(outerIPv6: false) == (segment.isTunnel ? ipv4 + 4 : 0))
    }

    private let text = """
        sluice: 1
        lab: {mtu: 1500}
        hosts:
          h1: {vtep: 192.0.2.1}
          h2: {vtep: [192.0.2.2, "2001:db8::2"]}
          h3: {vtep: "2001:db8::3"}
        tenants:
          red:
            networks:
              v4: {segment: {type: vxlan, id: 1}}
              v6: {segment: {type: vxlan, id: 2}}
              both: {segment: {type: gre, id: 3}, remotes: ["2001:db8::9"]}
              set: {segment: {type: gre, id: 4}, mtu: 1400}
            ports:
              a: {host: h1, network: v4, attach: {netns: a}}
              b: {host: h2, trunk: {10: v4, 20: v6}, attach: {netns: b}}
              c: {host: h3, network: v6, attach: {netns: c}}
              d: {host: h2, network: both, attach: {netns: d}}
              e: {host: h2, trunk: {untagged: v4, 30: set}, attach: {netns: e}}
              f: {host: h2, network: v4, mtu: 1000, attach: {netns: f}}
        """

    /// The dearest way decides: a host without an IPv4 VTEP, or a remote with an IPv6 one.
    @Test func ofNetworksAndPorts() throws {
        let topology = try load(text)
        let red = topology.tenants[0]
        let mtus = topology.mtus(underlayMTU: 1500)
        #expect(red.networks.map { mtus.of($0) } == [1450, 1430, 1438, 1400])
        #expect(red.networks.map { mtus.fitting($0) } == [1450, 1430, 1438, 1458])
        #expect(red.networks.map { topology.mtu(of: $0, underlayMTU: 1500) } == [1450, 1430, 1438, 1400])
        #expect(red.ports.map { mtus.of($0) } == [1450, 1430, 1430, 1438, 1400, 1000])
    }

    @Test func warnings() throws {
        let topology = try load(
            """
            sluice: 1
            lab: {mtu: 1300}
            hosts: {h1: {vtep: 192.0.2.1}, h2: {vtep: 192.0.2.2}}
            tenants:
              red:
                networks:
                  hole: {segment: {type: vxlan, id: 1}, mtu: 1400}
                  narrow: {segment: {type: gre, id: 2}, subnets: "fd00::/64"}
                  empty: {segment: {type: local}}
                  apart: {segment: {type: local}, subnets: 10.0.0.0/24}
                ports:
                  a: {host: h1, network: hole, attach: {netns: a}}
                  b: {host: h1, network: narrow, address: "fd00::5/64", attach: {netns: b}}
                  c: {host: h1, network: apart, address: 10.0.0.5/16, attach: {netns: c}}
                  d: {host: h2, network: apart, attach: {netns: d}}
                  e: {host: h2, network: hole, mtu: 1401, attach: {netns: e}}
            """
        )
        let found = topology.warnings(underlayMTU: 1300)
        let expected = [
            (2, "lab", "has no `underlay`"),
            (7, "tenants.red.networks.hole.mtu", "the underlay's 1300 leave 1250 for vxlan 1"),
            (8, "tenants.red.networks.narrow", "leave 1258, and IPv6 needs 1280"),
            (9, "tenants.red.networks.empty", "has no ports"),
            (10, "tenants.red.networks.apart.segment", "the ports on h1, h2 do not hear each other"),
            (14, "tenants.red.ports.c", "10.0.0.5/16 has another prefix length than its subnet 10.0.0.0/24"),
            (15, "tenants.red.ports.d", "has no address in network apart"),
            (16, "tenants.red.ports.e", "MTU of 1401 is larger than its network's 1400"),
        ]
        #expect(found.map(\.line) == expected.map(\.0), "\(found)")
        #expect(found.map(\.path) == expected.map(\.1))
        for (problem, expected) in zip(found, expected) { #expect(problem.message.contains(expected.2), "\(problem)") }
        // A VTEP inside a tenant's subnet is nobody's business: they never meet.
        #expect(try load(sound(line: 17, "own: {segment: {type: local}, subnets: [192.0.2.0/24]}")).hosts.count == 2)
    }
}
