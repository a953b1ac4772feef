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
        switch attachment.tunnel {
        case .ipip, .sit: return outer
        case .gre(let key, let hasChecksum): return outer + 4 + (key == nil ? 0 : 4) + (hasChecksum ? 4 : 0)
        case nil: break
        }
        let link = (walk.frame == nil ? walk.l3 - walk.stripped : 14) + (attachment.tpid == 0 ? 0 : 4)
        switch cloud.endpoints[attachment.endpoint].place {
        case .vxlan: return outer + 8 + 8 + link
        default: return outer + 8 + link
        }
    }

    /// Sees whether the frame fits where it goes, and if not, whether it can be cut or its sender be told: by a router, or
    /// by the switch in the destination's name.
    func fit(_ walk: inout Walk, to target: Int, _ stop: Stop?, _ now: UInt32) -> DropReason? {
        guard let room = room(target, walk, now), walk.packet > room.bytes else { return nil }
        let reason = room.isPath ? DropReason.exceedsPathMTU : .exceedsMTU
        let layers = walk.layers
        if layers.version == 0 || walk.isTagged || stop == nil && !isSound(walk) { return reason }
        if layers.version == 4 && !layers.mayNotBeCut { return cut(&walk, to: room.bytes) ? nil : reason }
        if let stop {
            let (type, code, mtu) = layers.version == 4 ? (3, 4, room.bytes) : (2, 0, max(1280, room.bytes))
            say(UInt8(type), UInt8(code), mtu, &walk, stop, isTooBig: true)
            return reason
        }
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
        if size < 68 || layers.isCut || isChecksumElsewhere(walk) { return false }
        walk.judgement.fragment = size
        walk.judgement.events |= Event.fragmented.bit
        walk.packet = size
        walk.content = walk.content[..<(first + layers.end)]
        // Fragments have a frame of their own.
        if walk.frame == nil && !walk.isBare {
            func mac(_ at: Int) -> MACAddress {
                MACAddress(bits: walk.content[first + at..<first + at + 6].reduce(0) { $0 << 8 | UInt64($1) })
            }
            walk.frame = (mac(0), mac(6))
        }
        return true
    }

    /// A checksum that was left to do, behind the end of the packet.
    func isChecksumElsewhere(_ walk: Walk) -> Bool {
        let place = Int(walk.offload.checksumStart) + Int(walk.offload.checksumOffset) + 2
        return walk.offload.flags & 1 != 0 && place > walk.layers.end
    }
}
