import Tables
import Wire

// Routers of a cloud. Addresses are in the shape of tables: IPv4 as mapped ones.

extension Cloud {
    enum ReversePath { case off, loose, strict }

    struct Router {
        var tenant: Int
        var name: String
        var mac: MACAddress
        /// What this host sends by into provider networks.
        var hostMAC: MACAddress
        var isDesignated = true
        var reversePath = ReversePath.off
        var routes: [Route] = []
    }

    struct Interface {
        var router: Int
        var network: Int
        /// The router's own.
        var attachment: Int
        var addresses: [Prefix]
    }

    struct Prefix: Hashable {
        var address: IPv6Address
        /// In the address's own family.
        var length: Int

        init(_ address: IPv6Address, _ length: Int) {
            self.address = address
            self.length = length
        }

        var isIPv6: Bool { address.mappedIPv4 == nil }
        /// Without host bits.
        var network: Prefix { Prefix(IPAddress(mapped: address).masked(length).mapped, length) }
    }

    struct Route {
        var prefix: Prefix
        /// Of `RouteKind`.
        var kind: UInt8
        var hops: [Hop] = []
    }

    struct Hop: Equatable {
        /// Of `HopKind`.
        var kind: UInt8
        var interface: Int?
        var attachment: Int?
        var gateway = IPv6Address(high: 0, low: 0)
    }

    enum Tunnel: Equatable { case ipip, sit, gre(key: UInt32?, hasChecksum: Bool) }

    /// Who the file says has an address; `router` is a router's attachment.
    struct Neighbor {
        var network: Int
        var address: IPv6Address
        var mac: MACAddress
        var router: Int?
    }

    // MARK: Building one by hand

    mutating func add(_ router: Router) -> Int {
        routers.append(router)
        return routers.count - 1
    }

    /// Gives a router a place in a network: it is known there, and knows what it is connected to.
    mutating func join(_ router: Int, _ network: Int, _ addresses: [Prefix]) -> Int {
        let interface = addInterface(router, network, addresses)
        let attachment = interfaces[interface].attachment
        let row = routers[router]
        tell(network, row.mac, at: attachment)
        let isProvider = networks[network].transport == .flat || networks[network].transport == .vlan
        if isProvider && row.hostMAC != row.mac { tell(network, row.hostMAC, at: attachment) }
        var own = addresses.map(\.address)
        if addresses.contains(where: \.isIPv6) { own.append(linkLocal(row.mac)) }
        for address in own {
            neighbors.append(Neighbor(network: network, address: address, mac: row.mac, router: attachment))
        }
        let hop = Hop(kind: HopKind.connected, interface: interface, attachment: attachment)
        addRoutes(interface, own, hop)
        return interface
    }

    /// Begins a tunnel of a router here; gives the near end's interface.
    mutating func addTunnel(
        _ router: Int,
        _ tunnel: Tunnel,
        endpoint: Int,
        peer: Int,
        mtu: Int,
        _ addresses: [Prefix]
    ) -> Int {
        var network = Network(tenant: routers[router].tenant, name: "tunnel\(networks.count)", transport: .routed)
        network.mtu = mtu
        network.learns = false
        if case .gre(let key?, _) = tunnel { network.identifier = key }
        let segment = add(network)
        let interface = addInterface(router, segment, addresses)
        attachments.append(
            Attachment(endpoint: endpoint, network: segment, peer: peer, interface: interface, tunnel: tunnel)
        )
        let hop = Hop(kind: HopKind.tunnel, interface: interface, attachment: attachments.count - 1)
        addRoutes(interface, addresses.map(\.address), hop)
        return interface
    }

    private mutating func addInterface(_ router: Int, _ network: Int, _ addresses: [Prefix]) -> Int {
        let slot = interfaces.count
        attachments.append(Attachment(endpoint: -1, network: network, interface: slot))
        interfaces.append(
            Interface(router: router, network: network, attachment: attachments.count - 1, addresses: addresses)
        )
        return slot
    }

    /// To the router itself, and to what it is connected to.
    private mutating func addRoutes(_ interface: Int, _ own: [IPv6Address], _ hop: Hop) {
        let row = interfaces[interface]
        for prefix in row.addresses where prefix.length < (prefix.isIPv6 ? 128 : 32) {
            let network = prefix.network
            let isKnown = routers[row.router].routes.contains { $0.prefix == network }
            if !isKnown {
                let route = Route(prefix: network, kind: RouteKind.connected, hops: [hop])
                routers[row.router].routes.append(route)
            }
        }
        for address in own {
            let local = Hop(kind: HopKind.local, interface: interface, attachment: row.attachment)
            let prefix = Prefix(address, address.mappedIPv4 == nil ? 128 : 32)
            routers[row.router].routes.append(Route(prefix: prefix, kind: RouteKind.local, hops: [local]))
        }
    }

    /// fe80::/64 with the modified EUI-64 of a MAC (RFC 4291 appendix A).
    func linkLocal(_ mac: MACAddress) -> IPv6Address {
        let bytes = macBytes(mac)
        let id = [bytes[0] ^ 2, bytes[1], bytes[2], 0xFF, 0xFE, bytes[3], bytes[4], bytes[5]]
        return IPv6Address(high: 0xFE80 << 48, low: id.reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// The far ends of tunnels, in slot order.
    var farEnds: [Int] { attachments.indices.filter { attachments[$0]?.tunnel != nil } }
}

// MARK: - Compiling

extension Cloud {
    func placeRouter(_ attachment: Attachment, _ slot: UInt32, _ builder: inout SnapshotBuilder) {
        var row = AttachmentRecord()
        row.segment = UInt32(attachment.network)
        row.interface = UInt32(attachment.interface!)
        row.kind = AttachmentKind.router
        if let tunnel = attachment.tunnel, let peer = attachment.peer {
            row.endpoint = UInt32(attachment.endpoint)
            row.peer = UInt32(peer)
            var key: UInt32?
            switch tunnel {
            case .ipip: row.kind = AttachmentKind.ipip
            case .sit: row.kind = AttachmentKind.sit
            case .gre(let number, let hasChecksum):
                row.kind = AttachmentKind.greIP
                key = number
                if key != nil { row.flags |= AttachmentRecord.greKey }
                if hasChecksum { row.flags |= AttachmentRecord.greChecksum }
            }
            builder.mapTunnel(endpoint: row.endpoint, peer: row.peer, key: key, to: slot)
        }
        builder.attachments[Int(slot)] = row
    }

    func compileRouters(_ builder: inout SnapshotBuilder) {
        for (slot, router) in routers.enumerated() {
            var row = RouterRecord()
            row.mac = router.mac.bits
            row.hostMAC = router.hostMAC.bits
            row.name = builder.string(router.name)
            row.inUse = 1
            if router.isDesignated { row.flags |= RouterRecord.designated }
            switch router.reversePath {
            case .off: break
            case .loose: row.flags |= RouterRecord.looseReversePath
            case .strict: row.flags |= RouterRecord.strictReversePath
            }
            let all = interfaces.filter { $0.router == slot }.flatMap(\.addresses).map(\.address)
            row.anyIPv4 = all.lazy.compactMap(\.mappedIPv4).first?.bits ?? 0
            row.anyIPv6 = all.first { $0.mappedIPv4 == nil } ?? row.anyIPv6
            builder.routers.append(row)
        }
        for interface in interfaces { compile(interface, &builder) }
        for (slot, router) in routers.enumerated() { compile(router.routes, of: UInt32(slot), &builder) }
        for told in neighbors {
            builder.tell(
                segment: UInt32(told.network),
                address: IPAddress(mapped: told.address),
                mac: told.mac,
                router: told.router.map(UInt32.init) ?? noSlot
            )
        }
    }

    private func compile(_ interface: Interface, _ builder: inout SnapshotBuilder) {
        var row = InterfaceRecord()
        row.router = UInt32(interface.router)
        row.segment = UInt32(interface.network)
        row.attachment = UInt32(interface.attachment)
        row.addressStart = UInt32(builder.addresses.count)
        row.addressCount = UInt32(interface.addresses.count)
        row.ipv4 = interface.addresses.lazy.compactMap { $0.address.mappedIPv4 }.first?.bits ?? 0
        row.ipv6 = interface.addresses.first(where: \.isIPv6)?.address ?? row.ipv6
        row.name = builder.string(networks[interface.network].name)
        row.inUse = 1
        builder.addresses += interface.addresses.map { InterfaceAddress($0.address, length: $0.length) }
        builder.interfaces.append(row)
        builder.segments[interface.network].flags |= SegmentRecord.hasRouter
    }

    private func compile(_ routes: [Route], of router: UInt32, _ builder: inout SnapshotBuilder) {
        var prefixes: [[RouteRangeBuilder.Prefix]] = [[], []]
        for route in routes {
            var row = RouteRecord()
            row.prefix = route.prefix.address
            row.length = UInt8(route.prefix.length)
            row.router = router
            row.kind = route.kind
            row.hopStart = UInt32(builder.hops.count)
            row.hopCount = UInt32(route.hops.count)
            builder.hops += route.hops.map { hop in
                var row = NextHopRecord()
                row.kind = hop.kind
                row.gateway = hop.gateway
                row.interface = hop.interface.map(UInt32.init) ?? noSlot
                row.attachment = hop.attachment.map(UInt32.init) ?? noSlot
                return row
            }
            let prefix = RouteRangeBuilder.Prefix(
                IPAddress(mapped: route.prefix.address),
                length: route.prefix.length,
                route: UInt32(builder.routes.count)
            )
            prefixes[route.prefix.isIPv6 ? 1 : 0].append(prefix)
            builder.routes.append(row)
        }
        for family in 0..<2 where !prefixes[family].isEmpty {
            builder.setRoutes(router: router, isIPv6: family == 1, to: prefixes[family])
        }
    }
}
