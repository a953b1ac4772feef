import Glibc
import Testing

@testable import Rings

@Suite struct SPSCRingTests {
    /// Memory for a ring, freed with the test.
    final class Memory: @unchecked Sendable {
        let size: Int
        let start: UnsafeMutableRawPointer

        init(capacity: Int) {
            size = SPSCRing.memorySize(capacity: capacity)
            start = .allocate(byteCount: size, alignment: 64)
        }

        deinit { start.deallocate() }
    }

    @Test func recordsComeOutAsTheyWentIn() throws {
        let memory = Memory(capacity: 256)
        let ring = SPSCRing.format(memory.start, capacity: 256)
        #expect(ring.isEmpty && ring.peek() == nil)
        // Long enough to go round many times, with every length and so every place of the end.
        for round in 0..<500 {
            let length = round % 100
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 + round) }
            let cut = length / 3
            bytes.withUnsafeBytes { raw in
                let base = raw.baseAddress ?? UnsafeRawPointer(memory.start)
                #expect(ring.tryWrite(base, cut, base + cut, cut, base + 2 * cut, length - 2 * cut))
            }
            let record = try #require(ring.peek())
            #expect(Array(record) == bytes)
            #expect(Array(try #require(ring.peek())) == bytes)
            ring.release()
            #expect(ring.isEmpty && ring.peek() == nil)
        }
        #expect(ring.dropped == 0 && !ring.isBroken)
    }

    @Test func countsWhatFindsNoRoom() throws {
        let memory = Memory(capacity: 128)
        let ring = SPSCRing.format(memory.start, capacity: 128)
        let bytes = [UInt8](repeating: 7, count: 200)
        #expect(!ring.tryWrite(bytes, ring.largestRecord + 9))
        #expect(ring.dropped == 1)
        var written = 0
        while ring.tryWrite(bytes, 12) { written += 1 }
        #expect(written == 8)
        #expect(ring.dropped == 2)
        while ring.peek() != nil {
            ring.release()
            written -= 1
        }
        #expect(written == 0)
        // Once the reader has caught up, the largest record fits wherever the end of the ring is.
        for _ in 0..<20 {
            #expect(ring.tryWrite(bytes, ring.largestRecord))
            #expect(ring.peek()?.count == ring.largestRecord)
            ring.release()
            #expect(ring.tryWrite(bytes, 4))
            #expect(ring.peek()?.count == 4)
            ring.release()
        }
    }

    @Test func attachesOnlyToARingOfThatSize() {
        let memory = Memory(capacity: 1024)
        memory.start.initializeMemory(as: UInt8.self, repeating: 0, count: memory.size)
        #expect(SPSCRing(attachedTo: memory.start, size: memory.size) == nil)
        let ring = SPSCRing.format(memory.start, capacity: 1024)
        #expect(ring.tryWrite([1, 2, 3] as [UInt8], 3))
        #expect(SPSCRing(attachedTo: memory.start, size: memory.size - 512) == nil)
        #expect(SPSCRing(attachedTo: memory.start, size: 10) == nil)
        #expect(SPSCRing(attachedTo: memory.start, size: memory.size)?.peek().map(Array.init) == [1, 2, 3])
    }

    /// Whatever the other process writes into the shared memory, nothing is read or written outside.
    @Test(arguments: [11, 12, 13] as [UInt64])
    func survivesABrokenPartner(seed: UInt64) {
        var random = SplitMix(state: seed)
        for _ in 0..<2_000 {
            let memory = Memory(capacity: 128)
            let ring = SPSCRing.format(memory.start, capacity: 128)
            _ = ring.tryWrite([1, 2, 3, 4] as [UInt8], 4)
            for _ in 0..<4 {
                let offset = 64 + 8 * Int.random(in: 0..<(memory.size - 64) / 8, using: &random)
                let value = Bool.random(using: &random) ? UInt64.random(in: 0..<300, using: &random) : random.next()
                memory.start.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
            }
            for _ in 0..<10 {
                if let record = ring.peek() {
                    let start = record.baseAddress! - UnsafeRawPointer(memory.start)
                    #expect(start >= SPSCRing.headerSize && start + record.count <= memory.size)
                    ring.release()
                }
                _ = ring.tryWrite([9, 9, 9, 9, 9, 9, 9, 9] as [UInt8], 8)
            }
        }
    }

    /// Two threads, records of random length whose bytes follow from a shared seed: each record that was accepted
    /// arrives once, whole and in order.
    @Test(arguments: [21, 22] as [UInt64])
    func twoThreads(seed: UInt64) {
        let memory = Memory(capacity: 4096)
        let ring = SPSCRing.format(memory.start, capacity: 4096)
        let records = 200_000
        struct Job {
            var ring: SPSCRing
            var seed: UInt64
            var records: Int
        }
        let job = UnsafeMutablePointer<Job>.allocate(capacity: 1)
        job.initialize(to: Job(ring: ring, seed: seed, records: records))
        defer { job.deallocate() }
        var thread = pthread_t()
        let started = pthread_create(
            &thread,
            nil,
            { argument in
                let job = argument!.assumingMemoryBound(to: Job.self).pointee
                var random = SplitMix(state: job.seed)
                var bytes = [UInt64](repeating: 0, count: 64)
                for number in 0..<job.records {
                    let words = Int.random(in: 1...40, using: &random)
                    bytes[0] = UInt64(number)
                    for index in 1..<words { bytes[index] = UInt64(number) &* UInt64(index) }
                    while !job.ring.tryWrite(bytes, words * 8) { sched_yield() }
                }
                return nil
            },
            job
        )
        #expect(started == 0)
        var random = SplitMix(state: seed)
        var wrong = 0
        for number in 0..<records {
            let words = Int.random(in: 1...40, using: &random)
            var record = ring.peek()
            while record == nil {
                sched_yield()
                record = ring.peek()
            }
            guard let record, record.count == words * 8 else {
                wrong += 1
                break
            }
            if record.loadUnaligned(fromByteOffset: 0, as: UInt64.self) != UInt64(number) { wrong += 1 }
            for index in 1..<words
            where record.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self) != UInt64(number) &* UInt64(index) {
                wrong += 1
            }
            ring.release()
        }
        pthread_join(thread, nil)
        #expect(wrong == 0)
        #expect(ring.isEmpty && !ring.isBroken)
    }
}
