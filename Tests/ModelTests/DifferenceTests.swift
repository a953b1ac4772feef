import Model
import Testing

@Suite struct DifferenceTests {
    private func difference(_ old: String?, _ new: String) throws -> [String] {
        Topology.difference(from: try old.map(load), to: try load(new)).map(\.description)
    }

    @Test func fromNothing() throws {
        #expect(
            try difference(nil, sound) == [
                "+ lab: underlay 192.0.2.0/24", "+ hosts.h1: vtep 192.0.2.1, physical physnet1=eth1",
                "+ hosts.h2: vtep 192.0.2.2", "+ tenants.red",
                "+ tenants.red.networks.app: segment vxlan 5001, subnets 10.0.0.0/24 fd00::/64",
                "+ tenants.red.networks.lan: segment vlan 100 on physnet1",
                "+ tenants.red.ports.web: host h1, network app, address 10.0.0.11/24, attach {netns: red-web}",
                "+ tenants.red.ports.fw: host h1, trunk {untagged: app, 10: lan}, mac 02:00:00:00:00:12, attach {tap: fw0}",
                "+ tenants.blue", "+ tenants.blue.networks.app: segment vxlan 5002, subnets 10.0.0.0/24",
                "+ tenants.blue.networks.own: segment local, subnets 10.0.5.0/24",
                "+ tenants.blue.ports.web: host h2, network app, address 10.0.0.11/24, attach {netns: blue-web}",
            ]
        )
    }

    @Test func toNothing() throws {
        let gone = try difference(sound, "sluice: 1")
        #expect(gone.count == 12 && gone.allSatisfy { $0.hasPrefix("- ") })
        #expect(gone.contains("- tenants.blue"))
        // What is in a network goes before the network does.
        #expect(
            try #require(gone.firstIndex { $0.hasPrefix("- tenants.red.ports.web") })
                < #require(gone.firstIndex { $0.hasPrefix("- tenants.red.networks.app") })
        )
    }

    /// Lines, remarks, quotes, the order of entries and values that are the default: nothing changes.
    @Test func movingIsNoChange() throws {
        #expect(try difference(sound, "# a remark\n\n" + sound) == [])
        #expect(try load(sound) == load("\n" + sound))
        #expect(try difference(sound, sound.replacing("netns: red-web", with: "\"netns\": 'red-web'")) == [])
        let swapped = sound.replacing(
            "h1: {vtep: 192.0.2.1, physical: {physnet1: eth1}}",
            with: "h2: {vtep: 192.0.2.2}"
        )
        .replacingFirst(
            "h2: {vtep: 192.0.2.2}\ntenants",
            with: "h1: {vtep: 192.0.2.1, physical: {physnet1: eth1}}\ntenants"
        )
        #expect(try difference(sound, swapped) == [])
        #expect(try difference(sound, sound(line: 5, "h2: {vtep: 192.0.2.2, underlay: {mode: socket}}")) == [])
    }

    @Test(arguments: [
        (2, "lab: {underlay: 192.0.2.0/24, mtu: 9000}", ["~ lab.mtu: 1500 -> 9000"]),
        (2, "", ["- lab: underlay 192.0.2.0/24"]),
        (5, "h2: {vtep: 192.0.2.3}", ["~ hosts.h2.vtep: 192.0.2.2 -> 192.0.2.3"]),
        (
            4, "h1: {vtep: 192.0.2.1, physical: {physnet1: eth2}}",
            ["~ hosts.h1.physical: physnet1=eth1 -> physnet1=eth2"]
        ),
        (
            10, "lan: {segment: {type: vlan, physical: physnet1, id: 101}, mtu: 1400, macAge: 60, learning: false}",
            [
                "~ tenants.red.networks.lan.segment: vlan 100 on physnet1 -> vlan 101 on physnet1",
                "~ tenants.red.networks.lan.mtu: computed -> 1400",
                "~ tenants.red.networks.lan.learning: true -> false",
                "~ tenants.red.networks.lan.macAge: 300 -> 60",
            ]
        ),
        (
            12,
            "web: {host: h1, trunk: {untagged: app}, addresses: [10.0.0.11/24, 10.0.0.13/24], attach: {veth: e, netns: n}}",
            [
                "~ tenants.red.ports.web.network: app -> none",
                "~ tenants.red.ports.web.trunk: none -> {untagged: app}",
                "~ tenants.red.ports.web.addresses: 10.0.0.11/24 -> 10.0.0.11/24 10.0.0.13/24",
                "~ tenants.red.ports.web.attach: {netns: red-web} -> {veth: e, netns: n}",
            ]
        ),
        (
            12,
            "web: {host: h1, network: app, mac: \"02:00:00:00:00:01\", address: 10.0.0.11/24, attach: {netns: red-web}}",
            ["~ tenants.red.ports.web.mac: f6:1b:68:ac:fe:98 -> 02:00:00:00:00:01"]
        ),
        (12, "", ["- tenants.red.ports.web: host h1, network app, address 10.0.0.11/24, attach {netns: red-web}"]),
        (
            17, "new: {segment: {type: local}, subnets: [10.0.5.0/24]}",
            [
                "+ tenants.blue.networks.new: segment local, subnets 10.0.5.0/24",
                "- tenants.blue.networks.own: segment local, subnets 10.0.5.0/24",
            ]
        ),
    ])
    func changes(line: Int, text: String, expected: [String]) throws {
        #expect(try difference(sound, sound(line: line, text)) == expected)
    }

    @Test func findingPorts() throws {
        let topology = try load(sound)
        #expect(topology.ports(called: "red.web").map(\.tenant) == ["red"])
        #expect(topology.ports(called: "blue/web").map(\.tenant) == ["blue"])
        #expect(topology.ports(called: "web").count == 2 && topology.ports(called: "fw").count == 1)
        #expect(topology.ports(called: "green.web").isEmpty)
        #expect(topology.tenant("red")?.network("lan") != nil && topology.host("h2") != nil)
        #expect(topology.tenant("red")?.port("fw") != nil)
    }
}

extension String {
    fileprivate func replacingFirst(_ text: String, with other: String) -> String {
        replacing(text, with: other, maxReplacements: 1)
    }
}
