import Model
import Testing
import Wire

@Suite struct RouterDifferenceTests {
    private func difference(_ old: String, _ new: String) throws -> [String] {
        Topology.difference(from: try load(old), to: try load(new)).map(\.description)
    }

    /// The file with routers, one line replaced.
    private func changes(_ line: Int, _ text: String) throws -> [String] {
        try difference(routed, replacing(line: line, of: routed, text))
    }

    private static let gw = "tenants.red.routers.gw"

    @Test func fromNothing() throws {
        let found = Topology.difference(from: nil, to: try load(routed)).map(\.description).filter {
            $0.contains("red.")
        }
        #expect(
            found == [
                "+ tenants.red.networks.app: segment vxlan 5001, subnets 10.0.0.0/24 fd00::/64",
                "+ tenants.red.networks.data: segment gre 77, subnets 10.0.1.0/24",
                "+ tenants.red.networks.free: segment vxlan 5003",
                "+ tenants.red.ports.web: host h1, network app, addresses 10.0.0.11/24 fd00::11/64, attach {netns: red-web}",
                "+ tenants.red.ports.db: host h2, network data, address 10.0.1.12/24, mac 02:00:00:00:00:12, attach {netns: red-db}",
                "+ tenants.red.routers.gw: mac 02:00:00:00:00:01, reversePath loose",
                "+ tenants.red.routers.gw.interfaces.app: addresses 10.0.0.1/24 fd00::1/64",
                "+ tenants.red.routers.gw.interfaces.data: address 10.0.1.1/24",
                "+ tenants.red.routers.gw.tunnels.branch: type ipip, host h1, local 192.0.2.1, remote 198.51.100.7",
                "+ tenants.red.routers.gw.tunnels.six: type sit, host h1, local 192.0.2.1, remote 198.51.100.8, mtu 1400, address fd00:9::1/64",
                "+ tenants.red.routers.gw.tunnels.office: type gre, host h2, local 192.0.2.2, remote 198.51.100.9, key 77, checksum true",
                "+ tenants.red.routers.gw.routes.10.9.0.0/16: via branch",
                "+ tenants.red.routers.gw.routes.10.8.0.0/16: via 10.0.0.200",
                "+ tenants.red.routers.gw.routes.10.7.0.0/16: via 10.0.0.200 10.0.0.201 office",
                "+ tenants.red.routers.gw.routes.fd00:8::/32: via fd00:9::7",
                "+ tenants.red.routers.gw.routes.10.6.0.0/16: blackhole",
            ]
        )
    }

    /// What is in a router goes before it does, and both before the ports and networks.
    @Test func toNothing() throws {
        let found = Topology.difference(from: try load(routed), to: Topology()).map(\.path).filter {
            $0.contains("blue")
        }
        let blue = "tenants.blue"
        #expect(
            found == [
                "\(blue).routers.gw.routes.10.9.0.0/16", "\(blue).routers.gw.routes.0.0.0.0/0",
                "\(blue).routers.gw.tunnels.branch", "\(blue).routers.gw.tunnels.office",
                "\(blue).routers.gw.interfaces.app", "\(blue).routers.gw", "\(blue).ports.web", "\(blue).networks.app",
                "\(blue).networks.own", blue,
            ]
        )
    }

    /// Lines, the order of entries, and defaults that are written out.
    @Test func movingIsNoChange() throws {
        #expect(try difference(routed, "\n" + routed) == [])
        #expect(try load(routed) == load("\n" + routed))
        #expect(try changes(22, "branch: {type: ipip, host: h1, remote: 198.51.100.7}") == [])
        let swapped = routed.replacing("          - {to: 10.9.0.0/16, via: branch}\n", with: "")
            .replacing(
                "- {to: 10.6.0.0/16, type: blackhole}",
                with: "- {to: 10.6.0.0/16, type: blackhole}\n          - {to: 10.9.0.0/16, via: branch}"
            )
        #expect(try difference(routed, swapped) == [])
    }

    @Test func changesOfARouter() throws {
        let gw = Self.gw
        #expect(
            try changes(16, "mac: \"02:00:00:00:00:02\"") == ["~ \(gw).mac: 02:00:00:00:00:01 -> 02:00:00:00:00:02"]
        )
        let usual = Router.defaultMAC(tenant: "red", router: "gw")
        #expect(try changes(16, "") == ["~ \(gw).mac: 02:00:00:00:00:01 -> \(usual)"])
        #expect(try changes(17, "") == ["~ \(gw).reversePath: loose -> strict"])
        #expect(
            try changes(20, "data: 10.0.1.2/24") == [
                "~ tenants.red.ports.db.gateway: 10.0.1.1 -> 10.0.1.2",
                "~ \(gw).interfaces.data.address: 10.0.1.1/24 -> 10.0.1.2/24",
            ]
        )
        #expect(
            try changes(20, "free: 10.3.0.1/24") == [
                "~ tenants.red.ports.db.gateway: 10.0.1.1 -> none",
                "+ \(gw).interfaces.free: address 10.3.0.1/24",
                "- \(gw).interfaces.data: address 10.0.1.1/24",
            ]
        )
        #expect(
            try changes(
                24,
                "office: {type: gre, host: h2, remote: 198.51.100.10, key: 0, mtu: 1300, address: 10.5.0.1/30}"
            ) == [
                "~ \(gw).tunnels.office.remote: 198.51.100.9 -> 198.51.100.10", "~ \(gw).tunnels.office.key: 77 -> 0",
                "~ \(gw).tunnels.office.checksum: true -> false", "~ \(gw).tunnels.office.mtu: computed -> 1300",
                "~ \(gw).tunnels.office.address: none -> 10.5.0.1/30",
            ]
        )
        #expect(
            try changes(26, "- {to: 10.9.0.0/16, via: [branch, 10.0.0.9]}\n- {to: 10.5.0.0/16, type: prohibit}") == [
                "~ \(gw).routes.10.9.0.0/16: via branch -> via branch 10.0.0.9", "+ \(gw).routes.10.5.0.0/16: prohibit",
            ]
        )
        #expect(
            try changes(30, "- {to: 10.5.0.0/16, type: unreachable}") == [
                "+ \(gw).routes.10.5.0.0/16: unreachable", "- \(gw).routes.10.6.0.0/16: blackhole",
            ]
        )
    }

    /// A gateway that comes from the router is told when it changes, and one that the file gives always.
    @Test func gateways() throws {
        func port(_ gateway: String) -> String {
            "web: {host: h1, network: app, addresses: [10.0.0.11/24, \"fd00::11/64\"]\(gateway), attach: {netns: red-web}}"
        }
        #expect(
            try changes(12, port(", gateway: none")) == ["~ tenants.red.ports.web.gateway: 10.0.0.1 fd00::1 -> none"]
        )
        #expect(
            try changes(12, port(", gateway: 10.0.0.9")) == [
                "~ tenants.red.ports.web.gateway: 10.0.0.1 fd00::1 -> 10.0.0.9"
            ]
        )
        // The same value given is the same to everybody but the file.
        #expect(try changes(12, port(", gateway: [10.0.0.1, \"fd00::1\"]")) == [])
        let added = Topology.difference(
            from: nil,
            to: try load(replacing(line: 12, of: routed, port(", gateway: 10.0.0.1")))
        )
        #expect(added.first { $0.path == "tenants.red.ports.web" }?.after?.contains("gateway 10.0.0.1") == true)
    }

    // MARK: Many

    private func topology(_ routes: some Sequence<Int>, _ action: Route.Action = .blackhole) -> Topology {
        let routes = routes.map { number in
            Route(to: IPPrefix(address: .v4(IPv4Address(bits: UInt32(number) << 8)), length: 24), action: action)
        }
        return Topology(tenants: [Tenant(name: "t", routers: [Router(tenant: "t", name: "gw", routes: routes)])])
    }

    private func difference(_ old: Topology, _ new: Topology) -> [String] {
        Topology.difference(from: old, to: new).map(\.description)
    }

    @Test func upToTwentyAreTold() {
        let path = "tenants.t.routers.gw.routes"
        #expect(difference(topology(1...10), topology(11...20)).count == 20)
        #expect(difference(topology(1...10), topology(11...21)) == ["~ \(path): 10 -> 11 (+11 -10)"])
        #expect(difference(topology(1...30), topology(1...30, .prohibit)) == ["~ \(path): 30 -> 30 (~30)"])
        #expect(difference(topology([]), topology(1...21)) == ["+ \(path): 21 routes"])
        #expect(difference(topology(1...21), topology([])) == ["- \(path): 21 routes"])
        #expect(difference(topology(1...1000), topology((1...999).reversed())) == ["- \(path).0.3.232.0/24: blackhole"])
    }

    @Test func aHundredThousand() {
        let (old, new) = (topology(1...100_000), topology(100_000...200_000))
        #expect(
            difference(old, new)
                == ["~ tenants.t.routers.gw.routes: 100000 -> 100001 (+100000 -99999)"]
        )
    }
}
