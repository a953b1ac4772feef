import Rings
import Wire

/// A frame that left by a memory port, with all that the datapath said about it.
public struct MemoryFrame: Equatable, Sendable {
    public var bytes: [UInt8]
    public var offload: Offload
    /// Of tunnel packets: where they go.
    public var destination: IPv6Address
    public var destinationPort: UInt16
    public var tos: UInt8
    public var flowHash: UInt32
}

/// An endpoint made of two rings in memory, so that whole datapaths run without sockets. One side is a `PortIO` for the
/// datapath; this side puts frames in and takes frames out. Each side may have a thread of its own.
public struct MemoryPort: ~Copyable {
    private let memory: UnsafeMutableRawPointer
    private let toDatapath: SPSCRing
    private let fromDatapath: SPSCRing

    /// The datapath's side. Valid as long as this port lives.
    public let io: PortIO

    /// - Parameters:
    ///   - ringBytes: room in each direction, a power of two. A frame may take half of it.
    ///   - finishesOffloads: whether checksums are completed and super-frames cut on the way out, as a tunnel's socket
    ///     does, or left as they are, as a TAP does.
    public init(ringBytes: Int = 1 << 20, finishesOffloads: Bool = false) {
        let size = SPSCRing.memorySize(capacity: ringBytes)
        memory = .allocate(byteCount: 2 * size, alignment: 64)
        toDatapath = SPSCRing.format(memory, capacity: ringBytes)
        fromDatapath = SPSCRing.format(memory + size, capacity: ringBytes)
        let flags = finishesOffloads ? PortIO.Flags.finishesOffloads : 0
        io = PortIO(reading: toDatapath, writing: fromDatapath, flags: flags)
    }

    deinit { memory.deallocate() }

    /// Lets a frame come in.
    ///
    /// - Returns: false if the ring is full.
    public func inject(
        _ bytes: UnsafeRawBufferPointer,
        offload: Offload = .none,
        outerSource: IPv6Address = IPv6Address(high: 0, low: 0),
        outerTOS: UInt8 = 0,
        outerInterface: UInt32 = 0
    ) -> Bool {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return false }
        var record = MemoryRecord(offload: offload, tos: outerTOS, interface: outerInterface, address: outerSource)
        return toDatapath.tryWrite(&record, MemoryLayout<MemoryRecord>.size, start, bytes.count)
    }

    /// Lets a frame come in.
    ///
    /// - Returns: false if the ring is full.
    public func inject(
        _ bytes: [UInt8],
        offload: Offload = .none,
        outerSource: IPv6Address = IPv6Address(high: 0, low: 0),
        outerTOS: UInt8 = 0,
        outerInterface: UInt32 = 0
    ) -> Bool {
        bytes.withUnsafeBytes {
            inject(
                $0,
                offload: offload,
                outerSource: outerSource,
                outerTOS: outerTOS,
                outerInterface: outerInterface
            )
        }
    }

    /// Throws away everything that went out.
    public func discard() {
        while fromDatapath.peek() != nil { fromDatapath.release() }
    }

    /// Takes the oldest frame that went out.
    public func take() -> MemoryFrame? {
        guard let bytes = fromDatapath.peek(), bytes.count >= MemoryLayout<MemoryRecord>.size else { return nil }
        let record = bytes.loadUnaligned(as: MemoryRecord.self)
        let frame = MemoryFrame(
            bytes: Array(bytes[MemoryLayout<MemoryRecord>.size...]),
            offload: record.offload,
            destination: record.address,
            destinationPort: record.destinationPort,
            tos: record.tos,
            flowHash: record.flowHash
        )
        fromDatapath.release()
        return frame
    }
}
