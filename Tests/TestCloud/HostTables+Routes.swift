import Tables
import Wire

extension HostTables {
    /// A router's own addresses, the prefixes that it is connected to, and the routes of the file.
    mutating func addRoutes(_ router: TestCloud.Router) {
        guard let slot = cloud.routers.firstIndex(where: { $0.name == router.name }) else { return }
        var table = Table(router: UInt32(slot))
        let any = interface(router.name, router.interfaces[0].network) ?? noSlot
        for tunnel in router.tunnels {
            for text in tunnel.addresses {
                let own = prefix(text)
                let near = interface(router.name, tunnel.name) ?? any
                table.add(own.network, RouteKind.connected, [hop(into: tunnel, router)], &builder)
                table.add(own.alone, RouteKind.local, [hop(HopKind.local, near)], &builder)
            }
        }
        for (network, addresses) in router.interfaces {
            let near = interface(router.name, network) ?? noSlot
            for text in addresses {
                let own = prefix(text)
                table.add(own.network, RouteKind.connected, [hop(HopKind.connected, near)], &builder)
                table.add(own.alone, RouteKind.local, [hop(HopKind.local, near)], &builder)
            }
        }
        let linkLocal = IPAddress.v6(IPv6Address(linkLocalOf: mac(router.mac)))
        table.add(.init(address: linkLocal, length: 128), RouteKind.local, [hop(HopKind.local, any)], &builder)
        for (to, ways) in router.routes { add(prefix(to), ways, router, &table) }
        builder.setRoutes(router: UInt32(slot), isIPv6: false, to: table.prefixes.filter { !$0.isIPv6 }.map(\.row))
        builder.setRoutes(router: UInt32(slot), isIPv6: true, to: table.prefixes.filter(\.isIPv6).map(\.row))
    }

    private mutating func add(
        _ prefix: IPPrefix,
        _ ways: [TestCloud.Via],
        _ router: TestCloud.Router,
        _ table: inout Table
    ) {
        var kind = RouteKind.static
        var hops: [NextHopRecord] = []
        for way in ways {
            switch way {
            case .blackhole: kind = RouteKind.blackhole
            case .unreachable: kind = RouteKind.unreachable
            case .prohibit: kind = RouteKind.prohibit
            case .gateway(let address): hops.append(hop(to: address, router))
            case .tunnel(let name):
                guard let tunnel = router.tunnels.first(where: { $0.name == name }) else {
                    preconditionFailure("\(router.name) has no tunnel \(name)")
                }
                hops.append(hop(into: tunnel, router))
            }
        }
        table.add(prefix, kind, hops, &builder)
    }

    /// By an interface of this host.
    private func hop(_ kind: UInt8, _ interface: UInt32) -> NextHopRecord {
        var hop = NextHopRecord()
        hop.kind = kind
        hop.interface = interface
        if interface != noSlot { hop.attachment = builder.interfaces[Int(interface)].attachment }
        return hop
    }

    /// Into a tunnel, or towards the host that has it.
    private func hop(into tunnel: TestCloud.Tunnel, _ router: TestCloud.Router) -> NextHopRecord {
        if let near = interface(router.name, tunnel.name) {
            var hop = self.hop(HopKind.tunnel, near)
            hop.attachment = attachment(.tunnel(router.name, tunnel.name))
            return hop
        }
        var hop = self.hop(HopKind.unreachable, noSlot)
        for (network, _) in router.interfaces {
            guard let way = attachments[.vtep(host: tunnel.host, network: network)] else { continue }
            hop.kind = HopKind.redirect
            hop.attachment = way
            break
        }
        return hop
    }

    private func hop(to gateway: String, _ router: TestCloud.Router) -> NextHopRecord {
        guard let address = IPAddress(gateway) else { preconditionFailure("\(gateway) is no address") }
        let near = router.interfaces.first { $0.addresses.contains { prefix($0).contains(address) } }
        guard let near, let slot = interface(router.name, near.network) else {
            preconditionFailure("\(gateway) is in no network of \(router.name)")
        }
        var hop = self.hop(HopKind.gateway, slot)
        hop.gateway = address.mapped
        return hop
    }
}

private struct Table {
    var router: UInt32
    var prefixes: [(isIPv6: Bool, row: RouteRangeBuilder.Prefix)] = []

    mutating func add(_ prefix: IPPrefix, _ kind: UInt8, _ hops: [NextHopRecord], _ builder: inout SnapshotBuilder) {
        var row = RouteRecord()
        row.prefix = prefix.address.mapped
        row.length = UInt8(prefix.length)
        row.router = router
        row.kind = kind
        row.hopStart = UInt32(builder.hops.count)
        row.hopCount = UInt32(hops.count)
        builder.hops += hops
        let isIPv6 = prefix.address.isIPv6
        prefixes.append((isIPv6, .init(prefix.address, length: prefix.length, route: UInt32(builder.routes.count))))
        builder.routes.append(row)
    }
}

extension IPPrefix {
    /// The address without its prefix.
    fileprivate var alone: IPPrefix { IPPrefix(address: address, length: address.isIPv6 ? 128 : 32) }
}
