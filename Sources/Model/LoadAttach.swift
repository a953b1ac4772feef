extension Loader {
    private static let attachSchema = Schema(
        subject: "an attachment",
        keys: ["netns", "tap", "veth", "device"],
        mistaken: ["namespace": "netns", "ns": "netns", "interface": "device", "name": "tap"]
    )

    /// What the port is made of, and the claim on its interface.
    mutating func attach(_ port: Fields, _ place: Place, on host: String?) -> Attach? {
        let path = port.path("attach")
        guard let node = port["attach"] else {
            refuse(
                place,
                port.path,
                "the port's `attach` is missing: write `{netns: NAME}` for a TAP in a namespace, or name a `tap`, `veth` "
                    + "or `device`"
            )
            return nil
        }
        guard let fields = fields(node, path, Self.attachSchema) else { return nil }
        let kinds = ["tap", "veth", "device"].filter { fields[$0] != nil }
        guard kinds.count <= 1 else {
            let list = kinds.map { "`\($0)`" }.joined(separator: " and ")
            refuse(node.place, path, "a port is one of `tap`, `veth` and `device`, found \(list)")
            return nil
        }
        var namespace: String?
        if let netns = fields["netns"] {
            if kinds == ["device"] {
                refuse(
                    netns.place,
                    "\(path).netns",
                    "an existing device stays where it is; remove `netns`, or let the switch make a `tap` or `veth` there"
                )
                return nil
            }
            namespace = self.namespace(netns, "\(path).netns")
            guard namespace != nil else { return nil }
        }
        var name: String?
        if let kind = kinds.first, let given = fields[kind] {
            name = interface(given, "\(path).\(kind)")
            guard name != nil else { return nil }
        }
        guard let attach = attach(kinds.first, name, namespace) else {
            if fields.entries.isEmpty {
                refuse(
                    node.place,
                    path,
                    "the attachment is empty; write `{netns: NAME}`, or name a `tap`, `veth` or `device`"
                )
            }
            return nil
        }
        if let namespace {
            let key = InterfaceKey(scope: .namespace(namespace), name: attach.interface)
            claimInterface(key, node.place, path, "in namespace \(namespace)")
        } else if let host {
            claimInterface(
                InterfaceKey(scope: .host(host), name: attach.interface),
                node.place,
                path,
                "on host \(host)"
            )
        }
        return attach
    }

    private func attach(_ kind: String?, _ name: String?, _ namespace: String?) -> Attach? {
        switch (kind, name) {
        case ("veth", .some(let name)): .veth(name: name, namespace: namespace)
        case ("device", .some(let name)): .device(name)
        default: name == nil && namespace == nil ? nil : .tap(name: name, namespace: namespace)
        }
    }
}
