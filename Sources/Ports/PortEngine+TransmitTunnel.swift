import CLinux
import Rings
import Wire

extension PortEngine {
    /// Sends tunnel packets. Nobody looks into them on their way, so what the tenant left undone is done here: checksums
    /// are completed and super-frames cut, by the kernel where UDP_SEGMENT can repeat a size.
    ///
    /// Frames of one flow leave by one socket (RFC 7348 §5: one source port for each flow) and in order; frames of
    /// different sockets may overtake each other.
    func transmitTunnel(
        _ port: UnsafeMutablePointer<PortIO>,
        _ queues: borrowing TransmitQueues,
        _ endpoint: UInt32,
        isIPv6: Bool,
        isUDP: Bool,
        _ result: inout TransmitResult
    ) {
        var used: UInt32 = 0
        var waiting = queues.first(endpoint)
        while let slot = waiting {
            waiting = queues.next(slot)
            guard SocketAddress.matches(slot.pointee.destination, isIPv6: isIPv6) else {
                result.fail(EAFNOSUPPORT)
                continue
            }
            let flow = isUDP ? Int(slot.pointee.flowHash & 7) : 0
            let batch = batches[flow]
            used |= 1 &<< UInt32(flow)
            if slot.pointee.offload.isSuperFrame {
                flush(batch, port.pointee.datagramSocket(flow), &result)
                let error = sendSuperFrame(port, slot, flow, isIPv6: isIPv6, isUDP: isUDP)
                if error == 0 {
                    result.succeed(slot.pointee.length, isSuperFrame: true)
                } else {
                    result.fail(error)
                }
                continue
            }
            guard addDatagram(slot, to: batch, isIPv6: isIPv6) else {
                result.fail(EINVAL)
                continue
            }
            if batch.count == MessageBatch.capacity { flush(batch, port.pointee.datagramSocket(flow), &result) }
        }
        for flow in 0..<PortIO.transmitSockets where used & (1 &<< UInt32(flow)) != 0 {
            flush(batches[flow], port.pointee.datagramSocket(flow), &result)
        }
    }

    /// Sends what is in a batch and counts how it ended.
    private func flush(_ batch: MessageBatch, _ socket: Int32, _ result: inout TransmitResult) {
        guard batch.count > 0 else { return }
        batch.send(socket, news)
        for index in 0..<batch.count {
            guard let slot = batch.slots[index] else { continue }
            if batch.errors[index] == 0 {
                result.succeed(slot.pointee.length, isSuperFrame: false)
            } else {
                result.fail(batch.errors[index])
            }
        }
        batch.clear()
    }

    /// Adds one datagram to a batch with all its checksums.
    @inline(__always)
    private func addDatagram(_ slot: UnsafeMutablePointer<TransmitSlot>, to batch: MessageBatch, isIPv6: Bool) -> Bool {
        guard addFinished(slot, to: batch, isIPv6: isIPv6) else { return false }
        if slot.greChecksumOffset >= 0 { batch.writeGREChecksum(batch.count &- 1, slot.header) }
        return true
    }

    /// Adds one datagram to a batch, its transport checksum completed. The payload is shared with other copies of the frame: where
    /// the checksum field lies in it, the message goes round it instead.
    private func addFinished(_ slot: UnsafeMutablePointer<TransmitSlot>, to batch: MessageBatch, isIPv6: Bool) -> Bool {
        let header = slot.header
        let headerLength = Int(slot.pointee.headerLength)
        let payload = slot.pointee.payload ?? header
        let payloadLength = slot.pointee.payloadLength
        let offload = slot.pointee.offload
        guard offload.needsChecksum else {
            let index = batch.next(slot)
            batch.addPiece(index, header, headerLength)
            batch.addPiece(index, payload, payloadLength)
            batch.address(index, slot, isIPv6: isIPv6)
            return true
        }
        let field = Int(offload.checksumStart) &+ Int(offload.checksumOffset)
        guard
            let value = PartialChecksum.complete(
                header: header,
                headerLength,
                payload: payload,
                payloadLength,
                start: Int(offload.checksumStart),
                offset: Int(offload.checksumOffset)
            )
        else { return false }
        let index = batch.next(slot)
        batch.address(index, slot, isIPv6: isIPv6)
        // How many of the field's two bytes stand in the header.
        let inHeader = min(2, max(0, headerLength &- field))
        batch.patches[index] = value.bigEndian
        let patch = UnsafeRawPointer(batch.patches + index)
        (header + field).copyMemory(from: patch, byteCount: inHeader)
        batch.addPiece(index, header, headerLength)
        guard inHeader < 2 else {
            batch.addPiece(index, payload, payloadLength)
            return true
        }
        let before = max(0, field &- headerLength)
        let behind = field &+ 2 &- headerLength
        batch.addPiece(index, payload, before)
        batch.addPiece(index, patch + inHeader, 2 &- inHeader)
        batch.addPiece(index, payload + behind, payloadLength &- behind)
        return true
    }
}
