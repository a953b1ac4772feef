import Model
import Tables
import Testing
import Wire

@testable import Control

struct AllocationTests {
    @Test func anUnrelatedPortMovesNobody() throws {
        let first = try compile(twins())
        var changed = twins()
        changed.tenants[1].ports.insert(port("blue", "new", on: "h1", in: "app"), at: 0)
        changed.tenants[0].ports.reverse()
        changed.tenants.reverse()
        let second = try compile(changed, generation: 2, from: first.allocation)
        for plan in first.endpoints {
            #expect(second.allocation.endpoint(plan.key) == plan.slot)
            #expect(second.endpoints.first { $0.key == plan.key } == plan)
        }
        for key in [SegmentKey(tenant: "red", network: "app"), SegmentKey(tenant: "blue", network: "lan")] {
            #expect(second.allocation.segment(key) == first.allocation.segment(key))
        }
        changed.tenants[0].ports.removeAll { $0.name == "new" }
        let third = try compile(changed, generation: 3, from: second.allocation)
        #expect(third.endpoints == first.endpoints)
        #expect(
            third.allocation.attachments.generations.prefix(8) == first.allocation.attachments.generations.prefix(8)
        )
    }

    @Test func aSlotThatChangesHandsHasANewGeneration() throws {
        let web = EndpointKey.port(tenant: "red", name: "web")
        let first = try compile(twins())
        let slot = try #require(first.allocation.endpoint(web))
        let segment = try #require(first.allocation.segment(SegmentKey(tenant: "red", network: "app")))
        let attachment = try #require(first.allocation.attachment(segment: segment, endpoint: slot))

        var changed = twins()
        changed.tenants[0].ports[0].name = "www"
        let second = try compile(changed, generation: 2, from: first.allocation)
        // Not in the very compile that frees it: the old snapshot still speaks of red/web there.
        #expect(second.allocation.endpoint(.port(tenant: "red", name: "www")) != slot)
        let mapped = try Mapped(second.image)
        #expect(mapped.snapshot.endpoints[Int(slot)].kind == EndpointKind.none)
        #expect(mapped.snapshot.endpoints[Int(slot)].generation == 0)
        #expect(mapped.snapshot.attachments[Int(attachment)].kind == AttachmentKind.none)

        changed.tenants[0].ports.append(port("red", "late", on: "h1", in: "app"))
        let third = try compile(changed, generation: 3, from: second.allocation)
        #expect(third.allocation.endpoint(.port(tenant: "red", name: "late")) == slot)
        #expect(third.endpoints.first { $0.slot == slot }?.generation == 1)
        let later = try Mapped(third.image)
        #expect(later.snapshot.endpoints[Int(slot)].generation == 1)
        #expect(later.snapshot.attachments[Int(attachment)].generation == 1)
    }

    @Test func anotherSegmentUnderTheSameNameIsAnotherNetwork() throws {
        let key = SegmentKey(tenant: "red", network: "app")
        let first = try compile(twins())
        let slot = try #require(first.allocation.segment(key))
        func generation(_ compiled: Compiled) throws -> UInt8 {
            let mapped = try Mapped(compiled.image)
            return mapped.snapshot.segments[Int(slot)].generation
        }
        var changed = twins()
        changed.tenants[0].networks[0].segment = .vxlan(id: 6001, port: 4789)
        let second = try compile(changed, generation: 2, from: first.allocation)
        #expect(second.allocation.segment(key) == slot)
        #expect(try generation(first) == 0 && generation(second) == 1)
        #expect(try generation(compile(changed, generation: 3, from: second.allocation)) == 1)
        changed.tenants[0].networks[0].segment = .gre(key: 6001)
        let third = try compile(changed, generation: 3, from: second.allocation)
        #expect(try generation(third) == 2)
        changed.tenants[0].networks[0].mtu = 1280
        changed.tenants[0].networks[0].learning = false
        #expect(try generation(compile(changed, generation: 4, from: third.allocation)) == 2)
    }

    @Test func anotherWireIsAnotherNetwork() throws {
        var topology = twins()
        topology.hosts[0].physical.append(Physical(name: "physnet2", device: "eth2"))
        topology.hosts[1].physical.append(Physical(name: "physnet2", device: "eth2"))
        let first = try compile(topology)
        let slot = try #require(first.allocation.segment(SegmentKey(tenant: "red", network: "lan")))
        for segment in [
            Segment.vlan(physical: "physnet2", id: 100, protocol: .dot1Q),
            .vlan(physical: "physnet1", id: 100, protocol: .dot1ad),
        ] {
            topology.tenants[0].networks[1].segment = segment
            let second = try compile(topology, generation: 2, from: first.allocation)
            let recovered = try SlotAllocation(recoveredFrom: Mapped(first.image).snapshot)
            let third = try compile(topology, generation: 2, from: recovered)
            #expect(second.image == third.image)
            let mapped = try Mapped(second.image)
            #expect(mapped.snapshot.segments[Int(slot)].generation == 1)
        }
    }

    @Test func routersKeepTheirSlots() throws {
        var topology = try routed()
        let first = try compile(topology)
        func slots(_ allocation: SlotAllocation) throws -> [UInt32] {
            try ["red", "blue"].flatMap { tenant -> [UInt32] in
                let router = try #require(allocation.router(RouterKey(tenant: tenant, router: "gw")))
                let keys =
                    ["app", "data", "lan"].map { SegmentKey(tenant: tenant, network: $0) }
                    + ["branch", "six"].map { SegmentKey(tenant: tenant, router: "gw", tunnel: $0) }
                return try [router]
                    + keys.flatMap { key -> [UInt32] in
                        let segment = try #require(allocation.segment(key))
                        let interface = try #require(allocation.interface(router: router, segment: segment))
                        return try [
                            segment, interface, #require(allocation.attachment(segment: segment, interface: interface)),
                        ]
                    }
            }
        }
        let before = try slots(first.allocation)
        #expect(Set(before).count < before.count)
        topology.tenants.reverse()
        for i in topology.tenants.indices {
            topology.tenants[i].routers[0].interfaces.reverse()
            topology.tenants[i].routers[0].tunnels.removeAll { $0.name == "office" }
            topology.tenants[i].routers[0].routes.removeAll()
        }
        topology.tenants[0].routers.insert(
            Router(
                tenant: topology.tenants[0].name,
                name: "another",
                interfaces: [RouterInterface(network: "app", addresses: [prefix("10.0.0.2/24")])]
            ),
            at: 0
        )
        let second = try compile(topology, generation: 2, from: first.allocation)
        #expect(try slots(second.allocation) == before)
        // What the tunnels gave up is somebody else's only with a new generation.
        let offices = ["red", "blue"].map {
            first.allocation.segment(SegmentKey(tenant: $0, router: "gw", tunnel: "office"))
        }
        topology.tenants[0].networks.append(Network(tenant: topology.tenants[0].name, name: "new", segment: .local))
        topology.tenants[0].ports.append(port(topology.tenants[0].name, "new", on: "h1", in: "new"))
        let third = try compile(topology, generation: 3, from: second.allocation)
        let new = try #require(third.allocation.segment(SegmentKey(tenant: topology.tenants[0].name, network: "new")))
        let mapped = try Mapped(third.image)
        #expect(mapped.snapshot.segments[Int(new)].generation == 1)
        #expect(offices.contains(new))
    }

    @Test func aTunnelWithAnotherFarEndIsAnotherTunnel() throws {
        let key = SegmentKey(tenant: "red", router: "gw", tunnel: "office")
        let first = try compile(try routed())
        let slot = try #require(first.allocation.segment(key))
        func generation(after change: (inout RouterTunnel) -> Void) throws -> UInt8 {
            var topology = try routed()
            change(&topology.tenants[0].routers[0].tunnels[2])
            // The same whether the switch went on or was started again.
            let recovered = try SlotAllocation(recoveredFrom: Mapped(first.image).snapshot)
            let second = try compile(topology, generation: 2, from: recovered)
            #expect(try second.image == compile(topology, generation: 2, from: first.allocation).image)
            #expect(second.allocation.segment(key) == slot)
            let mapped = try Mapped(second.image)
            return mapped.snapshot.segments[Int(slot)].generation
        }
        #expect(try generation { _ in } == 0)
        #expect(try generation { $0.mtu = 1300 } == 0)
        #expect(try generation { $0.checksum = false } == 0)
        #expect(try generation { $0.remote = address("198.51.100.77") } == 1)
        #expect(try generation { $0.key = 77 } == 1)
        #expect(try generation { $0.key = nil } == 1)
        #expect(try generation { $0.kind = .ipip } == 1)
    }

    @Test func routersAreRecoveredFromASnapshot() throws {
        var topology = try routed()
        var compiled = try compile(topology)
        for generation in 2...5 as ClosedRange<UInt64> {
            if generation == 3 { topology.tenants[0].routers[0].tunnels[0].host = "h2" }
            if generation == 3 { topology.tenants[0].routers[0].tunnels[0].local = address("192.0.2.2") }
            if generation == 4 { topology.tenants[0].routers.removeAll() }
            if generation == 5 { topology.tenants[0].routers = try routed().tenants[0].routers }
            compiled = try compile(topology, generation: generation, from: compiled.allocation)
            let mapped = try Mapped(compiled.image)
            #expect(SlotAllocation(recoveredFrom: mapped.snapshot) == compiled.allocation)
        }
    }

    @Test func everythingIsRecoveredFromASnapshot() throws {
        var topology = twins()
        topology.tenants[0].networks.append(Network(tenant: "red", name: "tun", segment: .gre(key: 9)))
        topology.tenants[0].ports.append(port("red", "x", on: "h1", in: "tun"))
        topology.tenants[0].ports.append(port("red", "y", on: "h2", in: "tun"))
        var compiled = try compile(topology)
        for generation in 2...6 {
            topology.tenants[0].ports[0].name = "web\(generation)"
            if generation == 4 { topology.tenants[1].ports.removeAll() }
            compiled = try compile(topology, generation: UInt64(generation), from: compiled.allocation)
            let mapped = try Mapped(compiled.image)
            #expect(SlotAllocation(recoveredFrom: mapped.snapshot) == compiled.allocation)
        }
    }
}
