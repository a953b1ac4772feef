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
        }
    }

    mutating func edit(_ random: inout Random) {
        let t = random.below(topology.tenants.count)
        let ports = topology.tenants[t].ports.count
        let networks = topology.tenants[t].networks.count
        switch random.below(10) {
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
