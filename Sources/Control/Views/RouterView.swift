import Tables
import Wire

/// A tenant's router as it is on this host.
public struct RouterView: Codable, Sendable, Equatable {
    public struct Interface: Codable, Sendable, Equatable {
        /// The network's name within the tenant, or the tunnel's.
        public var name: String
        public var isTunnel: Bool
        /// With prefix length.
        public var addresses: [String]
        /// Largest IP packet in bytes.
        public var mtu: Int
    }

    /// `tenant/router`.
    public var name: String
    public var tenant: String
    /// The address that it has in all its networks.
    public var mac: String
    /// Whether this host answers for it to machines outside of the file.
    public var designated: Bool
    /// The source of what this host sends into provider networks; nil where that is `mac` or there are none.
    public var hostMAC: String?
    /// `strict`, `loose` or `off`.
    public var reversePath: String
    /// Those that this host takes part in, and the tunnels that begin here.
    public var interfaces: [Interface]
    /// The hosts that it is on, as far as a tunnelled network of it leads there.
    public var hosts: [String]
    /// Routes in its tables.
    public var routes: Int
    /// Packets that came in by one of its tunnels and ended in a drop. What came in by a network counts there.
    public var drops: UInt64
}

extension LiveTables {
    /// Routers by name. `host` is the name of this one.
    public func routers(host: String) -> [RouterView] {
        var interfaces: [UInt32: [UInt32]] = [:]
        for slot in 0..<snapshot.interfaceCount where snapshot.interfaces[Int(slot)].inUse != 0 {
            interfaces[snapshot.interfaces[Int(slot)].router, default: []].append(slot)
        }
        var routes: [UInt32: Int] = [:]
        for slot in 0..<Int(snapshot.routeCount) { routes[snapshot.routes[slot].router, default: 0] += 1 }
        var peers: [UInt32: Set<UInt32>] = [:]
        for slot in 0..<Int(snapshot.attachmentCount) where snapshot.attachments[slot].isTunnel {
            peers[snapshot.attachments[slot].segment, default: []].insert(snapshot.attachments[slot].peer)
        }
        return routerSlots.map { slot in
            let rows = interfaces[slot] ?? []
            let siblings = rows.reduce(into: Set<UInt32>()) {
                $0.formUnion(peers[snapshot.interfaces[Int($1)].segment] ?? [])
            }
            let names = siblings.filter { snapshot.peers[Int($0)].isOurs != 0 }.map { name(peer: $0) }
            return router(slot, rows, hosts: Set(names + [host]).sorted(), routes: routes[slot] ?? 0)
        }.sorted { $0.name < $1.name }
    }

    private func router(_ slot: UInt32, _ interfaces: [UInt32], hosts: [String], routes: Int) -> RouterView {
        let row = snapshot.routers[Int(slot)]
        let segments = interfaces.map { snapshot.interfaces[Int($0)].segment }
        let tunnels = segments.filter { snapshot.segments[Int($0)].kind == SegmentKind.routed }
        return RouterView(
            name: snapshot.text(row.name),
            tenant: snapshot.text(row.tenant),
            mac: MACAddress(bits: row.mac).description,
            designated: row.isDesignated,
            hostMAC: row.hostMAC == row.mac || !segments.contains(where: isProvider)
                ? nil : MACAddress(bits: row.hostMAC).description,
            reversePath: row.flags & RouterRecord.strictReversePath != 0
                ? "strict" : row.flags & RouterRecord.looseReversePath != 0 ? "loose" : "off",
            interfaces: interfaces.map { interface($0) }.sorted {
                ($0.isTunnel ? 1 : 0, $0.name) < ($1.isTunnel ? 1 : 0, $1.name)
            },
            hosts: hosts,
            routes: routes,
            drops: tunnels.reduce(0) { sum, segment in
                (1..<StateRegion.reasons).reduce(sum) { $0 &+ segmentDrops(segment, $1) }
            }
        )
    }

    private func isProvider(_ segment: UInt32) -> Bool {
        [SegmentKind.flat, SegmentKind.vlan].contains(snapshot.segments[Int(segment)].kind)
    }

    func interface(_ slot: UInt32) -> RouterView.Interface {
        let row = snapshot.interfaces[Int(slot)]
        let segment = snapshot.segments[Int(row.segment)]
        return RouterView.Interface(
            name: snapshot.text(row.name),
            isTunnel: segment.kind == SegmentKind.routed,
            addresses: (row.addressStart..<row.addressStart + row.addressCount).map {
                let own = snapshot.addresses[Int($0)]
                return "\(IPAddress(mapped: own.address))/\(own.length)"
            },
            mtu: Int(segment.mtu)
        )
    }
}
