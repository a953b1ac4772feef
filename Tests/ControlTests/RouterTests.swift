import Model
import Tables
import Testing
import Wire

@testable import Control

struct RouterTests {
    @Test func everyHostOfARouterIsInAllItsNetworks() throws {
        let topology = try routed()
        for (host, other) in [("h1", "192.0.2.2"), ("h2", "192.0.2.1")] {
            let mapped = try Mapped(try compile(topology, host).image)
            let names = Names(mapped.snapshot)
            let own = host == "h1" ? "192.0.2.1" : "192.0.2.2"
            for tenant in ["red", "blue"] {
                // h1 has no port in data, h2 none in lan. Nobody has one in lan.
                let data = mapped.snapshot.flood(try #require(names.segments["\(tenant)/data"]))
                #expect(data.contains("gre \(own) to \(other)"))
                #expect(data.count == (host == "h1" ? 1 : 4))
                let app = mapped.snapshot.flood(try #require(names.segments["\(tenant)/app"]))
                #expect(app.contains("vxlan \(own):4789 to \(other)"))
                let vlan = tenant == "red" ? 101 : 102
                #expect(mapped.snapshot.flood(names.segments["\(tenant)/lan"]!) == ["physnet1 0x8100/\(vlan)"])
                #expect(names.segments["\(tenant)/other"] == nil)
            }
        }
        // A host without a port in any of them has nothing to do with the router.
        let third = try Mapped(try compile(topology, "h3").image)
        #expect(Set(Names(third.snapshot).segments.keys) == ["red/other", "blue/other"])
        #expect(third.snapshot.routerCount == 0 && third.snapshot.neighborCount == 0)
    }

    @Test func tunnelsAreSegmentsOfTheirOwnWhereTheyBegin() throws {
        let topology = try routed()
        let compiled = try compile(topology)
        let mapped = try Mapped(compiled.image)
        let snapshot = mapped.snapshot
        let names = Names(snapshot)
        for (tenant, number) in [("red", UInt32(1)), ("blue", 2)] {
            for (name, socket, peer, key, mtu) in [
                ("branch", "ipip 192.0.2.1", "198.51.100.\(number)", UInt32?.none, UInt32(1480)),
                ("six", "sit 192.0.2.1", "198.51.100.\(number)", nil, 1480),
                ("office", "gre 192.0.2.1", "198.51.100.9", number, 1500 - 20 - 12),
            ] {
                let segment = try #require(names.segments["\(tenant)/gw/\(name)"])
                let endpoint = try #require(names.endpoints[socket])
                let row = snapshot.segments[Int(segment)]
                #expect(row.kind == SegmentKind.routed && row.identifier == key ?? 0 && row.mtu == mtu)
                #expect(row.isRouted && row.floodCount == 0 && snapshot.text(row.tenant) == tenant)
                let farEnd = snapshot.tunnel(
                    endpoint: endpoint,
                    peer: snapshot.peer(address(peer).mapped),
                    key: key ?? 0,
                    hasKey: key != nil
                )
                #expect(snapshot.place(farEnd) == "\(socket) to \(peer)")
                let end = snapshot.attachments[Int(farEnd)]
                #expect(end.segment == segment && end.carriesPackets && !end.isTunnel)
                #expect(end.flags == (key == nil ? 0 : AttachmentRecord.greKey | AttachmentRecord.greChecksum))
                let interface = try #require(snapshot.interface("\(tenant)/gw", name))
                #expect(end.interface == interface)
                let near = snapshot.interfaces[Int(interface)].attachment
                #expect(snapshot.attachments[Int(near)].isRouter && snapshot.attachments[Int(near)].segment == segment)
                #expect(near != farEnd)
            }
        }
        // Without a key is another tunnel than with key 0, and a key of nobody's is none.
        let gre = names.endpoints["gre 192.0.2.1"]!
        let peer = snapshot.peer(address("198.51.100.9").mapped)
        for (key, hasKey) in [(UInt32(0), false), (0, true), (3, true), (1, false)] {
            #expect(snapshot.tunnel(endpoint: gre, peer: peer, key: key, hasKey: hasKey) == noSlot)
        }
        #expect(snapshot.peers[Int(peer)].isOurs == 0)
        #expect(snapshot.peers[Int(snapshot.peer(address("192.0.2.2").mapped))].isOurs == 1)
        // KA9Q's protocol is heard too, so that it is counted.
        for (name, number) in [("ipip", UInt32(4)), ("sit", 41), ("ka9q", 94)] {
            let row = snapshot.endpoints[Int(names.endpoints["\(name) 192.0.2.1"]!)]
            #expect(row.kind == EndpointKind.ip && row.port == number && row.mtu == 1500)
        }
        #expect(compiled.endpoints.contains { $0.medium == .ip(address: address("192.0.2.1"), .ka9q) })
        // Elsewhere none of this is opened.
        let second = Names(try Mapped(try compile(topology, "h2").image).snapshot)
        #expect(!second.segments.keys.contains { $0.hasPrefix("red/gw") })
        #expect(!second.endpoints.keys.contains { $0.hasPrefix("ipip") || $0.hasPrefix("ka9q") })
    }

    @Test func routesLeadOutWhereTheyShould() throws {
        let topology = try routed()
        let first = try Mapped(try compile(topology).image)
        let second = try Mapped(try compile(topology, "h2").image)
        for (tenant, number) in [("red", 1), ("blue", 2)] {
            let branch = "tunnel branch ipip 192.0.2.1 to 198.51.100.\(number)"
            let office = "tunnel office gre 192.0.2.1 to 198.51.100.9"
            let back = "vxlan 192.0.2.2:4789 to 192.0.2.1"
            for (to, here, there) in [
                ("10.0.0.1", "local app", "local app"), ("10.0.1.1", "local data", "local data"),
                ("10.0.0.77", "connected app", "connected app"), ("10.0.2.9", "connected lan", "connected lan"),
                ("10.9.1.1", branch, "redirect branch \(back)"),
                ("10.8.0.1", "via 10.0.1.200 data", "via 10.0.1.200 data"),
                (
                    "10.7.1.1", "via 10.0.0.200 app, \(branch), \(office)",
                    "via 10.0.0.200 app, redirect branch \(back), redirect office \(back)"
                ),
                ("10.9.9.1", "blackhole", "blackhole"), ("10.9.9.9", "prohibit", "prohibit"),
                ("10.255.0.2", office, "redirect office \(back)"), ("10.255.0.1", "local office", "local app"),
                ("198.18.0.1", office, "redirect office \(back)"),
                ("2001:db8:a::1", "local app", "local app"), ("2001:db8:a::99", "connected app", "connected app"),
                ("2001:db8:b:1::1", "tunnel six sit 192.0.2.1 to 198.51.100.\(number)", "redirect six \(back)"),
                ("2001:db8:c::1", "no route", "no route"), ("fe80::ff:fe00:1", "local app", "local app"),
                ("fe80::1", "no route", "no route"),
            ] {
                #expect(first.snapshot.route("\(tenant)/gw", to) == here, "\(to)")
                #expect(second.snapshot.route("\(tenant)/gw", to) == there, "\(to)")
            }
        }
    }

    @Test func aHostThatNobodyCanHandOnToIsUnreachable() throws {
        var topology = try routed()
        // The loader refuses this: the router has no network of tunnels left.
        topology.tenants[0].routers[0].interfaces.removeAll { $0.network != "lan" }
        topology.tenants[0].ports.append(port("red", "desk", on: "h2", in: "lan"))
        let mapped = try Mapped(try compile(topology, "h2").image)
        #expect(mapped.snapshot.route("red/gw", "10.9.1.1") == "nowhere")
        #expect(mapped.snapshot.route("red/gw", "10.255.0.2") == "nowhere")
        #expect(mapped.snapshot.route("red/gw", "10.8.0.1") == "nowhere")
        #expect(mapped.snapshot.route("red/gw", "10.0.2.7") == "connected lan")
        #expect(mapped.snapshot.route("blue/gw", "10.9.1.1").hasPrefix("redirect"))
    }

    @Test func whereAHostHasNoWayInItsRouterSaysSo() throws {
        var topology = try routed()
        topology.hosts[1].physical = []
        topology.tenants[0].networks.append(Network(tenant: "red", name: "alone", segment: .local))
        topology.tenants[0].ports.append(port("red", "hermit", on: "h1", in: "alone"))
        topology.tenants[0].routers[0].interfaces.append(
            RouterInterface(network: "alone", addresses: [prefix("10.0.3.1/24")])
        )
        topology.tenants[0].routers[0].routes.append(
            Route(
                to: prefix("10.6.0.0/16"),
                action: .forward([.gateway(address("10.0.3.9")), .gateway(address("10.0.1.9"))])
            )
        )
        let here = try Mapped(try compile(topology).image)
        #expect(here.snapshot.route("red/gw", "10.0.3.7") == "connected alone")
        #expect(here.snapshot.route("red/gw", "10.6.0.1") == "via 10.0.3.9 alone, via 10.0.1.9 data")
        let there = try Mapped(try compile(topology, "h2").image)
        let names = Names(there.snapshot)
        #expect(names.segments["red/alone"] == nil && names.segments["red/lan"] == nil)
        #expect(names.endpoints["physnet1"] == nil)
        for target in ["10.0.3.7", "10.0.2.7"] { #expect(there.snapshot.route("red/gw", target) == "nowhere") }
        // Its own addresses the router has everywhere, and of several ways those that lead on serve.
        for target in ["10.0.3.1", "10.0.2.1"] { #expect(there.snapshot.route("red/gw", target) == "local app") }
        #expect(there.snapshot.route("red/gw", "10.6.0.1") == "via 10.0.1.9 data")
    }

    @Test func routersAreTold() throws {
        let topology = try routed()
        for host in ["h1", "h2"] {
            let mapped = try Mapped(try compile(topology, host).image)
            let snapshot = mapped.snapshot
            let names = Names(snapshot)
            for tenant in ["red", "blue"] {
                let slot = try #require(snapshot.router("\(tenant)/gw"))
                let row = snapshot.routers[Int(slot)]
                #expect(row.mac == 0x0200_0000_0001 && row.isDesignated == (host == "h1"))
                #expect(row.flags & RouterRecord.strictReversePath != 0)
                #expect(row.anyIPv4 == 0x0A00_0001 && IPAddress.v6(row.anyIPv6) == address("2001:db8:a::1"))
                let router = topology.tenant(tenant)!.routers[0]
                #expect(row.hostMAC == (host == "h1" ? row.mac : router.mac(onHost: host).bits))
                #expect(row.hostMAC & 0x0300_0000_0000 == 0x0200_0000_0000)
                for network in ["app", "data", "lan"] {
                    let segment = try #require(names.segments["\(tenant)/\(network)"])
                    #expect(snapshot.segments[Int(segment)].isRouted)
                    #expect(snapshot.place(snapshot.told(segment: segment, mac: router.mac)) == "router \(tenant)/gw")
                }
                let lan = names.segments["\(tenant)/lan"]!
                let vlan = tenant == "red" ? 101 : 102
                let sibling = host == "h1" ? "h2" : "h1"
                #expect(
                    snapshot.place(snapshot.told(segment: lan, mac: router.mac(onHost: sibling)))
                        == "physnet1 0x8100/\(vlan)"
                )
                if host == "h2" {
                    #expect(
                        snapshot.place(snapshot.told(segment: lan, mac: router.mac(onHost: "h2")))
                            == "router \(tenant)/gw"
                    )
                }
                for (network, told, owner) in [
                    ("app", "10.0.0.1", "\(tenant)/gw"), ("app", "2001:db8:a::1", "\(tenant)/gw"),
                    ("app", "fe80::ff:fe00:1", "\(tenant)/gw"), ("data", "10.0.1.1", "\(tenant)/gw"),
                    ("data", "10.0.1.12", "02:00:00:00:00:12"), ("app", "10.0.0.13", "02:00:00:00:00:13"),
                    ("app", "10.0.0.11", Port.defaultMAC(tenant: tenant, port: "web").description),
                    ("app", "2001:db8:a::11", Port.defaultMAC(tenant: tenant, port: "web").description),
                ] {
                    #expect(snapshot.neighbor("\(tenant)/\(network)", told) == owner, "\(network) \(told)")
                }
                // Addresses of a trunk are untagged, that of another network is nobody's, and whose MAC the file does not
                // know must be asked.
                for (network, told) in [
                    ("data", "10.0.0.13"), ("app", "10.0.1.12"), ("data", "fe80::ff:fe00:1"), ("data", "10.0.1.13"),
                    ("app", "10.0.0.99"),
                ] {
                    #expect(snapshot.neighbor("\(tenant)/\(network)", told) == nil, "\(network) \(told)")
                }
            }
        }
    }

    @Test func reversePathsAreFlags() throws {
        var topology = try routed()
        topology.tenants[0].routers[0].reversePath = .loose
        topology.tenants[1].routers[0].reversePath = .off
        let mapped = try Mapped(try compile(topology).image)
        let flags = ["red/gw", "blue/gw"].map { mapped.snapshot.routers[Int(mapped.snapshot.router($0)!)].flags }
        #expect(flags == [RouterRecord.looseReversePath | RouterRecord.designated, RouterRecord.designated])
    }

    @Test func interfacesHaveTheirAddresses() throws {
        let mapped = try Mapped(try compile(try routed()).image)
        let snapshot = mapped.snapshot
        func addresses(_ name: String) throws -> [String] {
            let row = snapshot.interfaces[Int(try #require(snapshot.interface("red/gw", name)))]
            return (0..<row.addressCount).map {
                let address = snapshot.addresses[Int(row.addressStart + $0)]
                return "\(IPAddress(mapped: address.address))/\(address.length)"
            }
        }
        #expect(try addresses("app") == ["10.0.0.1/24", "2001:db8:a::1/64"])
        #expect(try addresses("office") == ["10.255.0.1/30"])
        #expect(try addresses("branch") == [])
        let app = snapshot.interfaces[Int(snapshot.interface("red/gw", "app")!)]
        #expect(app.ipv4 == 0x0A00_0001 && IPAddress.v6(app.ipv6) == address("2001:db8:a::1"))
        let branch = snapshot.interfaces[Int(snapshot.interface("red/gw", "branch")!)]
        #expect(branch.ipv4 == 0 && branch.ipv6 == IPv6Address(high: 0, low: 0))
    }

    @Test func routersShareNetworksAndJoinTransitively() throws {
        var topology = try routed()
        // far's network is joined with app by a second router: h3 is now in all networks of both.
        topology.tenants[0].routers.append(
            Router(
                tenant: "red",
                name: "second",
                interfaces: [
                    RouterInterface(network: "data", addresses: [prefix("10.0.1.2/24")]),
                    RouterInterface(network: "other", addresses: [prefix("10.0.4.1/24")]),
                ]
            )
        )
        topology.hosts[2].physical = [Physical(name: "physnet1", device: "eth3")]
        let mapped = try Mapped(try compile(topology, "h3").image)
        let names = Names(mapped.snapshot)
        #expect(Set(names.segments.keys) == ["red/app", "red/data", "red/lan", "red/other", "blue/other"])
        #expect(mapped.snapshot.routerCount == 2)
        #expect(
            mapped.snapshot.flood(names.segments["red/other"]!) == [
                "red/far", "vxlan 192.0.2.3:4789 to 192.0.2.1", "vxlan 192.0.2.3:4789 to 192.0.2.2",
            ]
        )
        // Each knows the other's address, and only its own routes.
        #expect(mapped.snapshot.neighbor("red/data", "10.0.1.1") == "red/gw")
        #expect(mapped.snapshot.neighbor("red/data", "10.0.1.2") == "red/second")
        #expect(mapped.snapshot.route("red/second", "10.0.1.1") == "connected data")
        #expect(mapped.snapshot.route("red/second", "10.9.0.1") == "no route")
        #expect(mapped.snapshot.route("red/gw", "10.0.4.9") == "redirect office vxlan 192.0.2.3:4789 to 192.0.2.1")
        #expect(mapped.snapshot.neighbor("blue/other", "10.0.1.2") == nil)
    }

    @Test func socketsAreOpenedForTunnelsAlone() throws {
        var topology = try routed()
        topology.hosts[0].vteps.append(address("2001:db8::1"))
        for i in topology.tenants.indices {
            topology.tenants[i].networks[1].segment = .vxlan(id: UInt32(800 + i), port: 4789)
            topology.tenants[i].routers[0].tunnels.removeAll { $0.kind != .gre }
        }
        var keys = Set(try compile(topology).endpoints.map(\.key))
        #expect(keys.contains(.gre(address: address("192.0.2.1"))))
        #expect(!keys.contains(.gre(address: address("2001:db8::1"))))
        #expect(!keys.contains(.ip(address: address("192.0.2.1"), .ka9q)))
        topology.tenants[0].routers[0].tunnels[0] = RouterTunnel(
            name: "office",
            kind: .sit,
            host: "h1",
            local: address("2001:db8::1"),
            remote: address("2001:db8:f::1")
        )
        keys = Set(try compile(topology).endpoints.map(\.key))
        for kind in EncapsulationProtocol.allCases {
            #expect(keys.contains(.ip(address: address("2001:db8::1"), kind)))
            #expect(!keys.contains(.ip(address: address("192.0.2.1"), kind)))
        }
    }

    @Test func routesThatLeadOutTheSameWayShareIt() throws {
        var topology = try routed()
        topology.tenants[0].routers[0].routes = (0..<1000).map { i in
            let hops: [[Route.Hop]] = [
                [.tunnel("branch")], [.gateway(address("10.0.0.200"))],
                [.gateway(address("10.0.0.200")), .tunnel("branch")],
            ]
            return Route(to: prefix("20.\(i / 250).\(i % 250).0/24"), action: .forward(hops[i % 3]))
        }
        let mapped = try Mapped(try compile(topology).image)
        let router = mapped.snapshot.router("red/gw")!
        var hops: Set<UInt32> = []
        var routes = 0
        for i in 0..<Int(mapped.snapshot.routeCount) {
            let row = mapped.snapshot.routes[i]
            guard row.router == router, row.kind == RouteKind.static else { continue }
            routes += 1
            hops.insert(row.hopStart)
        }
        #expect(routes == 1000 && hops.count == 3)
        #expect(mapped.snapshot.route("red/gw", "20.0.0.9") == "tunnel branch ipip 192.0.2.1 to 198.51.100.1")
        #expect(mapped.snapshot.route("red/gw", "20.0.1.9") == "via 10.0.0.200 app")
        #expect(mapped.snapshot.route("red/gw", "20.3.249.9") == "tunnel branch ipip 192.0.2.1 to 198.51.100.1")
        #expect(mapped.snapshot.route("blue/gw", "20.0.1.9") == "tunnel office gre 192.0.2.1 to 198.51.100.9")
    }

    @Test func aRouterWithoutAWayInIsNowhere() throws {
        var topology = try routed()
        // Joined by lan, whose device h2 has not: there only the second router has something to do.
        topology.hosts[1].physical = []
        topology.tenants[0].routers.append(
            Router(
                tenant: "red",
                name: "hermit",
                interfaces: [RouterInterface(network: "lan", addresses: [prefix("10.0.2.2/24")])]
            )
        )
        #expect(try Mapped(try compile(topology).image).snapshot.router("red/hermit") != nil)
        let there = try Mapped(try compile(topology, "h2").image)
        #expect(there.snapshot.router("red/hermit") == nil && there.snapshot.router("red/gw") != nil)
    }

    @Test func memoryOfNeighborsIsTold() throws {
        let table = StateCapacity.standard.neighborBuckets * 4 * 40
        var topology = try routed()
        let with = try compile(topology).memory
        for i in topology.tenants.indices { topology.tenants[i].routers = [] }
        #expect(try with.learned - compile(topology).memory.learned == table)
    }

    @Test func whatCannotBeIsRefused() throws {
        func refusal(_ host: String = "h1", _ change: (inout Topology) -> Void) throws -> CompileError.Reason? {
            var topology = try routed()
            change(&topology)
            do {
                _ = try compile(topology, host)
                return nil
            } catch let error as CompileError {
                return error.reason
            }
        }
        #expect(try refusal { _ in } == nil)
        #expect(
            try refusal {
                $0.tenants[1].routers[0].tunnels[0].remote = $0.tenants[0].routers[0].tunnels[0].remote
            } == .segmentTaken
        )
        #expect(try refusal { $0.tenants[1].routers[0].tunnels[2].key = 1 } == .segmentTaken)
        #expect(try refusal { $0.tenants[0].routers[0].tunnels[2].key = nil } == nil)
        #expect(try refusal { $0.tenants[0].routers[0].interfaces[0].network = "x" } == .unknownNetwork)
        #expect(try refusal { $0.tenants[0].routers[0].tunnels[0].host = "x" } == .unknownHost)
        #expect(try refusal { $0.tenants[0].routers[0].tunnels[0].local = address("192.0.2.7") } == .noCommonFamily)
        #expect(try refusal("h2") { $0.hosts[0].vteps = [address("2001:db8::1")] } == .noCommonFamily)
        #expect(try refusal { $0.hosts[0].underlay = .tap("up0", bridge: "br0") } == nil)
        #expect(
            try refusal {
                $0.hosts[0].underlay = .device("eth0")
                $0.tenants[0].routers[0].tunnels[0].local = address("192.0.2.7")
            } == .noCommonFamily
        )
    }
}
