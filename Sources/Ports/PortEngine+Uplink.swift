import CLinux
import Rings
import Wire

// Frames with all their outer headers, into the underlay: by a TAP, one for each call, or by a packet socket, many. Where
// the kernel knows super-frames in tunnels, they leave whole.

extension PortEngine {
    /// A TAP on the underlay takes one frame for each call.
    func transmitUplink(
        _ port: UnsafeMutablePointer<PortIO>,
        _ queues: borrowing TransmitQueues,
        _ endpoint: UInt32,
        _ result: inout TransmitResult
    ) {
        let fd = port.pointee.receiveDescriptor
        let calls = queues.count(endpoint) >= PortEngine.writesTogether ? self.calls : nil
        var waiting = queues.first(endpoint)
        while let slot = waiting {
            if let calls, writeTogether(calls, fd, queues, &waiting, &result) { continue }
            waiting = queues.next(slot)
            let isSuperFrame = slot.pointee.offload.isSuperFrame
            var error = EINVAL
            if isSuperFrame ? canLeaveTAPWhole(port, slot) : slot.greChecksumOffset < 0 {
                let header = slot.header - VirtioHeader.tunnelLength
                VirtioHeader.write(uplink: slot, to: header)
                error = write(
                    fd,
                    header,
                    VirtioHeader.tunnelLength &+ Int(slot.pointee.headerLength),
                    slot.pointee.payload,
                    slot.pointee.payloadLength
                )
            } else if !isSuperFrame {
                let length = finishGRE(slot)
                error = write(fd, linearFrame, VirtioHeader.tunnelLength &+ length, nil, 0)
            }
            if error == EINVAL, isSuperFrame, slot.pointee.outerTransport > 0 {
                error = writePieces(fd, slot, virtioLength: VirtioHeader.tunnelLength, tunnel(slot))
            }
            if error == 0 {
                result.succeed(slot.pointee.length, isSuperFrame: isSuperFrame)
            } else {
                result.fail(error)
            }
        }
    }

    /// Writes the next frames that are ready as they are, many with one call. Returns whether there were any.
    private func writeTogether(
        _ calls: CallBatch,
        _ fd: Int32,
        _ queues: borrowing TransmitQueues,
        _ waiting: inout UnsafeMutablePointer<TransmitSlot>?,
        _ result: inout TransmitResult
    ) -> Bool {
        var done = waiting
        var count = 0
        while let slot = waiting, count < CallBatch.capacity, !slot.pointee.offload.isSuperFrame,
            slot.greChecksumOffset < 0
        {
            VirtioHeader.write(uplink: slot, to: slot.header - VirtioHeader.tunnelLength)
            prepare(calls, count, fd, slot, headerLength: VirtioHeader.tunnelLength)
            waiting = queues.next(slot)
            count &+= 1
        }
        guard count > 0 else { return false }
        calls.run(count)
        for index in 0..<count {
            guard let slot = done else { break }
            done = queues.next(slot)
            var error = 0 &- calls.result(index)
            if CallBatch.isUndone(error) {
                error = write(
                    fd,
                    slot.header - VirtioHeader.tunnelLength,
                    VirtioHeader.tunnelLength &+ Int(slot.pointee.headerLength),
                    slot.pointee.payload,
                    slot.pointee.payloadLength
                )
            }
            if error <= 0 {
                result.succeed(slot.pointee.length, isSuperFrame: false)
            } else {
                result.fail(error)
            }
        }
        return true
    }

    /// Whether a TAP's kernel takes a super-frame as it is. With its outer headers it must not be longer than an IP packet.
    @inline(__always)
    private func canLeaveTAPWhole(
        _ port: UnsafeMutablePointer<PortIO>,
        _ slot: UnsafeMutablePointer<TransmitSlot>
    ) -> Bool {
        guard slot.pointee.outerTransport != 0, slot.fitsOneIPPacket else { return false }
        if slot.outerProtocol == IPProtocol.udp { return port.pointee.flags & PortIO.Flags.noTunnelSegments == 0 }
        return port.pointee.flags & PortIO.Flags.marksTunnels != 0 && slot.canBeMarked
    }

    /// Copies a frame with a GRE checksum into memory of our own, and finishes the checksum of what is inside and then that.
    /// Returns its length; it stands in `linearFrame` behind an empty virtio header of an uplink's.
    func finishGRE(_ slot: UnsafeMutablePointer<TransmitSlot>) -> Int {
        let frame = linearFrame + VirtioHeader.tunnelLength
        linearFrame.initializeMemory(as: UInt8.self, repeating: 0, count: VirtioHeader.tunnelLength)
        let headerLength = Int(slot.pointee.headerLength)
        frame.copyMemory(from: slot.header, byteCount: headerLength)
        if let payload = slot.pointee.payload {
            (frame + headerLength).copyMemory(from: payload, byteCount: slot.pointee.payloadLength)
        }
        let length = slot.pointee.length
        let offload = slot.pointee.offload
        if offload.needsChecksum {
            _ = PartialChecksum.complete(
                frame,
                length,
                start: Int(offload.checksumStart),
                offset: Int(offload.checksumOffset)
            )
        }
        let field = slot.greChecksumOffset
        if field >= 0 {
            let start = field &- 4
            frame.set16(field, 0)
            frame.set16(field, Checksum.finish(Checksum.sum(UnsafeRawPointer(frame) + start, length &- start)))
        }
        return length
    }

    /// What the outer headers of a frame are, for `fixOuter`.
    func tunnel(_ slot: UnsafeMutablePointer<TransmitSlot>) -> Tunnel {
        var tunnel = Tunnel(network: HeaderLength.ethernet, isIPv6: slot.isOuterIPv6)
        if slot.outerProtocol == IPProtocol.udp { tunnel.udp = Int(slot.pointee.outerTransport) }
        return tunnel
    }
}

extension UnsafeMutablePointer<TransmitSlot> {
    /// Whether a frame for an uplink is not longer than an IP packet can be.
    @inline(__always)
    var fitsOneIPPacket: Bool {
        pointee.length &- HeaderLength.ethernet &- (isOuterIPv6 ? HeaderLength.ipv6 : 0) <= 0xFFFF
    }

    /// Whether `TunnelMark` finds its way about the outer headers of a super-frame, and a peer on this machine that has no more
    /// than a socket can make something of it: of UDP in GRE or IP in IP it could not know where to cut.
    @inline(__always)
    var canBeMarked: Bool {
        guard pointee.length >= TunnelMark.leastLength, fitsOneIPPacket,
            outerProtocol == IPProtocol.udp || pointee.offload.gsoKind != Offload.gsoUDP
        else { return false }
        return switch outerProtocol {
        case IPProtocol.udp: !isOuterIPv6
        case IPProtocol.gre: greChecksumOffset < 0
        default: true
        }
    }
}
