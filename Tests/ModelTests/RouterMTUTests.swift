import Model
import Testing
import Wire

@Suite struct RouterMTUTests {
    @Test(arguments: [
        (RouterTunnel.Kind.ipip, false, nil as UInt32?, false, 1480), (.sit, false, nil, false, 1480),
        (.gre, false, nil, false, 1476), (.gre, false, 0, false, 1472), (.gre, false, 7, true, 1468),
        (.gre, true, nil, true, 1452), (.ipip, true, nil, false, 1460), (.sit, true, nil, false, 1460),
    ])
    func ofTunnels(kind: RouterTunnel.Kind, ipv6: Bool, key: UInt32?, checksum: Bool, expected: Int) throws {
        var tunnel = RouterTunnel(
            name: "t",
            kind: kind,
            host: "h1",
            local: try #require(IPAddress(ipv6 ? "2001:db8::1" : "192.0.2.1")),
            remote: try #require(IPAddress(ipv6 ? "2001:db8::2" : "192.0.2.2")),
            key: key,
            checksum: checksum
        )
        let mtus = Topology().mtus(underlayMTU: 1500)
        #expect(mtus.of(tunnel) == expected && mtus.fitting(tunnel) == expected)
        tunnel.mtu = 1000
        #expect(mtus.of(tunnel) == 1000 && mtus.fitting(tunnel) == expected)
    }

    /// h3 has IPv6 only, and a port in `b`: by the router it is in `a` too, and in `c` it is not.
    @Test func ofNetworksThatARouterPutsOnOtherHosts() throws {
        let text = """
            sluice: 1
            hosts:
              h1: {vtep: [192.0.2.1, "2001:db8::1"]}
              h3: {vtep: "2001:db8::3"}
            tenants:
              red:
                networks:
                  a: {segment: {type: vxlan, id: 1}}
                  b: {segment: {type: gre, id: 2}}
                  c: {segment: {type: vxlan, id: 3}}
                ports:
                  pa: {host: h1, network: a, attach: {netns: pa}}
                  pb: {host: h3, network: b, attach: {netns: pb}}
                  pc: {host: h1, network: c, attach: {netns: pc}}
                routers:
                  gw: {interfaces: {a: 10.0.0.1/24, b: 10.0.1.1/24}}
            """
        func mtus(_ text: String) throws -> [Int] {
            let topology = try load(text)
            let mtus = topology.mtus(underlayMTU: 1500)
            for network in topology.tenants[0].networks {
                #expect(topology.mtu(of: network, underlayMTU: 1500) == mtus.of(network))
            }
            return topology.tenants[0].networks.map { mtus.of($0) }
        }
        #expect(try mtus(text) == [1430, 1438, 1450])
        #expect(try mtus(text.replacing("a: 10.0.0.1/24, b", with: "b")) == [1450, 1438, 1450])
        // Where a tunnel begins counts like a port.
        let anchored = text.replacing("pb: {host: h3", with: "pb: {host: h1").replacing(
            "b: 10.0.1.1/24}}",
            with: "b: 10.0.1.1/24}, tunnels: {t: {type: gre, host: h3, remote: \"2001:db8::9\"}}}"
        )
        #expect(try mtus(anchored) == [1430, 1438, 1450])
    }

    /// The file with routers over two hosts: whoever sends into a tunnel from the other host goes by `app` first.
    @Test func paths() throws {
        func text(_ paths: [PathMTU]) -> [String] {
            paths.map { "\($0.tenant).\($0.router) \($0.from) \($0.to): \($0.mtu) of \($0.senderMTU)" }
        }
        #expect(
            text(try load(routed).pathMTUs(underlayMTU: 1500)) == [
                "red.gw app network(\"data\"): 1450 of 1450", "red.gw app tunnel(\"branch\"): 1450 of 1450",
                "red.gw app tunnel(\"six\"): 1400 of 1450", "red.gw app tunnel(\"office\"): 1450 of 1450",
                "red.gw data network(\"app\"): 1450 of 1458", "red.gw data tunnel(\"branch\"): 1450 of 1458",
                "red.gw data tunnel(\"six\"): 1400 of 1458", "red.gw data tunnel(\"office\"): 1450 of 1458",
                "blue.gw app tunnel(\"branch\"): 1450 of 1450", "blue.gw app tunnel(\"office\"): 1450 of 1450",
            ]
        )
        let one = """
            sluice: 1
            hosts: {h1: {vtep: 192.0.2.1, physical: {p: eth1}}}
            tenants:
              red:
                networks: {lan: {segment: {type: flat, physical: p}}, app: {segment: {type: vxlan, id: 1}}}
                routers:
                  gw: {interfaces: {lan: 10.0.0.1/24, app: 10.0.1.1/24}, tunnels: {t: {type: ipip, host: h1, remote: 192.0.2.9}}}
                  idle: {interfaces: {lan: 10.0.0.2/24}}
            """
        #expect(
            text(try load(one).pathMTUs(underlayMTU: 1500)) == [
                "red.gw lan network(\"app\"): 1450 of 1500", "red.gw lan tunnel(\"t\"): 1480 of 1500",
                "red.gw app network(\"lan\"): 1450 of 1450", "red.gw app tunnel(\"t\"): 1450 of 1450",
            ]
        )
        #expect(try load(sound).pathMTUs(underlayMTU: 1500) == [])
    }

    // MARK: Warnings

    @Test func theRoutedFileRaisesFewEyebrows() throws {
        let found = try load(routed).warnings(underlayMTU: 1500).map(\.path)
        #expect(found == ["tenants.red.networks.free", "tenants.blue.networks.own"])
    }

    private func warnings(_ routers: String, mtu: Int = 1500) throws -> [String] {
        let text = """
            sluice: 1
            hosts:
              h1: {vtep: 192.0.2.1, physical: {p: eth1}}
            tenants:
              red:
                networks:
                  app: {segment: {type: vxlan, id: 1}}
                  six: {segment: {type: vxlan, id: 2}, subnets: "fd00:6::/64"}
                  empty: {segment: {type: vxlan, id: 3}}
                  wire: {segment: {type: flat, physical: p}}
                  far: {segment: {type: vxlan, id: 4}, remotes: 192.0.2.9}
                ports:
                  a: {host: h1, network: app, attach: {netns: a}}
                  b: {host: h1, network: six, address: "fd00:6::5/64", attach: {netns: b}}
                  c: {host: h1, network: wire, attach: {netns: c}}
                  d: {host: h1, network: far, attach: {netns: d}}
                routers: {\(routers)}
            """
        return try load(text).warnings(underlayMTU: mtu).map { "\($0.path): \($0.message)" }.filter {
            $0.hasPrefix("tenants.red.routers.")
        }
    }

    private let path = "tenants.red.routers.gw"

    @Test func routersThatDoNothing() throws {
        let alone =
            "\(path): router gw has one interface and no routes, so there is nowhere to route to; add an interface, a tunnel "
            + "or a route"
        #expect(
            try warnings("gw: {}") == [
                "\(path): router gw has no interfaces, so it does nothing; add some, or remove it"
            ]
        )
        #expect(try warnings("gw: {interfaces: {app: 10.0.0.1/24}}") == [alone])
        #expect(try warnings("gw: {interfaces: {app: [10.0.0.1/24, \"fd00::1/64\"]}}") == [alone])
        for busy in [
            "interfaces: {app: [10.0.0.1/24, 10.0.1.1/24]}", "interfaces: {app: 10.0.0.1/24, wire: 10.0.1.1/24}",
            "interfaces: {app: 10.0.0.1/24}, routes: [{to: 10.8.0.0/16, via: 10.0.0.9}]",
            "interfaces: {app: 10.0.0.1/24}, routes: [{to: 10.8.0.0/16, type: blackhole}]",
        ] {
            #expect(try warnings("gw: {\(busy)}") == [])
        }
    }

    @Test func interfacesWithNothingBehindThem() throws {
        let nothing =
            "\(path).interfaces.empty: network empty has no ports, so nothing is behind this interface of router gw"
        #expect(try warnings("gw: {interfaces: {app: 10.0.0.1/24, empty: 10.0.1.1/24}}") == [nothing])
        // Machines outside the file, or another router.
        #expect(try warnings("gw: {interfaces: {app: 10.0.0.1/24, wire: 10.0.1.1/24, far: 10.0.2.1/24}}") == [])
        let two =
            "gw: {interfaces: {app: 10.0.0.1/24, empty: 10.0.1.1/24}}, gw2: {interfaces: {empty: 10.0.1.2/24, wire: 10.0.3.1/24}}"
        #expect(try warnings(two) == [])
        // It is said at the interface and not at the network too.
        let text =
            "sluice: 1\nhosts: {}\ntenants: {red: {networks: {n: {segment: {type: local}}}, routers: {gw: {interfaces: {n: [10.0.0.1/24, 10.0.1.1/24]}}}}}"
        #expect(try load(text).warnings(underlayMTU: 1500).map(\.path) == ["\(path).interfaces.n"])
    }

    @Test func tunnelsWithoutRoutes() throws {
        func tunnel(_ more: String, routes: String = "") -> String {
            "gw: {interfaces: {app: 10.0.0.1/24}, tunnels: {t: {type: gre, host: h1, remote: 192.0.2.9\(more)}}, routes: [\(routes)]}"
        }
        #expect(
            try warnings(tunnel("")) == [
                "\(path).tunnels.t: no route leads into tunnel t, so nothing goes there; add one like `{to: PREFIX, via: t}`"
            ]
        )
        #expect(try warnings(tunnel(", address: 10.5.0.1/30")) == [])
        #expect(try warnings(tunnel("", routes: "{to: 10.8.0.0/16, via: [10.0.0.9, t]}")) == [])
    }

    /// Networks of different MTUs are no reason: the router tells the sender. What nobody can be told is.
    @Test func blackHoles() throws {
        func six(_ more: String = "") -> String {
            "gw: {interfaces: {six: \"fd00:6::1/64\"}, tunnels: {t: {type: sit, host: h1, remote: 192.0.2.9\(more)}}, "
                + "routes: [{to: \"::/0\", via: t}]}"
        }
        #expect(try warnings(six(), mtu: 1350) == [])
        #expect(
            try warnings(six(", mtu: 1400"), mtu: 1350) == [
                "\(path).tunnels.t.mtu: packets of 1400 bytes do not fit: the underlay's 1350 leave 1330 for sit to 192.0.2.9, "
                    + "and larger ones would vanish; write 1330 or leave the MTU out"
            ]
        )
        let narrow =
            "\(path).tunnels.t: the underlay's 1299 bytes leave 1279 for the tunnel, and IPv6 needs 1280 (RFC 8200), below which "
            + "a router can tell no sender; raise the underlay's MTU"
        #expect(try warnings(six(), mtu: 1299) == [narrow])
        #expect(try warnings(six(), mtu: 1300) == [])
        func gre(_ to: String) -> String {
            "gw: {interfaces: {wire: 10.0.0.1/24}, tunnels: {t: {type: gre, host: h1, remote: 192.0.2.9}}, routes: [{to: \(to), via: t}]}"
        }
        #expect(try warnings(gre("10.8.0.0/16"), mtu: 1303) == [])
        #expect(try warnings(gre("\"::/0\""), mtu: 1303) == [narrow.replacing("1299", with: "1303")])
        #expect(
            try warnings(gre("10.8.0.0/16"), mtu: 91) == [
                "\(path).tunnels.t: the underlay's 91 bytes leave 67 for the tunnel, and IPv4 needs 68 (RFC 791), below which a "
                    + "router can tell no sender; raise the underlay's MTU"
            ]
        )
        let both = "gw: {interfaces: {app: \"fd00::1/64\", six: \"fd00:6::1/64\"}}"
        #expect(try warnings(both, mtu: 1330) == [])
        // The other network has an IPv6 subnet and is told of by itself.
        #expect(
            try warnings(both, mtu: 1329) == [
                "\(path).interfaces.app: network app carries 1279 bytes, and IPv6 needs 1280 (RFC 8200), below which a router "
                    + "can tell no sender; raise the underlay's MTU"
            ]
        )
    }
}
