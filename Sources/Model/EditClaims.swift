import Wire

/// What networks and ports have of which there is one: segments, interfaces, and in a network MACs and addresses.
/// What the replaced ones had already is nobody else's, so only what is new has to be asked for.
struct Claims {
    private struct InNetwork<Value: Hashable>: Hashable {
        var tenant: String
        var network: String
        var value: Value
    }

    private var segments: Set<SegmentKey> = []
    private var interfaces: Set<InterfaceKey> = []
    private var macs: Set<MACAddress> = []
    private var networkMACs: Set<InNetwork<MACAddress>> = []
    private var addresses: Set<InNetwork<IPAddress>> = []

    /// What a part adds. Two new ones never claim the same: the loader has seen to it.
    mutating func add(_ part: TopologyEdit.Part, _ tenant: Tenant) {
        segments.formUnion(part.networks.flatMap(\.new).compactMap { SegmentKey($0.segment) })
        var (before, after) = (Claims(), Claims())
        for port in part.ports.lazy.flatMap(\.old) { before.add(port) }
        for port in part.ports.lazy.flatMap(\.new) { after.add(port) }
        interfaces.formUnion(after.interfaces.subtracting(before.interfaces))
        networkMACs.formUnion(after.networkMACs.subtracting(before.networkMACs))
        addresses.formUnion(after.addresses.subtracting(before.addresses))
        macs.formUnion(networkMACs.map(\.value))
        let gone = Set(part.networks.flatMap(\.old).compactMap { SegmentKey($0.segment) })
        segments.subtract(gone)
    }

    private mutating func add(_ port: Port) {
        interfaces.insert(InterfaceKey(port))
        for network in port.membership.networks {
            networkMACs.insert(InNetwork(tenant: port.tenant, network: network, value: port.mac))
        }
        guard let home = port.membership.untagged else { return }
        for prefix in port.addresses {
            addresses.insert(InNetwork(tenant: port.tenant, network: home, value: prefix.address))
        }
    }

    /// Whether somebody has any of it who is not among the replaced.
    func areTaken(in topology: Topology, but parts: [TopologyEdit.Part]) -> Bool {
        let byTenant = Dictionary(parts.map { ($0.tenant, $0) }) { first, _ in first }
        for (number, tenant) in topology.tenants.enumerated() {
            let part = byTenant[number]
            if !segments.isEmpty,
                tenant.networks.hasOther(
                    than: part?.networks.map(\.range) ?? [],
                    where: { SegmentKey($0.pointee.segment).map(segments.contains) ?? false }
                )
            {
                return true
            }
            if !interfaces.isEmpty,
                tenant.ports.hasOther(
                    than: part?.ports.map(\.range) ?? [],
                    where: { interfaces.contains(InterfaceKey($0.pointee)) }
                )
            {
                return true
            }
            if let part, !macs.isEmpty || !addresses.isEmpty,
                tenant.ports.hasOther(than: part.ports.map(\.range), where: has)
            {
                return true
            }
        }
        return false
    }

    private func has(_ place: UnsafePointer<Port>) -> Bool {
        let isOurs = macs.contains(place.pointee.mac)
        guard isOurs || !addresses.isEmpty else { return false }
        let port = place.pointee
        if isOurs,
            port.membership.networks.contains(where: {
                networkMACs.contains(InNetwork(tenant: port.tenant, network: $0, value: port.mac))
            })
        {
            return true
        }
        guard let home = port.membership.untagged else { return false }
        return port.addresses.contains {
            addresses.contains(InNetwork(tenant: port.tenant, network: home, value: $0.address))
        }
    }
}

extension SegmentKey {
    /// Nil for a segment that every network may have.
    init?(_ segment: Segment) {
        switch segment {
        case .local: return nil
        case .flat(let physical): self = .flat(physical: physical)
        case .vlan(let physical, let id, let tag): self = .vlan(physical: physical, protocol: tag, id: id)
        case .vxlan(let id, _): self = .vxlan(id)
        case .gre(let key): self = .gre(key)
        }
    }
}

extension InterfaceKey {
    /// The one that a port is attached to.
    init(_ port: Port) {
        self.init(
            scope: port.attach.namespace.map { .namespace($0) } ?? .host(port.host),
            name: port.attach.interface
        )
    }
}
