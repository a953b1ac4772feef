import Tables
import Wire

/// A network of one tenant on this host.
public struct NetworkView: Codable, Sendable, Equatable {
    /// `tenant/network`.
    public var name: String
    public var tenant: String
    public var kind: SegmentKindName
    /// VNI, VLAN id or GRE key; nil where the kind has none.
    public var id: Int?
    /// The provider device that carries it, if one does.
    public var provider: String?
    /// Largest IP packet in bytes.
    public var mtu: Int
    /// Tenants' ports of this host.
    public var ports: [String]
    /// Addresses of the remote VTEPs that frames are copied to.
    public var peers: [String]
    /// Routers with an interface in it.
    public var routers: [String]
    /// Addresses learned now, and the most that may be; no limit of its own is nil.
    public var learned: Int
    public var macLimit: Int?
    /// Seconds after which a learned address is forgotten.
    public var macAge: Int
    public var learning: Bool
    /// `flood` or `drop`.
    public var unknownUnicast: String
    public var vlanTransparent: Bool
    /// `forward` or `drop`.
    public var linkLocal: String
    public var drops: UInt64
}

extension LiveTables {
    /// Networks by name.
    public func networks() -> [NetworkView] {
        let attachments = attachmentsBySegment()
        return segmentSlots.compactMap { network($0, attachments[$0] ?? []) }.sorted { $0.name < $1.name }
    }

    private func network(_ slot: UInt32, _ attachments: [UInt32]) -> NetworkView? {
        let row = snapshot.segments[Int(slot)]
        guard let kind = SegmentKindName(row.kind) else { return nil }
        var ports: Set<String> = []
        var peers: Set<String> = []
        var routers: Set<String> = []
        var provider: String?
        for attachment in attachments {
            let place = snapshot.attachments[Int(attachment)]
            if place.isTunnel {
                peers.insert(address(peer: place.peer))
            } else if place.kind == AttachmentKind.provider {
                provider = name(endpoint: place.endpoint)
            } else if place.isRouter {
                routers.insert(name(routerOf: place.interface))
            } else {
                ports.insert(name(endpoint: place.endpoint))
            }
        }
        return NetworkView(
            name: snapshot.text(row.name),
            tenant: snapshot.text(row.tenant),
            kind: kind,
            id: kind == .local || kind == .flat ? nil : Int(row.identifier),
            provider: provider,
            mtu: Int(row.mtu),
            ports: ports.sorted(),
            peers: peers.sorted(),
            routers: routers.sorted(),
            learned: states.learned(segment: slot, generation: row.generation),
            macLimit: row.macLimit == 0 ? nil : Int(row.macLimit),
            macAge: Int(row.ageing),
            learning: row.learns,
            unknownUnicast: row.dropsUnknownUnicast ? "drop" : "flood",
            vlanTransparent: row.isVLANTransparent,
            linkLocal: row.forwardsLinkLocal ? "forward" : "drop",
            drops: (1..<StateRegion.reasons).reduce(0) { $0 &+ segmentDrops(slot, $1) }
        )
    }
}
