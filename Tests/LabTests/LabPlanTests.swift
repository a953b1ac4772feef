import Model
import Testing
import Wire

@testable import Lab

@Suite struct LabPlanTests {
    private func plan(_ text: String, name: String = "demo") throws -> LabPlan {
        try LabPlan(try Topology.load(text: "sluice: 1\n" + text, file: "demo.yaml"), name: name)
    }

    private func problems(_ text: String) throws -> [Problem] {
        let topology = try Topology.load(text: "sluice: 1\n" + text, file: "demo.yaml")
        return try #require(throws: TopologyError.self) { try LabPlan(topology, name: "demo") }.problems
    }

    private let twoHosts = """
        lab: {underlay: 192.0.2.0/24, mtu: 1600}
        hosts:
          h1: {vtep: 192.0.2.1, physical: {physnet1: eth1}}
          h2: {vtep: 192.0.2.2, physical: {physnet1: eth2}}
        tenants:
          red:
            networks:
              app: {segment: {type: vxlan, id: 5001}, subnets: [10.0.0.0/24]}
            ports:
              web: {host: h1, network: app, address: 10.0.0.11/24, attach: {netns: red-web}}
              db: {host: h2, network: app, address: 10.0.0.12/24, gateway: 10.0.0.1,
                   mac: "02:00:00:00:00:12", attach: {device: eth3}}
              vm: {host: h2, network: app, attach: {tap: vm0}}
        """

    @Test func hostsAreJoinedByBridgesInTheFabric() throws {
        let plan = try plan(twoHosts)
        #expect(
            plan.namespaces.map(\.name) == ["demo-h1", "demo-h2", "demo-fabric", "red-web", "red-db"]
        )
        #expect(plan.namespaces.map(\.purpose) == [.host, .host, .fabric, .endpoint, .endpoint])
        #expect(plan.bridges.map(\.name) == ["underlay", "physnet1"])
        #expect(plan.bridges.allSatisfy { $0.namespace == "demo-fabric" })
        #expect(plan.bridges.map(\.mtu) == [1600, 1608])
        #expect(plan.hosts.map(\.namespace) == ["demo-h1", "demo-h2"])
        #expect(plan.hosts.map(\.underlayMTU) == [1600, 1600])

        let underlays = plan.cables.filter { $0.b.bridge == "underlay" }
        #expect(underlays.map(\.a.name) == ["underlay0", "underlay0"])
        #expect(underlays.map { $0.a.addresses.map(\.description) } == [["192.0.2.1/24"], ["192.0.2.2/24"]])
        #expect(underlays.allSatisfy { $0.a.mtu == 1600 && $0.b.mtu == 1600 && $0.a.isSilent && $0.b.isSilent })
        #expect(underlays[0].a.mac != underlays[1].a.mac)

        let providers = plan.cables.filter { $0.b.bridge == "physnet1" }
        #expect(providers.map(\.a.name) == ["eth1", "eth2"])
        #expect(providers.map(\.a.namespace) == ["demo-h1", "demo-h2"])
        #expect(providers.allSatisfy { $0.a.mtu == 1608 && $0.a.isSilent && $0.a.addresses.isEmpty })
    }

    @Test func aDevicePortGetsATenantBehindIt() throws {
        let plan = try plan(twoHosts)
        let cable = try #require(plan.cables.first { $0.a.name == "eth3" })
        #expect(cable.a.namespace == "demo-h2" && cable.a.isSilent && cable.a.addresses.isEmpty)
        #expect(cable.b.name == "eth0" && cable.b.namespace == "red-db" && !cable.b.isSilent)
        #expect(cable.b.mac?.description == "02:00:00:00:00:12")
        #expect(cable.b.addresses.map(\.description) == ["10.0.0.12/24"])
        #expect(cable.b.gateways.map(\.description) == ["10.0.0.1"])
        #expect(cable.b.mtu == 1550, "what VXLAN over IPv4 leaves of 1600")
        #expect(cable.a.mtu == 1558, "room for two tags")
    }

    @Test func placesSayWhereEachPortIs() throws {
        let places = try plan(twoHosts).places
        #expect(places.map(\.path) == ["red/web", "red/db", "red/vm"])
        #expect(places.map(\.namespace) == ["red-web", "red-db", "demo-h2"])
        #expect(places.map(\.interface) == ["eth0", "eth0", "vm0"])
    }

    @Test func prefixLengthsWithoutALabSection() throws {
        let near = try plan("hosts: {h1: {vtep: 10.1.2.3}, h2: {vtep: 10.1.2.4}}")
        #expect(near.cables.map { $0.a.addresses[0].length } == [24, 24])
        let far = try plan("hosts: {h1: {vtep: 10.1.2.3}, h2: {vtep: 10.1.3.4}}")
        #expect(far.cables.map { $0.a.addresses[0].length } == [23, 23], "the shortest that makes them neighbours")
        let six = try plan("hosts: {h1: {vtep: '2001:db8::1'}, h2: {vtep: '2001:db8::2'}}")
        #expect(six.cables.map { $0.a.addresses[0].length } == [64, 64])
        #expect(six.cables.allSatisfy { !$0.a.isSilent }, "an IPv6 neighbour is probed from a link-local address")
    }

    @Test func underlaysThatLiveInTheSwitch() throws {
        let vteps = [1, 2].map { IPAddress.v4(IPv4Address(bits: 0xC000_0200 + $0)) }
        let topology = Topology(hosts: [
            Host(name: "h1", vteps: [vteps[0]], underlay: .tap("up0", bridge: "br0")),
            Host(name: "h2", vteps: [vteps[1]], underlay: .device("nic0")),
        ])
        let plan = try LabPlan(topology, name: "demo")
        #expect(plan.bridges.contains { $0.name == "br0" && $0.namespace == "demo-h1" })
        #expect(plan.cables.map(\.a.name) == ["underlay0", "nic0"])
        #expect(plan.cables.map(\.a.bridge) == ["br0", nil])
        #expect(plan.cables.allSatisfy { $0.a.addresses.isEmpty }, "the address is the switch's")
    }

    @Test func everyDeviceNameFitsAndIsAloneInItsNamespace() throws {
        var text = "hosts:\n"
        for i in 0..<20 {
            text += "  a-host-with-a-rather-long-name-\(i): {physical: {a-provider-with-a-long-name: e0, q: e1}}\n"
        }
        let plan = try plan(text)
        var seen: Set<String> = []
        for end in plan.cables.flatMap({ [$0.a, $0.b] }) {
            #expect((1...15).contains(end.name.utf8.count))
            #expect(seen.insert("\(end.namespace) \(end.name)").inserted)
        }
        for bridge in plan.bridges { #expect(seen.insert("\(bridge.namespace) \(bridge.name)").inserted) }
    }

    @Test func aHostMayBeCalledFabric() throws {
        let plan = try plan("hosts: {fabric: {vtep: 192.0.2.1}}")
        #expect(plan.namespaces.map(\.name) == ["demo-fabric", "demo-fabric0"])
        #expect(plan.namespaces.map(\.purpose) == [.host, .fabric])
    }

    @Test func severalPortsMayShareAnEndpoint() throws {
        let plan = try plan(
            """
            hosts: {h1: {}}
            tenants:
              red:
                networks: {a: {segment: {type: local}}, b: {segment: {type: local}}}
                ports:
                  one: {host: h1, network: a, attach: {tap: eth0, netns: machine}}
                  two: {host: h1, network: b, attach: {tap: eth1, netns: machine}}
            """
        )
        #expect(plan.namespaces.filter { $0.name == "machine" }.count == 1)
    }

    @Test func namespacesThatAreWantedTwiceAreRefused() throws {
        let clash = try problems(
            """
            hosts: {h1: {}}
            tenants:
              red:
                networks: {a: {segment: {type: local}}}
                ports:
                  one: {host: h1, network: a, attach: {netns: demo-h1}}
            """
        )
        #expect(clash.count == 1)
        #expect(clash[0].line == 7 && clash[0].message.contains("demo-h1") && clash[0].message.contains("host h1"))
    }
}
