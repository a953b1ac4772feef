import Rings
import Tables
import Wire

/// What would become of a frame, told stage by stage by the very functions that forward.
public struct Trace: Sendable {
    /// One copy of the frame and its target.
    public struct Outcome: Sendable {
        public var attachment: UInt32
        /// Why this copy goes nowhere, or nil.
        public var reason: DropReason?
        /// The whole frame as handed to the endpoint, tunnel header included; with a reason, this and the rest are empty.
        public var bytes: [UInt8]
        public var offload: Offload
        public var destination: IPv6Address
        public var destinationPort: UInt16
        public var tos: UInt8
    }

    public var decision: Decision
    public var notes: [Explanation.Note]
    public var outcomes: [Outcome]
    /// What goes back to the sender, beside or instead of anything else.
    public var answer: Outcome?
}

/// Walks a frame through the tables. Nothing changes: neither the frame, of which a copy is used, nor what was learned.
public func explain(_ frame: Frame, snapshot: Snapshot, taught: Taught, now: UInt32) -> Trace {
    let copy = UnsafeMutableRawPointer.allocate(byteCount: max(frame.length, 1), alignment: 16)
    let slot = UnsafeMutablePointer<TransmitSlot>.allocate(capacity: 1)
    slot.initialize(to: TransmitSlot())
    defer {
        copy.deallocate()
        slot.deallocate()
    }
    copy.copyMemory(from: frame.bytes, byteCount: frame.length)
    var frame = frame
    frame.bytes = copy

    var recorder = Explanation()
    let decision = decide(frame, snapshot: snapshot, taught: taught, now: now, recorder: &recorder)
    if decision.verdict == .forward || decision.verdict == .flood { applyChanges(frame, decision) }
    var outcomes: [Trace.Outcome] = []
    for target in decision.targets(snapshot) {
        let raw = encapsulate(
            frame,
            decision,
            to: target,
            snapshot: snapshot,
            taught: taught,
            now: now,
            slot: slot,
            recorder: &recorder
        )
        outcomes.append(
            raw == 0 ? Trace.Outcome(target, slot) : Trace.Outcome(target, refused: DropReason(rawValue: raw))
        )
    }
    let answer = explainAnswer(frame, decision, snapshot, taught, now, slot, &recorder)
    return Trace(decision: decision, notes: recorder.notes, outcomes: outcomes, answer: answer)
}

private func explainAnswer(
    _ frame: Frame,
    _ decision: Decision,
    _ snapshot: Snapshot,
    _ taught: Taught,
    _ now: UInt32,
    _ slot: UnsafeMutablePointer<TransmitSlot>,
    _ recorder: inout Explanation
) -> Trace.Outcome? {
    let scratch = UnsafeMutableRawPointer.allocate(byteCount: Original.capacity, alignment: 16)
    defer { scratch.deallocate() }
    guard let made = makeAnswer(frame, decision, snapshot: snapshot, scratch: scratch) else { return nil }
    recorder.note("answer", describe(decision.answer))
    let raw = encapsulate(
        made.frame,
        made.decision,
        to: decision.ingress,
        snapshot: snapshot,
        taught: taught,
        now: now,
        slot: slot,
        recorder: &recorder
    )
    return raw == 0
        ? Trace.Outcome(decision.ingress, slot) : Trace.Outcome(decision.ingress, refused: DropReason(rawValue: raw))
}

extension Decision {
    /// Every attachment that gets a copy.
    public func targets(_ snapshot: Snapshot) -> [UInt32] {
        switch verdict {
        case .drop, .answer, .taken, .hold: []
        case .forward: [attachment]
        case .flood, .relay: Array(FloodTargets(self, snapshot))
        }
    }
}

extension Trace.Outcome {
    /// A copy that leaves.
    fileprivate init(_ attachment: UInt32, _ slot: UnsafeMutablePointer<TransmitSlot>) {
        let out = slot.pointee
        self.attachment = attachment
        bytes = Array(UnsafeRawBufferPointer(start: slot.header, count: Int(out.headerLength)))
        bytes += UnsafeRawBufferPointer(start: out.payload, count: out.payloadLength)
        offload = out.offload
        destination = out.destination
        destinationPort = out.destinationPort
        tos = out.tos
    }

    /// A copy that goes nowhere.
    fileprivate init(_ attachment: UInt32, refused reason: DropReason?) {
        self.attachment = attachment
        self.reason = reason
        bytes = []
        offload = .none
        destination = IPv6Address(high: 0, low: 0)
        destinationPort = 0
        tos = 0
    }
}
