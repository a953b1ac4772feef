import Rings
import Tables
import Wire

/// The longest content: an IP packet of 65 535 bytes behind an Ethernet header and two tags.
let maximumContentLength = HeaderLength.ethernet + 2 * HeaderLength.vlanTag + 0xFFFF

/// Checksums that begin later than this are refused, so that no header pushed in front makes their place overflow.
let maximumChecksumStart = 0xFF00

/// Most segments that a super-frame may stand for: 64 KiB in the smallest segments that Linux makes (48 bytes). A
/// tenant that asks for one byte per segment would buy 65 000 frames with one.
let maximumSegments = 1400

/// Looks at the tenant's own frame: its tags, then once at everything else that later stages need.
@inline(__always)
func admit<R: Recorder>(
    _ frame: Frame,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ recorder: inout R
) -> DropReason? {
    let count = Int(journey.decision.contentLength)
    guard count <= maximumContentLength else { return .tooLong }
    let segment = snapshot.segments[Int(journey.decision.segment)]
    if journey.decision.networkType == 0 {
        guard count >= HeaderLength.ethernet else { return .tooShort }
        if let reason = settleTags(&journey, isTransparent: segment.isVLANTransparent) { return reason }
        journey.parsed = ParsedFrame(journey.content, count)
    } else {
        journey.parsed = ParsedFrame(datagram: journey.content, count, etherType: journey.decision.networkType)
    }
    let parsed = journey.parsed
    let stripped = journey.decision.strippedTagBytes
    let priority = journey.decision.priority
    journey.decision.source = parsed.source
    journey.decision.isTagged = UInt8(HeaderLength.vlanTag) &* parsed.tagCount > stripped
    journey.decision.networkOffset = UInt32(truncatingIfNeeded: parsed.networkOffset)
    journey.decision.tos = parsed.tos
    if journey.isTunnelled { recorder.note("content", "\(count) bytes: " + describe(parsed, journey.content)) }
    if stripped > 0 { recorder.note("content", "\(stripped) bytes of tags come off, priority \(priority)") }

    if journey.isTunnelled, let reason = takeOverECN(journey.outerTOS, &journey, &recorder) { return reason }
    if isNestedTunnel(journey) { return .nestedTunnel }
    guard settleOffload(journey.offload, &journey) else { return .badOffload }
    if journey.isTunnelled {
        guard findUnfinishedWork(&journey, mtu: segment.mtu, &recorder) else { return .badOffload }
    }
    journey.decision.packetSize = packetSize(journey.decision, parsed)
    return nil
}

/// Strips tags with VLAN id 0, which only carry a priority (IEEE 802.1Q §6.9), two tags at most in all. What is tagged
/// after that may stay only where the network carries tags as they are.
@inline(__always)
private func settleTags(_ journey: inout Journey, isTransparent: Bool) -> DropReason? {
    let count = Int(journey.decision.contentLength)
    while true {
        let at = 12 + Int(journey.decision.strippedTagBytes)
        // The last tag that was stripped had a type behind it: this is within the frame.
        guard EtherType.isTag(journey.content.be16(at)) else { return nil }
        guard count >= at + 6 else { return .tooShort }
        let tag = journey.content.be16(at + 2)
        let vid = tag & 0xFFF
        if vid == 0xFFF { return .reservedVLAN }
        if vid == 0 && journey.decision.strippedTagBytes < 8 {
            journey.strip(tag: tag)
            continue
        }
        if isTransparent { return nil }
        if journey.decision.strippedTagBytes > 0 { return .doubleTagged }
        return journey.isTunnelled ? .taggedInSegment : .taggedOnAccessPort
    }
}

/// Takes over what the sender left to do, if it fits the frame: the metadata can be a tenant's invention.
@inline(__always)
private func settleOffload(_ given: Offload, _ journey: inout Journey) -> Bool {
    guard given.needsChecksum || given.isSuperFrame else {
        journey.decision.offload.flags = given.flags & Offload.dataValidFlag
        return true
    }
    // Segmentation without a checksum to compute for each segment makes no sense (virtio 1.2, 5.1.6.2).
    guard given.needsChecksum else { return false }
    let parsed = journey.parsed
    let start = Int(given.checksumStart) - Int(journey.decision.contentOffset)
    let offset = Int(given.checksumOffset)
    guard start >= parsed.networkOffset, start <= maximumChecksumStart,
        start + offset + 2 <= Int(journey.decision.contentLength)
    else { return false }
    var offload = Offload(
        flags: Offload.needsChecksumFlag,
        checksumStart: UInt16(truncatingIfNeeded: start),
        checksumOffset: given.checksumOffset
    )
    if given.isSuperFrame {
        let isTCP = parsed.protocol == IPProtocol.tcp
        let place = isTCP ? PartialChecksum.tcpOffset : PartialChecksum.udpOffset
        let ecnAllowed = isTCP ? Offload.gsoECNFlag : 0
        guard given.gsoKind != 0, given.gsoKind == SegmentationKind.of(parsed),
            given.gsoType & Offload.gsoECNFlag & ~ecnAllowed == 0, given.gsoSize > 0,
            start == parsed.transportOffset, offset == place, !parsed.has(.cutShort),
            parsed.endOffset == Int(journey.decision.contentLength)
        else { return false }
        let payload = parsed.endOffset - parsed.payloadOffset
        guard payload <= Int(given.gsoSize) * maximumSegments else { return false }
        // One segment's worth is an ordinary frame.
        if payload > Int(given.gsoSize) {
            offload.gsoType = given.gsoType
            offload.gsoSize = given.gsoSize
            offload.headerLength = UInt16(truncatingIfNeeded: parsed.payloadOffset)
        }
    }
    journey.decision.offload = offload
    return true
}

extension Decision {
    /// Whether a checksum that is left to do lies behind the content's first `end` bytes, in padding that goes.
    @inline(__always)
    func hasChecksum(behind end: Int) -> Bool {
        offload.needsChecksum && Int(offload.checksumStart) &+ Int(offload.checksumOffset) &+ 2 > end
    }
}

/// A kernel's tunnel device whose packets cross a veth leaves inner checksums unfinished, and hands over whole TCP
/// super-frames, without a word about either. Padding behind the packet goes: it would be summed.
///
/// - Returns: false for a super-frame of UDP. Where it is to be cut nobody can tell: one datagram would come of many.
@inline(__always)
private func findUnfinishedWork<R: Recorder>(_ journey: inout Journey, mtu: UInt32, _ recorder: inout R) -> Bool {
    guard !journey.decision.offload.needsChecksum,
        let position = PartialChecksum.detect(journey.content, journey.parsed),
        position.start <= maximumChecksumStart
    else { return true }
    let parsed = journey.parsed
    let isLarge = mtu > 0 && parsed.endOffset - parsed.networkOffset > Int(mtu)
    journey.decision.note(.partialChecksumFound)
    if isLarge, parsed.protocol == IPProtocol.udp {
        recorder.note("decapsulate", "a kernel left a UDP super-frame, and nobody says where to cut it")
        return false
    }
    journey.decision.contentLength = UInt32(truncatingIfNeeded: parsed.endOffset)
    var offload = Offload(
        flags: Offload.needsChecksumFlag,
        checksumStart: position.start,
        checksumOffset: position.offset
    )
    let size = SegmentationKind.size(parsed, mtu: Int(mtu))
    if parsed.protocol == IPProtocol.tcp, isLarge, size > 0,
        parsed.endOffset - parsed.payloadOffset <= Int(size) * maximumSegments
    {
        let kind = SegmentationKind.of(parsed)
        if kind != SegmentationKind.none {
            journey.decision.note(.superFrameFound)
            offload.gsoType = kind
            offload.gsoSize = size
            offload.headerLength = UInt16(truncatingIfNeeded: parsed.payloadOffset)
        }
    }
    journey.decision.offload = offload
    recorder.note(
        "decapsulate",
        offload.isSuperFrame
            ? "a kernel VTEP left a super-frame: segments of \(size) bytes, checksums to finish"
            : "a kernel VTEP left the inner checksum to be finished"
    )
    return true
}

/// Bytes of the largest IP packet that leaves: of one segment, if there are to be many.
@inline(__always)
private func packetSize(_ decision: Decision, _ parsed: ParsedFrame) -> UInt32 {
    decision.offload.isSuperFrame
        ? UInt32(truncatingIfNeeded: Int(decision.offload.gsoSize) &+ parsed.payloadOffset &- parsed.networkOffset)
        : decision.contentLength &- UInt32(truncatingIfNeeded: parsed.networkOffset)
}
