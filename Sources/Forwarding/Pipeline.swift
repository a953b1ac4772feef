import Rings
import Tables
import Wire

/// What is to be done with a frame: a function of the frame, told and taught state, and the second it is. It writes
/// nothing, neither to the frame nor to the tables, so that `trace` can run it beside the datapath.
public func decide<R: Recorder>(
    _ frame: Frame,
    snapshot: Snapshot,
    taught: Taught,
    now: UInt32,
    recorder: inout R
) -> Decision {
    var journey = Journey(frame)
    if let reason = travel(frame, &journey, snapshot, taught, now, &recorder) {
        journey.decision.verdict = .drop
        journey.decision.reason = reason.rawValue
    }
    recorder.note("verdict", snapshot.describe(journey.decision))
    return journey.decision
}

/// The stages, in order. The first that finds a reason to drop ends the journey.
@inline(__always)
private func travel<R: Recorder>(
    _ frame: Frame,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ taught: Taught,
    _ now: UInt32,
    _ recorder: inout R
) -> DropReason? {
    // Whose is it? From here on everything is looked up within one segment.
    if let reason = classify(frame, &journey, snapshot, &recorder) { return reason }
    // What remains when tunnel headers and tags are off, and is it well formed?
    if let reason = admit(frame, &journey, snapshot, &recorder) { return reason }
    if journey.decision.networkType != 0 {
        // A packet without a frame around it is at its router already.
        let place = snapshot.attachments[Int(journey.decision.ingress)]
        if let reason = route(from: place.interface, &journey, snapshot, taught, now, &recorder) { return reason }
    } else {
        // May it pass?
        if let reason = filter(&journey, snapshot, &recorder) { return reason }
        // Where to?
        if let reason = bridge(&journey, snapshot, taught, now, &recorder) { return reason }
    }
    // If through an uplink: by whom?
    return findNextHop(&journey, snapshot, taught, now, &recorder)
}

/// The same for the datapath: nobody listens.
public func decide(_ frame: Frame, snapshot: Snapshot, taught: Taught, now: UInt32) -> Decision {
    var recorder = NoRecorder()
    return decide(frame, snapshot: snapshot, taught: taught, now: now, recorder: &recorder)
}

/// Writes what changes about the frame's IP header: the ECN bits that came out of decapsulation, and what routers take
/// from its hop limit. The only place where forwarding changes a received byte. Once per frame, before it is
/// encapsulated for its targets.
public func applyChanges(_ frame: Frame, _ decision: Decision) {
    guard decision.ecn != Decision.keepECN || decision.routing.hops != 0 else { return }
    let header = frame.bytes + Int(decision.contentOffset) + Int(decision.networkOffset)
    let isIPv6 = UnsafeRawPointer(header).byte(0) >> 4 == 6
    if decision.ecn != Decision.keepECN { ECN.set(decision.ecn, header: header, isIPv6: isIPv6) }
    if decision.routing.hops != 0 { TTL.decrement(header: header, by: decision.routing.hops, isIPv6: isIPv6) }
}

/// What the stages hand on to each other besides the decision.
struct Journey {
    var decision: Decision
    /// The content as parsed, tags included; valid once `admit` has begun.
    var parsed = ParsedFrame()
    /// It came out of a tunnel.
    var isTunnelled = false
    /// Another host of the same router passed it on.
    var isFromSibling = false
    /// The ends of the packet; valid once a router has looked at it.
    var packet = PacketAddresses()
    /// The first byte of the tenant's frame.
    var content: UnsafeRawPointer
    /// What the sender left undone, from the first byte of `Frame.bytes`.
    var offload: Offload
    /// The outer source of a tunnel packet, IPv4 as mapped address, and its type of service or traffic class.
    var outerSource: IPv6Address
    var outerTOS: UInt8

    @inline(__always)
    init(_ frame: Frame) {
        offload = frame.offload
        outerSource = frame.outerSource
        outerTOS = frame.outerTOS
        decision = Decision(contentLength: frame.length)
        content = UnsafeRawPointer(frame.bytes)
    }

    /// The tunnel header of `length` bytes is read.
    @inline(__always)
    mutating func remove(tunnelHeader length: Int) {
        decision.contentOffset = UInt32(truncatingIfNeeded: length)
        decision.contentLength &-= UInt32(truncatingIfNeeded: length)
        content += length
        isTunnelled = true
    }

    /// A tag of four bytes is not part of the content. Its priority stays with the frame.
    @inline(__always)
    mutating func strip(tag: UInt16) {
        if decision.strippedTagBytes == 0 { decision.priority = UInt8(truncatingIfNeeded: tag >> 12) }
        decision.strippedTagBytes &+= UInt8(HeaderLength.vlanTag)
    }
}
