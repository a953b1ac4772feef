import Model
import Wire

extension ReferenceModel {
    /// The networks and routers that a network can be reached from.
    private func group(_ tenant: Tenant, _ network: String) -> (networks: Set<String>, routers: [Router]) {
        var networks: Set = [network]
        while true {
            let routers = tenant.routers.filter { $0.interfaces.contains { networks.contains($0.network) } }
            let more = networks.union(routers.flatMap(\.interfaces).map(\.network))
            if more == networks { return (networks, routers) }
            networks = more
        }
    }

    private func hosts(_ tenant: Tenant, _ networks: Set<String>, _ routers: [Router]) -> [Host] {
        topology.hosts.filter { host in
            tenant.ports.contains { $0.host == host.name && !networks.isDisjoint(with: $0.membership.networks) }
                || routers.contains { $0.tunnels.contains { $0.host == host.name } }
        }
    }

    /// The hosts that a network is on because of routers.
    func groupHosts(_ tenant: Tenant, _ network: String) -> [Host] {
        let (networks, routers) = group(tenant, network)
        return routers.isEmpty ? [] : hosts(tenant, networks, routers)
    }

    func routesInto(_ network: Network, _ tenant: Tenant) -> Bool {
        guard groupHosts(tenant, network.name).contains(where: { $0.name == host.name }) else { return false }
        if let physical = network.segment.physical { return host.device(of: physical) != nil }
        return network.segment.isTunnel
    }

    private func hasPort(_ tenant: Tenant, _ network: String) -> Bool {
        tenant.ports.contains { $0.host == host.name && $0.membership.networks.contains(network) }
    }

    // MARK: Routes

    /// The interfaces of a router that are on this host, by name, in the file's order.
    func links(_ tenant: Tenant, _ router: Router) -> [String] {
        let networks = router.interfaces.map(\.network).filter { name in
            hasPort(tenant, name) || routesInto(tenant.network(name)!, tenant)
        }
        return networks + router.tunnels.filter { $0.host == host.name }.map(\.name)
    }

    /// As `Snapshot.route` says it: what a router does with a packet to an address.
    func route(_ tenant: Tenant, _ router: Router, _ to: IPAddress) -> String {
        let links = links(tenant, router)
        guard let first = links.first else { return "no router" }
        var best: (length: Int, weight: Int, text: String)?
        func offer(_ prefix: IPPrefix, _ weight: Int, _ text: @autoclosure () -> String) {
            guard prefix.contains(to) else { return }
            if let known = best, (known.length, known.weight) > (prefix.length, weight) { return }
            best = (prefix.length, weight, text())
        }
        func host(_ address: IPAddress) -> IPPrefix { IPPrefix(address: address, length: address.isIPv6 ? 128 : 32) }
        for interface in router.interfaces {
            let isHere = links.contains(interface.network)
            for prefix in interface.addresses {
                offer(prefix.network, 1, isHere ? "connected \(interface.network)" : "nowhere")
                offer(host(prefix.address), 2, "local \(isHere ? interface.network : first)")
                if prefix.address.isIPv6, let six = router.interfaces.first(where: { $0.hasIPv6 }) {
                    let isThere = links.contains(six.network)
                    offer(host(.v6(IPv6Address(linkLocalOf: router.mac))), 2, "local \(isThere ? six.network : first)")
                }
            }
        }
        for tunnel in router.tunnels {
            for prefix in tunnel.addresses {
                offer(prefix.network, 1, way(tenant, router, tunnel))
                offer(host(prefix.address), 2, "local \(tunnel.host == self.host.name ? tunnel.name : first)")
            }
        }
        for route in router.routes { offer(route.to, 0, text(tenant, router, route, links)) }
        return best?.text ?? "no route"
    }

    private func text(_ tenant: Tenant, _ router: Router, _ route: Route, _ links: [String]) -> String {
        switch route.action {
        case .blackhole: return "blackhole"
        case .unreachable: return "unreachable"
        case .prohibit: return "prohibit"
        case .forward(let hops):
            let ways = hops.map { hop -> String in
                switch hop {
                case .tunnel(let name): return way(tenant, router, router.tunnels.first { $0.name == name }!)
                case .gateway(let gateway):
                    for interface in router.interfaces
                    where interface.addresses.contains(where: { $0.contains(gateway) }) {
                        return links.contains(interface.network) ? "via \(gateway) \(interface.network)" : "nowhere"
                    }
                    let tunnel = router.tunnels.first { $0.addresses.contains { $0.contains(gateway) } }
                    return tunnel.map { way(tenant, router, $0) } ?? "nowhere"
                }
            }
            let open = ways.filter { $0 != "nowhere" }
            return open.isEmpty ? "nowhere" : open.joined(separator: ", ")
        }
    }

    private func way(_ tenant: Tenant, _ router: Router, _ tunnel: RouterTunnel) -> String {
        if tunnel.host == host.name {
            let socket = "\(tunnel.kind == .gre ? "gre" : tunnel.kind == .sit ? "sit" : "ipip") \(tunnel.local)"
            return "tunnel \(tunnel.name) \(socket) to \(tunnel.remote)"
        }
        let carrier = router.interfaces.compactMap { tenant.network($0.network) }.first { $0.segment.isTunnel }
        guard let carrier, let anchor = topology.host(tunnel.host),
            let place = place(carrier.segment, reaching: anchor)
        else { return "nowhere" }
        return "redirect \(tunnel.name) \(place)"
    }
}

extension RouterInterface {
    fileprivate var hasIPv6: Bool { addresses.contains { $0.address.isIPv6 } }
}
