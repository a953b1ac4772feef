import Rings
import Tables
import Wire

/// Makes one copy of a frame ready for one target: what it is to be preceded by is written into the slot, the rest stays
/// where it is and is not touched. Fills everything in the slot but its place in a queue.
///
/// - Returns: 0, or the raw value of the `DropReason` for which this copy goes nowhere; the slot is free then.
public func encapsulate<R: Recorder>(
    _ frame: Frame,
    _ decision: Decision,
    to attachment: UInt32,
    snapshot: Snapshot,
    taught: Taught,
    now: UInt32,
    slot: UnsafeMutablePointer<TransmitSlot>,
    recorder: inout R
) -> UInt8 {
    let place = snapshot.attachments[Int(attachment)]
    let endpoint = snapshot.endpoints[Int(place.endpoint)]
    let header = slot.header
    var length = 0
    let limit = snapshot.limit(attachment, linkLength: decision.linkLength, taught, now: now)
    if limit.isExceeded(by: decision.packetSize) { return refuse(limit.reason, decision, &recorder) }
    if place.carriesPackets {
        return encapsulatePacket(frame, decision, place, endpoint, snapshot, taught, now, slot, &recorder)
    }
    slot.pointee.networkType = 0
    slot.pointee.outerTransport = 0
    if place.isTunnel {
        if place.isBehindUplink {
            length = pushOuterHeaders(decision, place, endpoint, snapshot, taught, now, slot)
            guard length > 0 else { return refuse(.neighborUnresolved, decision, &recorder) }
        }
        pushTunnelHeader(decision, place, endpoint, snapshot, slot, at: length)
        length += 8
    } else {
        slot.pointee.tunnelHeaderLength = 0
        slot.pointee.tos = 0
        slot.pointee.flowHash = decision.flowHash
        slot.pointee.destination = IPv6Address(high: 0, low: 0)
        slot.pointee.destinationPort = 0
        // Out there, the tenant's own tag would be read as the name of a network.
        if decision.isTagged && place.vlanTPID == 0 && endpoint.readsTags {
            return refuse(.tagWouldEscape, decision, &recorder)
        }
    }
    // The two addresses move into the header when something behind them changes.
    let stripped = Int(decision.strippedTagBytes)
    let content = frame.bytes + Int(decision.contentOffset)
    var skipped = 0
    if decision.routing.isReframed {
        // A router's frame has a header of its own, and the packet behind it.
        skipped = Int(decision.networkOffset)
        let isIPv6 = UnsafeRawPointer(content).byte(skipped) &>> 4 == 6
        header.setMAC(length, decision.routing.destination)
        header.setMAC(length + 6, decision.routing.source)
        length += 12
        if place.vlanTPID != 0 {
            header.set16(length, place.vlanTPID)
            header.set16(length + 2, UInt16(decision.priority) << 12 | place.vlanID & 0xFFF)
            length += HeaderLength.vlanTag
        }
        header.set16(length, isIPv6 ? EtherType.ipv6 : EtherType.ipv4)
        length += 2
    } else if stripped != 0 || place.vlanTPID != 0 {
        let bytes = UnsafeRawPointer(content)
        header.set64(length, bytes.be64(0))
        header.set32(length + 8, bytes.be32(8))
        length += 12
        skipped = 12 + stripped
        if place.vlanTPID != 0 {
            header.set16(length, place.vlanTPID)
            header.set16(length + 2, UInt16(decision.priority) << 12 | place.vlanID & 0xFFF)
            length += HeaderLength.vlanTag
        }
    }
    slot.pointee.headerLength = UInt16(truncatingIfNeeded: length)
    slot.pointee.payload = content + skipped
    slot.pointee.payloadLength = Int(decision.contentLength) - skipped
    slot.pointee.offload = decision.offload.shifted(length - skipped)
    if place.isBehindUplink {
        slot.pointee.innerNetwork = UInt16(truncatingIfNeeded: Int(decision.networkOffset) + length - skipped)
        guard finishOuterHeaders(slot) else { return refuse(.exceedsPathMTU, decision, &recorder) }
    }
    recorder.note("encapsulate", snapshot.describeEgress(decision, place, endpoint))
    return 0
}

/// The same for the datapath: nobody listens.
public func encapsulate(
    _ frame: Frame,
    _ decision: Decision,
    to attachment: UInt32,
    snapshot: Snapshot,
    taught: Taught,
    now: UInt32,
    slot: UnsafeMutablePointer<TransmitSlot>
) -> UInt8 {
    var recorder = NoRecorder()
    return encapsulate(
        frame,
        decision,
        to: attachment,
        snapshot: snapshot,
        taught: taught,
        now: now,
        slot: slot,
        recorder: &recorder
    )
}

/// Eight bytes of VXLAN or keyed GRE at `start`, and what the underlay needs to know.
@inline(__always)
private func pushTunnelHeader(
    _ decision: Decision,
    _ place: AttachmentRecord,
    _ endpoint: EndpointRecord,
    _ snapshot: Snapshot,
    _ slot: UnsafeMutablePointer<TransmitSlot>,
    at start: Int
) {
    let segment = snapshot.segments[Int(place.segment)]
    let peer = snapshot.peers[Int(place.peer)]
    if place.kind == AttachmentKind.vxlan {
        VXLANHeader.write(to: slot.header + start, vni: segment.identifier)
    } else {
        GREHeader.write(to: slot.header + start, key: segment.identifier)
    }
    slot.pointee.tunnelHeaderLength = UInt8(truncatingIfNeeded: start + 8)
    // DSCP 0 (RFC 2983: pipe), ECN as the frame has it (RFC 6040 §4.1: normal mode).
    slot.pointee.tos = ECN.encapsulate(inner: decision.tos)
    slot.pointee.flowHash = decision.flowHash
    slot.pointee.destination = peer.address
    slot.pointee.destinationPort = UInt16(truncatingIfNeeded: endpoint.port)
}

/// A bare IP packet, behind a GRE header or nothing: the outer IP header is the socket's, or that of an uplink's frame.
@inline(__always)
private func encapsulatePacket<R: Recorder>(
    _ frame: Frame,
    _ decision: Decision,
    _ place: AttachmentRecord,
    _ endpoint: EndpointRecord,
    _ snapshot: Snapshot,
    _ taught: Taught,
    _ now: UInt32,
    _ slot: UnsafeMutablePointer<TransmitSlot>,
    _ recorder: inout R
) -> UInt8 {
    let segment = snapshot.segments[Int(place.segment)]
    let skipped = Int(decision.networkOffset)
    let packet = frame.bytes + Int(decision.contentOffset) + skipped
    let type = UnsafeRawPointer(packet).byte(0) &>> 4 == 6 ? EtherType.ipv6 : EtherType.ipv4
    var length = 0
    slot.pointee.outerTransport = 0
    if place.isBehindUplink {
        length = pushOuterHeaders(decision, place, endpoint, snapshot, taught, now, slot)
        guard length > 0 else { return refuse(.neighborUnresolved, decision, &recorder) }
    }
    if place.kind == AttachmentKind.greIP {
        length += GREHeader.write(
            to: slot.header + length,
            protocolType: type,
            key: segment.identifier,
            hasKey: place.flags & AttachmentRecord.greKey != 0,
            hasChecksum: place.flags & AttachmentRecord.greChecksum != 0
        )
    }
    slot.pointee.networkType = type
    slot.pointee.tunnelHeaderLength = UInt8(truncatingIfNeeded: length)
    // DSCP 0 (RFC 2983: pipe), ECN as the packet has it (RFC 6040 §4.1: normal mode).
    slot.pointee.tos = ECN.encapsulate(inner: decision.tos)
    slot.pointee.flowHash = decision.flowHash
    slot.pointee.destination = snapshot.peers[Int(place.peer)].address
    slot.pointee.destinationPort = 0
    slot.pointee.headerLength = UInt16(truncatingIfNeeded: length)
    slot.pointee.payload = packet
    slot.pointee.payloadLength = Int(decision.contentLength) - skipped
    slot.pointee.offload = decision.offload.shifted(length - skipped)
    if place.isBehindUplink {
        slot.pointee.innerNetwork = UInt16(truncatingIfNeeded: length)
        guard finishOuterHeaders(slot) else { return refuse(.exceedsPathMTU, decision, &recorder) }
    }
    recorder.note("encapsulate", snapshot.describeEgress(decision, place, endpoint))
    return 0
}

@inline(__always)
private func refuse<R: Recorder>(_ reason: DropReason, _ decision: Decision, _ recorder: inout R) -> UInt8 {
    recorder.note(
        "encapsulate",
        "packet of \(decision.packetSize) bytes not sent (\(reason.name)): \(reason.sentence)"
    )
    return reason.rawValue
}
