import CLinux

/// Reads and writes of TAPs, many with one system call (io_uring): what `recvmmsg` and `sendmmsg` are for sockets.
///
/// None of the calls waits, so each has ended when `run` returns, in the order in which they were prepared, and no buffer
/// is in the kernel's hands afterwards.
struct CallBatch {
    static let capacity = 64

    private let calls: UnsafeMutablePointer<linux_batch>
    private let results: UnsafeMutablePointer<Int32>
    /// Two for each write that has them.
    private let pieces: UnsafeMutablePointer<iovec>

    /// - Returns: nil where io_uring is not to be had: frames are then read and written one by one.
    init?() {
        var opened = linux_batch()
        guard linux_batch_open(&opened, UInt32(CallBatch.capacity)) == 0 else { return nil }
        calls = .allocate(capacity: 1)
        calls.initialize(to: opened)
        results = .allocate(capacity: CallBatch.capacity)
        results.initialize(repeating: 0, count: CallBatch.capacity)
        pieces = .allocate(capacity: 2 * CallBatch.capacity)
        pieces.initialize(repeating: iovec(), count: 2 * CallBatch.capacity)
    }

    func deallocate() {
        Syscall.close(calls.pointee.fd)
        calls.deallocate()
        results.deallocate()
        pieces.deallocate()
    }

    @inline(__always)
    func read(_ index: Int, _ fd: Int32, _ bytes: UnsafeMutableRawPointer, _ count: Int) {
        prepare(index, LINUX_BATCH_READ, fd, bytes, count)
    }

    @inline(__always)
    func write(_ index: Int, _ fd: Int32, _ bytes: UnsafeRawPointer, _ count: Int) {
        prepare(index, LINUX_BATCH_WRITE, fd, bytes, count)
    }

    /// Writes two pieces, the second of which may be empty.
    @inline(__always)
    func write(
        _ index: Int,
        _ fd: Int32,
        _ header: UnsafeRawPointer,
        _ headerLength: Int,
        _ payload: UnsafeRawPointer?,
        _ payloadLength: Int
    ) {
        let first = pieces + 2 &* index
        first[0].iov_base = UnsafeMutableRawPointer(mutating: header)
        first[0].iov_len = headerLength
        first[1].iov_base = UnsafeMutableRawPointer(mutating: payload)
        first[1].iov_len = payloadLength
        prepare(index, LINUX_BATCH_WRITEV, fd, first, payloadLength > 0 ? 2 : 1)
    }

    @inline(__always)
    private func prepare(_ index: Int, _ operation: Int, _ fd: Int32, _ bytes: UnsafeRawPointer, _ count: Int) {
        linux_batch_prepare(
            calls,
            UInt32(truncatingIfNeeded: index),
            Int32(truncatingIfNeeded: operation),
            fd,
            bytes,
            UInt32(truncatingIfNeeded: count)
        )
    }

    /// Carries out the first `count` calls, from 0.
    @inline(__always)
    func run(_ count: Int) { linux_batch_run(calls, UInt32(truncatingIfNeeded: count), results) }

    /// Whether an errno says nothing about the frame: the call was interrupted, or this kernel's TAPs have no reads and writes
    /// of which it knows that they do not wait. It should be made by itself.
    @inline(__always)
    static func isUndone(_ error: Int32) -> Bool { error == EOPNOTSUPP || error == EINTR }

    /// How a call of the last run ended: a count or a negative errno.
    @inline(__always)
    func result(_ index: Int) -> Int32 { results[index] }
}
