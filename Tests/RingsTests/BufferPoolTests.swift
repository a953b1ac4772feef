import Testing

@testable import Rings

@Suite struct BufferPoolTests {
    @Test func everyBufferTakesTheLargestFrameAndItsHeadroom() {
        let pool = BufferPool(count: 8)
        // The largest: a 64 KB datagram behind an Ethernet header and two tags.
        #expect(BufferPool.capacity >= 65_535 + 14 + 8)
        for index in 0..<8 {
            let frame = pool.buffer(index)
            (frame - BufferPool.headroom).initializeMemory(
                as: UInt8.self,
                repeating: UInt8(index),
                count: BufferPool.headroom + BufferPool.capacity
            )
        }
        for index in 0..<8 {
            let frame = pool.buffer(index)
            #expect((frame - BufferPool.headroom).load(as: UInt8.self) == UInt8(index))
            #expect((frame + BufferPool.capacity - 1).load(as: UInt8.self) == UInt8(index))
        }
    }

    @Test func headersOfABurstDoNotShareCacheSets() {
        let pool = BufferPool(count: 12)
        // 64 sets of 64 bytes, as on every x86-64 with 32 or 48 KiB of data cache.
        let sets = (0..<12).map { (Int(bitPattern: pool.buffer($0)) / 64) % 64 }
        #expect(Set(sets).count == 12)
    }
}
