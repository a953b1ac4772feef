import Wire

extension Lint {
    /// Routers of a tenant: packets that would vanish without a word, and parts that do nothing. That networks differ in
    /// their MTU is none of it: the router tells the sender (`Topology.pathMTUs`).
    mutating func checkRouters(of tenant: Tenant, _ networks: [String: Network], _ hosts: [String: [String]]) {
        var routers: [String: Int] = [:]
        for interface in tenant.routers.flatMap(\.interfaces) { routers[interface.network, default: 0] += 1 }
        for router in tenant.routers {
            for interface in router.interfaces {
                guard let network = networks[interface.network] else { continue }
                if hosts[network.name] == nil, routers[network.name] == 1, !network.leadsOutside {
                    warn(
                        interface.mark,
                        "network \(network.name) has no ports, so nothing is behind this interface of router \(router.name)"
                    )
                }
                let mtu = mtus.of(network)
                if mtu < Network.minimumIPv6MTU, interface.addresses.contains(where: \.address.isIPv6),
                    !network.subnets.contains(where: \.address.isIPv6)
                {
                    warn(
                        interface.mark,
                        "network \(network.name) carries \(mtu) bytes, and IPv6 needs \(Network.minimumIPv6MTU) (RFC 8200), below "
                            + "which a router can tell no sender; raise the underlay's MTU"
                    )
                }
            }
            check(router)
            checkTunnels(of: router)
        }
    }

    private mutating func check(_ router: Router) {
        guard router.tunnels.isEmpty, router.routes.isEmpty else { return }
        let connected = router.interfaces.flatMap(\.addresses)
        guard connected.count(where: \.address.isIPv6) < 2, connected.count(where: { !$0.address.isIPv6 }) < 2 else {
            return
        }
        warn(
            router.mark,
            router.interfaces.isEmpty
                ? "router \(router.name) has no interfaces, so it does nothing; add some, or remove it"
                : "router \(router.name) has one interface and no routes, so there is nowhere to route to; add an interface, a "
                    + "tunnel or a route"
        )
    }

    private mutating func checkTunnels(of router: Router) {
        guard !router.tunnels.isEmpty else { return }
        // Routes by tunnel: directly, or by a gateway behind it.
        var used: Set<String> = []
        var withIPv6: Set<String> = []
        for route in router.routes {
            guard case .forward(let hops) = route.action else { continue }
            for case .tunnel(let name) in hops {
                used.insert(name)
                if route.to.address.isIPv6 { withIPv6.insert(name) }
            }
        }
        for tunnel in router.tunnels {
            if !used.contains(tunnel.name), tunnel.addresses.isEmpty {
                warn(
                    tunnel.mark,
                    "no route leads into tunnel \(tunnel.name), so nothing goes there; add one like "
                        + "`{to: PREFIX, via: \(tunnel.name)}`"
                )
            }
            let fitting = mtus.fitting(tunnel)
            let isIPv6 =
                tunnel.kind == .sit || withIPv6.contains(tunnel.name)
                || tunnel.addresses.contains(where: \.address.isIPv6)
            let least = isIPv6 ? Network.minimumIPv6MTU : Network.mtuRange.lowerBound
            if let mtu = tunnel.mtu, mtu > fitting {
                warn(
                    tunnel.mtuMark,
                    "packets of \(mtu) bytes do not fit: the underlay's \(underlayMTU) leave \(fitting) for \(tunnel.kind.rawValue) "
                        + "to \(tunnel.remote), and larger ones would vanish; write \(fitting) or leave the MTU out"
                )
            }
            if fitting < least {
                warn(
                    tunnel.mark,
                    "the underlay's \(underlayMTU) bytes leave \(fitting) for the tunnel, and \(isIPv6 ? "IPv6" : "IPv4") needs "
                        + "\(least) (\(isIPv6 ? "RFC 8200" : "RFC 791")), below which a router can tell no sender; raise the "
                        + "underlay's MTU"
                )
            }
        }
    }
}

extension Network {
    /// Whether somebody who is not in the file may be in it.
    fileprivate var leadsOutside: Bool { segment.physical != nil || !remotes.isEmpty }
}
