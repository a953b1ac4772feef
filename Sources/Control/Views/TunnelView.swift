import Tables
import Wire

/// A remote VTEP.
public struct TunnelView: Codable, Sendable, Equatable {
    public var peer: String
    /// Its name in the file, or its address again.
    public var name: String
    /// `vxlan`, `gre`.
    public var kinds: [String]
    /// Networks that reach it, by name.
    public var networks: [String]
    /// Largest IP packet on the way there, in bytes; nil if not known.
    public var pathMTU: Int?
    public var received: TrafficView
    public var sent: TrafficView
}

extension LiveTables {
    /// Remote VTEPs in the order of their addresses.
    public func tunnels() -> [TunnelView] {
        var members: [UInt32: (kinds: Set<String>, networks: Set<String>)] = [:]
        for slot in 0..<Int(snapshot.attachmentCount) where snapshot.attachments[slot].isTunnel {
            let row = snapshot.attachments[slot]
            var known = members[row.peer] ?? ([], [])
            known.kinds.insert(row.kind == AttachmentKind.vxlan ? "vxlan" : "gre")
            known.networks.insert(name(segment: row.segment))
            members[row.peer] = known
        }
        return peerSlots.sorted { snapshot.peers[Int($0)].address < snapshot.peers[Int($1)].address }.map { slot in
            let row = snapshot.peers[Int(slot)]
            let counters = region.peerCounters[Int(slot)]
            let address = address(peer: slot)
            return TunnelView(
                peer: address,
                name: row.name == 0 ? address : snapshot.text(row.name),
                kinds: (members[slot]?.kinds ?? []).sorted(),
                networks: (members[slot]?.networks ?? []).sorted(),
                pathMTU: row.pathMTU == 0 ? nil : Int(row.pathMTU),
                received: TrafficView(frames: counters.receivedFrames, bytes: counters.receivedBytes),
                sent: TrafficView(frames: counters.sentFrames, bytes: counters.sentBytes)
            )
        }
    }
}
