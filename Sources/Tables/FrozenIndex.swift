import Wire

/// A read-only hash table over flat memory: (key, extra) → value, open addressing at no more than half load.
/// Built by `FrozenIndexBuilder`; part of a snapshot.
@frozen
public struct FrozenIndex {
    /// One slot: 16 bytes.
    @frozen
    public struct Entry {
        public var key: UInt64
        public var extra: UInt32
        public var value: UInt32

        @inlinable
        public init(key: UInt64, extra: UInt32, value: UInt32) {
            self.key = key
            self.extra = extra
            self.value = value
        }
    }

    /// The value of an empty slot and of a missing key.
    public static let none = UInt32.max

    @usableFromInline let entries: UnsafePointer<Entry>
    @usableFromInline let mask: UInt64
    @usableFromInline let seed: UInt64

    /// `count` is a power of two and at least one slot is empty; the snapshot's validation has checked both.
    @inlinable
    public init(entries: UnsafePointer<Entry>, count: Int, seed: UInt64) {
        self.entries = entries
        self.mask = UInt64(count - 1)
        self.seed = seed
    }

    @inlinable @inline(__always)
    public func find(_ key: UInt64, _ extra: UInt32 = 0) -> UInt32 {
        var i = KeyedHash.mix(key, UInt64(extra), seed: seed) & mask
        while true {
            let entry = entries[Int(truncatingIfNeeded: i)]
            if entry.value == FrozenIndex.none { return FrozenIndex.none }
            if entry.key == key && entry.extra == extra { return entry.value }
            i = (i &+ 1) & mask
        }
    }
}

/// Collects entries and lays them out for `FrozenIndex`.
public struct FrozenIndexBuilder: Sendable {
    private var pending: [(key: UInt64, extra: UInt32, value: UInt32)] = []

    public init() {}

    public var count: Int { pending.count }

    /// Keys are unique; a repeated key keeps its first value.
    public mutating func insert(_ key: UInt64, _ extra: UInt32 = 0, value: UInt32) {
        pending.append((key, extra, value))
    }

    /// The slots: a power of two, at most half full.
    func layOut(seed: UInt64) -> [FrozenIndex.Entry] {
        var count = 2
        while count < 2 * pending.count { count *= 2 }
        let mask = UInt64(count - 1)
        var slots = [FrozenIndex.Entry](
            repeating: .init(key: 0, extra: 0, value: FrozenIndex.none),
            count: count
        )
        for item in pending {
            var i = Int(truncatingIfNeeded: KeyedHash.mix(item.key, UInt64(item.extra), seed: seed) & mask)
            while slots[i].value != FrozenIndex.none, slots[i].key != item.key || slots[i].extra != item.extra {
                i = (i + 1) & Int(mask)
            }
            if slots[i].value == FrozenIndex.none {
                slots[i] = .init(key: item.key, extra: item.extra, value: item.value)
            }
        }
        return slots
    }
}
