import Tables
import Wire

/// The tables of tenants' routers on this host.
public struct RoutesView: Codable, Sendable, Equatable {
    /// By router and prefix, IPv4 first; cut at the limit that the question named.
    public var routes: [Route]
    /// How many there are.
    public var total: Int

    public struct Route: Codable, Sendable, Equatable {
        /// `tenant/router`.
        public var router: String
        public var prefix: String
        public var kind: Kind
        /// The ways there, chosen by flow when there are several; none for the kinds that go nowhere.
        public var hops: [Hop]
    }

    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// One of the router's own addresses.
        case local
        /// The prefix of an interface.
        case connected
        /// From the file.
        case `static`
        /// Dropped: silently, as unreachable, or as prohibited.
        case blackhole, unreachable, prohibit
    }

    /// One way out of the router.
    public struct Hop: Codable, Sendable, Equatable {
        public var kind: HopKindName
        /// The address of the next machine, where there is one between.
        public var gateway: String?
        /// The network that the packet leaves by.
        public var network: String?
        /// The tunnel that it goes through.
        public var tunnel: String?
        /// The far end of the tunnel.
        public var remote: String?
        /// The host that the tunnel begins on, if that is another one; its name, or its VTEP.
        public var host: String?
    }

    /// How a packet leaves a router.
    public enum HopKindName: String, Codable, Sendable, CaseIterable {
        /// It is for the router itself.
        case local
        /// To the destination itself.
        case connected
        /// To a gateway in one of the router's networks.
        case gateway
        /// Into a tunnel that begins on this host.
        case tunnel
        /// To the host that the tunnel begins on.
        case redirect
        /// There is no way from this host.
        case unreachable
    }
}

extension LiveTables {
    /// The routes of one router, or of all. `limit` 0 means all of them.
    public func routes(router: UInt32? = nil, limit: Int = 0) -> RoutesView {
        var names: [UInt32: String] = [:]
        for slot in routerSlots { names[slot] = name(router: slot) }
        let rows = (0..<snapshot.routeCount).filter { router == nil || snapshot.routes[Int($0)].router == router }
        // A hundred thousand rows are sorted by numbers, and only those that are shown become text.
        let order = names.keys.sorted { names[$0]! < names[$1]! }
        let ranks = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
        let keys = rows.map { slot -> RouteOrder in
            let row = snapshot.routes[Int(slot)]
            return RouteOrder(slot: slot, rank: ranks[row.router] ?? 0, prefix: row.prefix, length: row.length)
        }
        let sorted = keys.sorted()
        let shown = limit > 0 ? sorted.prefix(limit) : sorted[...]
        return RoutesView(routes: shown.map { route($0.slot, names) }, total: rows.count)
    }

    private struct RouteOrder: Comparable {
        var slot: UInt32
        var rank: Int
        var prefix: IPv6Address
        var length: UInt8

        static func < (a: Self, b: Self) -> Bool {
            if a.rank != b.rank { return a.rank < b.rank }
            let (four, other) = (a.prefix.mappedIPv4 != nil, b.prefix.mappedIPv4 != nil)
            if four != other { return four }
            return a.prefix != b.prefix ? a.prefix < b.prefix : a.length < b.length
        }
    }

    private func route(_ slot: UInt32, _ names: [UInt32: String]) -> RoutesView.Route {
        let row = snapshot.routes[Int(slot)]
        let hops = (row.hopStart..<row.hopStart + row.hopCount).map { hop(snapshot.hops[Int($0)]) }
        return RoutesView.Route(
            router: names[row.router] ?? "",
            prefix: "\(IPAddress(mapped: row.prefix))/\(row.length)",
            kind: RoutesView.Kind(row.kind),
            hops: hops
        )
    }

    private func hop(_ row: NextHopRecord) -> RoutesView.Hop {
        var hop = RoutesView.Hop(kind: .unreachable)
        let out =
            row.interface < snapshot.interfaceCount ? snapshot.text(snapshot.interfaces[Int(row.interface)].name) : nil
        let peer = row.attachment < snapshot.attachmentCount ? snapshot.attachments[Int(row.attachment)].peer : noSlot
        switch row.kind {
        case HopKind.local:
            hop.kind = .local
            hop.network = out
        case HopKind.connected:
            hop.kind = .connected
            hop.network = out
        case HopKind.gateway:
            hop.kind = .gateway
            hop.gateway = IPAddress(mapped: row.gateway).description
            hop.network = out
        case HopKind.tunnel:
            hop.kind = .tunnel
            hop.tunnel = out
            hop.remote = address(peer: peer)
        case HopKind.redirect:
            hop.kind = .redirect
            hop.tunnel = snapshot.text(row.name)
            hop.host = name(peer: peer)
        default: hop.tunnel = row.name == 0 ? nil : snapshot.text(row.name)
        }
        return hop
    }
}

extension RoutesView.Kind {
    fileprivate init(_ kind: UInt8) {
        switch kind {
        case RouteKind.local: self = .local
        case RouteKind.connected: self = .connected
        case RouteKind.static: self = .static
        case RouteKind.blackhole: self = .blackhole
        case RouteKind.prohibit: self = .prohibit
        default: self = .unreachable
        }
    }
}
