import Model

// Which networks and hosts routers bring together (`RoutedGroups`). Each of the hosts takes part in all of the networks:
// what is routed where it comes in is then bridged straight to where it goes.

extension Scope {
    /// Networks of one tenant that routers join, directly or through each other.
    struct Group {
        /// The hosts that route between them, the designated one first. Into `Topology.hosts`, ascending.
        var hosts: [Int]
    }

    /// A router that is on this host.
    struct LocalRouter {
        /// Into `Topology.tenants`.
        var tenant: Int
        /// Into `Tenant.routers`.
        var index: Int
        /// Into `Scope.groups`.
        var group: Int
        /// In the order of the file.
        var interfaces: [LocalInterface]
    }

    /// Where a router meets a network.
    struct LocalInterface {
        /// Into `Tenant.networks`.
        var index: Int
        /// Into `Scope.networks`, or -1 for a network that this host has no way into.
        var number: Int
    }

    /// What the routers of one tenant join on this host.
    struct Joined {
        fileprivate(set) var groups: [Group] = []
        /// Into `groups`, -1 for what is not on this host; empty for a tenant without routers.
        fileprivate var groupOfNetwork: [Int] = []
        fileprivate var groupOfRouter: [Int] = []

        /// -1 for a network that no router of this host leads to.
        func group(ofNetwork network: Int) -> Int { groupOfNetwork.isEmpty ? -1 : groupOfNetwork[network] }

        /// -1 for a router that is not on this host.
        func group(ofRouter router: Int) -> Int { groupOfRouter[router] }
    }

    /// The groups of all tenants that have routers.
    struct RoutedTenants {
        private var groups: [String: [RoutedGroups.Group]] = [:]

        init(_ topology: Topology) {
            let tenants = topology.tenants.filter { !$0.routers.isEmpty }
            guard !tenants.isEmpty else { return }
            for group in RoutedGroups(Topology(hosts: topology.hosts, tenants: tenants)).groups
            where !group.routers.isEmpty {
                groups[group.tenant, default: []].append(group)
            }
        }

        /// Those of one tenant that are on the host `here`, by number. `networks` and `hosts` are numbers by name.
        func join(
            _ tenant: Tenant,
            _ networks: [String: Int],
            _ hosts: [String: Int],
            here: Int
        ) throws(CompileError) -> Joined {
            var joined = Joined()
            guard !tenant.routers.isEmpty else { return joined }
            for router in tenant.routers {
                for interface in router.interfaces where networks[interface.network] == nil {
                    throw CompileError(
                        .unknownNetwork,
                        interface.mark,
                        "tenant \(tenant.name) has no network \(interface.network)"
                    )
                }
                for tunnel in router.tunnels where hosts[tunnel.host] == nil {
                    throw CompileError(.unknownHost, tunnel.mark, "there is no host \(tunnel.host)")
                }
            }
            joined.groupOfNetwork = [Int](repeating: -1, count: tenant.networks.count)
            var groupOfRouter: [String: Int] = [:]
            for group in groups[tenant.name] ?? [] {
                let members = group.hosts.compactMap { hosts[$0] }
                guard members.contains(here) else { continue }
                for name in group.networks {
                    if let number = networks[name] { joined.groupOfNetwork[number] = joined.groups.count }
                }
                for name in group.routers { groupOfRouter[name] = joined.groups.count }
                joined.groups.append(Group(hosts: members))
            }
            joined.groupOfRouter = tenant.routers.map { groupOfRouter[$0.name] ?? -1 }
            return joined
        }
    }
}

extension Tenant {
    /// Whether a tunnel of one of its routers begins on a host.
    func anchors(on host: String) -> Bool {
        routers.contains { $0.tunnels.contains { $0.host == host } }
    }
}

extension Host {
    /// Whether a host without a port in a network can take part in it all the same.
    func reaches(_ segment: Segment) -> Bool {
        switch segment {
        case .local: false
        case .flat(let physical), .vlan(let physical, _, _): device(of: physical) != nil
        case .vxlan, .gre: true
        }
    }
}
