import Model
import Testing

@Suite struct RoutedGroupTests {
    /// gw joins a and b, gw2 joins b and c; d is alone; hub has tunnels only.
    private let text = """
        sluice: 1
        hosts:
          h1: {vtep: 192.0.2.1}
          h2: {vtep: 192.0.2.2}
          h3: {vtep: 192.0.2.3}
          h4: {vtep: 192.0.2.4}
        tenants:
          red:
            networks:
              a: {segment: {type: vxlan, id: 1}}
              b: {segment: {type: vxlan, id: 2}}
              c: {segment: {type: gre, id: 3}}
              d: {segment: {type: local}}
            ports:
              pc: {host: h3, network: c, attach: {netns: pc}}
              pd: {host: h4, network: d, attach: {netns: pd}}
              pa: {host: h1, trunk: {untagged: a, 10: d}, attach: {netns: pa}}
            routers:
              gw2: {interfaces: {b: 10.0.1.2/24, c: 10.0.2.1/24}}
              gw:
                interfaces: {a: 10.0.0.1/24, b: 10.0.1.1/24}
                tunnels: {far: {type: ipip, host: h2, remote: 198.51.100.7}}
              hub: {tunnels: {far: {type: ipip, host: h4, remote: 198.51.100.7}}}
          blue:
            networks:
              a: {segment: {type: vxlan, id: 4}}
            routers:
              gw: {interfaces: {a: 10.0.0.1/24}}
        """

    @Test func networksThatRoutersJoin() throws {
        let groups = RoutedGroups(try load(text))
        #expect(
            groups.groups == [
                .init(tenant: "red", networks: ["a", "b", "c"], routers: ["gw2", "gw"], hosts: ["h1", "h2", "h3"]),
                .init(tenant: "red", networks: ["d"], routers: [], hosts: ["h1", "h4"]),
                .init(tenant: "red", networks: [], routers: ["hub"], hosts: ["h4"]),
                .init(tenant: "blue", networks: ["a"], routers: ["gw"], hosts: []),
            ]
        )
        for network in ["a", "b", "c"] {
            #expect(groups.hosts(ofNetwork: network, tenant: "red") == ["h1", "h2", "h3"])
        }
        #expect(groups.hosts(ofNetwork: "d", tenant: "red") == ["h1", "h4"])
        #expect(groups.hosts(ofRouter: "gw2", tenant: "red") == ["h1", "h2", "h3"])
        #expect(groups.hosts(ofRouter: "hub", tenant: "red") == ["h4"])
        #expect(groups.group(ofRouter: "gw", tenant: "red")?.designated == "h1")
        #expect(groups.hosts(ofRouter: "gw", tenant: "blue").isEmpty)
        #expect(groups.group(ofRouter: "gw", tenant: "blue")?.designated == nil)
        // Names of another tenant, and names that nobody has.
        #expect(
            groups.group(ofNetwork: "b", tenant: "blue") == nil && groups.group(ofRouter: "x", tenant: "red") == nil
        )
        #expect(groups.hosts(ofNetwork: "x", tenant: "red").isEmpty)
    }

    /// A topology put together by hand may name what is not there.
    @Test func referencesThatLeadNowhere() {
        let router = Router(tenant: "red", name: "gw", interfaces: [RouterInterface(network: "no", addresses: [])])
        let port = Port(
            tenant: "red",
            name: "p",
            host: "nobody",
            membership: .access(network: "no"),
            attach: .device("eth1")
        )
        let groups = RoutedGroups(Topology(tenants: [Tenant(name: "red", ports: [port], routers: [router])]))
        #expect(groups.groups == [.init(tenant: "red", networks: [], routers: ["gw"], hosts: [])])
    }

    /// A chain of routers through 20 000 networks, and as many networks without: hosts meet along all of it.
    @Test func longChains() {
        let count = 20_000
        let networks = (0..<2 * count).map { Network(tenant: "t", name: "n\($0)", segment: .local) }
        let routers = (0..<count - 1).map { number in
            Router(
                tenant: "t",
                name: "r\(number)",
                interfaces: [number + 1, number].map { RouterInterface(network: "n\($0)", addresses: []) }
            )
        }
        let ports = [(0, "h2"), (count - 1, "h1"), (count, "h3")].map { network, host in
            Port(
                tenant: "t",
                name: "p\(network)",
                host: host,
                membership: .access(network: "n\(network)"),
                attach: .device("d")
            )
        }
        let groups = RoutedGroups(
            Topology(
                hosts: ["h1", "h2", "h3"].map { Host(name: $0) },
                tenants: [Tenant(name: "t", networks: networks, ports: ports, routers: routers)]
            )
        )
        #expect(groups.groups.count == count + 1)
        #expect(groups.hosts(ofNetwork: "n\(count / 2)", tenant: "t") == ["h1", "h2"])
        #expect(groups.hosts(ofRouter: "r\(count / 2)", tenant: "t") == ["h1", "h2"])
        #expect(groups.hosts(ofNetwork: "n\(count)", tenant: "t") == ["h3"])
        #expect(groups.hosts(ofNetwork: "n\(count + 1)", tenant: "t").isEmpty)
    }

    @Test func whoHandsPacketsOn() throws {
        let red = try load(text).tenants[0]
        let networks = Dictionary(uniqueKeysWithValues: red.networks.map { ($0.name, $0) })
        #expect(red.routers.map { $0.carrier(among: networks)?.name } == ["b", "a", nil])
        let onlyLocal = networks.mapValues { Network(tenant: "red", name: $0.name, segment: .flat(physical: "p")) }
        #expect(red.routers[0].carrier(among: onlyLocal) == nil)
    }
}
