/// What makes one version of a file the next one: some networks and ports that others replace. Everything else is as it
/// was, but for its lines.
public struct TopologyEdit: Sendable {
    /// Neighbours in a list that others replace.
    public struct Splice<Item: Sendable>: Sendable {
        /// Of the list as it was.
        public var range: Range<Int>
        public var old: [Item]
        public var new: [Item]
    }

    /// What changes in one tenant.
    public struct Part: Sendable {
        /// Into `Topology.tenants`.
        public var tenant: Int
        public var name: String
        /// Ascending, as are those of `ports`.
        public var networks: [Splice<Network>] = []
        public var ports: [Splice<Port>] = []
    }

    public internal(set) var parts: [Part] = []
    /// Lines that others replaced, as they were and as they are, ascending.
    var lines: [(old: Range<Int>, new: Range<Int>)] = []
    var oldText: String
    var newText: String
    var oldOutline: Outline
    var newOutline: Outline

    /// The edit that takes this one back.
    public var inverse: TopologyEdit {
        func inverse<Item>(_ splices: [Splice<Item>]) -> [Splice<Item>] {
            var shift = 0
            return splices.map { splice in
                let start = splice.range.lowerBound + shift
                shift += splice.new.count - splice.old.count
                return Splice(range: start..<start + splice.new.count, old: splice.new, new: splice.old)
            }
        }
        var result = TopologyEdit(
            oldText: newText,
            newText: oldText,
            oldOutline: newOutline,
            newOutline: oldOutline
        )
        result.parts = parts.map { part in
            Part(
                tenant: part.tenant,
                name: part.name,
                networks: inverse(part.networks),
                ports: inverse(part.ports)
            )
        }
        result.lines = lines.map { ($0.new, $0.old) }
        return result
    }

    private init(oldText: String, newText: String, oldOutline: Outline, newOutline: Outline) {
        self.oldText = oldText
        self.newText = newText
        self.oldOutline = oldOutline
        self.newOutline = newOutline
    }

    init(
        _ parts: [Part],
        lines: [(old: Range<Int>, new: Range<Int>)],
        from old: (String, Outline),
        to new: (String, Outline)
    ) {
        self.init(oldText: old.0, newText: new.0, oldOutline: old.1, newOutline: new.1)
        self.parts = parts
        self.lines = lines
    }

    /// The lines that follow each replaced range move by this.
    var shift: LineShift { LineShift(lines) }

    /// What `Topology.difference` says of the two versions: what is equal in both has no part in it.
    public var changes: [Change] {
        func topology(_ of: (Part) -> (networks: [Network], ports: [Port])) -> Topology {
            Topology(
                tenants: parts.map { part in
                    let items = of(part)
                    return Tenant(name: part.name, networks: items.networks, ports: items.ports)
                }
            )
        }
        return Topology.difference(
            from: topology { ($0.networks.flatMap(\.old), $0.ports.flatMap(\.old)) },
            to: topology { ($0.networks.flatMap(\.new), $0.ports.flatMap(\.new)) }
        )
    }

    /// The ports whose MAC is another, when nothing else changes and no line moves. `tenant` is an index of
    /// `Topology.tenants`.
    public var changedMACs: [(tenant: Int, old: Port, new: Port)]? {
        guard shift.isNone else { return nil }
        var result: [(tenant: Int, old: Port, new: Port)] = []
        for part in parts {
            for splice in part.networks where splice.old != splice.new { return nil }
            for splice in part.ports {
                guard splice.old.count == splice.new.count else { return nil }
                for (old, new) in zip(splice.old, splice.new) where old != new {
                    var same = new
                    (same.mac, same.macIsDefault) = (old.mac, old.macIsDefault)
                    guard same == old else { return nil }
                    result.append((part.tenant, old, new))
                }
            }
        }
        return result
    }
}

/// Where lines stand after others were replaced.
struct LineShift {
    private let lines: [(old: Range<Int>, new: Range<Int>)]

    init(_ lines: [(old: Range<Int>, new: Range<Int>)]) { self.lines = lines }

    /// Whether no line moves.
    var isNone: Bool { lines.allSatisfy { $0.old.upperBound == $0.new.upperBound } }

    /// Of a line that was not replaced.
    func callAsFunction(_ line: Int) -> Int {
        let index = lines.firstBehind { $0.old.upperBound > line }
        guard index > 0 else { return line }
        return line + lines[index - 1].new.upperBound - lines[index - 1].old.upperBound
    }

    func move(_ mark: inout Mark) { if mark.line > 0 { mark.line = self(mark.line) } }
}

extension Topology {
    /// Moves every mark to where its line went.
    mutating func move(_ shift: LineShift) {
        guard !shift.isNone else { return }
        if lab != nil { shift.move(&lab!.mark) }
        for i in hosts.indices {
            shift.move(&hosts[i].mark)
            shift.move(&hosts[i].underlayMark)
            for k in hosts[i].physical.indices { shift.move(&hosts[i].physical[k].mark) }
        }
        for i in tenants.indices { tenants[i].move(shift) }
    }
}

extension Tenant {
    fileprivate mutating func move(_ shift: LineShift) {
        shift.move(&mark)
        for i in networks.indices {
            shift.move(&networks[i].mark)
            shift.move(&networks[i].segmentMark)
            shift.move(&networks[i].mtuMark)
        }
        for i in ports.indices {
            shift.move(&ports[i].mark)
            shift.move(&ports[i].attachMark)
        }
        for i in routers.indices {
            shift.move(&routers[i].mark)
            for k in routers[i].interfaces.indices { shift.move(&routers[i].interfaces[k].mark) }
            for k in routers[i].tunnels.indices {
                shift.move(&routers[i].tunnels[k].mark)
                shift.move(&routers[i].tunnels[k].mtuMark)
            }
            for k in routers[i].routes.indices { shift.move(&routers[i].routes[k].mark) }
        }
    }
}
