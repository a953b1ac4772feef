import Wire

extension Loader {
    /// Routers put networks on more hosts than have ports there: whether those hosts can carry them.
    ///
    /// What ports have been told already is not said again, and of one kind one place in a group is enough.
    mutating func checkRouterHosts() {
        let topology = Topology(hosts: hosts, tenants: tenants)
        let groups = RoutedGroups(topology)
        for number in tenants.indices where !tenants[number].routers.isEmpty {
            // By group of this tenant.
            var seen: Set<String> = []
            for router in tenants[number].routers {
                guard let group = groups.group(ofRouter: router.name, tenant: router.tenant) else { continue }
                check(router, group, of: number)
                guard let first = group.routers.first, seen.insert(first).inserted else { continue }
                check(group, of: number)
            }
        }
    }

    /// Hosts of a group, by what they lack.
    private struct Lacks {
        var vtep: String?
        var ipv4: String?
        var ipv6: String?
        /// Whether it was said that two of them have no family in common.
        var isTold = false
    }

    private mutating func check(_ group: RoutedGroups.Group, of tenant: Int) {
        let members = group.hosts.filter { !brokenHosts.contains($0) }.compactMap { hostNumbers[$0] }.map { hosts[$0] }
        var lacks = Lacks()
        for host in members {
            if host.vteps.isEmpty { lacks.vtep = lacks.vtep ?? host.name }
            if host.vtep(ipv6: false) == nil { lacks.ipv4 = lacks.ipv4 ?? host.name }
            if host.vtep(ipv6: true) == nil { lacks.ipv6 = lacks.ipv6 ?? host.name }
        }
        lacks.isTold = group.networks.contains { network in
            networkNumbers[tenant][network].map { networks[$0].isTornApart } ?? false
        }
        var withoutPhysical: [String: String?] = [:]
        var checked: Set<Int> = []
        let routers = Set(group.routers)
        for router in tenants[tenant].routers where routers.contains(router.name) {
            for interface in router.interfaces {
                guard let number = networkNumbers[tenant][interface.network], networks[number].isWhole,
                    checked.insert(number).inserted
                else { continue }
                let network = networks[number].network
                if let physical = network.segment.physical {
                    let host =
                        withoutPhysical[physical] ?? members.first { $0.device(of: physical) == nil }?.name
                    withoutPhysical[physical] = host
                    guard let host, !hasPort(on: host, in: network.name, of: tenant) else { continue }
                    refuse(
                        interface.mark.place,
                        interface.mark.path,
                        "\(presence(of: router, on: host, tenant)), and network \(network.name) runs on the provider network "
                            + "\(physical), which host \(host) does not have; add `physical: {\(physical): DEVICE}` to the host"
                    )
                } else if network.segment.isTunnel {
                    check(interface, router, number, &lacks, of: tenant)
                } else if members.count > 1 {
                    refuse(
                        interface.mark.place,
                        interface.mark.path,
                        "a local network ends at its host, and router \(router.name) is on several "
                            + "(\(group.hosts.prefix(8).joined(separator: ", "))\(members.count > 8 ? ", …" : "")), which would each "
                            + "have a network \(network.name) of their own; make its segment `vxlan`, or keep the router's other ports "
                            + "on one host"
                    )
                }
            }
        }
    }

    /// A network of tunnels: every host needs a VTEP, and every two a common family.
    private mutating func check(
        _ interface: RouterInterface,
        _ router: Router,
        _ number: Int,
        _ lacks: inout Lacks,
        of tenant: Int
    ) {
        let known = networks[number]
        let network = known.network
        if let host = lacks.vtep {
            guard !hasPort(on: host, in: network.name, of: tenant) else { return }
            refuse(
                interface.mark.place,
                interface.mark.path,
                "\(presence(of: router, on: host, tenant)), and network \(network.name) is a tunnel (\(network.segment)) for which "
                    + "host \(host) has no `vtep`; add `vtep: ADDRESS` to the host"
            )
            return
        }
        if let one = lacks.ipv6, let other = lacks.ipv4 {
            guard !lacks.isTold else { return }
            lacks.isTold = true
            refuse(
                interface.mark.place,
                interface.mark.path,
                "router \(router.name) is on hosts \(one) and \(other), one with an IPv4 VTEP only and one with an IPv6 VTEP "
                    + "only, and with it its networks; give both a `vtep` of one family"
            )
            return
        }
        for (host, ipv6) in [(lacks.ipv4, false), (lacks.ipv6, true)] {
            guard let host, let remote = network.remotes.first(where: { $0.isIPv6 == ipv6 }),
                !hasPort(on: host, in: network.name, of: tenant)
            else { continue }
            refuse(
                interface.mark.place,
                interface.mark.path,
                "\(presence(of: router, on: host, tenant)), and network \(network.name) has the remote \(remote), which host "
                    + "\(host) cannot reach without an \(ipv6 ? "IPv6" : "IPv4") `vtep`"
            )
        }
    }

    /// Whether every host of a router can hand packets for its tunnels on to where they begin.
    private mutating func check(_ router: Router, _ group: RoutedGroups.Group, of tenant: Int) {
        guard group.hosts.count > 1, let tunnel = router.tunnels.first else { return }
        let interfaces = router.interfaces.compactMap { networkNumbers[tenant][$0.network] }.map { networks[$0] }
        guard !interfaces.contains(where: { !$0.isWhole || $0.network.segment.isTunnel }) else { return }
        let other = group.hosts.first { $0 != tunnel.host } ?? ""
        refuse(
            tunnel.mark.place,
            tunnel.mark.path,
            "the tunnel begins on host \(tunnel.host), and router \(router.name) is on host \(other) too, which would hand its "
                + "packets on by a network of type `vxlan` or `gre`; the router has none, so give it an interface in one"
        )
    }

    /// Only asked when something is wrong.
    private func hasPort(on host: String, in network: String, of tenant: Int) -> Bool {
        tenants[tenant].ports.contains { $0.host == host && $0.membership.networks.contains(network) }
    }

    /// Why a router is on a host.
    private func presence(of router: Router, on host: String, _ tenant: Int) -> String {
        let start = "router \(router.name) is on host \(host) too"
        if let port = tenants[tenant].ports.first(where: { port in
            port.host == host
                && port.membership.networks.contains { network in router.interfaces.contains { $0.network == network } }
        }) {
            return "\(start), for port \(port.name) there"
        }
        if let tunnel = router.tunnels.first(where: { $0.host == host }) {
            return "\(start), where its tunnel \(tunnel.name) begins"
        }
        return "\(start), because a router beside it is"
    }
}
