import CLinux
import Glibc
import Rings
import Tables
import Wire

/// How the workers of a datapath tell each other what they learn: a ring from each to each, and an eventfd by which each
/// can be woken. One worker's end of all that; nothing is there for a worker that is alone.
///
/// Nobody waits for anybody: what finds no room in a ring is not told now, and is told again later.
public struct Exchange {
    /// The head of every record. What follows depends on the kind.
    struct Header {
        enum Kind {
            /// Stations were seen: `MACTable.Entry` records.
            static let stations: UInt32 = 1
            /// Who has an address: a `NeighborReport`.
            static let neighbor: UInt32 = 2
            /// The way to a peer, an `IPv6Address`, takes packets of `value` bytes.
            static let pathMTU: UInt32 = 3
        }

        /// That of the snapshot by which the sender forwards. Its slots mean nothing to who has an older one.
        var generation: UInt64
        var kind: UInt32
        var value: UInt32 = 0
    }

    struct NeighborReport {
        var address: IPv6Address
        var mac: MACAddress
        var segment: UInt32
        /// That of the segment.
        var generation: UInt8
        /// Whether it is to be remembered where nobody has asked for it.
        var creates: Bool
    }

    /// Room for ten thousand stations, more than a slice of a full table.
    static let ringBytes = 512 << 10

    /// This worker's number, and that of all.
    let index: Int
    let count: Int
    /// From worker a to worker b at a × `count` + b. Only read here, like `wakes`.
    private let rings: UnsafeMutablePointer<SPSCRing>?
    /// Per worker.
    private let wakes: UnsafeMutablePointer<Int32>?
    /// Something was told since the others were woken last.
    private(set) var hasTold = false

    /// The end of a worker that is alone.
    public init() { self.init(index: 0, count: 1, rings: nil, wakes: nil) }

    private init(
        index: Int,
        count: Int,
        rings: UnsafeMutablePointer<SPSCRing>?,
        wakes: UnsafeMutablePointer<Int32>?
    ) {
        self.index = index
        self.count = count
        self.rings = rings
        self.wakes = wakes
    }

    /// The ends of `count` workers, in memory that is never given back; nil when the system refuses memory or descriptors.
    /// Pages that no record has touched cost nothing.
    public static func make(workers count: Int) -> [Exchange]? {
        guard count > 1 else { return [Exchange()] }
        let stride = (SPSCRing.memorySize(capacity: ringBytes) + 4095) & ~4095
        let memory = mmap(
            nil,
            count * count * stride,
            PROT_READ | PROT_WRITE,
            MAP_PRIVATE | Int32(MAP_ANONYMOUS) | Int32(MAP_NORESERVE),
            -1,
            0
        )
        guard let memory, memory != MAP_FAILED else { return nil }
        let rings = UnsafeMutablePointer<SPSCRing>.allocate(capacity: count * count)
        for i in 0..<count * count {
            (rings + i).initialize(to: SPSCRing.format(memory + i * stride, capacity: ringBytes))
        }
        let wakes = UnsafeMutablePointer<Int32>.allocate(capacity: count)
        for i in 0..<count {
            (wakes + i).initialize(to: linux_eventfd())
            guard wakes[i] >= 0 else { return nil }
        }
        return (0..<count).map { Exchange(index: $0, count: count, rings: rings, wakes: wakes) }
    }

    @inline(__always)
    var isAlone: Bool { count == 1 }

    /// Readable when somebody has told something; -1 for who is alone.
    var wake: Int32 { wakes?[index] ?? -1 }

    /// Whether this worker reads an endpoint.
    func reads(_ endpoint: UInt32) -> Bool { WorkerAssignment.reader(of: endpoint, workers: count) == index }

    // MARK: Telling

    /// Tells every other worker. They are woken by `wakeOthers`.
    ///
    /// - Returns: how many of them have no room for it.
    mutating func tell(_ header: Header, _ body: UnsafeRawPointer, _ length: Int) -> Int {
        guard let rings else { return 0 }
        var header = header
        var lost = 0
        for other in 0..<count where other != index {
            let ring = rings[index &* count &+ other]
            if !ring.tryWrite(&header, MemoryLayout<Header>.size, body, length) { lost &+= 1 }
        }
        hasTold = true
        return lost
    }

    /// Wakes everybody who was told something.
    mutating func wakeOthers() {
        hasTold = false
        guard let wakes else { return }
        for other in 0..<count where other != index { _ = linux_eventfd_signal(wakes[other]) }
    }

    // MARK: Listening

    /// What worker `other` has told this one.
    func incoming(_ other: Int) -> SPSCRing? { rings?[other &* count &+ index] }

    /// Whether there is anything to listen to.
    @inline(__always)
    var hasNews: Bool { !isAlone && hasRecords() }

    private func hasRecords() -> Bool {
        guard let rings else { return false }
        for other in 0..<count where other != index && !rings[other &* count &+ index].isEmpty { return true }
        return false
    }

    func clearWake() { if let wakes { _ = linux_eventfd_clear(wakes[index]) } }

    /// Something was left that is to be looked at in the next turn.
    func wakeSelf() { if let wakes { _ = linux_eventfd_signal(wakes[index]) } }
}
