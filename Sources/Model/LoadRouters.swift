import Wire

/// A router while it is read, with what its routes are checked against.
struct KnownRouter {
    var router: Router
    var tenant: Int
    /// Whether all its interfaces and tunnels could be read: from what is missing elsewhere, nothing is concluded.
    var isWhole = true
    /// Everything that the router reaches directly, in the file's order.
    var links: [Link] = []
    /// The same by prefix, and the prefix lengths that occur, longest first: of IPv4 and of IPv6.
    var connected: [IPPrefix: Link] = [:]
    var lengths: [[Int]] = [[], []]
    /// The router's own addresses, with the link that each is on.
    var own: [IPAddress: String] = [:]
    /// By name; nil was declared and is wrong itself.
    var tunnels: [String: RouterTunnel?] = [:]

    /// An address of the router, and with it a prefix that is connected.
    struct Link {
        /// With host bits.
        var prefix: IPPrefix
        /// `network app` or `tunnel branch`
        var owner: String
        var place: Place
        var path: String
    }

    /// The link that an address lies on.
    func link(to address: IPAddress) -> Link? {
        for length in lengths[address.isIPv6 ? 1 : 0] {
            if let link = connected[IPPrefix(address: address.masked(length), length: length)] { return link }
        }
        return nil
    }
}

extension Loader {
    private static let schema = Schema(
        subject: "a router",
        keys: ["mac", "reversePath", "interfaces", "tunnels", "routes"],
        mistaken: [
            "networks": "interfaces", "ports": "interfaces", "subnets": "interfaces", "interface": "interfaces",
            "tunnel": "tunnels", "route": "routes", "static": "routes", "gateway": "routes", "rpFilter": "reversePath",
            "rp_filter": "reversePath", "urpf": "reversePath",
        ]
    )

    mutating func loadRouters(_ tenant: Fields?, of number: Int) {
        guard let tenant else { return }
        for entry in named(tenant["routers"], tenant.path("routers"), "routers") {
            let path = "\(tenant.path("routers")).\(entry.key)"
            guard let fields = fields(entry.value, path, Self.schema, mayBeEmpty: true) else { continue }
            var known = KnownRouter(
                router: Router(
                    tenant: tenants[number].name,
                    name: entry.key,
                    mac: fields["mac"].flatMap { mac($0, fields.path("mac"), of: "a router") },
                    mark: mark(entry.place, path)
                ),
                tenant: number
            )
            if let node = fields["reversePath"] {
                known.router.reversePath =
                    word(node, fields.path("reversePath"), "`reversePath`", as: ReversePath.self) ?? .strict
            }
            loadInterfaces(fields, of: &known)
            loadTunnels(fields, of: &known)
            connect(&known)
            loadRoutes(fields, of: &known)
            checkTunnelMTUs(fields, of: known)
            tenants[number].routers.append(known.router)
        }
    }

    private mutating func loadInterfaces(_ fields: Fields, of known: inout KnownRouter) {
        guard let node = fields["interfaces"], !node.isNull else { return }
        let path = fields.path("interfaces")
        guard case .mapping(let entries) = node.content else {
            refuse(
                node.place,
                path,
                "interfaces are a mapping of networks to the router's addresses in them, like `{app: 10.0.0.1/24}`, "
                    + "found \(node.kind)"
            )
            known.isWhole = false
            return
        }
        for entry in entries {
            let path = "\(path).\(entry.key)"
            let problemsBefore = problems.count
            let key = Node(
                content: .scalar(.init(text: entry.key, isPlain: false)),
                place: entry.place,
                weight: 1,
                depth: 0
            )
            if let number = network(key, path, of: known.tenant, "a router never joins another tenant's network") {
                loadInterface(entry, path, fields, number, of: &known)
            }
            if problems.count > problemsBefore { known.isWhole = false }
        }
    }

    private mutating func loadInterface(
        _ entry: Node.Entry,
        _ path: String,
        _ fields: Fields,
        _ number: Int,
        of known: inout KnownRouter
    ) {
        let home = networks[number]
        var interface = RouterInterface(network: home.network.name, addresses: [], mark: mark(entry.place, path))
        let items = items(entry.value, path)
        if items.isEmpty {
            refuse(
                entry.value.place,
                path,
                "the router needs an address in network \(home.network.name), with its prefix length; write it like 10.0.0.1/24"
            )
        }
        for item in items {
            guard let prefix = routerPrefix(item.node, item.path, home) else { continue }
            interface.addresses.append(prefix)
            known.links.append(
                .init(
                    prefix: prefix,
                    owner: "network \(home.network.name)",
                    place: item.node.place,
                    path: item.path
                )
            )
            let key = AddressKey(network: number, address: prefix.address)
            if let claim = addresses[key] {
                refuse(
                    item.node.place,
                    item.path,
                    "\(prefix.address) is already the address of \(claim.owner) (line \(claim.line)) in network "
                        + "\(home.network.name); give one of them another"
                )
            } else {
                addresses[key] = Claim(owner: "router \(known.router.name)", line: item.node.place.line)
            }
        }
        known.router.interfaces.append(interface)
        claimMAC(of: known.router, fields["mac"]?.place ?? known.router.mark.place, fields.path("mac"), in: number)
        routedNetworks[number, default: []] += interface.addresses
    }

    private mutating func claimMAC(of router: Router, _ place: Place, _ path: String, in number: Int) {
        let key = MACKey(network: number, mac: router.mac)
        if let claim = macs[key] {
            refuse(
                place,
                path,
                "\(router.mac) is already the MAC of \(claim.owner) (line \(claim.line)) in network "
                    + "\(networks[number].network.name); give one of them another"
            )
        } else {
            macs[key] = Claim(owner: "router \(router.name)", line: router.mark.line)
        }
    }

    /// What the router reaches directly. It has one table, in which every address has one place.
    private mutating func connect(_ known: inout KnownRouter) {
        let links = known.links
        // In the order of addresses, an overlap lies between a prefix and the widest one before it.
        let sorted = links.indices.sorted {
            let (a, b) = (links[$0].prefix.network, links[$1].prefix.network)
            return (a.address.isIPv6 ? 1 : 0, a.address.mapped, a.length, $0)
                < (b.address.isIPv6 ? 1 : 0, b.address.mapped, b.length, $1)
        }
        var widest: Int?
        for next in sorted {
            if let wide = widest, links[wide].prefix.overlaps(links[next].prefix) {
                let (first, second) = links[wide].place < links[next].place ? (wide, next) : (next, wide)
                refuse(
                    links[second].place,
                    links[second].path,
                    "\(links[second].prefix.network) overlaps \(links[first].prefix.network) of \(links[first].owner) "
                        + "(line \(links[first].place.line)); a router has one table, in which an address has one place, so "
                        + "change one of the two or give it a router of its own"
                )
                known.isWhole = false
            } else {
                widest = next
            }
        }
        for link in links {
            known.connected[link.prefix.network] = link
            known.own[link.prefix.address] = link.owner
        }
        for family in 0...1 {
            let lengths = Set(links.filter { $0.prefix.address.isIPv6 == (family == 1) }.map(\.prefix.length))
            known.lengths[family] = lengths.sorted(by: >)
        }
    }
}

// MARK: Addresses of a router

extension Loader {
    private mutating func routerPrefix(_ node: Node, _ path: String, _ home: KnownNetwork) -> IPPrefix? {
        guard let prefix = ownPrefix(node, path, home, of: "a router"), isUsable(prefix, node.place, path) else {
            return nil
        }
        let network = home.network
        let subnet = network.subnets.first { $0.contains(prefix.address) }
        if home.isWhole, !network.subnets.isEmpty {
            guard let subnet else {
                let list = network.subnets.prefix(4).map(\.description).joined(separator: ", ")
                refuse(
                    node.place,
                    path,
                    "\(prefix.address) lies in no subnet of network \(network.name) (\(list)"
                        + "\(network.subnets.count > 4 ? ", …" : "")); change the address or add its subnet"
                )
                return nil
            }
            guard subnet.length == prefix.length else {
                refuse(
                    node.place,
                    path,
                    "\(prefix) has another prefix length than its subnet \(subnet), and the router would disagree with its "
                        + "neighbours on who is near; write \(prefix.address)/\(subnet.length)"
                )
                return nil
            }
        }
        if let mtu = network.mtu, mtu < Network.minimumIPv6MTU, prefix.address.isIPv6, subnet == nil {
            refuse(
                node.place,
                path,
                "IPv6 needs an MTU of \(Network.minimumIPv6MTU) or more (RFC 8200), and network \(network.name) has \(mtu); "
                    + "raise it or leave the address out"
            )
        }
        return prefix
    }

    /// Whether a router can have the address: a machine's, and one that means the same on every link.
    mutating func isUsable(_ prefix: IPPrefix, _ place: Place, _ path: String) -> Bool {
        if prefix.address.isLinkLocal {
            refuse(
                place,
                path,
                "\(prefix.address) is a link-local address, which no packet is ever routed to or from; take one of a prefix "
                    + "of your own"
            )
            return false
        }
        if let edge = prefix.routerEdge {
            refuse(place, path, "\(prefix.address) is \(edge) in \(prefix.network); take one between")
            return false
        }
        return true
    }
}

extension IPAddress {
    /// fe80::/10 and 169.254.0.0/16 (RFC 4291 §2.5.6, RFC 3927): a router never forwards them.
    var isLinkLocal: Bool {
        if case .v4(let a) = self { a.bits >> 16 == 0xA9FE } else { isLinkLocalIPv6 }
    }
}

extension IPPrefix {
    /// Why the address cannot be a router's in this prefix. Of an IPv6 prefix, the first address belongs to all routers
    /// together (RFC 4291 §2.6.1), save on links between two (RFC 6164).
    var routerEdge: String? {
        if let edge = edge(address) { return edge }
        guard address.isIPv6, length < 127, self == network else { return nil }
        return "the anycast address of all routers"
    }
}
