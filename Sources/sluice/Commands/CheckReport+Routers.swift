import Model

extension CheckReport.Router {
    init(_ router: Model.Router, _ groups: RoutedGroups, _ mtus: MTUs) {
        self.router = "\(router.tenant)/\(router.name)"
        mac = router.mac.description
        interfaces = router.interfaces.map {
            CheckReport.Interface(network: $0.network, addresses: $0.addresses.map(\.description))
        }
        tunnels = router.tunnels.map { CheckReport.Tunnel($0, mtu: mtus.of($0)) }
        routes = router.routes.count
        hosts = groups.hosts(ofRouter: router.name, tenant: router.tenant)
    }
}

extension CheckReport.Tunnel {
    init(_ tunnel: RouterTunnel, mtu: Int) {
        name = tunnel.name
        type = tunnel.kind.rawValue
        host = tunnel.host
        local = tunnel.local.description
        remote = tunnel.remote.description
        key = tunnel.key
        addresses = tunnel.addresses.map(\.description)
        self.mtu = mtu
    }
}

extension CheckReport.Path {
    init(_ path: PathMTU) {
        router = "\(path.tenant)/\(path.router)"
        from = path.from
        switch path.to {
        case .network(let name): (to, isTunnel) = (name, false)
        case .tunnel(let name): (to, isTunnel) = (name, true)
        }
        mtu = path.mtu
        senderMTU = path.senderMTU
    }
}

extension CheckReport {
    func routerTable() -> TextTable {
        var table = TextTable(
            .text("ROUTER"),
            .text("MAC"),
            .text("INTERFACES"),
            .number("ROUTES"),
            .text("HOSTS")
        )
        for router in routers {
            let interfaces = router.interfaces.map { "\($0.network):\($0.addresses.joined(separator: ","))" }
            table.add(
                router.router,
                router.mac,
                interfaces.joined(separator: " "),
                "\(router.routes)",
                router.hosts.joined(separator: " ")
            )
        }
        return table
    }

    func tunnelTable() -> TextTable {
        var table = TextTable(
            .text("TUNNEL"),
            .text("BY"),
            .text("HOST"),
            .text("LOCAL"),
            .text("REMOTE"),
            .number("KEY"),
            .number("MTU"),
            .text("ADDRESSES")
        )
        for router in routers {
            for tunnel in router.tunnels {
                table.add(
                    "\(router.router)/\(tunnel.name)",
                    tunnel.type,
                    tunnel.host,
                    tunnel.local,
                    tunnel.remote,
                    tunnel.key.map(String.init) ?? "",
                    "\(tunnel.mtu)",
                    tunnel.addresses.joined(separator: " ")
                )
            }
        }
        return table
    }

    /// The MTU of every way through a router, as far as people want to read.
    func pathTable() -> TextTable {
        var table = TextTable(.text("PATH BY"), .text("FROM"), .text("TO"), .number("MTU"), .text("SENDERS"))
        for path in paths.prefix(Self.shownPaths) {
            table.add(
                path.router,
                path.from,
                (path.isTunnel ? "tunnel " : "") + path.to,
                "\(path.mtu)",
                path.mtu < path.senderMTU ? "are told: their network has \(path.senderMTU)" : ""
            )
        }
        return table
    }
}
