import CLinux
import Forwarding
import Ports
import Rings
import Tables
import Wire

/// One forwarding thread and everything it owns. Nobody else touches these fields while it runs: what the control
/// thread wants comes through `mailbox`, what other workers have learned through `exchange`, and both are dealt with
/// between two bursts.
///
/// Each endpoint is read by one worker (`WorkerAssignment`), which decides about its frames and sends them wherever they
/// go: the system takes frames whole, whoever writes them. So a flow has one worker and keeps its order, and all that
/// workers share is the snapshot, which nobody writes.
///
/// A turn: wait until a port has frames, awake if the last ones came soon (`Patience`) → fill the receive ring with a
/// burst → decide each frame → queue its copies by output → send the queues → carry out commands → age a slice of the
/// learned addresses. Nothing in a turn allocates, locks, logs or calls into the language runtime.
public struct Worker: ~Copyable {
    /// Endpoints that were ever attached are below this.
    let capacity: Int
    /// How each endpoint slot reads and writes.
    let ports: UnsafeMutablePointer<PortIO>
    /// Whether epoll watches the slot's descriptor.
    let isReading: UnsafeMutablePointer<Bool>
    /// Whether the slot was read since its losses were counted.
    let wasRead: UnsafeMutablePointer<Bool>
    let epoll: Int32
    let pool = BufferPool()
    let ring = ReceiveRing()
    let queues: TransmitQueues
    let engine = PortEngine()
    let mailbox: Mailbox
    /// What this worker and the others tell each other.
    var exchange: Exchange
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
    /// Pages of learned addresses that have their turn in a second, and the seconds that all of them take.
    var pagesPerSlice = Worker.leastPagesPerSlice
    var roundSeconds: UInt32 = 0
    /// Room for what is told of one page.
    let reports: UnsafeMutablePointer<MACTable.Entry>
    var turns: UInt64 = 0
    /// Whether waiting is done awake.
    var patience = Patience()
    var running = true

    static let wakeToken = UInt64.max
    static let newsToken = UInt64.max - 1

    /// - Parameters:
    ///   - snapshot: what to forward by; its memory outlives its use.
    ///   - state: counters and learned addresses.
    ///   - exchange: this worker's end; of its own when it is alone.
    init(
        snapshot: Snapshot,
        state: StateRegion,
        epoll: Int32,
        mailbox: Mailbox,
        exchange: Exchange = Exchange()
    ) {
        capacity = state.capacity.endpoints
        ports = .allocate(capacity: capacity)
        ports.initialize(repeating: PortIO(), count: capacity)
        isReading = .allocate(capacity: capacity)
        isReading.initialize(repeating: false, count: capacity)
        wasRead = .allocate(capacity: capacity)
        wasRead.initialize(repeating: false, count: capacity)
        queues = TransmitQueues(endpoints: capacity)
        self.epoll = epoll
        self.mailbox = mailbox
        self.exchange = exchange
        reports = .allocate(capacity: exchange.isAlone ? 0 : MACTable.entriesPerPage)
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
        paceRounds()
    }
}
