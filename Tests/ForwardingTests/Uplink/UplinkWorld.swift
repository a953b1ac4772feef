import Forwarding
import Rings
import Tables
import Wire

/// A host whose VTEP's addresses are in the switch: one tenant port, one network, an uplink, three peers.
struct UplinkWorld {
    static let web = MACAddress(bits: 0x0200_0000_000A)
    static let far = MACAddress(bits: 0x0200_0000_00B2)
    static let vtep = MACAddress(bits: 0x0200_0000_0099)
    /// The underlay's stations: the near peer, the gateway.
    static let near = MACAddress(bits: 0x0200_0000_0102)
    static let gateway = MACAddress(bits: 0x0200_0000_01FE)
    static let own4: UInt32 = 0xC000_0201
    static let near4: UInt32 = 0xC000_0202
    static let far4: UInt32 = 0xC633_6409
    static let gateway4: UInt32 = 0xC000_02FE
    static let own6 = IPv6Address(high: 0x2001_0DB8 << 32, low: 1)
    static let near6 = IPv6Address(high: 0x2001_0DB8 << 32, low: 2)

    static let webPort = 0
    static let uplink = 1
    static let atWeb: UInt32 = 0
    static let atNear: UInt32 = 1
    static let atOwn: UInt32 = 2
    static let atUplink: UInt32 = 3
    static let atNear6: UInt32 = 4
    static let atFar: UInt32 = 5
    static let app: UInt32 = 0
    static let underlay: UInt32 = 1

    static func mapped(_ bits: UInt32) -> IPv6Address { IPv6Address(mapping: IPv4Address(bits: bits)) }

    /// - Parameter home: where the file says that `far` is.
    static func builder(home: UInt32 = atNear) -> SnapshotBuilder {
        var builder = SnapshotBuilder()
        var web = EndpointRecord()
        web.kind = EndpointKind.port
        web.mtu = 1450
        web.untagged = atWeb
        var up = EndpointRecord()
        up.kind = EndpointKind.uplink
        up.port = 4789
        up.mtu = 1500
        up.untagged = atUplink
        builder.endpoints = [web, up]
        var network = SegmentRecord()
        network.kind = SegmentKind.vxlan
        network.identifier = 5001
        network.mtu = 1450
        network.flags = SegmentRecord.learning
        network.inUse = 1
        var below = SegmentRecord()
        below.kind = SegmentKind.underlay
        below.flags = SegmentRecord.hasRouter
        below.mtu = 1500
        below.inUse = 1
        builder.segments = [network, below]
        for address in [mapped(near4), near6, mapped(far4)] {
            var peer = PeerRecord()
            peer.address = address
            peer.pathMTU = 1500
            peer.inUse = 1
            builder.mapPeer(address, to: UInt32(builder.peers.count))
            builder.peers.append(peer)
        }
        func attachment(_ kind: UInt8, _ segment: UInt32, _ endpoint: Int?, peer: UInt32? = nil) -> AttachmentRecord {
            var row = AttachmentRecord()
            row.kind = kind
            row.segment = segment
            row.endpoint = endpoint.map(UInt32.init) ?? noSlot
            row.peer = peer ?? noSlot
            row.interface = endpoint == webPort ? noSlot : 0
            if kind == AttachmentKind.vxlan { row.flags = AttachmentRecord.behindUplink }
            return row
        }
        builder.attachments = [
            attachment(AttachmentKind.port, app, webPort), attachment(AttachmentKind.vxlan, app, uplink, peer: 0),
            attachment(AttachmentKind.router, underlay, nil), attachment(AttachmentKind.provider, underlay, uplink),
            attachment(AttachmentKind.vxlan, app, uplink, peer: 1),
            attachment(AttachmentKind.vxlan, app, uplink, peer: 2),
        ]
        builder.mapIdentifier(endpoint: UInt32(uplink), identifier: 5001, to: app)
        for (peer, slot) in [(0, atNear), (1, atNear6), (2, atFar)] {
            builder.mapMember(segment: app, peer: UInt32(peer), to: slot)
        }
        builder.setFlood(segment: app, to: [atWeb, atNear, atNear6, atFar])
        builder.setFlood(segment: underlay, to: [atUplink])
        builder.tell(segment: app, mac: Self.web, at: atWeb)
        builder.tell(segment: app, mac: far, at: home)
        builder.tell(segment: underlay, mac: vtep, at: atOwn)
        addRouter(to: &builder)
        return builder
    }

    private static func addRouter(to builder: inout SnapshotBuilder) {
        var router = RouterRecord()
        router.mac = vtep.bits
        router.hostMAC = vtep.bits
        router.flags = RouterRecord.underlay | RouterRecord.designated
        router.inUse = 1
        builder.routers = [router]
        var interface = InterfaceRecord()
        interface.router = 0
        interface.segment = underlay
        interface.attachment = atOwn
        interface.addressCount = 2
        interface.ipv4 = own4
        interface.ipv6 = own6
        interface.inUse = 1
        builder.interfaces = [interface]
        builder.addresses = [InterfaceAddress(mapped(own4), length: 24), InterfaceAddress(own6, length: 64)]
        var four: [RouteRangeBuilder.Prefix] = []
        var six: [RouteRangeBuilder.Prefix] = []
        func add(_ address: IPAddress, _ length: Int, _ kind: UInt8, _ hopKind: UInt8, _ gateway: UInt32 = 0) {
            var hop = NextHopRecord()
            hop.kind = hopKind
            hop.interface = 0
            hop.attachment = atOwn
            if gateway != 0 { hop.gateway = mapped(gateway) }
            var route = RouteRecord()
            route.prefix = address.mapped
            route.length = UInt8(length)
            route.router = 0
            route.kind = kind
            route.hopStart = UInt32(builder.hops.count)
            route.hopCount = 1
            let prefix = RouteRangeBuilder.Prefix(address, length: length, route: UInt32(builder.routes.count))
            if address.isIPv6 { six.append(prefix) } else { four.append(prefix) }
            builder.hops.append(hop)
            builder.routes.append(route)
        }
        add(.v4(IPv4Address(bits: 0)), 0, RouteKind.static, HopKind.gateway, gateway4)
        add(.v4(IPv4Address(bits: own4 & ~0xFF)), 24, RouteKind.connected, HopKind.connected)
        add(.v4(IPv4Address(bits: own4)), 32, RouteKind.local, HopKind.local)
        add(.v6(IPv6Address(high: own6.high, low: 0)), 64, RouteKind.connected, HopKind.connected)
        add(.v6(own6), 128, RouteKind.local, HopKind.local)
        builder.setRoutes(router: 0, isIPv6: false, to: four)
        builder.setRoutes(router: 0, isIPv6: true, to: six)
        for address in [IPAddress.v4(IPv4Address(bits: own4)), .v6(own6)] {
            builder.tell(segment: underlay, address: address, mac: vtep, router: atOwn)
        }
    }

    let tables: LiveTables
    let memory = FrameMemory()
    let now: UInt32 = 1000

    init(home: UInt32 = UplinkWorld.atNear, knows: Bool = true) throws {
        tables = try LiveTables(UplinkWorld.builder(home: home), seed: 1)
        guard knows else { return }
        confirm(UplinkWorld.mapped(UplinkWorld.near4), UplinkWorld.near)
        confirm(UplinkWorld.mapped(UplinkWorld.gateway4), UplinkWorld.gateway)
        confirm(UplinkWorld.near6, UplinkWorld.near)
    }

    func confirm(_ address: IPv6Address, _ mac: MACAddress, at second: UInt32 = 1000) {
        tables.state.taught.neighbors.confirm(
            segment: UplinkWorld.underlay,
            address,
            mac: mac,
            creates: true,
            now: second,
            snapshot: tables.snapshot
        )
    }

    func decide(_ arrival: Arrival, at second: UInt32 = 1000) -> Decision {
        Forwarding.decide(
            memory.place(arrival),
            snapshot: tables.snapshot,
            taught: tables.state.taught,
            now: second
        )
    }

    /// The copies that a frame becomes, with the slots that they were made in.
    func send(_ arrival: Arrival) -> [(copy: Copy, slot: TransmitSlot)] {
        let frame = memory.place(arrival)
        let decision = Forwarding.decide(frame, snapshot: tables.snapshot, taught: tables.state.taught, now: now)
        return decision.targets(tables.snapshot).map {
            (memory.copy(frame, decision, to: $0, tables, now: now), memory.slot.pointee)
        }
    }
}

extension Decision {
    var dropReason: DropReason? { DropReason(rawValue: reason) }
}

/// An IPv6 packet of UDP between the VTEPs, written byte by byte.
func underlay6(_ payload: [UInt8], from: IPv6Address, to: IPv6Address, tos: Int = 0, next: Int = 17) -> [UInt8] {
    func bytes(_ address: IPv6Address) -> [UInt8] {
        be32(UInt32(truncatingIfNeeded: address.high >> 32)) + be32(UInt32(truncatingIfNeeded: address.high))
            + be32(UInt32(truncatingIfNeeded: address.low >> 32)) + be32(UInt32(truncatingIfNeeded: address.low))
    }
    return be16(0x6000 | tos << 4) + [0, 0] + be16(payload.count) + [UInt8(next), 64] + bytes(from) + bytes(to)
        + payload
}

/// UDP with a checksum of 0.
func bareUDP(_ payload: [UInt8], from: Int = 50000, to: Int = 4789, length: Int? = nil) -> [UInt8] {
    be16(from) + be16(to) + be16(length ?? 8 + payload.count) + [0, 0] + payload
}
