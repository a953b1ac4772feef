import CLinux

/// Frames on their way out during one turn: a first-in-first-out queue for each endpoint, all made of slots from one
/// pool that is emptied as a whole. Slots are used in the order in which frames are decided, so they lie side by side
/// in memory whatever their endpoints are, and emptying costs as much as there were endpoints with frames.
public struct TransmitQueues: ~Copyable {
    @frozen @usableFromInline
    struct Queue {
        @usableFromInline var head: Int32 = -1
        @usableFromInline var tail: Int32 = -1
        @usableFromInline var count: Int32 = 0
    }

    @frozen @usableFromInline
    struct State {
        @usableFromInline var used: Int32 = 0
        @usableFromInline var dirty: Int32 = 0
    }

    /// Endpoints that have a queue.
    public let endpointCount: Int
    /// Slots in the pool.
    public let slotCount: Int
    @usableFromInline let slots: UnsafeMutablePointer<TransmitSlot>
    @usableFromInline let queues: UnsafeMutablePointer<Queue>
    @usableFromInline let dirtyEndpoints: UnsafeMutablePointer<UInt32>
    @usableFromInline let state: UnsafeMutablePointer<State>
    let slotBytes: Int

    /// - Parameters:
    ///   - endpoints: endpoint numbers are below this.
    ///   - slots: copies that may wait at the same time.
    public init(endpoints: Int, slots: Int = 1024) {
        endpointCount = endpoints
        slotCount = slots
        slotBytes = slots * MemoryLayout<TransmitSlot>.stride
        self.slots = mapPrivate(slotBytes).bindMemory(to: TransmitSlot.self, capacity: slots)
        queues = .allocate(capacity: endpoints)
        queues.initialize(repeating: Queue(), count: endpoints)
        dirtyEndpoints = .allocate(capacity: endpoints)
        state = .allocate(capacity: 1)
        state.initialize(to: State())
    }

    deinit {
        _ = linux_unmap(slots, slotBytes)
        queues.deallocate()
        dirtyEndpoints.deallocate()
        state.deallocate()
    }

    /// A slot at the end of an endpoint's queue, with no bytes, no work left to do and no destination.
    ///
    /// - Returns: nil when the pool is used up (or there is no such endpoint). The caller sends what waits, resets,
    ///   and asks again.
    @inline(__always)
    public func append(_ endpoint: UInt32) -> UnsafeMutablePointer<TransmitSlot>? {
        guard endpoint < UInt32(truncatingIfNeeded: endpointCount), let slot = reserve() else { return nil }
        commit(endpoint)
        return slot
    }

    /// Whether the pool has room for `count` more frames.
    @inline(__always)
    public func hasRoom(_ count: Int) -> Bool { Int(state.pointee.used) &+ count <= slotCount }

    /// Endpoints that have frames waiting.
    @inline(__always)
    public var dirtyCount: Int { Int(state.pointee.dirty) }

    /// The `index`th of them, in the order of their first frames.
    @inline(__always)
    public func dirtyEndpoint(_ index: Int) -> UInt32 { dirtyEndpoints[index] }

    /// Frames that wait for an endpoint.
    @inline(__always)
    public func count(_ endpoint: UInt32) -> Int { Int(queues[Int(endpoint)].count) }

    /// The frame that an endpoint should send first.
    @inline(__always)
    public func first(_ endpoint: UInt32) -> UnsafeMutablePointer<TransmitSlot>? {
        let head = queues[Int(endpoint)].head
        return head < 0 ? nil : slots + Int(head)
    }

    /// The frame behind `slot` in its queue.
    @inline(__always)
    public func next(_ slot: UnsafeMutablePointer<TransmitSlot>) -> UnsafeMutablePointer<TransmitSlot>? {
        let next = slot.pointee.next
        return next < 0 ? nil : slots + Int(next)
    }

    /// Empties every queue. Slots are invalid from here on.
    @inline(__always)
    public func reset() {
        for index in 0..<dirtyCount { queues[Int(dirtyEndpoints[index])] = Queue() }
        state.pointee = State()
    }
}
