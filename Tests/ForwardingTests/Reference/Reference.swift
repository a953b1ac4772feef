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

    let cloud: Cloud
    let untagged: [Int: Int]
    let tagged: [Tag: Int]
    let identities: [Identity: Int]
    let memberships: [Member: Int]
    let peers: [IPv6Address: Int]
    let homes: [Station: Int]
    let members: [[Int]]
    let tenantInterfaces: Set<UInt32>
    var learned: [Station: (attachment: Int, second: UInt32)] = [:]
    /// What the underlay told, by peer.
    var paths: [Int: (mtu: Int, second: UInt32)] = [:]

    init(_ cloud: Cloud) {
        self.cloud = cloud
        var untagged: [Int: Int] = [:]
        var tagged: [Tag: Int] = [:]
        var memberships: [Member: Int] = [:]
        for (slot, attachment) in cloud.attachments.enumerated() {
            guard let attachment else { continue }
            if let peer = attachment.peer {
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
        tenantInterfaces = Set(cloud.endpoints.map(\.interfaceIndex).filter { $0 != 0 })
    }

    mutating func learn(_ judgement: Judgement, now: UInt32) {
        guard let mac = judgement.learns, let network = judgement.network, let ingress = judgement.ingress else {
            return
        }
        learned[Station(network: network, mac: mac.bits)] = (ingress, now)
    }

    /// Which network of the cloud a frame belongs to that is seen on the far side of an attachment's endpoint; nil for
    /// none. Read from its bytes alone.
    func network(of bytes: [UInt8], at endpoint: Int) -> Int? {
        let place = cloud.endpoints[endpoint]
        switch place.place {
        case .unused: return nil
        case .vxlan:
            let vni = UInt32(bytes[4]) << 16 | UInt32(bytes[5]) << 8 | UInt32(bytes[6])
            return identities[Identity(endpoint: endpoint, identifier: vni)]
        case .gre:
            let key = bytes[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
            return identities[Identity(endpoint: endpoint, identifier: key)]
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
}
