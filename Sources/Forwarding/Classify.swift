import Rings
import Tables
import Wire

/// Finds the attachment, and with it the segment, that a frame came in by. Tunnel packets lose their header here.
@inline(__always)
func classify<R: Recorder>(
    _ frame: Frame,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ recorder: inout R
) -> DropReason? {
    guard frame.endpoint < snapshot.endpointCount else { return .portWithoutNetwork }
    let endpoint = snapshot.endpoints[Int(frame.endpoint)]
    recorder.note("receive", snapshot.describe(frame, endpoint))
    let reason: DropReason? =
        switch endpoint.kind {
        case EndpointKind.port, EndpointKind.provider: classifyByTag(frame, endpoint, &journey, snapshot)
        case EndpointKind.vxlan: decapsulateVXLAN(frame, &journey, snapshot, &recorder)
        case EndpointKind.gre: decapsulateGRE(frame, &journey, snapshot, &recorder)
        case EndpointKind.ip:
            decapsulateIP(frame, UInt8(truncatingIfNeeded: endpoint.port), &journey, snapshot, &recorder)
        case EndpointKind.uplink: classifyUplink(frame, endpoint, &journey, snapshot, &recorder)
        default: .portWithoutNetwork
        }
    if let reason { return reason }
    recorder.note("classify", snapshot.describeIngress(journey.decision))
    return nil
}

/// The first tag chooses the network where the port is aware of tags: the tag belongs to the port then, not to the
/// frame. Elsewhere, and for frames without a tag or with VLAN id 0, it is the port's untagged network.
@inline(__always)
private func classifyByTag(
    _ frame: Frame,
    _ endpoint: EndpointRecord,
    _ journey: inout Journey,
    _ snapshot: Snapshot
) -> DropReason? {
    guard frame.length >= HeaderLength.ethernet else { return .tooShort }
    let type = journey.content.be16(12)
    if endpoint.readsTags && EtherType.isTag(type) {
        guard frame.length >= HeaderLength.ethernet + HeaderLength.vlanTag else { return .tooShort }
        let tag = journey.content.be16(14)
        let vid = tag & 0xFFF
        if vid == 0xFFF { return .reservedVLAN }
        if vid != 0 {
            let attachment = snapshot.attachment(endpoint: frame.endpoint, tpid: type, vid: vid)
            guard attachment != noSlot else { return .unknownVLAN }
            journey.strip(tag: tag)
            journey.enter(attachment, snapshot)
            return nil
        }
    }
    guard endpoint.untagged != noSlot else {
        return endpoint.readsTags ? .noUntaggedNetwork : .portWithoutNetwork
    }
    journey.enter(endpoint.untagged, snapshot)
    return nil
}

extension Journey {
    /// The frame belongs to the attachment's segment from here on.
    @inline(__always)
    mutating func enter(_ attachment: UInt32, _ snapshot: Snapshot) {
        decision.ingress = attachment
        decision.segment = snapshot.attachments[Int(attachment)].segment
    }
}

extension EndpointRecord {
    /// Tags choose the network: trunk ports, and provider devices always.
    @inline(__always)
    var readsTags: Bool { isVLANAware || kind == EndpointKind.provider }
}
