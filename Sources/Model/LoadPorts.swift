import Wire

/// A MAC inside one network: once there, and any number of times elsewhere.
struct MACKey: Hashable {
    var network: Int
    var mac: MACAddress
}

extension Loader {
    private static let schema = Schema(
        subject: "a port",
        keys: ["host", "network", "trunk", "address", "addresses", "mac", "gateway", "mtu", "attach"],
        notYet: ["securityGroups", "portSecurity", "allowedAddresses"],
        mistaken: [
            "ip": "address", "ips": "addresses", "gw": "gateway", "netns": "attach", "tap": "attach", "veth": "attach",
            "device": "attach", "networks": "trunk", "vlans": "trunk",
        ]
    )

    mutating func loadPorts(_ tenant: Fields?, of number: Int) {
        guard let tenant else { return }
        for entry in named(tenant["ports"], tenant.path("ports"), "ports") {
            let path = "\(tenant.path("ports")).\(entry.key)"
            guard let fields = fields(entry.value, path, Self.schema) else { continue }
            // Each reader reports for itself, so that one run finds all that is wrong with the port.
            let host = host(fields, entry.place, "the port's `host` is missing: the machine on which it is")
            let membership = membership(fields, entry.place, of: number)
            let attach = attach(fields, entry.place, on: host)
            let mac = fields["mac"].flatMap { self.mac($0, fields.path("mac"), of: "a port") }
            var port = Port(
                tenant: tenants[number].name,
                name: entry.key,
                host: host ?? "",
                membership: membership?.value ?? .access(network: ""),
                mac: mac,
                attach: attach ?? .device(""),
                mark: mark(entry.place, path),
                attachMark: mark(fields["attach"]?.place ?? entry.place, fields.path("attach"))
            )
            let home = membership?.untagged.map { networks[$0] }
            loadAddresses(fields, of: &port, in: membership, home)
            loadGateway(fields, of: &port)
            loadPortMTU(fields, of: &port)
            for network in membership?.all ?? [] {
                join(network, fields, port)
            }
            tenants[number].ports.append(port)
        }
    }

    mutating func host(_ fields: Fields, _ place: Place, _ missing: String) -> String? {
        guard let node = fields["host"] else {
            refuse(place, fields.path, missing)
            return nil
        }
        guard let name = reference(node, fields.path("host"), "a host") else { return nil }
        guard hostNumbers[name] != nil else {
            let advice = suggestion(for: name, among: { $0.hosts.map(\.name) }, called: "the hosts")
            refuse(node.place, fields.path("host"), "there is no host `\(shown(name))`\(advice)")
            return nil
        }
        return name
    }
}

// MARK: Networks of a port

/// What a port is in, by the numbers of `Loader.networks`.
struct Joined {
    var value: Membership
    var untagged: Int?
    var all: [(network: Int, place: Place, path: String)]
}

extension Loader {
    private mutating func membership(_ fields: Fields, _ place: Place, of tenant: Int) -> Joined? {
        switch (fields["network"], fields["trunk"]) {
        case (nil, nil):
            refuse(
                place,
                fields.path,
                "the port's `network` is missing, or a `trunk` of several; without one it carries nothing"
            )
            return nil
        case (.some, .some(let trunk)):
            refuse(
                trunk.place,
                fields.path("trunk"),
                "the port has both a `network` and a `trunk`; put the network into the trunk as `untagged`"
            )
            return nil
        case (.some(let node), nil):
            let path = fields.path("network")
            guard let number = network(node, path, of: tenant) else { return nil }
            return Joined(
                value: .access(network: networks[number].network.name),
                untagged: number,
                all: [(number, node.place, path)]
            )
        case (nil, .some(let node)): return trunk(node, fields.path("trunk"), of: tenant)
        }
    }

    private mutating func trunk(_ node: Node, _ path: String, of tenant: Int) -> Joined? {
        guard case .mapping(let entries) = node.content, !entries.isEmpty else {
            refuse(node.place, path, "a trunk is a mapping like `{untagged: app, 10: data}`, found \(node.kind)")
            return nil
        }
        var result = Joined(value: .trunk(untagged: nil, tagged: []), untagged: nil, all: [])
        var tagged: [TaggedNetwork] = []
        var isWhole = true
        for entry in entries {
            let path = "\(path).\(entry.key)"
            let vid = entry.key == "untagged" ? 0 : self.vid(entry, path)
            guard let vid, let number = network(entry.value, path, of: tenant) else {
                isWhole = false
                continue
            }
            if let first = result.all.first(where: { $0.network == number }) {
                refuse(
                    entry.value.place,
                    path,
                    "network \(networks[number].network.name) is in the trunk already (line \(first.place.line)); its "
                        + "frames can have one tag only"
                )
                isWhole = false
                continue
            }
            result.all.append((number, entry.value.place, path))
            if vid == 0 {
                result.untagged = number
            } else {
                tagged.append(TaggedNetwork(vid: UInt16(vid), network: networks[number].network.name))
            }
        }
        result.value = .trunk(untagged: result.untagged.map { networks[$0].network.name }, tagged: tagged)
        return isWhole ? result : nil
    }

    private mutating func vid(_ entry: Node.Entry, _ path: String) -> Int? {
        let isNumber = entry.key.utf8.allSatisfy(isDecimal) && entry.key.utf8.count <= 6
        guard isNumber, let vid = Int(entry.key), "\(vid)" == entry.key else {
            let advice = nearest(to: entry.key, among: ["untagged"]).map { "; did you mean `\($0)`?" } ?? ""
            refuse(
                entry.place,
                path,
                "`\(shown(entry.key))` is neither `untagged` nor a VLAN id from 1 to 4094\(advice)"
            )
            return nil
        }
        guard Segment.vlanRange.contains(vid) else {
            let advice = vid == 0 ? "; for untagged frames write `untagged`" : ""
            refuse(entry.place, path, "VLAN id \(vid) is out of range; it goes from 1 to 4094\(advice)")
            return nil
        }
        return vid
    }

    /// A network of the tenant's own; of no other, whatever it is called.
    mutating func network(
        _ node: Node,
        _ path: String,
        of tenant: Int,
        _ rule: String = "a port never joins another tenant's network"
    ) -> Int? {
        guard let name = reference(node, path, "a network") else { return nil }
        if let number = networkNumbers[tenant][name] { return number }
        let own = tenants[tenant].name
        let prefix = name.split(separator: "/", maxSplits: 1).first.map(String.init) ?? ""
        if let owner = owners[name] {
            let other = tenants[owner].name
            refuse(node.place, path, "tenant \(own) has no network `\(name)`, only tenant \(other) has, and \(rule)")
        } else if prefix != name, prefix != own, tenantNames.contains(prefix) {
            refuse(node.place, path, "`\(shown(name))` is tenant \(prefix)'s, and \(rule)")
        } else {
            let advice = suggestion(
                for: name,
                among: { $0.networks[$0.networkRanges[tenant]].map(\.network.name) },
                called: "its networks"
            )
            refuse(node.place, path, "tenant \(own) has no network `\(shown(name))`\(advice)")
        }
        return nil
    }

    /// Checks that the port's host can carry the network, and that no other port of it has the same MAC.
    private mutating func join(_ member: (network: Int, place: Place, path: String), _ fields: Fields, _ port: Port) {
        let number = member.network
        guard networks[number].isWhole else { return }
        let network = networks[number].network
        let key = MACKey(network: number, mac: port.mac)
        if let claim = macs[key] {
            let place = fields["mac"]?.place ?? port.mark.place
            refuse(
                place,
                fields.path("mac"),
                "\(port.mac) is already the MAC of \(claim.owner) (line \(claim.line)) in network \(network.name); give one "
                    + "of them another"
            )
        } else {
            macs[key] = Claim(owner: "port \(port.name)", line: port.mark.line)
        }
        guard let hostNumber = hostNumbers[port.host], !brokenHosts.contains(port.host), let node = fields["host"]
        else { return }
        let host = hosts[hostNumber]
        if let physical = network.segment.physical, host.device(of: physical) == nil {
            refuse(
                node.place,
                fields.path("host"),
                "network \(network.name) runs on the provider network \(physical), which host \(host.name) does not have; "
                    + "add `physical: {\(physical): DEVICE}` to the host"
            )
        }
        if network.segment.isTunnel { checkVTEPs(host, network, number, node.place, fields.path("host")) }
    }

    private mutating func checkVTEPs(
        _ host: Host,
        _ network: Network,
        _ number: Int,
        _ place: Place,
        _ path: String
    ) {
        guard !host.vteps.isEmpty else {
            refuse(
                place,
                path,
                "network \(network.name) is a tunnel (\(network.segment)) and host \(host.name) has no `vtep` for it to "
                    + "start on; add `vtep: ADDRESS` to the host"
            )
            return
        }
        for ipv6 in [false, true] where host.vtep(ipv6: ipv6) == nil {
            let family = ipv6 ? "IPv6" : "IPv4"
            if let remote = network.remotes.first(where: { $0.isIPv6 == ipv6 }) {
                refuse(
                    place,
                    path,
                    "network \(network.name) has the remote \(remote), which host \(host.name) cannot reach without an "
                        + "\(family) `vtep`"
                )
            }
            if let other = ipv6 ? networks[number].withoutIPv4 : networks[number].withoutIPv6 {
                refuse(
                    place,
                    path,
                    "hosts \(other) and \(host.name) are both in network \(network.name), one with an IPv4 VTEP only and "
                        + "one with an IPv6 VTEP only; give both a `vtep` of one family"
                )
                networks[number].isTornApart = true
            } else if ipv6 {
                networks[number].withoutIPv6 = networks[number].withoutIPv6 ?? host.name
            } else {
                networks[number].withoutIPv4 = networks[number].withoutIPv4 ?? host.name
            }
        }
    }
}
