import Testing

@testable import Control

struct SlotTableTests {
    @Test func knownKeysKeepTheirSlots() {
        var table = SlotTable<String>(lastGeneration: 255)
        #expect(table.assign(["a", "b", "c"]) == [0, 1, 2])
        #expect(table.assign(["c", "d", "b", "a"]) == [2, 3, 1, 0])
        #expect(table.generations == [0, 0, 0, 0])
    }

    @Test func aFreedSlotWaitsForTheNextAssignment() {
        var table = SlotTable<String>(lastGeneration: 255)
        _ = table.assign(["a", "b"])
        #expect(table.assign(["b", "c"]) == [1, 2])
        #expect(table.owners == [nil, "b", "c"])
        #expect(table.assign(["b", "c", "d", "e"]) == [1, 2, 0, 3])
        #expect(table.generations == [1, 0, 0, 0])
    }

    @Test func theSameKeyComesBackAsSomebodyElse() {
        var table = SlotTable<String>(lastGeneration: 255)
        _ = table.assign(["a"])
        _ = table.assign([])
        #expect(table.assign(["a"]) == [0])
        #expect(table.generations == [1])
    }

    @Test func lowestFreeSlotFirst() {
        var table = SlotTable<Int>(lastGeneration: 255)
        _ = table.assign(Array(0..<10))
        _ = table.assign([0, 2, 4, 6, 8])
        #expect(table.assign([0, 2, 4, 6, 8, 100, 101, 102]) == [0, 2, 4, 6, 8, 1, 3, 5])
        #expect(table.count == 10)
    }

    @Test func generationsWrap() {
        var table = SlotTable<Int>(lastGeneration: 255)
        for round in 0..<257 {
            #expect(table.assign([round]) == [0])
            #expect(table.generations[0] == UInt16(round % 256))
            _ = table.assign([])
        }
        var peers = SlotTable<Int>(lastGeneration: 0)
        for round in 0..<3 {
            _ = peers.assign([round])
            #expect(peers.generations == [0])
            _ = peers.assign([])
        }
    }

    @Test func aKeyWantedTwiceHasOneSlot() {
        var table = SlotTable<String>(lastGeneration: 255)
        #expect(table.assign(["a", "a", "b"]) == [0, 0, 1])
        #expect(table.assign(["b", "b"]) == [1, 1])
    }

    @Test func recoveryIgnoresASecondOwner() {
        var table = SlotTable<String>(lastGeneration: 255)
        table.recover("a", generation: 3)
        table.recover(nil, generation: 7)
        table.recover("a", generation: 4)
        #expect(table.owners == ["a", nil, nil])
        #expect(table.assign(["a", "b"]) == [0, 1])
        #expect(table.generations == [3, 8, 4])
    }
}
