import CLinux
import Rings
import Wire

// A TAP gives and takes one frame with each call, but whole: no segmentation, no checksum. Many calls are one system call
// (`CallBatch`) where many frames wait.

extension PortEngine {
    /// Frames of a burst from which on the next one is read together, and below which it is not.
    private static let many = ReceiveRing.capacity / 2
    private static let few = ReceiveRing.capacity / 4
    /// Frames that are worth to be written together.
    static let writesTogether = 4

    // MARK: Receive

    @inline(__always)
    func receiveTAP(
        _ port: UnsafeMutablePointer<PortIO>,
        _ endpoint: UInt32,
        _ ring: borrowing ReceiveRing,
        _ pool: borrowing BufferPool,
        isUplink: Bool
    ) -> Int32 {
        var arrivals = UplinkArrivals(port.pointee, spare: nestedFrames, PortEngine.nestedCapacity)
        let failure: Int32
        if let calls, port.pointee.receiveBatch == Int32(ReceiveRing.capacity) {
            failure = readTogether(calls, port, endpoint, ring, pool, &arrivals, isUplink: isUplink)
        } else {
            failure = readSingly(port, endpoint, ring, pool, &arrivals, isUplink: isUplink)
        }
        if isUplink { arrivals.handOver(ring) }
        return failure
    }

    /// Reads until there is no more or the burst is full: so a super-frame is forwarded before the next one is read.
    @inline(__always)
    private func readSingly(
        _ port: UnsafeMutablePointer<PortIO>,
        _ endpoint: UInt32,
        _ ring: borrowing ReceiveRing,
        _ pool: borrowing BufferPool,
        _ arrivals: inout UplinkArrivals,
        isUplink: Bool
    ) -> Int32 {
        let headerLength = isUplink ? VirtioHeader.tunnelLength : VirtioHeader.length
        var used = 0
        while !ring.isFull, used < ReceiveRing.capacity {
            let frame = pool.buffer(used)
            let result = Syscall.read(
                port.pointee.receiveDescriptor,
                frame - headerLength,
                headerLength &+ BufferPool.capacity
            )
            if result < 0 {
                if result == -EINTR { continue }
                if used >= PortEngine.many { port.pointee.receiveBatch = Int32(ReceiveRing.capacity) }
                return result == -EAGAIN ? 0 : result
            }
            guard let read = tapFrame(frame, Int(result), headerLength, endpoint) else {
                ring.noteUnreadable()
                if result == 0 { break }
                continue
            }
            used &+= 1
            add(read, ring, &arrivals, isUplink: isUplink)
            if read.length >= ReceiveRing.largeFrame { break }
        }
        if used >= PortEngine.many { port.pointee.receiveBatch = Int32(ReceiveRing.capacity) }
        ring.setDrained(false)
        return 0
    }

    /// Reads a whole burst at once: where many small frames waited the last time.
    @inline(__always)
    private func readTogether(
        _ calls: CallBatch,
        _ port: UnsafeMutablePointer<PortIO>,
        _ endpoint: UInt32,
        _ ring: borrowing ReceiveRing,
        _ pool: borrowing BufferPool,
        _ arrivals: inout UplinkArrivals,
        isUplink: Bool
    ) -> Int32 {
        let headerLength = isUplink ? VirtioHeader.tunnelLength : VirtioHeader.length
        let count = ReceiveRing.capacity
        for index in 0..<count {
            calls.read(
                index,
                port.pointee.receiveDescriptor,
                pool.buffer(index) - headerLength,
                headerLength &+ BufferPool.capacity
            )
        }
        calls.run(count)
        var used = 0
        var sawLarge = false
        var failure: Int32 = 0
        for index in 0..<count {
            let result = calls.result(index)
            if result < 0 {
                if result != -EAGAIN, !CallBatch.isUndone(0 &- result) { failure = result }
                continue
            }
            guard let read = tapFrame(pool.buffer(index), Int(result), headerLength, endpoint) else {
                ring.noteUnreadable()
                continue
            }
            used &+= 1
            sawLarge = sawLarge || read.length >= ReceiveRing.largeFrame
            add(read, ring, &arrivals, isUplink: isUplink)
        }
        if sawLarge || used < PortEngine.few { port.pointee.receiveBatch = Int32(PortIO.firstBatch) }
        // Where it was not empty at the end, or has not been asked.
        ring.setDrained(used > 0 && used < count)
        return failure
    }

    /// The frame that a read of `result` bytes left behind its header; nil if it was none.
    @inline(__always)
    private func tapFrame(
        _ bytes: UnsafeMutableRawPointer,
        _ result: Int,
        _ headerLength: Int,
        _ endpoint: UInt32
    ) -> Frame? {
        let length = result &- headerLength
        // The kernel cuts what is too long without a word, and then says exactly how much there was room for.
        guard length > 0, length < BufferPool.capacity else { return nil }
        // The header is in the headroom, so header and frame are one piece for the kernel.
        let offload = VirtioHeader.read(bytes - headerLength, frame: bytes, length)
        return Frame(bytes: bytes, length: length, offload: offload, endpoint: endpoint)
    }

    @inline(__always)
    private func add(
        _ frame: Frame,
        _ ring: borrowing ReceiveRing,
        _ arrivals: inout UplinkArrivals,
        isUplink: Bool
    ) {
        if isUplink {
            arrivals.add(frame, end: frame.bytes + BufferPool.capacity, ring)
        } else {
            ring.append(frame)
        }
    }

    // MARK: Transmit

    func transmitTAP(
        _ port: UnsafeMutablePointer<PortIO>,
        _ queues: borrowing TransmitQueues,
        _ endpoint: UInt32,
        _ result: inout TransmitResult
    ) {
        let fd = port.pointee.receiveDescriptor
        var waiting = queues.first(endpoint)
        let calls = queues.count(endpoint) >= PortEngine.writesTogether ? self.calls : nil
        while let first = waiting {
            guard let calls else {
                waiting = queues.next(first)
                end(first, fd, writeFrame(fd, first), &result)
                continue
            }
            var count = 0
            while let slot = waiting, count < CallBatch.capacity {
                VirtioHeader.write(slot.pointee.offload, to: slot.header - VirtioHeader.length)
                prepare(calls, count, fd, slot, headerLength: VirtioHeader.length)
                waiting = queues.next(slot)
                count &+= 1
            }
            calls.run(count)
            var done: UnsafeMutablePointer<TransmitSlot>? = first
            for index in 0..<count {
                guard let slot = done else { break }
                done = queues.next(slot)
                let error = 0 &- calls.result(index)
                end(slot, fd, CallBatch.isUndone(error) ? writeFrame(fd, slot) : max(0, error), &result)
            }
        }
    }

    /// Prepares to write a frame, whose virtio header of so many bytes stands in front of it.
    @inline(__always)
    func prepare(
        _ calls: CallBatch,
        _ index: Int,
        _ fd: Int32,
        _ slot: UnsafeMutablePointer<TransmitSlot>,
        headerLength: Int
    ) {
        let header = slot.header - headerLength
        if slot.joinsPayload {
            calls.write(index, fd, header, headerLength &+ slot.joinPayload())
        } else {
            calls.write(
                index,
                fd,
                header,
                headerLength &+ Int(slot.pointee.headerLength),
                slot.pointee.payload,
                slot.pointee.payloadLength
            )
        }
    }

    /// Counts how a write ended. A super-frame that the kernel would not take goes in pieces.
    @inline(__always)
    private func end(
        _ slot: UnsafeMutablePointer<TransmitSlot>,
        _ fd: Int32,
        _ code: Int32,
        _ result: inout TransmitResult
    ) {
        var error = code
        if error == EINVAL, slot.pointee.offload.isSuperFrame {
            error = writePieces(fd, slot, virtioLength: VirtioHeader.length, nil)
        }
        if error == 0 {
            result.succeed(slot.pointee.length, isSuperFrame: slot.pointee.offload.isSuperFrame)
        } else {
            result.fail(error)
        }
    }

    /// Writes one frame. Returns 0 or an errno.
    @inline(__always)
    private func writeFrame(_ fd: Int32, _ slot: UnsafeMutablePointer<TransmitSlot>) -> Int32 {
        let header = slot.header - VirtioHeader.length
        VirtioHeader.write(slot.pointee.offload, to: header)
        guard !slot.joinsPayload else {
            // Copying sixty bytes takes less than having the kernel read a second piece.
            let length = VirtioHeader.length &+ slot.joinPayload()
            var written = Syscall.write(fd, header, length)
            while written == -EINTR { written = Syscall.write(fd, header, length) }
            return max(0, 0 &- written)
        }
        return write(
            fd,
            header,
            VirtioHeader.length &+ Int(slot.pointee.headerLength),
            slot.pointee.payload,
            slot.pointee.payloadLength
        )
    }

    /// Writes one frame in two pieces. Returns 0 or an errno.
    @inline(__always)
    func write(
        _ fd: Int32,
        _ header: UnsafeRawPointer,
        _ headerLength: Int,
        _ payload: UnsafeRawPointer?,
        _ payloadLength: Int
    ) -> Int32 {
        segmentPieces[0].iov_base = UnsafeMutableRawPointer(mutating: header)
        segmentPieces[0].iov_len = headerLength
        segmentPieces[1].iov_base = UnsafeMutableRawPointer(mutating: payload)
        segmentPieces[1].iov_len = payloadLength
        var written = Syscall.writev(fd, segmentPieces, payloadLength > 0 ? 2 : 1)
        while written == -EINTR { written = Syscall.writev(fd, segmentPieces, payloadLength > 0 ? 2 : 1) }
        return max(0, 0 &- written)
    }
}
