import Wire

/// One difference between two topologies, for people to read before it is applied.
public struct Change: Sendable, Equatable, CustomStringConvertible {
    public enum Kind: String, Sendable { case added, removed, changed }

    public var kind: Kind
    /// The keys that lead to it, as in the file: `tenants.red.networks.app.mtu`.
    public var path: String
    /// What was, and nil for what is added. What has parts is told in one line.
    public var before: String?
    /// What will be, and nil for what is removed.
    public var after: String?

    public init(kind: Kind, path: String, before: String?, after: String?) {
        self.kind = kind
        self.path = path
        self.before = before
        self.after = after
    }

    /// `+ PATH: WHAT`, `- PATH: WHAT` or `~ PATH: BEFORE -> AFTER`.
    public var description: String {
        func tail(_ text: String?) -> String { text.map { $0.isEmpty ? "" : ": \($0)" } ?? "" }
        return switch kind {
        case .added: "+ \(path)\(tail(after))"
        case .removed: "- \(path)\(tail(before))"
        case .changed: "~ \(path): \(before ?? "") -> \(after ?? "")"
        }
    }
}

extension Topology {
    /// What leads from one topology to another, in the order of the new one with removals after what stays; nil is a
    /// switch that has none yet. Marks and the order of entries are no difference. Takes time in proportion to the size.
    public static func difference(from old: Topology?, to new: Topology) -> [Change] {
        let old = old ?? Topology()
        var changes: [Change] = []
        compare("lab", old.lab.map { [$0] } ?? [], new.lab.map { [$0] } ?? [], into: &changes)
        compare("hosts", old.hosts, new.hosts, into: &changes)
        let known = Dictionary(old.tenants.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for tenant in new.tenants {
            let path = "tenants.\(tenant.name)"
            let before = known[tenant.name]
            if before == nil { changes.append(Change(kind: .added, path: path, before: nil, after: "")) }
            compare("\(path).networks", before?.networks ?? [], tenant.networks, into: &changes)
            compare("\(path).ports", before?.ports ?? [], tenant.ports, into: &changes)
            compareRouters("\(path).routers", before?.routers ?? [], tenant.routers, into: &changes)
        }
        let staying = Set(new.tenants.map(\.name))
        for tenant in old.tenants where !staying.contains(tenant.name) {
            let path = "tenants.\(tenant.name)"
            compareRouters("\(path).routers", tenant.routers, [], into: &changes)
            compare("\(path).ports", tenant.ports, [], into: &changes)
            compare("\(path).networks", tenant.networks, [], into: &changes)
            changes.append(Change(kind: .removed, path: path, before: "", after: nil))
        }
        return changes
    }

    static func compare<Item: Described>(
        _ path: String,
        _ old: [Item],
        _ new: [Item],
        into changes: inout [Change]
    ) {
        let known = Dictionary(old.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for item in new {
            let path = item.name.isEmpty ? path : "\(path).\(item.name)"
            guard let before = known[item.name] else {
                changes.append(Change(kind: .added, path: path, before: nil, after: summary(item)))
                continue
            }
            guard before != item else { continue }
            for (was, will) in zip(before.facts, item.facts)
            where (was.value ?? was.absent) != (will.value ?? will.absent) {
                changes.append(
                    Change(
                        kind: .changed,
                        path: "\(path).\(will.key)",
                        before: was.value ?? was.absent,
                        after: will.value ?? will.absent
                    )
                )
            }
        }
        let staying = Set(new.map(\.name))
        for item in old where !staying.contains(item.name) {
            let path = item.name.isEmpty ? path : "\(path).\(item.name)"
            changes.append(Change(kind: .removed, path: path, before: summary(item), after: nil))
        }
    }

    private static func summary(_ item: some Described) -> String {
        item.facts.compactMap { fact in fact.value.map { "\(fact.key) \($0)" } }.joined(separator: ", ")
    }
}

// MARK: Facts

/// One key of an entry with its value as text.
struct Fact {
    var key: String
    /// Nil is the default, which a summary does not mention.
    var value: String?
    /// What the default is called when it takes part in a change.
    var absent: String

    init(_ key: String, _ value: String?, or absent: String = "none") {
        self.key = key
        self.value = value
        self.absent = absent
    }

    /// A list in one line.
    init(_ key: String, _ list: [some CustomStringConvertible]) {
        self.init(key, list.isEmpty ? nil : list.map(\.description).joined(separator: " "))
    }

    /// A value that has a default.
    init<Value: Equatable>(_ key: String, _ value: Value, default usual: Value) {
        self.init(key, value == usual ? nil : "\(value)", or: "\(usual)")
    }
}

/// An entry that a difference can tell about: the same keys in the same order, whatever their values.
protocol Described: Equatable {
    var name: String { get }
    var facts: [Fact] { get }
}

extension LabSettings: Described {
    var name: String { "" }
    var facts: [Fact] { [Fact("underlay", underlays), Fact("mtu", mtu, default: Self.defaultMTU)] }
}

extension Host: Described {
    var facts: [Fact] {
        [
            Fact("vtep", vteps), Fact("physical", physical.map { "\($0.name)=\($0.device)" }.sorted()),
            Fact("underlay", underlay, default: .socket), Fact("workers", workers, default: 1),
        ]
    }
}

extension Network: Described {
    var facts: [Fact] {
        [
            Fact("segment", segment.description), Fact("subnets", subnets),
            Fact("mtu", mtu.map(String.init), or: "computed"),
            Fact("vlanTransparent", vlanTransparent, default: false), Fact("remotes", remotes),
            Fact("learning", learning, default: true), Fact("macAge", ageing, default: Self.defaultAgeing),
            Fact("unknownUnicast", unknownUnicast, default: .flood),
            Fact("macLimit", macLimit.map(String.init), or: "unlimited"),
            Fact("linkLocal", linkLocal, default: .drop),
        ]
    }
}

extension Port: Described {
    var facts: [Fact] {
        let network: String? = if case .access(let network) = membership { network } else { nil }
        return [
            Fact("host", host), Fact("network", network), Fact("trunk", network == nil ? trunk : nil),
            Fact(addresses.count == 1 ? "address" : "addresses", addresses),
            Fact("mac", macIsDefault ? nil : mac.description, or: mac.description), gatewayFact,
            Fact("mtu", mtu.map(String.init), or: "the network's"), Fact("attach", attach.description),
        ]
    }

    /// What a router brings is told when it changes, and not with every port that is new.
    private var gatewayFact: Fact {
        let list = gateway.isEmpty ? "none" : gateway.map(\.description).joined(separator: " ")
        return Fact("gateway", gatewayIsDefault || gateway.isEmpty ? nil : list, or: list)
    }

    private var trunk: String {
        let untagged = membership.untagged.map { ["untagged: \($0)"] } ?? []
        let tagged = membership.tagged.sorted { $0.vid < $1.vid }.map { "\($0.vid): \($0.network)" }
        return "{\((untagged + tagged).joined(separator: ", "))}"
    }
}
