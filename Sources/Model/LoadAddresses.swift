import Wire

/// An address inside one network: once there, and any number of times elsewhere.
struct AddressKey: Hashable {
    var network: Int
    var address: IPAddress
}

extension Loader {
    mutating func loadAddresses(
        _ fields: Fields,
        of port: inout Port,
        in membership: Joined?,
        _ home: KnownNetwork?
    ) {
        if fields["address"] != nil, let both = fields["addresses"] {
            refuse(both.place, fields.path("addresses"), "the port has both `address` and `addresses`; use one of them")
        }
        let key = fields["address"] != nil ? "address" : "addresses"
        guard let node = fields[key] else { return }
        if let membership, membership.untagged == nil {
            refuse(
                node.place,
                fields.path(key),
                "the port is a trunk without an untagged network, so there is none for the address to be in; add "
                    + "`untagged` or leave the addresses to the tenant's VLAN interfaces"
            )
            return
        }
        for item in items(node, fields.path(key)) {
            guard let prefix = ownPrefix(item.node, item.path, home, of: "a port") else { continue }
            port.addresses.append(prefix)
            guard let home, let number = membership?.untagged, home.isWhole else { continue }
            check(prefix, item.node.place, item.path, home.network)
            let key = AddressKey(network: number, address: prefix.address)
            if let claim = addresses[key] {
                refuse(
                    item.node.place,
                    item.path,
                    "\(prefix.address) is already the address of \(claim.owner) (line \(claim.line)) in network "
                        + "\(home.network.name); give one of them another"
                )
            } else {
                addresses[key] = Claim(owner: "port \(port.name)", line: item.node.place.line)
            }
        }
    }

    /// An address with the length of its prefix, which the network's subnet suggests when it is missing.
    mutating func ownPrefix(_ node: Node, _ path: String, _ home: KnownNetwork?, of subject: String) -> IPPrefix? {
        if case .scalar(let scalar) = node.content, !scalar.text.utf8.contains(UInt8(ascii: "/")),
            let address = IPAddress(scalar.text),
            let subnet = home?.network.subnets.first(where: { $0.contains(address) })
        {
            refuse(node.place, path, "`\(address)` lacks its prefix length; write \(address)/\(subnet.length)")
            return nil
        }
        guard let prefix = prefix(node, path, "an address with its prefix length") else { return nil }
        if let flaw = prefix.address.flaw {
            refuse(node.place, path, "\(subject) cannot have the address \(prefix.address): it is \(flaw)")
            return nil
        }
        return prefix
    }

    private mutating func check(_ prefix: IPPrefix, _ place: Place, _ path: String, _ network: Network) {
        guard !prefix.address.isLinkLocalIPv6 else { return }
        let subnet = network.subnets.first { $0.contains(prefix.address) }
        if subnet == nil, !network.subnets.isEmpty {
            let list = network.subnets.prefix(4).map(\.description).joined(separator: ", ")
            refuse(
                place,
                path,
                "\(prefix.address) lies in no subnet of network \(network.name) (\(list)"
                    + "\(network.subnets.count > 4 ? ", …" : "")); change the address or add its subnet"
            )
        } else if let edge = (subnet ?? prefix).edge(prefix.address) {
            refuse(place, path, "\(prefix.address) is \(edge) in \((subnet ?? prefix).network); take one between")
        }
    }

    mutating func loadGateway(_ fields: Fields, of port: inout Port) {
        guard let node = fields["gateway"] else {
            port.gatewayIsDefault = true
            return
        }
        if case .scalar(let scalar) = node.content, scalar.isPlain, scalar.text == "none" { return }
        var found: [(address: IPAddress, node: Node, path: String)] = []
        for item in items(node, fields.path("gateway")) {
            guard let gateway = address(item.node, item.path, "the address of a gateway") else { continue }
            let family = port.addresses.filter { $0.address.isIPv6 == gateway.isIPv6 }
            if family.contains(where: { $0.address == gateway }) {
                refuse(
                    item.node.place,
                    item.path,
                    "\(gateway) is the port's own address; a gateway is another machine's"
                )
            } else if family.isEmpty {
                refuse(
                    item.node.place,
                    item.path,
                    "the port has no \(gateway.isIPv6 ? "IPv6" : "IPv4") address from which it could reach the gateway "
                        + "\(gateway); add one to `addresses`"
                )
            } else if let subnet = family.first(where: { $0.contains(gateway) }) {
                if let edge = subnet.edge(gateway) {
                    refuse(item.node.place, item.path, "\(gateway) is \(edge) in \(subnet.network); take one between")
                } else {
                    found.append((gateway, item.node, item.path))
                }
            } else if gateway.isLinkLocalIPv6 {
                found.append((gateway, item.node, item.path))
            } else {
                let list = family.map(\.network.description).joined(separator: ", ")
                refuse(
                    item.node.place,
                    item.path,
                    "the gateway \(gateway) lies outside the port's subnet (\(list)), so the port cannot reach it"
                )
            }
        }
        port.gateway = onePerFamily(found, "gateway")
    }

    mutating func loadPortMTU(_ fields: Fields, of port: inout Port) {
        guard let node = fields["mtu"] else { return }
        port.mtu = integer(node, fields.path("mtu"), "the MTU", in: Network.mtuRange)
        if let mtu = port.mtu, mtu < Network.minimumIPv6MTU, port.addresses.contains(where: \.address.isIPv6) {
            refuse(
                node.place,
                fields.path("mtu"),
                "the port's IPv6 address needs an MTU of \(Network.minimumIPv6MTU) or more (RFC 8200), found \(mtu)"
            )
        }
    }
}
