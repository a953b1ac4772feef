import Foundation
import Model
import Testing

/// The examples that the README sends people to.
@Suite struct ConfigTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Configs")
        .standardized

    static let files: [String] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path())) ?? []
        return names.filter { $0.hasSuffix(".yaml") }.sorted()
    }()

    @Test func allAreThere() {
        let expected = [
            "device", "dot1ad", "dual-stack", "flat", "gre", "gre-ipv6-underlay", "ipip-branches", "ipv6-over-ipv4",
            "jumbo",
            "local", "qinq", "remotes", "routed", "static-lab", "tap-for-vm", "three-hosts", "trunk", "two-tenants",
            "uplink-tap",
            "veth", "vlan", "vxlan",
            "vxlan-ipv6-underlay",
        ]
        #expect(Set(Self.files).isSuperset(of: expected.map { "\($0).yaml" }))
    }

    /// Each is sound, raises no eyebrow, begins with a remark, is short, and can be brought up as a lab.
    @Test(arguments: files)
    func isSound(file: String) throws {
        let path = Self.folder.appending(path: file).path()
        let topology = try Topology.read(path: path)
        #expect(topology.warnings(underlayMTU: topology.lab?.mtu ?? 1500) == [])
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(
            separator: "\n",
            omittingEmptySubsequences: false
        )
        #expect(lines.first?.hasPrefix("# ") == true && lines.count <= 42)
        #expect(lines.allSatisfy { $0.count <= 120 })
        for tenant in topology.tenants {
            for network in tenant.networks where network.segment.isTunnel {
                #expect(topology.lab?.underlays.isEmpty == false)
            }
            for network in tenant.networks {
                #expect(tenant.ports.count { $0.membership.networks.contains(network.name) } >= 2)
            }
            for port in tenant.ports { #expect(!port.addresses.isEmpty) }
        }
    }

    @Test func twoTenantsDifferInNothingButTheSegment() throws {
        let topology = try Topology.read(path: Self.folder.appending(path: "two-tenants.yaml").path())
        let (red, blue) = (topology.tenants[0], topology.tenants[1])
        #expect(red.ports.map(\.addresses) == blue.ports.map(\.addresses))
        #expect(red.ports.map(\.mac) == blue.ports.map(\.mac))
        #expect(red.ports.map(\.host) == ["h1", "h2"] && blue.ports.map(\.host) == ["h1", "h2"])
        #expect(red.networks[0].segment != blue.networks[0].segment)
    }

    @Test func computedMTUs() throws {
        func mtus(_ file: String) throws -> [Int] {
            let topology = try Topology.read(path: Self.folder.appending(path: file).path())
            let mtus = topology.mtus(underlayMTU: topology.lab?.mtu ?? 1500)
            return topology.tenants[0].networks.map { mtus.of($0) }
        }
        #expect(try mtus("vxlan.yaml") == [1450])
        #expect(try mtus("vxlan-ipv6-underlay.yaml") == [1430])
        #expect(try mtus("gre.yaml") == [1458])
        #expect(try mtus("gre-ipv6-underlay.yaml") == [1438])
        #expect(try mtus("dual-stack.yaml") == [1430])
        #expect(try mtus("jumbo.yaml") == [8950, 8958, 1500])
        #expect(try mtus("vlan.yaml") == [1500])
        #expect(try mtus("dot1ad.yaml") == [1496])
    }

    /// Every port of a network with a router has it as its gateway.
    @Test func routers() throws {
        func read(_ file: String) throws -> Topology {
            try Topology.read(path: Self.folder.appending(path: file).path())
        }
        for (file, gateways) in [
            ("routed.yaml", ["10.0.0.1", "10.0.0.1", "10.0.1.1", "10.0.1.1"]),
            ("ipip-branches.yaml", ["10.0.0.1", "10.0.0.1"]),
            ("ipv6-over-ipv4.yaml", ["fd00:a::1", "fd00:a::1", "fd00:a:1::1", "fd00:a:1::1"]),
        ] {
            let topology = try read(file)
            for tenant in topology.tenants {
                #expect(tenant.ports.flatMap(\.gateway).map(\.description) == gateways)
                #expect(tenant.ports.allSatisfy { $0.gatewayIsDefault })
                let hosts = RoutedGroups(topology).hosts(ofRouter: "gw", tenant: tenant.name)
                #expect(hosts == topology.hosts.map(\.name))
            }
        }
        let branches = try read("ipip-branches.yaml").tenants
        #expect(branches[0].routers[0].routes == branches[1].routers[0].routes)
        #expect(branches[0].routers[0].interfaces == branches[1].routers[0].interfaces)
        #expect(branches[0].routers[0].tunnels[0].remote != branches[1].routers[0].tunnels[0].remote)
        let six = try read("ipv6-over-ipv4.yaml")
        let paths = six.pathMTUs(underlayMTU: 1500)
        #expect(paths.map(\.mtu) == [1450, 1450, 1450, 1450])
    }
}
