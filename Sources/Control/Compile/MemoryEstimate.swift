import Rings
import Tables

/// How much memory a configuration takes, in bytes. The state region is sparse: only pages that are used count.
public struct MemoryEstimate: Sendable, Equatable {
    /// One snapshot. Two are there while one replaces the other.
    public var snapshot: Int
    /// Counters of frames, bytes and drops, of all workers.
    public var counters: Int
    /// Learned addresses, when as many are learned as may be, and neighbours of routers. Each worker knows all of them.
    public var learned: Int
    /// Receive rings of the ports with packet sockets, in the kernel.
    public var rings: Int

    /// All of it, at the moment when it is most.
    public var total: Int { 2 * snapshot + counters + learned + rings }

    init(
        snapshot: Int,
        rows: StateCapacity,
        learnable: Int,
        routes: Bool,
        workers: Int,
        rings: Int,
        capacity: StateCapacity
    ) {
        func pages(_ bytes: Int) -> Int { (bytes + 4095) / 4096 * 4096 }
        let reasons = StateRegion.reasons * 8
        self.snapshot = pages(snapshot)
        counters =
            4096  // the region's header
            + pages(rows.endpoints * MemoryLayout<EndpointCounters>.stride) + pages(rows.endpoints * reasons)
            + pages(rows.segments * reasons) + pages(rows.peers * MemoryLayout<PeerCounters>.stride) + pages(reasons)
            + pages(rows.attachments * 4) + 2 * pages(rows.segments * 4)
            + pages(rows.peers * MemoryLayout<PathMTU>.stride)
        // Hashing spreads the addresses: up to the whole table, each is alone on its page.
        let entries = capacity.macBuckets * MACTable.width
        learned = min(pages(entries * MemoryLayout<MACTable.Entry>.stride), min(learnable, entries) * 4096)
        let neighbors = capacity.neighborBuckets * NeighborTable.width
        if routes { learned += pages(neighbors * MemoryLayout<NeighborTable.Entry>.stride) }
        counters *= workers
        learned *= workers
        self.rings = min(rings, PacketRingLayout.most) * PacketRingLayout.size
    }
}

extension MemoryEstimate: CustomStringConvertible {
    /// `4.1 MiB: snapshot 0.9 MiB (twice during a change), counters 1.2 MiB, learned addresses up to 0.1 MiB, receive rings
    /// 1.0 MiB`.
    public var description: String {
        func mebibytes(_ bytes: Int) -> String {
            let tenths = (bytes * 10 + (1 << 19)) >> 20
            return "\(tenths / 10).\(tenths % 10) MiB"
        }
        return "\(mebibytes(total)): snapshot \(mebibytes(snapshot)) (twice during a change), "
            + "counters \(mebibytes(counters)), learned addresses up to \(mebibytes(learned)), "
            + "receive rings \(mebibytes(rings))"
    }
}
