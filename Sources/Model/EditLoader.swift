/// Finds out what some entries of a file mean among all the others, which are in order and stay as they are.
///
/// The entries pass the loader as ever, with the hosts and the networks that they name as they are known. What the loader
/// then holds for taken, nobody else may have: of that the others are asked here. Whatever might make a difference for
/// them, as routers do, is left to a reading of the whole file, and so is everything that is wrong.
struct EditLoader {
    private let topology: Topology
    private var loader: Loader

    /// What happens in one tenant, in the order of its entries.
    private struct Work {
        var tenant: Int
        var networks: [EditReader.Replacement] = []
        var ports: [EditReader.Replacement] = []
    }

    init(_ file: TopologyFile) {
        topology = file.topology
        loader = Loader(file: file.name)
        loader.know(topology.hosts, topology.lab)
    }

    /// Nil when the whole file has to be read.
    mutating func load(_ replacements: [EditReader.Replacement]) -> [TopologyEdit.Part]? {
        var works: [Int: Work] = [:]
        for replacement in replacements {
            let tenant = replacement.section.tenant
            switch replacement.section.kind {
            case .networks: works[tenant, default: Work(tenant: tenant)].networks.append(replacement)
            case .ports: works[tenant, default: Work(tenant: tenant)].ports.append(replacement)
            }
        }
        // Two hosts that lack different families are for all ports of a network together to find.
        let hosts = topology.hosts.filter { !$0.vteps.isEmpty }
        guard hosts.allSatisfy({ $0.vtep(ipv6: false) != nil }) || hosts.allSatisfy({ $0.vtep(ipv6: true) != nil })
        else {
            return nil
        }
        let ordered = works.values.sorted { $0.tenant < $1.tenant }
        // As the whole file is read: the networks of all tenants, then the ports.
        for (number, work) in ordered.enumerated() {
            let tenant = topology.tenants[work.tenant]
            loader.tenants.append(Tenant(name: tenant.name, mark: tenant.mark))
            loader.tenantNames.insert(tenant.name)
            loader.loadNetworks(fields("networks", work.networks, tenant), of: number)
        }
        var parts: [TopologyEdit.Part] = []
        var claims = Claims()
        for (number, work) in ordered.enumerated() {
            let tenant = topology.tenants[work.tenant]
            let own = loader.networks[loader.networkRanges[number]].map(\.network)
            know(networksNamed(by: work.ports), of: tenant, but: work.networks, as: number)
            loader.loadPorts(fields("ports", work.ports, tenant), of: number)
            guard loader.problems.isEmpty else { return nil }
            loader.setGateways(of: number)
            guard let networks = splices(work.networks, tenant.networks, own),
                let ports = splices(work.ports, tenant.ports, loader.tenants[number].ports)
            else { return nil }
            let part = TopologyEdit.Part(
                tenant: work.tenant,
                name: tenant.name,
                networks: networks,
                ports: ports
            )
            guard isApart(part, tenant) else { return nil }
            claims.add(part, tenant)
            parts.append(part)
        }
        guard !claims.areTaken(in: topology, but: parts) else { return nil }
        return parts
    }

    // MARK: Reading

    private func fields(_ key: String, _ replacements: [EditReader.Replacement], _ tenant: Tenant) -> Fields {
        let entries = replacements.flatMap(\.nodes)
        let place = entries.first?.place ?? Place(line: 0, column: 0)
        let node = Node(content: .mapping(entries), place: place, weight: 0, depth: 0)
        return Fields(
            path: "tenants.\(tenant.name)",
            place: place,
            entries: [Node.Entry(key: key, place: place, value: node)]
        )
    }

    /// The names that ports give as their networks.
    private func networksNamed(by ports: [EditReader.Replacement]) -> Set<String> {
        var names: Set<String> = []
        for case .mapping(let fields) in ports.lazy.flatMap(\.nodes).map(\.value.content) {
            for field in fields where field.key == "network" || field.key == "trunk" {
                switch field.value.content {
                case .scalar(let name): names.insert(name.text)
                case .mapping(let tags):
                    for case .scalar(let name) in tags.lazy.map(\.value.content) { names.insert(name.text) }
                case .sequence: break
                }
            }
        }
        return names
    }

    /// Networks that stay as they are.
    private mutating func know(
        _ names: Set<String>,
        of tenant: Tenant,
        but replaced: [EditReader.Replacement],
        as number: Int
    ) {
        guard !names.isEmpty else { return }
        for place in tenant.networks.places(outside: replaced.map(\.entries)).joined()
        where names.contains(tenant.networks[place].name) {
            let network = tenant.networks[place]
            guard loader.networkNumbers[number][network.name] == nil else { continue }
            loader.networkNumbers[number][network.name] = loader.networks.count
            loader.networks.append(KnownNetwork(tenant: number, network: network, isWhole: true))
        }
    }

    /// Deals what was loaded out to the places where it stands; nil when some is missing.
    private func splices<Item>(
        _ replacements: [EditReader.Replacement],
        _ old: [Item],
        _ loaded: [Item]
    ) -> [TopologyEdit.Splice<Item>]? {
        guard loaded.count == replacements.reduce(0, { $0 + $1.nodes.count }) else { return nil }
        var rest = loaded[...]
        return replacements.map { replacement in
            defer { rest = rest.dropFirst(replacement.nodes.count) }
            return TopologyEdit.Splice(
                range: replacement.entries,
                old: Array(old[replacement.entries]),
                new: Array(rest.prefix(replacement.nodes.count))
            )
        }
    }

    // MARK: The others

    /// Whether what changes is nothing to the tenant's other entries, other than by what it claims.
    private func isApart(_ part: TopologyEdit.Part, _ tenant: Tenant) -> Bool {
        let (oldNetworks, newNetworks) = (part.networks.flatMap(\.old), part.networks.flatMap(\.new))
        let ports = part.ports.flatMap(\.old) + part.ports.flatMap(\.new)
        if !tenant.routers.isEmpty {
            var touched = Set(oldNetworks.map(\.name)).union(newNetworks.map(\.name))
            for port in ports { touched.formUnion(port.membership.networks) }
            guard !tenant.routers.contains(where: { $0.interfaces.contains { touched.contains($0.network) } }) else {
                return false
            }
        }
        guard areNew(newNetworks.map(\.name), oldNetworks.map(\.name), tenant.networks.lazy.map(\.name)),
            areNew(
                part.ports.flatMap(\.new).map(\.name),
                part.ports.flatMap(\.old).map(\.name),
                tenant.ports.lazy.map(\.name)
            )
        else { return false }
        // Ports in a network are checked against its segment, subnets and remotes.
        let kept = Dictionary(newNetworks.map { ($0.name, $0) }) { first, _ in first }
        let lost = Set(
            oldNetworks.filter { old in
                guard let new = kept[old.name] else { return true }
                return new.segment != old.segment || new.subnets != old.subnets || new.remotes != old.remotes
            }.map(\.name)
        )
        guard !lost.isEmpty else { return true }
        return !tenant.ports.hasOther(than: part.ports.map(\.range)) { port in
            port.pointee.membership.networks.contains(where: lost.contains)
        }
    }

    /// Whether no name is there twice, when all are and `old` no more.
    private func areNew(_ names: [String], _ old: [String], _ all: some Sequence<String>) -> Bool {
        let set = Set(names)
        guard set.count == names.count else { return false }
        let fresh = set.subtracting(old)
        return fresh.isEmpty || !all.contains(where: fresh.contains)
    }
}

extension Array {
    /// The places that no range takes out, between one and the next. `ranges` are in order.
    func places(outside ranges: [Range<Int>]) -> [Range<Int>] {
        var start = 0
        var result: [Range<Int>] = []
        for range in ranges {
            result.append(start..<range.lowerBound)
            start = range.upperBound
        }
        return result + [start..<count]
    }

    /// Whether an element outside the ranges is as asked. Each is looked at in its place: to copy them all would be most
    /// of the work.
    func hasOther(than ranges: [Range<Int>], where isAsAsked: (UnsafePointer<Element>) -> Bool) -> Bool {
        withUnsafeBufferPointer { elements in
            guard let first = elements.baseAddress else { return false }
            return places(outside: ranges).contains { $0.contains { isAsAsked(first + $0) } }
        }
    }
}

extension Loader {
    /// Hosts that are in order, with what they have taken.
    fileprivate mutating func know(_ hosts: [Host], _ lab: LabSettings?) {
        self.lab = lab
        self.hosts = hosts
        for (number, host) in hosts.enumerated() {
            hostNumbers[host.name] = number
            physicalNames.formUnion(host.physical.map(\.name))
            for vtep in host.vteps { vteps[vtep] = Claim(owner: "host \(host.name)", line: host.mark.line) }
            for interface in host.physical.map(\.device) + [host.underlay.interface].compactMap(\.self) {
                interfaces[InterfaceKey(scope: .host(host.name), name: interface)] = Claim(
                    owner: host.mark.path,
                    line: host.mark.line
                )
            }
        }
    }
}
