import CLinux
import Rings
import Wire

extension PortEngine {
    /// Sends everything that waits for an endpoint, in order, without waiting. The queue itself stays as it is.
    ///
    /// - Returns: how the frames ended.
    public func transmit(
        _ port: UnsafeMutablePointer<PortIO>,
        queues: borrowing TransmitQueues,
        endpoint: UInt32
    ) -> TransmitResult {
        var result = TransmitResult()
        switch port.pointee.kind {
        case .none: discard(queues, endpoint, &result)
        case .tap: transmitTAP(port, queues, endpoint, &result)
        case .uplink: transmitUplink(port, queues, endpoint, &result)
        case .uplinkDevice: transmitUplinkDevice(port, queues, endpoint, &result)
        case .packet: transmitPackets(port, queues, endpoint, &result)
        case .vxlan4: transmitTunnel(port, queues, endpoint, isIPv6: false, isUDP: true, &result)
        case .vxlan6: transmitTunnel(port, queues, endpoint, isIPv6: true, isUDP: true, &result)
        case .raw4: transmitTunnel(port, queues, endpoint, isIPv6: false, isUDP: false, &result)
        case .raw6: transmitTunnel(port, queues, endpoint, isIPv6: true, isUDP: false, &result)
        case .memory: transmitMemory(port, queues, endpoint, &result)
        }
        return result
    }

    private func discard(_ queues: borrowing TransmitQueues, _ endpoint: UInt32, _ result: inout TransmitResult) {
        for _ in 0..<queues.count(endpoint) { result.fail(ENXIO) }
    }

    // MARK: - TAP

    /// A TAP takes one frame for each call, but takes it whole: no segmentation, no checksum.
    private func transmitTAP(
        _ port: UnsafeMutablePointer<PortIO>,
        _ queues: borrowing TransmitQueues,
        _ endpoint: UInt32,
        _ result: inout TransmitResult
    ) {
        let fd = port.pointee.receiveDescriptor
        var waiting = queues.first(endpoint)
        while let slot = waiting {
            waiting = queues.next(slot)
            let header = slot.header - VirtioHeader.length
            VirtioHeader.write(slot.pointee.offload, to: header)
            var error =
                slot.joinsPayload
                ? writeJoined(fd, slot)
                : write(
                    fd,
                    header,
                    VirtioHeader.length &+ Int(slot.pointee.headerLength),
                    slot.pointee.payload,
                    slot.pointee.payloadLength
                )
            if error == EINVAL, slot.pointee.offload.isSuperFrame {
                error = writePieces(fd, slot, virtioLength: VirtioHeader.length, nil)
            }
            if error == 0 {
                result.succeed(slot.pointee.length, isSuperFrame: slot.pointee.offload.isSuperFrame)
            } else {
                result.fail(error)
            }
        }
    }

    /// Writes a small frame in one piece: copying sixty bytes takes less than having the kernel read a second piece.
    @inline(__always)
    private func writeJoined(_ fd: Int32, _ slot: UnsafeMutablePointer<TransmitSlot>) -> Int32 {
        let length = VirtioHeader.length &+ slot.joinPayload()
        var written = Syscall.write(fd, slot.header - VirtioHeader.length, length)
        while written == -EINTR { written = Syscall.write(fd, slot.header - VirtioHeader.length, length) }
        return written < 0 ? 0 &- written : 0
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
        return written < 0 ? 0 &- written : 0
    }

    // MARK: - Packet socket

    /// A packet socket takes many frames with one call, whole like a TAP.
    private func transmitPackets(
        _ port: UnsafeMutablePointer<PortIO>,
        _ queues: borrowing TransmitQueues,
        _ endpoint: UInt32,
        _ result: inout TransmitResult
    ) {
        let fd = port.pointee.receiveDescriptor
        let batch = batches[0]
        var waiting = queues.first(endpoint)
        while let slot = waiting {
            waiting = queues.next(slot)
            let header = slot.header - VirtioHeader.length
            VirtioHeader.write(slot.pointee.offload, to: header)
            let index = batch.next(slot)
            batch.addPiece(index, header, VirtioHeader.length &+ Int(slot.pointee.headerLength))
            batch.addPiece(index, slot.pointee.payload, slot.pointee.payloadLength)
            guard batch.count == MessageBatch.capacity || waiting == nil else { continue }
            batch.send(fd)
            for sent in 0..<batch.count {
                guard let slot = batch.slots[sent] else { continue }
                var error = batch.errors[sent]
                if error == EINVAL, slot.pointee.offload.isSuperFrame, let plan = plan(slot) {
                    error = sendPieces(fd, plan, from: 0, nil)
                }
                if error == 0 {
                    result.succeed(slot.pointee.length, isSuperFrame: slot.pointee.offload.isSuperFrame)
                } else {
                    result.fail(error)
                }
            }
            batch.clear()
        }
    }
}
