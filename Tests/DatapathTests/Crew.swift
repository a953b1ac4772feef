import Datapath
import Glibc
import Ports
import Tables

/// The workers of one switch, driven by hand: one, or as many as `SLUICE_WORKERS` says, so that every test of a switch is
/// also one of several workers.
final class Crew {
    static let usual = getenv("SLUICE_WORKERS").flatMap { Int(String(cString: $0)) } ?? 1

    let regions: [StateRegion]
    /// Whether everybody hears what one learned before the next burst.
    var hearsAtOnce = true
    private let workers: UnsafeMutablePointer<Worker>

    init(_ snapshot: Snapshot, _ regions: [StateRegion], now: UInt32) {
        self.regions = regions
        workers = .allocate(capacity: regions.count)
        guard let ends = Exchange.make(workers: regions.count) else { preconditionFailure("no memory for the rings") }
        for (number, region) in regions.enumerated() {
            guard let made = Worker(snapshot: snapshot, state: region, now: now, exchange: ends[number]) else {
                preconditionFailure("the system has no descriptors left")
            }
            (workers + number).initialize(to: made)
        }
    }

    deinit {
        for number in all { workers[number].closeDescriptors() }
        workers.deinitialize(count: regions.count)
        workers.deallocate()
    }

    private var all: Range<Int> { regions.indices }

    func attach(_ port: PortIO, slot: UInt32) { for number in all { workers[number].attach(port, slot: slot) } }

    /// One burst of an endpoint, by the worker that reads it.
    func turn(_ slot: UInt32) {
        workers[WorkerAssignment.reader(of: slot, workers: regions.count)].turn(slot: slot)
        if hearsAtOnce { hear() }
    }

    /// Everybody hears what was told, and what comes of that.
    func hear() {
        var isQuiet = regions.count == 1
        while !isQuiet {
            isQuiet = true
            // What somebody hears may make him tell something.
            for number in all where workers[number].hearOthers() > 0 { isQuiet = false }
        }
    }

    func hear(_ number: Int) { while workers[number].hearOthers() > 0 {} }

    func use(_ snapshot: Snapshot, by number: Int? = nil) {
        for each in all where number == nil || number == each { workers[each].use(snapshot) }
    }

    func advance(toMilliseconds time: UInt32) { for number in all { workers[number].advance(toMilliseconds: time) } }

    func review() {
        for number in all { workers[number].review() }
        if hearsAtOnce { hear() }
    }

    /// What every worker does once a second about learned addresses.
    func age() {
        for number in all { workers[number].ageSlice() }
        if hearsAtOnce { hear() }
    }

    func age(_ number: Int) { workers[number].ageSlice() }

    func forget(segment: UInt32, by number: Int) { workers[number].forget(segment: segment) }

    // MARK: Counts

    func drops(_ slot: UInt32, _ reason: UInt8) -> UInt64 {
        regions.reduce(0) { $0 + $1.endpointDrops[Int(slot) * StateRegion.reasons + Int(reason)] }
    }

    func events(_ event: UInt8) -> UInt64 { regions.reduce(0) { $0 + $1.events[Int(event)] } }

    func counters(_ slot: UInt32) -> EndpointCounters {
        regions.reduce(into: EndpointCounters()) { sum, region in
            let part = region.counters[Int(slot)]
            sum.receivedFrames += part.receivedFrames
            sum.receivedBytes += part.receivedBytes
            sum.receivedSuperFrames += part.receivedSuperFrames
            sum.receiveFailures += part.receiveFailures
            sum.sentFrames += part.sentFrames
            sum.sentBytes += part.sentBytes
            sum.sentSuperFrames += part.sentSuperFrames
            sum.sendFailures += part.sendFailures
        }
    }
}
