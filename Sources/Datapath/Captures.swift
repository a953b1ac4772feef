import CLinux
import Forwarding
import Ports
import Rings
import Tables
import Wire

/// The capture sessions of a worker. Each has a ring in memory shared with the control process; a full ring loses the
/// copy, never the frame.
struct Captures: ~Copyable {
    static let maximum = 4

    struct Session {
        var filter: UInt32 = 0
        var subject: UInt32 = 0
        var snapLength: Int = 0
        var ring: SPSCRing?
    }

    private let sessions: UnsafeMutablePointer<Session>
    /// The only thing that a frame costs when nobody captures.
    private(set) var isActive = false

    init() {
        sessions = .allocate(capacity: Captures.maximum)
        sessions.initialize(repeating: Session(), count: Captures.maximum)
    }

    mutating func start(_ command: Command, memory: UnsafeMutableRawPointer, size: Int) -> Bool {
        let i = Int(command.slot)
        guard i < Captures.maximum, let ring = SPSCRing(attachedTo: memory, size: size) else { return false }
        sessions[i] = Session(
            filter: command.value,
            subject: command.extra,
            snapLength: Int(clamping: command.wide),
            ring: ring
        )
        isActive = true
        return true
    }

    mutating func stop(_ slot: UInt32) {
        guard slot < Captures.maximum else { return }
        sessions[Int(slot)] = Session()
        isActive = (0..<Captures.maximum).contains { sessions[$0].ring != nil }
    }

    /// Copies a frame, given as one or two parts, into every session whose filter it passes.
    func record(
        _ head: UnsafeRawPointer,
        _ headLength: Int,
        _ body: UnsafeRawPointer?,
        _ bodyLength: Int,
        endpoint: UInt32,
        segment: UInt32,
        reason: UInt8,
        outgoing: Bool
    ) {
        for i in 0..<Captures.maximum {
            guard let ring = sessions[i].ring else { continue }
            let subject = sessions[i].subject
            let wanted =
                switch sessions[i].filter {
                case CaptureFilter.all: true
                case CaptureFilter.endpoint: endpoint == subject
                case CaptureFilter.segment: segment == subject && !outgoing
                case CaptureFilter.drops: reason != 0 && (subject == noSlot || endpoint == subject)
                default: false
                }
            // A dropped copy of a frame that was received is a record of its own only where drops are asked for.
            guard wanted, reason == 0 || !outgoing || sessions[i].filter == CaptureFilter.drops else { continue }
            let first = min(headLength, sessions[i].snapLength)
            let second = min(bodyLength, sessions[i].snapLength - first)
            let header = CaptureHeader(
                time: linux_wall_clock(),
                endpoint: endpoint,
                segment: segment,
                kept: UInt32(first + second),
                length: UInt32(headLength + bodyLength),
                reason: reason,
                outgoing: outgoing ? 1 : 0
            )
            withUnsafeBytes(of: header) {
                _ = ring.tryWrite($0.baseAddress!, $0.count, head, first, body, second)
            }
        }
    }
}

extension Worker {
    /// A frame as it came in; of a tunnel the tenant's frame, once it is known where that begins.
    @inline(never)
    func captureReceived(_ frame: Frame, _ decision: Decision) {
        let content = frame.bytes + Int(decision.contentOffset)
        captures.record(
            content,
            Int(decision.contentLength),
            nil,
            0,
            endpoint: frame.endpoint,
            segment: decision.segment,
            reason: decision.reason,
            outgoing: false
        )
    }

    /// A copy that did not become a transmission.
    @inline(never)
    func captureDropped(_ frame: Frame, _ decision: Decision, _ reason: UInt8) {
        let content = frame.bytes + Int(decision.contentOffset)
        captures.record(
            content,
            Int(decision.contentLength),
            nil,
            0,
            endpoint: frame.endpoint,
            segment: decision.segment,
            reason: reason,
            outgoing: true
        )
    }

    /// A copy on its way out, as the output takes it; of a tunnel from the tenant's frame on.
    @inline(never)
    func captureSent(_ slot: UnsafeMutablePointer<TransmitSlot>, endpoint: UInt32, segment: UInt32) {
        let tunnel = Int(slot.pointee.tunnelHeaderLength)
        captures.record(
            slot.header + tunnel,
            Int(slot.pointee.headerLength) - tunnel,
            slot.pointee.payload,
            slot.pointee.payloadLength,
            endpoint: endpoint,
            segment: segment,
            reason: 0,
            outgoing: true
        )
    }
}
