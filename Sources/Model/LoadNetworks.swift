import Wire

/// A network that the file declares, with what its ports have shown about it so far.
struct KnownNetwork {
    var tenant: Int
    var network: Network
    /// Whether all of it could be read. A port in a network that is wrong itself is not to blame.
    var isWhole: Bool
    /// The first host of a port that lacks a VTEP of the family. Two that lack different ones cannot meet.
    var withoutIPv4: String?
    var withoutIPv6: String?
    /// Whether it was said of two that they do.
    var isTornApart = false

    /// `tenants.red.networks.app`
    var path: String { network.mark.path }
}

extension Loader {
    private static let schema = Schema(
        subject: "a network",
        keys: [
            "segment", "subnets", "mtu", "vlanTransparent", "remotes", "learning", "macAge", "unknownUnicast",
            "macLimit",
            "linkLocal",
        ],
        mistaken: [
            "subnet": "subnets", "cidr": "subnets", "type": "segment", "ageing": "macAge", "aging": "macAge",
            "remote": "remotes", "peers": "remotes", "vlan_transparent": "vlanTransparent",
        ]
    )

    mutating func loadNetworks(_ tenant: Fields?, of number: Int) {
        let first = networks.count
        networkNumbers.append([:])
        defer { networkRanges.append(first..<networks.count) }
        guard let tenant else { return }
        for entry in named(tenant["networks"], tenant.path("networks"), "networks") {
            let path = "\(tenant.path("networks")).\(entry.key)"
            networkNumbers[number][entry.key] = networks.count
            if owners[entry.key] == nil { owners[entry.key] = number }
            let problemsBefore = problems.count
            var network = Network(
                tenant: tenants[number].name,
                name: entry.key,
                segment: .local,
                mark: mark(entry.place, path)
            )
            if let fields = fields(entry.value, path, Self.schema) {
                loadSegment(fields, of: &network)
                loadSubnets(fields, of: &network)
                loadMTU(fields, of: &network)
                loadRemotes(fields, of: &network)
                loadBehaviour(fields, of: &network)
            }
            networks.append(
                KnownNetwork(tenant: number, network: network, isWhole: problems.count == problemsBefore)
            )
        }
    }

    private mutating func loadSubnets(_ fields: Fields, of network: inout Network) {
        guard let node = fields["subnets"] else { return }
        var found: [(subnet: IPPrefix, place: Place, path: String)] = []
        for item in items(node, fields.path("subnets")) {
            guard let subnet = subnet(item.node, item.path, "a subnet") else { continue }
            found.append((subnet, item.node.place, item.path))
        }
        network.subnets = found.map(\.subnet)
        // In the order of addresses, an overlap lies between a subnet and the widest one before it.
        let sorted = found.indices.sorted {
            let (a, b) = (found[$0].subnet, found[$1].subnet)
            return (a.address.isIPv6 ? 1 : 0, a.address.mapped, a.length, $0)
                < (b.address.isIPv6 ? 1 : 0, b.address.mapped, b.length, $1)
        }
        guard var widest = sorted.first else { return }
        for next in sorted.dropFirst() {
            if found[widest].subnet.overlaps(found[next].subnet) {
                let (first, second) = (min(widest, next), max(widest, next))
                refuse(
                    found[second].place,
                    found[second].path,
                    "\(found[second].subnet) overlaps \(found[first].subnet) of the same network; remove one of them"
                )
            } else {
                widest = next
            }
        }
    }

    private mutating func loadMTU(_ fields: Fields, of network: inout Network) {
        guard let node = fields["mtu"] else { return }
        network.mtu = integer(node, fields.path("mtu"), "the MTU", in: Network.mtuRange)
        network.mtuMark = mark(node.place, fields.path("mtu"))
        if let mtu = network.mtu, mtu < Network.minimumIPv6MTU, network.subnets.contains(where: \.address.isIPv6) {
            refuse(
                node.place,
                fields.path("mtu"),
                "the IPv6 subnet needs an MTU of \(Network.minimumIPv6MTU) or more (RFC 8200), found \(mtu)"
            )
        }
    }

    private mutating func loadRemotes(_ fields: Fields, of network: inout Network) {
        guard let node = fields["remotes"] else { return }
        if !network.segment.isTunnel, fields["segment"] != nil {
            refuse(
                node.place,
                fields.path("remotes"),
                "`remotes` are VTEPs at the other end of a tunnel, and a \(network.segment) network has none; remove them "
                    + "or make the segment `vxlan` or `gre`"
            )
            return
        }
        var seen: Set<IPAddress> = []
        for item in items(node, fields.path("remotes")) {
            guard let remote = address(item.node, item.path, "the address of a remote VTEP") else { continue }
            if let claim = vteps[remote] {
                refuse(
                    item.node.place,
                    item.path,
                    "\(remote) is the VTEP of \(claim.owner) (line \(claim.line)); remotes are VTEPs outside the file, "
                        + "its own hosts find each other"
                )
            } else if !seen.insert(remote).inserted {
                refuse(item.node.place, item.path, "\(remote) is in the list twice; remove one of them")
            } else {
                network.remotes.append(remote)
            }
        }
    }

    private mutating func loadBehaviour(_ fields: Fields, of network: inout Network) {
        func path(_ key: String) -> String { fields.path(key) }
        if let node = fields["vlanTransparent"] {
            network.vlanTransparent = truth(node, path("vlanTransparent"), "`vlanTransparent`") ?? false
        }
        if let node = fields["learning"] {
            network.learning = truth(node, path("learning"), "`learning`") ?? true
        }
        if let node = fields["macAge"] {
            network.ageing = age(node, path("macAge")) ?? network.ageing
        }
        if let node = fields["unknownUnicast"] {
            network.unknownUnicast =
                word(node, path("unknownUnicast"), "`unknownUnicast`", as: UnknownUnicast.self) ?? .flood
        }
        if let node = fields["macLimit"] {
            network.macLimit = integer(node, path("macLimit"), "`macLimit`", in: Network.macLimitRange)
        }
        if let node = fields["linkLocal"] {
            network.linkLocal = word(node, path("linkLocal"), "`linkLocal`", as: LinkLocal.self) ?? .drop
        }
    }

    /// Zero means "never" to some switches and "at once" to others.
    private mutating func age(_ node: Node, _ path: String) -> Int? {
        if case .scalar(let scalar) = node.content, scalar.isPlain, scalar.text == "0" {
            refuse(
                node.place,
                path,
                "an age of 0 could mean never to learn or never to forget; write `learning: false` for the former and "
                    + "\(Network.ageingRange.upperBound) for the longest memory"
            )
            return nil
        }
        return integer(node, path, "`macAge`, in seconds,", in: Network.ageingRange)
    }
}

extension Mark {
    var place: Place { Place(line: line, column: column) }
}
