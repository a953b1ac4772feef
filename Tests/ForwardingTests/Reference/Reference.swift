import Forwarding
import Rings
import Wire

/// A slow and obvious switch: the same answers from arrays and dictionaries, written from the requirements. It shares
/// with `Forwarding` only the names of addresses, reasons and events.
struct Reference {
    struct Station: Hashable {
        var network: Int
        var mac: UInt64
    }

    struct Tag: Hashable {
        var endpoint: Int
        var tpid: Int
        var vid: Int
    }

    struct Identity: Hashable {
        var endpoint: Int
        var identifier: UInt32
    }

    struct Member: Hashable {
        var network: Int
        var peer: Int
    }

    struct FarEnd: Hashable {
        var endpoint: Int
        var peer: Int
        var key: UInt32?
    }

    struct Host: Hashable {
        var network: Int
        var address: IPv6Address
    }

    let cloud: Cloud
    let untagged: [Int: Int]
    let tagged: [Tag: Int]
    let identities: [Identity: Int]
    let memberships: [Member: Int]
    let peers: [IPv6Address: Int]
    let homes: [Station: Int]
    let members: [[Int]]
    let tenantInterfaces: Set<UInt32>
    let farEnds: [FarEnd: Int]
    let hosts: [Host: Cloud.Neighbor]
    let tables: [[Line]]
    /// Networks that a router has a place in.
    let routed: Set<Int>
    var learned: [Station: (attachment: Int, second: UInt32)] = [:]
    /// What the underlay told, by peer.
    var paths: [Int: (mtu: Int, second: UInt32)] = [:]
    var neighbors: [Host: Resolved] = [:]

    init(_ cloud: Cloud) {
        self.cloud = cloud
        var untagged: [Int: Int] = [:]
        var tagged: [Tag: Int] = [:]
        var memberships: [Member: Int] = [:]
        var farEnds: [FarEnd: Int] = [:]
        for (slot, attachment) in cloud.attachments.enumerated() {
            guard let attachment else { continue }
            if let tunnel = attachment.tunnel, let peer = attachment.peer {
                var key: UInt32?
                if case .gre(let number, _) = tunnel { key = number }
                farEnds[FarEnd(endpoint: attachment.endpoint, peer: peer, key: key)] = slot
            } else if attachment.isRouter {
                continue
            } else if let peer = attachment.peer {
                memberships[Member(network: attachment.network, peer: peer)] = slot
            } else if attachment.tpid == 0 {
                untagged[attachment.endpoint] = slot
            } else {
                tagged[Tag(endpoint: attachment.endpoint, tpid: attachment.tpid, vid: attachment.vid)] = slot
            }
        }
        self.untagged = untagged
        self.tagged = tagged
        self.memberships = memberships
        self.farEnds = farEnds
        var identities: [Identity: Int] = [:]
        for (slot, endpoint) in cloud.endpoints.enumerated() {
            for (number, network) in cloud.networks.enumerated() {
                let matches: Bool
                switch endpoint.place {
                case .vxlan: matches = network.transport == .vxlan
                case .gre: matches = network.transport == .gre
                default: matches = false
                }
                if matches { identities[Identity(endpoint: slot, identifier: network.identifier)] = number }
            }
        }
        self.identities = identities
        peers = Dictionary(uniqueKeysWithValues: cloud.peers.enumerated().map { ($1.address, $0) })
        homes = Dictionary(
            uniqueKeysWithValues: cloud.homes.map { (Station(network: $0.network, mac: $0.mac.bits), $0.attachment) }
        )
        members = cloud.networks.indices.map { cloud.members(of: $0) }
        tables = cloud.routers.map { $0.routes.map { Line($0.prefix) } }
        routed = Set(cloud.interfaces.map(\.network))
        hosts = Dictionary(
            uniqueKeysWithValues: cloud.neighbors.map { (Host(network: $0.network, address: $0.address), $0) }
        )
        tenantInterfaces = Set(cloud.endpoints.map(\.interfaceIndex).filter { $0 != 0 })
    }

    mutating func learn(_ judgement: Judgement, now: UInt32) {
        guard let mac = judgement.learns, let network = judgement.network, let ingress = judgement.ingress else {
            return
        }
        learned[Station(network: network, mac: mac.bits)] = (ingress, now)
    }

    /// Believes what the underlay tells of the way to a peer, if it is less than what is known and not too little.
    mutating func learnPath(_ peer: Int, _ mtu: Int, now: UInt32) {
        let held = pathMTU(peer, now)
        guard mtu >= (isIPv4(cloud.peers[peer].address) ? 68 : 1280), held == 0 || mtu < held else { return }
        paths[peer] = (mtu, now)
    }

    /// Which network of the cloud a frame belongs to that is seen on the far side of an attachment's endpoint; nil for
    /// none. Read from its bytes alone and, of a tunnel packet, from where it goes.
    func network(of copy: Copy, at endpoint: Int) -> Int? {
        let place = cloud.endpoints[endpoint]
        let bytes = copy.bytes
        switch place.place {
        case .unused: return nil
        case .vxlan:
            let vni = UInt32(bytes[4]) << 16 | UInt32(bytes[5]) << 8 | UInt32(bytes[6])
            return identities[Identity(endpoint: endpoint, identifier: vni)]
        case .gre where bytes[2] == 0x65:
            let key = bytes[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
            return identities[Identity(endpoint: endpoint, identifier: key)]
        case .gre:
            let at = bytes[0] & 0x80 == 0 ? 4 : 8
            let key = bytes[0] & 0x20 == 0 ? nil : bytes[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) }
            return network(behind: copy.destination, key, at: endpoint)
        case .ip: return network(behind: copy.destination, nil, at: endpoint)
        case .port, .provider:
            let type = Int(bytes[12]) << 8 | Int(bytes[13])
            var slot = untagged[endpoint]
            if place.place == .provider || place.readsTags, Layers.isTag(type) {
                let vid = Int(bytes[14] & 15) << 8 | Int(bytes[15])
                slot = tagged[Tag(endpoint: endpoint, tpid: type, vid: vid)]
            }
            return slot.flatMap { cloud.attachments[$0]?.network }
        }
    }

    private func network(behind address: IPv6Address, _ key: UInt32?, at endpoint: Int) -> Int? {
        guard let peer = peers[address] else { return nil }
        return farEnds[FarEnd(endpoint: endpoint, peer: peer, key: key)].flatMap { cloud.attachments[$0]?.network }
    }
}
