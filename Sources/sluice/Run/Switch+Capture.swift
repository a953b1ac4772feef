import API
import CLinux
import Control
import Forwarding
import Glibc
import Ports
import Rings
import Tables

/// Rings that the datapath's workers fill and a reader that turns them into pcapng.
final class CaptureSession {
    let memory: SharedMemory
    /// One for each worker.
    let rings: [SPSCRing]
    let composer: CaptureComposer
    var reader: Task<Void, Never>?

    init(memory: SharedMemory, rings: [SPSCRing], composer: CaptureComposer) {
        self.memory = memory
        self.rings = rings
        self.composer = composer
    }

    /// The ring with the oldest record, so that frames of several workers stand in the order of time.
    func next() -> (ring: SPSCRing, record: UnsafeRawBufferPointer)? {
        guard rings.count > 1 else { return rings[0].peek().map { (rings[0], $0) } }
        var oldest: (ring: SPSCRing, record: UnsafeRawBufferPointer, time: UInt64)?
        for ring in rings {
            guard let record = ring.peek() else { continue }
            let isHeaded = record.count >= MemoryLayout<CaptureHeader>.size
            let time = isHeaded ? record.loadUnaligned(as: CaptureHeader.self).time : 0
            if let known = oldest, known.time <= time { continue }
            oldest = (ring, record, time)
        }
        return oldest.map { ($0.ring, $0.record) }
    }
}

extension Switch {
    /// Bytes of each worker's ring: a power of two, 8 MiB together, and not too small for a burst of super-frames.
    private static func ringBytes(_ workers: Int) -> Int {
        var bytes = 8 << 20
        while bytes > 1 << 20, bytes * workers > 8 << 20 { bytes >>= 1 }
        return bytes
    }
    /// Sessions that the datapath serves at a time.
    private static var maximumCaptures: UInt32 { 4 }

    func startCapture(_ request: CaptureRequest) throws -> AsyncStream<[UInt8]> {
        guard let datapath, let snapshot else {
            throw ServiceError(.unavailable, "the datapath is not running", advice: "It is being started; try again.")
        }
        guard let slot = (0..<Switch.maximumCaptures).first(where: { captures[$0] == nil }) else {
            throw ServiceError(
                .refused,
                "\(Switch.maximumCaptures) captures are running",
                advice: "End one of them first."
            )
        }
        let capacity = Switch.ringBytes(workers)
        let size = SPSCRing.memorySize(capacity: capacity)
        let memory = try SharedMemory.create("sluice-capture", size: workers * size)
        let rings = (0..<workers).map { SPSCRing.format(memory.base + $0 * size, capacity: capacity) }
        let (kind, subject): (UInt32, UInt32) =
            switch request.filter {
            case .all: (CaptureFilter.all, noSlot)
            case .endpoint(let endpoint): (CaptureFilter.endpoint, endpoint)
            case .segment(let segment): (CaptureFilter.segment, segment)
            case .drops(let endpoint): (CaptureFilter.drops, endpoint ?? noSlot)
            }
        datapath.send(
            Command(
                Command.Kind.capture,
                slot: slot,
                value: kind,
                extra: subject,
                wide: UInt64(request.snapLength)
            ),
            fds: [memory.fd]
        )
        try sync()
        let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self, bufferingPolicy: .bufferingOldest(4096))
        let session = CaptureSession(
            memory: memory,
            rings: rings,
            composer: CaptureComposer(snapshot: snapshot, request)
        )
        captures[slot] = session
        continuation.yield(session.composer.take())
        session.reader = Task { [weak self] in
            while !Task.isCancelled, let blocks = await self?.readCapture(slot) {
                if blocks.isEmpty {
                    try? await Task.sleep(for: .milliseconds(20))
                } else {
                    continuation.yield(blocks)
                }
            }
            continuation.finish()
        }
        continuation.onTermination = { [weak self] _ in Task { await self?.endCapture(slot) } }
        return stream
    }

    /// Takes what the datapath has left in the ring, as whole pcapng blocks; nil once the session has ended.
    private func readCapture(_ slot: UInt32) -> [UInt8]? {
        guard let session = captures[slot] else { return nil }
        while session.composer.count < 1 << 20, let (ring, record) = session.next() {
            session.composer.append(record, snapshot: self.snapshot)
            ring.release()
        }
        return session.composer.take()
    }

    func endCapture(_ slot: UInt32) {
        guard let session = captures.removeValue(forKey: slot) else { return }
        session.reader?.cancel()
        datapath?.send(Command(Command.Kind.captureStop, slot: slot))
        try? sync()
    }
}

/// pcapng's idea of our endpoints and of routers' tunnels: an interface block each. What comes later is described when
/// its first frame does.
///
/// Endpoints are Ethernet, tunnels are not, and tools that build on libpcap read only files of one link type. So a tunnel
/// is described only when it is what is captured, or when it has a packet.
final class CaptureComposer {
    private final class Pending { var bytes: [UInt8] = [] }

    private enum Subject: Hashable {
        case endpoint(UInt32)
        /// A router's tunnel, by its segment.
        case tunnel(UInt32)
        /// Packets at an endpoint that belong to no tunnel.
        case packets(UInt32)
    }

    private let pending: Pending
    private var writer: PcapNGWriter
    private var numbers: [Subject: UInt32] = [:]
    private let snapLength: UInt32

    init(snapshot: Snapshot, _ request: CaptureRequest) {
        let pending = Pending()
        self.pending = pending
        snapLength = UInt32(clamping: request.snapLength)
        writer = PcapNGWriter(application: "sluice") { pending.bytes.append(contentsOf: $0) }
        if case .segment(let segment) = request.filter, snapshot.segments[Int(segment)].kind == SegmentKind.routed {
            _ = number(of: .tunnel(segment), snapshot)
            return
        }
        for slot in 0..<snapshot.endpointCount
        where ![EndpointKind.none, EndpointKind.ip].contains(snapshot.endpoints[Int(slot)].kind) {
            _ = number(of: .endpoint(slot), snapshot)
        }
    }

    /// Whole blocks that were composed since the last call.
    func take() -> [UInt8] {
        defer { pending.bytes = [] }
        return pending.bytes
    }

    var count: Int { pending.bytes.count }

    func append(_ record: UnsafeRawBufferPointer, snapshot: Snapshot?) {
        let headerSize = MemoryLayout<CaptureHeader>.size
        guard record.count >= headerSize else { return }
        let header = record.loadUnaligned(as: CaptureHeader.self)
        let reason = DropReason(rawValue: header.reason)
        writer.writePacket(
            interface: number(of: subject(header, snapshot), snapshot),
            time: header.time,
            bytes: UnsafeRawBufferPointer(rebasing: record[headerSize...]),
            originalLength: Int(header.length),
            direction: header.outgoing != 0 ? .outbound : .inbound,
            comment: reason.map { "dropped: \($0.name): \($0.sentence)" } ?? ""
        )
    }

    private func subject(_ header: CaptureHeader, _ snapshot: Snapshot?) -> Subject {
        if let snapshot, header.segment < snapshot.segmentCount,
            snapshot.segments[Int(header.segment)].kind == SegmentKind.routed
        {
            return .tunnel(header.segment)
        }
        return header.isPacket != 0 ? .packets(header.endpoint) : .endpoint(header.endpoint)
    }

    private func number(of subject: Subject, _ snapshot: Snapshot?) -> UInt32 {
        if let known = numbers[subject] { return known }
        let name: String
        let linkType: PcapNGWriter.LinkType
        switch subject {
        case .endpoint(let slot): (name, linkType) = (self.name(ofEndpoint: slot, snapshot), .ethernet)
        case .packets(let slot): (name, linkType) = (self.name(ofEndpoint: slot, snapshot), .raw)
        case .tunnel(let slot):
            (name, linkType) = (snapshot.map { $0.text($0.segments[Int(slot)].name) } ?? "tunnel \(slot)", .raw)
        }
        let number = writer.addInterface(name: name, snapLength: snapLength, linkType: linkType)
        numbers[subject] = number
        return number
    }

    private func name(ofEndpoint slot: UInt32, _ snapshot: Snapshot?) -> String {
        guard let snapshot, slot < snapshot.endpointCount else { return "slot \(slot)" }
        return snapshot.text(snapshot.endpoints[Int(slot)].name)
    }
}
