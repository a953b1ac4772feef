import Tables
import Wire

/// A remote VTEP, or a router's tunnel.
public struct TunnelView: Codable, Sendable, Equatable {
    /// Address of the VTEP or of the tunnel's far end.
    public var peer: String
    /// Its name in the file, or its address again; of a router's tunnel `tenant/router/tunnel`.
    public var name: String
    /// `vxlan`, `gre`; of a router's tunnel `ipip`, `sit` or `gre`.
    public var kinds: [String]
    /// Networks that reach it, by name; none of a router's tunnel.
    public var networks: [String]
    /// Largest IP packet on the way there, in bytes, as far as it is told; nil if not known.
    public var pathMTU: Int?
    /// What the underlay's routers said since, if that is less, and how many seconds ago.
    public var learnedPathMTU: Int?
    public var learnedAge: Int?
    /// Everything to and from the address. What has one far end in common is counted together.
    public var received: TrafficView
    public var sent: TrafficView

    // What only a router's tunnel has.

    /// `tenant/router`.
    public var router: String?
    /// Address of the near end.
    public var local: String?
    /// Of GRE; nil is none.
    public var key: UInt32?
    /// Whether GRE packets carry a checksum.
    public var checksum: Bool?
    /// Largest IP packet inside, in bytes.
    public var mtu: Int?
    /// The router's own on the tunnel, with prefix length.
    public var addresses: [String]?
    /// Packets that came in by it and ended in a drop.
    public var drops: UInt64?
}

extension LiveTables {
    /// Remote VTEPs in the order of their addresses, then the tunnels of routers by name.
    public func tunnels() -> [TunnelView] {
        var members: [UInt32: (kinds: Set<String>, networks: Set<String>)] = [:]
        var routed: [TunnelView] = []
        for slot in 0..<snapshot.attachmentCount {
            let row = snapshot.attachments[Int(slot)]
            if row.carriesPackets { routed.append(tunnel(row)) }
            guard row.isTunnel else { continue }
            var known = members[row.peer] ?? ([], [])
            known.kinds.insert(row.kind == AttachmentKind.vxlan ? "vxlan" : "gre")
            known.networks.insert(name(segment: row.segment))
            members[row.peer] = known
        }
        let slots = peerSlots.filter { members[$0] != nil }
        return slots.sorted { snapshot.peers[Int($0)].address < snapshot.peers[Int($1)].address }.map { slot in
            var view = tunnel(to: slot, named: name(peer: slot))
            view.kinds = (members[slot]?.kinds ?? []).sorted()
            view.networks = (members[slot]?.networks ?? []).sorted()
            return view
        } + routed.sorted { $0.name < $1.name }
    }

    private func tunnel(to slot: UInt32, named name: String) -> TunnelView {
        let row = snapshot.peers[Int(slot)]
        let counters = states.counters(peer: slot)
        let learned = states.learnedPathMTU(peer: slot, snapshot)
        let told = row.pathMTU == 0 ? nil : Int(row.pathMTU)
        return TunnelView(
            peer: address(peer: slot),
            name: name,
            kinds: [],
            networks: [],
            pathMTU: told,
            learnedPathMTU: learned.map { Int($0.mtu) },
            learnedAge: learned.map { Int($0.age) },
            received: TrafficView(frames: counters.receivedFrames, bytes: counters.receivedBytes),
            sent: TrafficView(frames: counters.sentFrames, bytes: counters.sentBytes)
        )
    }

    private func tunnel(_ row: AttachmentRecord) -> TunnelView {
        let segment = snapshot.segments[Int(row.segment)]
        let interface = snapshot.interfaces[Int(row.interface)]
        var view = tunnel(to: row.peer, named: snapshot.text(segment.name))
        let kinds = [AttachmentKind.ipip: "ipip", AttachmentKind.sit: "sit"]
        view.kinds = [kinds[row.kind] ?? "gre"]
        view.router = name(router: interface.router)
        switch EndpointKey(record: snapshot.endpoints[Int(row.endpoint)], in: snapshot) {
        case .gre(let address), .ip(let address, _): view.local = address.description
        default: break
        }
        if row.kind == AttachmentKind.greIP {
            view.key = row.flags & AttachmentRecord.greKey != 0 ? segment.identifier : nil
            view.checksum = row.flags & AttachmentRecord.greChecksum != 0
        }
        view.mtu = Int(segment.mtu)
        view.addresses = self.interface(row.interface).addresses
        view.drops = (1..<StateRegion.reasons).reduce(0) { $0 &+ segmentDrops(row.segment, $1) }
        return view
    }
}
