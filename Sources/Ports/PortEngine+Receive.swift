import CLinux
import Rings
import Wire

extension PortEngine {
    /// Fills the ring with one burst from a port. The frames lie in the first `ReceiveRing.capacity` buffers of the pool
    /// (or, cut from a larger one, in the engine's own memory) until the next call.
    ///
    /// - Parameter endpoint: noted in every frame.
    /// - Returns: 0, or a negative errno when the port itself is in trouble: EBADFD for a TAP whose device is gone,
    ///   ENETDOWN for a device that went down or away. The frames in the ring are good either way.
    public func receive(
        _ port: UnsafeMutablePointer<PortIO>,
        endpoint: UInt32,
        ring: borrowing ReceiveRing,
        pool: borrowing BufferPool
    ) -> Int32 {
        ring.reset()
        switch port.pointee.kind {
        case .none: return 0
        case .tap: return receiveTAP(port, endpoint, ring, pool, isUplink: false)
        case .uplink: return receiveTAP(port, endpoint, ring, pool, isUplink: true)
        case .uplinkDevice: return receivePackets(port, endpoint, ring, pool, isUplink: true)
        case .packet:
            if let slots = port.pointee.slots { return receiveSlots(port, slots, endpoint, ring, pool) }
            return receivePackets(port, endpoint, ring, pool, isUplink: false)
        case .vxlan4: return receiveTunnel(port, endpoint, ring, pool, isIPv6: false, hasHeader: false)
        case .vxlan6, .raw6: return receiveTunnel(port, endpoint, ring, pool, isIPv6: true, hasHeader: false)
        // A raw IPv4 socket hands over the IP header too (raw(7)).
        case .raw4: return receiveTunnel(port, endpoint, ring, pool, isIPv6: false, hasHeader: true)
        case .memory: return receiveMemory(port, endpoint, ring, pool)
        }
    }

    @inline(__always)
    private func receivePackets(
        _ port: UnsafeMutablePointer<PortIO>,
        _ endpoint: UInt32,
        _ ring: borrowing ReceiveRing,
        _ pool: borrowing BufferPool,
        isUplink: Bool
    ) -> Int32 {
        var arrivals = UplinkArrivals(port.pointee, spare: nestedFrames, PortEngine.nestedCapacity)
        var batch = Int(port.pointee.receiveBatch)
        var errorsLeft = 4
        var cut = 0
        var first = 0
        while true {
            let wanted = min(batch, ReceiveRing.capacity &- first)
            let room = VirtioHeader.length + BufferPool.capacity
            for index in 0..<wanted {
                prepare(index, pool.buffer(first &+ index) - VirtioHeader.length, room, withName: false)
            }
            let result = Syscall.recvmmsg(port.pointee.receiveDescriptor, received, wanted)
            if result < 0 {
                if isUplink { arrivals.handOver(ring) }
                if result == -EAGAIN || result == -EINTR { return 0 }
                // A frame whose offloads have no virtio form (tunnel GSO, say) is thrown away by the kernel with EINVAL.
                guard result == -EINVAL else { return result }
                ring.noteUnreadable()
                errorsLeft &-= 1
                if errorsLeft > 0 { continue }
                ring.setDrained(false)
                return 0
            }
            var sawLarge = false
            for index in 0..<Int(result) {
                let buffer = pool.buffer(first &+ index)
                guard let frame = packetFrame(index, buffer, endpoint) else {
                    ring.noteUnreadable()
                    continue
                }
                sawLarge = sawLarge || frame.length >= ReceiveRing.largeFrame
                if isUplink {
                    arrivals.add(frame, end: buffer + BufferPool.capacity, ring)
                } else {
                    addPacket(frame, ring, &cut)
                }
            }
            first &+= Int(result)
            guard goesOn(port, ring, first, sawLarge: sawLarge, wasFilled: Int(result) == wanted) else {
                if isUplink { arrivals.handOver(ring) }
                return 0
            }
            batch = min(batch &* 4, ReceiveRing.capacity)
        }
    }

    /// Puts a frame of a packet socket into the ring, cut if it is a tenant's super-frame in a tunnel.
    @inline(__always)
    func addPacket(_ frame: Frame, _ ring: borrowing ReceiveRing, _ cut: inout Int) {
        if isNested(frame) {
            if !appendCut(frame, to: ring, at: &cut) { ring.noteUnreadable() }
        } else {
            ring.append(frame)
        }
    }

    /// The frame in message `index` of a packet socket; nil if it did not fit.
    @inline(__always)
    func packetFrame(_ index: Int, _ buffer: UnsafeMutableRawPointer, _ endpoint: UInt32) -> Frame? {
        let length = Int(received[index].length) &- VirtioHeader.length
        guard length > 0, received[index].header.msg_flags & Int32(MSG_TRUNC) == 0 else { return nil }
        let offload = VirtioHeader.read(buffer - VirtioHeader.length, frame: buffer, length)
        let frame = Frame(bytes: buffer, length: length, offload: offload, endpoint: endpoint)
        var ancillary = linux_ancillary()
        linux_read_ancillary(&received[index].header, &ancillary)
        return ancillary.has_vlan == 0 ? frame : PortEngine.tagged(frame, ancillary.vlan_type, ancillary.vlan_tci)
    }

    /// The frame with the VLAN tag that the kernel took out back in its place. There must be room in front.
    @inline(__always)
    static func tagged(_ frame: Frame, _ type: UInt16, _ tag: UInt16) -> Frame {
        guard frame.length >= 2 * 6 else { return frame }
        var result = frame
        result.bytes -= HeaderLength.vlanTag
        result.bytes.copyMemory(from: frame.bytes, byteCount: 2 * 6)
        result.bytes.set16(12, type)
        result.bytes.set16(14, tag)
        result.length &+= HeaderLength.vlanTag
        result.offload = frame.offload.shifted(HeaderLength.vlanTag)
        return result
    }

    /// Makes message `index` ready to receive `room` bytes.
    @inline(__always)
    func prepare(_ index: Int, _ bytes: UnsafeMutableRawPointer, _ room: Int, withName: Bool) {
        receivedPieces[index].iov_base = bytes
        receivedPieces[index].iov_len = room
        received[index].header.msg_iov = receivedPieces + index
        received[index].header.msg_iovlen = 1
        received[index].header.msg_name = withName ? receivedNames + index &* PortEngine.nameSize : nil
        received[index].header.msg_namelen = withName ? UInt32(PortEngine.nameSize) : 0
        received[index].header.msg_control = receivedControls + index &* PortEngine.controlSize
        received[index].header.msg_controllen = PortEngine.controlSize
        received[index].header.msg_flags = 0
    }

    /// Whether to ask the socket for more in this burst, after `used` buffers. If not, notes how many frames to ask for
    /// first next time: one where super-frames arrive, many where there are many small ones.
    @inline(__always)
    func goesOn(
        _ port: UnsafeMutablePointer<PortIO>,
        _ ring: borrowing ReceiveRing,
        _ used: Int,
        sawLarge: Bool,
        wasFilled: Bool
    ) -> Bool {
        let isFull = ring.isFull || used >= ReceiveRing.capacity
        if wasFilled, !sawLarge, !isFull { return true }
        port.pointee.receiveBatch = Int32(sawLarge ? 1 : isFull ? ReceiveRing.capacity : PortIO.firstBatch)
        ring.setDrained(!wasFilled)
        return false
    }
}
