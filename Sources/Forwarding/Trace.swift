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
}

/// Walks a frame through the tables. Nothing changes: neither the frame, of which a copy is used, nor what was learned.
public func explain(_ frame: Frame, snapshot: Snapshot, macs: MACTable, now: UInt32) -> Trace {
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
    let decision = decide(frame, snapshot: snapshot, macs: macs, now: now, recorder: &recorder)
    applyECN(frame, decision)
    var outcomes: [Trace.Outcome] = []
    for target in decision.targets(snapshot) {
        let raw = encapsulate(frame, decision, to: target, snapshot: snapshot, slot: slot, recorder: &recorder)
        outcomes.append(
            raw == 0 ? Trace.Outcome(target, slot) : Trace.Outcome(target, refused: DropReason(rawValue: raw))
        )
    }
    return Trace(decision: decision, notes: recorder.notes, outcomes: outcomes)
}

extension Decision {
    /// Every attachment that gets a copy.
    public func targets(_ snapshot: Snapshot) -> [UInt32] {
        switch verdict {
        case .drop: []
        case .forward: [attachment]
        case .flood: Array(FloodTargets(self, snapshot))
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
