import Tables
import Wire

/// One host's rows, and where everything has its slot.
package struct HostTables: Sendable {
    package var builder = SnapshotBuilder()
    package let host: Int
    package private(set) var endpoints: [Door: UInt32] = [:]
    package private(set) var attachments: [Place: UInt32] = [:]
    package private(set) var segments: [String: UInt32] = [:]
    package private(set) var peers: [String: UInt32] = [:]
    package private(set) var interfaces: [Place: UInt32] = [:]
    let cloud: TestCloud

    package init(_ cloud: TestCloud, host: Int = 1) {
        self.cloud = cloud
        self.host = host
        for port in cloud.ports { addEndpoint(port) }
        for door in [Door.provider] + Door.tunnels { addEndpoint(door) }
        for other in 1...cloud.hosts where other != host {
            addPeer(TestCloud.underlay(other))
            addPeer(TestCloud.underlay(other, isIPv6: true))
        }
        for network in cloud.networks { addSegment(network) }
        for port in cloud.ports { add(port) }
        for router in cloud.routers { add(router) }
        for network in cloud.networks { setFlood(network) }
        for router in cloud.routers { addRoutes(router) }
    }

    package func place(of attachment: UInt32) -> Place? { attachments.first { $0.value == attachment }?.key }

    /// The host's interface index of the first port; the others follow.
    package static let firstInterface: UInt32 = 100

    // MARK: Doors and peers

    private mutating func addEndpoint(_ port: TestCloud.Port) {
        var row = EndpointRecord()
        if port.host == host { row.kind = EndpointKind.port }
        row.mtu = UInt32(port.mtu)
        row.name = builder.string(port.name)
        row.interfaceIndex = HostTables.firstInterface + UInt32(builder.endpoints.count)
        builder.markTenantInterface(row.interfaceIndex, endpoint: UInt32(builder.endpoints.count))
        endpoints[.port(port.name)] = UInt32(builder.endpoints.count)
        builder.endpoints.append(row)
    }

    private mutating func addEndpoint(_ door: Door) {
        var row = EndpointRecord()
        row.mtu = 1500
        row.name = builder.string(door.description)
        switch door {
        case .port: preconditionFailure("ports come first")
        case .provider: row.kind = EndpointKind.provider
        case .vxlan, .vxlan6:
            row.kind = EndpointKind.vxlan
            row.port = UInt32(vxlanPort)
        case .gre, .gre6: row.kind = EndpointKind.gre
        case .raw(let number), .raw6(let number):
            row.kind = EndpointKind.ip
            row.port = UInt32(number)
        }
        endpoints[door] = UInt32(builder.endpoints.count)
        builder.endpoints.append(row)
    }

    private mutating func addPeer(_ address: String) {
        guard peers[address] == nil else { return }
        var row = PeerRecord()
        row.address = mapped(address)
        row.name = builder.string(address)
        row.pathMTU = UInt32(cloud.pathMTU)
        row.inUse = 1
        peers[address] = UInt32(builder.peers.count)
        builder.mapPeer(row.address, to: UInt32(builder.peers.count))
        builder.peers.append(row)
    }

    // MARK: Networks

    private mutating func addSegment(_ network: TestCloud.Network) {
        let slot = UInt32(builder.segments.count)
        segments[network.name] = slot
        var row = SegmentRecord()
        row.flags = network.learns ? SegmentRecord.learning : 0
        if network.dropsUnknown { row.flags |= SegmentRecord.dropUnknownUnicast }
        if network.isTransparent { row.flags |= SegmentRecord.vlanTransparent }
        row.mtu = UInt32(network.mtu)
        row.name = builder.string(network.name)
        row.inUse = 1
        var door: Door?
        switch network.carrier {
        case .local: row.kind = SegmentKind.local
        case .vlan(let vid):
            row.kind = SegmentKind.vlan
            row.identifier = UInt32(vid)
        case .vxlan(let vni):
            row.kind = SegmentKind.vxlan
            row.identifier = vni
            door = network.overIPv6 ? .vxlan6 : .vxlan
        case .gre(let key):
            row.kind = SegmentKind.gre
            row.identifier = key
            door = network.overIPv6 ? .gre6 : .gre
        }
        builder.segments.append(row)
        if case .vlan(let vid) = network.carrier { addProvider(network.name, vid) }
        guard let door else { return }
        builder.mapIdentifier(endpoint: self.slot(of: door), identifier: row.identifier, to: slot)
        for other in 1...cloud.hosts where other != host { addVTEP(other, network, door, row.kind) }
    }

    private mutating func addProvider(_ network: String, _ vid: UInt16) {
        var row = AttachmentRecord()
        row.kind = AttachmentKind.provider
        row.vlanTPID = 0x8100
        row.vlanID = vid
        let slot = attach(row, .provider(network: network), .provider, network)
        builder.mapVLAN(endpoint: self.slot(of: .provider), tpid: 0x8100, vid: vid, to: slot)
    }

    private mutating func addVTEP(_ other: Int, _ network: TestCloud.Network, _ door: Door, _ kind: UInt8) {
        var row = AttachmentRecord()
        row.kind = kind == SegmentKind.vxlan ? AttachmentKind.vxlan : AttachmentKind.gre
        row.peer = peer(TestCloud.underlay(other, isIPv6: network.overIPv6))
        let slot = attach(row, .vtep(host: other, network: network.name), door, network.name)
        builder.mapMember(segment: segment(network.name), peer: row.peer, to: slot)
    }

    private mutating func attach(_ row: AttachmentRecord, _ place: Place, _ door: Door?, _ network: String) -> UInt32 {
        var row = row
        if let door { row.endpoint = slot(of: door) }
        row.segment = segment(network)
        let slot = UInt32(builder.attachments.count)
        attachments[place] = slot
        builder.attachments.append(row)
        return slot
    }

    private mutating func add(_ port: TestCloud.Port) {
        var home: UInt32?
        if port.host == host {
            var row = AttachmentRecord()
            row.kind = AttachmentKind.port
            let slot = attach(row, .port(port.name), .port(port.name), port.network)
            builder.endpoints[Int(self.slot(of: .port(port.name)))].untagged = slot
            home = slot
        } else {
            home =
                attachments[.vtep(host: port.host, network: port.network)]
                ?? attachments[.provider(network: port.network)]
        }
        guard port.isTold, let home else { return }
        builder.tell(segment: segment(port.network), mac: mac(port.mac), at: home)
        for address in port.addresses {
            guard let address = IPAddress(address) else { preconditionFailure("\(address) is no address") }
            builder.tell(segment: segment(port.network), address: address, mac: mac(port.mac))
        }
    }

    private mutating func setFlood(_ network: TestCloud.Network) {
        let slot = segment(network.name)
        let all = builder.attachments.indices.filter {
            builder.attachments[$0].segment == slot && !builder.attachments[$0].isRouter
        }
        builder.setFlood(segment: slot, to: all.map(UInt32.init))
    }

    // MARK: Routers

    /// The address under which a host that is not the designated one sends into provider networks.
    package static func hostMAC(_ router: TestCloud.Router, _ host: Int) -> MACAddress {
        host == 1 ? mac(router.mac) : MACAddress(bits: mac(router.mac).bits | UInt64(host) << 32)
    }

    private mutating func add(_ router: TestCloud.Router) {
        var row = RouterRecord()
        row.mac = mac(router.mac).bits
        row.hostMAC = HostTables.hostMAC(router, host).bits
        row.flags = router.reversePath | (host == 1 ? RouterRecord.designated : 0)
        row.name = builder.string(router.name)
        row.inUse = 1
        let slot = UInt32(builder.routers.count)
        builder.routers.append(row)
        for (network, addresses) in router.interfaces {
            add(interface: network, of: router, slot, network, addresses)
            let attachment = self.attachment(.router(router.name, network))
            let segment = segment(network)
            builder.segments[Int(segment)].flags |= SegmentRecord.hasRouter
            builder.tell(segment: segment, mac: mac(router.mac), at: attachment)
            if case .vlan = cloud.network(network).carrier { tellSiblings(router, network, attachment) }
            var own = addresses.map { prefix($0).address }
            if own.contains(where: \.isIPv6) { own.append(.v6(IPv6Address(linkLocalOf: mac(router.mac)))) }
            for address in own {
                builder.tell(segment: segment, address: address, mac: mac(router.mac), router: attachment)
            }
        }
        for tunnel in router.tunnels where tunnel.host == host { add(tunnel, of: router, slot) }
        for prefix in (router.interfaces.flatMap(\.addresses) + router.tunnels.flatMap(\.addresses)).map(prefix) {
            switch prefix.address {
            case .v4(let v4): if row.anyIPv4 == 0 { row.anyIPv4 = v4.bits }
            case .v6(let v6): if row.anyIPv6.isUnspecified { row.anyIPv6 = v6 }
            }
        }
        builder.routers[Int(slot)] = row
    }

    private mutating func tellSiblings(_ router: TestCloud.Router, _ network: String, _ attachment: UInt32) {
        for other in 1...cloud.hosts where other > 1 {
            let place = other == host ? attachment : self.attachment(.provider(network: network))
            builder.tell(segment: segment(network), mac: HostTables.hostMAC(router, other), at: place)
        }
    }

    private mutating func add(
        interface name: String,
        of router: TestCloud.Router,
        _ slot: UInt32,
        _ network: String,
        _ addresses: [String]
    ) {
        var row = InterfaceRecord()
        row.router = slot
        row.segment = segment(network)
        row.addressStart = UInt32(builder.addresses.count)
        row.addressCount = UInt32(addresses.count)
        row.name = builder.string(name)
        row.inUse = 1
        for prefix in addresses.map(prefix) {
            builder.addresses.append(InterfaceAddress(prefix.address.mapped, length: prefix.length))
            switch prefix.address {
            case .v4(let v4): if row.ipv4 == 0 { row.ipv4 = v4.bits }
            case .v6(let v6): if row.ipv6.isUnspecified { row.ipv6 = v6 }
            }
        }
        var side = AttachmentRecord()
        side.kind = AttachmentKind.router
        side.interface = UInt32(builder.interfaces.count)
        row.attachment = attach(side, .router(router.name, name), nil, network)
        interfaces[.router(router.name, name)] = side.interface
        builder.interfaces.append(row)
    }

    private mutating func add(_ tunnel: TestCloud.Tunnel, of router: TestCloud.Router, _ slot: UInt32) {
        let name = "\(router.name)/\(tunnel.name)"
        var segment = SegmentRecord()
        segment.kind = SegmentKind.routed
        segment.flags = SegmentRecord.hasRouter
        segment.mtu = UInt32(tunnel.mtu)
        segment.name = builder.string(name)
        segment.inUse = 1
        var row = AttachmentRecord()
        let isIPv6 = tunnel.remote.contains(":")
        let door: Door
        var key: UInt32?
        switch tunnel.kind {
        case .ipip:
            row.kind = AttachmentKind.ipip
            door = isIPv6 ? .raw6(4) : .raw(4)
        case .sit:
            row.kind = AttachmentKind.sit
            door = isIPv6 ? .raw6(41) : .raw(41)
        case .gre(let own, let checksum):
            row.kind = AttachmentKind.greIP
            door = isIPv6 ? .gre6 : .gre
            key = own
            segment.identifier = own ?? 0
            row.flags = (own == nil ? 0 : AttachmentRecord.greKey) | (checksum ? AttachmentRecord.greChecksum : 0)
        }
        segments[name] = UInt32(builder.segments.count)
        builder.segments.append(segment)
        addPeer(tunnel.remote)
        row.peer = peer(tunnel.remote)
        add(interface: tunnel.name, of: router, slot, name, tunnel.addresses)
        row.interface = interface(router.name, tunnel.name)
        let place = attach(row, .tunnel(router.name, tunnel.name), door, name)
        builder.mapTunnel(endpoint: self.slot(of: door), peer: row.peer, key: key, to: place)
    }

    // MARK: Slots

    package func slot(of door: Door) -> UInt32 {
        guard let slot = endpoints[door] else { preconditionFailure("there is no \(door)") }
        return slot
    }

    package func attachment(_ place: Place) -> UInt32 {
        guard let slot = attachments[place] else { preconditionFailure("there is no \(place)") }
        return slot
    }

    package func segment(_ name: String) -> UInt32 {
        guard let slot = segments[name] else { preconditionFailure("there is no \(name)") }
        return slot
    }

    package func peer(_ address: String) -> UInt32 {
        guard let slot = peers[address] else { preconditionFailure("\(address) is no peer") }
        return slot
    }

    func interface(_ router: String, _ name: String) -> UInt32? { interfaces[.router(router, name)] }
    private func interface(_ router: String, _ name: String) -> UInt32 { interfaces[.router(router, name)] ?? noSlot }
}

func prefix(_ text: String) -> IPPrefix {
    guard let prefix = IPPrefix(text) else { preconditionFailure("\(text) is no prefix") }
    return prefix
}
