import Wire

extension Loader {
    private static let routeSchema = Schema(
        subject: "a route",
        keys: ["to", "via", "type"],
        mistaken: [
            "prefix": "to", "destination": "to", "dst": "to", "network": "to", "gateway": "via", "gw": "via",
            "nexthop": "via", "nextHop": "via", "dev": "via", "tunnel": "via", "action": "type",
        ]
    )

    private enum RouteType: String, CaseIterable { case blackhole, unreachable, prohibit }

    mutating func loadRoutes(_ router: Fields, of known: inout KnownRouter) {
        guard let node = router["routes"], !node.isNull else { return }
        let path = router.path("routes")
        guard case .sequence(let items) = node.content else {
            refuse(node.place, path, "routes are a list like `[{to: 10.9.0.0/16, via: branch}]`, found \(node.kind)")
            return
        }
        var lines = [IPPrefix: Int](minimumCapacity: items.count)
        known.router.routes.reserveCapacity(items.count)
        for (index, item) in items.enumerated() {
            let path = "\(path)[\(index)]"
            guard let fields = fields(item, path, Self.routeSchema),
                let route = route(fields, mark(item.place, path), of: known)
            else { continue }
            if let line = lines[route.to] {
                refuse(
                    item.place,
                    path,
                    "\(route.to) has a route already (line \(line)); remove one of them, or give one route several hops: "
                        + "`via: [A, B]`"
                )
            } else {
                lines[route.to] = item.place.line
                known.router.routes.append(route)
            }
        }
    }

    private mutating func route(_ fields: Fields, _ mark: Mark, of known: KnownRouter) -> Route? {
        let isSound = checkKeys(fields)
        let to = fields["to"].flatMap { destination($0, fields.path("to"), of: known) }
        if fields["to"] == nil {
            refuse(fields.place, fields.path, "the route's `to` is missing: the prefix of the packets that take it")
        }
        if let node = fields["via"] {
            guard let hops = hops(node, fields.path("via"), of: known), let to, isSound else { return nil }
            guard let prefix = family(of: to, by: hops, fields, known) else { return nil }
            return Route(to: prefix, action: .forward(hops.map(\.hop)), mark: mark)
        }
        guard let node = fields["type"],
            let type = word(node, fields.path("type"), "the type of a route", as: RouteType.self)
        else { return nil }
        guard case .prefix(let prefix) = to else {
            if case .everything = to { refuseDefault(fields) }
            return nil
        }
        guard isSound else { return nil }
        switch type {
        case .blackhole: return Route(to: prefix, action: .blackhole, mark: mark)
        case .unreachable: return Route(to: prefix, action: .unreachable, mark: mark)
        case .prohibit: return Route(to: prefix, action: .prohibit, mark: mark)
        }
    }

    private mutating func checkKeys(_ fields: Fields) -> Bool {
        if fields["via"] != nil, let both = fields["type"] {
            refuse(
                both.place,
                fields.path("type"),
                "the route has both `via` and `type`; packets either go somewhere or are dropped, so remove one of them"
            )
            return false
        }
        if fields["via"] == nil, fields["type"] == nil {
            refuse(
                fields.place,
                fields.path,
                "the route leads nowhere: write `via`, a gateway's address or a tunnel's name, or `type: blackhole`, "
                    + "`unreachable` or `prohibit`"
            )
            return false
        }
        return true
    }
}

// MARK: Where to

/// What a route says behind `to`.
private enum Destination {
    case prefix(IPPrefix)
    /// `default`: of the family that the hops have.
    case everything
}

extension Loader {
    private mutating func destination(_ node: Node, _ path: String, of known: KnownRouter) -> Destination? {
        if case .scalar(let scalar) = node.content {
            if scalar.text == "default" { return .everything }
            if let address = IPAddress(scalar.text) {
                let length = address.isIPv6 ? 128 : 32
                refuse(
                    node.place,
                    path,
                    "`\(address)` lacks its prefix length; write \(address)/\(length) for this address alone"
                )
                return nil
            }
        }
        guard let prefix = prefix(node, path, "the prefix of a route") else { return nil }
        guard prefix == prefix.network else {
            refuse(
                node.place,
                path,
                "\(prefix) has bits set behind its prefix length; write \(prefix.network), or "
                    + "\(prefix.address)/\(prefix.maximumLength) for this address alone"
            )
            return nil
        }
        if let flaw = prefix.neverRouted {
            refuse(node.place, path, "\(prefix) cannot have a route: it is \(flaw)")
            return nil
        }
        if let link = known.connected[prefix] {
            refuse(
                node.place,
                path,
                "\(prefix) is connected: it is that of \(link.owner) (line \(link.place.line)), where the router finds every "
                    + "address by itself; remove the route"
            )
            return nil
        }
        return .prefix(prefix)
    }

    private mutating func refuseDefault(_ fields: Fields) {
        refuse(
            fields["to"]?.place ?? fields.place,
            fields.path("to"),
            "`default` could be IPv4's or IPv6's here; write 0.0.0.0/0 or ::/0"
        )
    }

    /// The prefix that `to` stands for, if all hops can carry packets of its family.
    private mutating func family(
        of to: Destination,
        by hops: [Hop],
        _ fields: Fields,
        _ known: KnownRouter
    ) -> IPPrefix? {
        let prefix: IPPrefix
        switch to {
        case .prefix(let given): prefix = given
        case .everything:
            guard let isIPv6 = hops.lazy.compactMap(\.isIPv6).first else {
                refuseDefault(fields)
                return nil
            }
            prefix =
                isIPv6
                ? IPPrefix(address: .v6(IPv6Address(high: 0, low: 0)), length: 0)
                : IPPrefix(address: .v4(IPv4Address(bits: 0)), length: 0)
        }
        let family = prefix.address.isIPv6 ? "IPv6" : "IPv4"
        for hop in hops where hop.isIPv6 != nil && hop.isIPv6 != prefix.address.isIPv6 {
            switch hop.hop {
            case .gateway(let gateway):
                refuse(
                    hop.place,
                    hop.path,
                    "the gateway \(gateway) is of the other family than \(prefix); packets of \(family) need an \(family) gateway"
                )
            case .tunnel(let name):
                let kind = known.tunnels[name].flatMap { $0 }?.kind ?? .gre
                refuse(hop.place, hop.path, "\(prefix) cannot go by tunnel \(name): \(kind.refusal)")
            }
            return nil
        }
        return prefix
    }
}

extension IPPrefix {
    /// Why packets for this prefix are never routed, if that is so.
    fileprivate var neverRouted: String? {
        switch address {
        case .v4(let a):
            if length >= 4, a.bits >> 28 == 0xE { return "multicast, which this router does not forward" }
            if length >= 8, a.bits >> 24 == 127 { return "loopback, which stays inside one machine" }
            if length >= 8, a.bits >> 24 == 0 { return "\"this network\", which no packet may be sent to (RFC 1122)" }
            return length == 32 && a.bits == ~0 ? "the broadcast address" : nil
        case .v6(let a):
            if length >= 8, a.high >> 56 == 0xFF { return "multicast, which this router does not forward" }
            if length >= 10, a.high >> 54 == 0x3FA { return "link-local, which stays on one link" }
            guard length >= 96, a.high == 0 else { return nil }
            if a.low >> 32 == 0xFFFF { return "of IPv4 addresses written as IPv6; write it as IPv4" }
            if length == 128, a.low <= 1 { return a.low == 0 ? "the unspecified address" : "the loopback address" }
            return nil
        }
    }
}
