import CLinux

/// Receive buffers of one worker. Each can take the largest frame that a TAP hands over (a 64 KB datagram behind an
/// Ethernet header and two VLAN tags) and has headroom in front. Buffers are handed out by index and come back by the
/// end of the turn, since every transmit queue is flushed by then; so there is nothing to count or to free.
public struct BufferPool: ~Copyable {
    /// Writable bytes in front of a frame: a virtio header, or a VLAN tag that is put back.
    public static let headroom = 128
    /// Bytes that a frame may have.
    public static let capacity = 67_584
    /// Buffers begin five cache lines apart modulo the page size, so that the headers of a burst of small frames do not
    /// compete for the same sets of the first-level cache.
    static let stride = 17 * 4_096 + 5 * 64

    public let count: Int
    @usableFromInline let memory: UnsafeMutableRawPointer
    let size: Int

    /// Pages that no frame has touched cost nothing: small frames stay in the first page of their buffer.
    ///
    /// - Precondition: the system grants the address space.
    public init(count: Int = 64) {
        self.count = count
        size = count * BufferPool.stride
        memory = mapPrivate(size)
        _ = linux_keep_out_of_dumps(memory, size)
        first = memory + BufferPool.headroom
    }

    @usableFromInline let first: UnsafeMutableRawPointer

    deinit { _ = linux_unmap(memory, size) }

    /// Where a frame begins in buffer `index`.
    @inline(__always)
    public func buffer(_ index: Int) -> UnsafeMutableRawPointer { first + index &* BufferPool.stride }
}

/// Zeroed pages, or the end: this happens once, when a worker starts, and without them there is no worker.
func mapPrivate(_ size: Int) -> UnsafeMutableRawPointer {
    var memory: UnsafeMutableRawPointer?
    let result = linux_map_private(size, &memory)
    precondition(result >= 0, "the system refuses memory for the datapath's rings; raise the memory limit")
    return memory!
}
