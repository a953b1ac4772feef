import CLinux
import Rings
import Wire

extension PortEngine {
    /// Fills the burst from a packet socket's ring. Short frames are copied out of their slots, which are the kernel's
    /// again at once; those that were too long are received with one call.
    func receiveSlots(
        _ port: UnsafeMutablePointer<PortIO>,
        _ slots: PacketRing,
        _ endpoint: UInt32,
        _ ring: borrowing ReceiveRing,
        _ pool: borrowing BufferPool
    ) -> Int32 {
        let fd = port.pointee.receiveDescriptor
        guard let first = slots.position else {
            port.pointee.slots?.findPosition()
            return Syscall.takeFailure(fd)
        }
        var count = 0
        var long = 0
        var bytes = 0
        while count < ReceiveRing.capacity, bytes < ReceiveRing.byteBudget {
            let slot = slots[first &+ count]
            let status = slot.status
            guard status & UInt32(LINUX_SLOT_USER) != 0 else { break }
            if status & UInt32(LINUX_SLOT_COPY) != 0 {
                let room = VirtioHeader.length + BufferPool.capacity
                prepare(long, pool.buffer(count) - VirtioHeader.length, room, withName: false)
                long &+= 1
            }
            count &+= 1
            bytes &+= slot.length
            if slot.length >= ReceiveRing.largeFrame { break }
        }
        guard count > 0 else { return Syscall.takeFailure(fd) }
        let failure = long > 0 ? receiveLong(fd, long) : 0
        var message = 0
        var cut = 0
        for index in 0..<count {
            let slot = slots[first &+ index]
            let status = slot.status
            let buffer = pool.buffer(index)
            if status & UInt32(LINUX_SLOT_COPY) != 0 {
                if let frame = packetFrame(message, buffer, endpoint) {
                    addPacket(frame, ring, &cut)
                } else {
                    ring.noteUnreadable()
                }
                message &+= 1
            } else if slot.length > slot.captured {
                // There was no room in the queue.
                ring.noteUnreadable()
            } else {
                addPacket(copy(slot, status, to: buffer, endpoint), ring, &cut)
            }
            slot.release()
        }
        port.pointee.slots?.advance(count)
        ring.setDrained(!slots[first &+ count].isFilled)
        return failure
    }

    /// Receives the first `count` messages, which are those of `count` filled slots. Of what could not be received the length
    /// is 0.
    ///
    /// - Returns: 0, or a negative errno that the socket had to tell.
    @inline(__always)
    private func receiveLong(_ fd: Int32, _ count: Int) -> Int32 {
        var failure: Int32 = 0
        var done = 0
        // What stayed in the queue would keep the socket ready for ever.
        var triesLeft = 1000
        while done < count, triesLeft > 0 {
            triesLeft &-= 1
            let result = Syscall.recvmmsg(fd, received + done, count &- done)
            if result > 0 {
                done &+= Int(result)
            } else if result == -EINVAL {
                // Thrown away by the kernel: its offloads have no virtio form.
                received[done].length = 0
                done &+= 1
            } else if result == -EAGAIN {
                break
            } else if result != -EINTR {
                failure = result
            }
        }
        for index in done..<count { received[index].length = 0 }
        return failure
    }

    /// Copies a frame out of its slot, with the tag that the kernel took out back in its place.
    @inline(__always)
    private func copy(
        _ slot: PacketSlot,
        _ status: UInt32,
        to buffer: UnsafeMutableRawPointer,
        _ endpoint: UInt32
    ) -> Frame {
        let length = slot.length
        let source = slot.frame
        let offload = VirtioHeader.read(source - VirtioHeader.length, frame: source, length)
        buffer.copyMemory(from: source, byteCount: length)
        let frame = Frame(bytes: buffer, length: length, offload: offload, endpoint: endpoint)
        guard status & UInt32(LINUX_SLOT_VLAN_VALID) != 0 else { return frame }
        let knowsType = status & UInt32(LINUX_SLOT_VLAN_TPID_VALID) != 0
        return PortEngine.tagged(frame, knowsType ? slot.tagType : EtherType.vlan, slot.tag)
    }
}
