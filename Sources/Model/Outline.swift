/// Where in a file the networks and ports of tenants stand, one below the other: what it takes to read the next version of
/// the file in parts. Only of files in which a part means the same without the rest.
struct Outline: Sendable {
    /// The place of a key whose line begins with it.
    struct Key: Sendable, Equatable {
        var line: Int
        var column: Int
    }

    /// The networks or the ports of one tenant. Each begins in a line of its own.
    struct Section: Sendable, Equatable {
        enum Kind: Sendable { case networks, ports }

        var kind: Kind
        /// Into `Topology.tenants`.
        var tenant: Int
        /// In which each name begins.
        var column: Int
        /// The line of the first name.
        var first: Int
        /// What stands behind the last entry; nil is the end of the file.
        var end: Key?
    }

    /// How deep networks and ports are in the tree.
    static let level = 3

    /// In the order of lines.
    var sections: [Section] = []
    /// Not less than the values in the file.
    var weight: Int

    /// Of a file that is in order, and `topology` what it says.
    init?(_ root: Node, _ topology: Topology) {
        weight = root.weight
        guard root.isBlock, case .mapping(let top) = root.content else { return nil }
        var keys = top.map(\.place)
        var found: [(kind: Section.Kind, tenant: Int, entries: [Node.Entry])] = []
        for entry in top where entry.key == "tenants" && entry.value.isBlock {
            guard case .mapping(let tenants) = entry.value.content, tenants.count == topology.tenants.count else {
                return nil
            }
            keys += tenants.map(\.place)
            for (number, tenant) in tenants.enumerated() where tenant.value.isBlock {
                guard case .mapping(let fields) = tenant.value.content else { continue }
                keys += fields.map(\.place)
                for field in fields where field.value.isBlock {
                    guard case .mapping(let entries) = field.value.content else { continue }
                    switch field.key {
                    case "networks" where entries.count == topology.tenants[number].networks.count:
                        found.append((.networks, number, entries))
                    case "ports" where entries.count == topology.tenants[number].ports.count:
                        found.append((.ports, number, entries))
                    default: continue
                    }
                }
            }
        }
        keys.sort()
        for section in found {
            guard let first = section.entries.first?.place else { continue }
            // Each in a line of its own, below the one before.
            var line = 0
            let isOrderly = section.entries.allSatisfy { entry in
                defer { line = entry.place.line }
                return entry.place.line > line && entry.place.column == first.column
            }
            guard isOrderly else { continue }
            let end = keys.firstIndex(behind: first).map { keys[$0] }
            guard end.map({ $0.line > line }) ?? true else { continue }
            sections.append(
                Section(
                    kind: section.kind,
                    tenant: section.tenant,
                    column: first.column,
                    first: first.line,
                    end: end.map { Key(line: $0.line, column: $0.column) }
                )
            )
        }
        sections.sort { $0.first < $1.first }
    }
}

extension [Place] {
    /// Of an ascending list.
    fileprivate func firstIndex(behind place: Place) -> Int? {
        let index = firstBehind { $0 > place }
        return index < count ? index : nil
    }
}

extension RandomAccessCollection where Index == Int {
    /// The index of the first element of which something is true that is true for all behind it too.
    func firstBehind(_ isBehind: (Element) -> Bool) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
