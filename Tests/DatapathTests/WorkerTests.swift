import AllocationCounter
import Datapath
import Forwarding
import Rings
import Tables
import Testing
import Wire

@Suite("Worker") struct WorkerTests {
    static let h1 = IPv4Address(bits: 0xC000_0201)
    static let h2 = IPv4Address(bits: 0xC000_0202)
    static let macA: UInt64 = 0x0200_0000_000A
    static let macB: UInt64 = 0x0200_0000_000B

    private func pair() throws -> (MemorySwitch, MemorySwitch) {
        (
            try MemorySwitch(address: WorkerTests.h1, peer: WorkerTests.h2),
            try MemorySwitch(address: WorkerTests.h2, peer: WorkerTests.h1)
        )
    }

    /// Carries what waits at the tunnel of one switch to the other.
    private func carry(_ from: MemorySwitch, _ source: IPv4Address, _ to: MemorySwitch) {
        while let packet = from.take(MemorySwitch.tunnel) {
            #expect(to.injectTunnelled(packet.bytes, from: source, tos: packet.tos))
        }
        to.turn(MemorySwitch.tunnel)
    }

    @Test("two switches: a flooded frame reaches its tenant's ports on both, and nobody else's")
    func flood() throws {
        let (one, two) = try pair()
        let sent = frame(to: 0xFFFF_FFFF_FFFF, from: WorkerTests.macA)
        #expect(one.inject(sent, at: 0))
        one.turn(0)
        #expect(one.take(1)?.bytes == sent)
        carry(one, WorkerTests.h1, two)
        #expect(two.take(0)?.bytes == sent)
        #expect(two.take(1)?.bytes == sent)
        for blue in [2, 3] as [UInt32] {
            #expect(one.take(blue) == nil)
            #expect(two.take(blue) == nil)
        }
        // Split horizon: nothing goes back.
        #expect(two.take(MemorySwitch.tunnel) == nil)
    }

    @Test("what was learned is used, on both sides of the tunnel, and outlived after five minutes")
    func learning() throws {
        let (one, two) = try pair()
        #expect(one.inject(frame(to: 0xFFFF_FFFF_FFFF, from: WorkerTests.macA), at: 0))
        one.turn(0)
        carry(one, WorkerTests.h1, two)
        one.discard(1)
        two.discard(0)
        two.discard(1)
        let answer = frame(to: WorkerTests.macA, from: WorkerTests.macB)
        #expect(two.inject(answer, at: 1))
        two.turn(1)
        #expect(two.take(0) == nil)
        carry(two, WorkerTests.h2, one)
        #expect(one.take(0)?.bytes == answer)
        #expect(one.take(1) == nil)
        // Blue has the same MAC and knows nothing of it.
        #expect(two.inject(answer, at: 3))
        two.turn(3)
        #expect(two.take(2)?.bytes == answer)
        two.discard(MemorySwitch.tunnel)
        two.advance(to: 100 + 300)
        #expect(two.inject(answer, at: 1))
        two.turn(1)
        #expect(two.take(0)?.bytes == answer)
    }

    @Test("every frame is counted once: forwarded or dropped for a reason")
    func conservation() throws {
        let (one, _) = try pair()
        #expect(one.inject(frame(to: WorkerTests.macB, from: 0), at: 0))
        #expect(one.inject(frame(to: WorkerTests.macB, from: 0x0100_0000_0001), at: 0))
        #expect(one.inject(Array(frame(to: WorkerTests.macB, from: WorkerTests.macA).prefix(13)), at: 0))
        one.turn(0)
        let counters = one.crew.counters(0)
        #expect(counters.receivedFrames == 3)
        let drops = DropReason.allCases.reduce(0) { $0 + one.drops(0, $1.rawValue) }
        #expect(drops == 3)
        #expect(one.take(1) == nil)
    }

    @Test("an unlisted VTEP, another's VNI and a missing I flag end at the tunnel")
    func tunnelRefusals() throws {
        let (one, _) = try pair()
        let inner = frame(to: 0xFFFF_FFFF_FFFF, from: WorkerTests.macA)
        let header: [UInt8] = [8, 0, 0, 0, 0, 0x13, 0x89, 0]
        #expect(one.injectTunnelled(header + inner, from: IPv4Address(bits: 0xC000_0299)))
        #expect(one.injectTunnelled([8, 0, 0, 0, 0, 0, 1, 0] + inner, from: WorkerTests.h2))
        #expect(one.injectTunnelled([0, 0, 0, 0, 0, 0x13, 0x89, 0] + inner, from: WorkerTests.h2))
        one.turn(MemorySwitch.tunnel)
        for slot in 0..<4 as Range<UInt32> { #expect(one.take(slot) == nil) }
        #expect(one.drops(4, DropReason.unknownPeer.rawValue) == 1)
        #expect(one.drops(4, DropReason.unknownVNI.rawValue) == 1)
        // The sentinel: a right one does arrive.
        #expect(one.injectTunnelled(header + inner, from: WorkerTests.h2))
        one.turn(MemorySwitch.tunnel)
        #expect(one.take(0)?.bytes == inner)
    }

    @Test("a million frames allocate nothing")
    func allocations() throws {
        let (one, _) = try pair()
        let known = frame(to: WorkerTests.macB, from: WorkerTests.macA)
        let broadcast = frame(to: 0xFFFF_FFFF_FFFF, from: WorkerTests.macA)
        let wrong = frame(to: WorkerTests.macB, from: 0)
        func round() {
            known.withUnsafeBytes { bytes in for _ in 0..<28 { _ = one.injectRaw(bytes, 0) } }
            broadcast.withUnsafeBytes { bytes in for _ in 0..<2 { _ = one.injectRaw(bytes, 0) } }
            wrong.withUnsafeBytes { bytes in for _ in 0..<2 { _ = one.injectRaw(bytes, 0) } }
            one.turn(0)
            for slot in 0..<5 as Range<UInt32> { one.discard(slot) }
        }
        #expect(one.inject(frame(to: WorkerTests.macA, from: WorkerTests.macB), at: 1))
        one.turn(1)
        for _ in 0..<100 { round() }
        let before = allocation_count()
        for _ in 0..<31_250 { round() }
        #expect(allocation_count() - before == 0)
        #expect(one.crew.counters(0).receivedFrames == 32 * 31_350)
        // The counter does count.
        let probe = allocation_count()
        _ = OwnedState()
        #expect(allocation_count() > probe)
    }
}
