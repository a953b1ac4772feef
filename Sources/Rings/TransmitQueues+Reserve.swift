// Filling a slot before it is known whether its frame may leave: `reserve` lends the next free slot, `commit` puts it at
// the end of a queue. A slot that is not committed is lent again.

extension TransmitQueues {
    /// The next free slot with fields at their defaults, or nil when the pool is used up.
    @inline(__always)
    public func reserve() -> UnsafeMutablePointer<TransmitSlot>? {
        let index = state.pointee.used
        guard index < Int32(truncatingIfNeeded: slotCount) else { return nil }
        let slot = slots + Int(index)
        slot.pointee.next = -1
        slot.pointee.headerLength = 0
        slot.pointee.tunnelHeaderLength = 0
        slot.pointee.tos = 0
        slot.pointee.offload = .none
        slot.pointee.flowHash = 0
        slot.pointee.networkType = 0
        slot.pointee.outerTransport = 0
        slot.pointee.payload = nil
        slot.pointee.payloadLength = 0
        return slot
    }

    /// Puts the slot that `reserve` lent last at the end of an endpoint's queue. The endpoint is below `endpointCount`.
    @inline(__always)
    public func commit(_ endpoint: UInt32) {
        let index = state.pointee.used
        state.pointee.used = index &+ 1
        let queue = queues + Int(endpoint)
        if queue.pointee.head < 0 {
            queue.pointee.head = index
            dirtyEndpoints[Int(state.pointee.dirty)] = endpoint
            state.pointee.dirty &+= 1
        } else {
            slots[Int(queue.pointee.tail)].next = index
        }
        queue.pointee.tail = index
        queue.pointee.count &+= 1
    }
}
