import Wire

/// How large a packet may be that a router takes from a network to somewhere else. A sender who thinks more of itself
/// learns it by ICMP (RFC 1191, RFC 8201).
public struct PathMTU: Sendable, Equatable {
    public enum Destination: Sendable, Equatable {
        /// Another network of the router, by name.
        case network(String)
        /// One of the router's tunnels, by name.
        case tunnel(String)
    }

    public var tenant: String
    public var router: String
    /// The network of the sender.
    public var from: String
    public var to: Destination
    /// In bytes, of an IP packet that arrives whole.
    public var mtu: Int
    /// In bytes, of the sender's network. When it is larger than `mtu`, the router tells senders the latter.
    public var senderMTU: Int

    public init(tenant: String, router: String, from: String, to: Destination, mtu: Int, senderMTU: Int) {
        self.tenant = tenant
        self.router = router
        self.from = from
        self.to = to
        self.mtu = mtu
        self.senderMTU = senderMTU
    }
}

extension Topology {
    /// The MTU of every way through a router, from each of its networks to each other one and to its tunnels, in the
    /// file's order.
    ///
    /// A tunnel's packets come from other hosts too, which hand them on by a network of tunnels (`Router.carrier`); then
    /// that network's MTU counts as well. The number of ways grows with the square of a router's interfaces.
    public func pathMTUs(underlayMTU: Int) -> [PathMTU] {
        let mtus = mtus(underlayMTU: underlayMTU)
        let groups = RoutedGroups(self)
        return tenants.flatMap { tenant -> [PathMTU] in
            guard !tenant.routers.isEmpty else { return [] }
            let networks = Dictionary(tenant.networks.map { ($0.name, $0) }) { first, _ in first }
            return tenant.routers.flatMap { router -> [PathMTU] in
                let hosts = groups.hosts(ofRouter: router.name, tenant: tenant.name)
                return paths(of: router, networks, mtus, isOnSeveralHosts: hosts.count > 1)
            }
        }
    }

    private func paths(
        of router: Router,
        _ networks: [String: Network],
        _ mtus: MTUs,
        isOnSeveralHosts: Bool
    ) -> [PathMTU] {
        let joined = router.interfaces.compactMap { networks[$0.network] }
        let carrier = isOnSeveralHosts ? router.carrier(among: networks).map(mtus.of) : nil
        return joined.flatMap { from -> [PathMTU] in
            let own = mtus.of(from)
            func path(to: PathMTU.Destination, _ mtu: Int) -> PathMTU {
                PathMTU(
                    tenant: router.tenant,
                    router: router.name,
                    from: from.name,
                    to: to,
                    mtu: min(own, mtu),
                    senderMTU: own
                )
            }
            return joined.filter { $0.name != from.name }.map { path(to: .network($0.name), mtus.of($0)) }
                + router.tunnels.map { path(to: .tunnel($0.name), min(mtus.of($0), carrier ?? .max)) }
        }
    }
}
