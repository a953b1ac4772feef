import Testing
import Wire

/// A super-frame with the arguments that describe it, as an endpoint would give them.
struct SuperFrame {
    var bytes: [UInt8]
    /// Bytes in the first of the two regions.
    var cut: Int
    var prefixLength: Int
    var networkType: UInt16
    var greChecksumOffset: Int
    var gsoType: UInt8
    var gsoSize: UInt16
    var checksumStart: Int
    var checksumOffset: Int

    init(_ spec: FrameSpec, size: Int, cut: Int = 0) {
        bytes = spec.bytes
        self.cut = cut
        prefixLength = spec.prefix.count
        networkType = spec.isDatagram ? spec.etherType : 0
        greChecksumOffset = spec.gre.map { $0 + 4 } ?? -1
        gsoSize = UInt16(size)
        checksumStart = spec.transportOffset
        switch spec.l4 {
        case .udp:
            gsoType = SegmentationKind.udp
            checksumOffset = 6
        default:
            gsoType = spec.isIPv6 ? SegmentationKind.tcpv6 : SegmentationKind.tcpv4
            checksumOffset = 16
        }
    }

    /// Cuts the frame with the plan; nil if it is refused. Both regions and all buffers end at a guard.
    func segments() -> [[UInt8]]? {
        let headMemory = GuardedBytes(capacity: 512)
        let tailMemory = GuardedBytes(capacity: bytes.count)
        let scratch = GuardedBytes(capacity: SegmentationPlan.headerCapacity)
        let output = GuardedBytes(capacity: SegmentationPlan.headerCapacity)
        let cut = min(cut, bytes.count, 512)
        let header = headMemory.place(bytes[..<cut])
        let payload = tailMemory.place(bytes[cut...])
        let zeros = [UInt8](repeating: 0, count: SegmentationPlan.headerCapacity)
        guard
            let plan = SegmentationPlan(
                header: header,
                cut,
                payload: payload,
                bytes.count - cut,
                prefixLength: prefixLength,
                networkType: networkType,
                gsoType: gsoType,
                gsoSize: gsoSize,
                checksumStart: checksumStart,
                checksumOffset: checksumOffset,
                greChecksumOffset: greChecksumOffset,
                scratch: scratch.place(zeros)
            )
        else { return nil }
        let into = output.place(zeros[..<plan.headerLength])
        var total = 0
        let segments = (0..<plan.count).map { index in
            let segment = plan.writeHeader(index, into: into)
            total += segment.count
            return Array(UnsafeRawBufferPointer(start: into, count: plan.headerLength))
                + Array(UnsafeRawBufferPointer(start: segment.payload, count: segment.count))
        }
        if total != plan.payloadLength { Issue.record("\(total) of \(plan.payloadLength) bytes in segments") }
        return segments
    }
}

extension FrameSpec {
    /// The segments one after the other, each built whole from its own description.
    func slowSegments(size: Int, ecn: Bool) -> [[UInt8]] {
        var segments: [[UInt8]] = []
        var at = 0
        repeat {
            var segment = self
            let end = min(at + size, payload.count)
            segment.checksum = .complete
            segment.padding = []
            segment.payload = Array(payload[at..<end])
            segment.identification = identification &+ UInt16(segments.count)
            if case .tcp(let sequence, var flags, let options) = l4 {
                if end < payload.count { flags &= ~0x09 }
                if at > 0, ecn { flags &= ~0x80 }
                segment.l4 = .tcp(sequence: sequence &+ UInt32(at), flags: flags, options: options)
            }
            segments.append(segment.bytes)
            at = end
        } while at < payload.count
        return segments
    }
}
