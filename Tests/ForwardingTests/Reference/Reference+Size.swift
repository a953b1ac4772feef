import Forwarding
import Tables
import Wire

extension Reference {
    /// The largest IP packet that can leave by an attachment, and whether it is the way to the far end that says so; nil
    /// is no limit.
    func room(_ target: Int, _ walk: Walk, _ now: UInt32) -> (bytes: Int, isPath: Bool)? {
        let attachment = cloud.attachments[target]!
        let endpoint = cloud.endpoints[attachment.endpoint]
        guard let peer = attachment.peer else { return endpoint.mtu == 0 ? nil : (endpoint.mtu, false) }
        let own = cloud.networks[attachment.network].mtu
        let path = pathMTU(peer, now)
        if path == 0 { return own == 0 ? nil : (own, false) }
        let left = max(1, path - overhead(attachment, walk))
        return own != 0 && own <= left ? (own, false) : (left, true)
    }

    /// Bytes in front of the tenant's IP packet in a tunnel packet: the outer IP header, the tunnel's header and, where
    /// frames are carried, the Ethernet header with its tags.
    func overhead(_ attachment: Cloud.Attachment, _ walk: Walk) -> Int {
        let outer = isIPv4(cloud.peers[attachment.peer!].address) ? 20 : 40
        let link = walk.l3 - walk.stripped + (attachment.tpid == 0 ? 0 : 4)
        switch cloud.endpoints[attachment.endpoint].place {
        case .vxlan: return outer + 8 + 8 + link
        default: return outer + 8 + link
        }
    }

    /// Sees whether the frame fits where it goes, and if not, whether it can be cut or its sender be told.
    func fit(_ walk: inout Walk, to target: Int, _ now: UInt32) -> DropReason? {
        guard let room = room(target, walk, now), walk.packet > room.bytes else { return nil }
        let reason = room.isPath ? DropReason.exceedsPathMTU : .exceedsMTU
        let layers = walk.layers
        if layers.version == 0 || walk.isTagged || !isSound(walk) { return reason }
        if layers.version == 4 && !layers.mayNotBeCut { return cut(&walk, to: room.bytes) ? nil : reason }
        // Nobody can be told across a tunnel by a switch: the addresses in the frame may be anybody's.
        if walk.isTunnelled || !maySay(walk, isTooBig: true) || isGroup(walk.ends.destination, layers) { return reason }
        walk.judgement.said =
            layers.version == 4
            ? Said(error: 3, 4, room.bytes, source: walk.ends.destination)
            : Said(error: 2, 0, max(1280, room.bytes), source: walk.ends.destination)
        return reason
    }

    /// A TCP super-frame gets smaller segments; anything else is to be fragmented. False if neither is possible.
    private func cut(_ walk: inout Walk, to size: Int) -> Bool {
        let layers = walk.layers
        let first = walk.content.startIndex
        if walk.offload.gsoType != 0 {
            let headers = layers.payload - layers.l3
            if layers.proto != 6 || size <= headers + 8 { return false }
            walk.offload.gsoSize = UInt16(size - headers)
            walk.packet = size
            return true
        }
        // RFC 791 §3.1: every link carries 68 bytes.
        if size < 68 || layers.isCut { return false }
        walk.judgement.fragment = size
        walk.judgement.events |= Event.fragmented.bit
        walk.packet = size
        walk.content = walk.content[..<(first + layers.end)]
        return true
    }
}
