import Tables
import Wire

/// A cloud as plain arrays: what the tables are compiled from, and what the reference model reads.
struct Cloud {
    enum Transport { case local, flat, vlan, vxlan, gre, routed }

    struct Network {
        var tenant: Int
        var name: String
        var transport = Transport.local
        /// VLAN id, VNI or GRE key.
        var identifier: UInt32 = 0
        var mtu = 1500
        var learns = true
        var dropsUnknown = false
        var isTransparent = false
        var forwardsLinkLocal = false
        var ageing = 300
        /// Which of its tenant's networks it is: two tenants' networks of one number have the same addresses.
        var number = 0
    }

    /// `ip` is packets of a protocol number, without any header in front.
    enum Place: Equatable { case unused, port(tenant: Int), provider, vxlan(port: UInt16), gre, ip(Int) }

    struct Endpoint {
        var place: Place
        var name: String
        var mtu = 1500
        /// Tags choose the network.
        var readsTags = false
        var interfaceIndex: UInt32 = 0
    }

    struct Attachment {
        /// -1 of a router's.
        var endpoint: Int
        var network: Int
        /// 0: untagged.
        var tpid = 0
        var vid = 0
        var peer: Int?
        /// Of a router's own, and of the far end of its tunnel.
        var interface: Int?
        /// Of a far end.
        var tunnel: Tunnel?

        /// A remote VTEP.
        var isVTEP: Bool { peer != nil && tunnel == nil }
        var isRouter: Bool { interface != nil && tunnel == nil }
    }

    struct Peer {
        var address: IPv6Address
        var pathMTU = 0
    }

    struct Home {
        var network: Int
        var mac: MACAddress
        var attachment: Int
    }

    var networks: [Network] = []
    var endpoints: [Endpoint] = []
    /// nil is a slot that nobody uses.
    var attachments: [Attachment?] = []
    var peers: [Peer] = []
    var homes: [Home] = []
    var routers: [Router] = []
    var interfaces: [Interface] = []
    var neighbors: [Neighbor] = []

    // MARK: Building one by hand

    mutating func add(_ network: Network) -> Int {
        networks.append(network)
        return networks.count - 1
    }

    mutating func add(_ endpoint: Endpoint) -> Int {
        endpoints.append(endpoint)
        return endpoints.count - 1
    }

    mutating func add(peer: Peer) -> Int {
        peers.append(peer)
        return peers.count - 1
    }

    mutating func attach(_ endpoint: Int, _ network: Int, tpid: Int = 0, vid: Int = 0, peer: Int? = nil) -> Int {
        attachments.append(Attachment(endpoint: endpoint, network: network, tpid: tpid, vid: vid, peer: peer))
        return attachments.count - 1
    }

    /// An access port of a network's tenant.
    mutating func accessPort(_ name: String, _ network: Int, mtu: Int = 1500) -> (endpoint: Int, attachment: Int) {
        let place = Place.port(tenant: networks[network].tenant)
        let endpoint = add(Endpoint(place: place, name: name, mtu: mtu))
        return (endpoint, attach(endpoint, network))
    }

    mutating func tell(_ network: Int, _ mac: MACAddress, at attachment: Int) {
        homes.append(Home(network: network, mac: mac, attachment: attachment))
    }

    /// The attachments of a network in slot order: where a flooded frame goes.
    func members(of network: Int) -> [Int] {
        attachments.indices.filter { attachments[$0]?.network == network && attachments[$0]?.interface == nil }
    }
}

extension Cloud {
    /// The tables that this cloud stands for.
    func compile() -> SnapshotBuilder {
        var builder = SnapshotBuilder()
        builder.endpoints = endpoints.map { endpoint in
            var row = EndpointRecord()
            switch endpoint.place {
            case .unused: row.kind = EndpointKind.none
            case .port: row.kind = EndpointKind.port
            case .provider: row.kind = EndpointKind.provider
            case .vxlan(let port):
                row.kind = EndpointKind.vxlan
                row.port = UInt32(port)
            case .gre: row.kind = EndpointKind.gre
            case .ip(let number):
                row.kind = EndpointKind.ip
                row.port = UInt32(number)
            }
            row.flags = endpoint.readsTags ? EndpointRecord.vlanAware : 0
            row.mtu = UInt32(endpoint.mtu)
            row.interfaceIndex = endpoint.interfaceIndex
            return row
        }
        builder.segments = networks.map { Cloud.row($0) }
        for (i, network) in networks.enumerated() { builder.segments[i].name = builder.string(network.name) }
        builder.peers = peers.map { peer in
            var row = PeerRecord()
            row.address = peer.address
            row.pathMTU = UInt32(peer.pathMTU)
            row.inUse = 1
            return row
        }
        for (i, peer) in peers.enumerated() { builder.mapPeer(peer.address, to: UInt32(i)) }
        builder.attachments = attachments.map { _ in AttachmentRecord() }
        for (i, attachment) in attachments.enumerated() {
            if let attachment { place(attachment, UInt32(i), &builder) }
        }
        for (i, endpoint) in endpoints.enumerated() {
            builder.endpoints[i].name = builder.string(endpoint.name)
            identify(endpoint, UInt32(i), &builder)
        }
        for i in networks.indices { builder.setFlood(segment: UInt32(i), to: members(of: i).map(UInt32.init)) }
        for home in homes {
            builder.tell(segment: UInt32(home.network), mac: home.mac, at: UInt32(home.attachment))
        }
        compileRouters(&builder)
        return builder
    }

    private static func row(_ network: Network) -> SegmentRecord {
        var row = SegmentRecord()
        switch network.transport {
        case .local: row.kind = SegmentKind.local
        case .flat: row.kind = SegmentKind.flat
        case .vlan: row.kind = SegmentKind.vlan
        case .vxlan: row.kind = SegmentKind.vxlan
        case .gre: row.kind = SegmentKind.gre
        case .routed: row.kind = SegmentKind.routed
        }
        if network.learns { row.flags |= SegmentRecord.learning }
        if network.dropsUnknown { row.flags |= SegmentRecord.dropUnknownUnicast }
        if network.isTransparent { row.flags |= SegmentRecord.vlanTransparent }
        if network.forwardsLinkLocal { row.flags |= SegmentRecord.forwardLinkLocal }
        row.identifier = network.identifier
        row.mtu = UInt32(network.mtu)
        row.ageing = UInt32(network.ageing)
        row.inUse = 1
        return row
    }

    private func place(_ attachment: Attachment, _ slot: UInt32, _ builder: inout SnapshotBuilder) {
        if attachment.interface != nil { return placeRouter(attachment, slot, &builder) }
        var row = AttachmentRecord()
        switch endpoints[attachment.endpoint].place {
        case .provider: row.kind = AttachmentKind.provider
        case .vxlan: row.kind = AttachmentKind.vxlan
        case .gre: row.kind = AttachmentKind.gre
        default: row.kind = AttachmentKind.port
        }
        row.endpoint = UInt32(attachment.endpoint)
        row.segment = UInt32(attachment.network)
        row.vlanTPID = UInt16(attachment.tpid)
        row.vlanID = UInt16(attachment.vid)
        if let peer = attachment.peer {
            row.peer = UInt32(peer)
            builder.mapMember(segment: row.segment, peer: row.peer, to: slot)
        } else if attachment.tpid == 0 {
            builder.endpoints[attachment.endpoint].untagged = slot
        } else {
            builder.mapVLAN(endpoint: row.endpoint, tpid: row.vlanTPID, vid: row.vlanID, to: slot)
        }
        builder.attachments[Int(slot)] = row
    }

    private func identify(_ endpoint: Endpoint, _ slot: UInt32, _ builder: inout SnapshotBuilder) {
        if endpoint.interfaceIndex != 0 {
            builder.markTenantInterface(endpoint.interfaceIndex, endpoint: slot)
        }
        for (i, network) in networks.enumerated() {
            switch (endpoint.place, network.transport) {
            case (.vxlan, .vxlan), (.gre, .gre):
                builder.mapIdentifier(endpoint: slot, identifier: network.identifier, to: UInt32(i))
            default: break
            }
        }
    }
}
