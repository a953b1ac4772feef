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
            walk.judgement.copies = [copy(walk, to: target)]
            return nil
        }
        let targets = members[slot].filter { other in
            other != ingress && !(walk.isTunnelled && cloud.attachments[other]!.peer != nil)
        }
        if targets.isEmpty { return .noReceiver }
        walk.judgement.isFlood = true
        walk.judgement.copies = targets.map { copy(walk, to: $0) }
        return nil
    }

    /// The frame as it leaves to one target.
    private func copy(_ walk: Walk, to target: Int) -> Copy {
        let attachment = cloud.attachments[target]!
        let endpoint = cloud.endpoints[attachment.endpoint]
        let network = cloud.networks[attachment.network]
        var copy = Copy(attachment: target)
        var front: [UInt8] = []
        let tag = attachment.tpid == 0 ? 0 : 4
        if let peer = attachment.peer {
            if network.mtu != 0 && walk.packet > network.mtu { return Copy(attachment: target, reason: .exceedsMTU) }
            let far = cloud.peers[peer]
            let isVXLAN: Bool
            if case .vxlan(let port) = endpoint.place {
                isVXLAN = true
                copy.destinationPort = port
                front = [8, 0, 0, 0] + be32(network.identifier << 8)
            } else {
                isVXLAN = false
                front = [0x20, 0, 0x65, 0x58] + be32(network.identifier)
            }
            let isIPv4 = far.address.high == 0 && far.address.low >> 32 == 0xFFFF
            let outer = (isIPv4 ? 20 : 40) + (isVXLAN ? 8 : 0) + 8 + walk.l3 - walk.stripped + tag + walk.packet
            if far.pathMTU != 0 && outer > far.pathMTU { return Copy(attachment: target, reason: .exceedsPathMTU) }
            copy.destination = far.address
            copy.tos = UInt8(walk.tos & 3)
        } else {
            if endpoint.mtu != 0 && walk.packet > endpoint.mtu { return Copy(attachment: target, reason: .exceedsMTU) }
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
