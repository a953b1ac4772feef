import Rings
import Testing

@Suite struct ReceiveRingTests {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)

    private func frame(_ length: Int) -> Frame { Frame(bytes: memory, length: length, endpoint: 3) }

    @Test func endsAfterThirtyTwoSmallFrames() {
        let ring = ReceiveRing()
        for index in 1...ReceiveRing.capacity {
            #expect(ring.isFull == false)
            #expect(ring.append(frame(64)) == (index < ReceiveRing.capacity))
        }
        #expect(ring.isFull == true)
        #expect(ring.count == 32)
        #expect(ring[31].pointee.endpoint == 3)
        memory.deallocate()
    }

    @Test func endsWithALargeFrame() {
        let ring = ReceiveRing()
        #expect(ring.append(frame(ReceiveRing.largeFrame - 1)) == true)
        #expect(ring.append(frame(ReceiveRing.largeFrame)) == false)
        memory.deallocate()
    }

    @Test func endsWhenItsBytesAreUsedUp() {
        let ring = ReceiveRing()
        var count = 1
        while ring.append(frame(8_000)) { count += 1 }
        #expect(count == ReceiveRing.byteBudget / 8_000 + 1)
        memory.deallocate()
    }

    @Test func resetEmptiesIt() {
        let ring = ReceiveRing()
        ring.append(frame(9_000))
        ring.setDrained(false)
        ring.noteUnreadable()
        #expect(ring.unreadable == 1 && ring.isDrained == false)
        ring.reset()
        #expect(ring.count == 0 && ring.bytes == 0 && ring.unreadable == 0 && ring.isDrained == true)
        memory.deallocate()
    }
}
