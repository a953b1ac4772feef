import CLinux
import Rings
import Wire

extension PortEngine {
    /// A TAP on the underlay takes one frame for each call, whole where the kernel knows super-frames in tunnels.
    func transmitUplink(
        _ port: UnsafeMutablePointer<PortIO>,
        _ queues: borrowing TransmitQueues,
        _ endpoint: UInt32,
        _ result: inout TransmitResult
    ) {
        let fd = port.pointee.receiveDescriptor
        var waiting = queues.first(endpoint)
        while let slot = waiting {
            waiting = queues.next(slot)
            let isSuperFrame = slot.pointee.offload.isSuperFrame
            var error = EINVAL
            if !isSuperFrame || canLeaveWhole(port, slot) {
                let header = slot.header - VirtioHeader.tunnelLength
                VirtioHeader.write(uplink: slot, to: header)
                error = write(
                    fd,
                    header,
                    VirtioHeader.tunnelLength &+ Int(slot.pointee.headerLength),
                    slot.pointee.payload,
                    slot.pointee.payloadLength
                )
            }
            if error == EINVAL, isSuperFrame { error = cutForUplink(fd, slot) }
            if error == 0 {
                result.succeed(slot.pointee.length, isSuperFrame: isSuperFrame)
            } else {
                result.fail(error)
            }
        }
    }

    /// Whether the kernel takes a super-frame as it is. With its outer headers it must not be longer than an IP packet.
    @inline(__always)
    private func canLeaveWhole(
        _ port: UnsafeMutablePointer<PortIO>,
        _ slot: UnsafeMutablePointer<TransmitSlot>
    ) -> Bool {
        port.pointee.flags & PortIO.Flags.noTunnelSegments == 0
            && slot.pointee.length &- HeaderLength.ethernet <= 0xFFFF
    }

    /// Cuts a super-frame behind outer headers, each piece with lengths and checksums of its own. Returns 0, or the errno of
    /// the first piece that failed.
    private func cutForUplink(_ fd: Int32, _ slot: UnsafeMutablePointer<TransmitSlot>) -> Int32 {
        let transport = Int(slot.pointee.outerTransport)
        guard transport > 0, let plan = plan(slot) else { return EINVAL }
        var tunnel = Tunnel(
            network: HeaderLength.ethernet,
            isIPv6: UnsafeRawPointer(slot.header).be16(12) == EtherType.ipv6
        )
        tunnel.udp = transport
        var error: Int32 = 0
        let header = headers(0)
        let virtio = header - VirtioHeader.tunnelLength
        virtio.initializeMemory(as: UInt8.self, repeating: 0, count: VirtioHeader.tunnelLength)
        for index in 0..<plan.count {
            let segment = plan.writeHeader(index, into: header)
            let length = plan.headerLength &+ segment.count
            // An atomic datagram needs no identification.
            VirtioHeader.write(PortEngine.fixOuter(header, length, tunnel, 0), to: virtio)
            let failed = write(
                fd,
                virtio,
                VirtioHeader.tunnelLength &+ plan.headerLength,
                segment.payload,
                segment.count
            )
            if error == 0 { error = failed }
        }
        return error
    }
}
