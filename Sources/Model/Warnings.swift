import Wire

extension Topology {
    /// What is allowed and probably not meant, in the order of the file's lines: packets that would vanish, networks and
    /// ports that carry nothing.
    public func warnings(underlayMTU: Int) -> [Problem] {
        var lint = Lint(mtus: mtus(underlayMTU: underlayMTU), underlayMTU: underlayMTU)
        for tenant in tenants { lint.check(tenant) }
        if let lab, lab.underlays.isEmpty, hosts.count > 1, tenants.contains(where: \.hasTunnel) {
            lint.warn(
                lab.mark,
                "the lab has no `underlay`, so the tunnels between its hosts have nothing to run on; add one"
            )
        }
        return lint.problems.enumerated().sorted {
            ($0.element.line, $0.element.column, $0.offset) < ($1.element.line, $1.element.column, $1.offset)
        }.map(\.element)
    }
}

struct Lint {
    let mtus: MTUs
    let underlayMTU: Int
    var problems: [Problem] = []

    mutating func warn(_ mark: Mark, _ message: String) { problems.append(mark.problem(message)) }

    mutating func check(_ tenant: Tenant) {
        var hosts: [String: [String]] = [:]
        for port in tenant.ports {
            for network in port.membership.networks where hosts[network]?.contains(port.host) != true {
                hosts[network, default: []].append(port.host)
            }
        }
        let routed = Set(tenant.routers.lazy.flatMap(\.interfaces).map(\.network))
        for network in tenant.networks {
            check(network, hosts[network.name] ?? [], isRouted: routed.contains(network.name))
        }
        let networks = Dictionary(tenant.networks.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for port in tenant.ports { check(port, networks) }
        checkRouters(of: tenant, networks, hosts)
    }

    private mutating func check(_ network: Network, _ hosts: [String], isRouted: Bool) {
        let fitting = mtus.fitting(network)
        if let mtu = network.mtu, mtu > fitting {
            warn(
                network.mtuMark,
                "packets of \(mtu) bytes do not fit: the underlay's \(underlayMTU) leave \(fitting) for \(network.segment), "
                    + "and larger ones would vanish; write \(fitting) or leave the MTU out"
            )
        }
        if network.mtu == nil, fitting < Network.minimumIPv6MTU, network.subnets.contains(where: \.address.isIPv6) {
            warn(
                network.mark,
                "the underlay's \(underlayMTU) bytes leave \(fitting), and IPv6 needs \(Network.minimumIPv6MTU) "
                    + "(RFC 8200); raise the underlay's MTU"
            )
        }
        if hosts.isEmpty, !isRouted { warn(network.mark, "the network has no ports, so nothing is in it") }
        if case .local = network.segment, hosts.count > 1 {
            warn(
                network.segmentMark,
                "a local network ends at its host: the ports on \(hosts.prefix(8).joined(separator: ", ")) do not hear each "
                    + "other; make the segment `vxlan` to join them"
            )
        }
    }

    private mutating func check(_ port: Port, _ networks: [String: Network]) {
        if let mtu = port.mtu, let least = port.membership.networks.compactMap({ networks[$0] }).map(mtus.of).min(),
            mtu > least
        {
            warn(
                port.mark,
                "the port's MTU of \(mtu) is larger than its network's \(least), and packets in between would vanish; "
                    + "leave the MTU out"
            )
        }
        guard let home = port.membership.untagged.flatMap({ networks[$0] }), !home.subnets.isEmpty else { return }
        if port.addresses.isEmpty {
            warn(
                port.mark,
                "the port has no address in network \(home.name); the other hosts learn of it only when it speaks"
            )
        }
        for prefix in port.addresses where prefix.length != prefix.maximumLength {
            if let subnet = home.subnets.first(where: { $0.contains(prefix.address) }), subnet.length != prefix.length {
                warn(
                    port.mark,
                    "\(prefix) has another prefix length than its subnet \(subnet), so the port and its neighbours "
                        + "disagree on who is near"
                )
            }
        }
    }
}

extension Tenant {
    fileprivate var hasTunnel: Bool { networks.contains { $0.segment.isTunnel } }
}
