import Wire

extension Network {
    /// The bytes that the segment takes from the underlay's MTU: outer IP, tunnel headers and the inner Ethernet header,
    /// with one tag when the tenant's own tags pass. A VLAN tag on the wire costs nothing, since Ethernet allows four
    /// bytes more for it.
    public func overhead(outerIPv6: Bool) -> Int {
        let ip = outerIPv6 ? 40 : 20
        let ethernet = 14 + (vlanTransparent ? 4 : 0)
        return switch segment {
        case .vxlan: ip + 8 + 8 + ethernet
        case .gre: ip + 4 + 4 + ethernet
        case .local, .flat, .vlan: 0
        }
    }
}

/// The MTU of every network, port and router's tunnel above an underlay, computed in one pass.
public struct MTUs: Sendable {
    private var fitting: [String: Int] = [:]
    private var networks: [String: Int] = [:]

    private let underlayMTU: Int

    fileprivate init(_ topology: Topology, underlayMTU: Int) {
        self.underlayMTU = underlayMTU
        let withoutIPv4 = Set(topology.hosts.filter { $0.vtep(ipv6: false) == nil }.map(\.name))
        var outerIPv6: Set<String> = []
        if !withoutIPv4.isEmpty {
            for group in RoutedGroups(topology).groups where group.hosts.contains(where: withoutIPv4.contains) {
                for network in group.networks { outerIPv6.insert(Self.key(group.tenant, network)) }
            }
        }
        for tenant in topology.tenants {
            for network in tenant.networks {
                let key = Self.key(network.tenant, network.name)
                let isIPv6 = outerIPv6.contains(key) || network.remotes.contains(where: \.isIPv6)
                let fits = underlayMTU - network.overhead(outerIPv6: isIPv6)
                fitting[key] = fits
                networks[key] = network.mtu ?? fits
            }
        }
    }

    /// A slash is in no name.
    private static func key(_ tenant: String, _ network: String) -> String { "\(tenant)/\(network)" }

    /// The network's own `mtu`, or what the underlay leaves for it.
    public func of(_ network: Network) -> Int { networks[Self.key(network.tenant, network.name)] ?? 0 }

    /// What the underlay leaves for the network, whatever its `mtu` says.
    public func fitting(_ network: Network) -> Int { fitting[Self.key(network.tenant, network.name)] ?? 0 }

    /// The port's own `mtu`, or the smallest of its networks', so that nothing the tenant sends is too large for one.
    public func of(_ port: Port) -> Int {
        port.mtu ?? port.membership.networks.compactMap { networks[Self.key(port.tenant, $0)] }.min() ?? 0
    }

    /// The tunnel's own `mtu`, or what the underlay leaves for it: of the packets inside.
    public func of(_ tunnel: RouterTunnel) -> Int { tunnel.mtu ?? fitting(tunnel) }

    /// What the underlay leaves for the tunnel, whatever its `mtu` says.
    public func fitting(_ tunnel: RouterTunnel) -> Int { underlayMTU - tunnel.overhead }
}

extension Topology {
    /// The MTU of every network, port and router's tunnel above an underlay of `underlayMTU` bytes.
    ///
    /// A network of tunnels counts as IPv6 as soon as one of its hosts has no IPv4 VTEP or one of its remotes is IPv6: it
    /// has one MTU, so the dearest way decides. Its hosts are all that a router puts it on (`RoutedGroups`).
    public func mtus(underlayMTU: Int) -> MTUs { MTUs(self, underlayMTU: underlayMTU) }

    /// The MTU of one network. For many networks ask `mtus` once.
    public func mtu(of network: Network, underlayMTU: Int) -> Int {
        if let mtu = network.mtu { return mtu }
        let tenant = tenants.filter { $0.name == network.tenant }
        return Topology(hosts: hosts, tenants: tenant).mtus(underlayMTU: underlayMTU).of(network)
    }
}
