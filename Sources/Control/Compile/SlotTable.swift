/// Gives slots to keys: a key keeps its slot for as long as it is wanted, new keys get the lowest free ones, and a slot
/// that changes hands gets a new generation. A slot given up by one assignment is free from the next one on, so that
/// old and new state never speak of different owners of one slot. The table never shrinks: the generations of free
/// slots are still needed.
struct SlotTable<Key: Hashable & Sendable>: Sendable, Equatable {
    /// By slot; nil is free.
    private(set) var owners: [Key?] = []
    /// By slot.
    private(set) var generations: [UInt16] = []
    private var slots: [Key: UInt32] = [:]
    /// Generations wrap after this.
    private let lastGeneration: UInt16

    init(lastGeneration: UInt16) { self.lastGeneration = lastGeneration }

    var count: Int { owners.count }

    subscript(key: Key) -> UInt32? { slots[key] }

    /// Appends the slot that comes next in a table that is being recovered.
    mutating func recover(_ key: Key?, generation: UInt16) {
        var owner = key
        if let key {
            if slots[key] == nil { slots[key] = UInt32(owners.count) } else { owner = nil }
        }
        owners.append(owner)
        generations.append(generation)
    }

    /// Another generation under the same owner.
    mutating func raiseGeneration(_ slot: UInt32) {
        let old = generations[Int(slot)]
        generations[Int(slot)] = old >= lastGeneration ? 0 : old + 1
    }

    /// The slots of exactly these keys, in their order. Everyone else's are given up.
    mutating func assign(_ wanted: [Key]) -> [UInt32] {
        let before = owners.count
        var kept = [Bool](repeating: false, count: before)
        var result = [UInt32](repeating: 0, count: wanted.count)
        var missing: [Int] = []
        for (i, key) in wanted.enumerated() {
            if let slot = slots[key] {
                kept[Int(slot)] = true
                result[i] = slot
            } else {
                missing.append(i)
            }
        }
        var next = 0
        for i in missing {
            if let slot = slots[wanted[i]] {  // wanted twice
                result[i] = slot
                continue
            }
            while next < before, owners[next] != nil { next += 1 }
            if next < before {
                owners[next] = wanted[i]
                kept[next] = true
                raiseGeneration(UInt32(next))
            } else {
                owners.append(wanted[i])
                generations.append(0)
                next = owners.count - 1
            }
            slots[wanted[i]] = UInt32(next)
            result[i] = UInt32(next)
            next += 1
        }
        for slot in 0..<before where !kept[slot] {
            guard let key = owners[slot] else { continue }
            slots[key] = nil
            owners[slot] = nil
        }
        return result
    }
}
