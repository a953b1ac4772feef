import Rings
import Tables
import Wire

/// What becomes of a frame that a router listened to.
enum Hearing {
    /// The router has nothing to do with it, or nothing that keeps it from its way.
    case goesOn
    /// The decision says how it ends.
    case ends
    case drops(DropReason)
}

/// Has the routers of a segment listen for ARP and neighbour discovery that concerns them: questions for their addresses,
/// answers to their own, and anything that says who has an address.
@inline(__always)
func hear<R: Recorder>(_ journey: inout Journey, _ snapshot: Snapshot, _ recorder: inout R) -> Hearing {
    if journey.decision.isTagged { return .goesOn }
    let parsed = journey.parsed
    if parsed.etherType == EtherType.arp { return hearARP(&journey, snapshot, &recorder) }
    if parsed.isIPv6 && parsed.protocol == IPProtocol.icmpv6 && parsed.ttl == 255 {
        return hearDiscovery(&journey, snapshot, &recorder)
    }
    return .goesOn
}

@inline(never)
private func hearARP<R: Recorder>(_ journey: inout Journey, _ snapshot: Snapshot, _ recorder: inout R) -> Hearing {
    let parsed = journey.parsed
    let isForRouter = journey.isForRouter(snapshot)
    guard let packet = ARPPacket(journey.content, parsed) else { return isForRouter ? .drops(.brokenARP) : .goesOn }
    // A pair of addresses that is not the sender's own is not believed.
    let isLearnable = packet.isLearnable && packet.senderMAC == parsed.source
    let sender = IPv6Address(mapping: packet.senderIP)
    if packet.operation == ARPPacket.request {
        let target = IPv6Address(mapping: packet.targetIP)
        let owner = journey.routerThatHas(target, snapshot)
        guard owner != noSlot else {
            if isLearnable { journey.learnNeighbor(sender, packet.senderMAC, creates: false, snapshot) }
            return isForRouter ? .drops(.noSuchService) : .goesOn
        }
        guard journey.mayAnswer(owner, snapshot) else { return isForRouter ? .drops(.notDesignated) : .goesOn }
        recorder.note("answer", "ARP: \(describeAddress(target)) is the router's")
        if isLearnable { journey.learnNeighbor(sender, packet.senderMAC, creates: true, snapshot) }
        journey.answerForAddress(Answer.Kind.arpReply, target, owner, snapshot)
        return .ends
    }
    guard isForRouter else {
        if isLearnable { journey.learnNeighbor(sender, packet.senderMAC, creates: false, snapshot) }
        return .goesOn
    }
    guard packet.operation == ARPPacket.reply else { return .drops(.brokenARP) }
    recorder.note("answer", "ARP: \(describeAddress(sender)) is \(packet.senderMAC), which the router notes")
    if isLearnable { journey.learnNeighbor(sender, packet.senderMAC, creates: true, snapshot) }
    journey.endHeard(snapshot)
    return .ends
}

@inline(never)
private func hearDiscovery<R: Recorder>(
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ recorder: inout R
) -> Hearing {
    let parsed = journey.parsed
    let message = NeighborDiscovery.parse(journey.content, parsed)
    let isForRouter = journey.isForRouter(snapshot)
    if message.isAboutNobody { return isForRouter ? .drops(.brokenNeighborDiscovery) : .goesOn }
    switch message.kind {
    case .solicitation:
        let mac = message.hasLinkLayerAddress ? message.linkLayerAddress : parsed.source
        let isLearnable = !message.isDuplicateDetection && mac == parsed.source
        let owner = journey.routerThatHas(message.target, snapshot)
        guard owner != noSlot else {
            if isLearnable { journey.learnNeighbor(message.source, mac, creates: false, snapshot) }
            return isForRouter ? .drops(.noSuchService) : .goesOn
        }
        guard journey.mayAnswer(owner, snapshot) else { return isForRouter ? .drops(.notDesignated) : .goesOn }
        recorder.note("answer", "neighbour discovery: \(describeAddress(message.target)) is the router's")
        if isLearnable { journey.learnNeighbor(message.source, mac, creates: true, snapshot) }
        journey.answerForAddress(Answer.Kind.neighborAdvertisement, message.target, owner, snapshot)
        return .ends
    case .advertisement:
        let mac = message.hasLinkLayerAddress ? message.linkLayerAddress : parsed.source
        let isLearnable = mac == parsed.source
        if isLearnable { journey.learnNeighbor(message.target, mac, creates: isForRouter, snapshot) }
        guard isForRouter else { return .goesOn }
        recorder.note("answer", "\(describeAddress(message.target)) is \(mac), which the router notes")
        journey.endHeard(snapshot)
        return .ends
    case .invalid, .fragmented:
        return isForRouter ? .drops(.brokenNeighborDiscovery) : .goesOn
    default:
        return .goesOn
    }
}

extension NeighborDiscovery {
    /// It is about, or from, an address that no neighbour has. An IPv4-mapped one would be taken for the IPv4 address in
    /// the tables, which hold both in one shape.
    fileprivate var isAboutNobody: Bool {
        guard kind == .solicitation || kind == .advertisement else { return false }
        return target.isMartianDestination || source.isMartianDestination && !isDuplicateDetection
    }
}

extension Journey {
    /// Whether the frame is addressed to a router of its segment.
    fileprivate func isForRouter(_ snapshot: Snapshot) -> Bool {
        let home = snapshot.told(segment: decision.segment, mac: parsed.destination)
        return home != noSlot && snapshot.attachments[Int(home)].isRouter
    }

    /// The row of an address of a router in the frame's segment, or `noSlot`.
    fileprivate func routerThatHas(_ address: IPv6Address, _ snapshot: Snapshot) -> UInt32 {
        let row = snapshot.neighbor(segment: decision.segment, address)
        return row != noSlot && snapshot.neighbors[Int(row)].router != noSlot ? row : noSlot
    }

    /// Whether this host answers: always to its own ports, else if it is the one that answers to those outside.
    fileprivate func mayAnswer(_ neighbor: UInt32, _ snapshot: Snapshot) -> Bool {
        let place = snapshot.attachments[Int(decision.ingress)]
        guard place.isTunnel || place.kind == AttachmentKind.provider else { return true }
        let router = snapshot.attachments[Int(snapshot.neighbors[Int(neighbor)].router)]
        return snapshot.routers[Int(snapshot.interfaces[Int(router.interface)].router)].isDesignated
    }

    fileprivate mutating func answerForAddress(
        _ kind: UInt8,
        _ address: IPv6Address,
        _ neighbor: UInt32,
        _ snapshot: Snapshot
    ) {
        let row = snapshot.neighbors[Int(neighbor)]
        decision.verdict = .answer
        decision.answer.kind = kind
        decision.answer.source = address
        decision.answer.router = snapshot.interfaces[Int(snapshot.attachments[Int(row.router)].interface)].router
        decision.routing.source = snapshot.routerMAC(decision.answer.router, in: decision.segment)
        decision.routing.destination = parsed.source
    }

    /// Notes who has an address, unless the file says whose it is.
    fileprivate mutating func learnNeighbor(
        _ address: IPv6Address,
        _ mac: MACAddress,
        creates: Bool,
        _ snapshot: Snapshot
    ) {
        guard mac.isUnicast, snapshot.neighbor(segment: decision.segment, address) == noSlot else { return }
        decision.neighbor.kind = creates ? NeighborNews.Kind.learn : NeighborNews.Kind.update
        decision.neighbor.segment = decision.segment
        decision.neighbor.address = address
        decision.neighbor.mac = mac
    }

    /// An answer to a question of the router: the other hosts may have asked.
    fileprivate mutating func endHeard(_ snapshot: Snapshot) {
        let place = snapshot.attachments[Int(decision.ingress)]
        let kind = snapshot.segments[Int(decision.segment)].kind
        let reachesOthers = kind == SegmentKind.vxlan || kind == SegmentKind.gre
        decision.verdict = reachesOthers && !place.isTunnel ? .relay : .taken
        if decision.verdict == .relay { decision.flowHash = 0 }
    }
}
