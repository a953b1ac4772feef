import Wire

@testable import Tables

/// Two tenants with routers, the same prefixes and one far end: a distributed router with a network on VXLAN and one on
/// GRE, an IPIP tunnel of its own and one that another host has; and a router with a network on VXLAN and a GRE tunnel
/// with a key. What stands where is said by `Slot`.
struct RoutedSnapshot {
    /// Rows of the fixture.
    enum Slot {
        // Endpoints.
        static let redPort: UInt32 = 0
        static let vxlan: UInt32 = 1
        static let gre: UInt32 = 2
        static let ipip: UInt32 = 3
        static let bluePort: UInt32 = 4
        // Segments.
        static let redApp: UInt32 = 0
        static let redData: UInt32 = 1
        static let redTunnel: UInt32 = 2
        static let blueApp: UInt32 = 3
        static let blueTunnel: UInt32 = 4
        // Peers.
        static let otherHost: UInt32 = 0
        static let branch: UInt32 = 1
        // Attachments.
        static let redWeb: UInt32 = 0
        static let redVTEP: UInt32 = 1
        static let redAppRouter: UInt32 = 2
        static let redDataRouter: UInt32 = 3
        static let redTunnelRouter: UInt32 = 4
        static let redFarEnd: UInt32 = 5
        static let blueWeb: UInt32 = 6
        static let blueAppRouter: UInt32 = 7
        static let blueTunnelRouter: UInt32 = 8
        static let blueFarEnd: UInt32 = 9
        // Routers.
        static let red: UInt32 = 0
        static let blue: UInt32 = 1
        // Interfaces.
        static let redAppInterface: UInt32 = 0
        static let redDataInterface: UInt32 = 1
        static let redTunnelInterface: UInt32 = 2
        static let blueAppInterface: UInt32 = 3
        static let blueTunnelInterface: UInt32 = 4
        // Hops of red.
        static let localHop: UInt32 = 0
        static let connectedHop: UInt32 = 1
        static let gatewayHop: UInt32 = 2
        static let tunnelHop: UInt32 = 3
        static let redirectHop: UInt32 = 4
        static let unreachableHop: UInt32 = 5
    }

    static let routerAddress = IPAddress("10.0.0.1")!
    static let branchAddress = IPAddress("198.51.100.7")!

    var builder = SnapshotBuilder()

    init() {
        addPlaces()
        addAttachments()
        addInterface(Slot.red, Slot.redApp, Slot.redAppRouter, ["10.0.0.1/24", "2001:db8:1::1/64"], "app")
        addInterface(Slot.red, Slot.redData, Slot.redDataRouter, ["10.0.1.1/24"], "data")
        addInterface(Slot.red, Slot.redTunnel, Slot.redTunnelRouter, [], "branch")
        addInterface(Slot.blue, Slot.blueApp, Slot.blueAppRouter, ["10.0.0.1/24"], "app")
        addInterface(Slot.blue, Slot.blueTunnel, Slot.blueTunnelRouter, ["10.255.0.1/30"], "branch")
        addHops()
        addRoutes()
        builder.tell(
            segment: Slot.redApp,
            address: .v4(IPv4Address("10.0.0.11")!),
            mac: MACAddress(bits: 0x0200_0000_0011)
        )
        builder.tell(
            segment: Slot.redApp,
            address: RoutedSnapshot.routerAddress,
            mac: MACAddress(bits: 0x0200_0000_0001),
            router: Slot.redAppRouter
        )
        builder.tell(
            segment: Slot.blueApp,
            address: RoutedSnapshot.routerAddress,
            mac: MACAddress(bits: 0x0200_0000_0001),
            router: Slot.blueAppRouter
        )
        builder.tell(segment: Slot.redApp, mac: MACAddress(bits: 0x0200_0000_0001), at: Slot.redAppRouter)
        builder.mapTunnel(endpoint: Slot.ipip, peer: Slot.branch, key: nil, to: Slot.redFarEnd)
        builder.mapTunnel(endpoint: Slot.gre, peer: Slot.branch, key: 0, to: Slot.blueFarEnd)
    }

    private mutating func addPlaces() {
        for (kind, port) in [
            (EndpointKind.port, 0), (EndpointKind.vxlan, 4789), (EndpointKind.gre, 0), (EndpointKind.ip, 4),
            (EndpointKind.port, 0),
        ] as [(UInt8, UInt32)] {
            var endpoint = EndpointRecord()
            endpoint.kind = kind
            endpoint.port = port
            endpoint.mtu = 1500
            builder.endpoints.append(endpoint)
        }
        builder.endpoints[Int(Slot.redPort)].untagged = Slot.redWeb
        builder.endpoints[Int(Slot.bluePort)].untagged = Slot.blueWeb
        for kind in [SegmentKind.vxlan, SegmentKind.gre, SegmentKind.routed, SegmentKind.vxlan, SegmentKind.routed] {
            var segment = SegmentRecord()
            segment.kind = kind
            segment.inUse = 1
            segment.flags = SegmentRecord.hasRouter
            builder.segments.append(segment)
        }
        for address in [IPAddress("192.0.2.2")!, RoutedSnapshot.branchAddress] {
            var peer = PeerRecord()
            peer.address = address.mapped
            peer.inUse = 1
            builder.mapPeer(peer.address, to: UInt32(builder.peers.count))
            builder.peers.append(peer)
        }
    }

    private mutating func addAttachments() {
        func add(
            _ kind: UInt8,
            _ segment: UInt32,
            endpoint: UInt32 = noSlot,
            peer: UInt32 = noSlot,
            interface: UInt32 = noSlot
        ) {
            var row = AttachmentRecord()
            row.kind = kind
            row.segment = segment
            row.endpoint = endpoint
            row.peer = peer
            row.interface = interface
            builder.attachments.append(row)
        }
        add(AttachmentKind.port, Slot.redApp, endpoint: Slot.redPort)
        add(AttachmentKind.vxlan, Slot.redApp, endpoint: Slot.vxlan, peer: Slot.otherHost)
        add(AttachmentKind.router, Slot.redApp, interface: Slot.redAppInterface)
        add(AttachmentKind.router, Slot.redData, interface: Slot.redDataInterface)
        add(AttachmentKind.router, Slot.redTunnel, interface: Slot.redTunnelInterface)
        add(
            AttachmentKind.ipip,
            Slot.redTunnel,
            endpoint: Slot.ipip,
            peer: Slot.branch,
            interface: Slot.redTunnelInterface
        )
        add(AttachmentKind.port, Slot.blueApp, endpoint: Slot.bluePort)
        add(AttachmentKind.router, Slot.blueApp, interface: Slot.blueAppInterface)
        add(AttachmentKind.router, Slot.blueTunnel, interface: Slot.blueTunnelInterface)
        add(
            AttachmentKind.greIP,
            Slot.blueTunnel,
            endpoint: Slot.gre,
            peer: Slot.branch,
            interface: Slot.blueTunnelInterface
        )
        builder.setFlood(segment: Slot.redApp, to: [Slot.redWeb, Slot.redVTEP])
        builder.setFlood(segment: Slot.blueApp, to: [Slot.blueWeb])
    }

    private mutating func addInterface(
        _ router: UInt32,
        _ segment: UInt32,
        _ attachment: UInt32,
        _ addresses: [String],
        _ name: String
    ) {
        while builder.routers.count <= Int(router) {
            var row = RouterRecord()
            row.inUse = 1
            row.mac = 0x0200_0000_0001
            row.hostMAC = row.mac
            builder.routers.append(row)
        }
        var row = InterfaceRecord()
        row.router = router
        row.segment = segment
        row.attachment = attachment
        row.addressStart = UInt32(builder.addresses.count)
        row.addressCount = UInt32(addresses.count)
        row.name = builder.string(name)
        row.inUse = 1
        builder.interfaces.append(row)
        for text in addresses {
            let prefix = IPPrefix(text)!
            builder.addresses.append(InterfaceAddress(prefix.address.mapped, length: prefix.length))
        }
    }

    private mutating func addHops() {
        func add(_ kind: UInt8, _ interface: UInt32, _ attachment: UInt32, gateway: String? = nil) {
            var row = NextHopRecord()
            row.kind = kind
            row.interface = interface
            row.attachment = attachment
            if let gateway { row.gateway = IPAddress(gateway)!.mapped }
            builder.hops.append(row)
        }
        add(HopKind.local, Slot.redAppInterface, Slot.redAppRouter)
        add(HopKind.connected, Slot.redAppInterface, Slot.redAppRouter)
        add(HopKind.gateway, Slot.redDataInterface, Slot.redDataRouter, gateway: "10.0.1.200")
        add(HopKind.tunnel, Slot.redTunnelInterface, Slot.redFarEnd)
        add(HopKind.redirect, noSlot, Slot.redVTEP)
        add(HopKind.unreachable, noSlot, noSlot)
        add(HopKind.local, Slot.blueAppInterface, Slot.blueAppRouter)
        add(HopKind.connected, Slot.blueAppInterface, Slot.blueAppRouter)
        add(HopKind.tunnel, Slot.blueTunnelInterface, Slot.blueFarEnd)
    }

    private mutating func addRoutes() {
        var tables: [[[RouteRangeBuilder.Prefix]]] = [[[], []], [[], []]]
        func add(_ router: UInt32, _ text: String, _ kind: UInt8, _ hops: Range<UInt32>) {
            let prefix = IPPrefix(text)!
            var row = RouteRecord()
            row.prefix = prefix.address.mapped
            row.length = UInt8(prefix.length)
            row.router = router
            row.kind = kind
            row.hopStart = hops.lowerBound
            row.hopCount = UInt32(hops.count)
            tables[Int(router)][prefix.address.isIPv6 ? 1 : 0].append(
                .init(prefix.address, length: prefix.length, route: UInt32(builder.routes.count))
            )
            builder.routes.append(row)
        }
        let red = Slot.red
        add(red, "10.0.0.1/32", RouteKind.local, 0..<1)
        add(red, "10.0.0.0/24", RouteKind.connected, 1..<2)
        // Two ways of equal cost.
        add(red, "10.8.0.0/16", RouteKind.static, 2..<4)
        add(red, "10.9.0.0/16", RouteKind.static, 3..<4)
        add(red, "10.10.0.0/16", RouteKind.static, 4..<5)
        add(red, "10.11.0.0/16", RouteKind.static, 5..<6)
        add(red, "10.9.9.0/24", RouteKind.blackhole, 0..<0)
        add(red, "0.0.0.0/0", RouteKind.unreachable, 0..<0)
        add(red, "2001:db8:1::1/128", RouteKind.local, 0..<1)
        add(red, "2001:db8:1::/64", RouteKind.connected, 1..<2)
        add(red, "2001:db8::/32", RouteKind.static, 3..<4)
        add(red, "::/0", RouteKind.prohibit, 0..<0)
        add(Slot.blue, "10.0.0.1/32", RouteKind.local, 6..<7)
        add(Slot.blue, "10.0.0.0/24", RouteKind.connected, 7..<8)
        add(Slot.blue, "10.9.0.0/16", RouteKind.static, 8..<9)
        for (router, families) in tables.enumerated() {
            for (family, prefixes) in families.enumerated() {
                builder.setRoutes(router: UInt32(router), isIPv6: family == 1, to: prefixes)
            }
        }
    }
}
