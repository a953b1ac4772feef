import Model
import Tables
import Wire

extension Compilation {
    /// The tables of the routers: their own addresses, what they are connected to, and what the file says.
    mutating func writeRoutes() {
        var first = 0
        for number in scope.routers.indices {
            var last = first
            while last < interfaces.count, interfaces[last].router == number { last += 1 }
            var table = RouteTable(router(number), slot: routerSlots[number])
            connect(&table, number, interfaces[first..<last])
            table.write(to: &builder)
            first = last
        }
    }

    /// Tells a table what the router reaches directly, and by what.
    private mutating func connect(_ table: inout RouteTable, _ number: Int, _ plans: ArraySlice<InterfacePlan>) {
        var interfaces: [Int: InterfacePlan] = [:]
        var tunnels: [Int: InterfacePlan] = [:]
        for plan in plans {
            if plan.tunnel < 0 { interfaces[plan.index] = plan } else { tunnels[anchored[plan.tunnel].index] = plan }
        }
        // The router answers for all of its addresses wherever it is.
        let any = plans[plans.startIndex]
        let router = router(number)
        for (i, interface) in router.interfaces.enumerated() {
            var hop = NextHopRecord(HopKind.unreachable)
            if let plan = interfaces[i] { hop = NextHopRecord(HopKind.connected, plan) }
            table.add(interface.addresses, hop, own: NextHopRecord(HopKind.local, interfaces[i] ?? any))
        }
        for (i, tunnel) in router.tunnels.enumerated() {
            var hop = NextHopRecord(HopKind.unreachable)
            if let plan = tunnels[i] {
                hop = NextHopRecord(HopKind.tunnel, plan)
                let peer = peerSlots[anchored[plan.tunnel].peer]
                hop.attachment = allocation.attachment(segment: plan.segment, peer: peer) ?? noSlot
            } else if let way = way(to: tunnel.host, number) {
                hop = NextHopRecord(HopKind.redirect)
                hop.attachment = way
            }
            hop.name = builder.string(tunnel.name)
            table.tunnels[tunnel.name] = hop
            table.add(tunnel.addresses, hop, own: NextHopRecord(HopKind.local, tunnels[i] ?? any))
        }
        // Of networks that the neighbours know it in by a link-local address.
        if let i = router.interfaces.firstIndex(where: { $0.addresses.contains(where: \.address.isIPv6) }) {
            let linkLocal = IPAddress.v6(IPv6Address(linkLocalOf: router.mac))
            table.add(
                [IPPrefix(address: linkLocal, length: 128)],
                NextHopRecord(HopKind.unreachable),
                own: NextHopRecord(HopKind.local, interfaces[i] ?? any)
            )
        }
    }

    /// The attachment of the host that a tunnel begins on, in the first of the router's networks that is itself
    /// tunnelled; nil if there is no such way.
    private func way(to anchor: String, _ number: Int) -> UInt32? {
        let local = scope.routers[number]
        let networks = topology.tenants[local.tenant].networks
        guard let carrier = local.interfaces.first(where: { networks[$0.index].segment.isTunnel }), carrier.number >= 0,
            let host = scope.number(ofHost: anchor), tunnels.hostPeers[host] >= 0
        else { return nil }
        return allocation.attachment(
            segment: segmentSlots[carrier.number],
            peer: peerSlots[tunnels.hostPeers[host]]
        )
    }
}

extension NextHopRecord {
    fileprivate init(_ kind: UInt8) {
        self.init()
        self.kind = kind
    }

    /// By an interface of this host.
    fileprivate init(_ kind: UInt8, _ plan: InterfacePlan) {
        self.init(kind)
        interface = plan.slot
        attachment = plan.attachment
    }
}

/// One router's routes on their way into the snapshot. Routes that lead out the same way share their hops.
private struct RouteTable {
    /// By name.
    var tunnels: [String: NextHopRecord] = [:]

    private let router: Router
    private let slot: UInt32
    /// What is connected, by its prefix, and the lengths that occur, longest first: of IPv4 and of IPv6.
    private var links: [IPPrefix: NextHopRecord] = [:]
    private var lengths: [[Int]] = [[], []]
    private var own: [(address: IPAddress, hop: NextHopRecord)] = []
    private var connected: [(prefix: IPPrefix, hop: NextHopRecord)] = []

    private var prefixes: [[RouteRangeBuilder.Prefix]] = [[], []]
    /// Where the hops of earlier routes are: alone by gateway or tunnel, else by what the route said.
    private var gateways: [IPAddress: Range<Int>] = [:]
    private var singles: [String: Range<Int>] = [:]
    private var lists: [[Way]: Range<Int>] = [:]

    private enum Way: Hashable {
        case gateway(IPAddress)
        case tunnel(String)

        init(_ hop: Route.Hop) {
            switch hop {
            case .gateway(let address): self = .gateway(address)
            case .tunnel(let name): self = .tunnel(name)
            }
        }
    }

    init(_ router: Router, slot: UInt32) {
        self.router = router
        self.slot = slot
    }

    /// Adds the router's addresses on an interface or tunnel, by which `hop` leads out of it.
    mutating func add(_ addresses: [IPPrefix], _ hop: NextHopRecord, own local: NextHopRecord) {
        for prefix in addresses {
            own.append((prefix.address, local))
            guard prefix.length < prefix.maximumLength, links.updateValue(hop, forKey: prefix.network) == nil else {
                continue
            }
            connected.append((prefix.network, hop))
            let family = prefix.address.isIPv6 ? 1 : 0
            if !lengths[family].contains(prefix.length) {
                lengths[family].append(prefix.length)
                lengths[family].sort(by: >)
            }
        }
    }

    mutating func write(to builder: inout SnapshotBuilder) {
        let taken = Set(connected.map(\.prefix) + own.map { IPPrefix($0.address) })
        builder.routes.reserveCapacity(builder.routes.count + taken.count + router.routes.count)
        for route in router.routes where !taken.contains(route.to) {
            let kind: UInt8
            var hops = 0..<0
            switch route.action {
            case .forward(let ways):
                kind = RouteKind.static
                hops = self.hops(ways, &builder)
            case .blackhole: kind = RouteKind.blackhole
            case .unreachable: kind = RouteKind.unreachable
            case .prohibit: kind = RouteKind.prohibit
            }
            write(route.to, kind, hops, &builder)
        }
        for (prefix, hop) in connected { write(prefix, RouteKind.connected, append([hop], &builder), &builder) }
        for (address, hop) in own { write(IPPrefix(address), RouteKind.local, append([hop], &builder), &builder) }
        builder.setRoutes(router: slot, isIPv6: false, to: prefixes[0])
        builder.setRoutes(router: slot, isIPv6: true, to: prefixes[1])
    }

    private mutating func write(_ prefix: IPPrefix, _ kind: UInt8, _ hops: Range<Int>, _ builder: inout SnapshotBuilder)
    {
        var record = RouteRecord()
        record.prefix = prefix.address.mapped
        record.length = UInt8(truncatingIfNeeded: prefix.length)
        record.router = slot
        record.kind = kind
        record.hopStart = UInt32(hops.lowerBound)
        record.hopCount = UInt32(hops.count)
        prefixes[prefix.address.isIPv6 ? 1 : 0].append(
            .init(prefix.address, length: prefix.length, route: UInt32(builder.routes.count))
        )
        builder.routes.append(record)
    }

    private func append(_ hops: [NextHopRecord], _ builder: inout SnapshotBuilder) -> Range<Int> {
        builder.hops += hops
        return builder.hops.count - hops.count..<builder.hops.count
    }

    // MARK: Hops of the file

    /// The hops of a route. Where some of several lead nowhere from this host, the others serve.
    private mutating func hops(_ ways: [Route.Hop], _ builder: inout SnapshotBuilder) -> Range<Int> {
        if ways.count == 1 {
            switch ways[0] {
            case .gateway(let address):
                if let known = gateways[address] { return known }
                let range = append([hop(ways[0])], &builder)
                gateways[address] = range
                return range
            case .tunnel(let name):
                if let known = singles[name] { return known }
                let range = append([hop(ways[0])], &builder)
                singles[name] = range
                return range
            }
        }
        let key = ways.map(Way.init)
        if let known = lists[key] { return known }
        let all = ways.map(hop)
        let open = all.filter { $0.kind != HopKind.unreachable }
        let range = append(open.isEmpty ? [all.first ?? NextHopRecord(HopKind.unreachable)] : open, &builder)
        lists[key] = range
        return range
    }

    private func hop(_ way: Route.Hop) -> NextHopRecord {
        switch way {
        case .tunnel(let name): return tunnels[name] ?? NextHopRecord(HopKind.unreachable)
        case .gateway(let address):
            for length in lengths[address.isIPv6 ? 1 : 0] {
                guard var hop = links[IPPrefix(address: address.masked(length), length: length)] else { continue }
                if hop.kind == HopKind.connected {
                    hop.kind = HopKind.gateway
                    hop.gateway = address.mapped
                }
                return hop
            }
            return NextHopRecord(HopKind.unreachable)
        }
    }
}

extension IPPrefix {
    /// One address.
    fileprivate init(_ address: IPAddress) { self.init(address: address, length: address.isIPv6 ? 128 : 32) }
}
