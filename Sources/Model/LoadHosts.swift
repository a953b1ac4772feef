import Wire

extension Loader {
    private static let labSchema = Schema(
        subject: "the lab",
        keys: ["underlay", "mtu"],
        mistaken: ["subnet": "underlay", "network": "underlay"]
    )

    mutating func loadLab(_ node: Node) {
        guard let fields = fields(node, "lab", Self.labSchema, mayBeEmpty: true) else { return }
        var settings = LabSettings(mark: mark(node.place, "lab"))
        if let node = fields["underlay"] {
            for item in items(node, "lab.underlay") {
                guard let subnet = subnet(item.node, item.path, "the subnet of the underlay") else { continue }
                if let other = settings.underlays.first(where: { $0.overlaps(subnet) }) {
                    refuse(item.node.place, item.path, "\(subnet) overlaps \(other), which is there already")
                } else {
                    settings.underlays.append(subnet)
                }
            }
        }
        if let node = fields["mtu"] {
            settings.mtu = integer(node, "lab.mtu", "the MTU", in: Network.mtuRange) ?? settings.mtu
            if settings.mtu < Network.minimumIPv6MTU, settings.underlays.contains(where: \.address.isIPv6) {
                refuse(
                    node.place,
                    "lab.mtu",
                    "an IPv6 underlay needs an MTU of \(Network.minimumIPv6MTU) or more (RFC 8200), found \(settings.mtu)"
                )
            }
        }
        lab = settings
    }

    /// A prefix that names a subnet: no host bits, and addresses that machines can have.
    mutating func subnet(_ node: Node, _ path: String, _ what: String) -> IPPrefix? {
        guard let prefix = prefix(node, path, what) else { return nil }
        guard prefix == prefix.network else {
            refuse(
                node.place,
                path,
                "\(prefix) has bits set behind its prefix length; the subnet is \(prefix.network)"
            )
            return nil
        }
        if let flaw = prefix.address.flaw, prefix.address != IPAddress(mapped: IPv6Address(high: 0, low: 0)),
            prefix.address != .v4(IPv4Address(bits: 0))
        {
            refuse(node.place, path, "\(prefix) cannot be \(what): its address is \(flaw)")
            return nil
        }
        return prefix
    }
}

// MARK: Hosts

/// What only one port or provider network may have: an interface in a namespace, or on a host.
struct InterfaceKey: Hashable {
    enum Scope: Hashable {
        case host(String)
        case namespace(String)
    }
    var scope: Scope
    var name: String
}

extension Loader {
    private static let hostSchema = Schema(
        subject: "a host",
        keys: ["vtep", "physical", "underlay", "workers"],
        mistaken: [
            "vteps": "vtep", "address": "vtep", "ip": "vtep", "local": "vtep", "devices": "physical",
            "threads": "workers", "cores": "workers", "worker": "workers",
        ]
    )

    mutating func loadHost(_ entry: Node.Entry) {
        let path = "hosts.\(entry.key)"
        var host = Host(name: entry.key, mark: mark(entry.place, path))
        let problemsBefore = problems.count
        if let fields = fields(entry.value, path, Self.hostSchema, mayBeEmpty: true) {
            if let node = fields["vtep"] { loadVTEPs(node, "\(path).vtep", of: &host) }
            if let node = fields["physical"] { loadPhysical(node, "\(path).physical", of: &host) }
            if let node = fields["workers"] {
                let path = "\(path).workers"
                host.workersMark = mark(node.place, path)
                host.workers = integer(node, path, "the number of workers", in: Host.workersRange) ?? 1
            }
            if let node = fields["underlay"] { loadUnderlay(node, "\(path).underlay", of: &host) }
        }
        if problems.count > problemsBefore { brokenHosts.insert(host.name) }
        hostNumbers[host.name] = hosts.count
        hosts.append(host)
    }

    private mutating func loadVTEPs(_ node: Node, _ path: String, of host: inout Host) {
        var found: [(address: IPAddress, node: Node, path: String)] = []
        for item in items(node, path) {
            guard let address = address(item.node, item.path, "the address of a VTEP") else { continue }
            if address.isLinkLocalIPv6 {
                refuse(
                    item.node.place,
                    item.path,
                    "\(address) is a link-local address, which means something else on every link; use another one"
                )
            } else if let claim = vteps[address] {
                refuse(
                    item.node.place,
                    item.path,
                    "\(address) is already the VTEP of \(claim.owner) (line \(claim.line)); every host needs its own"
                )
            } else {
                vteps[address] = Claim(owner: "host \(host.name)", line: item.node.place.line)
                found.append((address, item.node, item.path))
                checkLab(address, item.node.place, item.path)
            }
        }
        host.vteps = onePerFamily(found, "VTEP")
    }

    /// A lab gives the VTEP to a device on its underlay, so the address has to fit there.
    private mutating func checkLab(_ vtep: IPAddress, _ place: Place, _ path: String) {
        guard let underlays = lab?.underlays, !underlays.isEmpty else { return }
        guard let underlay = underlays.first(where: { $0.contains(vtep) }) else {
            let list = underlays.map(\.description).joined(separator: ", ")
            refuse(place, path, "\(vtep) lies outside lab.underlay (\(list)); change one of the two")
            return
        }
        if let edge = underlay.edge(vtep) {
            refuse(place, path, "\(vtep) is \(edge) in \(underlay); take another one for the VTEP")
        }
    }

    private mutating func loadPhysical(_ node: Node, _ path: String, of host: inout Host) {
        for entry in named(node, path, "provider networks") {
            physicalNames.insert(entry.key)
            let path = "\(path).\(entry.key)"
            guard let device = interface(entry.value, path) else { continue }
            claimInterface(
                InterfaceKey(scope: .host(host.name), name: device),
                entry.value.place,
                path,
                "on host \(host.name)"
            )
            host.physical.append(
                Physical(name: entry.key, device: device, mark: mark(entry.value.place, path))
            )
        }
    }

    /// Takes an interface for `path`, which is refused when another has it.
    mutating func claimInterface(_ key: InterfaceKey, _ place: Place, _ path: String, _ whereItIs: String) {
        if let claim = interfaces[key] {
            refuse(
                place,
                path,
                "the interface `\(key.name)` \(whereItIs) is already used by \(claim.owner) (line \(claim.line)); "
                    + "give one of them another"
            )
        } else {
            interfaces[key] = Claim(owner: path, line: place.line)
        }
    }
}
