import Control
import Datapath
import Glibc
import Model
import Ports
import Rings
import Tables
import Wire

/// The switch of one host of a topology, in this process and this thread: the operator's file through the real compiler
/// into the real worker, with memory in place of descriptors.
final class Bench {
    let state: StateRegion
    let snapshot: Snapshot
    private let worker: UnsafeMutablePointer<Worker>
    private let ports: UnsafeMutablePointer<MemoryPort>
    private let slots: [EndpointKey: UInt32]

    /// - Parameters:
    ///   - text: the topology; this is host `h1`.
    ///   - capacity: of the tables.
    ///   - ringBytes: room at each port in each direction: a burst, and no more than the caches can hold.
    init(_ text: String, capacity: StateCapacity, ringBytes: Int) throws {
        let topology = try Topology.load(text: text, file: "journeys")
        let compiled = try Compiler.compile(
            topology: topology,
            host: "h1",
            underlayMTU: 1500,
            generation: 1,
            seed: 7,
            allocation: SlotAllocation(),
            capacity: capacity
        )
        // Neither is ever given back: the process lives as long as they do.
        let image = Bench.pages(compiled.image.count)
        compiled.image.withUnsafeBytes { image.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        snapshot = try Snapshot(validating: UnsafeRawBufferPointer(start: image, count: compiled.image.count))
        let size = StateRegion.size(capacity)
        let memory = Bench.pages(size)
        StateRegion.format(memory, capacity, seed: 0x5EED)
        state = StateRegion(memory, count: size)!
        worker = .allocate(capacity: 1)
        guard let made = Worker(snapshot: snapshot, state: state, now: 100) else {
            preconditionFailure("the system has no descriptors left")
        }
        worker.initialize(to: made)
        ports = .allocate(capacity: compiled.endpoints.count)
        var slots: [EndpointKey: UInt32] = [:]
        for (i, plan) in compiled.endpoints.enumerated() {
            // What a tunnel's socket gets must be complete; a device takes the work that is left.
            let isTunnel = !(plan.key.tenant != nil || plan.key == .provider("physnet1"))
            (ports + i).initialize(to: MemoryPort(ringBytes: ringBytes, finishesOffloads: isTunnel))
            worker.pointee.attach(ports[i].io, slot: plan.slot)
            slots[plan.key] = UInt32(i)
            slotOf.append(plan.slot)
        }
        self.slots = slots
    }

    /// Endpoint slots by port.
    private var slotOf: [UInt32] = []

    var count: Int { slotOf.count }

    /// Zeroed memory that is only there where it is touched.
    private static func pages(_ count: Int) -> UnsafeMutableRawPointer {
        let memory = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        precondition(memory != MAP_FAILED, "no memory")
        return memory!
    }

    /// The number of a port, by its key as `show` prints it: `red/a`, `physnet1`, `vxlan 192.0.2.1:4789`.
    func port(_ key: String) -> Int {
        guard let key = EndpointKey(key), let index = slots[key] else { preconditionFailure("there is no \(key)") }
        return Int(index)
    }

    func inject(_ bytes: [UInt8], at port: Int, offload: Offload = .none, from source: IPv6Address) -> Bool {
        bytes.withUnsafeBytes { ports[port].inject($0, offload: offload, outerSource: source) }
    }

    func inject(_ bytes: UnsafeRawBufferPointer, at port: Int, from source: IPv6Address) -> Bool {
        ports[port].inject(bytes, outerSource: source)
    }

    /// Forwards what waits at a port.
    func turn(_ port: Int) { worker.pointee.turn(slot: slotOf[port]) }

    /// The same, and callgrind counts here and nowhere else: `.ci/check-instructions` knows the name.
    @inline(never)
    func measuredTurn(_ port: Int) { worker.pointee.turn(slot: slotOf[port]) }

    /// Lets a round of ageing pass in no time.
    func age() { for _ in 0...state.macs.pageCount / 64 { worker.pointee.ageSlice() } }

    func discard(_ port: Int) { ports[port].discard() }

    func discardAll() { for port in 0..<count { ports[port].discard() } }

    /// Learned addresses in all networks.
    var learned: Int {
        (0..<Int(snapshot.segmentCount)).reduce(0) { sum, slot in
            sum + Int(state.macs.learned(segment: UInt32(slot), generation: snapshot.segments[slot].generation))
        }
    }

    /// Frames that went out at a port, counting those that were cut from larger ones once.
    func sent(_ port: Int) -> UInt64 { state.counters[Int(slotOf[port])].sentFrames }
}
