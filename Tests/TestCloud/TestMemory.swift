import Tables

/// A snapshot in memory of its own.
package final class TestSnapshot {
    package let snapshot: Snapshot
    private let memory: UnsafeMutableRawBufferPointer

    package init(_ builder: SnapshotBuilder, generation: UInt64 = 1) throws {
        let image = builder.freeze(generation: generation, seed: 0x5EED)
        memory = .allocate(byteCount: image.count, alignment: 64)
        memory.copyBytes(from: image)
        snapshot = try Snapshot(validating: UnsafeRawBufferPointer(memory))
    }

    deinit { memory.deallocate() }
}

/// Counters and taught state in memory of their own.
package final class TestState {
    package let region: StateRegion
    private let memory: UnsafeMutableRawPointer

    package static let capacity = StateCapacity(
        endpoints: 64,
        segments: 64,
        attachments: 256,
        peers: 64,
        macBuckets: 1024,
        neighborBuckets: 256
    )

    package init() {
        let size = StateRegion.size(TestState.capacity)
        memory = .allocate(byteCount: size, alignment: 4096)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        StateRegion.format(memory, TestState.capacity, seed: 0xFACE)
        guard let region = StateRegion(memory, count: size) else { preconditionFailure("it was just formatted") }
        self.region = region
    }

    deinit { memory.deallocate() }
}
