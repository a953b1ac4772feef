import Tables
import Wire

/// What the workers of a datapath have counted and learned: a region for each, which it alone writes. Counters are summed
/// over all of them. Every worker knows of all stations and neighbours, some a little later than the one that heard them:
/// what is shown is what the one that heard last knows.
public struct WorkerStates {
    /// By the number of the worker.
    public let regions: [StateRegion]
    /// Of workers that an earlier datapath had and this one has not. What they counted still counts.
    public let former: [StateRegion]

    /// - Precondition: there is a worker.
    public init(_ regions: [StateRegion], former: [StateRegion] = []) {
        precondition(!regions.isEmpty, "a datapath has at least one worker")
        self.regions = regions
        self.former = former
    }

    /// How many rows each region has.
    var capacity: StateCapacity { regions[0].capacity }

    /// The second of the worker that looked at its clock last.
    var now: UInt32 { regions.map(\.now).max() ?? 0 }

    /// The generation that every worker forwards by.
    var appliedGeneration: UInt64 { regions.map(\.appliedGeneration).min() ?? 0 }

    /// What the worker knows that reads an endpoint.
    func taught(at endpoint: UInt32) -> Taught {
        regions[WorkerAssignment.reader(of: endpoint, workers: regions.count)].taught
    }

    // MARK: Counted

    private func sum(_ count: (StateRegion) -> UInt64) -> UInt64 {
        former.reduce(regions.reduce(0) { $0 &+ count($1) }) { $0 &+ count($1) }
    }

    func counters(endpoint: UInt32) -> EndpointCounters {
        (regions + former).reduce(into: EndpointCounters()) { total, region in
            let part = region.counters[Int(endpoint)]
            total.receivedFrames &+= part.receivedFrames
            total.receivedBytes &+= part.receivedBytes
            total.sentFrames &+= part.sentFrames
            total.sentBytes &+= part.sentBytes
            total.receivedSuperFrames &+= part.receivedSuperFrames
            total.sentSuperFrames &+= part.sentSuperFrames
            total.sendFailures &+= part.sendFailures
            total.receiveFailures &+= part.receiveFailures
        }
    }

    func counters(peer: UInt32) -> PeerCounters {
        (regions + former).reduce(into: PeerCounters()) { total, region in
            let part = region.peerCounters[Int(peer)]
            total.receivedFrames &+= part.receivedFrames
            total.receivedBytes &+= part.receivedBytes
            total.sentFrames &+= part.sentFrames
            total.sentBytes &+= part.sentBytes
        }
    }

    func drops(endpoint: UInt32, _ reason: Int) -> UInt64 {
        sum { $0.endpointDrops[Int(endpoint) * StateRegion.reasons + reason] }
    }

    func drops(segment: UInt32, _ reason: Int) -> UInt64 {
        sum { $0.segmentDrops[Int(segment) * StateRegion.reasons + reason] }
    }

    func events(_ event: Int) -> UInt64 { sum { $0.events[event] } }

    // MARK: Learned

    /// How many addresses the worker knows that knows most.
    func learned(segment: UInt32, generation: UInt8) -> Int {
        Int(regions.map { $0.macs.learned(segment: segment, generation: generation) }.max() ?? 0)
    }

    func learned(attachment: UInt32, generation: UInt8) -> Int {
        Int(regions.map { $0.macs.learned(attachment: attachment, generation: generation) }.max() ?? 0)
    }

    /// Every learned address once: as the worker has it that saw it last.
    func forEachStation(_ snapshot: Snapshot, _ body: (MACTable.Entry, _ age: UInt32) -> Void) {
        struct Station: Hashable {
            var key: UInt64
            var high: UInt64
        }
        guard regions.count > 1 else {
            let now = regions[0].now
            return regions[0].macs.forEach(now: now, snapshot: snapshot) { body($0, $0.age(now)) }
        }
        var youngest: [Station: (MACTable.Entry, UInt32)] = [:]
        for region in regions {
            let now = region.now
            region.macs.forEach(now: now, snapshot: snapshot) { entry in
                let station = Station(key: entry.key, high: entry.word & 0xFF)
                let age = entry.age(now)
                if let known = youngest[station], known.1 <= age { return }
                youngest[station] = (entry, age)
            }
        }
        for (entry, age) in youngest.values { body(entry, age) }
    }

    /// Every address of a neighbour once: who answered last counts, and only where nobody has, who asks.
    func forEachNeighbor(_ snapshot: Snapshot, _ body: (NeighborTable.Entry, _ age: UInt32) -> Void) {
        struct Key: Hashable {
            var segment: UInt32
            var high: UInt64
            var low: UInt64
        }
        var best: [Key: (NeighborTable.Entry, UInt32)] = [:]
        for region in regions {
            let now = region.now
            region.taught.neighbors.forEach(now: now, snapshot: snapshot) { entry in
                // The datapath may be a moment ahead of the second that was read.
                let age = now >= entry.confirmed ? now - entry.confirmed : 0
                let key = Key(segment: entry.segment, high: entry.address.high, low: entry.address.low)
                if let known = best[key] {
                    let isAnswered = entry.state == NeighborTable.State.reachable
                    let wasAnswered = known.0.state == NeighborTable.State.reachable
                    guard isAnswered != wasAnswered ? isAnswered : age < known.1 else { return }
                }
                best[key] = (entry, age)
            }
        }
        for (entry, age) in best.values { body(entry, age) }
    }

    /// The least path MTU that any worker has learned and still believes, and its age; nil where none has.
    func learnedPathMTU(peer: UInt32, _ snapshot: Snapshot) -> (mtu: UInt32, age: UInt32)? {
        regions.compactMap { region -> (mtu: UInt32, age: UInt32)? in
            let holds = region.taught.pathMTU(peer, now: region.now, snapshot: snapshot)
            guard holds != snapshot.peers[Int(peer)].pathMTU else { return nil }
            return (holds, region.now &- region.taught.pathMTUs[Int(peer)].learned)
        }.min { $0.mtu < $1.mtu }
    }

    /// The attachment where a station was seen, or `noSlot`.
    func find(segment: UInt32, mac: MACAddress, _ snapshot: Snapshot) -> UInt32 {
        for region in regions {
            let place = region.macs.find(segment: segment, mac: mac, now: region.now, snapshot: snapshot)
            if place != noSlot { return place }
        }
        return noSlot
    }
}
