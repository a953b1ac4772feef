import CLinux
import Rings
import Wire

/// What a record of a memory port says about the frame that follows it.
struct MemoryRecord {
    var offload: Offload
    var tos: UInt8 = 0
    var destinationPort: UInt16 = 0
    var interface: UInt32 = 0
    var flowHash: UInt32 = 0
    /// The outer source of what comes in, the destination of what goes out.
    var address: IPv6Address
}

extension PortEngine {
    func receiveMemory(
        _ port: UnsafeMutablePointer<PortIO>,
        _ endpoint: UInt32,
        _ ring: borrowing ReceiveRing,
        _ pool: borrowing BufferPool
    ) -> Int32 {
        guard let records = port.pointee.memoryIn else { return -EBADF }
        let headerLength = MemoryLayout<MemoryRecord>.size
        while !ring.isFull {
            guard let bytes = records.peek() else { return 0 }
            defer { records.release() }
            let length = bytes.count &- headerLength
            guard let start = bytes.baseAddress, length > 0, length <= BufferPool.capacity else {
                ring.noteUnreadable()
                continue
            }
            let record = start.loadUnaligned(as: MemoryRecord.self)
            let frame = pool.buffer(ring.count)
            frame.copyMemory(from: start + headerLength, byteCount: length)
            let goesOn = ring.append(
                Frame(
                    bytes: frame,
                    length: length,
                    offload: record.offload,
                    endpoint: endpoint,
                    outerSource: record.address,
                    outerTOS: record.tos,
                    outerInterface: record.interface
                )
            )
            if !goesOn { break }
        }
        ring.setDrained(false)
        return 0
    }

    func transmitMemory(
        _ port: UnsafeMutablePointer<PortIO>,
        _ queues: borrowing TransmitQueues,
        _ endpoint: UInt32,
        _ result: inout TransmitResult
    ) {
        var waiting = queues.first(endpoint)
        while let slot = waiting {
            waiting = queues.next(slot)
            guard let ring = port.pointee.memoryOut else {
                result.fail(EBADF)
                continue
            }
            let error =
                port.pointee.flags & PortIO.Flags.finishesOffloads == 0
                ? put(ring, slot, slot.pointee.offload)
                : finish(ring, slot)
            if error == 0 {
                result.succeed(slot.pointee.length, isSuperFrame: slot.pointee.offload.isSuperFrame)
            } else {
                result.fail(error)
            }
        }
    }

    private func record(_ slot: UnsafeMutablePointer<TransmitSlot>, _ offload: Offload) -> MemoryRecord {
        MemoryRecord(
            offload: offload,
            tos: slot.pointee.tos,
            destinationPort: slot.pointee.destinationPort,
            flowHash: slot.pointee.flowHash,
            address: slot.pointee.destination
        )
    }

    private func put(_ ring: SPSCRing, _ slot: UnsafeMutablePointer<TransmitSlot>, _ offload: Offload) -> Int32 {
        var record = record(slot, offload)
        return ring.tryWrite(
            &record,
            MemoryLayout<MemoryRecord>.size,
            slot.header,
            Int(slot.pointee.headerLength),
            slot.pointee.payload,
            slot.pointee.payloadLength
        ) ? 0 : ENOBUFS
    }

    /// Does what a socket would do with a frame that is not finished.
    private func finish(_ ring: SPSCRing, _ slot: UnsafeMutablePointer<TransmitSlot>) -> Int32 {
        let offload = slot.pointee.offload
        var record = record(slot, .none)
        let size = MemoryLayout<MemoryRecord>.size
        if offload.isSuperFrame {
            guard let plan = plan(slot) else { return EINVAL }
            for index in 0..<plan.count {
                let segment = plan.writeHeader(index, into: headers(0))
                guard
                    ring.tryWrite(&record, size, headers(0), plan.headerLength, segment.payload, segment.count)
                else { return ENOBUFS }
            }
            return 0
        }
        let greChecksum = slot.greChecksumOffset
        guard offload.needsChecksum || greChecksum >= 0 else { return put(ring, slot, .none) }
        let length = slot.pointee.length
        guard slot.pointee.payloadLength <= BufferPool.capacity else { return EMSGSIZE }
        linearFrame.copyMemory(from: slot.header, byteCount: Int(slot.pointee.headerLength))
        if let payload = slot.pointee.payload {
            (linearFrame + Int(slot.pointee.headerLength)).copyMemory(
                from: payload,
                byteCount: slot.pointee.payloadLength
            )
        }
        let isFinished =
            !offload.needsChecksum
            || PartialChecksum.complete(
                linearFrame,
                length,
                start: Int(offload.checksumStart),
                offset: Int(offload.checksumOffset)
            )
        guard isFinished else { return EINVAL }
        if greChecksum >= 0 {
            let start = greChecksum &- 4
            linearFrame.set16(greChecksum, 0)
            linearFrame.set16(greChecksum, Checksum.finish(Checksum.sum(linearFrame + start, length &- start)))
        }
        return ring.tryWrite(&record, size, linearFrame, length) ? 0 : ENOBUFS
    }
}
