import Glibc

extension Topology {
    /// The schema that this version reads: `sluice: 1`.
    public static let schemaVersion = 1

    /// Reads a topology from YAML or JSON. Either everything is in order, or the error names every mistake with its
    /// line, path and a sentence. `file` is what the messages call it.
    public static func load(text: String, file: String) throws(TopologyError) -> Topology {
        try read(text, file).topology
    }

    /// The same, with the outline by which a later version of the text can be read in parts.
    static func read(_ text: String, _ file: String) throws(TopologyError) -> (topology: Topology, outline: Outline?) {
        let (root, isPlain, flaws) = Composer.compose(text)
        var loader = Loader(file: file)
        for flaw in flaws { loader.refuse(flaw.place, flaw.path, flaw.message) }
        if let root, !root.isNull {
            loader.load(root)
        } else if flaws.isEmpty {
            loader.refuse(
                Place(line: 1, column: 1),
                "",
                "the file is empty; it begins with `sluice: \(schemaVersion)`"
            )
        }
        guard loader.problems.isEmpty else {
            let order = loader.problems.enumerated().sorted {
                ($0.element.line, $0.element.column, $0.offset) < ($1.element.line, $1.element.column, $1.offset)
            }
            throw TopologyError(problems: order.map(\.element))
        }
        let topology = Topology(hosts: loader.hosts, tenants: loader.tenants, lab: loader.lab)
        return (topology, isPlain ? root.flatMap { Outline($0, topology) } : nil)
    }

    /// Reads the file at `path`. A file that cannot be read, or holds no text, is a `TopologyError` too.
    public static func read(path: String) throws(TopologyError) -> Topology {
        func failure(_ message: String, line: Int = 0, column: Int = 0) -> TopologyError {
            TopologyError(problems: [
                Problem(file: path, line: line, column: column, path: "", message: message)
            ])
        }
        guard let stream = fopen(path, "re") else {
            throw failure("cannot be opened: \(String(cString: strerror(errno))); check the name and its permissions")
        }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count <= Composer.maximumBytes {
            let count = fread(&chunk, 1, chunk.count, stream)
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        if ferror(stream) != 0 { throw failure("cannot be read: \(String(cString: strerror(errno)))") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            let place = firstFlaw(in: bytes)
            throw failure("this byte is not UTF-8; save the file as UTF-8", line: place.line, column: place.column)
        }
        return try load(text: text, file: path)
    }

    /// Where bytes stop being UTF-8: repair puts U+FFFD there, and the first difference from the original is the place.
    private static func firstFlaw(in bytes: [UInt8]) -> Place {
        let repaired = String(decoding: bytes, as: UTF8.self)
        let sound = zip(bytes, repaired.utf8).prefix { $0 == $1 }.count
        var place = Place(line: 1, column: 1)
        for byte in bytes.prefix(sound) {
            if byte == UInt8(ascii: "\n") {
                place = Place(line: place.line + 1, column: 1)
            } else if byte & 0xC0 != 0x80 {
                place.column += 1
            }
        }
        return place
    }
}

extension Loader {
    private static let file = Schema(
        subject: "the file",
        keys: ["sluice", "hosts", "tenants", "lab"],
        mistaken: ["version": "sluice", "host": "hosts", "tenant": "tenants", "networks": "tenants"]
    )

    mutating func load(_ root: Node) {
        guard version(of: root), let fields = fields(root, "", Self.file) else { return }
        if let node = fields["lab"] { loadLab(node) }
        for entry in named(fields["hosts"], "hosts", "hosts") { loadHost(entry) }
        let tenants = named(fields["tenants"], "tenants", "tenants").map { (entry: $0, fields: tenant($0)) }
        for (number, tenant) in tenants.enumerated() { loadNetworks(tenant.fields, of: number) }
        for (number, tenant) in tenants.enumerated() { loadPorts(tenant.fields, of: number) }
        for (number, tenant) in tenants.enumerated() { loadRouters(tenant.fields, of: number) }
        for number in self.tenants.indices { setGateways(of: number) }
        for (number, network) in networks.enumerated() where network.isWhole {
            self.tenants[network.tenant].networks.append(networks[number].network)
        }
        checkRouterHosts()
    }

    /// A file of another version is not read any further: its other keys may mean something else.
    private mutating func version(of root: Node) -> Bool {
        let known = "this version of Sluice reads `sluice: \(Topology.schemaVersion)`"
        guard case .mapping(let entries) = root.content else {
            refuse(
                root.place,
                "",
                "the file is a mapping of keys to values that begins with `sluice: 1`, found \(root.kind)"
            )
            return false
        }
        guard let entry = entries.first(where: { $0.key == "sluice" }) else {
            refuse(root.place, "sluice", "the version of the format is missing; \(known)")
            return true
        }
        guard case .scalar(let scalar) = entry.value.content, scalar.text == "\(Topology.schemaVersion)" else {
            refuse(entry.value.place, "sluice", "the version of the format is \(entry.value.kind); \(known)")
            return false
        }
        return true
    }

    private static let tenantSchema = Schema(
        subject: "a tenant",
        keys: ["networks", "ports", "routers"],
        notYet: ["securityGroups"],
        mistaken: ["network": "networks", "port": "ports", "router": "routers", "segments": "networks"]
    )

    private mutating func tenant(_ entry: Node.Entry) -> Fields? {
        let path = "tenants.\(entry.key)"
        tenantNames.insert(entry.key)
        tenants.append(Tenant(name: entry.key, mark: mark(entry.place, path)))
        return fields(entry.value, path, Self.tenantSchema, mayBeEmpty: true)
    }
}
