import Forwarding
import Model
import Tables
import Testing
import Wire

@testable import Control

/// Hosts whose VTEP's addresses are in the switch.
@Suite struct UplinkTests {
    static let text = """
        sluice: 1
        hosts:
          h1:
            vtep: [192.0.2.1, "2001:db8::1"]
            underlay: {mode: tap, tap: up0, bridge: br0, address: 192.0.2.1/24, gateway: 192.0.2.254}
          h2: {vtep: 192.0.2.2}
          h3: {vtep: "2001:db8::3"}
        tenants:
          red:
            networks:
              app: {segment: {type: vxlan, id: 5001}}
              two: {segment: {type: vxlan, id: 5002}, remotes: [198.51.100.7]}
              six: {segment: {type: vxlan, id: 5003}}
            ports:
              a: {host: h1, network: app, attach: {netns: a}}
              b: {host: h2, network: app, attach: {netns: b}}
              c: {host: h3, network: six, attach: {netns: c}}
              d: {host: h1, network: two, attach: {netns: d}}
              e: {host: h1, network: six, attach: {netns: e}}

        """

    private func compiled(_ text: String = text, allocation: SlotAllocation = SlotAllocation()) throws -> Compiled {
        try Compiler.compile(
            topology: try Topology.load(text: text, file: "uplink.yaml"),
            host: "h1",
            underlayMTU: 1500,
            generation: 1,
            seed: 7,
            allocation: allocation
        )
    }

    @Test func oneUplinkCarriesEveryNetworkOfBothFamilies() throws {
        let compiled = try compiled()
        let uplinks = compiled.endpoints.filter { $0.key == .uplink("up0") }
        #expect(uplinks.count == 1 && compiled.endpoints.count == 4)
        let plan = try #require(uplinks.first)
        #expect(plan.medium == .uplink(tap: "up0", bridge: "br0") && plan.mtu == 1500)
        let mapped = try Mapped(compiled.image)
        let snapshot = mapped.snapshot
        let row = snapshot.endpoints[Int(plan.slot)]
        #expect(row.kind == EndpointKind.uplink && row.port == 4789)
        for (vni, name) in [(5001, "app"), (5002, "two"), (5003, "six")] as [(UInt32, String)] {
            let segment = try #require(compiled.allocation.segment(SegmentKey(tenant: "red", network: name)))
            #expect(snapshot.segment(endpoint: plan.slot, identifier: vni) == segment)
        }
        let underlay = try #require(compiled.allocation.segment(.underlay))
        let place = snapshot.attachments[Int(row.untagged)]
        #expect(place.segment == underlay && snapshot.segments[Int(underlay)].kind == SegmentKind.underlay)
        let interface = snapshot.interfaces[Int(place.interface)]
        let router = snapshot.routers[Int(interface.router)]
        #expect(router.isUnderlay && interface.ipv4 == 0xC000_0201)
        // The bridge keeps frames for the address of one of its ports, and takes the lowest of them.
        let mac = try #require(plan.mac)
        #expect(router.mac != mac.bits && mac.bits >> 40 == 0xFE && router.mac >> 40 & 3 == 2)
        for i in 0..<Int(snapshot.attachmentCount) where snapshot.attachments[i].isTunnel {
            #expect(snapshot.attachments[i].isBehindUplink && snapshot.attachments[i].interface == place.interface)
        }
        #expect((0..<Int(snapshot.attachmentCount)).count { snapshot.attachments[$0].isTunnel } == 3)
    }

    @Test func theUnderlayHasRoutesOfItsOwn() throws {
        let compiled = try compiled()
        let mapped = try Mapped(compiled.image)
        let snapshot = mapped.snapshot
        let router = try #require(compiled.allocation.router(.underlay))
        func hop(_ address: String) -> NextHopRecord? {
            let address = IPAddress(address)!
            let route =
                address.isIPv6
                ? snapshot.route(router: router, address.mapped)
                : snapshot.route(router: router, address.mapped.mappedIPv4!)
            return route == noSlot ? nil : snapshot.hops[Int(snapshot.routes[Int(route)].hopStart)]
        }
        #expect(hop("192.0.2.1")?.kind == HopKind.local && hop("192.0.2.2")?.kind == HopKind.connected)
        #expect(hop("198.51.100.7")?.kind == HopKind.gateway)
        #expect(hop("198.51.100.7")?.gateway == IPAddress("192.0.2.254")!.mapped)
        // Without a prefix of its family everybody is a neighbour.
        #expect(hop("2001:db8:9::9")?.kind == HopKind.connected && hop("2001:db8::1")?.kind == HopKind.local)
    }

    @Test func everythingKeepsItsSlot() throws {
        let first = try compiled()
        let mapped = try Mapped(first.image)
        let recovered = SlotAllocation(recoveredFrom: mapped.snapshot)
        #expect(recovered == first.allocation)
        #expect(try compiled(allocation: recovered).image == first.image)
        let key = EndpointKey.uplink("up0")
        #expect(EndpointKey(key.description) == key)
        let medium = EndpointMedium.uplink(tap: "up0", bridge: "br0")
        #expect(EndpointMedium(medium.description, key: key) == medium)
        #expect(EndpointMedium("uplink up0", key: key) == nil && EndpointMedium("uplink up1 on br0", key: key) == nil)
        #expect(medium.isMade && medium.interface == "up0" && medium.namespace == nil)
    }

    @Test func whatAnUplinkCannotCarryIsRefused() throws {
        func refusal(_ old: String, _ new: String) -> CompileError? {
            do {
                _ = try compiled(Self.text.replacing(old, with: new))
                return nil
            } catch {
                return error as? CompileError
            }
        }
        let ports = refusal("{type: vxlan, id: 5002}", "{type: vxlan, id: 5002, port: 8472}")
        #expect(ports?.problem.message.contains("give the segments one port") == true)
        #expect(ports?.problem.line == 12)
    }

    /// A VNI and a GRE key of one number, and three tunnels to one far end: what tells them apart is the IP protocol.
    @Test func everyKindOfTunnelHasItsOwnWayIn() throws {
        var topology = try Topology.load(
            text: Self.text.replacing("{type: vxlan, id: 5002}", with: "{type: gre, id: 5001}"),
            file: "uplink.yaml"
        )
        topology.hosts[0].underlay = .device("eth1")
        let remote = IPAddress("198.51.100.9")!
        let tunnels = [RouterTunnel.Kind.ipip, .sit, .gre].map { kind in
            RouterTunnel(name: "\(kind)", kind: kind, host: "h1", local: topology.hosts[0].vteps[0], remote: remote)
        }
        topology.tenants[0].routers = [Router(tenant: "red", name: "gw", tunnels: tunnels)]
        let compiled = try Compiler.compile(
            topology: topology,
            host: "h1",
            underlayMTU: 1500,
            generation: 1,
            seed: 7,
            allocation: SlotAllocation()
        )
        let mapped = try Mapped(compiled.image)
        let snapshot = mapped.snapshot
        let plan = try #require(compiled.endpoints.first { $0.key == .uplink("eth1") })
        #expect(plan.medium == .uplinkDevice("eth1") && plan.mac == nil)
        #expect(EndpointMedium(plan.medium.description, key: plan.key) == plan.medium && !plan.medium.isMade)
        func way(_ number: UInt8) -> UInt32 { WayIn.key(uplink: plan.slot, protocol: number) }
        func segment(_ name: String) -> UInt32? {
            compiled.allocation.segment(SegmentKey(tenant: "red", network: name))
        }
        #expect(snapshot.segment(endpoint: way(IPProtocol.udp), identifier: 5001) == segment("app"))
        #expect(snapshot.segment(endpoint: way(IPProtocol.gre), identifier: 5001) == segment("two"))
        let peer = snapshot.peer(remote.mapped)
        for (number, kind) in [
            (IPProtocol.ipv4, AttachmentKind.ipip), (IPProtocol.ipv6, AttachmentKind.sit),
            (IPProtocol.gre, AttachmentKind.greIP),
        ] {
            let far = snapshot.tunnel(endpoint: way(number), peer: peer, key: 0, hasKey: false)
            let row = snapshot.attachments[Int(try #require(far == noSlot ? nil : far))]
            #expect(row.kind == kind && row.isBehindUplink && row.endpoint == plan.slot)
        }
        #expect(snapshot.tunnel(endpoint: way(IPProtocol.udp), peer: peer, key: 0, hasKey: false) == noSlot)
        #expect(SlotAllocation(recoveredFrom: snapshot) == compiled.allocation)
    }
}
