/// Red and blue with the same addresses, MACs, routers and routes: the normal case.
package enum Names {
    package static let gateway = "02:00:00:00:00:01"
    package static let web = "02:00:00:00:00:11"
    package static let db = "02:00:00:00:00:12"
    package static let far = "02:00:00:00:00:21"
    package static let farDB = "02:00:00:00:00:22"
    /// Of a tenant (red 0, blue 1): the far ends of its tunnels.
    package static func ipipEnd(_ tenant: Int) -> String { "198.51.100.\(10 + tenant)" }
    package static func sitEnd(_ tenant: Int) -> String { "198.51.100.\(20 + tenant)" }
    package static func greEnd(_ tenant: Int) -> String { "198.51.100.\(30 + tenant)" }
    package static func ipip6End(_ tenant: Int) -> String { "2001:db8:0:eeee::\(10 + tenant)" }
    package static func sit6End(_ tenant: Int) -> String { "2001:db8:0:eeee::\(20 + tenant)" }
    package static func gre6End(_ tenant: Int) -> String { "2001:db8:0:eeee::\(30 + tenant)" }
}

extension TestCloud {
    /// Hosts 1 and 2. Each tenant has on host 1 `web` in the VXLAN network `app` (10.0.0.0/24, 2001:db8:a::/64) and `db`
    /// in the GRE network `data` (10.0.1.0/24, 2001:db8:b::/64), on host 2 `far` and `fardb` in the same two; a router
    /// `gw` between them with the address .1 in each, and from host 1 a tunnel of every kind:
    ///
    /// | prefixes                       | tunnel                                   |
    /// |--------------------------------|------------------------------------------|
    /// | 10.9.0.0/16                    | ipip, over IPv4                          |
    /// | 2001:db8:9::/48                | sit, over IPv4                           |
    /// | 10.8.0.0/16, 2001:db8:8::/48   | gre with key 9 and checksum, over IPv4   |
    /// | 10.7.0.0/16                    | plain: gre without either, to the same   |
    /// | 10.6.0.0/16                    | ipip6, over IPv6                         |
    /// | 2001:db8:6::/48                | sit6, over IPv6                          |
    /// | 10.5.0.0/16, 2001:db8:5::/48   | gre6, over IPv6                          |
    ///
    /// 10.4.0.0/16 and 2001:db8:4::/48 are behind `db`; 10.3.0.0/24 is a blackhole, 10.3.1.0/24 unreachable and
    /// 10.3.2.0/24 prohibited, the same with 2001:db8:3:…::/64. 10.2.0.0/16 is red's only, in its ipip tunnel.
    package static var twoTenants: TestCloud {
        var cloud = TestCloud()
        for (i, tenant) in ["red", "blue"].enumerated() {
            cloud.networks.append(Network("\(tenant)/app", .vxlan(5001 + UInt32(i)), mtu: 1450))
            cloud.networks.append(Network("\(tenant)/data", .gre(77 + UInt32(i)), mtu: 1458))
            func add(_ name: String, host: Int, _ network: String, mac: String, _ addresses: [String], mtu: Int) {
                cloud.ports.append(
                    Port("\(tenant)/\(name)", host: host, "\(tenant)/\(network)", mac: mac, addresses, mtu: mtu)
                )
            }
            add("web", host: 1, "app", mac: Names.web, ["10.0.0.11", "2001:db8:a::11"], mtu: 1450)
            add("db", host: 1, "data", mac: Names.db, ["10.0.1.12", "2001:db8:b::12"], mtu: 1458)
            add("far", host: 2, "app", mac: Names.far, ["10.0.0.21", "2001:db8:a::21"], mtu: 1450)
            add("fardb", host: 2, "data", mac: Names.farDB, ["10.0.1.22", "2001:db8:b::22"], mtu: 1458)
            cloud.routers.append(gateway(tenant, i))
        }
        return cloud
    }

    private static func gateway(_ tenant: String, _ i: Int) -> Router {
        var router = Router(
            "\(tenant)/gw",
            mac: Names.gateway,
            [
                ("\(tenant)/app", ["10.0.0.1/24", "2001:db8:a::1/64"]),
                ("\(tenant)/data", ["10.0.1.1/24", "2001:db8:b::1/64"]),
            ]
        )
        router.tunnels = [
            Tunnel("ipip", .ipip, to: Names.ipipEnd(i), mtu: 1480, ["10.255.0.1/30"]),
            Tunnel("sit", .sit, to: Names.sitEnd(i), mtu: 1480, ["2001:db8:ff::1/64"]),
            Tunnel("gre", .gre(key: 9, checksum: true), to: Names.greEnd(i), mtu: 1468, ["10.255.1.1/30"]),
            Tunnel("plain", .gre(key: nil, checksum: false), to: Names.greEnd(i), mtu: 1476),
            Tunnel("ipip6", .ipip, to: Names.ipip6End(i), mtu: 1460),
            Tunnel("sit6", .sit, to: Names.sit6End(i), mtu: 1460),
            Tunnel("gre6", .gre(key: nil, checksum: false), to: Names.gre6End(i), mtu: 1456),
        ]
        router.routes = [
            ("10.9.0.0/16", [.tunnel("ipip")]),
            ("2001:db8:9::/48", [.tunnel("sit")]),
            ("10.8.0.0/16", [.tunnel("gre")]),
            ("2001:db8:8::/48", [.tunnel("gre")]),
            ("10.7.0.0/16", [.tunnel("plain")]),
            ("10.6.0.0/16", [.tunnel("ipip6")]),
            ("2001:db8:6::/48", [.tunnel("sit6")]),
            ("10.5.0.0/16", [.tunnel("gre6")]),
            ("2001:db8:5::/48", [.tunnel("gre6")]),
            ("10.4.0.0/16", [.gateway("10.0.1.12")]),
            ("2001:db8:4::/48", [.gateway("2001:db8:b::12")]),
            ("10.3.0.0/24", [.blackhole]),
            ("10.3.1.0/24", [.unreachable]),
            ("10.3.2.0/24", [.prohibit]),
            ("2001:db8:3::/64", [.blackhole]),
            ("2001:db8:3:1::/64", [.unreachable]),
            ("2001:db8:3:2::/64", [.prohibit]),
        ]
        if i == 0 { router.routes.append(("10.2.0.0/16", [.tunnel("ipip")])) }
        return router
    }
}
