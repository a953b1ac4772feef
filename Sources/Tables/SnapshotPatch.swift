import Wire

/// What makes the bytes of one snapshot those of the next, when little changes: other MACs that the file tells of. Rows
/// and their number stay.
public struct SnapshotPatch: Sendable {
    /// A station that has another MAC than before, in the same place.
    public struct Retold: Sendable {
        public var segment: UInt32
        public var old: MACAddress
        public var new: MACAddress

        public init(segment: UInt32, old: MACAddress, new: MACAddress) {
            self.segment = segment
            self.old = old
            self.new = new
        }
    }

    public var generation: UInt64
    public var retold: [Retold]

    public init(generation: UInt64, retold: [Retold]) {
        self.generation = generation
        self.retold = retold
    }

    /// Changes the bytes of a valid snapshot. False when they would not be those of the next one: a MAC is told already.
    /// What was not told before is not told afterwards.
    public func apply(to image: UnsafeMutableRawBufferPointer) -> Bool {
        guard let base = image.baseAddress, image.count >= SnapshotHeader.length else { return false }
        let seed = base.loadUnaligned(fromByteOffset: SnapshotHeader.seedOffset, as: UInt64.self)
        let at = SnapshotHeader.sectionsOffset + 16 * Section.toldIndex.rawValue
        let offset = base.loadUnaligned(fromByteOffset: at, as: UInt64.self)
        let count = base.loadUnaligned(fromByteOffset: at + 8, as: UInt64.self)
        var table = EditableIndex(
            entries: (base + Int(offset)).assumingMemoryBound(to: FrozenIndex.Entry.self),
            count: Int(count),
            seed: seed
        )
        // All that goes first, so that two stations can swap.
        var coming: [(key: ToldKey, value: UInt32)] = []
        for change in retold {
            guard let value = table.remove(ToldKey(change.segment, change.old)) else { continue }
            coming.append((ToldKey(change.segment, change.new), value))
        }
        for item in coming {
            guard table.insert(item.key, value: item.value) else { return false }
        }
        base.storeBytes(of: generation, toByteOffset: SnapshotHeader.generationOffset, as: UInt64.self)
        return true
    }
}

/// How a station's MAC is a key.
struct ToldKey {
    var word: UInt64
    var extra: UInt32

    init(_ segment: UInt32, _ mac: MACAddress) {
        word = mac.bits | UInt64(segment & 0xFFFF) << 48
        extra = segment >> 16
    }
}

/// The entries of a `FrozenIndex` before they are frozen.
private struct EditableIndex {
    private let entries: UnsafeMutablePointer<FrozenIndex.Entry>
    private let mask: Int
    private let seed: UInt64

    init(entries: UnsafeMutablePointer<FrozenIndex.Entry>, count: Int, seed: UInt64) {
        self.entries = entries
        mask = count - 1
        self.seed = seed
    }

    private func home(_ key: UInt64, _ extra: UInt32) -> Int {
        Int(truncatingIfNeeded: KeyedHash.mix(key, UInt64(extra), seed: seed)) & mask
    }

    /// Where a key is, or the empty place where it would be.
    private func find(_ key: ToldKey) -> Int {
        var i = home(key.word, key.extra)
        while entries[i].value != FrozenIndex.none, entries[i].key != key.word || entries[i].extra != key.extra {
            i = (i + 1) & mask
        }
        return i
    }

    /// The value that the key had. Entries behind it that had to make way for it come nearer to their home.
    mutating func remove(_ key: ToldKey) -> UInt32? {
        var hole = find(key)
        let value = entries[hole].value
        guard value != FrozenIndex.none else { return nil }
        var next = (hole + 1) & mask
        while entries[next].value != FrozenIndex.none {
            // As far from its home as the hole is from it, or farther.
            let distance = (next - home(entries[next].key, entries[next].extra)) & mask
            if distance >= (next - hole) & mask {
                entries[hole] = entries[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        entries[hole] = .init(key: 0, extra: 0, value: FrozenIndex.none)
        return value
    }

    /// False when the key is there.
    mutating func insert(_ key: ToldKey, value: UInt32) -> Bool {
        let i = find(key)
        guard entries[i].value == FrozenIndex.none else { return false }
        entries[i] = .init(key: key.word, extra: key.extra, value: value)
        return true
    }
}
