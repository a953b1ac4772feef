import Wire

/// One of the hops behind `via`.
struct Hop {
    var hop: Route.Hop
    var place: Place
    var path: String
    /// The only family that it carries, if there is one.
    var isIPv6: Bool?
}

extension Loader {
    /// The hops, unless one of them is wrong.
    mutating func hops(_ node: Node, _ path: String, of known: KnownRouter) -> [Hop]? {
        let items = items(node, path)
        guard !items.isEmpty, items.count <= Route.maximumHops else {
            refuse(
                node.place,
                path,
                items.isEmpty
                    ? "the list is empty; name a gateway or tunnel, or write `type: blackhole` instead"
                    : "\(items.count) hops of equal cost are more than the \(Route.maximumHops) that a route can have"
            )
            return nil
        }
        var result: [Hop] = []
        var isWhole = true
        for item in items {
            guard let hop = hop(item.node, item.path, of: known) else {
                isWhole = false
                continue
            }
            if let first = result.first(where: { $0.hop == hop.hop }) {
                refuse(
                    hop.place,
                    hop.path,
                    "\(hop.hop) is in the list already (line \(first.place.line)); hops are of equal cost, so remove it"
                )
                isWhole = false
            }
            result.append(hop)
        }
        return isWhole ? result : nil
    }

    private mutating func hop(_ node: Node, _ path: String, of known: KnownRouter) -> Hop? {
        guard let text = text(node, path, "a gateway's address or a tunnel's name") else { return nil }
        guard IPAddress(text) != nil || text.utf8.contains(where: { "/:".utf8.contains($0) }) else {
            guard let declared = known.tunnels[text] else {
                let router = known.router
                let advice = suggestion(
                    for: text,
                    among: { _ in router.tunnels.map(\.name) },
                    called: "its tunnels"
                )
                refuse(
                    node.place,
                    path,
                    "router \(router.name) has no tunnel `\(shown(text))`\(advice); a gateway is named by its address"
                )
                return nil
            }
            guard let tunnel = declared else { return nil }
            let family: Bool? = tunnel.kind == .gre ? nil : tunnel.kind == .sit
            return Hop(hop: .tunnel(text), place: node.place, path: path, isIPv6: family)
        }
        guard let gateway = address(node, path, "the address of a gateway") else { return nil }
        guard isReachable(gateway, node, path, known) else { return nil }
        return Hop(hop: .gateway(gateway), place: node.place, path: path, isIPv6: gateway.isIPv6)
    }

    private mutating func isReachable(_ gateway: IPAddress, _ node: Node, _ path: String, _ known: KnownRouter) -> Bool
    {
        let router = known.router
        if let owner = known.own[gateway] {
            refuse(
                node.place,
                path,
                "\(gateway) is the router's own address, in \(owner); a gateway is another machine's"
            )
            return false
        }
        guard let link = known.link(to: gateway) else {
            guard known.isWhole else { return false }
            let list = router.links(ipv6: gateway.isIPv6)
            let links = list.isEmpty ? "none of its family" : list.prefix(4).joined(separator: ", ")
            refuse(
                node.place,
                path,
                "the gateway \(gateway) lies in no prefix that router \(router.name) is connected to (\(links)"
                    + "\(list.count > 4 ? ", …" : "")), so the router cannot reach it"
            )
            return false
        }
        if let edge = link.prefix.edge(gateway) {
            refuse(node.place, path, "\(gateway) is \(edge) in \(link.prefix.network); take one between")
            return false
        }
        return true
    }
}

extension Router {
    /// The prefixes that the router reaches directly, as text.
    fileprivate func links(ipv6: Bool) -> [String] {
        (interfaces.flatMap(\.addresses) + tunnels.flatMap(\.addresses))
            .filter { $0.address.isIPv6 == ipv6 }.map(\.network.description)
    }
}

extension Route.Hop: CustomStringConvertible {
    /// As behind `via` in the file.
    public var description: String {
        switch self {
        case .gateway(let address): address.description
        case .tunnel(let name): name
        }
    }
}
