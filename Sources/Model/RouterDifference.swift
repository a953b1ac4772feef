import Wire

extension Topology {
    /// So many changes of one router's routes are told one by one; of more only the numbers.
    static let toldRoutes = 20

    /// A router is told by itself, then what is in it. What leaves goes in the opposite order.
    static func compareRouters(_ path: String, _ old: [Router], _ new: [Router], into changes: inout [Change]) {
        let known = Dictionary(old.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for router in new {
            let before = known[router.name]
            guard before != router else { continue }
            let path = "\(path).\(router.name)"
            compare(path, before.map { [Heading($0)] } ?? [], [Heading(router)], into: &changes)
            compare("\(path).interfaces", before?.interfaces ?? [], router.interfaces, into: &changes)
            compare("\(path).tunnels", before?.tunnels ?? [], router.tunnels, into: &changes)
            compareRoutes("\(path).routes", before?.routes ?? [], router.routes, into: &changes)
        }
        let staying = Set(new.map(\.name))
        for router in old where !staying.contains(router.name) {
            let path = "\(path).\(router.name)"
            compareRoutes("\(path).routes", router.routes, [], into: &changes)
            compare("\(path).tunnels", router.tunnels, [], into: &changes)
            compare("\(path).interfaces", router.interfaces, [], into: &changes)
            compare(path, [Heading(router)], [], into: &changes)
        }
    }

    private static func compareRoutes(_ path: String, _ old: [Route], _ new: [Route], into changes: inout [Change]) {
        guard old != new else { return }
        let known = Dictionary(old.map { ($0.to, $0.action) }, uniquingKeysWith: { first, _ in first })
        let staying = Set(new.map(\.to))
        let added = new.filter { known[$0.to] == nil }
        let changed = new.filter { route in known[route.to].map { $0 != route.action } ?? false }
        let removed = old.filter { !staying.contains($0.to) }
        guard added.count + changed.count + removed.count > toldRoutes else {
            for route in new {
                let before = known[route.to]
                guard before != route.action else { continue }
                changes.append(
                    Change(
                        kind: before == nil ? .added : .changed,
                        path: "\(path).\(route.to)",
                        before: before?.description,
                        after: route.action.description
                    )
                )
            }
            for route in removed {
                changes.append(
                    Change(
                        kind: .removed,
                        path: "\(path).\(route.to)",
                        before: route.action.description,
                        after: nil
                    )
                )
            }
            return
        }
        if old.isEmpty {
            changes.append(Change(kind: .added, path: path, before: nil, after: "\(new.count) routes"))
        } else if new.isEmpty {
            changes.append(Change(kind: .removed, path: path, before: "\(old.count) routes", after: nil))
        } else {
            let counts = [("+", added.count), ("-", removed.count), ("~", changed.count)]
            let list = counts.filter { $0.1 > 0 }.map { "\($0.0)\($0.1)" }.joined(separator: " ")
            changes.append(
                Change(kind: .changed, path: path, before: "\(old.count)", after: "\(new.count) (\(list))")
            )
        }
    }
}

/// What a router is apart from what is in it.
private struct Heading: Described {
    /// Its path says it already.
    var name: String { "" }
    var mac: MACAddress
    var macIsDefault: Bool
    var reversePath: ReversePath

    init(_ router: Router) {
        (mac, macIsDefault, reversePath) = (router.mac, router.macIsDefault, router.reversePath)
    }

    var facts: [Fact] {
        [
            Fact("mac", macIsDefault ? nil : mac.description, or: mac.description),
            Fact("reversePath", reversePath, default: .strict),
        ]
    }
}

extension RouterInterface: Described {
    var name: String { network }
    var facts: [Fact] { [Fact(addresses.count == 1 ? "address" : "addresses", addresses)] }
}

extension RouterTunnel: Described {
    var facts: [Fact] {
        [
            Fact("type", kind.rawValue), Fact("host", host), Fact("local", local.description),
            Fact("remote", remote.description), Fact("key", key.map(String.init)),
            Fact("checksum", checksum, default: false), Fact("mtu", mtu.map(String.init), or: "computed"),
            Fact(addresses.count == 1 ? "address" : "addresses", addresses),
        ]
    }
}

extension Route.Action: CustomStringConvertible {
    /// As in the file: `via branch`, `via 10.0.0.200 10.0.0.201` or `blackhole`.
    public var description: String {
        switch self {
        case .forward(let hops): "via \(hops.map(\.description).joined(separator: " "))"
        case .blackhole: "blackhole"
        case .unreachable: "unreachable"
        case .prohibit: "prohibit"
        }
    }
}
