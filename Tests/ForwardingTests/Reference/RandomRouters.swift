import Tables
import Wire

extension Pool {
    /// Addresses that all tenants use alike. Network n of a tenant is 10.0.n.0/24 and 2001:db8:0:n::/64; its routers
    /// are 1, 2 and 3 there.
    static func ipv4(_ network: Int, _ host: Int) -> IPv6Address { v4(10, 0, network, host) }
    static func ipv6(_ network: Int, _ host: Int) -> IPv6Address {
        IPv6Address(high: 0x2001_0DB8_0000_0000 | UInt64(network), low: UInt64(host))
    }
    static func v4(_ a: Int, _ b: Int, _ c: Int, _ d: Int) -> IPv6Address {
        IPv6Address(high: 0, low: 0xFFFF_0000_0000 | UInt64(a << 24 | b << 16 | c << 8 | d))
    }
    static func v6(_ high: UInt64, _ low: UInt64 = 0) -> IPv6Address { IPv6Address(high: high, low: low) }

    static let hosts = [10, 11, 12, 13]
    /// Where routes of the file lead: nested, across what is connected, and to the underlay's own addresses.
    static let prefixes: [Cloud.Prefix] = [
        .init(v4(0, 0, 0, 0), 0), .init(v4(10, 0, 0, 0), 8), .init(v4(10, 0, 1, 0), 25), .init(v4(10, 0, 2, 8), 29),
        .init(v4(10, 9, 0, 0), 16), .init(v4(10, 9, 1, 0), 24), .init(v4(10, 9, 1, 128), 25),
        .init(v4(10, 9, 1, 200), 32), .init(v4(172, 16, 0, 0), 12), .init(v4(192, 0, 2, 0), 24),
        .init(v6(0), 0), .init(v6(0x2001_0DB8 << 32), 32), .init(v6(0x2001_0DB8_0000_0001), 65),
        .init(v6(0x2001_0DB8_0009_0000), 48), .init(v6(0x2001_0DB8_0009_0001), 64),
        .init(v6(0x2001_0DB8_0009_0001, 1 << 63), 65), .init(v6(0x2001_0DB8_0009_0001, 200), 128),
    ]
    static let farAway: [IPv6Address] = [
        v4(10, 9, 1, 5), v4(10, 9, 1, 130), v4(10, 9, 1, 200), v4(10, 9, 2, 1), v4(10, 200, 0, 1), v4(172, 16, 5, 5),
        v4(8, 8, 8, 8), v4(203, 0, 113, 9),
    ]
    static let farAway6: [IPv6Address] = [
        v6(0x2001_0DB8_0009_0001, 5), v6(0x2001_0DB8_0009_0001, 1 << 63 | 5), v6(0x2001_0DB8_0009_0001, 200),
        v6(0x2001_0DB8_0009_0002, 1), v6(0x2001_0DB8_00FF_0000, 7), v6(0x2001_0DB9_0000_0000, 7),
        v6(0x2001_0DB8_FFFF_0000, 9),
    ]
    /// Routers of one tenant lead this prefix in a circle.
    static let ring = [Cloud.Prefix(v4(203, 0, 113, 0), 24), .init(v6(0x2001_0DB8_FFFF_0000), 48)]
}

/// The sockets that routers' tunnels use.
struct RawEndpoints {
    var gre: Int
    var ipv4: Int
    var ipv6: Int
}

extension Cloud {
    /// Up to three routers of a tenant, which has its networks already.
    mutating func addRouters(_ tenant: Int, _ raw: RawEndpoints, _ random: inout SplitMix64) {
        let mine = networks.indices.filter { networks[$0].tenant == tenant && networks[$0].transport != .routed }
        guard !mine.isEmpty else { return }
        var added: [Int] = []
        for i in 1...random.pick([1, 2, 2, 3]) {
            let mac = MACAddress(bits: 0x0200_0000_0100 | UInt64(i))
            var row = Router(tenant: tenant, name: "tenant\(tenant)/router\(i)", mac: mac, hostMAC: mac)
            row.isDesignated = random.chance(1, of: 2)
            if !row.isDesignated { row.hostMAC = MACAddress(bits: 0x0200_0000_0200 | UInt64(i)) }
            row.reversePath = random.pick([.off, .off, .loose, .strict])
            let router = add(row)
            added.append(router)
            for (at, network) in mine.enumerated() where at == 0 || random.chance(2, of: 3) {
                _ = join(router, network, addresses(networks[network].number, i, &random))
                tellSibling(router, i, in: network)
            }
            for number in 0..<random.below(3) { addRandomTunnel(router, i * 4 + number, raw, &random) }
        }
        for network in mine where interfaces.contains(where: { $0.network == network }) {
            tellHosts(network, &random)
        }
        for router in added {
            addRandomRoutes(router, &random)
            addChains(router, added, mine, &random)
        }
        if random.chance(2, of: 3) { close(added) }
    }

    /// A router's addresses in a network: of one family or of both; seldom a small network beside the usual one.
    private func addresses(_ network: Int, _ router: Int, _ random: inout SplitMix64) -> [Prefix] {
        var all: [Prefix] = []
        let families = random.below(6)
        if families != 0 { all.append(Prefix(Pool.ipv4(network, router), 24)) }
        if families != 1 { all.append(Prefix(Pool.ipv6(network, router), 64)) }
        if random.chance(1, of: 4) { all.append(Prefix(Pool.v4(10, 1, network, router), random.pick([30, 31, 29]))) }
        return all
    }

    /// Where this host is not the designated one, or is: other hosts send into provider networks by other addresses.
    private mutating func tellSibling(_ router: Int, _ number: Int, in network: Int) {
        let provider = members(of: network).first { endpoints[attachments[$0]!.endpoint].place == .provider }
        if let provider { tell(network, MACAddress(bits: 0x0200_0000_0300 | UInt64(number)), at: provider) }
    }

    private mutating func tellHosts(_ network: Int, _ random: inout SplitMix64) {
        let number = networks[network].number
        for host in Pool.hosts {
            for address in [Pool.ipv4(number, host), Pool.ipv6(number, host)] where random.chance(1, of: 3) {
                neighbors.append(Neighbor(network: network, address: address, mac: random.pick(Pool.macs)))
            }
        }
    }

    private mutating func addRandomTunnel(
        _ router: Int,
        _ number: Int,
        _ raw: RawEndpoints,
        _ random: inout SplitMix64
    ) {
        let peer = random.below(peers.count)
        let inner4 = Prefix(Pool.v4(10, 255, number, 1), 30)
        let inner6 = Prefix(Pool.v6(0x2001_0DB8_00FF_0000 | UInt64(number), 1), 64)
        var endpoint = raw.gre
        let tunnel: Tunnel
        var addresses = [inner4, inner6]
        switch random.below(3) {
        case 0:
            (endpoint, tunnel, addresses) = (raw.ipv4, .ipip, [inner4])
        case 1:
            (endpoint, tunnel, addresses) = (raw.ipv6, .sit, [inner6])
        default:
            tunnel = .gre(key: random.pick([nil, 0, 1, 77]), hasChecksum: random.chance(1, of: 3))
        }
        let isTaken = farEnds.contains {
            let other = attachments[$0]!
            guard other.endpoint == endpoint, other.peer == peer, let known = other.tunnel else { return false }
            if case (.gre(let a, _), .gre(let b, _)) = (known, tunnel) { return a == b }
            return true
        }
        guard !isTaken else { return }
        // A tunnel need not have addresses; the router then speaks by another one.
        if random.chance(1, of: 3) { addresses = [] }
        _ = addTunnel(
            router,
            tunnel,
            endpoint: endpoint,
            peer: peer,
            mtu: random.pick([1280, 1400, 1480]),
            addresses
        )
    }

    private mutating func addRandomRoutes(_ router: Int, _ random: inout SplitMix64) {
        for prefix in Pool.prefixes where random.chance(2, of: 5) {
            if routers[router].routes.contains(where: { $0.prefix == prefix.network }) { continue }
            var route = Route(prefix: prefix.network, kind: RouteKind.static)
            switch random.below(10) {
            case 0: route.kind = RouteKind.blackhole
            case 1: route.kind = RouteKind.unreachable
            case 2: route.kind = RouteKind.prohibit
            default:
                for _ in 0..<random.pick([1, 1, 2, 3, 4]) {
                    if let hop = randomHop(router, isIPv6: prefix.isIPv6, &random) { route.hops.append(hop) }
                }
                if route.hops.isEmpty { route.hops = [Hop(kind: HopKind.unreachable)] }
            }
            routers[router].routes.append(route)
        }
    }

    /// To networks that another router of the tenant is in, through that one.
    private mutating func addChains(
        _ router: Int,
        _ added: [Int],
        _ mine: [Int],
        _ random: inout SplitMix64
    ) {
        let link = interfaces.firstIndex { $0.router == router }!
        for network in mine where !interfaces.contains(where: { $0.router == router && $0.network == network }) {
            let others = added.filter { other in
                interfaces.contains { $0.router == other && $0.network == network }
            }
            guard !others.isEmpty else { continue }
            let next = random.pick(others)
            let there = interfaces.first { $0.router == next && $0.network == interfaces[link].network }!
            for gateway in there.addresses.prefix(2) where random.chance(4, of: 5) {
                let number = networks[network].number
                let to = gateway.isIPv6 ? Prefix(Pool.ipv6(number, 0), 64) : Prefix(Pool.ipv4(number, 0), 24)
                if routers[router].routes.contains(where: { $0.prefix == to }) { continue }
                var hop = Hop(kind: HopKind.gateway, interface: link, attachment: interfaces[link].attachment)
                hop.gateway = gateway.address
                routers[router].routes.append(Route(prefix: to, kind: RouteKind.static, hops: [hop]))
            }
        }
    }

    private func randomHop(_ router: Int, isIPv6: Bool, _ random: inout SplitMix64) -> Hop? {
        let own = interfaces.indices.filter { interfaces[$0].router == router }
        let links = own.filter { i in
            networks[interfaces[i].network].transport != .routed
                && interfaces[i].addresses.contains { $0.isIPv6 == isIPv6 }
        }
        switch random.below(12) {
        case 0: return Hop(kind: HopKind.unreachable)
        case 1, 2:
            let ways = attachments.indices.filter { slot in
                guard let way = attachments[slot], way.isVTEP else { return false }
                return own.contains { interfaces[$0].network == way.network }
            }
            return ways.isEmpty ? nil : Hop(kind: HopKind.redirect, attachment: random.pick(ways))
        case 3, 4, 5, 6:
            let ends = farEnds.filter { slot in
                let end = attachments[slot]!
                return own.contains(end.interface!) && end.tunnel != (isIPv6 ? .ipip : .sit)
            }
            guard !ends.isEmpty else { return nil }
            let end = random.pick(ends)
            return Hop(kind: HopKind.tunnel, interface: attachments[end]!.interface, attachment: end)
        default:
            guard !links.isEmpty else { return nil }
            let link = random.pick(links)
            let number = networks[interfaces[link].network].number
            let host = random.chance(1, of: 2) ? random.pick([1, 2, 3]) : random.pick(Pool.hosts)
            var hop = Hop(kind: HopKind.gateway, interface: link, attachment: interfaces[link].attachment)
            hop.gateway = isIPv6 ? Pool.ipv6(number, host) : Pool.ipv4(number, host)
            if isIPv6 && random.chance(1, of: 5) {
                hop.gateway = linkLocal(MACAddress(bits: 0x0200_0000_0100 | UInt64(random.below(3) + 1)))
            }
            return hop
        }
    }

    /// Has each router of a tenant lead the ring's prefixes to the next one, in the network that they all have.
    private mutating func close(_ added: [Int]) {
        guard added.count > 1 else { return }
        for (i, router) in added.enumerated() {
            let next = added[(i + 1) % added.count]
            let network = interfaces.first { $0.router == router }!.network
            let link = interfaces.firstIndex { $0.router == router }!
            for prefix in Pool.ring {
                let there = interfaces.first { $0.router == next && $0.network == network }?.addresses
                guard let gateway = there?.first(where: { $0.isIPv6 == prefix.isIPv6 })?.address else { continue }
                let hop = Hop(
                    kind: HopKind.gateway,
                    interface: link,
                    attachment: interfaces[link].attachment,
                    gateway: gateway
                )
                routers[router].routes.append(Route(prefix: prefix, kind: RouteKind.static, hops: [hop]))
            }
        }
    }
}
