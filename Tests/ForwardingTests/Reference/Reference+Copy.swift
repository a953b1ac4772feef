import Forwarding
import Rings
import Wire

extension Reference {
    /// The frame or packet as it leaves to one target.
    func copy(_ walk: Walk, to target: Int, _ now: UInt32) -> Copy {
        let attachment = cloud.attachments[target]!
        let endpoint = cloud.endpoints[attachment.endpoint]
        if let room = room(target, walk, now), walk.packet > room.bytes {
            return Copy(attachment: target, reason: room.isPath ? .exceedsPathMTU : .exceedsMTU)
        }
        var copy = Copy(attachment: target)
        var front: [UInt8] = []
        if let peer = attachment.peer {
            front = tunnelHeader(attachment, walk)
            if case .vxlan(let port) = endpoint.place { copy.destinationPort = port }
            copy.destination = cloud.peers[peer].address
            copy.tos = UInt8(walk.tos & 3)
            copy.tunnelLength = front.count
        } else if walk.isTagged && attachment.tpid == 0 && (endpoint.readsTags || endpoint.place == .provider) {
            return Copy(attachment: target, reason: .tagWouldEscape)
        }
        let first = walk.content.startIndex
        let type = walk.layers.version == 6 ? 0x86DD : 0x0800
        let tag = attachment.tpid == 0 ? [] : be16(attachment.tpid) + be16(walk.priority << 12 | attachment.vid)
        // Where what stays of the frame begins.
        var rest = walk.l3
        if attachment.tunnel != nil {
            copy.networkType = type
        } else if let frame = walk.frame {
            front += macBytes(frame.to) + macBytes(frame.from) + tag + be16(type)
        } else {
            front += walk.content[first..<first + 12] + tag
            rest = 12 + walk.stripped
        }
        copy.bytes.reserveCapacity(front.count + walk.content.count)
        copy.bytes += front
        copy.bytes += walk.content[(first + rest)...]
        let shift = front.count - rest
        copy.offload = walk.offload
        if walk.offload.flags & 1 != 0 { copy.offload.checksumStart = UInt16(Int(walk.offload.checksumStart) + shift) }
        if walk.offload.gsoType != 0 { copy.offload.headerLength = UInt16(Int(walk.offload.headerLength) + shift) }
        return copy
    }

    /// What stands between the outer IP or UDP header and the tenant's frame or packet.
    private func tunnelHeader(_ attachment: Cloud.Attachment, _ walk: Walk) -> [UInt8] {
        let identifier = cloud.networks[attachment.network].identifier
        switch attachment.tunnel {
        case .ipip, .sit: return []
        case .gre(let key, let hasChecksum):
            let flags = (hasChecksum ? 0x8000 : 0) | (key == nil ? 0 : 0x2000)
            // Whoever sends it computes the checksum.
            return be16(flags) + be16(walk.layers.version == 6 ? 0x86DD : 0x0800)
                + [UInt8](repeating: 0, count: hasChecksum ? 4 : 0) + (key.map(be32) ?? [])
        case nil:
            if case .vxlan = cloud.endpoints[attachment.endpoint].place { return [8, 0, 0, 0] + be32(identifier << 8) }
            return [0x20, 0, 0x65, 0x58] + be32(identifier)
        }
    }
}
