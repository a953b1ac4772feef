import Forwarding
import Glibc
import Rings
import Tables
import Wire

/// A compiled cloud with taught state, in memory of its own.
final class LiveTables {
    let snapshot: Snapshot
    let state: StateRegion
    private let image: UnsafeMutableRawPointer
    private let region: UnsafeMutableRawPointer

    static let capacity = StateCapacity(
        endpoints: 64,
        segments: 64,
        attachments: 256,
        peers: 16,
        macBuckets: 1024,
        neighborBuckets: 1024
    )

    init(_ builder: SnapshotBuilder, seed: UInt64) throws {
        let bytes = builder.freeze(generation: 1, seed: seed)
        let image = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: 64)
        bytes.withUnsafeBytes { image.copyMemory(from: $0.baseAddress!, byteCount: bytes.count) }
        self.image = image
        let size = StateRegion.size(LiveTables.capacity)
        region = .allocate(byteCount: size, alignment: 4096)
        memset(region, 0, size)
        StateRegion.format(region, LiveTables.capacity, seed: ~seed)
        snapshot = try Snapshot(validating: UnsafeRawBufferPointer(start: image, count: bytes.count))
        state = StateRegion(region, count: size)!
    }

    deinit {
        image.deallocate()
        region.deallocate()
    }
}

/// A frame as it arrives at an endpoint.
struct Arrival {
    var endpoint: Int
    var bytes: [UInt8]
    var offload = Offload.none
    var outerSource = IPv6Address(high: 0, low: 0)
    var outerTOS: UInt8 = 0
    var outerInterface: UInt32 = 0
}

/// What became of one copy of a frame.
struct Copy: Equatable {
    var attachment: Int
    /// Why it goes nowhere; everything after this is empty then.
    var reason: DropReason?
    var bytes: [UInt8] = []
    var offload = Offload.none
    var destination = IPv6Address(high: 0, low: 0)
    var destinationPort: UInt16 = 0
    var tos: UInt8 = 0
    /// Bytes of VXLAN or GRE header.
    var tunnelLength = 0
    /// The EtherType of an IP packet without a frame around it, or 0.
    var networkType = 0

    init(
        attachment: Int,
        reason: DropReason? = nil,
        bytes: [UInt8] = [],
        offload: Offload = .none,
        destination: IPv6Address? = nil,
        destinationPort: UInt16 = 0,
        tos: UInt8 = 0
    ) {
        self.attachment = attachment
        self.reason = reason
        self.bytes = bytes
        self.offload = offload
        self.destination = destination ?? self.destination
        self.destinationPort = destinationPort
        self.tos = tos
        tunnelLength = destination == nil ? 0 : 8
    }
}

/// Memory that ends at a page nobody may touch: a frame placed against its end catches every read behind the frame.
final class FrameMemory {
    private let base: UnsafeMutableRawPointer
    private let end: UnsafeMutableRawPointer
    static let capacity = 40 * 4096
    let slot = UnsafeMutablePointer<TransmitSlot>.allocate(capacity: 1)

    init() {
        let size = FrameMemory.capacity + 4096
        base = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        end = base + FrameMemory.capacity
        mprotect(end, 4096, PROT_NONE)
        slot.initialize(to: TransmitSlot())
    }

    deinit {
        munmap(base, FrameMemory.capacity + 4096)
        slot.deallocate()
    }

    func place(_ arrival: Arrival) -> Frame {
        precondition(arrival.bytes.count <= FrameMemory.capacity)
        let start = end - arrival.bytes.count
        arrival.bytes.withUnsafeBytes { bytes in
            if let from = bytes.baseAddress { start.copyMemory(from: from, byteCount: bytes.count) }
        }
        return Frame(
            bytes: start,
            length: arrival.bytes.count,
            offload: arrival.offload,
            endpoint: UInt32(arrival.endpoint),
            outerSource: arrival.outerSource,
            outerTOS: arrival.outerTOS,
            outerInterface: arrival.outerInterface
        )
    }

    /// The copy that goes to one target. The frame's bytes are compared by the caller's means: they must not change.
    func copy(_ frame: Frame, _ decision: Decision, to target: UInt32, _ tables: LiveTables, now: UInt32) -> Copy {
        let raw = encapsulate(
            frame,
            decision,
            to: target,
            snapshot: tables.snapshot,
            taught: tables.state.taught,
            now: now,
            slot: slot
        )
        if raw != 0 { return Copy(attachment: Int(target), reason: DropReason(rawValue: raw)) }
        let out = slot.pointee
        let bytes = [UInt8](unsafeUninitializedCapacity: out.length) { buffer, count in
            let to = UnsafeMutableRawPointer(buffer.baseAddress!)
            to.copyMemory(from: slot.header, byteCount: Int(out.headerLength))
            (to + Int(out.headerLength)).copyMemory(from: out.payload!, byteCount: out.payloadLength)
            count = out.length
        }
        var copy = Copy(
            attachment: Int(target),
            bytes: bytes,
            offload: out.offload,
            destination: out.destination,
            destinationPort: out.destinationPort,
            tos: out.tos
        )
        copy.tunnelLength = Int(out.tunnelHeaderLength)
        copy.networkType = Int(out.networkType)
        return copy
    }
}
