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
        /// The frame of which a copy was kept last, and where its bytes are.
        var serial: UInt64 = 0
        var payload: UnsafeRawPointer?
    }

    private let sessions: UnsafeMutablePointer<Session>
    /// The only thing that a frame costs when nobody captures.
    private(set) var isActive = false
    /// Frames seen while somebody captures. What a router floods leaves in many copies of one number.
    private var serial: UInt64 = 0

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

    /// Another frame begins its way.
    mutating func next() { serial &+= 1 }

    /// Where a frame is met, and what becomes of it there.
    struct Moment {
        var endpoint: UInt32
        var segment: UInt32
        var reason: UInt8 = 0
        var outgoing = false
        /// A router sent it into the segment: nobody in it has sent it.
        var isRouted = false
        var isPacket = false
    }

    /// Copies a frame, given as one or two parts, into every session whose filter it passes.
    func record(
        _ head: UnsafeRawPointer,
        _ headLength: Int,
        _ body: UnsafeRawPointer?,
        _ bodyLength: Int,
        _ moment: Moment
    ) {
        for i in 0..<Captures.maximum {
            guard let ring = sessions[i].ring else { continue }
            let subject = sessions[i].subject
            let wanted =
                switch sessions[i].filter {
                case CaptureFilter.all: true
                case CaptureFilter.endpoint: moment.endpoint == subject
                case CaptureFilter.segment:
                    moment.segment == subject
                        && (!moment.outgoing || moment.isRouted && isFirst(body, &sessions[i]))
                case CaptureFilter.drops: moment.reason != 0 && (subject == noSlot || moment.endpoint == subject)
                default: false
                }
            // A dropped copy of a frame that was received is a record of its own only where drops are asked for.
            guard wanted, moment.reason == 0 || !moment.outgoing || sessions[i].filter == CaptureFilter.drops else {
                continue
            }
            let first = min(headLength, sessions[i].snapLength)
            let second = min(bodyLength, sessions[i].snapLength - first)
            let header = CaptureHeader(
                time: linux_wall_clock(),
                endpoint: moment.endpoint,
                segment: moment.segment,
                kept: UInt32(first + second),
                length: UInt32(headLength + bodyLength),
                reason: moment.reason,
                outgoing: moment.outgoing ? 1 : 0,
                isPacket: moment.isPacket
            )
            withUnsafeBytes(of: header) {
                _ = ring.tryWrite($0.baseAddress!, $0.count, head, first, body, second)
            }
        }
    }

    /// Whether no other copy of the same bytes has been kept. Fragments of one frame are not the same bytes.
    private func isFirst(_ payload: UnsafeRawPointer?, _ session: inout Session) -> Bool {
        if session.serial == serial, session.payload == payload { return false }
        session.serial = serial
        session.payload = payload
        return true
    }
}

extension Worker {
    /// A frame as it came in; of a tunnel the tenant's frame, once it is known where that begins. One that has waited was
    /// kept when it began to.
    @inline(never)
    mutating func captureReceived(_ frame: Frame, _ decision: Decision) {
        captures.next()
        if !isReleasing {
            capture(frame, decision, decision.reason, outgoing: false)
        } else if decision.reason != 0 {
            captureDropped(frame, decision, decision.reason)
        }
    }

    /// A copy that did not become a transmission.
    @inline(never)
    func captureDropped(_ frame: Frame, _ decision: Decision, _ reason: UInt8) {
        capture(frame, decision, reason, outgoing: true)
    }

    private func capture(_ frame: Frame, _ decision: Decision, _ reason: UInt8, outgoing: Bool) {
        captures.record(
            frame.bytes + Int(decision.contentOffset),
            Int(decision.contentLength),
            nil,
            0,
            .init(
                endpoint: frame.endpoint,
                segment: decision.segment,
                reason: reason,
                outgoing: outgoing,
                isPacket: decision.networkType != 0
            )
        )
    }

    /// A copy on its way out, as the output takes it; of a tunnel from the tenant's frame on. `segment` is where it came
    /// from, `noSlot` for what a router originated.
    @inline(never)
    func captureSent(_ slot: UnsafeMutablePointer<TransmitSlot>, _ place: AttachmentRecord, from segment: UInt32) {
        let tunnel = Int(slot.pointee.tunnelHeaderLength)
        captures.record(
            slot.header + tunnel,
            Int(slot.pointee.headerLength) - tunnel,
            slot.pointee.payload,
            slot.pointee.payloadLength,
            .init(
                endpoint: place.endpoint,
                segment: place.segment,
                outgoing: true,
                isRouted: place.segment != segment,
                isPacket: place.carriesPackets
            )
        )
    }
}
