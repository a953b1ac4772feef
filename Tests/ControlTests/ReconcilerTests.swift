import Model
import Tables
import Testing
import Wire

@testable import Control

struct ReconcilerTests {
    private func plan(_ slot: UInt32, _ key: EndpointKey, _ medium: EndpointMedium) -> EndpointPlan {
        EndpointPlan(
            slot: slot,
            generation: 0,
            key: key,
            medium: medium,
            mac: medium.isMade ? mac("02:00:00:00:00:01") : nil,
            mtu: 1450,
            addresses: medium.isMade ? [prefix("10.0.0.1/24")] : []
        )
    }

    private func tap(_ slot: UInt32, _ name: String, namespace: String? = nil) -> EndpointPlan {
        plan(
            slot,
            .port(tenant: "red", name: name),
            .tap(name: "eth0", namespace: namespace ?? "red-\(name)")
        )
    }

    private func device(_ slot: UInt32, _ name: String, _ device: String, tenant: String = "red") -> EndpointPlan {
        plan(slot, .port(tenant: tenant, name: name), .device(device))
    }

    private func actions(_ desired: [EndpointPlan], _ observed: [EndpointPlan]) -> Reconciliation {
        Reconciler.actions(desired: desired, observed: observed.map(ObservedEndpoint.init))
    }

    @Test func nothingToDo() {
        let plans = [tap(0, "a"), device(1, "b", "eth3")]
        #expect(actions(plans, plans.reversed()).isEmpty)
        #expect(actions([], []).isEmpty)
    }

    @Test func newOnesOpenFirstAndOldOnesCloseLast() {
        let result = actions([tap(0, "a"), tap(2, "c")], [tap(0, "a"), tap(1, "b")])
        #expect(result.before == [.open(tap(2, "c"))])
        #expect(
            result.after == [
                .close(slot: 1, key: tap(1, "b").key, medium: tap(1, "b").medium, removeDevice: true)
            ]
        )
    }

    @Test func onlyWhatTheSwitchMadeIsRemoved() {
        let wire = plan(1, .provider("physnet1"), .provider(device: "eth1"))
        let gre = plan(
            2,
            .gre(address: address("192.0.2.1")),
            .gre(address: address("192.0.2.1"))
        )
        let veth = plan(3, .port(tenant: "red", name: "v"), .veth(name: "v0", namespace: nil, ownEnd: "slx"))
        let result = actions([], [device(0, "a", "eth3"), wire, gre, veth])
        #expect(result.before.isEmpty)
        let removed = result.after.map {
            if case .close(_, _, _, let remove) = $0 { remove } else { true }
        }
        #expect(removed == [false, false, false, true])
    }

    @Test func settingsChangeWithoutTouchingTheDescriptor() {
        let old = tap(0, "a")
        var new = old
        new.mtu = 1400
        new.addresses.append(prefix("2001:db8::1/64"))
        #expect(
            actions([new], [old]).before == [.reconfigure(new, [.mtu, .addresses], from: ObservedEndpoint(old))]
        )
        new = old
        new.mac = mac("02:00:00:00:00:02")
        new.gateways = [address("10.0.0.254")]
        #expect(actions([new], [old]).before == [.reconfigure(new, [.mac, .gateways], from: ObservedEndpoint(old))])
        #expect("\(actions([new], [old]).before[0])" == "set MAC and gateways of red/a")
        // The order of addresses means nothing, nor does anything on a device that is not ours.
        var swapped = old
        swapped.addresses = [prefix("10.0.0.2/24"), prefix("10.0.0.1/24")]
        var other = swapped
        other.addresses.reverse()
        #expect(actions([swapped], [other]).isEmpty)
        var nic = device(1, "b", "eth3")
        nic.mtu = 9000
        #expect(actions([nic], [device(1, "b", "eth3")]).isEmpty)
    }

    @Test func whatIsUnknownIsSetAgain() {
        let plan = tap(0, "a")
        let observed = ObservedEndpoint(slot: 0, key: plan.key, medium: plan.medium)
        #expect(
            Reconciler.actions(desired: [plan], observed: [observed]).before
                == [.reconfigure(plan, [.mac, .mtu, .addresses, .gateways], from: observed)]
        )
        let nic = device(0, "a", "eth3")
        #expect(
            Reconciler.actions(desired: [nic], observed: [ObservedEndpoint(slot: 0, key: nic.key, medium: nic.medium)])
                .isEmpty
        )
    }

    @Test func anotherDeviceReplacesTheOldOne() {
        let old = device(0, "a", "eth3")
        let new = device(0, "a", "eth4")
        #expect(actions([new], [old]).before == [.replace(new, from: ObservedEndpoint(old))])
        #expect(actions([new], [old]).after.isEmpty)
        let moved = tap(0, "a", namespace: "elsewhere")
        #expect(actions([moved], [tap(0, "a")]).before == [.replace(moved, from: ObservedEndpoint(tap(0, "a")))])
        #expect(
            "\(actions([moved], [tap(0, "a")]).before[0])"
                == "move red/a to tap eth0 netns elsewhere from tap eth0 netns red-a"
        )
    }

    @Test func anInterfaceThatChangesHandsIsClosedFirst() {
        // Red gives eth3 to blue: for no moment do both have it.
        let result = actions([device(1, "b", "eth3", tenant: "blue")], [device(0, "a", "eth3")])
        #expect(
            result.before == [
                .close(
                    slot: 0,
                    key: .port(tenant: "red", name: "a"),
                    medium: .device("eth3"),
                    removeDevice: false
                ),
                .open(device(1, "b", "eth3", tenant: "blue")),
            ]
        )
        #expect(result.after.isEmpty)
    }

    @Test func twoPortsSwapTheirDevices() {
        let result = actions(
            [device(0, "a", "eth4"), device(1, "b", "eth3", tenant: "blue")],
            [device(0, "a", "eth3"), device(1, "b", "eth4", tenant: "blue")]
        )
        #expect(
            result.before.map(\.description) == [
                "close red/a (device eth3)", "close blue/b (device eth4)", "open red/a (device eth4)",
                "open blue/b (device eth3)",
            ]
        )
    }

    @Test func theSameNameAsAnotherKindCannotBeMadeBesideTheOld() {
        let old = tap(0, "a")
        let new = plan(0, old.key, .veth(name: "eth0", namespace: "red-a", ownEnd: "slx"))
        #expect(
            actions([new], [old]).before.map(\.description) == [
                "close red/a (tap eth0 netns red-a) and remove its interface", "open red/a (veth eth0 netns red-a)",
            ]
        )
        // The switch's own end keeps its name.
        let first = plan(0, old.key, .veth(name: "v0", namespace: "n", ownEnd: "slx"))
        let second = plan(0, old.key, .veth(name: "v1", namespace: "n", ownEnd: "slx"))
        #expect(actions([second], [first]).before.count == 2)
    }

    @Test func aLeftoverOfAnEarlierRunIsClosedFirst() {
        // The slot is free in the snapshot in force, yet the datapath still serves it.
        let leftover = ObservedEndpoint(slot: 0, key: nil, medium: nil)
        let plan = tap(0, "a")
        #expect(
            Reconciler.actions(desired: [plan], observed: [leftover]).before == [
                .close(slot: 0, key: nil, medium: nil, removeDevice: false), .open(plan),
            ]
        )
        #expect(
            Reconciler.actions(desired: [], observed: [leftover]).after.map(\.description) == ["close slot 0"]
        )
    }

    @Test func lostSlotsDoNotOpenASocketTwice() {
        let key = EndpointKey.vxlan(address: address("192.0.2.1"), port: 4789)
        let medium = EndpointMedium.vxlan(address: address("192.0.2.1"), port: 4789)
        let result = actions([plan(3, key, medium)], [plan(1, key, medium)])
        #expect(
            result.before == [
                .close(slot: 1, key: key, medium: medium, removeDevice: false), .open(plan(3, key, medium)),
            ]
        )
    }

    @Test func aTakenOverDatapathIsLeftAlone() throws {
        var topology = twins()
        topology.tenants[0].ports[0].attach = .veth(name: "w0", namespace: "red-web")
        topology.tenants[0].ports[2].attach = .device("eth3")
        let compiled = try compile(topology)
        let mapped = try Mapped(compiled.image)
        let observed = compiled.endpoints.map { ObservedEndpoint(slot: $0.slot, in: mapped.snapshot) }
        #expect(observed.map(\.key) == compiled.endpoints.map(\.key))
        #expect(observed.map(\.medium) == compiled.endpoints.map(\.medium))
        let recovered = SlotAllocation(recoveredFrom: mapped.snapshot)
        let again = try compile(topology, generation: 2, from: recovered)
        let result = Reconciler.actions(desired: again.endpoints, observed: observed)
        #expect(result.after.isEmpty)
        for action in result.before {
            guard case .reconfigure = action else {
                Issue.record("a descriptor would be touched: \(action)")
                continue
            }
        }
        #expect(ObservedEndpoint(slot: 99, in: mapped.snapshot).key == nil)
    }
}
