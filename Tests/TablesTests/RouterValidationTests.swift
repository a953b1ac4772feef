import Testing
import Wire

@testable import Tables

private typealias Slot = RoutedSnapshot.Slot

/// One thing wrong in a snapshot that is right otherwise, and the section that is to be named.
struct Flaw: Sendable, CustomTestStringConvertible {
    var name: String
    var section: String
    var apply: @Sendable (inout SnapshotBuilder) -> Void

    init(_ name: String, _ section: String, _ apply: @escaping @Sendable (inout SnapshotBuilder) -> Void) {
        self.name = name
        self.section = section
        self.apply = apply
    }

    var testDescription: String { name }
}

private let rangeFlaws: [Flaw] = [
    Flaw("ranges behind the section", "routers") { $0.routers[0].ipv4.start += 1000 },
    Flaw("ranges that wrap", "routers") { $0.routers[0].ipv4.start = .max },
    Flaw("more ranges than there are", "routers") { $0.routers[1].ipv4.count = 1000 },
    Flaw("the most ranges that can be written", "routers") { $0.routers[1].ipv6.count = .max },
    Flaw("IPv6 ranges behind the section", "routers") { $0.routers[0].ipv6.start = 1000 },
    Flaw("an index behind the section", "routers") { $0.routers[0].ipv4.indexStart += 1000 },
    Flaw("an index that wraps", "routers") { $0.routers[0].ipv6.indexStart = .max },
    Flaw("an index that ends behind the section", "routers") {
        $0.routers[1].ipv4.indexStart = UInt32($0.rangeIndex.count) - (1 << $0.routers[1].ipv4.indexBits)
    },
    Flaw("an index of 17 bits", "routers") { $0.routers[0].ipv4.indexBits = 17 },
    Flaw("an index of 64 bits", "routers") { $0.routers[0].ipv4.indexBits = 64 },
    Flaw("an index that leads back", "routers") {
        $0.rangeIndex[Int($0.routers[0].ipv4.indexStart) + 2] = 0
    },
    Flaw("an index that leads behind the table", "routers") {
        let table = $0.routers[0].ipv4
        $0.rangeIndex[Int(table.indexStart) + 1 << Int(table.indexBits)] = table.count
    },
    Flaw("a table that does not begin at 0", "routers") { $0.rangesIPv4[Int($0.routers[0].ipv4.start)].start = 1 },
    Flaw("an IPv6 table that does not begin at 0", "routers") {
        $0.rangesIPv6[Int($0.routers[0].ipv6.start)].start.low = 1
    },
    Flaw("ranges that do not ascend", "routers") {
        $0.rangesIPv4[Int($0.routers[0].ipv4.start) + 2].start = $0.rangesIPv4[Int($0.routers[0].ipv4.start) + 1].start
    },
    Flaw("a range whose route does not exist", "routers") { $0.rangesIPv4[1].route = UInt32($0.routes.count) },
    Flaw("an IPv6 range whose route does not exist", "routers") { $0.rangesIPv6[1].route = noSlot - 1 },
    Flaw("another tenant's route", "routers") {
        let table = $0.routers[Int(Slot.blue)].ipv4
        $0.rangesIPv4[Int(table.start)].route = 0
    },
    Flaw("another tenant's table", "routers") {
        $0.routers[Int(Slot.blue)].ipv4 = $0.routers[Int(Slot.red)].ipv4
    },
]

private let rowFlaws: [Flaw] = [
    Flaw("an interface's router", "interfaces") { $0.interfaces[0].router = 2 },
    Flaw("an interface without a router", "interfaces") { $0.interfaces[0].router = noSlot },
    Flaw("a router out of use", "interfaces") { $0.routers[1].inUse = 0 },
    Flaw("an interface's segment", "interfaces") { $0.interfaces[0].segment = 5 },
    Flaw("a segment out of use", "interfaces") { $0.segments[Int(Slot.redData)].inUse = 0 },
    Flaw("an interface's attachment", "interfaces") { $0.interfaces[0].attachment = 10 },
    Flaw("an interface at a port's attachment", "interfaces") { $0.interfaces[0].attachment = Slot.redWeb },
    Flaw("an interface at another's attachment", "interfaces") { $0.interfaces[0].attachment = Slot.blueAppRouter },
    Flaw("addresses behind the section", "interfaces") { $0.interfaces[4].addressCount += 1 },
    Flaw("addresses that wrap", "interfaces") { $0.interfaces[4].addressStart = .max },
    Flaw("an address of 33 bits", "addresses") { $0.addresses[0].length = 33 },
    Flaw("an IPv6 address of 129 bits", "addresses") { $0.addresses[1].length = 129 },
    Flaw("a router's attachment without an interface", "attachments") {
        $0.attachments[Int(Slot.redAppRouter)].interface = noSlot
    },
    Flaw("a router's attachment with an endpoint", "attachments") {
        $0.attachments[Int(Slot.redAppRouter)].endpoint = Slot.redPort
    },
    Flaw("a router's attachment whose interface does not exist", "attachments") {
        $0.attachments[Int(Slot.redAppRouter)].interface = 5
    },
    Flaw("a far end whose interface does not exist", "attachments") {
        $0.attachments[Int(Slot.redFarEnd)].interface = 5
    },
    Flaw("a far end without a peer", "attachments") { $0.attachments[Int(Slot.redFarEnd)].peer = noSlot },
    Flaw("a far end whose peer does not exist", "attachments") { $0.attachments[Int(Slot.redFarEnd)].peer = 2 },
    Flaw("a far end without an endpoint", "attachments") { $0.attachments[Int(Slot.redFarEnd)].endpoint = noSlot },
    Flaw("a far end in another tenant's segment", "attachments") {
        $0.attachments[Int(Slot.redFarEnd)].segment = Slot.blueTunnel
    },
    Flaw("a far end of another tenant's interface", "attachments") {
        $0.attachments[Int(Slot.redFarEnd)].interface = Slot.blueTunnelInterface
    },
    Flaw("an interface out of use", "attachments") { $0.interfaces[Int(Slot.redDataInterface)].inUse = 0 },
    Flaw("a port's attachment with an interface", "attachments") { $0.attachments[Int(Slot.redWeb)].interface = 0 },
    Flaw("an attachment of no known kind", "attachments") { $0.attachments[Int(Slot.redFarEnd)].kind = 9 },
    Flaw("a flooded router", "flood") { $0.setFlood(segment: 0, to: [Slot.redAppRouter]) },
    Flaw("a router that frames without a tag go to", "endpoints") { $0.endpoints[0].untagged = Slot.redAppRouter },
    Flaw("hops behind the section", "routes") { $0.routes[2].hopCount = 1000 },
    Flaw("hops that wrap", "routes") { $0.routes[2].hopStart = .max },
    Flaw("no hops", "routes") { $0.routes[2].hopCount = 0 },
    Flaw("a route's router", "routes") {
        // No range leads to it.
        var route = $0.routes[7]
        route.router = 2
        $0.routes.append(route)
    },
    Flaw("a route of no kind", "routes") { $0.routes[7].kind = 0 },
    Flaw("a route of no known kind", "routes") { $0.routes[7].kind = 7 },
    Flaw("a prefix of 33 bits", "routes") { $0.routes[0].length = 33 },
    Flaw("an IPv6 prefix of 129 bits", "routes") { $0.routes[8].length = 129 },
    Flaw("another tenant's hop", "routes") { $0.routes[0].hopStart = 6 },
    Flaw("another tenant's hop among one's own", "routes") { $0.routes[2].hopCount = 5 },
]

private let hopFlaws: [Flaw] = [
    Flaw("a hop of no kind", "hops") { $0.hops[0].kind = 0 },
    Flaw("a hop of no known kind", "hops") { $0.hops[0].kind = 7 },
    Flaw("a local hop's interface", "hops") { $0.hops[Int(Slot.localHop)].interface = 5 },
    Flaw("a connected hop's interface", "hops") { $0.hops[Int(Slot.connectedHop)].interface = noSlot },
    Flaw("a connected hop's attachment", "hops") { $0.hops[Int(Slot.connectedHop)].attachment = noSlot },
    Flaw("a gateway's interface", "hops") { $0.hops[Int(Slot.gatewayHop)].interface = 5 },
    Flaw("a gateway at another interface's attachment", "hops") {
        $0.hops[Int(Slot.gatewayHop)].attachment = Slot.redAppRouter
    },
    Flaw("a tunnel's interface", "hops") { $0.hops[Int(Slot.tunnelHop)].interface = 5 },
    Flaw("a tunnel's far end", "hops") { $0.hops[Int(Slot.tunnelHop)].attachment = 10 },
    Flaw("a tunnel into a network", "hops") { $0.hops[Int(Slot.tunnelHop)].attachment = Slot.redVTEP },
    Flaw("a tunnel to its near end", "hops") { $0.hops[Int(Slot.tunnelHop)].attachment = Slot.redTunnelRouter },
    Flaw("a tunnel with another's far end", "hops") { $0.hops[Int(Slot.tunnelHop)].attachment = Slot.blueFarEnd },
    Flaw("a redirect to nowhere", "hops") { $0.hops[Int(Slot.redirectHop)].attachment = noSlot },
    Flaw("a redirect to a port", "hops") { $0.hops[Int(Slot.redirectHop)].attachment = Slot.redWeb },
    Flaw("a redirect for an interface that does not exist", "hops") { $0.hops[Int(Slot.redirectHop)].interface = 5 },
    Flaw("an interface that does not exist, out of reach", "hops") {
        $0.hops[Int(Slot.unreachableHop)].interface = 5
    },
]

private let indexFlaws: [Flaw] = [
    Flaw("a neighbour's segment", "neighbors") {
        $0.tell(segment: 5, address: RoutedSnapshot.routerAddress, mac: MACAddress(bits: 2))
    },
    Flaw("a neighbour's router", "neighbors") {
        $0.tell(segment: 0, address: .v4(IPv4Address(bits: 1)), mac: MACAddress(bits: 2), router: 10)
    },
    Flaw("a neighbour that is no router", "neighbors") {
        $0.tell(segment: 0, address: .v4(IPv4Address(bits: 1)), mac: MACAddress(bits: 2), router: Slot.redWeb)
    },
    Flaw("a neighbour that is another network's router", "neighbors") {
        let router = Slot.blueAppRouter
        $0.tell(segment: 0, address: .v4(IPv4Address(bits: 1)), mac: MACAddress(bits: 2), router: router)
    },
    Flaw("a tunnel's packets at no attachment", "tunnelIndex") {
        $0.mapTunnel(endpoint: Slot.gre, peer: Slot.branch, key: 1, to: 10)
    },
    Flaw("a tunnel's packets at a VTEP", "tunnelIndex") {
        $0.mapTunnel(endpoint: Slot.vxlan, peer: Slot.otherHost, key: nil, to: Slot.redVTEP)
    },
    Flaw("a tunnel's packets by another endpoint", "tunnelIndex") {
        $0.mapTunnel(endpoint: Slot.gre, peer: Slot.branch, key: nil, to: Slot.redFarEnd)
    },
    Flaw("a tunnel's packets from another peer", "tunnelIndex") {
        $0.mapTunnel(endpoint: Slot.gre, peer: Slot.otherHost, key: nil, to: Slot.blueFarEnd)
    },
    Flaw("frames of a VLAN for a router", "vlanIndex") {
        $0.mapVLAN(endpoint: 0, tpid: 0x8100, vid: 7, to: Slot.redAppRouter)
    },
    Flaw("frames of a VLAN for a far end", "vlanIndex") {
        $0.mapVLAN(endpoint: 0, tpid: 0x8100, vid: 7, to: Slot.redFarEnd)
    },
    Flaw("a far end that is a VTEP of a network", "memberIndex") {
        $0.mapMember(segment: Slot.redApp, peer: Slot.branch, to: Slot.redFarEnd)
    },
    Flaw("a station at a far end", "toldIndex") {
        $0.tell(segment: Slot.redTunnel, mac: MACAddress(bits: 2), at: Slot.redFarEnd)
    },
]

@Suite("Routers in snapshots") struct RouterValidationTests {
    @Test("each look-up finds its tenant's own")
    func found() throws {
        let snapshot = try OwnedSnapshot(RoutedSnapshot().builder.freeze(generation: 1, seed: 9)).snapshot
        func hop(_ router: UInt32, _ address: String) -> NextHopRecord? {
            let route =
                switch IPAddress(address)! {
                case .v4(let a): snapshot.route(router: router, a)
                case .v6(let a): snapshot.route(router: router, a)
                }
            guard route != noSlot, snapshot.routes[Int(route)].hopCount > 0 else { return nil }
            return snapshot.hops[Int(snapshot.routes[Int(route)].hopStart)]
        }
        #expect(hop(Slot.red, "10.9.1.2")?.attachment == Slot.redFarEnd)
        #expect(hop(Slot.blue, "10.9.1.2")?.attachment == Slot.blueFarEnd)
        #expect(hop(Slot.red, "10.9.9.1") == nil)
        #expect(hop(Slot.blue, "10.8.0.1") == nil)
        #expect(hop(Slot.red, "10.0.0.1")?.kind == HopKind.local)
        #expect(hop(Slot.red, "10.10.0.1")?.kind == HopKind.redirect)
        #expect(hop(Slot.red, "2001:db8:1::5")?.kind == HopKind.connected)
        #expect(hop(Slot.red, "2001:db8:2::5")?.kind == HopKind.tunnel)
        #expect(hop(Slot.blue, "2001:db8:2::5") == nil)

        let router = RoutedSnapshot.routerAddress.mapped
        let red = snapshot.neighbor(segment: Slot.redApp, router)
        let blue = snapshot.neighbor(segment: Slot.blueApp, router)
        #expect(snapshot.neighbors[Int(red)].router == Slot.redAppRouter)
        #expect(snapshot.neighbors[Int(blue)].router == Slot.blueAppRouter)
        #expect(snapshot.neighbor(segment: Slot.redData, router) == noSlot)

        #expect(snapshot.tunnel(endpoint: Slot.ipip, peer: Slot.branch, key: 0, hasKey: false) == Slot.redFarEnd)
        #expect(snapshot.tunnel(endpoint: Slot.gre, peer: Slot.branch, key: 0, hasKey: true) == Slot.blueFarEnd)
        // Without a key is another tunnel than with key 0.
        #expect(snapshot.tunnel(endpoint: Slot.gre, peer: Slot.branch, key: 0, hasKey: false) == noSlot)
        #expect(snapshot.tunnel(endpoint: Slot.ipip, peer: Slot.branch, key: 0, hasKey: true) == noSlot)
        #expect(snapshot.tunnel(endpoint: Slot.ipip, peer: Slot.otherHost, key: 0, hasKey: false) == noSlot)
    }

    @Test("a range table that cannot be searched is refused", arguments: rangeFlaws)
    func ranges(flaw: Flaw) { refuse(flaw) }

    @Test("a row that leads nowhere, or to another tenant, is refused", arguments: rowFlaws)
    func rows(flaw: Flaw) { refuse(flaw) }

    @Test("a hop that leads nowhere is refused", arguments: hopFlaws)
    func hops(flaw: Flaw) { refuse(flaw) }

    @Test("an index that leads to the wrong kind of row is refused", arguments: indexFlaws)
    func indexes(flaw: Flaw) { refuse(flaw) }

    private func refuse(_ flaw: Flaw) {
        var builder = RoutedSnapshot().builder
        flaw.apply(&builder)
        do {
            _ = try OwnedSnapshot(builder.freeze(generation: 1, seed: 9))
            Issue.record("\(flaw.name) was accepted")
        } catch SnapshotError.danglingReference(let section, _) {
            #expect(section == flaw.section)
        } catch {
            Issue.record("\(error)")
        }
    }

    @Test("a section that is not where the header says is refused", arguments: Section.allCases)
    func sections(section: Section) throws {
        let image = RoutedSnapshot().builder.freeze(generation: 1, seed: 9)
        let at = SnapshotHeader.sectionsOffset + 16 * section.rawValue
        func word(_ offset: Int) -> UInt64 {
            image.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        }
        func refuse(_ offset: Int, _ value: UInt64) {
            var broken = image
            broken.withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: offset, as: UInt64.self) }
            #expect(throws: SnapshotError.self, "\(section) \(offset - at) \(value)") { try OwnedSnapshot(broken) }
        }
        let size = UInt64(image.count)
        let stride = UInt64(section.stride)
        for offset in [word(at) + 1, size + 16, .max, 1 << 63, .max & ~15] { refuse(at, offset) }
        for count in [(size - word(at)) / stride + 1, .max, .max / stride, 1 << 63, 1 << 32] { refuse(at + 8, count) }
    }

    @Test("damaged images are refused or safe to route by")
    func damage() throws {
        let image = RoutedSnapshot().builder.freeze(generation: 1, seed: 9)
        var random = Random(state: 77)
        var accepted = 0
        for round in 0..<60_000 {
            var broken = image
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: SnapshotHeader.seedOffset..<image.count, using: &random)
                // Small values hit other rows, single bits the high parts.
                broken[at] =
                    switch UInt8.random(in: 0..<3, using: &random) {
                    case 0: UInt8.random(in: 0...16, using: &random)
                    case 1: broken[at] ^ 1 << UInt8.random(in: 0..<8, using: &random)
                    default: UInt8.random(in: 0...255, using: &random)
                    }
            }
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: broken.count, alignment: 16)
            defer { memory.deallocate() }
            memory.copyBytes(from: broken)
            guard let snapshot = try? Snapshot(validating: UnsafeRawBufferPointer(memory)) else { continue }
            accepted += 1
            guard lookEverywhere(snapshot, using: &random) else {
                Issue.record("round \(round): a look-up led where nothing is")
                return
            }
        }
        #expect(accepted > 5000)
    }

    /// Looks up thousands of addresses and follows each answer as far as a packet would.
    private func lookEverywhere(_ snapshot: Snapshot, using random: inout Random) -> Bool {
        for router in 0..<snapshot.routerCount {
            for _ in 0..<40 {
                let near: UInt64 = 0x0A00_0000 | random.next() & 0x000B_09FF
                let v4 = IPv4Address(bits: UInt32(truncatingIfNeeded: random.next() & 7 == 0 ? random.next() : near))
                let high: UInt64 = 0x2001_0DB8_0000_0000 | random.next() & 0x0003_0001_0000_0001
                let v6 = IPv6Address(high: random.next() & 7 == 0 ? random.next() : high, low: random.next() & 3)
                for route in [snapshot.route(router: router, v4), snapshot.route(router: router, v6)] {
                    guard follow(snapshot, router, route) else { return false }
                }
            }
            for bits in [0, 1, .max - 1, .max] as [UInt32] {
                let high = UInt64(bits) << 32 | UInt64(bits)
                let v6 = IPv6Address(high: high, low: high)
                guard follow(snapshot, router, snapshot.route(router: router, IPv4Address(bits: bits))),
                    follow(snapshot, router, snapshot.route(router: router, v6))
                else { return false }
            }
        }
        for segment in 0..<snapshot.segmentCount {
            let slot = snapshot.neighbor(segment: segment, RoutedSnapshot.routerAddress.mapped)
            guard slot == noSlot || isRouter(snapshot, snapshot.neighbors[Int(slot)].router, segment) else {
                return false
            }
        }
        for (endpoint, hasKey) in [(Slot.ipip, false), (Slot.gre, true), (Slot.gre, false)] {
            let far = snapshot.tunnel(endpoint: endpoint, peer: Slot.branch, key: 0, hasKey: hasKey)
            guard far == noSlot || isFarEnd(snapshot, far, endpoint) else { return false }
        }
        return true
    }

    private func isRouter(_ snapshot: Snapshot, _ attachment: UInt32, _ segment: UInt32) -> Bool {
        guard attachment != noSlot else { return true }
        guard attachment < snapshot.attachmentCount else { return false }
        let place = snapshot.attachments[Int(attachment)]
        return place.isRouter && place.segment == segment && place.interface < snapshot.interfaceCount
            && snapshot.interfaces[Int(place.interface)].router < snapshot.routerCount
    }

    private func isFarEnd(_ snapshot: Snapshot, _ attachment: UInt32, _ endpoint: UInt32) -> Bool {
        let place = snapshot.attachments[Int(attachment)]
        return place.carriesPackets && place.endpoint == endpoint && place.peer < snapshot.peerCount
            && place.segment < snapshot.segmentCount && place.interface < snapshot.interfaceCount
    }

    /// What a packet that was routed leads to, and whether all of it is the router's.
    private func follow(_ snapshot: Snapshot, _ router: UInt32, _ slot: UInt32) -> Bool {
        if slot == noSlot { return true }
        guard slot < snapshot.routeCount else { return false }
        let route = snapshot.routes[Int(slot)]
        guard route.router == router else { return false }
        for i in Int(route.hopStart)..<Int(route.hopStart) + Int(route.hopCount) {
            let hop = snapshot.hops[i]
            if hop.interface != noSlot {
                guard hop.interface < snapshot.interfaceCount else { return false }
                let interface = snapshot.interfaces[Int(hop.interface)]
                guard interface.router == router, interface.segment < snapshot.segmentCount,
                    interface.attachment < snapshot.attachmentCount,
                    snapshot.attachments[Int(interface.attachment)].segment == interface.segment
                else { return false }
                for a in Int(interface.addressStart)..<Int(interface.addressStart) + Int(interface.addressCount) {
                    guard snapshot.addresses[a].length <= 128 else { return false }
                }
            }
            if hop.kind == HopKind.unreachable { continue }
            guard hop.attachment < snapshot.attachmentCount else { return false }
            let place = snapshot.attachments[Int(hop.attachment)]
            guard place.isRouter || place.endpoint < snapshot.endpointCount && place.peer < snapshot.peerCount,
                place.segment < snapshot.segmentCount
            else { return false }
        }
        return true
    }

    @Test("rows have the size that the layout version promises")
    func layout() {
        #expect(MemoryLayout<RouterRecord>.stride == 88)
        #expect(MemoryLayout<InterfaceRecord>.stride == 48)
        #expect(MemoryLayout<InterfaceAddress>.stride == 24)
        #expect(MemoryLayout<RouteRecord>.stride == 32)
        #expect(MemoryLayout<NextHopRecord>.stride == 32)
        #expect(MemoryLayout<NeighborRecord>.stride == 32)
        #expect(MemoryLayout<RangeIPv4>.stride == 8)
        #expect(MemoryLayout<RangeIPv6>.stride == 24)
        #expect(MemoryLayout<NeighborTable.Entry>.stride == 40)
        #expect(MemoryLayout<PathMTU>.stride == 24)
    }
}
