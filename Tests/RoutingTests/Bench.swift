import Forwarding
import Glibc
import Rings
import Tables
import TestCloud
import Testing
import Wire

/// One copy of a frame, as it was handed to its target.
struct Sent: Equatable {
    var to: Place
    var bytes: [UInt8]
    var offload = Offload.none
    /// The remote end of a tunnel and the outer type of service.
    var destination = IPv6Address(high: 0, low: 0)
    var tos: UInt8 = 0

    /// To a port.
    static func port(_ name: String, _ bytes: [UInt8]) -> Sent { Sent(to: .port(name), bytes: bytes) }

    /// To the far end of a router's tunnel.
    static func tunnel(_ router: String, _ name: String, _ end: String, tos: UInt8 = 0, _ bytes: [UInt8]) -> Sent {
        Sent(to: .tunnel(router, name), bytes: bytes, destination: mapped(end), tos: tos)
    }

    /// To a VTEP, header included.
    static func vtep(_ host: Int, _ network: String, isIPv6: Bool = false, tos: UInt8 = 0, _ bytes: [UInt8]) -> Sent {
        Sent(
            to: .vtep(host: host, network: network),
            bytes: bytes,
            destination: mapped(TestCloud.underlay(host, isIPv6: isIPv6)),
            tos: tos
        )
    }
}

/// What became of a frame.
struct Ending: Equatable {
    var verdict: Verdict
    var reason: DropReason?
    var sent: [Sent] = []
    /// What goes back to where the frame came from, besides.
    var answer: Sent?

    /// To one target.
    static func forward(_ sent: Sent) -> Ending { Ending(verdict: .forward, sent: [sent]) }
    static func drop(_ reason: DropReason, _ answer: Sent? = nil) -> Ending {
        Ending(verdict: .drop, reason: reason, answer: answer)
    }
    static func answer(_ sent: Sent) -> Ending { Ending(verdict: .answer, answer: sent) }
}

/// One host of a cloud. Frames go in by their doors, and what becomes of them comes out, through the functions that the
/// datapath calls. Each frame lies against the end of its memory: whoever reads on is stopped.
final class Bench {
    let tables: HostTables
    let state = TestState()
    /// The second that frames are judged in.
    var now: UInt32
    private let live: TestSnapshot
    private let base: UnsafeMutableRawPointer
    private let end: UnsafeMutableRawPointer
    private let scratch = UnsafeMutableRawPointer.allocate(byteCount: Original.capacity, alignment: 64)
    private let slot = UnsafeMutablePointer<TransmitSlot>.allocate(capacity: 1)
    private static let room = 20 * 4096

    init(_ cloud: TestCloud = .twoTenants, host: Int = 1, now: UInt32 = 1000) throws {
        tables = HostTables(cloud, host: host)
        live = try TestSnapshot(tables.builder)
        self.now = now
        base = mmap(nil, Bench.room + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        end = base + Bench.room
        mprotect(end, 4096, PROT_NONE)
        slot.initialize(to: TransmitSlot())
    }

    deinit {
        munmap(base, Bench.room + 4096)
        scratch.deallocate()
        slot.deallocate()
    }

    var snapshot: Snapshot { live.snapshot }

    /// The decision about the frame that came in last.
    private(set) var decision = Decision(contentLength: 0)

    /// A frame at a tenant's port or the provider device.
    func send(_ bytes: [UInt8], at door: Door, offload: Offload = .none) -> Ending {
        judge(place(bytes, door, offload))
    }

    func send(_ bytes: [UInt8], at port: String, offload: Offload = .none) -> Ending {
        send(bytes, at: .port(port), offload: offload)
    }

    /// A packet from the underlay, without its IP (and UDP) header.
    func receive(_ bytes: [UInt8], by door: Door, from source: String, tos: Int = 0, interface: UInt32 = 2) -> Ending {
        var frame = place(bytes, door, .none)
        frame.outerSource = mapped(source)
        frame.outerTOS = UInt8(tos)
        frame.outerInterface = interface
        return judge(frame)
    }

    private func place(_ bytes: [UInt8], _ door: Door, _ offload: Offload) -> Frame {
        precondition(bytes.count <= Bench.room)
        let start = end - bytes.count
        bytes.withUnsafeBytes { if let from = $0.baseAddress { start.copyMemory(from: from, byteCount: bytes.count) } }
        return Frame(bytes: start, length: bytes.count, offload: offload, endpoint: tables.slot(of: door))
    }

    private func judge(_ frame: Frame) -> Ending {
        let before = Array(UnsafeRawBufferPointer(start: frame.bytes, count: frame.length))
        decision = decide(frame, snapshot: snapshot, taught: state.region.taught, now: now)
        // `trace` says the same of every frame.
        let traced = explain(frame, snapshot: snapshot, taught: state.region.taught, now: now)
        #expect(traced.decision == decision)
        #expect(before == Array(UnsafeRawBufferPointer(start: frame.bytes, count: frame.length)))

        var ending = Ending(verdict: decision.verdict, reason: DropReason(rawValue: decision.reason))
        if decision.answer.kind != Answer.Kind.none,
            let made = makeAnswer(frame, decision, snapshot: snapshot, scratch: scratch)
        {
            (ending.answer, _) = copy(made.frame, made.decision, decision.ingress)
            #expect(ending.answer?.bytes == traced.answer?.bytes)
        }
        switch decision.verdict {
        case .forward, .flood, .relay: break
        default: return ending
        }
        applyChanges(frame, decision)
        for target in decision.targets(snapshot) {
            let (sent, refused) = copy(frame, decision, target)
            if let sent { ending.sent.append(sent) }
            if let refused { ending.reason = refused }
        }
        #expect(ending.sent.map(\.bytes) == traced.outcomes.filter { $0.reason == nil }.map(\.bytes))
        return ending
    }

    private func copy(_ frame: Frame, _ decision: Decision, _ target: UInt32) -> (Sent?, DropReason?) {
        let raw = encapsulate(
            frame,
            decision,
            to: target,
            snapshot: snapshot,
            taught: state.region.taught,
            now: now,
            slot: slot
        )
        guard raw == 0, let place = tables.place(of: target) else { return (nil, DropReason(rawValue: raw)) }
        let out = slot.pointee
        var bytes = Array(UnsafeRawBufferPointer(start: slot.header, count: Int(out.headerLength)))
        bytes += UnsafeRawBufferPointer(start: out.payload, count: out.payloadLength)
        let sent = Sent(to: place, bytes: bytes, offload: out.offload, destination: out.destination, tos: out.tos)
        return (sent, nil)
    }

    // MARK: What was learned

    /// Has an address answered for, as if by ARP or neighbour discovery.
    func learn(_ address: String, is owner: String, in network: String) {
        _ = state.region.taught.neighbors.confirm(
            segment: tables.segment(network),
            mapped(address),
            mac: mac(owner),
            creates: true,
            now: now,
            snapshot: snapshot
        )
    }

    /// Has a MAC seen at a place.
    func see(_ owner: String, at place: Place) {
        _ = state.region.macs.learn(
            mac: mac(owner),
            attachment: tables.attachment(place),
            now: now,
            snapshot: snapshot
        )
    }
}
