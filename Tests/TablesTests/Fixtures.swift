import Tables
import Wire

/// SplitMix64, so that a failing run can be repeated from its seed.
struct Random: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}

/// A snapshot in memory of its own. Never given back: views into it live as long as they like, in optimised builds too.
final class OwnedSnapshot {
    let snapshot: Snapshot

    init(_ image: [UInt8]) throws {
        let memory: UnsafeMutableRawBufferPointer = .allocate(byteCount: image.count, alignment: 16)
        memory.copyBytes(from: image)
        do {
            snapshot = try Snapshot(validating: UnsafeRawBufferPointer(memory))
        } catch {
            memory.deallocate()
            throw error
        }
    }
}

/// A state region over private memory, never given back.
final class OwnedState {
    let region: StateRegion

    init(_ capacity: StateCapacity) {
        let size = StateRegion.size(capacity)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 4096)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        StateRegion.format(memory, capacity, seed: 0x5EED)
        region = StateRegion(memory, count: size)!
    }
}

/// `segments` segments with `ports` port attachments each, on one endpoint an attachment.
func plainBuilder(segments: Int, ports: Int, macLimit: UInt32 = 0, ageing: UInt32 = 300) -> SnapshotBuilder {
    var builder = SnapshotBuilder()
    for s in 0..<segments {
        var segment = SegmentRecord()
        segment.flags = SegmentRecord.learning
        segment.inUse = 1
        segment.macLimit = macLimit
        segment.ageing = ageing
        builder.segments.append(segment)
        var members: [UInt32] = []
        for _ in 0..<ports {
            var endpoint = EndpointRecord()
            endpoint.kind = EndpointKind.port
            endpoint.untagged = UInt32(builder.attachments.count)
            var attachment = AttachmentRecord()
            attachment.kind = AttachmentKind.port
            attachment.endpoint = UInt32(builder.endpoints.count)
            attachment.segment = UInt32(s)
            members.append(UInt32(builder.attachments.count))
            builder.endpoints.append(endpoint)
            builder.attachments.append(attachment)
        }
        builder.setFlood(segment: UInt32(s), to: members)
    }
    return builder
}
