import Rings
import Tables
import Wire

/// The largest IP packet that can leave by an attachment, in bytes, and whether it is the way to the far end that sets
/// it; 0 is no limit.
struct SizeLimit {
    var bytes: UInt32
    var isPath: Bool

    @inline(__always)
    func isExceeded(by size: UInt32) -> Bool { bytes != 0 && size > bytes }

    /// Of what exceeds it.
    @inline(__always)
    var reason: DropReason { isPath ? .exceedsPathMTU : .exceedsMTU }
}

extension Decision {
    /// Bytes of Ethernet header and of the tenant's tags in front of the packet, as it leaves.
    @inline(__always)
    var linkLength: UInt32 {
        routing.isReframed
            ? UInt32(HeaderLength.ethernet) : networkOffset &- UInt32(strippedTagBytes)
    }
}

extension Snapshot {
    /// The limit of an attachment for a packet that stands behind `linkLength` bytes of Ethernet header and tags, as it
    /// leaves: that of the network or port, and of the way to the far end of a tunnel less the headers in front.
    @inline(__always)
    func limit(_ attachment: UInt32, linkLength: UInt32, _ taught: Taught, now: UInt32) -> SizeLimit {
        let place = attachments[Int(attachment)]
        guard place.isTunnel || place.carriesPackets else {
            return SizeLimit(bytes: endpoints[Int(place.endpoint)].mtu, isPath: false)
        }
        let own = segments[Int(place.segment)].mtu
        let path = taught.pathMTU(place.peer, now: now, snapshot: self)
        guard path != 0 else { return SizeLimit(bytes: own, isPath: false) }
        let pushed = place.vlanTPID != 0 ? UInt32(HeaderLength.vlanTag) : 0
        let front = outerLength(place) &+ (place.isTunnel ? linkLength &+ pushed : 0)
        let left = path > front ? path &- front : 1
        return own == 0 || left < own ? SizeLimit(bytes: left, isPath: true) : SizeLimit(bytes: own, isPath: false)
    }

    /// Bytes of all headers in front of what a tunnel carries.
    @inline(__always)
    func outerLength(_ place: AttachmentRecord) -> UInt32 {
        let ip = UInt32(
            peers[Int(place.peer)].address.mappedIPv4 != nil ? HeaderLength.ipv4 : HeaderLength.ipv6
        )
        switch place.kind {
        case AttachmentKind.vxlan: return ip &+ UInt32(HeaderLength.udp &+ HeaderLength.vxlan)
        case AttachmentKind.gre: return ip &+ 8
        case AttachmentKind.greIP: return ip &+ greLength(place)
        default: return ip
        }
    }

    /// Bytes of the GRE header of a router's tunnel.
    @inline(__always)
    func greLength(_ place: AttachmentRecord) -> UInt32 {
        4 &+ (place.flags & AttachmentRecord.greKey != 0 ? 4 : 0)
            &+ (place.flags & AttachmentRecord.greChecksum != 0 ? 4 : 0)
    }
}

/// Sees to it that a packet for one target fits. If it does not, an IPv4 packet that may be cut is cut, and the sender of
/// any other learns what would fit: from the router, or, where frames are bridged into a tunnel, from the switch in the
/// name of the destination (RFC 4459 §3.1), since nobody else on the way speaks IP.
@inline(__always)
func checkSize<R: Recorder>(
    _ journey: inout Journey,
    _ step: Step?,
    _ snapshot: Snapshot,
    _ taught: Taught,
    _ now: UInt32,
    _ recorder: inout R
) -> DropReason? {
    let link = journey.decision.linkLength
    let limit = snapshot.limit(journey.decision.attachment, linkLength: link, taught, now: now)
    guard limit.isExceeded(by: journey.decision.packetSize) else { return nil }
    return shrink(&journey, step, snapshot, limit, &recorder)
}

@inline(never)
private func shrink<R: Recorder>(
    _ journey: inout Journey,
    _ step: Step?,
    _ snapshot: Snapshot,
    _ limit: SizeLimit,
    _ recorder: inout R
) -> DropReason? {
    let reason = limit.reason
    let parsed = journey.parsed
    guard parsed.isIP, !journey.decision.isTagged else { return reason }
    // A router has seen to it already. What a bridge carries may be broken, and must not be mended or answered.
    if step == nil, isBroken(journey) { return reason }
    let header = journey.content + parsed.networkOffset
    if parsed.isIPv4, header.be16(6) & 0x4000 == 0 {
        recorder.note("size", "\(journey.decision.packetSize) bytes, and \(limit.bytes) fit: may be cut, and is")
        return cut(&journey, limit.bytes) ? nil : reason
    }
    recorder.note("size", "\(journey.decision.packetSize) bytes, and \(limit.bytes) fit: the sender is told")
    let mtu = parsed.isIPv6 ? max(limit.bytes, 1280) : limit.bytes
    let type = parsed.isIPv6 ? ICMPv6.packetTooBig : ICMP.unreachable
    let code = parsed.isIPv6 ? 0 : ICMP.fragmentationNeeded
    if let step {
        journey.answerError(type, code, mtu, from: step, snapshot)
    } else if !journey.isTunnelled {
        journey.answerErrorForDestination(type, code, mtu)
    }
    return reason
}

/// Whether nothing in a packet's header can be relied on.
private func isBroken(_ journey: Journey) -> Bool {
    switch RouterHeaderCheck.check(journey.content, journey.parsed).verdict {
    case .truncated, .version, .headerLength, .totalLength, .checksum, .badOption, .extensionHeaders: true
    default: false
    }
}

/// Prepares a packet that may be cut: a TCP super-frame becomes one of smaller segments, anything else fragments.
private func cut(_ journey: inout Journey, _ mtu: UInt32) -> Bool {
    let parsed = journey.parsed
    let headers = parsed.payloadOffset &- parsed.networkOffset
    if journey.decision.offload.isSuperFrame {
        guard parsed.protocol == IPProtocol.tcp, Int(mtu) > headers &+ 8 else { return false }
        journey.decision.offload.gsoSize = UInt16(truncatingIfNeeded: Int(mtu) &- headers)
        journey.decision.packetSize = mtu
        return true
    }
    guard mtu >= 68, !journey.decision.hasChecksum(behind: parsed.endOffset) else { return false }
    journey.decision.fragmentMTU = mtu
    journey.decision.packetSize = mtu
    journey.decision.note(.fragmented)
    if !journey.decision.routing.isReframed, journey.decision.routing.hops == 0 {
        // Of a bridged frame: its fragments get a header of their own.
        journey.decision.routing.isReframed = true
        journey.decision.routing.destination = parsed.destination
        journey.decision.routing.source = parsed.source
        journey.decision.routing.segment = journey.decision.segment
    }
    journey.decision.contentLength = UInt32(truncatingIfNeeded: parsed.endOffset)
    return true
}

extension Journey {
    /// Has a switch say in the name of the destination that a frame is too large for the tunnel behind it.
    fileprivate mutating func answerErrorForDestination(_ type: UInt8, _ code: UInt8, _ mtu: UInt32) {
        guard
            ICMPError.mayAnswer(
                content,
                parsed: parsed,
                linkDestinationIsGroup: parsed.destination.isGroup,
                isTooBigOrParameter2: parsed.isIPv6
            )
        else { return }
        let header = content + parsed.networkOffset
        // No group speaks.
        if parsed.isIPv6, header.ipv6(24).isMulticast { return }
        decision.answer.kind = Answer.Kind.error
        decision.answer.type = type
        decision.answer.code = code
        decision.answer.parameter = mtu
        decision.answer.source = parsed.isIPv4 ? IPv6Address(mapping: header.ipv4(16)) : header.ipv6(24)
        decision.routing.destination = parsed.source
        decision.routing.source = parsed.destination
    }
}
