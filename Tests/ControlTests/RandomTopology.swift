import Model
import Tables
import Wire

/// Random clouds in which every tenant uses the same names, addresses, MACs and VLAN ids, and random edits of them.
struct RandomTopology {
    enum Families: CaseIterable { case ipv4, ipv6, both, mixed }

    var topology = Topology()
    private var nextIdentifier: UInt32 = 1
    private var nextDevice = 0

    init(_ random: inout Random) {
        let families = Families.allCases[random.below(4)]
        for i in 1...(1 + random.below(4)) {
            var vteps: [IPAddress] = []
            if families != .ipv6 { vteps.append(address("192.0.2.\(i)")) }
            // In a mixed cloud everybody has IPv4 and some have IPv6 too.
            if families == .ipv6 || families == .both || families == .mixed && random.chance(50) {
                vteps.append(address("2001:db8::\(i)"))
            }
            topology.hosts.append(
                Host(
                    name: "h\(i)",
                    vteps: random.chance(50) ? vteps : vteps.reversed(),
                    physical: [
                        Physical(name: "physnet1", device: "eth1"), Physical(name: "physnet2", device: "eth2"),
                    ]
                )
            )
        }
        for i in 0..<(1 + random.below(4)) {
            topology.tenants.append(Tenant(name: "t\(i)"))
            for _ in 0..<(1 + random.below(4)) { addNetwork(i, &random) }
            for _ in 0..<random.below(8) { addPort(i, &random) }
            for _ in 0..<random.below(3) { addRouter(i, &random) }
        }
    }

    mutating func edit(_ random: inout Random) {
        let t = random.below(topology.tenants.count)
        let ports = topology.tenants[t].ports.count
        let networks = topology.tenants[t].networks.count
        let routers = topology.tenants[t].routers.count
        switch random.below(14) {
        case 0, 1: addPort(t, &random)
        case 2: addNetwork(t, &random)
        case 3 where ports > 0: topology.tenants[t].ports.remove(at: random.below(ports))
        case 4 where ports > 0:
            topology.tenants[t].ports[random.below(ports)].membership = membership(t, &random)
        case 5 where ports > 0: topology.tenants[t].ports[random.below(ports)].host = host(&random)
        case 6: topology.tenants[t].networks[random.below(networks)].segment = segment(&random)
        case 7:
            topology.tenants[t].ports.shuffle(using: &random)
            topology.tenants[t].networks.shuffle(using: &random)
            topology.tenants.shuffle(using: &random)
        case 8 where ports > 0:
            topology.tenants[t].ports[random.below(ports)].attach = attach(topology.tenants[t].name, &random)
        case 9: topology.tenants[t].ports.removeAll()
        case 10: addRouter(t, &random)
        case 11 where routers > 0: topology.tenants[t].routers.remove(at: random.below(routers))
        case 12 where routers > 0:
            let number = random.below(routers)
            var router = topology.tenants[t].routers[number]
            change(&router, t, &random)
            topology.tenants[t].routers[number] = router
        case 13 where routers > 0:
            topology.tenants[t].routers.shuffle(using: &random)
            topology.tenants[t].routers[0].routes = routes(topology.tenants[t].routers[0], &random)
        default: break
        }
    }

    private func host(_ random: inout Random) -> String { "h\(1 + random.below(topology.hosts.count))" }

    private mutating func segment(_ random: inout Random) -> Segment {
        nextIdentifier += 1
        let physical = "physnet\(1 + random.below(2))"
        switch random.below(6) {
        case 0: return .local
        case 1:
            let isTaken = topology.tenants.contains { $0.networks.contains { $0.segment == .flat(physical: physical) } }
            return isTaken ? .local : .flat(physical: physical)
        case 2:
            return .vlan(
                physical: physical,
                id: UInt16(nextIdentifier % 4000 + 1),
                protocol: random.chance(50) ? .dot1Q : .dot1ad
            )
        case 3: return .gre(key: nextIdentifier)
        default: return .vxlan(id: nextIdentifier, port: random.chance(70) ? 4789 : 8472)
        }
    }

    private mutating func addNetwork(_ t: Int, _ random: inout Random) {
        let taken = Set(topology.tenants[t].networks.map(\.name))
        guard let name = (0..<6).map({ "n\($0)" }).first(where: { !taken.contains($0) }) else { return }
        let hasIPv4 = topology.hosts[0].vtep(ipv6: false) != nil
        topology.tenants[t].networks.append(
            Network(
                tenant: topology.tenants[t].name,
                name: name,
                segment: segment(&random),
                remotes: random.chance(30) ? [address(hasIPv4 ? "198.51.100.1" : "2001:db8:f::1")] : []
            )
        )
    }

    private mutating func addPort(_ t: Int, _ random: inout Random) {
        let taken = Set(topology.tenants[t].ports.map(\.name))
        guard let number = (0..<12).first(where: { !taken.contains("p\($0)") }) else { return }
        topology.tenants[t].ports.append(
            Port(
                tenant: topology.tenants[t].name,
                name: "p\(number)",
                host: host(&random),
                membership: membership(t, &random),
                mac: MACAddress(bits: 0x0200_0000_0000 + UInt64(number)),
                attach: attach(topology.tenants[t].name, &random)
            )
        )
    }

    // MARK: Routers

    /// Every tenant's routers use the same names, addresses and MACs too.
    private mutating func addRouter(_ t: Int, _ random: inout Random) {
        let taken = Set(topology.tenants[t].routers.map(\.name))
        guard let number = (0..<3).first(where: { !taken.contains("r\($0)") }) else { return }
        var router = Router(
            tenant: topology.tenants[t].name,
            name: "r\(number)",
            mac: MACAddress(bits: 0x0200_0000_0100 + UInt64(number)),
            reversePath: ReversePath.allCases[random.below(3)]
        )
        for (i, network) in topology.tenants[t].networks.enumerated() where random.chance(60) {
            var addresses = [prefix("10.0.\(i).\(1 + number)/24")]
            if random.chance(40) { addresses.append(prefix("2001:db8:\(i)::\(1 + number)/64")) }
            router.interfaces.append(RouterInterface(network: network.name, addresses: addresses))
        }
        for _ in 0..<random.below(3) { addTunnel(&router, t, &random) }
        router.routes = routes(router, &random)
        topology.tenants[t].routers.append(router)
    }

    private mutating func addTunnel(_ router: inout Router, _ t: Int, _ random: inout Random) {
        nextIdentifier += 1
        let host = topology.hosts[random.below(topology.hosts.count)]
        let local = host.vteps[random.below(host.vteps.count)]
        let taken = Set(router.tunnels.map(\.name))
        guard let name = (0..<4).map({ "x\($0)" }).first(where: { !taken.contains($0) }) else { return }
        let kind = RouterTunnel.Kind.allCases[random.below(3)]
        router.tunnels.append(
            RouterTunnel(
                name: name,
                kind: kind,
                host: host.name,
                local: local,
                remote: address(
                    local.isIPv6
                        ? "2001:db8:f::\(nextIdentifier)" : "198.51.\(nextIdentifier / 256).\(nextIdentifier % 256)"
                ),
                key: kind == .gre && random.chance(50) ? UInt32(random.below(3)) : nil,
                checksum: kind == .gre && random.chance(50),
                addresses: random.chance(50) ? [prefix("10.255.\(name.dropFirst()).1/30")] : []
            )
        )
    }

    private mutating func change(_ router: inout Router, _ t: Int, _ random: inout Random) {
        switch random.below(4) {
        case 0 where !router.interfaces.isEmpty: router.interfaces.remove(at: random.below(router.interfaces.count))
        case 1 where !router.tunnels.isEmpty: router.tunnels.remove(at: random.below(router.tunnels.count))
        case 2: addTunnel(&router, t, &random)
        default: router.interfaces.shuffle(using: &random)
        }
        router.routes = routes(router, &random)
    }

    private func routes(_ router: Router, _ random: inout Random) -> [Route] {
        var routes: [IPPrefix: Route] = [:]
        for _ in 0..<random.below(12) {
            let isIPv6 = random.chance(25)
            let ways =
                router.tunnels.map { Route.Hop.tunnel($0.name) }
                + (0..<5).map { .gateway(address(isIPv6 ? "2001:db8:\($0)::77" : "10.0.\($0).77")) }
                + (isIPv6 ? [] : [.gateway(address("10.255.0.2"))])
            let to =
                isIPv6
                ? IPPrefix(address: address("2001:db8:a:\(random.below(4))::"), length: 16 * random.below(5))
                : IPPrefix(
                    address: address("10.\(random.below(3)).\(random.below(4)).\(random.below(256))"),
                    length: random.below(33)
                )
            let actions: [Route.Action] = [.blackhole, .unreachable, .prohibit]
            let action: Route.Action =
                random.chance(20)
                ? actions[random.below(3)]
                : .forward(Array(ways.shuffled(using: &random).prefix(1 + random.below(3))))
            routes[to.network] = Route(to: to.network, action: action)
        }
        return routes.values.sorted { "\($0.to)" < "\($1.to)" }
    }

    private mutating func attach(_ tenant: String, _ random: inout Random) -> Attach {
        nextDevice += 1
        switch random.below(4) {
        case 0: return .device("dev\(nextDevice)")
        case 1: return .veth(name: "v\(nextDevice)", namespace: random.chance(50) ? tenant : nil)
        default: return .tap(name: nil, namespace: "\(tenant)-\(nextDevice)")
        }
    }

    private func membership(_ t: Int, _ random: inout Random) -> Membership {
        var names = topology.tenants[t].networks.map(\.name)
        names.shuffle(using: &random)
        guard random.chance(35), names.count > 1 else { return .access(network: names[0]) }
        let untagged = random.chance(60) ? names.removeFirst() : nil
        let tagged = names.prefix(1 + random.below(names.count)).enumerated()
        return .trunk(
            untagged: untagged,
            tagged: tagged.map { TaggedNetwork(vid: UInt16(10 + $0.offset), network: $0.element) }
        )
    }
}
