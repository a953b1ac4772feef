import Tables
import Wire

/// Finds the target within the segment: told addresses first, then learned ones, then everybody.
@inline(__always)
func bridge<R: Recorder>(
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ taught: Taught,
    _ now: UInt32,
    _ recorder: inout R
) -> DropReason? {
    let ingress = journey.decision.ingress
    let segmentSlot = journey.decision.segment
    let segment = snapshot.segments[Int(segmentSlot)]
    let macs = taught.macs
    let home = snapshot.told(segment: segmentSlot, mac: journey.parsed.source)
    if home != noSlot {
        guard home == ingress || isSibling(home, &journey, snapshot) else {
            recorder.note(
                "learn",
                "\(journey.parsed.source) belongs to \(snapshot.describe(attachment: home)) by the file"
            )
            return .sourceBelongsToAnotherPort
        }
    } else if segment.learns {
        journey.decision.learns = true
    }
    recorder.note("learn", describeLearning(journey.parsed.source, home: home, segment: segment))

    let destination = journey.parsed.destination
    if segment.isRouted {
        switch hear(&journey, snapshot, &recorder) {
        case .goesOn: break
        case .ends: return nil
        case .drops(let reason): return reason
        }
    }
    if destination.isGroup {
        recorder.note("bridge", "\(destination) is a group address: to everybody in the network")
        return flood(&journey, segment, snapshot, macs, &recorder)
    }
    var target = snapshot.told(segment: segmentSlot, mac: destination)
    let isTold = target != noSlot
    if !isTold { target = macs.find(segment: segmentSlot, mac: destination, now: now, snapshot: snapshot) }
    guard target != noSlot else {
        if segment.dropsUnknownUnicast { return .unknownUnicast }
        recorder.note("bridge", "nobody knows \(destination): to everybody in the network")
        return flood(&journey, segment, snapshot, macs, &recorder)
    }
    recorder.note(
        "bridge",
        "\(destination) is at \(snapshot.describe(attachment: target)), \(isTold ? "by the file" : "learned")"
    )
    let place = snapshot.attachments[Int(target)]
    // The compiler of the snapshot sees to it; this makes it certain.
    guard place.segment == segmentSlot else { return .crossesNetworks }
    if place.isRouter {
        guard accepts(place, journey, snapshot) else { return .notDesignated }
        return route(from: place.interface, &journey, snapshot, taught, now, &recorder)
    }
    if target == ingress { return .hairpin }
    if place.isTunnel {
        if journey.isTunnelled { return .splitHorizon }
        journey.hashFlow(macs)
    }
    journey.decision.verdict = .forward
    journey.decision.attachment = target
    return checkSize(&journey, nil, snapshot, taught, now, &recorder)
}

/// Whether a frame with a router's address as source comes from the same router on another host: by a tunnel, or by the
/// provider network where the other is the designated one. This host's own address comes from nowhere.
@inline(__always)
private func isSibling(_ home: UInt32, _ journey: inout Journey, _ snapshot: Snapshot) -> Bool {
    let row = snapshot.attachments[Int(home)]
    guard row.isRouter else { return false }
    let place = snapshot.attachments[Int(journey.decision.ingress)]
    let own = snapshot.routerMAC(snapshot.interfaces[Int(row.interface)].router, in: row.segment)
    guard place.isTunnel || place.kind == AttachmentKind.provider && journey.parsed.source != own else { return false }
    journey.isFromSibling = true
    return true
}

/// Whether this host's router takes a frame that is addressed to it. What comes from outside of the file is the
/// designated host's, so that it is not routed twice.
@inline(__always)
private func accepts(_ router: AttachmentRecord, _ journey: Journey, _ snapshot: Snapshot) -> Bool {
    let place = snapshot.attachments[Int(journey.decision.ingress)]
    guard place.isTunnel || place.kind == AttachmentKind.provider, !journey.isFromSibling else { return true }
    let row = snapshot.routers[Int(snapshot.interfaces[Int(router.interface)].router)]
    return row.isDesignated || journey.parsed.destination.bits == row.hostMAC
}

/// To everybody else in the segment, if there is anybody.
@inline(__always)
private func flood<R: Recorder>(
    _ journey: inout Journey,
    _ segment: SegmentRecord,
    _ snapshot: Snapshot,
    _ macs: MACTable,
    _ recorder: inout R
) -> DropReason? {
    var targets = FloodTargets(journey.decision, snapshot)
    guard targets.next() != nil else { return .noReceiver }
    if segment.kind == SegmentKind.vxlan || segment.kind == SegmentKind.gre { journey.hashFlow(macs) }
    journey.decision.verdict = .flood
    return nil
}

extension Journey {
    @inline(__always)
    mutating func hashFlow(_ macs: MACTable) {
        decision.flowHash = FlowHash.hash(content, parsed, seed: macs.flowSeed)
    }
}

/// The attachments that a flooded frame goes to: all of its segment but the one it came from, and no tunnel if it came
/// out of one, since its sender has sent to every VTEP itself (split horizon).
@frozen
public struct FloodTargets: Sequence, IteratorProtocol {
    @usableFromInline let attachments: UnsafePointer<AttachmentRecord>
    @usableFromInline var place: UnsafePointer<UInt32>
    @usableFromInline let end: UnsafePointer<UInt32>
    @usableFromInline let segment: UInt32
    @usableFromInline let ingress: UInt32
    @usableFromInline let isTunnelled: Bool
    /// Tunnels only.
    @usableFromInline let isRelay: Bool

    /// `decision` has got as far as its segment.
    @inlinable @inline(__always)
    public init(_ decision: Decision, _ snapshot: Snapshot) {
        let isRouted = decision.routing.isReframed
        segment = isRouted ? decision.routing.segment : decision.segment
        let row = snapshot.segments[Int(segment)]
        attachments = snapshot.attachments
        place = snapshot.flood + Int(row.floodStart)
        end = place + Int(row.floodCount)
        // A router takes a frame out of one network and puts it into another: it may leave where it came from.
        ingress = isRouted ? noSlot : decision.ingress
        isTunnelled = !isRouted && snapshot.attachments[Int(decision.ingress)].isTunnel
        isRelay = decision.verdict == .relay
    }

    @inlinable @inline(__always)
    public mutating func next() -> UInt32? {
        while place < end {
            let target = place.pointee
            place += 1
            let row = attachments[Int(target)]
            if target != ingress && row.segment == segment && !(isTunnelled && row.isTunnel)
                && (row.isTunnel || !isRelay)
            {
                return target
            }
        }
        return nil
    }
}
