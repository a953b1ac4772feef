import Rings
import Tables
import Wire

/// Takes the VXLAN header off (RFC 7348 §5).
@inline(__always)
func decapsulateVXLAN<R: Recorder>(
    _ frame: Frame,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ recorder: inout R
) -> DropReason? {
    if snapshot.isTenantInterface(frame.outerInterface) { return .tunnelFromTenant }
    return enterVXLAN(frame.endpoint, at: 0, &journey, snapshot, &recorder)
}

/// The same where the VXLAN header stands `start` bytes behind the first.
///
/// - Parameter way: what stands for the endpoint in keys.
@inline(__always)
func enterVXLAN<R: Recorder>(
    _ way: UInt32,
    at start: Int,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ recorder: inout R
) -> DropReason? {
    guard let header = VXLANHeader(journey.content + start, Int(journey.decision.contentLength) - start) else {
        return .tunnelHeaderTruncated
    }
    if header.hasReservedBits { journey.decision.note(.vxlanReservedBits) }
    guard header.isValid else { return .vxlanNoVNI }
    recorder.note("decapsulate", "VXLAN, VNI \(header.vni), from \(describeAddress(journey.outerSource))")
    journey.remove(tunnelHeader: start + VXLANHeader.length)
    return enterTunnel(way, header.vni, unknown: .unknownVNI, &journey, snapshot)
}

/// Takes a GRE header with a key off (RFC 2784, RFC 2890).
@inline(__always)
func decapsulateGRE<R: Recorder>(
    _ frame: Frame,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ recorder: inout R
) -> DropReason? {
    if snapshot.isTenantInterface(frame.outerInterface) { return .tunnelFromTenant }
    return enterGRE(frame.endpoint, at: 0, &journey, snapshot, &recorder)
}

/// The same where the GRE header stands `start` bytes behind the first.
///
/// - Parameter way: what stands for the endpoint in keys.
@inline(__always)
func enterGRE<R: Recorder>(
    _ way: UInt32,
    at start: Int,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ recorder: inout R
) -> DropReason? {
    let bytes = journey.content + start
    let count = Int(journey.decision.contentLength) - start
    let header = GREHeader.parse(bytes, count)
    switch header.problem {
    case .none: break
    case .truncated: return .tunnelHeaderTruncated
    case .routing, .version: return .greHeader
    }
    if !header.checksumIsValid(bytes, count) {
        // A kernel's tunnel device whose packets cross a veth leaves this checksum to the hardware, and its field at zero.
        // Nor can it be right on an uplink before what it covers is finished.
        guard bytes.be16(4) == 0 || start > 0 && journey.offload.needsChecksum else { return .greChecksum }
        journey.decision.note(.partialChecksumFound)
    }
    if header.hasSequence { journey.decision.note(.greSequenceIgnored) }
    if header.protocolType == EtherType.ipv4 || header.protocolType == EtherType.ipv6 {
        return decapsulatePacket(way, header, at: start, &journey, snapshot, &recorder)
    }
    guard header.protocolType == EtherType.transparentEthernet else { return .greProtocol }
    guard header.hasKey else { return .greNoKey }
    recorder.note("decapsulate", "GRE, key \(header.key), from \(describeAddress(journey.outerSource))")
    journey.remove(tunnelHeader: start + header.length)
    return enterTunnel(way, header.key, unknown: .unknownKey, &journey, snapshot)
}

/// The network is the identifier's, and only those VTEPs may speak in it that have a port there.
@inline(__always)
private func enterTunnel(
    _ way: UInt32,
    _ identifier: UInt32,
    unknown: DropReason,
    _ journey: inout Journey,
    _ snapshot: Snapshot
) -> DropReason? {
    let peer = snapshot.peer(journey.outerSource)
    guard peer != noSlot else { return .unknownPeer }
    let segment = snapshot.segment(endpoint: way, identifier: identifier)
    guard segment != noSlot else { return unknown }
    let attachment = snapshot.attachment(segment: segment, peer: peer)
    guard attachment != noSlot else {
        journey.decision.segment = segment
        return .peerNotInNetwork
    }
    journey.decision.ingress = attachment
    journey.decision.segment = segment
    return nil
}

/// Brings congestion that was met between the VTEPs to the tenant's IP header (RFC 6040 §4.2; RFC 9601: also for VXLAN
/// and GRE). A frame without one has nothing to say it with.
@inline(__always)
func takeOverECN<R: Recorder>(_ outerTOS: UInt8, _ journey: inout Journey, _ recorder: inout R) -> DropReason? {
    guard journey.parsed.isIP else { return nil }
    let inner = journey.parsed.tos
    let result = ECN.decapsulate(inner: inner, outer: outerTOS)
    switch result.alarm {
    case .none: break
    case .unusual: journey.decision.note(.ecnNotice)
    case .broken: journey.decision.note(.ecnAlarm)
    }
    if result.isDrop { return .ecnInvalid }
    if result.ecn != inner & ECN.mask {
        recorder.note("decapsulate", "inner ECN \(inner & ECN.mask) becomes \(result.ecn) (RFC 6040)")
        journey.decision.ecn = result.ecn
        journey.decision.tos = inner & ~ECN.mask | result.ecn
    }
    return nil
}
