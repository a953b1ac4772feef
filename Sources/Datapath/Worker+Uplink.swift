import Forwarding
import Tables

// Behind an uplink nobody but the switch asks where the peers are.

extension Worker {
    /// Finds the router's interface through which the underlay is reached, if there is an uplink that this worker reads.
    /// It asks for all of them, and they hear the answers from it.
    mutating func findUplink() {
        uplink = noSlot
        for i in 0..<Int(snapshot.endpointCount)
        where snapshot.endpoints[i].kind == EndpointKind.uplink && snapshot.endpoints[i].untagged != noSlot
            && exchange.reads(UInt32(i))
        {
            uplink = snapshot.attachments[Int(snapshot.endpoints[i].untagged)].interface
        }
    }

    /// With a new snapshot and once a second: asks for the next hops of all peers behind an uplink before a frame needs them,
    /// and again before they are forgotten.
    @inline(never)
    mutating func tendUplink() {
        for peer in 0..<snapshot.peerCount where snapshot.peers[Int(peer)].inUse != 0 {
            let news = underlayQuestion(
                peer: peer,
                interface: uplink,
                snapshot: snapshot,
                taught: state.taught,
                now: now
            )
            if news.kind != NeighborNews.Kind.none { ask(news) }
        }
        flush()
    }
}
