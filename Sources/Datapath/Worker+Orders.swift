import CLinux
import Forwarding
import Ports
import Rings
import Tables
import Wire

extension Worker {
    /// Carries out what the control thread asks for. Runs between two bursts, so no frame sees half of it.
    @inline(never)
    mutating func obey() {
        _ = linux_eventfd_clear(mailbox.wake)
        let order = mailbox.order.pointee
        mailbox.reply(carryOut(order))
    }

    private mutating func carryOut(_ order: Order) -> Int32 {
        let slot = Int(order.command.slot)
        switch order.command.kind {
        case Command.Kind.state:
            guard let region = order.pointer?.assumingMemoryBound(to: StateRegion.self) else { return -EINVAL }
            guard region.pointee.capacity.endpoints == capacity else { return -EINVAL }
            state = region.pointee
            state.now = now
            agePage = 0
            neighborPage = 0
            paceRounds()
            return 0
        case Command.Kind.endpoint:
            guard slot < capacity else { return -EINVAL }
            detach(slot)
            ports[slot] = order.port
            return order.command.wide == Command.untilSnapshot || snapshot.generation == 0 ? 0 : beginReading(slot)
        case Command.Kind.detach:
            guard slot < capacity else { return -EINVAL }
            detach(slot)
            return 0
        case Command.Kind.snapshot:
            guard let new = order.pointer?.assumingMemoryBound(to: Snapshot.self) else { return -EINVAL }
            guard fits(new.pointee) else { return -E2BIG }
            snapshot = new.pointee
            state.appliedGeneration = snapshot.generation
            for slot in 0..<capacity where !isReading[slot] { _ = beginReading(slot) }
            paceRounds()
            findUplink()
            if uplink != noSlot { tendUplink() }
            // What others told by this snapshot may be waiting.
            exchange.wakeSelf()
            return 0
        case Command.Kind.flush:
            flushTaught(order.command.slot)
            return 0
        case Command.Kind.capture:
            guard let memory = order.pointer else { return -EINVAL }
            return captures.start(order.command, memory: memory, size: order.size) ? 0 : -EBUSY
        case Command.Kind.captureStop:
            captures.stop(order.command.slot)
            return 0
        default:
            return -EINVAL
        }
    }

    /// Forgets the addresses of a segment, or all. What others told before must not come back afterwards.
    mutating func flushTaught(_ segment: UInt32) {
        listen(most: Int.max)
        state.macs.flush { segment == noSlot || $0.segment == segment }
        state.taught.neighbors.flush(segment: segment, snapshot: snapshot)
    }

    /// Every row of the snapshot must have its place in the counters.
    private func fits(_ new: Snapshot) -> Bool {
        Int(new.endpointCount) <= state.capacity.endpoints && Int(new.segmentCount) <= state.capacity.segments
            && Int(new.attachmentCount) <= state.capacity.attachments && Int(new.peerCount) <= state.capacity.peers
    }

    /// An endpoint is read by one of the workers, once a snapshot knows it: a frame that came before could only be lost.
    private func beginReading(_ slot: Int) -> Int32 {
        let descriptor = ports[slot].receiveDescriptor
        guard descriptor >= 0, exchange.reads(UInt32(slot)) else { return 0 }
        isReading[slot] = true
        return linux_epoll_add(epoll, descriptor, UInt32(LINUX_EPOLLIN), UInt64(slot))
    }

    private mutating func detach(_ slot: Int) {
        if isReading[slot] { _ = linux_epoll_remove(epoll, ports[slot].receiveDescriptor) }
        ports[slot] = PortIO()
        isReading[slot] = false
        wasRead[slot] = false
    }
}
