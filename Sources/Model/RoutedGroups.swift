/// Which networks a tenant's routers join to one another, and which hosts take part in them.
///
/// A packet is routed where it comes in, and the result goes straight to the target network. So a host with a port in
/// one network of a group is a member of all of them, and of no other group. A network without a router is a group of its
/// own. Takes time in proportion to the topology.
public struct RoutedGroups: Sendable {
    /// Networks and routers that can be reached from one another.
    public struct Group: Sendable, Equatable {
        public var tenant: String
        /// In the file's order, as are the routers.
        public var networks: [String]
        /// None in a group of one network, which nobody routes.
        public var routers: [String]
        /// Those with a port in one of the networks, and those on which a tunnel of one of the routers begins, in the file's
        /// order. The first of them is the routers' designated host.
        public var hosts: [String]

        public init(tenant: String, networks: [String] = [], routers: [String] = [], hosts: [String] = []) {
            self.tenant = tenant
            self.networks = networks
            self.routers = routers
            self.hosts = hosts
        }

        /// The host that answers for the routers to machines outside the file.
        public var designated: String? { hosts.first }
    }

    /// In the order of tenants and their first networks.
    public private(set) var groups: [Group] = []
    private var networks: [Name: Int] = [:]
    private var routers: [Name: Int] = [:]

    private struct Name: Hashable {
        var tenant: String
        var name: String
    }

    /// References that lead nowhere, as in a topology put together by hand, join nothing.
    public init(_ topology: Topology) {
        let hosts = Dictionary(topology.hosts.indices.map { (topology.hosts[$0].name, $0) }) { first, _ in first }
        for tenant in topology.tenants { add(tenant, topology, hosts) }
    }

    public func group(ofNetwork network: String, tenant: String) -> Group? {
        networks[Name(tenant: tenant, name: network)].map { groups[$0] }
    }

    public func group(ofRouter router: String, tenant: String) -> Group? {
        routers[Name(tenant: tenant, name: router)].map { groups[$0] }
    }

    /// The hosts that are members of a network, in the file's order.
    public func hosts(ofNetwork network: String, tenant: String) -> [String] {
        group(ofNetwork: network, tenant: tenant)?.hosts ?? []
    }

    /// The hosts that a router is on, in the file's order.
    public func hosts(ofRouter router: String, tenant: String) -> [String] {
        group(ofRouter: router, tenant: tenant)?.hosts ?? []
    }

    private mutating func add(_ tenant: Tenant, _ topology: Topology, _ hostNumbers: [String: Int]) {
        // Networks first, then routers.
        var sets = DisjointSets(count: tenant.networks.count + tenant.routers.count)
        let numbers = Dictionary(tenant.networks.indices.map { (tenant.networks[$0].name, $0) }) { first, _ in first }
        for (index, router) in tenant.routers.enumerated() {
            for interface in router.interfaces {
                guard let network = numbers[interface.network] else { continue }
                sets.join(tenant.networks.count + index, network)
            }
        }
        var groupOf: [Int: Int] = [:]
        func group(_ member: Int, _ groups: inout [Group]) -> Int {
            let root = sets.root(member)
            if let known = groupOf[root] { return known }
            groupOf[root] = groups.count
            groups.append(Group(tenant: tenant.name))
            return groups.count - 1
        }
        let first = groups.count
        for (index, network) in tenant.networks.enumerated() {
            let number = group(index, &groups)
            groups[number].networks.append(network.name)
            networks[Name(tenant: tenant.name, name: network.name)] = number
        }
        for (index, router) in tenant.routers.enumerated() {
            let number = group(tenant.networks.count + index, &groups)
            groups[number].routers.append(router.name)
            routers[Name(tenant: tenant.name, name: router.name)] = number
        }
        var members = [Set<Int>](repeating: [], count: groups.count - first)
        for port in tenant.ports {
            guard let host = hostNumbers[port.host] else { continue }
            for network in port.membership.networks {
                guard let index = numbers[network] else { continue }
                members[group(index, &groups) - first].insert(host)
            }
        }
        for (index, router) in tenant.routers.enumerated() {
            for host in router.tunnels.compactMap({ hostNumbers[$0.host] }) {
                members[group(tenant.networks.count + index, &groups) - first].insert(host)
            }
        }
        for (index, hosts) in members.enumerated() {
            groups[first + index].hosts = hosts.sorted().map { topology.hosts[$0].name }
        }
    }
}

/// Union and find, with halved paths.
private struct DisjointSets {
    private var parents: [Int]

    init(count: Int) { parents = Array(0..<count) }

    mutating func root(_ member: Int) -> Int {
        var member = member
        while parents[member] != member {
            parents[member] = parents[parents[member]]
            member = parents[member]
        }
        return member
    }

    /// The smaller root stays.
    mutating func join(_ a: Int, _ b: Int) {
        let (a, b) = (root(a), root(b))
        parents[max(a, b)] = min(a, b)
    }
}

extension Router {
    /// The network by which hosts hand packets for one of the router's tunnels on to the host on which it begins: the first
    /// of its interfaces' that is a tunnel itself. `networks` are the tenant's, by name.
    public func carrier(among networks: [String: Network]) -> Network? {
        interfaces.lazy.compactMap { networks[$0.network] }.first { $0.segment.isTunnel }
    }
}
