import Rings
import Tables
import Wire

/// The two ends of an IP packet, IPv4 as mapped addresses.
struct PacketAddresses {
    var source = IPv6Address(high: 0, low: 0)
    var destination = IPv6Address(high: 0, low: 0)
}

/// What a router looks at before it looks for a way: whether it is a packet at all, and whether its addresses are such
/// that packets have. Sets `journey.packet`, and cuts off what stands behind the end of the packet.
@inline(__always)
func checkPacket<R: Recorder>(
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ interface: UInt32,
    _ recorder: inout R
) -> DropReason? {
    let parsed = journey.parsed
    guard parsed.etherType == EtherType.ipv4 || parsed.etherType == EtherType.ipv6, !journey.decision.isTagged else {
        return .notRoutable
    }
    if let reason = checkHeader(&journey, snapshot, interface, &recorder) { return reason }
    let header = journey.content + parsed.networkOffset
    if parsed.isIPv4 {
        journey.packet.source = IPv6Address(mapping: header.ipv4(12))
        journey.packet.destination = IPv6Address(mapping: header.ipv4(16))
    } else {
        journey.packet.source = header.ipv6(8)
        journey.packet.destination = header.ipv6(24)
    }
    if let reason = checkAddresses(journey, snapshot, interface) { return reason }
    // Padding behind the packet is the link's, not the packet's, and no place for a checksum.
    if journey.decision.hasChecksum(behind: parsed.endOffset) { return .badOffload }
    journey.decision.contentLength = UInt32(truncatingIfNeeded: parsed.endOffset)
    if !journey.decision.offload.isSuperFrame {
        journey.decision.packetSize = UInt32(truncatingIfNeeded: parsed.endOffset &- parsed.networkOffset)
    }
    return nil
}

/// The header itself (RFC 1812 §5.2.2), its options and extension headers.
@inline(__always)
private func checkHeader<R: Recorder>(
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ interface: UInt32,
    _ recorder: inout R
) -> DropReason? {
    let finding = RouterHeaderCheck.check(journey.content, journey.parsed)
    switch finding.verdict {
    case .fine, .routerAlert: return nil
    case .sourceRoute, .routingHeader0: return .sourceRoute
    case .unknownOptionDiscard: return .refusedByOption
    case .unknownOptionAnswer, .unknownOptionAnswerUnicast:
        recorder.note("route", "an option that is not known here, at byte \(finding.offset)")
        let step = Step(interface: interface, router: snapshot.interfaces[Int(interface)].router)
        journey.answerError(
            ICMPv6.parameterProblem,
            ICMPv6.unknownOption,
            UInt32(finding.offset),
            from: step,
            snapshot
        )
        return .refusedByOption
    default:
        recorder.note("route", "the IP header is broken: \(finding.verdict)")
        return .brokenIPHeader
    }
}

/// RFC 1812 §5.3.7, RFC 6890, RFC 4291 §2.5.
@inline(__always)
private func checkAddresses(_ journey: Journey, _ snapshot: Snapshot, _ interface: UInt32) -> DropReason? {
    let packet = journey.packet
    if journey.parsed.isIPv4 {
        let source = IPv4Address(bits: UInt32(truncatingIfNeeded: packet.source.low))
        let destination = IPv4Address(bits: UInt32(truncatingIfNeeded: packet.destination.low))
        if source.isMartianSource { return .martianSource }
        if destination.isMulticast { return .multicastNotRouted }
        if destination.isMartianDestination { return .martianDestination }
        // RFC 3927 §2.7.
        if source.isLinkLocal || destination.isLinkLocal { return .linkLocalScope }
        return nil
    }
    if packet.source.isMartianSource { return .martianSource }
    if packet.destination.isMulticast { return .multicastNotRouted }
    if packet.destination.isMartianDestination { return .martianDestination }
    if packet.source.isLinkLocal || packet.destination.isLinkLocal {
        // On its own link a router can be spoken to; another router's address there would be forwarded to.
        let row = snapshot.interfaces[Int(interface)]
        let own = snapshot.neighbor(segment: row.segment, packet.destination)
        guard own != noSlot, snapshot.neighbors[Int(own)].router == row.attachment else { return .linkLocalScope }
    }
    return nil
}
