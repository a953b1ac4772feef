import CLinux
import Forwarding
import Ports
import Rings
import Tables
import Wire

// What a router does besides forwarding: it answers, asks, waits and cuts. None of it is on the way of a frame whose next
// hop is known and takes it as it is.

extension Worker {
    /// Originals that may wait to be sent at a time.
    static var originals: Int { 64 }
    /// Addresses that may be asked for at a time.
    static var questionCapacity: Int { 1024 }

    /// Notes what a frame says about addresses, and sends what it asks for beside its way.
    @inline(never)
    mutating func attend(_ frame: Frame, _ decision: Decision) {
        let news = decision.neighbor
        switch news.kind {
        case NeighborNews.Kind.learn, NeighborNews.Kind.update:
            if !exchange.isAlone { tellNeighbor(news) }
            let waited = state.taught.neighbors.confirm(
                segment: news.segment,
                news.address,
                mac: news.mac,
                creates: news.kind == NeighborNews.Kind.learn,
                now: now,
                snapshot: snapshot
            )
            if waited {
                count(.neighborResolved)
                release(news.segment, news.address)
            }
        case NeighborNews.Kind.recheck: ask(news)
        case NeighborNews.Kind.pathMTU: learnPathMTU(decision.pathMTU, news.address)
        default: break
        }
        if decision.answer.kind != Answer.Kind.none { answer(frame, decision) }
    }

    /// Sends an answer, if the network has not had too many. An answer that was the frame's only ending and is not sent
    /// is a drop.
    private mutating func answer(_ frame: Frame, _ decision: Decision) {
        let (kind, event): (Rates.Kind, Event) =
            switch decision.answer.kind {
            case Answer.Kind.error: (.error, .errorSent)
            case Answer.Kind.echoReply: (.echo, .echoAnswered)
            default: (.address, .arpAnswered)
            }
        guard rates.allow(kind, segment: decision.segment, now: milliseconds),
            let scratch = nextScratch(),
            let made = makeAnswer(frame, decision, snapshot: snapshot, scratch: scratch)
        else {
            count(.answerSuppressed)
            if decision.verdict == .answer {
                let reason = DropReason.answerSuppressed.rawValue
                state.countDrop(reason, endpoint: frame.endpoint, segment: decision.segment)
            }
            return
        }
        count(event)
        send(made, to: decision.ingress)
    }

    // MARK: Asking

    /// Keeps a frame until the address of its next hop is known, and has that asked for.
    @inline(never)
    mutating func hold(_ frame: Frame, _ decision: Decision) {
        let news = decision.neighbor
        ask(news)
        let entry = state.taught.neighbors.find(segment: news.segment, news.address, now: now, snapshot: snapshot)
        let isAsked = entry.state == NeighborTable.State.incomplete
        if isAsked, !isReleasing, let owner = owner(frame.endpoint, decision.segment),
            held.hold(frame, of: owner, segment: news.segment, address: news.address)
        {
            return track(news)
        }
        // A frame that has waited once and would have to again has waited long enough.
        let reason: DropReason = isReleasing ? .neighborUnresolved : .tooManyUnresolved
        state.countDrop(reason.rawValue, endpoint: frame.endpoint, segment: decision.segment)
        if captures.isActive { captureDropped(frame, decision, reason.rawValue) }
    }

    mutating func ask(_ news: NeighborNews) {
        // The fewer places are left, the fewer a network may have: a tenant that scans leaves room for the others.
        let free = UInt32(Worker.questionCapacity - questionCount)
        guard state.taught.neighbors.unanswered(news.segment, snapshot) * 4 <= free,
            state.taught.neighbors.ask(segment: news.segment, news.address, now: now, snapshot: snapshot)
        else { return }
        // Only what is sent counts: whoever floods one address takes nothing from the others. What may not be sent now is
        // repeated in a second.
        if rates.allow(.question, segment: news.segment, now: milliseconds) { sendQuestion(news) }
        track(news)
    }

    /// Has an address looked after once a second. One that was being asked for before this process began is not yet.
    private mutating func track(_ news: NeighborNews) {
        for i in 0..<questionCount
        where questions[i].segment == news.segment && questions[i].address == news.address {
            return
        }
        guard questionCount < Worker.questionCapacity else { return }
        questions[questionCount] = news
        questionCount += 1
    }

    private mutating func sendQuestion(_ news: NeighborNews) {
        guard let scratch = nextScratch(),
            let made = makeQuestion(news, snapshot: snapshot, taught: state.taught, now: now, scratch: scratch)
        else { return }
        count(.neighborAsked)
        captures.next()
        if made.decision.verdict == .forward { return send(made, to: made.decision.attachment) }
        var targets = FloodTargets(made.decision, snapshot)
        while let target = targets.next() { send(made, to: target) }
    }

    /// Once a second: repeats questions, gives up those that nobody answers, and lets go what waited for them.
    @inline(never)
    mutating func reviewQuestions() {
        var kept = 0
        let all = questionCount
        for i in 0..<all {
            let news = questions[i]
            let isKnown = news.segment < snapshot.segmentCount
            let result =
                isKnown
                ? state.taught.neighbors.review(segment: news.segment, news.address, now: now, snapshot: snapshot) : 2
            if result == 1 { sendQuestion(news) }
            let entry = state.taught.neighbors.find(
                segment: isKnown ? news.segment : noSlot,
                news.address,
                now: now,
                snapshot: snapshot
            )
            let isOpen = result != 2 && entry.state != NeighborTable.State.none && entry.questions > 0
            if isOpen {
                questions[kept] = news
                kept += 1
            } else {
                if result == 2 { count(.neighborFailed) }
                release(news.segment, news.address)
            }
        }
        // What letting go has added stands behind.
        for i in all..<max(all, questionCount) {
            questions[kept] = questions[i]
            kept += 1
        }
        questionCount = kept
        flush()
    }

    /// Decides anew about the frames that waited for an address. A frame whose port or network went to somebody else in the
    /// meantime goes nowhere: by the new tables it would be theirs.
    mutating func release(_ segment: UInt32, _ address: IPv6Address) {
        isReleasing = true
        while let (frame, owner) = held.release(segment: segment, address: address) {
            if owner == self.owner(frame.endpoint, owner.segment) {
                forward(frame)
            } else {
                state.countDrop(DropReason.neighborUnresolved.rawValue, endpoint: frame.endpoint, segment: noSlot)
            }
        }
        isReleasing = false
    }

    /// Who has an endpoint and a network now; nil if nobody has the network.
    private func owner(_ endpoint: UInt32, _ segment: UInt32) -> HeldFrames.Owner? {
        guard endpoint < snapshot.endpointCount, segment < snapshot.segmentCount else { return nil }
        let row = snapshot.segments[Int(segment)]
        guard row.inUse != 0 else { return nil }
        return HeldFrames.Owner(
            segment: segment,
            segmentGeneration: row.generation,
            endpointGeneration: snapshot.endpoints[Int(endpoint)].generation
        )
    }

    // MARK: Sending what is our own

    /// Memory for one original. It stays until the queues are sent, which happens first when all is taken.
    private mutating func nextScratch() -> UnsafeMutableRawPointer? {
        if scratchUsed == Worker.originals { flush() }
        let place = scratch + scratchUsed * Original.capacity
        scratchUsed += 1
        return place
    }

    private mutating func send(_ made: Original, to attachment: UInt32) {
        let place = snapshot.attachments[Int(attachment)]
        guard place.endpoint != noSlot, let slot = nextSlot(place.endpoint) else { return }
        let refusal = encapsulate(
            made.frame,
            made.decision,
            to: attachment,
            snapshot: snapshot,
            taught: state.taught,
            now: now,
            slot: slot
        )
        guard refusal == 0 else { return }
        commit(slot, place, segment: noSlot)
    }

    // MARK: Cutting

    /// Sends an IPv4 packet in fragments (RFC 791 §3.2). Its checksum is finished first: no fragment can be finished on
    /// its own.
    @inline(never)
    mutating func queueFragments(_ frame: Frame, _ decision: Decision) {
        var decision = decision
        let content = frame.bytes + Int(decision.contentOffset)
        let offload = decision.offload
        if offload.needsChecksum {
            _ = PartialChecksum.complete(
                content,
                Int(decision.contentLength),
                start: Int(offload.checksumStart),
                offset: Int(offload.checksumOffset)
            )
            decision.offload = .none
        }
        let packet = content + Int(decision.networkOffset)
        let place = snapshot.attachments[Int(decision.attachment)]
        let refused = { (reason: DropReason, worker: inout Worker) in
            worker.state.countDrop(reason.rawValue, endpoint: frame.endpoint, segment: decision.segment)
        }
        let header = Int(UnsafeRawPointer(packet).byte(0) & 0x0F) * 4
        let length = Int(decision.contentLength) - Int(decision.networkOffset) - header
        guard let plan = FragmentPlan(header: packet, payloadLength: length, mtu: Int(decision.fragmentMTU)) else {
            return refused(.exceedsMTU, &self)
        }
        for i in 0..<plan.count {
            guard let slot = nextSlot(place.endpoint) else { return }
            decision.packetSize = decision.fragmentMTU
            let refusal = encapsulate(
                frame,
                decision,
                to: decision.attachment,
                snapshot: snapshot,
                taught: state.taught,
                now: now,
                slot: slot
            )
            guard refusal == 0 else { return refused(DropReason(rawValue: refusal) ?? .exceedsMTU, &self) }
            // The slot ends with the link's header now, and the packet's own is its payload.
            let end = Int(slot.pointee.headerLength)
            let piece = plan.writeHeader(i, to: slot.header + end)
            slot.pointee.headerLength = UInt16(truncatingIfNeeded: end + piece.headerLength)
            slot.pointee.payload = packet + header + piece.payloadOffset
            slot.pointee.payloadLength = piece.payloadCount
            if slot.pointee.outerTransport != 0 { _ = finishOuterHeaders(slot) }
            commit(slot, place, segment: decision.segment)
        }
    }

    // MARK: Underlay

    /// Takes over what the sockets heard about the ways to peers.
    @inline(never)
    mutating func learnPathMTUs() {
        for news in engine.pathMTUNews { learnPathMTU(news.mtu, news.peer) }
        engine.clearPathMTUNews()
    }

    private mutating func learnPathMTU(_ mtu: UInt32, _ address: IPv6Address) {
        let peer = snapshot.peer(address)
        guard peer != noSlot else { return }
        count(.pathMTULearned)
        let isBelieved = state.taught.learnPathMTU(mtu, peer: peer, now: now, snapshot: snapshot)
        if isBelieved, !exchange.isAlone { tellPathMTU(mtu, address) }
    }

    mutating func count(_ event: Event) { state.events[Int(event.rawValue)] &+= 1 }
}
