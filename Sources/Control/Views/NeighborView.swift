import Tables
import Wire

/// Which Ethernet address an IP address has in the networks that routers lead to.
public struct NeighborsView: Codable, Sendable, Equatable {
    /// By network and address; cut at the limit that the question named.
    public var entries: [Entry]
    /// How many there are.
    public var total: Int

    public struct Entry: Codable, Sendable, Equatable {
        /// `tenant/network`.
        public var network: String
        public var address: String
        /// Nil where nobody has answered yet.
        public var mac: String?
        public var state: State
        /// Seconds since it was last answered for, or since the first question; nil for what was told.
        public var age: Int?
        /// The router that it belongs to.
        public var router: String?
        /// The tenant's port or the provider device behind which it is.
        public var port: String?
        /// The remote VTEP behind which it is.
        public var peer: String?
    }

    /// How an address is known.
    public enum State: String, Codable, Sendable, CaseIterable {
        /// By the file.
        case told
        /// Its owner answered.
        case reachable
        /// It was asked for, and nobody has answered yet.
        case incomplete
        /// Nobody answered.
        case failed
    }
}

extension LiveTables {
    /// The addresses known in one segment, or in all. `limit` 0 means all of them.
    public func neighbors(segment: UInt32? = nil, limit: Int = 0) -> NeighborsView {
        var found: [Neighbor] = []
        for i in 0..<Int(snapshot.neighborCount) where segment == nil || snapshot.neighbors[i].segment == segment {
            let row = snapshot.neighbors[i]
            found.append(
                Neighbor(segment: row.segment, address: row.address, mac: row.mac, state: .told, router: row.router)
            )
        }
        states.forEachNeighbor(snapshot) { entry, age in
            guard segment == nil || entry.segment == segment else { return }
            let state: NeighborsView.State =
                switch entry.state {
                case NeighborTable.State.reachable: .reachable
                case NeighborTable.State.incomplete: .incomplete
                default: .failed
                }
            found.append(
                Neighbor(
                    segment: entry.segment,
                    address: entry.address,
                    mac: entry.mac,
                    state: state,
                    age: Int(age)
                )
            )
        }
        var names: [UInt32: String] = [:]
        for slot in Set(found.map(\.segment)) { names[slot] = name(segment: slot) }
        found.sort { a, b in
            let (x, y) = (names[a.segment] ?? "", names[b.segment] ?? "")
            if x != y { return x < y }
            let (four, other) = (a.address.mappedIPv4 != nil, b.address.mappedIPv4 != nil)
            return four != other ? four : a.address < b.address
        }
        let shown = limit > 0 ? found.prefix(limit) : found[...]
        return NeighborsView(entries: shown.map { entry($0, names[$0.segment] ?? "") }, total: found.count)
    }

    private struct Neighbor {
        var segment: UInt32
        var address: IPv6Address
        var mac: UInt64
        var state: NeighborsView.State
        var router = noSlot
        var age: Int?
    }

    private func entry(_ neighbor: Neighbor, _ network: String) -> NeighborsView.Entry {
        var entry = NeighborsView.Entry(
            network: network,
            address: IPAddress(mapped: neighbor.address).description,
            mac: neighbor.mac == 0 ? nil : MACAddress(bits: neighbor.mac).description,
            state: neighbor.state,
            age: neighbor.age
        )
        if neighbor.router != noSlot {
            entry.router = name(routerOf: snapshot.attachments[Int(neighbor.router)].interface)
        } else if neighbor.mac != 0 {
            let mac = MACAddress(bits: neighbor.mac)
            var place = snapshot.told(segment: neighbor.segment, mac: mac)
            if place == noSlot {
                place = states.find(segment: neighbor.segment, mac: mac, snapshot)
            }
            guard place != noSlot else { return entry }
            let row = snapshot.attachments[Int(place)]
            if row.isTunnel { entry.peer = address(peer: row.peer) } else { entry.port = name(endpoint: row.endpoint) }
        }
        return entry
    }
}
