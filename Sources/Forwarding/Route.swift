import Rings
import Tables
import Wire

/// Routers that a packet may pass on one host: a tenant may chain routers, and chain them into a ring.
private let maximumRouters: UInt8 = 8

/// Finds the way of a packet that a router got, from the interface that it came in by to the attachment that it leaves
/// by. Routers of one tenant that are neighbours in a network are passed one after the other.
func route<R: Recorder>(
    from interface: UInt32,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ taught: Taught,
    _ now: UInt32,
    _ recorder: inout R
) -> DropReason? {
    if let reason = checkPacket(&journey, snapshot, interface, &recorder) { return reason }
    var interface = interface
    while true {
        let router = snapshot.interfaces[Int(interface)].router
        journey.decision.routing.hops &+= 1
        var step = Step(interface: interface, router: router)
        if let reason = findHop(&step, &journey, snapshot, taught, &recorder) { return reason }
        let reason: DropReason? =
            switch step.hop.kind {
            case HopKind.local: deliver(step, &journey, snapshot, &recorder)
            case HopKind.connected, HopKind.gateway:
                sendToNeighbor(&step, &journey, snapshot, taught, now, &recorder)
            case HopKind.tunnel: sendIntoTunnel(step, &journey, snapshot, taught, now, &recorder)
            case HopKind.redirect: redirect(step, &journey, snapshot, taught, now, &recorder)
            default: refuse(.tunnelOutOfReach, step, &journey, snapshot, unreachable: .network)
            }
        if reason != nil { return reason }
        guard step.next != noSlot else { return nil }
        interface = step.next
        guard journey.decision.routing.hops < maximumRouters else { return .tooManyRouters }
    }
}

/// One router on a packet's way.
struct Step {
    /// Where the packet came in.
    var interface: UInt32
    var router: UInt32
    var route: UInt32 = noSlot
    var hop = NextHopRecord()
    /// The interface of the router that comes next on this host, or `noSlot`.
    var next: UInt32 = noSlot

    init(interface: UInt32, router: UInt32) {
        self.interface = interface
        self.router = router
    }
}

/// The longest prefix, and of several next hops the flow's.
private func findHop<R: Recorder>(
    _ step: inout Step,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ taught: Taught,
    _ recorder: inout R
) -> DropReason? {
    step.route = snapshot.route(router: step.router, to: journey.packet.destination, isIPv6: journey.parsed.isIPv6)
    if snapshot.routers[Int(step.router)].isUnderlay {
        // A host that is no router says nothing about what is not for it (RFC 1122 §3.2.1.3).
        guard step.route != noSlot, snapshot.routes[Int(step.route)].kind == RouteKind.local else {
            return .notRoutable
        }
    }
    guard step.route != noSlot else {
        recorder.note(
            "route",
            "\(snapshot.describe(router: step.router)) has no route to \(describeAddress(journey.packet.destination))"
        )
        return refuse(.noRoute, step, &journey, snapshot, unreachable: .network)
    }
    let row = snapshot.routes[Int(step.route)]
    recorder.note("route", snapshot.describe(router: step.router) + ": " + snapshot.describe(route: row))
    if row.kind != RouteKind.local {
        if let reason = checkSource(step, &journey, snapshot, &recorder) { return reason }
        guard journey.parsed.ttl > journey.decision.routing.hops else {
            return refuse(.hopLimitExceeded, step, &journey, snapshot, unreachable: .timeExceeded)
        }
    }
    switch row.kind {
    case RouteKind.blackhole: return .refusedByRoute
    case RouteKind.unreachable: return refuse(.refusedByRoute, step, &journey, snapshot, unreachable: .host)
    case RouteKind.prohibit: return refuse(.refusedByRoute, step, &journey, snapshot, unreachable: .prohibited)
    default: break
    }
    var choice = 0
    if row.hopCount > 1 {
        journey.hashFlow(taught.macs)
        choice = Int(journey.decision.flowHash % row.hopCount)
        recorder.note("route", "next hop \(choice + 1) of \(row.hopCount), by flow")
    }
    step.hop = snapshot.hops[Int(row.hopStart) + choice]
    return nil
}

/// The route back to the source leads where the packet came from (RFC 3704). What a host of the same router passed on
/// was checked there.
private func checkSource<R: Recorder>(
    _ step: Step,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ recorder: inout R
) -> DropReason? {
    if journey.isFromSibling { return nil }
    let router = snapshot.routers[Int(step.router)]
    guard router.flags & (RouterRecord.strictReversePath | RouterRecord.looseReversePath) != 0 else { return nil }
    let back = snapshot.route(router: step.router, to: journey.packet.source, isIPv6: journey.parsed.isIPv6)
    guard back != noSlot else {
        recorder.note("route", "no route back to " + describeAddress(journey.packet.source))
        return .reversePath
    }
    let row = snapshot.routes[Int(back)]
    if row.kind == RouteKind.local { return .martianSource }
    // A route that drops is no way back (RFC 5635 §4).
    if router.flags & RouterRecord.strictReversePath == 0, row.hopCount > 0 { return nil }
    for i in Int(row.hopStart)..<Int(row.hopStart &+ row.hopCount)
    where snapshot.hops[i].interface == step.interface {
        return nil
    }
    recorder.note("route", "the way back to the source is " + snapshot.describe(route: row))
    return .reversePath
}

// MARK: - Endings

/// For the router itself: it answers echo requests, and says of everything else that it offers none of it.
private func deliver<R: Recorder>(
    _ step: Step,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ recorder: inout R
) -> DropReason? {
    let parsed = journey.parsed
    // Nothing was passed by a packet that has arrived.
    journey.decision.routing.hops = 0
    // Out of a tunnel, one without a hop left must not have (RFC 2003 §3.1); elsewhere it may (RFC 1122 §3.2.1.7).
    if journey.decision.networkType == EtherType.ipv4, parsed.ttl == 0 { return .hopLimitExceeded }
    if snapshot.routers[Int(step.router)].isUnderlay {
        switch hearUnderlay(step, &journey, snapshot, &recorder) {
        case .goesOn: break
        case .ends: return nil
        case .drops(let reason): return reason
        }
    }
    if EchoReply.isRequest(journey.content, parsed) {
        guard journey.decision.offload.needsChecksum || EchoReply.checksumIsValid(journey.content, parsed) else {
            return .brokenIPHeader
        }
        recorder.note("answer", "echo reply from " + describeAddress(journey.packet.destination))
        journey.decision.verdict = .answer
        journey.decision.answer.kind = Answer.Kind.echoReply
        journey.decision.answer.router = step.router
        journey.decision.answer.source = journey.packet.destination
        return nil
    }
    let hasPorts = parsed.protocol == IPProtocol.udp || parsed.protocol == IPProtocol.tcp
    if parsed.protocol == IPProtocol.icmp || parsed.protocol == IPProtocol.icmpv6 { return .noSuchService }
    return refuse(.noSuchService, step, &journey, snapshot, unreachable: hasPorts ? .port : .protocol)
}

/// Into a network, to the destination itself or a gateway.
private func sendToNeighbor<R: Recorder>(
    _ step: inout Step,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ taught: Taught,
    _ now: UInt32,
    _ recorder: inout R
) -> DropReason? {
    let out = snapshot.interfaces[Int(step.hop.interface)]
    let isGateway = step.hop.kind == HopKind.gateway
    let address = isGateway ? step.hop.gateway : journey.packet.destination
    if !isGateway, isEdge(address, of: snapshot.routes[Int(step.route)]) { return .martianDestination }
    let owner = snapshot.resolve(segment: out.segment, address, taught, now)
    let mac = owner.mac
    switch owner.state {
    case NeighborTable.State.reachable:
        let how = owner.isTold ? "by the file" : "it answered"
        recorder.note("resolve", "\(describeAddress(address)) is \(mac), \(how)")
        if owner.isStale { journey.want(NeighborNews.Kind.recheck, out.segment, step.hop.interface, address, mac) }
    case NeighborTable.State.failed:
        recorder.note("resolve", "nobody answers for \(describeAddress(address))")
        return refuse(.neighborUnresolved, step, &journey, snapshot, unreachable: .host)
    default:
        recorder.note("resolve", "who has \(describeAddress(address)) is to be asked; the packet waits")
        journey.want(NeighborNews.Kind.resolve, out.segment, step.hop.interface, address, .zero)
        journey.decision.verdict = .hold
        return nil
    }
    journey.reframe(
        to: mac,
        from: snapshot.routerMAC(step.router, in: out.segment),
        segment: out.segment
    )
    return sendWithin(out, mac, &step, &journey, snapshot, taught, now, &recorder)
}

/// Finds where an address of a network is, as a bridge does.
private func sendWithin<R: Recorder>(
    _ out: InterfaceRecord,
    _ mac: MACAddress,
    _ step: inout Step,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ taught: Taught,
    _ now: UInt32,
    _ recorder: inout R
) -> DropReason? {
    var target = snapshot.told(segment: out.segment, mac: mac)
    if target == noSlot {
        target = taught.macs.find(segment: out.segment, mac: mac, now: now, snapshot: snapshot)
    }
    guard target != noSlot else {
        if snapshot.segments[Int(out.segment)].dropsUnknownUnicast { return .unknownUnicast }
        recorder.note("bridge", "nobody knows where \(mac) is: to all of \(snapshot.describeSegment(out.segment))")
        journey.hashFlow(taught.macs)
        journey.decision.verdict = .flood
        var targets = FloodTargets(journey.decision, snapshot)
        return targets.next() == nil ? .noReceiver : nil
    }
    let place = snapshot.attachments[Int(target)]
    guard place.segment == out.segment else { return .crossesNetworks }
    if place.isRouter {
        guard snapshot.interfaces[Int(place.interface)].router != step.router else { return .redirectLoop }
        step.next = place.interface
        return nil
    }
    recorder.note("bridge", "\(mac) is at \(snapshot.describe(attachment: target))")
    if place.isTunnel { journey.hashFlow(taught.macs) }
    journey.decision.verdict = .forward
    journey.decision.attachment = target
    return checkSize(&journey, step, snapshot, taught, now, &recorder)
}

/// Into a tunnel that begins on this host.
private func sendIntoTunnel<R: Recorder>(
    _ step: Step,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ taught: Taught,
    _ now: UInt32,
    _ recorder: inout R
) -> DropReason? {
    let place = snapshot.attachments[Int(step.hop.attachment)]
    let far = snapshot.peers[Int(place.peer)].address
    // RFC 2003 §3.2, RFC 2784 §3.1: what is for the far end itself would be put into itself again at every turn.
    guard journey.packet.destination != far, journey.packet.source != far else { return .tunnelLoop }
    // Two routers that each think the other nearer would play ping-pong with it (RFC 4443 §3.1).
    guard step.hop.interface != step.interface else {
        return refuse(.tunnelLoop, step, &journey, snapshot, unreachable: .host)
    }
    recorder.note("tunnel", "into \(snapshot.describe(attachment: step.hop.attachment))")
    journey.hashFlow(taught.macs)
    journey.decision.routing.segment = place.segment
    journey.decision.verdict = .forward
    journey.decision.attachment = step.hop.attachment
    return checkSize(&journey, step, snapshot, taught, now, &recorder)
}

/// As it came, to the host that has the tunnel: it is routed there, with all its hops.
private func redirect<R: Recorder>(
    _ step: Step,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ taught: Taught,
    _ now: UInt32,
    _ recorder: inout R
) -> DropReason? {
    guard !journey.isFromSibling else { return .redirectLoop }
    let place = snapshot.attachments[Int(step.hop.attachment)]
    let mac = MACAddress(bits: snapshot.routers[Int(step.router)].mac)
    recorder.note("route", "the tunnel is another host's: to \(snapshot.describe(attachment: step.hop.attachment))")
    journey.hashFlow(taught.macs)
    journey.decision.routing.hops &-= 1
    journey.reframe(to: mac, from: mac, segment: place.segment)
    journey.decision.verdict = .forward
    journey.decision.attachment = step.hop.attachment
    return checkSize(&journey, step, snapshot, taught, now, &recorder)
}

/// Whether an address is the network's own or its broadcast address (RFC 2644: not passed on by default). A prefix of 31
/// bits has neither (RFC 3021), nor has IPv6.
@inline(__always)
private func isEdge(_ address: IPv6Address, of route: RouteRecord) -> Bool {
    guard let v4 = address.mappedIPv4, route.length < 31 else { return false }
    let mask = UInt32.max &>> UInt32(route.length)
    let host = v4.bits & mask
    return host == 0 || host == mask
}

extension Journey {
    @inline(__always)
    mutating func want(
        _ kind: UInt8,
        _ segment: UInt32,
        _ interface: UInt32,
        _ address: IPv6Address,
        _ mac: MACAddress
    ) {
        decision.neighbor.kind = kind
        decision.neighbor.segment = segment
        decision.neighbor.interface = interface
        decision.neighbor.address = address
        decision.neighbor.mac = mac
    }

    @inline(__always)
    fileprivate mutating func reframe(to destination: MACAddress, from source: MACAddress, segment: UInt32) {
        decision.routing.isReframed = true
        decision.routing.destination = destination
        decision.routing.source = source
        decision.routing.segment = segment
    }
}

extension Snapshot {
    /// The route of the longest prefix, whatever the family.
    @inline(__always)
    func route(router: UInt32, to address: IPv6Address, isIPv6: Bool) -> UInt32 {
        isIPv6
            ? route(router: router, address)
            : route(router: router, IPv4Address(bits: UInt32(truncatingIfNeeded: address.low)))
    }

    /// The source of what a router sends into a network from this host. Provider networks have switches outside of the
    /// file, which must not see one address at two places.
    @inline(__always)
    public func routerMAC(_ router: UInt32, in segment: UInt32) -> MACAddress {
        let row = routers[Int(router)]
        let kind = segments[Int(segment)].kind
        let isProvider = kind == SegmentKind.flat || kind == SegmentKind.vlan
        return MACAddress(bits: isProvider ? row.hostMAC : row.mac)
    }
}
