import Testing

@testable import Datapath

@Suite struct PatienceTests {
    private func after(_ waits: [UInt64]) -> Patience {
        var patience = Patience()
        for wait in waits { patience.note(waited: wait) }
        return patience
    }

    private let short = Patience.limit
    private let long = Patience.limit + 1

    @Test func staysAwakeAfterShortWaitsInARow() {
        #expect(!after([]).pays)
        #expect(!after([short, short, short]).pays)
        #expect(after([short, short, 0, short]).pays)
        #expect(!after([short, short, short, long, short]).pays)
        #expect(after([long, short, short, short, short]).pays)
    }

    @Test func fallsAsleepWhenNothingComes() {
        var patience = after([0, 0, 0, 0])
        for waited in stride(from: 0, through: short, by: 10_000) {
            patience.note(waited: waited)
            #expect(patience.pays)
        }
        patience.note(waited: long)
        #expect(!patience.pays)
    }

    @Test func sleepsWhereMuchComesAtATime() {
        var patience = after([0, 0, 0, 0])
        patience.note(frames: Patience.little, bytes: 2047)
        #expect(patience.pays)
        patience.note(frames: 1, bytes: (Patience.little - 1) * 2048)
        #expect(patience.pays)
        patience.note(frames: 1, bytes: Patience.little * 2048)
        #expect(!patience.pays)
        patience = after([0, 0, 0, 0])
        patience.note(frames: Patience.little + 1, bytes: 0)
        #expect(!patience.pays)
        for _ in 0..<3 { patience.note(waited: short) }
        #expect(!patience.pays)
        patience.note(waited: short)
        #expect(patience.pays)
    }

    @Test func leavesTheProcessorToOthers() {
        var patience = after([0, 0, 0, 0])
        patience.note(yielded: Patience.disturbance)
        #expect(patience.pays, "the other end of a conversation")
        patience.note(yielded: Patience.disturbance + 1)
        // What the wait itself adds does not shorten that.
        patience.note(waited: Patience.disturbance)
        #expect(!patience.pays)
        for _ in 1..<Patience.many {
            patience.note(waited: 0)
            #expect(!patience.pays)
        }
        patience.note(waited: 0)
        #expect(patience.pays)
    }
}
