import Tables
import Wire

/// Refuses what no bridge forwards, and is where a network's and later a port's rules stand.
@inline(__always)
func filter<R: Recorder>(_ journey: inout Journey, _ snapshot: Snapshot, _ recorder: inout R) -> DropReason? {
    let source = journey.parsed.source
    let destination = journey.parsed.destination
    if source.bits == 0 || source.isGroup { return .invalidSource }
    if destination.bits == 0 { return .zeroDestination }
    // IEEE 802.1Q table 8-1: these concern one link (spanning tree, pause, link aggregation, LLDP).
    if destination.bits & ~0xF == 0x0180_C200_0000 {
        guard snapshot.segments[Int(journey.decision.segment)].forwardsLinkLocal else { return .linkLocal }
        recorder.note("filter", "link-local destination, which the network forwards")
    }
    return nil
}
