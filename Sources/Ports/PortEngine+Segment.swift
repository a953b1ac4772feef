import CLinux
import Rings
import Wire

// Super-frames that their egress cannot carry whole. Headers are written for each segment, the payload stays where it
// is. Every function returns 0, or the errno of the first segment that failed; a frame that cannot be cut is EINVAL.

extension PortEngine {
    /// The plan for a frame. The tunnel header, if it has one, is repeated in front of every segment.
    @inline(__always)
    func plan(_ slot: UnsafeMutablePointer<TransmitSlot>) -> SegmentationPlan? {
        let offload = slot.pointee.offload
        return SegmentationPlan(
            header: slot.header,
            Int(slot.pointee.headerLength),
            payload: slot.pointee.payload.map { UnsafeRawPointer($0) } ?? UnsafeRawPointer(slot.header),
            slot.pointee.payloadLength,
            prefixLength: Int(slot.pointee.tunnelHeaderLength),
            networkType: slot.pointee.networkType,
            gsoType: offload.gsoType,
            gsoSize: offload.gsoSize,
            checksumStart: offload.needsChecksum ? Int(offload.checksumStart) : 0,
            checksumOffset: Int(offload.checksumOffset),
            greChecksumOffset: slot.greChecksumOffset,
            scratch: planScratch
        )
    }

    /// Where the headers of segment `index` of the present call are written; there is room for a virtio header in front.
    @inline(__always)
    func headers(_ index: Int) -> UnsafeMutableRawPointer {
        segmentHeaders + index &* PortEngine.segmentStride + 32
    }

    // MARK: - Tunnels

    /// Cuts a frame for a tunnel and sends it by the sockets of flow `flow`.
    func sendSuperFrame(
        _ port: UnsafeMutablePointer<PortIO>,
        _ slot: UnsafeMutablePointer<TransmitSlot>,
        _ flow: Int,
        isIPv6: Bool,
        isUDP: Bool
    ) -> Int32 {
        guard let plan = plan(slot) else { return EINVAL }
        guard isUDP, port.pointee.flags & PortIO.Flags.noUDPSegments == 0 else {
            return sendSegments(plan, from: 0, slot, port.pointee.datagramSocket(flow), flow, isIPv6: isIPv6)
        }
        // All datagrams of one call have one size, the last may be shorter.
        let size = plan.headerLength &+ plan.segmentSize
        let perCall = max(1, min(PortEngine.segmentsPerCall, PortEngine.largestDatagram / size))
        var index = 0
        while index < plan.count {
            let count = min(perCall, plan.count &- index)
            let error = sendTogether(
                plan,
                index,
                count,
                size,
                slot,
                port.pointee.segmentSocket(flow),
                isIPv6: isIPv6
            )
            if error == EIO || error == EINVAL || error == EMSGSIZE {
                // The kernel does not want UDP_SEGMENT here (IPsec, an old kernel), or it does not want this frame at
                // all: one by one will tell.
                let error = sendSegments(
                    plan,
                    from: index,
                    slot,
                    port.pointee.datagramSocket(flow),
                    flow,
                    isIPv6: isIPv6
                )
                if error == 0, count > 1 { port.pointee.flags |= PortIO.Flags.noUDPSegments }
                return error
            }
            if error != 0 { return error }
            index &+= count
        }
        return 0
    }

    /// Lays out `count` segments one behind the other in `segmentPieces`; their headers are in `headers(0)` and so on.
    ///
    /// - Parameter shared: bytes of the headers that only the first of them has.
    /// - Returns: how many pieces there are, and bytes in all of them.
    func layOut(_ plan: SegmentationPlan, _ first: Int, _ count: Int, shared: Int) -> (pieces: Int, length: Int) {
        var pieces = 0
        var length = 0
        for index in 0..<count {
            let header = headers(index)
            let segment = plan.writeHeader(first &+ index, into: header)
            let skipped = index == 0 ? 0 : shared
            segmentPieces[pieces].iov_base = header + skipped
            segmentPieces[pieces].iov_len = plan.headerLength &- skipped
            length &+= plan.headerLength &- skipped &+ segment.count
            pieces &+= 1
            guard segment.count > 0 else { continue }
            segmentPieces[pieces].iov_base = UnsafeMutableRawPointer(mutating: segment.payload)
            segmentPieces[pieces].iov_len = segment.count
            pieces &+= 1
        }
        return (pieces, length)
    }

    /// Sends `count` segments as one UDP super-datagram of pieces of `size` bytes.
    private func sendTogether(
        _ plan: SegmentationPlan,
        _ first: Int,
        _ count: Int,
        _ size: Int,
        _ slot: UnsafeMutablePointer<TransmitSlot>,
        _ socket: Int32,
        isIPv6: Bool
    ) -> Int32 {
        let pieces = layOut(plan, first, count, shared: 0).pieces
        SocketAddress.write(
            slot.pointee.destination,
            port: slot.pointee.destinationPort,
            isIPv6: isIPv6,
            to: singleName
        )
        single.pointee.msg_name = singleName
        single.pointee.msg_namelen = UInt32(isIPv6 ? SocketAddress.ipv6Length : SocketAddress.ipv4Length)
        single.pointee.msg_iov = segmentPieces
        single.pointee.msg_iovlen = Int(pieces)
        var control = 0
        if count > 1 {
            var value = UInt16(truncatingIfNeeded: size)
            control = linux_put_control(
                singleControl,
                Int32(LINUX_SOL_UDP),
                Int32(LINUX_UDP_SEGMENT),
                &value,
                MemoryLayout<UInt16>.size
            )
        }
        if slot.pointee.tos != 0 {
            control &+= MessageBatch.putTOS(slot.pointee.tos, isIPv6: isIPv6, at: singleControl + control)
        }
        single.pointee.msg_control = control > 0 ? singleControl : nil
        single.pointee.msg_controllen = control
        var result = Syscall.sendmsg(socket, single)
        if result < 0, result != -EAGAIN {
            // The error may belong to an earlier packet; it is reported once. After ENOBUFS some of the datagrams may have
            // left.
            let heard = news.drain(socket)
            if result != -ENOBUFS, result != -EMSGSIZE || heard > 0 { result = Syscall.sendmsg(socket, single) }
        }
        return result < 0 ? 0 &- result : 0
    }

    /// Sends segments from `first` on, each as a datagram of its own.
    private func sendSegments(
        _ plan: SegmentationPlan,
        from first: Int,
        _ slot: UnsafeMutablePointer<TransmitSlot>,
        _ socket: Int32,
        _ flow: Int,
        isIPv6: Bool
    ) -> Int32 {
        let batch = batches[flow]
        var index = first
        var error: Int32 = 0
        while index < plan.count {
            // The first goes alone: if it does not fit or has nowhere to go, neither do the others.
            let count = index == first ? 1 : min(MessageBatch.capacity, plan.count &- index)
            for part in 0..<count {
                let header = headers(part)
                let segment = plan.writeHeader(index &+ part, into: header)
                let message = batch.next(nil)
                batch.addPiece(message, header, plan.headerLength)
                batch.addPiece(message, segment.payload, segment.count)
                batch.address(message, slot, isIPv6: isIPv6)
            }
            let failed = sendPart(batch, socket)
            if error == 0 { error = failed }
            if index == first, failed != 0 { return failed }
            index &+= count
        }
        return error
    }

    @inline(__always)
    func sendPart(_ batch: MessageBatch, _ socket: Int32) -> Int32 {
        batch.send(socket, news)
        var error: Int32 = 0
        for index in 0..<batch.count where error == 0 { error = batch.errors[index] }
        batch.clear()
        return error
    }

    // MARK: - Devices

    /// Cuts a frame for a TAP whose kernel does not take it whole: UDP super-frames before Linux 6.2, and on an uplink
    /// super-frames in tunnels that nobody knows of.
    ///
    /// - Parameters:
    ///   - virtioLength: bytes of the virtio header.
    ///   - tunnel: outer headers, of which each piece has its own lengths and checksums.
    func writePieces(
        _ fd: Int32,
        _ slot: UnsafeMutablePointer<TransmitSlot>,
        virtioLength: Int,
        _ tunnel: Tunnel?
    ) -> Int32 {
        guard let plan = plan(slot) else { return EINVAL }
        var error: Int32 = 0
        let header = headers(0)
        let virtio = header - virtioLength
        virtio.initializeMemory(as: UInt8.self, repeating: 0, count: virtioLength)
        for index in 0..<plan.count {
            let segment = plan.writeHeader(index, into: header)
            VirtioHeader.write(finish(header, plan.headerLength &+ segment.count, tunnel), to: virtio)
            let failed = write(fd, virtio, virtioLength &+ plan.headerLength, segment.payload, segment.count)
            if error == 0 { error = failed }
        }
        return error
    }

    /// The same for a packet socket, from segment `first` on. Uses a batch of its own, since the caller is walking through
    /// the first.
    func sendPieces(_ fd: Int32, _ plan: SegmentationPlan, from first: Int, _ tunnel: Tunnel?) -> Int32 {
        let batch = batches[1]
        var error: Int32 = 0
        var index = first
        while index < plan.count {
            let count = min(MessageBatch.capacity, plan.count &- index)
            for part in 0..<count {
                let header = headers(part)
                let segment = plan.writeHeader(index &+ part, into: header)
                let virtio = header - VirtioHeader.length
                VirtioHeader.write(finish(header, plan.headerLength &+ segment.count, tunnel), to: virtio)
                let message = batch.next(nil)
                batch.addPiece(message, virtio, VirtioHeader.length &+ plan.headerLength)
                batch.addPiece(message, segment.payload, segment.count)
            }
            let failed = sendPart(batch, fd)
            if error == 0 { error = failed }
            index &+= count
        }
        return error
    }

    /// What is still to do about a piece of `length` bytes: nothing, but for an outer checksum.
    @inline(__always)
    private func finish(_ header: UnsafeMutableRawPointer, _ length: Int, _ tunnel: Tunnel?) -> Offload {
        // An atomic datagram needs no identification.
        tunnel.map { PortEngine.fixOuter(header, length, $0, 0) } ?? .none
    }
}
