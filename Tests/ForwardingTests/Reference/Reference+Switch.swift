import Forwarding
import Rings
import Wire

extension Reference {
    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    func switchFrame(_ walk: inout Walk, _ now: UInt32) -> DropReason? {
        let first = walk.content.startIndex
        let destination = Reference.number(walk.content[first..<first + 6])
        let source = Reference.number(walk.content[first + 6..<first + 12])
        let slot = walk.judgement.network!
        let network = cloud.networks[slot]
        let ingress = walk.judgement.ingress!

        if source == 0 || walk.content[first + 6] & 1 == 1 { return .invalidSource }
        if destination == 0 { return .zeroDestination }
        if destination >> 4 == 0x0180_C200_000 && !network.forwardsLinkLocal { return .linkLocal }

        if let home = homes[Station(network: slot, mac: source)] {
            if home != ingress { return .sourceBelongsToAnotherPort }
        } else if network.learns {
            walk.judgement.learns = MACAddress(bits: source)
        }

        var target: Int?
        if walk.content[first] & 1 == 0 {
            let station = Station(network: slot, mac: destination)
            if let home = homes[station] {
                target = home
            } else if let seen = learned[station], now - seen.second < network.ageing {
                target = seen.attachment
            }
            if target == nil && network.dropsUnknown { return .unknownUnicast }
        }
        if let target {
            if target == ingress { return .hairpin }
            if walk.isTunnelled && cloud.attachments[target]!.peer != nil { return .splitHorizon }
            if let reason = fit(&walk, to: target, now) { return reason }
            walk.judgement.verdict = .forward
            walk.judgement.copies = [copy(walk, to: target, now)]
            return nil
        }
        let targets = members[slot].filter { other in
            other != ingress && !(walk.isTunnelled && cloud.attachments[other]!.peer != nil)
        }
        if targets.isEmpty { return .noReceiver }
        walk.judgement.verdict = .flood
        walk.judgement.copies = targets.map { copy(walk, to: $0, now) }
        return nil
    }

    /// The frame as it leaves to one target.
    private func copy(_ walk: Walk, to target: Int, _ now: UInt32) -> Copy {
        let attachment = cloud.attachments[target]!
        let endpoint = cloud.endpoints[attachment.endpoint]
        let network = cloud.networks[attachment.network]
        if let room = room(target, walk, now), walk.packet > room.bytes {
            return Copy(attachment: target, reason: room.isPath ? .exceedsPathMTU : .exceedsMTU)
        }
        var copy = Copy(attachment: target)
        var front: [UInt8] = []
        let tag = attachment.tpid == 0 ? 0 : 4
        if let peer = attachment.peer {
            if case .vxlan(let port) = endpoint.place {
                copy.destinationPort = port
                front = [8, 0, 0, 0] + be32(network.identifier << 8)
            } else {
                front = [0x20, 0, 0x65, 0x58] + be32(network.identifier)
            }
            copy.destination = cloud.peers[peer].address
            copy.tos = UInt8(walk.tos & 3)
        } else {
            let readsTags = endpoint.readsTags || endpoint.place == .provider
            if walk.isTagged && attachment.tpid == 0 && readsTags {
                return Copy(attachment: target, reason: .tagWouldEscape)
            }
        }
        let first = walk.content.startIndex
        copy.bytes.reserveCapacity(front.count + walk.content.count + 4)
        copy.bytes += front
        copy.bytes += walk.content[first..<first + 12]
        if tag != 0 { copy.bytes += be16(attachment.tpid) + be16(walk.priority << 12 | attachment.vid) }
        copy.bytes += walk.content[(first + 12 + walk.stripped)...]
        let shift = front.count + tag - walk.stripped
        copy.offload = walk.offload
        if walk.offload.flags & 1 != 0 { copy.offload.checksumStart = UInt16(Int(walk.offload.checksumStart) + shift) }
        if walk.offload.gsoType != 0 { copy.offload.headerLength = UInt16(Int(walk.offload.headerLength) + shift) }
        return copy
    }
}
