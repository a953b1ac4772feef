import Rings
import Tables
import Wire

// The way from an uplink to a peer: the underlay's router knows whether it is a neighbour or behind a gateway.

/// The station that packets to a peer are handed to.
struct UnderlayHop {
    /// `NeighborTable.State`, or `noWay`.
    var state: UInt8
    var mac = MACAddress.zero
    var address = IPv6Address(high: 0, low: 0)
    /// It answered a while ago and is to be asked again.
    var isStale = false

    static let noWay: UInt8 = 0xFF
}

/// Finds the next hop to a peer by the underlay's routes and its neighbours, told or learned.
@inline(__always)
func underlayHop(
    _ interface: UInt32,
    to peer: IPv6Address,
    _ snapshot: Snapshot,
    _ taught: Taught,
    _ now: UInt32
) -> UnderlayHop {
    let out = snapshot.interfaces[Int(interface)]
    let route = snapshot.route(router: out.router, to: peer, isIPv6: peer.mappedIPv4 == nil)
    guard route != noSlot, snapshot.routes[Int(route)].hopCount > 0 else {
        return UnderlayHop(state: UnderlayHop.noWay)
    }
    let way = snapshot.hops[Int(snapshot.routes[Int(route)].hopStart)]
    var hop = UnderlayHop(state: NeighborTable.State.none)
    switch way.kind {
    case HopKind.connected: hop.address = peer
    case HopKind.gateway: hop.address = way.gateway
    default: return UnderlayHop(state: UnderlayHop.noWay)
    }
    let owner = snapshot.resolve(segment: out.segment, hop.address, taught, now)
    hop.state = owner.state
    hop.mac = owner.mac
    hop.isStale = owner.isStale
    return hop
}

/// Sees to it that a frame for one VTEP behind an uplink has a next hop, or waits for one.
@inline(__always)
func findNextHop<R: Recorder>(
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ taught: Taught,
    _ now: UInt32,
    _ recorder: inout R
) -> DropReason? {
    guard journey.decision.verdict == .forward else { return nil }
    let place = snapshot.attachments[Int(journey.decision.attachment)]
    guard place.isBehindUplink else { return nil }
    return checkNextHop(place, snapshot.underlayInterface(place), &journey, snapshot, taught, now, &recorder)
}

@inline(never)
private func checkNextHop<R: Recorder>(
    _ place: AttachmentRecord,
    _ interface: UInt32,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ taught: Taught,
    _ now: UInt32,
    _ recorder: inout R
) -> DropReason? {
    let hop = underlayHop(interface, to: snapshot.peers[Int(place.peer)].address, snapshot, taught, now)
    switch hop.state {
    case NeighborTable.State.reachable:
        recorder.note("uplink", "the next hop is \(describeAddress(hop.address)) at \(hop.mac)")
        if hop.isStale, journey.decision.neighbor.kind == NeighborNews.Kind.none {
            journey.want(NeighborNews.Kind.recheck, interface, hop, snapshot)
        }
        return nil
    case NeighborTable.State.failed:
        recorder.note("uplink", "nobody in the underlay answers for \(describeAddress(hop.address))")
        return .neighborUnresolved
    case UnderlayHop.noWay:
        recorder.note("uplink", "the underlay has no way to the VTEP")
        return .unreachable
    default:
        recorder.note("uplink", "who has \(describeAddress(hop.address)) is to be asked; the frame waits")
        journey.want(NeighborNews.Kind.resolve, interface, hop, snapshot)
        journey.decision.verdict = .hold
        return nil
    }
}

extension Journey {
    fileprivate mutating func want(_ kind: UInt8, _ interface: UInt32, _ hop: UnderlayHop, _ snapshot: Snapshot) {
        want(kind, snapshot.interfaces[Int(interface)].segment, interface, hop.address, hop.mac)
    }
}

/// What has to be asked so that packets to a peer can leave by an uplink without waiting; of kind `none` if its next hop is
/// known well enough, or was asked for in vain.
///
/// - Parameter interface: that of the underlay's router.
public func underlayQuestion(
    peer: UInt32,
    interface: UInt32,
    snapshot: Snapshot,
    taught: Taught,
    now: UInt32
) -> NeighborNews {
    var news = NeighborNews()
    let hop = underlayHop(interface, to: snapshot.peers[Int(peer)].address, snapshot, taught, now)
    switch hop.state {
    case NeighborTable.State.none: news.kind = NeighborNews.Kind.resolve
    case NeighborTable.State.reachable where hop.isStale: news.kind = NeighborNews.Kind.recheck
    default: return news
    }
    news.segment = snapshot.interfaces[Int(interface)].segment
    news.interface = interface
    news.address = hop.address
    news.mac = hop.mac
    return news
}

// MARK: - What comes to the VTEP and is no tunnel packet

/// Has the underlay's router listen to what is addressed to it: it answers pings and believes messages about the path MTU.
func hearUnderlay<R: Recorder>(
    _ step: Step,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ recorder: inout R
) -> Hearing {
    let parsed = journey.parsed
    if parsed.has(.fragment) { return .drops(.outerFragment) }
    let endpoint = snapshot.endpoints[Int(snapshot.attachments[Int(journey.decision.ingress)].endpoint)]
    let port = UInt16(truncatingIfNeeded: endpoint.port)
    // A tunnel packet with something unusual about its headers is not worth an answer.
    switch parsed.protocol {
    case IPProtocol.udp where parsed.destinationPort == port: return .drops(.noSuchService)
    case IPProtocol.gre, IPProtocol.ipv4, IPProtocol.ipv6, IPProtocol.ka9qIPIP: return .drops(.noSuchService)
    default: break
    }
    guard let news = PathMTUMessage(journey.content, parsed, port: port) else { return .goesOn }
    let peer = snapshot.peer(news.peer)
    guard peer != noSlot, news.sender == journey.packet.destination,
        EchoReply.checksumIsValid(journey.content, parsed)
    else { return .drops(.noSuchService) }
    recorder.note("uplink", "the way to \(describeAddress(news.peer)) takes packets of \(news.mtu) bytes")
    journey.decision.verdict = .taken
    journey.decision.neighbor.kind = NeighborNews.Kind.pathMTU
    journey.decision.neighbor.address = news.peer
    journey.decision.pathMTU = news.mtu
    return .ends
}

/// Fragmentation needed or packet too big about a tunnel packet (RFC 1191 §4, RFC 8201 §4).
private struct PathMTUMessage {
    /// The ends of the packet that is quoted.
    var sender: IPv6Address
    var peer: IPv6Address
    var mtu: UInt32

    /// Smaller values are not believed: no link has less, and whoever says so wants our packets small.
    static let leastIPv4: UInt32 = 576

    /// Nil if it is anything else: ours is what goes to the port of VXLAN, and the ports must be in the quotation; GRE; and
    /// IP in IP.
    init?(_ frame: UnsafeRawPointer, _ parsed: ParsedFrame, port: UInt16) {
        guard parsed.has(.transport), !parsed.has(.cutShort) else { return nil }
        let message = frame + parsed.transportOffset
        let present = parsed.endOffset &- parsed.transportOffset &- HeaderLength.icmp
        let quoted = message + HeaderLength.icmp
        if parsed.isIPv4 {
            guard parsed.protocol == IPProtocol.icmp, present >= HeaderLength.ipv4 &+ HeaderLength.udp,
                message.byte(0) == ICMP.unreachable, message.byte(1) == ICMP.fragmentationNeeded
            else { return nil }
            let length = Int(quoted.byte(0) & 0x0F) &* 4
            guard quoted.byte(0) &>> 4 == 4, length >= HeaderLength.ipv4, length &+ HeaderLength.udp <= present,
                quoted.be16(6) & 0x1FFF == 0, Self.isOurs(quoted.byte(9), quoted + length, port)
            else { return nil }
            mtu = UInt32(message.be16(6))
            sender = IPv6Address(mapping: quoted.ipv4(12))
            peer = IPv6Address(mapping: quoted.ipv4(16))
            guard mtu >= PathMTUMessage.leastIPv4 else { return nil }
        } else {
            guard parsed.protocol == IPProtocol.icmpv6, present >= HeaderLength.ipv6 &+ HeaderLength.udp,
                message.byte(0) == ICMPv6.packetTooBig, quoted.byte(0) &>> 4 == 6,
                Self.isOurs(quoted.byte(6), quoted + HeaderLength.ipv6, port)
            else { return nil }
            mtu = message.be32(4)
            sender = quoted.ipv6(8)
            peer = quoted.ipv6(24)
            guard mtu >= PathMTU.leastIPv6 else { return nil }
        }
    }

    private static func isOurs(_ number: UInt8, _ transport: UnsafeRawPointer, _ port: UInt16) -> Bool {
        switch number {
        case IPProtocol.udp: transport.be16(2) == port
        case IPProtocol.gre, IPProtocol.ipv4, IPProtocol.ipv6: true
        default: false
        }
    }
}
