import Model
import Tables
import Testing
import Wire

@testable import Control

/// Random clouds, edited at random, compiled for each of their hosts in turn.
struct PropertyTests {
    @Test(arguments: 0..<60 as Range<UInt64>)
    func editsKeepEveryPromise(seed: UInt64) throws {
        var random = Random(state: seed)
        var cloud = RandomTopology(&random)
        var last: [String: Compiled] = [:]
        for generation in 1...8 as ClosedRange<UInt64> {
            if generation > 1 {
                for _ in 0...random.below(3) { cloud.edit(&random) }
            }
            for host in cloud.topology.hosts {
                let before = last[host.name]
                let compiled = try compile(
                    cloud.topology,
                    host.name,
                    generation: generation,
                    from: before?.allocation ?? SlotAllocation()
                )
                let mapped = try Mapped(compiled.image)
                let label = "seed \(seed), generation \(generation), \(host.name)"
                checkAgainstReference(mapped.snapshot, cloud.topology, host, label)
                checkIsolation(mapped.snapshot, cloud.topology, label)
                checkRoutes(mapped.snapshot, cloud.topology, host, &random, label)
                checkSlots(before?.allocation, compiled.allocation, label)
                #expect(SlotAllocation(recoveredFrom: mapped.snapshot) == compiled.allocation, "\(label)")
                if let before { checkActions(before, compiled, label) }
                last[host.name] = compiled
            }
        }
    }

    private func checkAgainstReference(_ snapshot: Snapshot, _ topology: Topology, _ host: Host, _ label: String) {
        let expected = ReferenceModel(topology: topology, host: host).rows()
        let names = Names(snapshot)
        let networks = names.segments.filter { snapshot.segments[Int($0.value)].kind != SegmentKind.routed }
        #expect(Set(networks.keys) == Set(expected.keys), "\(label)")
        for (name, row) in expected {
            guard let segment = names.segments[name] else { continue }
            #expect(snapshot.flood(segment) == row.flood, "\(label), \(name)")
            checkWaysIn(snapshot, segment, host, "\(label), \(name)")
            // No network knows an address that is not its own.
            for number in [Array(0..<12), Array(0x100..<0x103)].joined() as FlattenSequence<[[UInt64]]> {
                let mac = MACAddress(bits: 0x0200_0000_0000 + number)
                let told = snapshot.told(segment: segment, mac: mac)
                let place = told == noSlot ? nil : snapshot.place(told)
                if place != row.told[mac] {
                    Issue.record("\(label), \(name): \(mac) is told at \(place ?? "nowhere")")
                }
            }
        }
    }

    /// What a segment floods to, it hears from.
    private func checkWaysIn(_ snapshot: Snapshot, _ segment: UInt32, _ host: Host, _ label: String) {
        let owner = snapshot.segments[Int(segment)]
        for k in 0..<owner.floodCount {
            let attachment = snapshot.flood[Int(owner.floodStart + k)]
            let row = snapshot.attachments[Int(attachment)]
            let found: UInt32
            if row.isTunnel {
                found = snapshot.attachment(segment: segment, peer: row.peer)
                let address = snapshot.peers[Int(row.peer)].address
                if snapshot.peer(address) != row.peer { Issue.record("\(label): peer \(row.peer) is not found") }
            } else if row.vlanTPID != 0 {
                found = snapshot.attachment(endpoint: row.endpoint, tpid: row.vlanTPID, vid: row.vlanID)
            } else {
                found = snapshot.endpoints[Int(row.endpoint)].untagged
            }
            if found != attachment { Issue.record("\(label): no way in by \(snapshot.place(attachment))") }
        }
        let isVXLAN = owner.kind == SegmentKind.vxlan
        guard isVXLAN || owner.kind == SegmentKind.gre else { return }
        var sockets = 0
        for i in 0..<snapshot.endpointCount
        where snapshot.endpoints[Int(i)].kind == (isVXLAN ? EndpointKind.vxlan : EndpointKind.gre) {
            if snapshot.segment(endpoint: i, identifier: owner.identifier) == segment { sockets += 1 }
        }
        if sockets != host.vteps.count { Issue.record("\(label): its packets are known on \(sockets) sockets") }
    }

    /// Whatever leads from a segment, or into one, stays with its tenant or leaves with the segment's own tag or
    /// identifier.
    private func checkIsolation(_ snapshot: Snapshot, _ topology: Topology, _ label: String) {
        var kinds: [String: Segment] = [:]
        for tenant in topology.tenants {
            for network in tenant.networks { kinds["\(tenant.name)/\(network.name)"] = network.segment }
        }
        func check(_ attachment: UInt32, in segment: UInt32, _ what: String) {
            let row = snapshot.attachments[Int(attachment)]
            let owner = snapshot.segments[Int(segment)]
            let endpoint = snapshot.endpoints[Int(row.endpoint)]
            var isFine = row.segment == segment && row.kind != AttachmentKind.none && owner.inUse == 1
            switch row.kind {
            case AttachmentKind.port:
                isFine =
                    isFine && endpoint.kind == EndpointKind.port
                    && snapshot.text(endpoint.tenant) == snapshot.text(owner.tenant)
            case AttachmentKind.provider:
                isFine =
                    isFine && endpoint.kind == EndpointKind.provider && UInt32(row.vlanID) == owner.identifier
                    && row.vlanTPID == kinds[snapshot.text(owner.name)]?.tpid
            case AttachmentKind.vxlan:
                isFine = isFine && endpoint.kind == EndpointKind.vxlan && owner.kind == SegmentKind.vxlan
            case AttachmentKind.gre:
                isFine = isFine && endpoint.kind == EndpointKind.gre && owner.kind == SegmentKind.gre
            default: isFine = false
            }
            if !isFine { Issue.record("\(label): \(what) leads astray") }
        }
        for i in 0..<snapshot.segmentCount where snapshot.segments[Int(i)].inUse != 0 {
            let row = snapshot.segments[Int(i)]
            for k in 0..<row.floodCount { check(snapshot.flood[Int(row.floodStart + k)], in: i, "flood list of \(i)") }
            for peer in 0..<snapshot.peerCount {
                let attachment = snapshot.attachment(segment: i, peer: peer)
                if attachment != noSlot { check(attachment, in: i, "member \(peer) of \(i)") }
            }
        }
        for i in 0..<snapshot.endpointCount where snapshot.endpoints[Int(i)].kind != EndpointKind.none {
            var ways = [snapshot.endpoints[Int(i)].untagged]
            for tpid in [0x8100, 0x88A8] as [UInt16] {
                for vid in 0..<120 as Range<UInt16> {
                    ways.append(snapshot.attachment(endpoint: i, tpid: tpid, vid: vid))
                }
            }
            for way in ways where way != noSlot {
                let row = snapshot.attachments[Int(way)]
                if row.endpoint != i { Issue.record("\(label): endpoint \(i) enters by \(way) of another") }
                check(way, in: row.segment, "endpoint \(i)")
            }
            for identifier in 0..<120 as Range<UInt32> {
                let segment = snapshot.segment(endpoint: i, identifier: identifier)
                guard segment != noSlot else { continue }
                let row = snapshot.segments[Int(segment)]
                let isFine =
                    row.identifier == identifier && row.inUse == 1
                    && (snapshot.endpoints[Int(i)].kind == EndpointKind.gre) == (row.kind == SegmentKind.gre)
                if !isFine { Issue.record("\(label): identifier \(identifier) leads astray") }
            }
        }
    }

    /// The table of each router says what the file does, and names nothing of another tenant's.
    private func checkRoutes(
        _ snapshot: Snapshot,
        _ topology: Topology,
        _ host: Host,
        _ random: inout Random,
        _ label: String
    ) {
        let reference = ReferenceModel(topology: topology, host: host)
        var targets = (0..<40).map { _ in
            "10.\(random.below(3)).\(random.below(5)).\([1, 2, 3, 77, random.below(256)][random.below(5)])"
        }
        targets += (0..<3).map { "10.255.\($0).\(1 + random.below(2))" } + ["192.0.2.1", "fe80::ff:fe00:100", "::1"]
        targets += (0..<20).map { _ in "2001:db8:\(random.chance(30) ? "a:" : "")\(random.below(5))::\(random.below(4))"
        }
        var routers: Set<String> = []
        for tenant in topology.tenants {
            for router in tenant.routers {
                let name = "\(tenant.name)/\(router.name)"
                for target in targets {
                    // Only where the tenant has anything here.
                    let expected = reference.route(tenant, router, address(target))
                    let found = snapshot.route(name, target)
                    if expected != found { Issue.record("\(label), \(name) to \(target): \(found), not \(expected)") }
                    if found != "no router" { routers.insert(name) }
                }
            }
        }
        for i in 0..<Int(snapshot.interfaceCount) where snapshot.interfaces[i].inUse != 0 {
            let row = snapshot.interfaces[i]
            let tenants = [snapshot.routers[Int(row.router)].tenant, snapshot.segments[Int(row.segment)].tenant]
            if tenants[0] != tenants[1] { Issue.record("\(label): interface \(i) leads astray") }
        }
        for i in 0..<Int(snapshot.routeCount) {
            let row = snapshot.routes[i]
            for hop in row.hopStart..<row.hopStart + row.hopCount {
                let attachment = snapshot.hops[Int(hop)].attachment
                guard attachment != noSlot else { continue }
                let segment = snapshot.attachments[Int(attachment)].segment
                if snapshot.segments[Int(segment)].tenant != snapshot.routers[Int(row.router)].tenant {
                    Issue.record("\(label): route \(i) leads astray")
                }
            }
        }
    }

    private func checkSlots(_ before: SlotAllocation?, _ after: SlotAllocation, _ label: String) {
        check(before?.endpoints, after.endpoints, "\(label), endpoints")
        check(before?.segments, after.segments, "\(label), segments", mayRaise: true)
        check(before?.attachments, after.attachments, "\(label), attachments")
        check(before?.peers, after.peers, "\(label), peers", hasGenerations: false)
        check(before?.routers, after.routers, "\(label), routers", hasGenerations: false)
        check(before?.interfaces, after.interfaces, "\(label), interfaces", hasGenerations: false)
    }

    private func check<Key>(
        _ before: SlotTable<Key>?,
        _ after: SlotTable<Key>,
        _ label: String,
        mayRaise: Bool = false,
        hasGenerations: Bool = true
    ) {
        var seen: Set<Key> = []
        for (slot, owner) in after.owners.enumerated() {
            guard let owner else { continue }
            if !seen.insert(owner).inserted { Issue.record("\(label): \(owner) has two slots") }
            if after[owner] != UInt32(slot) { Issue.record("\(label): \(owner) is not found at \(slot)") }
        }
        guard let before else { return }
        if after.count < before.count { Issue.record("\(label): the table shrank") }
        for slot in 0..<before.count {
            let (old, new) = (before.owners[slot], after.owners[slot])
            let isRaised = before.generations[slot] != after.generations[slot]
            if let old, let new {
                if old != new { Issue.record("\(label): \(slot) changed hands within one compile") }
                if isRaised, !mayRaise { Issue.record("\(label): \(slot) has a new generation for its old owner") }
            } else if new != nil, hasGenerations, !isRaised {
                Issue.record("\(label): \(slot) was given away with its old generation")
            } else if new == nil, isRaised {
                Issue.record("\(label): \(slot) has a new generation for nobody")
            }
            if let old, let kept = after[old], kept != UInt32(slot) { Issue.record("\(label): \(old) moved") }
        }
    }

    /// Carries the actions out on a toy host: nothing is opened where something is open, and the end is as planned.
    private func checkActions(_ before: Compiled, _ after: Compiled, _ label: String) {
        var open = Dictionary(uniqueKeysWithValues: before.endpoints.map { ($0.slot, $0) })
        let result = Reconciler.actions(
            desired: after.endpoints,
            observed: before.endpoints.map(ObservedEndpoint.init)
        )
        func take(_ plan: EndpointPlan, insteadOf slot: UInt32?) {
            let taken = open.values.contains { !Set($0.medium.claims).isDisjoint(with: plan.medium.claims) }
            if taken { Issue.record("\(label): \(plan.medium) is taken when \(plan.key) opens it") }
            if open[plan.slot] != nil, slot == nil { Issue.record("\(label): slot \(plan.slot) is taken") }
            open[plan.slot] = plan
        }
        for action in result.before + result.after {
            switch action {
            case .open(let plan): take(plan, insteadOf: nil)
            case .replace(let plan, let old): take(plan, insteadOf: old.slot)
            case .reconfigure(let plan, _, _):
                if open[plan.slot]?.medium != plan.medium { Issue.record("\(label): \(plan.key) is not open") }
                open[plan.slot] = plan
            case .close(let slot, _, _, _):
                if open.removeValue(forKey: slot) == nil { Issue.record("\(label): slot \(slot) is not open") }
            }
        }
        let left = open.values.sorted { $0.slot < $1.slot }
        for (have, want) in zip(left, after.endpoints) {
            if have.key != want.key || have.medium != want.medium { Issue.record("\(label): \(have) is not \(want)") }
        }
        #expect(left.count == after.endpoints.count, "\(label)")
        #expect(
            Reconciler.actions(desired: after.endpoints, observed: after.endpoints.map(ObservedEndpoint.init)).isEmpty
        )
    }
}
