import Model
import Tables
import Testing
import Wire

@testable import Control

struct CompileTests {
    @Test func superFramesFitIntoOneSendWhereVXLANIsSent() throws {
        let plans = try compile(twins()).endpoints
        func segments(_ port: String) -> Int? { plans.first { $0.key.description == port }?.superFrameSegments }
        // 44 segments of 1450 bytes behind 22; nothing to gain on a VLAN.
        #expect(segments("red/web") == 44)
        #expect(segments("red/desk") == nil)
        #expect(segments("vxlan 192.0.2.1:4789") == nil)
        // Of the largest packets fewer than four fit: a connection with small segments would lose more.
        var plan = try #require(plans.first { $0.key.description == "red/web" })
        plan.mtu = 40_000
        #expect(plan.superFrameSegments == nil)
    }

    @Test func twoTenantsWithTheSameAddressesNeverMeet() throws {
        let compiled = try compile(twins())
        let mapped = try Mapped(compiled.image)
        let snapshot = mapped.snapshot
        let names = Names(snapshot)
        #expect(snapshot.generation == 1)
        #expect(
            Set(names.endpoints.keys) == [
                "red/web", "red/desk", "blue/web", "blue/desk", "physnet1", "vxlan 192.0.2.1:4789",
            ]
        )
        #expect(Set(names.segments.keys) == ["red/app", "red/lan", "blue/app", "blue/lan"])
        for (tenant, vni, vlan) in [("red", UInt32(5001), UInt16(100)), ("blue", 5002, 200)] {
            let app = try #require(names.segments["\(tenant)/app"])
            let lan = try #require(names.segments["\(tenant)/lan"])
            let web = try #require(names.endpoints["\(tenant)/web"])
            let vxlan = try #require(names.endpoints["vxlan 192.0.2.1:4789"])
            let wire = try #require(names.endpoints["physnet1"])
            #expect(snapshot.flood(app) == ["\(tenant)/web", "vxlan 192.0.2.1:4789 to 192.0.2.2"])
            #expect(snapshot.flood(lan) == ["\(tenant)/desk", "physnet1 0x8100/\(vlan)"])
            #expect(snapshot.segment(endpoint: vxlan, identifier: vni) == app)
            let tagged = snapshot.attachment(endpoint: wire, tpid: 0x8100, vid: vlan)
            #expect(snapshot.attachments[Int(tagged)].segment == lan)
            let untagged = snapshot.endpoints[Int(web)].untagged
            #expect(snapshot.attachments[Int(untagged)].segment == app)
            #expect(snapshot.attachments[Int(untagged)].kind == AttachmentKind.port)
            // The same two MACs in four networks: each leads to the port of its own.
            let local = mac("02:00:00:00:00:01")
            let remote = mac("02:00:00:00:00:02")
            #expect(snapshot.place(snapshot.told(segment: app, mac: local)) == "\(tenant)/web")
            #expect(
                snapshot.place(snapshot.told(segment: app, mac: remote)) == "vxlan 192.0.2.1:4789 to 192.0.2.2"
            )
            #expect(snapshot.place(snapshot.told(segment: lan, mac: local)) == "\(tenant)/desk")
            #expect(snapshot.place(snapshot.told(segment: lan, mac: remote)) == "physnet1 0x8100/\(vlan)")
            let peer = snapshot.peer(address("192.0.2.2").mapped)
            #expect(snapshot.text(snapshot.peers[Int(peer)].name) == "h2")
            #expect(snapshot.peers[Int(peer)].pathMTU == 1500)
            #expect(
                snapshot.place(snapshot.attachment(segment: app, peer: peer)) == "vxlan 192.0.2.1:4789 to 192.0.2.2"
            )
            #expect(snapshot.attachment(segment: lan, peer: peer) == noSlot)
            #expect(snapshot.segments[Int(app)].mtu == 1450)
            #expect(snapshot.segments[Int(lan)].mtu == 1500)
            #expect(snapshot.endpoints[Int(web)].mtu == 1450)
            #expect(snapshot.text(snapshot.endpoints[Int(web)].tenant) == tenant)
            #expect(snapshot.text(snapshot.endpoints[Int(web)].device) == "tap eth0 netns \(tenant)-web")
        }
        let wire = snapshot.endpoints[Int(names.endpoints["physnet1"]!)]
        #expect(wire.isVLANAware && wire.untagged == noSlot && wire.mtu == 1500 && wire.tenant == 0)
        #expect(snapshot.endpoints[Int(names.endpoints["vxlan 192.0.2.1:4789"]!)].port == 4789)
    }

    @Test func plansSayWhatToMake() throws {
        var topology = twins()
        topology.tenants[0].ports[0].addresses = [prefix("10.0.0.11/24"), prefix("2001:db8::b/64")]
        topology.tenants[0].ports[0].gateway = [address("10.0.0.1")]
        topology.tenants[0].ports[0].attachMark = Mark(file: "cloud.yaml", line: 7)
        topology.tenants[0].ports[2].attach = .tap(name: "vm0", namespace: nil)
        topology.tenants[0].ports[2].addresses = [prefix("10.1.0.1/24")]
        topology.tenants[1].ports[0].attach = .veth(name: "b0", namespace: "blue")
        topology.tenants[1].ports[2].attach = .device("eth3")
        topology.tenants[1].ports[2].mtu = 1400
        let plans = try compile(topology).endpoints
        #expect(plans.map(\.slot) == Array(0..<6))
        #expect(
            plans.map(\.medium) == [
                .tap(name: "eth0", namespace: "red-web"),
                .tap(name: "vm0", namespace: nil),
                .veth(name: "b0", namespace: "blue", ownEnd: EndpointMedium.ownEnd(tenant: "blue", port: "web")),
                .device("eth3"),
                .provider(device: "eth1"),
                .vxlan(address: address("192.0.2.1"), port: 4789),
            ]
        )
        #expect(plans[0].mac == mac("02:00:00:00:00:01"))
        #expect(plans[0].addresses == [prefix("10.0.0.11/24"), prefix("2001:db8::b/64")])
        #expect(plans[0].gateways == [address("10.0.0.1")])
        #expect(plans[0].mark.line == 7)
        // Whoever sits behind these sets them up.
        #expect(plans[1].mac == nil && plans[1].addresses.isEmpty)
        #expect(plans[3].mac == nil && plans[3].mtu == 1400)
        #expect(plans.map(\.mtu) == [1450, 1500, 1450, 1400, 1500, 1500])
        #expect(plans.map(\.medium.isMade) == [true, true, true, false, false, false])
    }

    @Test func aTrunkLeadsToManyNetworks() throws {
        let fw = Port(
            tenant: "red",
            name: "fw",
            host: "h1",
            membership: .trunk(
                untagged: "app",
                tagged: [TaggedNetwork(vid: 10, network: "lan"), TaggedNetwork(vid: 20, network: "big")]
            ),
            mac: mac("02:00:00:00:00:77"),
            attach: .device("eth3")
        )
        var topology = twins()
        topology.tenants[0].networks.append(Network(tenant: "red", name: "big", segment: .local, mtu: 9000))
        topology.tenants[0].ports.append(fw)
        let mapped = try Mapped(try compile(topology).image)
        let snapshot = mapped.snapshot
        let names = Names(snapshot)
        let slot = try #require(names.endpoints["red/fw"])
        let row = snapshot.endpoints[Int(slot)]
        #expect(row.isVLANAware && row.mtu == 9000)
        for (network, attachment) in [
            ("app", row.untagged), ("lan", snapshot.attachment(endpoint: slot, tpid: 0x8100, vid: 10)),
            ("big", snapshot.attachment(endpoint: slot, tpid: 0x8100, vid: 20)),
        ] {
            let segment = try #require(names.segments["red/\(network)"])
            #expect(snapshot.attachments[Int(attachment)].segment == segment)
            #expect(snapshot.told(segment: segment, mac: fw.mac) == attachment)
        }
        #expect(snapshot.attachment(endpoint: slot, tpid: 0x8100, vid: 30) == noSlot)
        #expect(snapshot.attachment(endpoint: slot, tpid: 0x88A8, vid: 10) == noSlot)
        // On the other host the trunk is told in each of its networks, as far as they reach it.
        let other = try Mapped(try compile(topology, "h2").image)
        let there = Names(other.snapshot)
        #expect(there.segments["red/big"] == nil)
        #expect(
            other.snapshot.place(other.snapshot.told(segment: there.segments["red/app"]!, mac: fw.mac))
                == "vxlan 192.0.2.2:4789 to 192.0.2.1"
        )
        #expect(
            other.snapshot.place(other.snapshot.told(segment: there.segments["red/lan"]!, mac: fw.mac))
                == "physnet1 0x8100/100"
        )
    }

    @Test func everySegmentHasItsWay() throws {
        var topology = twins()
        topology.tenants = [
            Tenant(
                name: "red",
                networks: [
                    Network(tenant: "red", name: "alone", segment: .local),
                    Network(tenant: "red", name: "wire", segment: .flat(physical: "physnet1")),
                    Network(
                        tenant: "red",
                        name: "outer",
                        segment: .vlan(physical: "physnet1", id: 300, protocol: .dot1ad),
                        vlanTransparent: true
                    ),
                    Network(tenant: "red", name: "tunnel", segment: .gre(key: 77)),
                    Network(tenant: "red", name: "elsewhere", segment: .gre(key: 78)),
                ],
                ports: [
                    port("red", "a", on: "h1", in: "alone"), port("red", "b", on: "h2", in: "alone"),
                    port("red", "c", on: "h1", in: "wire"), port("red", "d", on: "h1", in: "outer"),
                    port("red", "e", on: "h1", in: "tunnel"), port("red", "f", on: "h2", in: "tunnel"),
                    port("red", "g", on: "h2", in: "elsewhere"),
                ]
            )
        ]
        let mapped = try Mapped(try compile(topology).image)
        let snapshot = mapped.snapshot
        let names = Names(snapshot)
        #expect(snapshot.flood(names.segments["red/alone"]!) == ["red/a"])
        #expect(snapshot.flood(names.segments["red/wire"]!) == ["red/c", "physnet1"])
        #expect(snapshot.flood(names.segments["red/outer"]!) == ["red/d", "physnet1 0x88a8/300"])
        #expect(snapshot.flood(names.segments["red/tunnel"]!) == ["red/e", "gre 192.0.2.1 to 192.0.2.2"])
        #expect(names.segments["red/elsewhere"] == nil)
        let alone = names.segments["red/alone"]!
        #expect(snapshot.told(segment: alone, mac: Port.defaultMAC(tenant: "red", port: "b")) == noSlot)
        let wire = names.endpoints["physnet1"]!
        let untagged = snapshot.endpoints[Int(wire)].untagged
        #expect(snapshot.attachments[Int(untagged)].segment == names.segments["red/wire"])
        let gre = names.endpoints["gre 192.0.2.1"]!
        #expect(snapshot.segment(endpoint: gre, identifier: 77) == names.segments["red/tunnel"])
        #expect(snapshot.segment(endpoint: gre, identifier: 78) == noSlot)
        #expect(snapshot.segments[Int(names.segments["red/outer"]!)].isVLANTransparent)
        #expect(snapshot.segments[Int(names.segments["red/tunnel"]!)].mtu == 1500 - 42)
    }

    @Test func networkSettingsReachTheRow() throws {
        var topology = twins()
        topology.tenants[0].networks[0] = Network(
            tenant: "red",
            name: "app",
            segment: .vxlan(id: 5001, port: 8472),
            mtu: 1300,
            learning: false,
            ageing: 60,
            unknownUnicast: .drop,
            macLimit: 100,
            linkLocal: .forward
        )
        let mapped = try Mapped(try compile(topology).image)
        let names = Names(mapped.snapshot)
        let row = mapped.snapshot.segments[Int(names.segments["red/app"]!)]
        #expect(row.kind == SegmentKind.vxlan && row.identifier == 5001)
        #expect(!row.learns && row.dropsUnknownUnicast && row.forwardsLinkLocal && !row.isVLANTransparent)
        #expect(row.ageing == 60 && row.macLimit == 100 && row.mtu == 1300)
        #expect(mapped.snapshot.endpoints[Int(names.endpoints["vxlan 192.0.2.1:8472"]!)].port == 8472)
        let other = mapped.snapshot.segments[Int(names.segments["blue/app"]!)]
        #expect(other.learns && !other.dropsUnknownUnicast && other.ageing == 300 && other.macLimit == 0)
    }

    @Test func ipv4WhereBothHaveItElseIPv6() throws {
        let net = Network(
            tenant: "red",
            name: "app",
            segment: .vxlan(id: 1, port: 4789),
            remotes: [address("2001:db8::99")]
        )
        let topology = Topology(
            hosts: [
                Host(name: "h1", vteps: [address("192.0.2.1"), address("2001:db8::1")]),
                Host(name: "h2", vteps: [address("192.0.2.2"), address("2001:db8::2")]),
                Host(name: "h3", vteps: [address("2001:db8::3")]),
            ],
            tenants: [
                Tenant(
                    name: "red",
                    networks: [net],
                    ports: (1...3).map { port("red", "p\($0)", on: "h\($0)", in: "app") }
                )
            ]
        )
        let mapped = try Mapped(try compile(topology).image)
        let names = Names(mapped.snapshot)
        let app = names.segments["red/app"]!
        #expect(
            mapped.snapshot.flood(app) == [
                "red/p1", "vxlan 192.0.2.1:4789 to 192.0.2.2", "vxlan [2001:db8::1]:4789 to 2001:db8::3",
                "vxlan [2001:db8::1]:4789 to 2001:db8::99",
            ]
        )
        for socket in ["vxlan 192.0.2.1:4789", "vxlan [2001:db8::1]:4789"] {
            #expect(mapped.snapshot.segment(endpoint: names.endpoints[socket]!, identifier: 1) == app)
        }
        #expect(mapped.snapshot.segments[Int(app)].mtu == 1430)
        let third = try Mapped(try compile(topology, "h3").image)
        #expect(
            third.snapshot.flood(0) == [
                "red/p3", "vxlan [2001:db8::3]:4789 to 2001:db8::1", "vxlan [2001:db8::3]:4789 to 2001:db8::2",
                "vxlan [2001:db8::3]:4789 to 2001:db8::99",
            ]
        )
    }

    @Test func interfacesOfTenantsAreMarked() throws {
        let mapped = try Mapped(
            try compile(
                twins(),
                indexes: [
                    .port(tenant: "red", name: "web"): 42, .provider("physnet1"): 7, .port(tenant: "x", name: "y"): 9,
                ]
            ).image
        )
        let names = Names(mapped.snapshot)
        #expect(mapped.snapshot.isTenantInterface(42))
        // A provider device that is tenants' alone counts too: a flat network's tenant could forge a tunnel packet there.
        #expect(mapped.snapshot.isTenantInterface(7))
        #expect(!mapped.snapshot.isTenantInterface(9))
        #expect(!mapped.snapshot.isTenantInterface(0))
        #expect(mapped.snapshot.endpoints[Int(names.endpoints["red/web"]!)].interfaceIndex == 42)
    }

    @Test func aHostWithoutPortsHasNothing() throws {
        var topology = twins()
        topology.hosts.append(Host(name: "h3", vteps: [address("192.0.2.3")]))
        let compiled = try compile(topology, "h3")
        #expect(compiled.endpoints.isEmpty)
        let mapped = try Mapped(compiled.image)
        #expect(mapped.snapshot.segmentCount == 0 && mapped.snapshot.peerCount == 0)
    }

    @Test func theSameArgumentsGiveTheSameBytes() throws {
        #expect(try compile(twins()).image == compile(twins()).image)
    }

    @Test func memoryIsTold() throws {
        let memory = try compile(twins()).memory
        #expect(memory.snapshot >= 4096 && memory.snapshot < 16384)
        #expect(memory.counters < 65536)
        // Nothing limits what these networks learn.
        #expect(memory.learned > 21 << 20)
        #expect(memory.total == 2 * memory.snapshot + memory.counters + memory.learned + memory.rings)
        let ports = try compile(twins()).endpoints
        #expect(memory.rings == ports.count { $0.medium.hasReceiveRing } << 20 && memory.rings > 0)
        var limited = twins()
        for i in 0..<2 {
            limited.tenants[i].networks[0].macLimit = 10
            limited.tenants[i].networks[1].learning = false
        }
        #expect(try compile(limited).memory.learned == 20 * 4096)
        #expect("\(try compile(limited).memory)".contains("0.1 MiB"))
    }
}
