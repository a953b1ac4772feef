import Wire

/// What tells a tunnel's packets from another's when they come in. Of no two tunnels, whoever owns them, is it the same.
struct TunnelEnds: Hashable {
    var kind: RouterTunnel.Kind
    var local: IPAddress
    var remote: IPAddress
    /// None is not 0.
    var key: UInt32?
}

extension Loader {
    private static let tunnelSchema = Schema(
        subject: "a tunnel",
        keys: ["type", "host", "local", "remote", "key", "checksum", "mtu", "address", "addresses"],
        mistaken: [
            "mode": "type", "kind": "type", "protocol": "type", "src": "local", "source": "local", "dst": "remote",
            "destination": "remote", "peer": "remote", "id": "key", "csum": "checksum", "vtep": "local",
        ]
    )

    mutating func loadTunnels(_ router: Fields, of known: inout KnownRouter) {
        for entry in named(router["tunnels"], router.path("tunnels"), "tunnels") {
            let path = "\(router.path("tunnels")).\(entry.key)"
            let problemsBefore = problems.count
            known.tunnels[entry.key] = .some(nil)
            if entry.key.utf8.allSatisfy({ isDecimal($0) || $0 == UInt8(ascii: ".") }) {
                refuse(
                    entry.place,
                    path,
                    "a tunnel called `\(entry.key)` could not be told from an address behind `via`; begin its name with a letter"
                )
            }
            if let fields = fields(entry.value, path, Self.tunnelSchema) {
                if let tunnel = tunnel(fields, entry, of: &known), problems.count == problemsBefore {
                    known.tunnels[entry.key] = tunnel
                    known.router.tunnels.append(tunnel)
                }
            }
            if problems.count > problemsBefore { known.isWhole = false }
        }
    }

    private mutating func tunnel(_ fields: Fields, _ entry: Node.Entry, of known: inout KnownRouter) -> RouterTunnel? {
        // Each reader reports for itself, so that one run finds all that is wrong with the tunnel.
        let kind = kind(fields)
        let host = host(fields, entry.place, "the tunnel's `host` is missing: the machine on which it begins")
        let remote = remote(fields, on: host)
        let local = local(fields, on: host, to: remote)
        var tunnel = RouterTunnel(
            name: entry.key,
            kind: kind ?? .gre,
            host: host ?? "",
            local: local ?? .v4(IPv4Address(bits: 0)),
            remote: remote ?? .v4(IPv4Address(bits: 0)),
            mark: mark(entry.place, fields.path)
        )
        loadKey(fields, of: &tunnel, kind)
        if let node = fields["mtu"] {
            tunnel.mtu = integer(node, fields.path("mtu"), "the MTU", in: Network.mtuRange)
            tunnel.mtuMark = mark(node.place, fields.path("mtu"))
        }
        loadTunnelAddresses(fields, of: &tunnel, kind, &known)
        guard let kind, local != nil, let remote else { return nil }
        claim(TunnelEnds(kind: kind, local: tunnel.local, remote: remote, key: tunnel.key), entry.place, fields.path)
        return tunnel
    }

    /// What people and other tools call the types, and what to write.
    private static let otherTypes: [String: String] = {
        var result = [
            "94": "protocol 94 is KA9Q's IPIP, which nobody else speaks; write `ipip`, which is protocol 4 (RFC 2003)",
            "gretap":
                "`gretap` carries Ethernet frames, not packets; a network does that, with `segment: {type: gre, id: KEY}`, and "
                + "a router's `gre` carries packets",
            "vxlan":
                "`vxlan` carries Ethernet frames, not packets; a network does that, with `segment: {type: vxlan, id: VNI}`",
            "ipip6": "`ipip6` is IPv4 in IPv6; write `ipip` with an IPv6 `remote`",
            "ip6ip6": "`ip6ip6` is IPv6 in IPv6; write `sit` with an IPv6 `remote`",
            "ip6tnl":
                "`ip6tnl` is a tunnel over IPv6; write `ipip` (for IPv4) or `sit` (for IPv6) with an IPv6 `remote`",
            "ip6gre": "`ip6gre` is GRE over IPv6; write `gre` with an IPv6 `remote`",
        ]
        for name in ["4", "ipencap", "ip-in-ip", "ipinip", "ip4ip4", "4in4", "ipip4"] {
            result[name] = "`\(name)` is called `ipip` here: IPv4 packets, IP protocol 4 (RFC 2003)"
        }
        for name in ["41", "6in4", "ipv6", "ip6ip", "6to4"] {
            result[name] = "`\(name)` is called `sit` here: IPv6 packets, IP protocol 41 (RFC 4213)"
        }
        result["47"] = "`47` is called `gre` here: IP protocol 47 (RFC 2784)"
        return result
    }()

    private mutating func kind(_ fields: Fields) -> RouterTunnel.Kind? {
        let path = fields.path("type")
        guard let node = fields["type"] else {
            refuse(
                fields.place,
                fields.path,
                "the tunnel's `type` is missing; it is ipip (for IPv4), sit (for IPv6) or gre"
            )
            return nil
        }
        if case .scalar(let scalar) = node.content, let answer = Self.otherTypes[scalar.text.lowercased()] {
            refuse(node.place, path, answer)
            return nil
        }
        return word(node, path, "the type of a tunnel", as: RouterTunnel.Kind.self)
    }

    private mutating func loadKey(_ fields: Fields, of tunnel: inout RouterTunnel, _ kind: RouterTunnel.Kind?) {
        for (key, why) in [("key", "carries no key"), ("checksum", "carries no checksum of its own")] {
            guard let node = fields[key], let kind, kind != .gre else { continue }
            refuse(
                fields.entries.first { $0.key == key }?.place ?? node.place,
                fields.path(key),
                "`\(key)` has no meaning for a tunnel of type `\(kind.rawValue)`, which \(why); remove it, or make the tunnel "
                    + "`gre`"
            )
        }
        guard kind == .gre else { return }
        if let node = fields["key"] {
            let key = integer(node, fields.path("key"), "the GRE key", in: 0...Int(UInt32.max))
            tunnel.key = key.map(UInt32.init)
        }
        if let node = fields["checksum"] {
            tunnel.checksum = truth(node, fields.path("checksum"), "`checksum`") ?? false
        }
    }

    /// Packets that come in say no more than this about the tunnel they belong to.
    private mutating func claim(_ ends: TunnelEnds, _ place: Place, _ path: String) {
        guard let claim = tunnelEnds[ends] else {
            tunnelEnds[ends] = Claim(owner: path, line: place.line)
            return
        }
        let advice =
            switch (ends.kind, ends.key) {
            case (.ipip, _):
                "IPIP carries no key, so nothing would tell their packets apart; take another remote, or make both `gre` with "
                    + "a `key` each"
            case (.sit, _):
                "IPv6 in IP carries no key, so nothing would tell their packets apart; take another remote, or make both `gre` "
                    + "with a `key` each"
            case (.gre, nil): "without a key nothing would tell their packets apart; give one of them a `key`"
            case (.gre, .some(let key)):
                "with one key, \(key), nothing would tell their packets apart; give one of them another"
            }
        refuse(
            place,
            path,
            "\(ends.kind.rawValue) from \(ends.local) to \(ends.remote) is already \(claim.owner) (line \(claim.line)) and "
                + "\(path) wants it too: \(advice)"
        )
    }
}

// MARK: Ends

extension Loader {
    private mutating func remote(_ fields: Fields, on name: String?) -> IPAddress? {
        let path = fields.path("remote")
        guard let node = fields["remote"] else {
            refuse(
                fields.place,
                fields.path,
                "the tunnel's `remote` is missing: the address of the machine at its other end"
            )
            return nil
        }
        guard let remote = address(node, path, "the address of a tunnel's other end") else { return nil }
        if remote.isLinkLocal {
            refuse(
                node.place,
                path,
                "\(remote) is a link-local address, which means something else on every link; use another one"
            )
            return nil
        }
        guard let name, let number = hostNumbers[name], !brokenHosts.contains(name) else { return remote }
        let host = hosts[number]
        if host.vteps.contains(remote) {
            refuse(
                node.place,
                path,
                "\(remote) is a VTEP of host \(name), on which the tunnel begins; `remote` is the other end's"
            )
            return nil
        }
        return remote
    }

    private mutating func local(_ fields: Fields, on name: String?, to remote: IPAddress?) -> IPAddress? {
        let path = fields.path("local")
        var given: IPAddress?
        if let node = fields["local"] {
            given = address(node, path, "the address of the tunnel's own end")
            guard given != nil else { return nil }
        }
        guard let name, let number = hostNumbers[name], !brokenHosts.contains(name), let remote else { return given }
        let host = hosts[number]
        let family = remote.isIPv6 ? "IPv6" : "IPv4"
        guard let vtep = host.vtep(ipv6: remote.isIPv6) else {
            refuse(
                fields["host"]?.place ?? fields.place,
                fields.path("host"),
                "host \(name) has no \(family) `vtep` from which the tunnel could reach \(remote); add one to the host"
            )
            return nil
        }
        guard let given, given != vtep else { return vtep }
        if given.isIPv6 != remote.isIPv6 {
            refuse(
                fields["local"]?.place ?? fields.place,
                path,
                "\(given) and the remote \(remote) are of different families; write \(vtep), or leave `local` out"
            )
        } else {
            refuse(
                fields["local"]?.place ?? fields.place,
                path,
                "\(given) is no VTEP of host \(name); write \(vtep), or leave `local` out"
            )
        }
        return nil
    }

    private mutating func loadTunnelAddresses(
        _ fields: Fields,
        of tunnel: inout RouterTunnel,
        _ kind: RouterTunnel.Kind?,
        _ known: inout KnownRouter
    ) {
        if fields["address"] != nil, let both = fields["addresses"] {
            refuse(
                both.place,
                fields.path("addresses"),
                "the tunnel has both `address` and `addresses`; use one of them"
            )
        }
        let key = fields["address"] != nil ? "address" : "addresses"
        guard let node = fields[key] else { return }
        for item in items(node, fields.path(key)) {
            guard let prefix = ownPrefix(item.node, item.path, nil, of: "a router"),
                isUsable(prefix, item.node.place, item.path)
            else { continue }
            if let kind, !kind.carries(ipv6: prefix.address.isIPv6) {
                refuse(item.node.place, item.path, "\(prefix) cannot be on this tunnel: \(kind.refusal)")
                continue
            }
            tunnel.addresses.append(prefix)
            known.links.append(
                .init(prefix: prefix, owner: "tunnel \(tunnel.name)", place: item.node.place, path: item.path)
            )
        }
    }

    /// IPv6 needs 1280 bytes of every link (RFC 8200 §5), and of a GRE tunnel only if it is used for IPv6.
    mutating func checkTunnelMTUs(_ router: Fields, of known: KnownRouter) {
        var withIPv6: Set<String> = []
        for route in known.router.routes where route.to.address.isIPv6 {
            guard case .forward(let hops) = route.action else { continue }
            for case .tunnel(let name) in hops { withIPv6.insert(name) }
        }
        for tunnel in known.router.tunnels {
            guard let mtu = tunnel.mtu, mtu < Network.minimumIPv6MTU else { continue }
            guard
                tunnel.kind == .sit || withIPv6.contains(tunnel.name)
                    || tunnel.addresses.contains(where: \.address.isIPv6)
            else { continue }
            refuse(
                tunnel.mtuMark.place,
                tunnel.mtuMark.path,
                "the tunnel carries IPv6, which needs an MTU of \(Network.minimumIPv6MTU) or more (RFC 8200), found \(mtu)"
            )
        }
    }
}

extension RouterTunnel.Kind {
    /// Why a packet of the family that the tunnel does not carry cannot travel by it.
    var refusal: String {
        switch self {
        case .ipip: "`ipip` carries IPv4 only (protocol 4); for IPv6 make it `sit` or `gre`"
        case .sit: "`sit` carries IPv6 only (protocol 41); for IPv4 make it `ipip` or `gre`"
        case .gre: "`gre` carries both"
        }
    }
}
