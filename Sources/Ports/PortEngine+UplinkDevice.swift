import CLinux
import Rings
import Wire

extension PortEngine {
    /// A packet socket on the underlay takes many frames with one call, and super-frames whole where a `TunnelMark` stands
    /// behind it. Elsewhere it takes VXLAN as one super-datagram of UDP, and the rest is cut.
    func transmitUplinkDevice(
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
            if slot.pointee.offload.isSuperFrame, !canLeaveWhole(port, slot) {
                flush(batch, port, &result)
                count(sendCut(port, slot), slot, &result)
            } else if slot.pointee.outerTransport != 0, slot.greChecksumOffset >= 0 {
                flush(batch, port, &result)
                let length = finishGRE(slot)
                let skipped = VirtioHeader.tunnelLength &- VirtioHeader.length
                let index = batch.next(nil)
                batch.addPiece(index, linearFrame + skipped, VirtioHeader.length &+ length)
                count(sendPart(batch, fd), slot, &result)
            } else {
                let header = slot.header - VirtioHeader.length
                VirtioHeader.write(slot.pointee.offload, to: header)
                let index = batch.next(slot)
                batch.addPiece(index, header, VirtioHeader.length &+ Int(slot.pointee.headerLength))
                batch.addPiece(index, slot.pointee.payload, slot.pointee.payloadLength)
                if batch.count == MessageBatch.capacity { flush(batch, port, &result) }
            }
        }
        flush(batch, port, &result)
    }

    @inline(__always)
    private func canLeaveWhole(
        _ port: UnsafeMutablePointer<PortIO>,
        _ slot: UnsafeMutablePointer<TransmitSlot>
    ) -> Bool {
        port.pointee.flags & PortIO.Flags.marksTunnels != 0 && slot.pointee.outerTransport != 0 && slot.canBeMarked
    }

    @inline(__always)
    private func count(_ error: Int32, _ slot: UnsafeMutablePointer<TransmitSlot>, _ result: inout TransmitResult) {
        if error == 0 {
            result.succeed(slot.pointee.length, isSuperFrame: slot.pointee.offload.isSuperFrame)
        } else {
            result.fail(error)
        }
    }

    /// Sends what is in a batch and counts how it ended.
    private func flush(_ batch: MessageBatch, _ port: UnsafeMutablePointer<PortIO>, _ result: inout TransmitResult) {
        guard batch.count > 0 else { return }
        batch.send(port.pointee.receiveDescriptor)
        for index in 0..<batch.count {
            guard let slot = batch.slots[index] else { continue }
            var error = batch.errors[index]
            // A kernel that cannot cut such a frame says that it has no memory. That may be for what a tenant has put into
            // it, so nothing follows for others.
            if error == ENOMEM, slot.pointee.offload.isSuperFrame { error = sendCut(port, slot) }
            count(error, slot, &result)
        }
        batch.clear()
    }

    /// Sends a super-frame in pieces. Returns 0, or the errno of the first that failed.
    @inline(never)
    private func sendCut(_ port: UnsafeMutablePointer<PortIO>, _ slot: UnsafeMutablePointer<TransmitSlot>) -> Int32 {
        guard slot.pointee.outerTransport > 0, let plan = plan(slot) else { return EINVAL }
        let tunnel = tunnel(slot)
        guard tunnel.udp >= 0, port.pointee.flags & PortIO.Flags.noUDPSegments == 0 else {
            return sendPieces(port.pointee.receiveDescriptor, plan, from: 0, tunnel)
        }
        let size = plan.headerLength &- tunnel.udp &- HeaderLength.udp &+ plan.segmentSize
        let perCall = max(1, min(PortEngine.segmentsPerCall, PortEngine.largestDatagram / size))
        var index = 0
        while index < plan.count {
            let count = min(perCall, plan.count &- index)
            let error = sendTogether(port.pointee.receiveDescriptor, plan, index, count, size, tunnel)
            if error == EINVAL || error == ENOMEM || error == EIO {
                // Before Linux 6.2, no packet socket knew UDP segmentation.
                let error = sendPieces(port.pointee.receiveDescriptor, plan, from: index, tunnel)
                if error == 0, count > 1 { port.pointee.flags |= PortIO.Flags.noUDPSegments }
                return error
            }
            if error != 0 { return error }
            index &+= count
        }
        return 0
    }

    /// Sends `count` segments behind one set of outer headers as a super-datagram of pieces of `size` bytes.
    private func sendTogether(
        _ fd: Int32,
        _ plan: SegmentationPlan,
        _ first: Int,
        _ count: Int,
        _ size: Int,
        _ tunnel: Tunnel
    ) -> Int32 {
        let outer = tunnel.udp &+ HeaderLength.udp
        let (pieces, length) = layOut(plan, first, count, shared: outer)
        let header = headers(0)
        // Whatever it was, the field asks for a checksum now: the kernel insists on one for each datagram.
        header.set16(tunnel.udp &+ 6, 0xFFFF)
        var offload = PortEngine.fixOuter(header, length, tunnel, 0)
        if count > 1 {
            offload.gsoType = Offload.gsoUDP
            offload.gsoSize = UInt16(truncatingIfNeeded: size)
            offload.headerLength = UInt16(truncatingIfNeeded: outer)
        }
        VirtioHeader.write(offload, to: header - VirtioHeader.length)
        segmentPieces[0].iov_base = header - VirtioHeader.length
        segmentPieces[0].iov_len &+= VirtioHeader.length
        single.pointee.msg_name = nil
        single.pointee.msg_namelen = 0
        single.pointee.msg_iov = segmentPieces
        single.pointee.msg_iovlen = Int(pieces)
        single.pointee.msg_control = nil
        single.pointee.msg_controllen = 0
        let result = Syscall.sendmsg(fd, single)
        return result < 0 ? 0 &- result : 0
    }
}
