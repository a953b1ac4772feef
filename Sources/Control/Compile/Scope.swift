import Model

/// The part of a topology that concerns one host: its ports, the networks that they are in, those that routers join
/// with them, and every port of those networks wherever it is. Names are resolved once, here; afterwards everything
/// goes by number.
struct Scope {
    /// A network with a port on this host, or one that a router of this host leads to.
    struct LocalNetwork {
        /// Into `Topology.tenants`.
        var tenant: Int
        /// Into `Tenant.networks`.
        var index: Int
        /// Into `Scope.groups`, or -1 for a network without a router.
        var group: Int
        /// Its ports: a range of `members`, in the order of the file.
        var members: Range<Int> = 0..<0
    }

    /// A port of this host.
    struct LocalPort {
        var tenant: Int
        /// Into `Tenant.ports`.
        var index: Int
    }

    /// One port in one network.
    struct Member {
        /// Into `Tenant.ports`.
        var index: Int
        /// Into `Topology.hosts`.
        var host: Int
        /// Into `Scope.ports`, or -1 for a port of another host.
        var port: Int
        /// The tag on the port, 0 for none.
        var vid: UInt16
    }

    let here: Int
    private(set) var networks: [LocalNetwork] = []
    private(set) var ports: [LocalPort] = []
    private(set) var members: [Member] = []
    private(set) var routers: [LocalRouter] = []
    private(set) var groups: [Group] = []

    private var hosts: [String: Int] = [:]
    private var found: [(network: Int, member: Member)] = []

    init(_ topology: Topology, host: String) throws(CompileError) {
        for (i, item) in topology.hosts.enumerated() where hosts[item.name] == nil { hosts[item.name] = i }
        guard let here = hosts[host] else {
            let known = topology.hosts.map(\.name).joined(separator: ", ")
            throw CompileError(
                .unknownHost,
                Mark(path: "hosts"),
                "there is no host \(host); \(known.isEmpty ? "the file has none" : "the file has \(known)")"
            )
        }
        self.here = here
        let routed = RoutedTenants(topology)
        for (i, tenant) in topology.tenants.enumerated() { try add(tenant, i, topology.hosts, routed) }
        sortMembers()
    }

    private mutating func add(
        _ tenant: Tenant,
        _ number: Int,
        _ all: [Host],
        _ routed: RoutedTenants
    ) throws(CompileError) {
        let host = all[here].name
        // Most tenants of a large cloud have nothing on this host.
        guard tenant.ports.contains(where: { $0.host == host }) || tenant.anchors(on: host) else { return }
        var names: [String: Int] = [:]
        names.reserveCapacity(tenant.networks.count)
        for (i, network) in tenant.networks.enumerated() where names[network.name] == nil { names[network.name] = i }

        func index(_ name: String, _ port: Port) throws(CompileError) -> Int {
            if let index = names[name] { return index }
            throw CompileError(.unknownNetwork, port.mark, "tenant \(tenant.name) has no network \(name)")
        }

        var isLocal = [Bool](repeating: false, count: tenant.networks.count)
        for port in tenant.ports where port.host == host {
            if let name = port.membership.untagged { isLocal[try index(name, port)] = true }
            for tag in port.membership.tagged { isLocal[try index(tag.network, port)] = true }
        }
        let joined = try routed.join(tenant, names, hosts, here: here)
        var numbers = [Int](repeating: -1, count: tenant.networks.count)
        for i in isLocal.indices {
            let group = joined.group(ofNetwork: i)
            guard isLocal[i] || group >= 0 && all[here].reaches(tenant.networks[i].segment) else { continue }
            numbers[i] = networks.count
            networks.append(LocalNetwork(tenant: number, index: i, group: group < 0 ? -1 : groups.count + group))
        }
        for (i, router) in tenant.routers.enumerated() where joined.group(ofRouter: i) >= 0 {
            let interfaces = router.interfaces.compactMap { names[$0.network] }.map {
                LocalInterface(index: $0, number: numbers[$0])
            }
            // With no way in, not even by a tunnel, it has nothing to do here.
            guard interfaces.contains(where: { $0.number >= 0 }) || router.tunnels.contains(where: { $0.host == host })
            else { continue }
            routers.append(
                LocalRouter(
                    tenant: number,
                    index: i,
                    group: groups.count + joined.group(ofRouter: i),
                    interfaces: interfaces
                )
            )
        }
        groups += joined.groups

        var lastPort = [Int](repeating: -1, count: tenant.networks.count)
        for (i, port) in tenant.ports.enumerated() {
            guard let portHost = hosts[port.host] else {
                throw CompileError(.unknownHost, port.mark, "there is no host \(port.host)")
            }
            var member = Member(index: i, host: portHost, port: -1, vid: 0)
            if portHost == here {
                member.port = ports.count
                ports.append(LocalPort(tenant: number, index: i))
            }
            func enter(_ name: String, vid: UInt16) throws(CompileError) {
                let network = try index(name, port)
                guard lastPort[network] != i else {
                    throw CompileError(
                        .networkTwiceOnPort,
                        port.mark,
                        "port \(port.name) is in network \(name) twice; one tag is enough"
                    )
                }
                lastPort[network] = i
                guard numbers[network] >= 0 else { return }
                member.vid = vid
                found.append((numbers[network], member))
            }
            if let name = port.membership.untagged { try enter(name, vid: 0) }
            let tagged = port.membership.tagged
            guard !tagged.isEmpty else { continue }
            if Set(tagged.map(\.vid)).count < tagged.count {
                throw CompileError(
                    .tagTwiceOnPort,
                    port.mark,
                    "port \(port.name) uses one VLAN id for two networks"
                )
            }
            for tag in tagged { try enter(tag.network, vid: tag.vid) }
        }
    }

    func number(ofHost name: String) -> Int? { hosts[name] }

    /// Puts the members of each network side by side and keeps their order.
    private mutating func sortMembers() {
        var next = [Int](repeating: 0, count: networks.count + 1)
        for item in found { next[item.network + 1] += 1 }
        for i in networks.indices {
            next[i + 1] += next[i]
            networks[i].members = next[i]..<next[i + 1]
        }
        members = [Member](repeating: Member(index: 0, host: 0, port: -1, vid: 0), count: found.count)
        for item in found {
            members[next[item.network]] = item.member
            next[item.network] += 1
        }
        found = []
    }
}
