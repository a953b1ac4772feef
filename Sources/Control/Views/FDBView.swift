import Tables
import Wire

/// Where the stations of a network are.
public struct FDBView: Codable, Sendable, Equatable {
    /// By network and address; cut at the limit that the question named.
    public var entries: [Entry]
    /// How many there are.
    public var total: Int

    public struct Entry: Codable, Sendable, Equatable {
        /// `told` by the file or `learned` from a frame. Told wins over learned.
        public enum Source: String, Codable, Sendable { case told, learned }

        /// `tenant/network`.
        public var network: String
        public var mac: String
        /// The tenant's port or the provider device behind which it is; nil for another host and for a router.
        public var port: String?
        /// The tag that leads to it there; nil for untagged.
        public var vlan: Int?
        /// The remote VTEP behind which it is.
        public var peer: String?
        /// The router that it belongs to.
        public var router: String?
        public var source: Source
        /// Seconds since it was last seen; nil for an address that was told and never seen here.
        public var age: Int?
    }
}

extension LiveTables {
    private struct Place: Hashable {
        var segment: UInt32
        var mac: UInt64
        var attachment: UInt32
    }

    /// The addresses of one segment, or of all. `limit` 0 means all of them.
    public func fdb(segment: UInt32? = nil, limit: Int = 0) -> FDBView {
        var ages: [Place: Int] = [:]
        states.forEachStation(snapshot) { entry, age in
            guard segment == nil || entry.segment == segment else { return }
            ages[Place(segment: entry.segment, mac: entry.mac.bits, attachment: entry.attachment)] = Int(age)
        }
        var entries: [(Place, FDBView.Entry.Source, Int?)] = []
        snapshot.toldIndex.forEach { entry in
            let owner = UInt32(truncatingIfNeeded: entry.key >> 48) | entry.extra << 16
            guard segment == nil || owner == segment else { return }
            let place = Place(segment: owner, mac: MACAddress(bits: entry.key).bits, attachment: entry.value)
            entries.append((place, .told, ages.removeValue(forKey: place)))
        }
        entries += ages.map { ($0.key, .learned, $0.value) }
        var names: [UInt32: String] = [:]
        for slot in Set(entries.map(\.0.segment)) { names[slot] = name(segment: slot) }
        entries.sort { a, b in
            let (x, y) = (names[a.0.segment] ?? "", names[b.0.segment] ?? "")
            return x != y ? x < y : a.0.mac != b.0.mac ? a.0.mac < b.0.mac : a.1 == .told && b.1 == .learned
        }
        let shown = limit > 0 ? entries.prefix(limit) : entries[...]
        return FDBView(
            entries: shown.map { place, source, age in
                let row = snapshot.attachments[Int(place.attachment)]
                return FDBView.Entry(
                    network: names[place.segment] ?? "",
                    mac: MACAddress(bits: place.mac).description,
                    port: row.isTunnel || row.isRouter ? nil : name(endpoint: row.endpoint),
                    vlan: row.vlanTPID == 0 ? nil : Int(row.vlanID),
                    peer: row.isTunnel ? address(peer: row.peer) : nil,
                    router: row.isRouter ? name(routerOf: row.interface) : nil,
                    source: source,
                    age: age
                )
            },
            total: entries.count
        )
    }
}
