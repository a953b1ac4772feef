import Model
import Testing
import Wire

@Suite struct NetworkTests {
    private static let lan = "tenants.red.networks.lan"

    @Test(arguments: [
        Row(10, "lan: {}", lan, "the network's `segment` is missing"),
        Row(10, "lan: 5", lan, "a network is a mapping of keys to values, found `5`"),
        Row(10, "lan: {segment: vlan}", "\(lan).segment", "a segment is a mapping of keys to values, found `vlan`"),
        Row(10, "lan: {segment: {id: 5}}", "\(lan).segment", "the segment's `type` is missing"),
        Row(10, "lan: {segment: {type: vlxan}}", "\(lan).segment.type", "`local` or `flat` or `vlan`"),
        Row(10, "lan: {segment: {type: vlan, id: 5}}", "\(lan).segment", "needs `physical`"),
        Row(10, "lan: {segment: {type: flat}}", "\(lan).segment", "needs `physical`"),
        Row(10, "lan: {segment: {type: vlan, physical: physnet1}}", "\(lan).segment", "needs `id`, the VLAN id"),
        Row(10, "lan: {segment: {type: vxlan}}", "\(lan).segment", "needs `id`, the VNI, from 1 to 16777215"),
        Row(
            10,
            "lan: {segment: {type: flat, physical: physnet}}",
            "\(lan).segment.physical",
            "no host has a provider network `physnet`; did you mean `physnet1`?"
        ),
        Row(
            10,
            "lan: {segment: {type: vlan, physical: physnet1, id: 0}}",
            "\(lan).segment.id",
            "VLAN id 0 is reserved (IEEE 802.1Q); use one from 1 to 4094, or `type: flat`"
        ),
        Row(
            10,
            "lan: {segment: {type: vlan, physical: physnet1, id: 4095}}",
            "\(lan).segment.id",
            "VLAN id 4095 is reserved"
        ),
        Row(10, "lan: {segment: {type: vlan, physical: physnet1, id: 4096}}", "\(lan).segment.id", "from 1 to 4094"),
        Row(10, "lan: {segment: {type: vlan, physical: physnet1, id: \"100\"}}", "\(lan).segment.id", "without quotes"),
        Row(10, "lan: {segment: {type: vlan, physical: physnet1, id: 0100}}", "\(lan).segment.id", "begins with 0"),
        Row(10, "lan: {segment: {type: vlan, physical: physnet1, id: 1e2}}", "\(lan).segment.id", "a whole number"),
        Row(10, "lan: {segment: {type: vlan, physical: physnet1, id: 1.0}}", "\(lan).segment.id", "a whole number"),
        Row(
            10,
            "lan: {segment: {type: vlan, physical: physnet1, vid: 5, id: 6}}",
            "\(lan).segment.vid",
            "did you mean `id`?"
        ),
        Row(
            10,
            "lan: {segment: {type: vlan, physical: physnet1, id: 5, protocol: 802.1x}}",
            "\(lan).segment.protocol",
            "`802.1Q` or `802.1ad`"
        ),
        Row(
            10,
            "lan: {segment: {type: vxlan, id: 0}}",
            "\(lan).segment.id",
            "out of range; it goes from 1 to 16777215"
        ),
        Row(10, "lan: {segment: {type: vxlan, id: 16777216}}", "\(lan).segment.id", "out of range"),
        Row(10, "lan: {segment: {type: vxlan, id: 99999999999999999999999}}", "\(lan).segment.id", "out of range"),
        Row(10, "lan: {segment: {type: vxlan, id: -1}}", "\(lan).segment.id", "out of range"),
        Row(10, "lan: {segment: {type: vxlan, id: 5, port: 65536}}", "\(lan).segment.port", "from 1 to 65535"),
        Row(
            10,
            "lan: {segment: {type: vxlan, id: 5, physical: physnet1}}",
            "\(lan).segment.physical",
            "has no meaning"
        ),
        Row(10, "lan: {segment: {type: gre, id: 4294967296}}", "\(lan).segment.id", "from 0 to 4294967295"),
        Row(
            10,
            "lan: {segment: {type: gre, key: 7}}",
            (10, "\(lan).segment", "needs `id`"),
            (10, "\(lan).segment.key", "did you mean `id`?")
        ),
        Row(
            10,
            "lan: {segment: {type: local, id: 7}}",
            "\(lan).segment.id",
            "has no meaning for a segment of type `local`"
        ),
    ])
    func segments(row: Row) { row.check() }

    @Test(arguments: [
        (
            10, "lan: {segment: {type: vxlan, id: 7}}", 17, "own: {segment: {type: vxlan, id: 7, port: 8472}}",
            "VNI 7 already belongs to tenants.red.networks.lan (line 10) and tenants.blue.networks.own wants it too"
        ),
        (
            10, "lan: {segment: {type: gre, id: 7}}", 17, "own: {segment: {type: gre, id: 0x7}}",
            "GRE key 7 already belongs to tenants.red.networks.lan (line 10)"
        ),
        (
            10, "lan: {segment: {type: vlan, physical: physnet1, id: 7}}", 17,
            "own: {segment: {type: vlan, physical: physnet1, id: 7, protocol: 802.1Q}}",
            "VLAN 7 on physnet1 already belongs to tenants.red.networks.lan (line 10)"
        ),
        (
            10, "lan: {segment: {type: flat, physical: physnet1}}", 17,
            "own: {segment: {type: flat, physical: physnet1}}",
            "the untagged frames of physnet1 already belong to tenants.red.networks.lan (line 10)"
        ),
    ])
    func twoNetworksWithOneSegment(first: Int, _ a: String, second: Int, _ b: String, part: String) {
        var lines = sound.split(separator: "\n").map(String.init)
        lines[first - 1] = "      " + a
        lines[second - 1] = "      " + b
        let found = problems(lines.joined(separator: "\n"))
        #expect(found.map(\.line) == [second])
        #expect(found.first?.path == "tenants.blue.networks.own.segment")
        #expect(found.first?.message.contains(part) == true, "\(found)")
    }

    @Test func segmentsThatOnlyLookAlike() throws {
        let topology = try load(
            """
            sluice: 1
            hosts: {h1: {vtep: 192.0.2.1, physical: {a: eth1, b: eth2}}}
            tenants:
              red:
                networks:
                  n1: {segment: {type: vlan, physical: a, id: 7}}
                  n2: {segment: {type: vlan, physical: a, id: 7, protocol: 802.1ad}}
                  n3: {segment: {type: vlan, physical: b, id: 7}}
                  n4: {segment: {type: flat, physical: a}}
                  n5: {segment: {type: vxlan, id: 7}}
                  n6: {segment: {type: gre, id: 7}}
                  n7: {segment: {type: local}}
                  n8: {segment: {type: local}}
                  n9: {segment: {type: gre, id: 0}}
                  n10: {segment: {type: gre, id: 0xFFFFFFFF}}
                  n11: {segment: {type: vxlan, id: 16777215, port: 8472}}
            """
        )
        #expect(
            topology.tenants[0].networks.map(\.segment) == [
                .vlan(physical: "a", id: 7, protocol: .dot1Q), .vlan(physical: "a", id: 7, protocol: .dot1ad),
                .vlan(physical: "b", id: 7, protocol: .dot1Q), .flat(physical: "a"), .vxlan(id: 7, port: 4789),
                .gre(key: 7), .local, .local, .gre(key: 0), .gre(key: .max), .vxlan(id: 16_777_215, port: 8472),
            ]
        )
    }

    private static func local(_ rest: String) -> String { "lan: {segment: {type: local}, \(rest)}" }
    private static func tunnel(_ rest: String) -> String { "lan: {segment: {type: vxlan, id: 9}, \(rest)}" }

    @Test(arguments: [
        Row(10, local("subnet: 10.0.0.0/24"), "\(lan).subnet", "did you mean `subnets`?"),
        Row(10, local("subnets: [10.0.0.1/24]"), "\(lan).subnets[0]", "the subnet is 10.0.0.0/24"),
        Row(10, local("subnets: 10.0.0.0"), "\(lan).subnets", "lacks its prefix length"),
        Row(10, local("subnets: [10.0.0.0/33]"), "\(lan).subnets[0]", "is not an address with its prefix length"),
        Row(10, local("subnets: [10.0.0.0/024]"), "\(lan).subnets[0]", "is not an address with its prefix length"),
        Row(10, local("subnets: [10.0.0.0/+24]"), "\(lan).subnets[0]", "is not an address with its prefix length"),
        Row(10, local("subnets: [224.0.0.0/8]"), "\(lan).subnets[0]", "multicast"),
        Row(10, local("subnets: [\"ff00::/8\"]"), "\(lan).subnets[0]", "multicast"),
        Row(10, local("subnets: [10.0.0.0/8, 10.1.0.0/16]"), "\(lan).subnets[1]", "10.1.0.0/16 overlaps 10.0.0.0/8"),
        Row(10, local("subnets: [10.1.0.0/16, 9.0.0.0/8, 10.0.0.0/8]"), "\(lan).subnets[2]", "overlaps 10.1.0.0/16"),
        Row(10, local("subnets: [\"fd00::/64\", \"fd00::/64\"]"), "\(lan).subnets[1]", "overlaps fd00::/64"),
        Row(10, local("mtu: 67"), "\(lan).mtu", "from 68 to 65535"),
        Row(10, local("mtu: big"), "\(lan).mtu", "a whole number from 68 to 65535, found `big`"),
        Row(10, local("mtu: [1]"), "\(lan).mtu", "found a list"),
        Row(10, local("mtu: 1279, subnets: [\"fd00::/64\"]"), "\(lan).mtu", "needs an MTU of 1280 or more"),
        Row(10, local("vlanTransparent: yes"), "\(lan).vlanTransparent", "is `true` or `false`, found `yes`"),
        Row(10, local("learning: \"true\""), "\(lan).learning", "is `true` or `false`, found a quoted text"),
        Row(10, local("macAge: 0"), "\(lan).macAge", "write `learning: false`"),
        Row(10, local("macAge: 9"), "\(lan).macAge", "from 10 to 36000"),
        Row(10, local("ageing: 300"), "\(lan).ageing", "did you mean `macAge`?"),
        Row(10, local("unknownUnicast: deny"), "\(lan).unknownUnicast", "`flood` or `drop`, found `deny`"),
        Row(10, local("macLimit: 0"), "\(lan).macLimit", "from 1 to 1048576"),
        Row(10, local("linkLocal: pass"), "\(lan).linkLocal", "`drop` or `forward`"),
        Row(10, local("remotes: [192.0.2.9]"), "\(lan).remotes", "a local network has none"),
        Row(10, tunnel("remotes: [192.0.2.2]"), "\(lan).remotes[0]", "is the VTEP of host h2 (line 5)"),
        Row(10, tunnel("remotes: [192.0.2.9, 192.0.2.9]"), "\(lan).remotes[1]", "in the list twice"),
        Row(10, tunnel("remotes: [nobody]"), "\(lan).remotes[0]", "is not an address"),
        Row(
            10,
            tunnel("remotes: [\"2001:db8::9\"]"),
            (13, "tenants.red.ports.fw.host", "cannot reach without an IPv6 `vtep`")
        ),
        Row(
            7,
            "red:\n  securityGroups: {}",
            (8, "tenants.red.securityGroups", "is not supported by this version of Sluice yet")
        ),
        Row(
            7,
            "red:\n  subnets: {}",
            (8, "tenants.red.subnets", "`subnets` is not a key of a tenant; its keys are networks, ports")
        ),
    ])
    func keys(row: Row) { row.check() }

    @Test func defaults() throws {
        let network = try load(sound(line: 10, "lan: {segment: {type: local}}")).tenants[0].networks[1]
        #expect(network == Network(tenant: "red", name: "lan", segment: .local))
        #expect(network.learning && network.ageing == 300 && network.mtu == nil && network.macLimit == nil)
        #expect(network.unknownUnicast == .flood && network.linkLocal == .drop && !network.vlanTransparent)
        #expect(network.remotes.isEmpty && network.subnets.isEmpty)
        #expect(network.mark.description == "test.yaml:10:7" && network.mark.path == "tenants.red.networks.lan")
    }

    @Test func everyKey() throws {
        let text =
            "lan: {segment: {type: vxlan, id: 9}, subnets: 10.1.0.0/24, mtu: 1400, vlanTransparent: true, "
            + "remotes: 192.0.2.9, learning: false, macAge: 10, unknownUnicast: drop, macLimit: 5, linkLocal: forward}"
        let network = try load(sound(line: 10, text)).tenants[0].networks[1]
        let expected = Network(
            tenant: "red",
            name: "lan",
            segment: .vxlan(id: 9, port: 4789),
            subnets: [IPPrefix("10.1.0.0/24")!],
            mtu: 1400,
            vlanTransparent: true,
            remotes: [IPAddress("192.0.2.9")!],
            learning: false,
            ageing: 10,
            unknownUnicast: .drop,
            macLimit: 5,
            linkLocal: .forward
        )
        #expect(network == expected)
    }
}
