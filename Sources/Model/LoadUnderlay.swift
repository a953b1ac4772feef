import Wire

private enum UnderlayMode: String, CaseIterable { case socket, tap, device }

extension Loader {
    private static let underlaySchema = Schema(
        subject: "an underlay",
        keys: ["mode", "tap", "bridge", "device", "address", "gateway"],
        mistaken: ["type": "mode", "addresses": "address", "gateways": "gateway", "prefix": "address"]
    )

    private static let keys: [UnderlayMode: (needed: [String], others: [String])] = [
        .socket: ([], []), .tap: (["tap", "bridge"], ["address", "gateway"]),
        .device: (["device"], ["address", "gateway"]),
    ]

    mutating func loadUnderlay(_ node: Node, _ path: String, of host: inout Host) {
        guard let fields = fields(node, path, Self.underlaySchema) else { return }
        host.underlayMark = mark(fields.place, path)
        guard let modeNode = fields["mode"] else {
            refuse(node.place, path, "the underlay's `mode` is missing; write `{mode: socket}`")
            return
        }
        guard let mode = word(modeNode, "\(path).mode", "the mode of an underlay", as: UnderlayMode.self) else {
            return
        }
        let (needed, others) = Self.keys[mode, default: ([], [])]
        for entry in fields.entries
        where entry.key != "mode" && Self.underlaySchema.keys.contains(entry.key)
            && !needed.contains(entry.key) && !others.contains(entry.key)
        {
            refuse(
                entry.place,
                "\(path).\(entry.key)",
                "`\(entry.key)` has no meaning when the mode is `\(mode.rawValue)`; remove it"
            )
        }
        var interfaces: [String] = []
        for key in needed {
            guard let node = fields[key] else {
                refuse(fields.place, path, "the mode `\(mode.rawValue)` needs `\(key)`, the name of an interface")
                continue
            }
            if let name = interface(node, "\(path).\(key)") { interfaces.append(name) }
        }
        switch mode {
        case .socket: break
        case .tap:
            guard interfaces.count == 2 else { return }
            let (tap, bridge) = (interfaces[0], interfaces[1])
            claimUplink(fields, "tap", tap, of: host)
            if tap == bridge {
                refuse(
                    fields["tap"]?.place ?? fields.place,
                    fields.path("tap"),
                    "the TAP is put into the bridge; give it another name"
                )
            }
            let (addresses, gateways) = loadUplink(fields, of: host)
            host.underlay = .tap(tap, bridge: bridge, addresses: addresses, gateways: gateways)
        case .device:
            guard let device = interfaces.first else { return }
            claimUplink(fields, "device", device, of: host)
            let (addresses, gateways) = loadUplink(fields, of: host)
            host.underlay = .device(device, addresses: addresses, gateways: gateways)
        }
    }

    /// The interface is the switch's alone.
    private mutating func claimUplink(_ fields: Fields, _ key: String, _ name: String, of host: Host) {
        claimInterface(
            InterfaceKey(scope: .host(host.name), name: name),
            fields[key]?.place ?? fields.place,
            fields.path(key),
            "on host \(host.name)"
        )
    }

    /// Where the VTEPs are in the underlay, and by whom they reach the rest of it.
    private mutating func loadUplink(_ fields: Fields, of host: Host) -> ([IPPrefix], [IPAddress]) {
        var prefixes: [IPPrefix] = []
        if let node = fields["address"] {
            for item in items(node, fields.path("address")) {
                guard let prefix = ownPrefix(item.node, item.path, nil, of: "a VTEP") else { continue }
                if !host.vteps.contains(prefix.address) {
                    let list = host.vteps.map(\.description).joined(separator: " and ")
                    refuse(
                        item.node.place,
                        item.path,
                        "\(prefix.address) is not a VTEP of host \(host.name)"
                            + (list.isEmpty ? "; name it under `vtep`" : ", which has \(list)")
                    )
                } else if let first = prefixes.first(where: { $0.address == prefix.address }) {
                    refuse(
                        item.node.place,
                        item.path,
                        "\(prefix.address) has the prefix length \(first.length) already"
                    )
                } else {
                    prefixes.append(prefix)
                }
            }
        }
        let gateways = fields["gateway"].map { loadUplinkGateways($0, fields.path("gateway"), prefixes) } ?? []
        return (prefixes, gateways)
    }

    private mutating func loadUplinkGateways(_ node: Node, _ path: String, _ prefixes: [IPPrefix]) -> [IPAddress] {
        var found: [(address: IPAddress, node: Node, path: String)] = []
        for item in items(node, path) {
            guard let gateway = address(item.node, item.path, "the address of a gateway") else { continue }
            guard let prefix = prefixes.first(where: { $0.address.isIPv6 == gateway.isIPv6 }) else {
                refuse(
                    item.node.place,
                    item.path,
                    "a gateway is for those who are no neighbours: give the VTEP with its prefix length as `address`"
                )
                continue
            }
            if gateway == prefix.address {
                refuse(item.node.place, item.path, "\(gateway) is the VTEP itself; a gateway is another machine's")
            } else if !prefix.contains(gateway), !gateway.isLinkLocalIPv6 {
                refuse(
                    item.node.place,
                    item.path,
                    "the gateway \(gateway) lies outside of \(prefix.network), so the VTEP cannot reach it"
                )
            } else {
                found.append((gateway, item.node, item.path))
            }
        }
        return onePerFamily(found, "gateway")
    }
}
