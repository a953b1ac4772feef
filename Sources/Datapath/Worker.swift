import CLinux
import Forwarding
import Ports
import Rings
import Tables
import Wire

/// One forwarding thread and everything it owns. Nobody else touches these fields while it runs: what the control
/// thread wants comes through `mailbox` and is done between two bursts.
///
/// A turn: wait until a port has frames → fill the receive ring with a burst → decide each frame → queue its copies by
/// output → send the queues → carry out commands → age a slice of the learned addresses. Nothing in a turn allocates,
/// locks, logs or calls into the language runtime.
public struct Worker: ~Copyable {
    /// Endpoints that were ever attached are below this.
    let capacity: Int
    /// How each endpoint slot reads and writes.
    let ports: UnsafeMutablePointer<PortIO>
    /// Whether epoll watches the slot's descriptor.
    let isReading: UnsafeMutablePointer<Bool>
    let epoll: Int32
    let pool = BufferPool()
    let ring = ReceiveRing()
    let queues: TransmitQueues
    let engine = PortEngine()
    let mailbox: Mailbox
    var snapshot: Snapshot
    var state: StateRegion
    /// Whole seconds of the monotonic clock.
    var now: UInt32
    /// Milliseconds of the same clock, as often as the loop turns.
    var milliseconds: UInt32
    var captures = Captures()
    /// Frames that wait for their next hop's address.
    var held = HeldFrames()
    /// Frames that have waited are being decided about anew.
    var isReleasing = false
    /// What is being asked for, the first `questionCount`.
    let questions: UnsafeMutablePointer<NeighborNews>
    var questionCount = 0
    let rates: Rates
    /// What is known about the frames of a burst before they are decided.
    let outlooks: UnsafeMutablePointer<Outlook>
    /// More addresses are learned than the caches hold.
    var hasManyMACs = false
    /// Pages of learned addresses in use that this round of ageing has met.
    var occupiedPages = 0
    /// The interface of the underlay's router, or `noSlot` where there is no uplink.
    var uplink = noSlot
    /// Where the worker's own frames are made.
    let scratch: UnsafeMutableRawPointer
    var scratchUsed = 0
    /// The pages of learned addresses and of neighbours to age next, and the second in which the last ones were aged.
    var agePage = 0
    var neighborPage = 0
    var agedAt: UInt32 = 0
    var turns: UInt64 = 0
    var running = true

    static let wakeToken = UInt64.max

    /// - Parameters:
    ///   - snapshot: what to forward by; its memory outlives its use.
    ///   - state: counters and learned addresses.
    init(snapshot: Snapshot, state: StateRegion, epoll: Int32, mailbox: Mailbox) {
        capacity = state.capacity.endpoints
        ports = .allocate(capacity: capacity)
        ports.initialize(repeating: PortIO(), count: capacity)
        isReading = .allocate(capacity: capacity)
        isReading.initialize(repeating: false, count: capacity)
        queues = TransmitQueues(endpoints: capacity)
        self.epoll = epoll
        self.mailbox = mailbox
        self.snapshot = snapshot
        self.state = state
        let time = linux_monotonic_coarse()
        now = UInt32(truncatingIfNeeded: time / 1_000_000_000)
        milliseconds = UInt32(truncatingIfNeeded: time / 1_000_000)
        questions = .allocate(capacity: Worker.questionCapacity)
        questions.initialize(repeating: NeighborNews(), count: Worker.questionCapacity)
        outlooks = .allocate(capacity: Worker.outlookCapacity)
        rates = Rates(segments: state.capacity.segments)
        scratch = .allocate(byteCount: Worker.originals * Original.capacity, alignment: 64)
    }
}
