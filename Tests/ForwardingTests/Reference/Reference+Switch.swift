import Forwarding
import Rings
import Tables
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
            walk.isFromSibling = isSibling(source, home, walk)
            if home != ingress && !walk.isFromSibling { return .sourceBelongsToAnotherPort }
        } else if network.learns {
            walk.judgement.learns = MACAddress(bits: source)
        }
        if routed.contains(slot) {
            switch hear(&walk, from: MACAddress(bits: source), to: MACAddress(bits: destination)) {
            case .nothing: break
            case .drop(let reason): return reason
            case .ended:
                if walk.judgement.verdict == .relay {
                    let others = members[slot].filter { $0 != ingress && cloud.attachments[$0]!.isVTEP }
                    walk.judgement.copies = others.map { copy(walk, to: $0, now) }
                }
                return nil
            }
        }

        var target: Int?
        if walk.content[first] & 1 == 0 {
            let station = Station(network: slot, mac: destination)
            target = homes[station] ?? seen(station, now)
            if target == nil && network.dropsUnknown { return .unknownUnicast }
        }
        if let target {
            if cloud.attachments[target]!.isRouter { return enterRouter(&walk, target, destination, now) }
            if target == ingress { return .hairpin }
            if walk.isTunnelled && cloud.attachments[target]!.isVTEP { return .splitHorizon }
            if let reason = fit(&walk, to: target, nil, now) { return reason }
            walk.judgement.verdict = .forward
            walk.judgement.copies = [copy(walk, to: target, now)]
            return nil
        }
        let targets = members[slot].filter { other in
            other != ingress && !(walk.isTunnelled && cloud.attachments[other]!.isVTEP)
        }
        if targets.isEmpty { return .noReceiver }
        walk.judgement.verdict = .flood
        walk.judgement.copies = targets.map { copy(walk, to: $0, now) }
        return nil
    }

    /// Where a station was seen last, if that is not too long ago.
    func seen(_ station: Station, _ now: UInt32) -> Int? {
        let ageing = UInt32(cloud.networks[station.network].ageing)
        guard let seen = learned[station], now - seen.second < ageing else { return nil }
        return seen.attachment
    }

    /// A router's address as source is another host's of the same router: out of a tunnel, or from a provider network
    /// where this host sends by another.
    private func isSibling(_ source: UInt64, _ home: Int, _ walk: Walk) -> Bool {
        guard let interface = cloud.attachments[home]!.interface else { return false }
        if walk.isTunnelled { return true }
        let isProvider = cloud.endpoints[cloud.attachments[walk.judgement.ingress!]!.endpoint].place == .provider
        let router = cloud.routers[cloud.interfaces[interface].router]
        let transport = cloud.networks[walk.judgement.network!].transport
        let own = transport == .flat || transport == .vlan ? router.hostMAC : router.mac
        return isProvider && source != own.bits
    }

    /// What comes from outside is the designated host's, unless another host of the router sent it here.
    private func enterRouter(_ walk: inout Walk, _ target: Int, _ destination: UInt64, _ now: UInt32) -> DropReason? {
        let interface = cloud.attachments[target]!.interface!
        let router = cloud.routers[cloud.interfaces[interface].router]
        if isFromOutside(walk) && !walk.isFromSibling && !router.isDesignated && destination != router.hostMAC.bits {
            return .notDesignated
        }
        return route(&walk, at: interface, now)
    }
}
