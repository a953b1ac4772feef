import CLinux
import Rings
import Wire

extension PortEngine {
    /// Fills the ring with tunnel packets. A frame begins at the VXLAN or GRE header, or at the inner IP header where there
    /// is none in between. Segments of one TCP flow that came one after the other are one frame (`TunnelArrivals`); else a
    /// frame has nothing left to do as far as the socket can say: what a peer on the same machine left undone is for the
    /// pipeline to find out.
    func receiveTunnel(
        _ port: UnsafeMutablePointer<PortIO>,
        _ endpoint: UInt32,
        _ ring: borrowing ReceiveRing,
        _ pool: borrowing BufferPool,
        isIPv6: Bool,
        hasHeader: Bool
    ) -> Int32 {
        var arrivals = TunnelArrivals(port.pointee)
        var batch = Int(port.pointee.receiveBatch)
        var errorsLeft = 4
        var first = 0
        while true {
            let wanted = min(batch, ReceiveRing.capacity &- first)
            for index in 0..<wanted {
                prepare(index, pool.buffer(first &+ index), BufferPool.capacity, withName: true)
            }
            let result = Syscall.recvmmsg(port.pointee.receiveDescriptor, received, wanted)
            if result < 0 {
                arrivals.handOver(ring)
                if result == -EINTR { return 0 }
                guard result != -EBADF, result != -ENOTSOCK else { return result }
                // Ready, but with nothing to read: it is the error queue, which keeps the socket ready until it is empty.
                if result != -EAGAIN || first == 0 { _ = news.drain(port.pointee.receiveDescriptor) }
                if result == -EAGAIN { return 0 }
                // The echo of something sent earlier (ICMP), reported once: the datagrams behind it are still there.
                errorsLeft &-= 1
                if errorsLeft > 0 { continue }
                ring.setDrained(false)
                return 0
            }
            var sawLarge = false
            for index in 0..<Int(result) {
                let buffer = pool.buffer(first &+ index)
                var ancillary = linux_ancillary()
                linux_read_ancillary(&received[index].header, &ancillary)
                var frame = Frame(
                    bytes: buffer,
                    length: Int(received[index].length),
                    endpoint: endpoint,
                    outerSource: SocketAddress.read(receivedNames + index &* PortEngine.nameSize, isIPv6: isIPv6),
                    outerTOS: ancillary.tos,
                    outerInterface: ancillary.interface_index
                )
                let truncated = received[index].header.msg_flags & Int32(MSG_TRUNC) != 0
                guard !truncated, !hasHeader || PortEngine.stripIPv4(&frame) else {
                    ring.noteUnreadable()
                    continue
                }
                sawLarge = sawLarge || frame.length >= ReceiveRing.largeFrame
                let end = buffer + BufferPool.capacity
                arrivals.add(frame, end: end, datagramSize: Int(ancillary.segment_size), ring)
            }
            first &+= Int(result)
            guard goesOn(port, ring, first, sawLarge: sawLarge, wasFilled: Int(result) == wanted) else {
                arrivals.handOver(ring)
                return 0
            }
            batch = min(batch &* 4, ReceiveRing.capacity)
        }
    }

    /// Takes the IPv4 header off, and what stands behind the end of the datagram.
    @inline(__always)
    static func stripIPv4(_ frame: inout Frame) -> Bool {
        let bytes = UnsafeRawPointer(frame.bytes)
        guard frame.length >= HeaderLength.ipv4 else { return false }
        let headerLength = Int(bytes.byte(0) & 0x0F) &* 4
        let total = Int(bytes.be16(2))
        guard headerLength >= HeaderLength.ipv4, headerLength <= total, total <= frame.length else { return false }
        frame.outerTOS = bytes.byte(1)
        frame.bytes += headerLength
        frame.length = total &- headerLength
        return true
    }
}
