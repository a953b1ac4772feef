import CLinux
import Forwarding
import Ports
import Rings
import Tables
import Wire

// A frame's way through the worker, in the order in which it happens.

extension Worker {
    /// Reads bursts from an endpoint until it has no more, or others have waited long enough; forwards each and sends
    /// what came of it before the next is read, so that a large frame is still in the cache when it leaves.
    @inline(never)
    mutating func serve(_ slot: UInt32) {
        wasRead[Int(slot)] = true
        for _ in 0..<Worker.burstsPerTurn {
            let failure = engine.receive(ports + Int(slot), endpoint: slot, ring: ring, pool: pool)
            patience.note(frames: ring.count, bytes: ring.bytes)
            if ring.count > 0 {
                // What these frames answer may have taught another worker something. It told before it sent.
                if exchange.hasNews { listen() }
                forwardBurst(slot)
                flush()
            } else if engine.hasUnderlayNews {
                learnPathMTUs()
            }
            if failure < 0 || ring.unreadable > 0 { return receiveFailed(slot, failure) }
            if ring.isDrained { return }
        }
    }

    /// Decides every frame of the receive ring and queues its copies.
    @inline(never)
    mutating func forwardBurst(_ slot: UInt32) {
        var bytes: UInt64 = 0
        var superFrames: UInt64 = 0
        let count = ring.count
        let looksAhead = count > 1 && hasLargeTables
        var first = 0
        while first < count {
            let end = looksAhead ? min(first &+ Worker.outlookCapacity, count) : count
            if looksAhead { lookAhead(first, end &- first) }
            for i in first..<end {
                let frame = ring[i].pointee
                bytes &+= UInt64(truncatingIfNeeded: frame.length)
                if frame.offload.isSuperFrame { superFrames &+= 1 }
                forward(frame)
            }
            first = end
        }
        state.counters[Int(slot)].receivedFrames &+= UInt64(truncatingIfNeeded: count)
        state.counters[Int(slot)].receivedBytes &+= bytes
        state.counters[Int(slot)].receivedSuperFrames &+= superFrames
    }

    @inline(__always)
    mutating func forward(_ frame: Frame) {
        let decision = decide(frame, snapshot: snapshot, taught: state.taught, now: now)
        if decision.events != 0 { count(events: decision.events) }
        if decision.learns { learn(decision) }
        if captures.isActive { captureReceived(frame, decision) }
        if decision.wantsAttention { attend(frame, decision) }
        switch decision.verdict {
        case .drop:
            state.countDrop(decision.reason, endpoint: frame.endpoint, segment: decision.segment)
        case .forward:
            applyChanges(frame, decision)
            countPeer(frame, decision)
            if decision.fragmentMTU != 0 { return queueFragments(frame, decision) }
            queue(frame, decision, to: decision.attachment)
        case .flood, .relay:
            applyChanges(frame, decision)
            countPeer(frame, decision)
            var targets = FloodTargets(decision, snapshot)
            while let target = targets.next() { queue(frame, decision, to: target) }
        case .hold: hold(frame, decision)
        case .answer, .taken: countPeer(frame, decision)
        }
    }

    @inline(__always)
    mutating func learn(_ decision: Decision) {
        let lesson = state.macs.learn(
            mac: decision.source,
            attachment: decision.ingress,
            now: now,
            snapshot: snapshot
        )
        if lesson != .refreshed { note(lesson, decision) }
    }

    @inline(__always)
    mutating func countPeer(_ frame: Frame, _ decision: Decision) {
        let peer = snapshot.attachments[Int(decision.ingress)].peer
        guard peer != noSlot else { return }
        state.peerCounters[Int(peer)].receivedFrames &+= 1
        state.peerCounters[Int(peer)].receivedBytes &+= UInt64(truncatingIfNeeded: frame.length)
    }

    /// Puts one copy of a frame into the queue of its output.
    @inline(__always)
    mutating func queue(_ frame: Frame, _ decision: Decision, to attachment: UInt32) {
        let place = snapshot.attachments[Int(attachment)]
        guard let slot = nextSlot(place.endpoint) else { return }
        let refusal = encapsulate(
            frame,
            decision,
            to: attachment,
            snapshot: snapshot,
            taught: state.taught,
            now: now,
            slot: slot
        )
        guard refusal == 0 else {
            state.countDrop(refusal, endpoint: frame.endpoint, segment: decision.segment)
            if captures.isActive { captureDropped(frame, decision, refusal) }
            return
        }
        commit(slot, place, segment: decision.segment)
    }

    /// Queues what stands in the slot that was lent last. `segment` is where it came from.
    @inline(__always)
    mutating func commit(_ slot: UnsafeMutablePointer<TransmitSlot>, _ place: AttachmentRecord, segment: UInt32) {
        if place.peer != noSlot {
            state.peerCounters[Int(place.peer)].sentFrames &+= 1
            state.peerCounters[Int(place.peer)].sentBytes &+= UInt64(truncatingIfNeeded: slot.pointee.length)
        }
        if captures.isActive { captureSent(slot, place, from: segment) }
        queues.commit(place.endpoint)
    }

    /// A slot to fill. When all are taken, what is queued goes out first: payloads stay valid until the burst ends.
    @inline(__always)
    mutating func nextSlot(_ endpoint: UInt32) -> UnsafeMutablePointer<TransmitSlot>? {
        if let slot = queues.reserve() { return slot }
        flush()
        return queues.reserve()
    }

    /// Sends every queue.
    @inline(never)
    mutating func flush() {
        for i in 0..<queues.dirtyCount {
            let endpoint = queues.dirtyEndpoint(i)
            let result = engine.transmit(ports + Int(endpoint), queues: queues, endpoint: endpoint)
            state.counters[Int(endpoint)].sentFrames &+= UInt64(result.frames)
            state.counters[Int(endpoint)].sentBytes &+= result.bytes
            state.counters[Int(endpoint)].sentSuperFrames &+= UInt64(result.superFrames)
            if result.failures != 0 { countFailures(result, endpoint) }
        }
        queues.reset()
        scratchUsed = 0
        if !isReleasing { held.forgetReleased() }
        if engine.hasUnderlayNews { learnPathMTUs() }
        if exchange.hasTold { exchange.wakeOthers() }
    }
}

// MARK: What seldom happens

extension Worker {
    @inline(never)
    mutating func count(events: UInt64) {
        var rest = events
        while rest != 0 {
            state.events[rest.trailingZeroBitCount] &+= 1
            rest &= rest &- 1
        }
    }

    @inline(never)
    mutating func note(_ lesson: MACTable.Lesson, _ decision: Decision) {
        guard let event = Event(lesson) else { return }
        state.events[Int(event.rawValue)] &+= 1
        if !exchange.isAlone, lesson != .limitReached { tellStation(decision) }
    }

    /// Frames that the system would not take: dropped at their output, each for a reason of its own.
    @inline(never)
    mutating func countFailures(_ result: TransmitResult, _ endpoint: UInt32) {
        let drops = state.endpointDrops + Int(endpoint) * StateRegion.reasons
        drops[Int(DropReason.queueFull.rawValue)] &+= UInt64(result.queueFull)
        drops[Int(DropReason.exceedsPathMTU.rawValue)] &+= UInt64(result.tooBig)
        drops[Int(DropReason.unreachable.rawValue)] &+= UInt64(result.unreachable)
        drops[Int(DropReason.deviceDown.rawValue)] &+= UInt64(result.down)
        drops[Int(DropReason.refusedBySystem.rawValue)] &+= UInt64(result.refused &+ result.other)
        state.counters[Int(endpoint)].sendFailures &+= UInt64(result.failures)
    }

    /// A descriptor that will never work again is left alone, so that it cannot keep the loop busy.
    @inline(never)
    mutating func receiveFailed(_ slot: UInt32, _ error: Int32) {
        state.counters[Int(slot)].receiveFailures &+= UInt64(max(1, ring.unreadable))
        // A TAP whose device is gone, or a descriptor that is not one. A packet socket whose device went down reports
        // it once and works again when it is up.
        guard error == -EBADFD || error == -EBADF || error == -ENXIO || error == -ENODEV else { return }
        _ = linux_epoll_remove(epoll, ports[Int(slot)].receiveDescriptor)
        mailbox.tell(Command(Command.Kind.endpointFailed, slot: slot, value: UInt32(bitPattern: -error)))
    }
}
