import Wire

/// Turns the tree of a file into a topology and collects everything that is wrong with it.
///
/// The order is that of knowledge: lab and hosts, the networks of all tenants, then the ports, which refer to both, then
/// the routers, which take what ports have left.
/// What was declared but is wrong itself is remembered by name, so that one mistake is reported once.
/// The work grows with the size of the file: look-ups go through tables, and suggestions, which compare a name with
/// all others, stop after the first hundred.
struct Loader {
    let file: String
    private(set) var problems: [Problem] = []
    private var suggestionsLeft = 100

    var lab: LabSettings?
    var hosts: [Host] = []
    var hostNumbers: [String: Int] = [:]
    /// Hosts whose VTEPs or provider networks could not be read: nothing is concluded from their absence.
    var brokenHosts: Set<String> = []
    var physicalNames: Set<String> = []
    var vteps: [IPAddress: Claim] = [:]

    var tenants: [Tenant] = []
    var tenantNames: Set<String> = []
    var networks: [KnownNetwork] = []
    /// For each tenant, where its networks stand in `networks`.
    var networkNumbers: [[String: Int]] = []
    /// And all of them, in the file's order.
    var networkRanges: [Range<Int>] = []
    /// A tenant that has a network of this name, for a better answer to a reference across tenants.
    var owners: [String: Int] = [:]
    var segments: [SegmentKey: Claim] = [:]

    var interfaces: [InterfaceKey: Claim] = [:]
    var addresses: [AddressKey: Claim] = [:]
    var macs: [MACKey: Claim] = [:]
    /// The routers' addresses in a network, by its number.
    var routedNetworks: [Int: [IPPrefix]] = [:]
    var tunnelEnds: [TunnelEnds: Claim] = [:]

    init(file: String) { self.file = file }

    /// Who has taken something that only one may have, and in which line.
    struct Claim {
        var owner: String
        var line: Int
    }
}

// MARK: Problems

extension Loader {
    mutating func refuse(_ place: Place, _ path: String, _ message: String) {
        problems.append(
            Problem(
                file: file,
                line: place.line,
                column: place.column,
                path: path.utf8.contains { $0 < 0x20 } ? shown(path) : path,
                message: message
            )
        )
    }

    func mark(_ place: Place, _ path: String) -> Mark {
        Mark(file: file, line: place.line, column: place.column, path: path)
    }

    /// `; did you mean …?`, or the whole choice when that is short, or nothing.
    mutating func suggestion(for word: String, among names: (Loader) -> [String], called plural: String) -> String {
        guard suggestionsLeft > 0 else { return "" }
        suggestionsLeft -= 1
        let choice = names(self)
        if let nearest = nearest(to: word, among: choice.prefix(1000)) { return "; did you mean `\(nearest)`?" }
        guard !choice.isEmpty else { return "; there are none" }
        let list = choice.prefix(12).joined(separator: ", ")
        return "; \(plural) are \(list)" + (choice.count > 12 ? ", …" : "")
    }
}

// MARK: Mappings

/// Which keys a mapping may have.
struct Schema {
    /// With its article: `a network`.
    var subject: String
    var keys: [String]
    /// Part of the format, but beyond this version.
    var notYet: [String] = []
    /// What people write when they mean one of `keys`.
    var mistaken: [String: String] = [:]
}

/// One mapping with known keys.
struct Fields {
    var path: String
    var place: Place
    var entries: [Node.Entry]

    subscript(key: String) -> Node? {
        for entry in entries where entry.key == key { return entry.value }
        return nil
    }

    func path(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
}

extension Loader {
    static let notSupported = "is not supported by this version of Sluice yet"

    /// A mapping whose keys are those of `schema`; every other key is refused.
    mutating func fields(_ node: Node, _ path: String, _ schema: Schema, mayBeEmpty: Bool = false) -> Fields? {
        if mayBeEmpty, node.isNull { return Fields(path: path, place: node.place, entries: []) }
        guard case .mapping(let entries) = node.content else {
            refuse(node.place, path, "\(schema.subject) is a mapping of keys to values, found \(node.kind)")
            return nil
        }
        let fields = Fields(path: path, place: node.place, entries: entries)
        for entry in entries where !schema.keys.contains(entry.key) {
            let key = shown(entry.key)
            if schema.notYet.contains(entry.key) {
                refuse(entry.place, fields.path(entry.key), "`\(key)` \(Self.notSupported); remove it")
            } else if let meant = schema.mistaken[entry.key] {
                refuse(
                    entry.place,
                    fields.path(entry.key),
                    "`\(key)` is not a key of \(schema.subject); did you mean `\(meant)`?"
                )
            } else {
                let advice = suggestion(for: entry.key, among: { _ in schema.keys }, called: "its keys")
                refuse(entry.place, fields.path(entry.key), "`\(key)` is not a key of \(schema.subject)\(advice)")
            }
        }
        return fields
    }

    /// A mapping from names to what they stand for. Entries whose name is not one are refused and left out.
    mutating func named(_ node: Node?, _ path: String, _ plural: String) -> [Node.Entry] {
        guard let node, !node.isNull else { return [] }
        guard case .mapping(let entries) = node.content else {
            refuse(node.place, path, "\(plural) are a mapping of names to what they stand for, found \(node.kind)")
            return []
        }
        return entries.filter { entry in
            if isName(entry.key) { return true }
            refuse(
                entry.place,
                "\(path).\(entry.key)",
                "`\(shown(entry.key))` cannot be a name: a name begins with a letter or digit and goes on with "
                    + "letters, digits, `.`, `_` and `-`, 63 characters at most"
            )
            return false
        }
    }

    /// The elements of a list, or a single value as a list of one.
    func items(_ node: Node, _ path: String) -> [(node: Node, path: String)] {
        guard case .sequence(let items) = node.content else { return [(node, path)] }
        return items.enumerated().map { ($0.element, "\(path)[\($0.offset)]") }
    }
}
