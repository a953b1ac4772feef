import Forwarding
import Tables
import Wire

// ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861) as the routers of a network hear them.

extension Reference {
    enum Heard {
        /// The frame goes on.
        case nothing
        case ended
        case drop(DropReason)
    }

    private enum Kind { case question, answer, neither }

    /// A question for an address, or an answer.
    private struct Message {
        var kind: Kind
        /// Of a question.
        var target: IPv6Address
        /// Whose address is told, and whose it is; nil if that is not to be believed.
        var told: (address: IPv6Address, mac: MACAddress)?
    }

    private enum Parsed { case other, broken, message(Message) }

    func hear(_ walk: inout Walk, from source: MACAddress, to destination: MACAddress) -> Heard {
        let layers = walk.layers
        let isARP = layers.type == 0x0806
        let isDiscovery = layers.version == 6 && layers.proto == 58 && layers.ttl == 255
        if walk.isTagged || !isARP && !isDiscovery { return .nothing }
        let network = walk.judgement.network!
        let home = homes[Station(network: network, mac: destination.bits)]
        let isForRouter = home.map { cloud.attachments[$0]!.isRouter } ?? false
        switch isARP ? readARP(walk, source) : readDiscovery(walk, source) {
        case .other: return .nothing
        case .broken:
            if !isForRouter { return .nothing }
            return .drop(isARP ? .brokenARP : .brokenNeighborDiscovery)
        case .message(let message):
            switch message.kind {
            case .question: return hearQuestion(message, isForRouter, isARP, &walk)
            case .answer: return hearAnswer(message, isForRouter, &walk)
            case .neither:
                if isForRouter { return .drop(.brokenARP) }
                note(message, creates: false, &walk)
                return .nothing
            }
        }
    }

    private func hearQuestion(_ message: Message, _ isForRouter: Bool, _ isARP: Bool, _ walk: inout Walk) -> Heard {
        let network = walk.judgement.network!
        guard let attachment = hosts[Host(network: network, address: message.target)]?.router else {
            note(message, creates: false, &walk)
            return isForRouter ? .drop(.noSuchService) : .nothing
        }
        let router = cloud.interfaces[cloud.attachments[attachment]!.interface!].router
        if isFromOutside(walk) && !cloud.routers[router].isDesignated {
            return isForRouter ? .drop(.notDesignated) : .nothing
        }
        note(message, creates: true, &walk)
        walk.judgement.verdict = .answer
        let kind = isARP ? Answer.Kind.arpReply : Answer.Kind.neighborAdvertisement
        walk.judgement.said = Said(kind, router: router, source: message.target)
        return .ended
    }

    private func hearAnswer(_ message: Message, _ isForRouter: Bool, _ walk: inout Walk) -> Heard {
        note(message, creates: isForRouter, &walk)
        if !isForRouter { return .nothing }
        // The router's other hosts may have asked. Out of a tunnel, its sender has told them.
        let network = cloud.networks[walk.judgement.network!]
        let isRelayed = !walk.isTunnelled && [.vxlan, .gre].contains(network.transport)
        walk.judgement.verdict = isRelayed ? .relay : .taken
        return .ended
    }

    /// Not by one of this host's own ports.
    func isFromOutside(_ walk: Walk) -> Bool {
        walk.isTunnelled || cloud.endpoints[cloud.attachments[walk.judgement.ingress!]!.endpoint].place == .provider
    }

    /// The file knows better.
    private func note(_ message: Message, creates: Bool, _ walk: inout Walk) {
        guard let told = message.told else { return }
        let host = Host(network: walk.judgement.network!, address: told.address)
        if hosts[host] != nil { return }
        let kind = creates ? NeighborNews.Kind.learn : NeighborNews.Kind.update
        walk.judgement.news = News(kind, host, nil, told.mac)
    }

    // MARK: Reading

    private func readARP(_ walk: Walk, _ source: MACAddress) -> Parsed {
        let first = walk.content.startIndex + walk.layers.l3
        let f = walk.content[first...]
        if f.count < 28 || Array(f.prefix(6)) != [0, 1, 8, 0, 6, 4] { return .broken }
        let operation = Int(f[first + 6]) << 8 | Int(f[first + 7])
        func ip(_ at: Int) -> IPv6Address {
            let bits = f[first + at..<first + at + 4].reduce(0) { $0 << 8 | UInt64($1) }
            return IPv6Address(high: 0, low: 0xFFFF_0000_0000 | bits)
        }
        let sender = f[first + 8..<first + 14].reduce(0) { $0 << 8 | UInt64($1) }
        let kind: Kind = operation == 1 ? .question : operation == 2 ? .answer : .neither
        var message = Message(kind: kind, target: ip(24))
        var layers = Layers([])
        layers.version = 4
        // No probe, no group, and only what the sender says about itself.
        if sender == source.bits, !isNobody(ip(14), layers), !isGroup(ip(14), layers) {
            message.told = (ip(14), source)
        }
        return .message(message)
    }

    private func readDiscovery(_ walk: Walk, _ source: MACAddress) -> Parsed {
        let layers = walk.layers
        guard layers.l4 >= 0, layers.l4 < layers.end else { return .other }
        let start = layers.l4 - layers.l3
        let end = layers.end - layers.l3
        let type = walk.byte(start)
        guard (133...137).contains(type) else { return .other }
        let least = [133: 8, 134: 16, 137: 40][type] ?? 24
        // RFC 6980: no fragments. RFC 4861 §6.1 and §7.1: code 0, the checksum, and options that fill the rest.
        guard !layers.hasFragmentHeader, !layers.isCut, end - start >= least, walk.byte(start + 1) == 0,
            checksumOfICMPIsRight(walk), !isGroup(walk.ends.source, layers)
        else { return .broken }
        var option: MACAddress?
        var hasOption = false
        var at = start + least
        while at < end {
            guard at + 2 <= end, walk.byte(at + 1) > 0, at + walk.byte(at + 1) * 8 <= end else { return .broken }
            if walk.byte(at) == (type == 136 ? 2 : 1), !hasOption {
                if walk.byte(at + 1) != 1 { return .broken }
                hasOption = true
                let mac = (2..<8).reduce(0) { $0 << 8 | UInt64(walk.byte(at + $1)) }
                if mac != 0 && mac >> 40 & 1 == 0 { option = MACAddress(bits: mac) }
            }
            at += walk.byte(at + 1) * 8
        }
        let (from, to) = (walk.ends.source, walk.ends.destination)
        let isFromNobody = from.high == 0 && from.low == 0
        switch type {
        case 133: return isFromNobody && hasOption ? .broken : .other
        case 134, 137: return isLinkLocal(from, layers) ? .other : .broken
        default: break
        }
        let target = walk.address(start + 8)
        if isGroup(target, layers) { return .broken }
        let isQuestion = type == 135
        if isQuestion && isFromNobody {
            let isSolicitedNode = to.high == 0xFF02 << 48 && to.low >> 24 == 0x1FF
            if hasOption || !isSolicitedNode { return .broken }
        }
        if !isQuestion && walk.byte(start + 4) & 0x40 != 0 && isGroup(to, layers) { return .broken }
        // An IPv4 address in IPv6's clothes would be taken for the real one.
        if isNobody(target, layers) || isNobody(from, layers) && !(isQuestion && isFromNobody) { return .broken }
        var message = Message(kind: isQuestion ? .question : .answer, target: target)
        if (option ?? source) == source, !(isQuestion && isFromNobody) {
            message.told = (isQuestion ? from : target, source)
        }
        return .message(message)
    }
}
