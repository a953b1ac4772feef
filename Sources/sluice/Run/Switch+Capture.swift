import API
import CLinux
import Control
import Forwarding
import Glibc
import Ports
import Rings
import Tables

/// A ring that the datapath fills and a reader that turns it into pcapng.
final class CaptureSession {
    let memory: SharedMemory
    let ring: SPSCRing
    let reader: Task<Void, Never>

    init(memory: SharedMemory, ring: SPSCRing, reader: Task<Void, Never>) {
        self.memory = memory
        self.ring = ring
        self.reader = reader
    }
}

extension Switch {
    private static var ringBytes: Int { 8 << 20 }
    /// Sessions that the datapath serves at a time.
    private static var maximumCaptures: UInt32 { 4 }

    func startCapture(_ request: CaptureRequest) throws -> AsyncStream<[UInt8]> {
        guard let datapath, let snapshot else {
            throw ServiceError(.unavailable, "the datapath is not running", advice: "It is being started; try again.")
        }
        guard let slot = (0..<Switch.maximumCaptures).first(where: { captures[$0] == nil }) else {
            throw ServiceError(
                .refused, "\(Switch.maximumCaptures) captures are running", advice: "End one of them first.")
        }
        let memory = try SharedMemory.create("sluice-capture", size: SPSCRing.memorySize(capacity: Switch.ringBytes))
        let ring = SPSCRing.format(memory.base, capacity: Switch.ringBytes)
        let (kind, subject): (UInt32, UInt32) =
            switch request.filter {
            case .all: (CaptureFilter.all, noSlot)
            case .endpoint(let endpoint): (CaptureFilter.endpoint, endpoint)
            case .segment(let segment): (CaptureFilter.segment, segment)
            case .drops(let endpoint): (CaptureFilter.drops, endpoint ?? noSlot)
            }
        datapath.send(
            Command(
                Command.Kind.capture, slot: slot, value: kind, extra: subject, wide: UInt64(request.snapLength)),
            fds: [memory.fd])
        try sync()
        let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self, bufferingPolicy: .bufferingOldest(4096))
        var interfaces = CaptureInterfaces(snapshot: snapshot, snapLength: request.snapLength)
        continuation.yield(interfaces.head)
        let reader = Task { [weak self] in
            while !Task.isCancelled {
                guard let blocks = await self?.readCapture(slot, &interfaces) else { break }
                if blocks.isEmpty {
                    try? await Task.sleep(for: .milliseconds(20))
                } else {
                    continuation.yield(blocks)
                }
            }
            continuation.finish()
        }
        captures[slot] = CaptureSession(memory: memory, ring: ring, reader: reader)
        continuation.onTermination = { [weak self] _ in Task { await self?.endCapture(slot) } }
        return stream
    }

    /// Takes what the datapath has left in the ring, as whole pcapng blocks; nil once the session has ended.
    private func readCapture(_ slot: UInt32, _ interfaces: inout CaptureInterfaces) -> [UInt8]? {
        guard let session = captures[slot] else { return nil }
        var blocks: [UInt8] = []
        while blocks.count < 1 << 20, let record = session.ring.peek() {
            let header = record.loadUnaligned(as: CaptureHeader.self)
            let frame = UnsafeRawBufferPointer(rebasing: record.dropFirst(MemoryLayout<CaptureHeader>.size))
            interfaces.append(header, frame, to: &blocks, names: snapshot)
            session.ring.release()
        }
        return blocks
    }

    func endCapture(_ slot: UInt32) {
        guard let session = captures.removeValue(forKey: slot) else { return }
        session.reader.cancel()
        datapath?.send(Command(Command.Kind.captureStop, slot: slot))
        try? sync()
    }
}

/// pcapng's idea of our endpoints: an interface block each, in the order of their slots. Endpoints that come later are
/// described when their first frame does.
struct CaptureInterfaces: Sendable {
    let head: [UInt8]
    private var numbers: [UInt32: UInt32] = [:]
    private let snapLength: Int

    init(snapshot: Snapshot, snapLength: Int) {
        self.snapLength = snapLength
        var bytes: [UInt8] = []
        PcapNG.appendSectionHeader(to: &bytes, application: "sluice")
        for slot in 0..<snapshot.endpointCount where snapshot.endpoints[Int(slot)].kind != EndpointKind.none {
            numbers[slot] = UInt32(numbers.count)
            PcapNG.appendInterface(
                to: &bytes, name: snapshot.text(snapshot.endpoints[Int(slot)].name), snapLength: snapLength)
        }
        head = bytes
    }

    mutating func append(
        _ header: CaptureHeader, _ frame: UnsafeRawBufferPointer, to bytes: inout [UInt8], names: Snapshot?
    ) {
        let number: UInt32
        if let known = numbers[header.endpoint] {
            number = known
        } else {
            number = UInt32(numbers.count)
            numbers[header.endpoint] = number
            let name = names.flatMap {
                header.endpoint < $0.endpointCount ? $0.text($0.endpoints[Int(header.endpoint)].name) : nil
            }
            PcapNG.appendInterface(to: &bytes, name: name ?? "slot \(header.endpoint)", snapLength: snapLength)
        }
        let reason = DropReason(rawValue: header.reason)
        PcapNG.appendPacket(
            to: &bytes, interface: number, time: header.time, frame: frame, length: Int(header.length),
            outgoing: header.outgoing != 0, comment: reason.map { "dropped: \($0.name): \($0.sentence)" })
    }
}
