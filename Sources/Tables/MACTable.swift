import Wire

/// Where the stations of all segments were last seen: taught state with one owner, the datapath's worker.
///
/// Promises: fixed memory; a look-up touches two cache lines; keys are hashed with a secret seed, since tenants choose
/// them; one port cannot push out the others: a full pair of buckets gives up the oldest entry of the attachment that
/// holds most; an entry is good only while the generations of its segment and attachment are those of the snapshot,
/// so giving a slot to somebody else forgets everything at once. A MAC may stand in the table once per segment.
///
/// An entry is 16 bytes, four to a bucket of one cache line; a key has two candidate buckets. Others may read while the
/// owner writes: an entry that they see half-written fails its generations or points at an existing attachment.
@frozen
public struct MACTable {
    /// word 0: MAC (48) and the low half of the segment; 0 is an empty entry, since MAC 0 is never learned.
    /// word 1: segment high (8), attachment (24), attachment generation (8), segment generation (8), second seen (16).
    @frozen
    public struct Entry {
        public var key: UInt64
        public var word: UInt64

        @inlinable public var mac: MACAddress { MACAddress(bits: key) }
        @inlinable public var segment: UInt32 { UInt32(truncatingIfNeeded: key >> 48 | (word & 0xFF) << 16) }
        @inlinable public var attachment: UInt32 { UInt32(truncatingIfNeeded: word >> 8 & 0xFF_FFFF) }
        @inlinable public var attachmentGeneration: UInt8 { UInt8(truncatingIfNeeded: word >> 32) }
        @inlinable public var segmentGeneration: UInt8 { UInt8(truncatingIfNeeded: word >> 40) }
        @inlinable public var seen: UInt16 { UInt16(truncatingIfNeeded: word >> 48) }

        /// Whole seconds since the entry was refreshed.
        @inlinable @inline(__always)
        public func age(_ now: UInt32) -> UInt32 { UInt32(UInt16(truncatingIfNeeded: now) &- seen) }
    }

    /// What became of an address.
    public enum Lesson: UInt8, Sendable {
        case refreshed, learned, moved, evictedAnother, limitReached
    }

    /// Entries per bucket.
    public static let width = 4
    /// Buckets per flag of the occupancy map: one 4 KiB page, so that ageing never touches memory nobody used.
    @usableFromInline static let bucketsPerPage = 64

    @usableFromInline let entries: UnsafeMutablePointer<Entry>
    @usableFromInline let occupied: UnsafeMutablePointer<UInt8>
    /// Learned addresses per attachment slot: generation (8 bits) and count (24).
    @usableFromInline let attachmentCounts: UnsafeMutablePointer<UInt32>
    /// The same per segment slot.
    @usableFromInline let segmentCounts: UnsafeMutablePointer<UInt32>
    public let bucketCount: UInt32
    @usableFromInline let seed: UInt64

    /// A view over zeroed or surviving memory; `StateRegion` lays it out.
    @inlinable
    public init(
        entries: UnsafeMutableRawPointer,
        occupied: UnsafeMutableRawPointer,
        attachmentCounts: UnsafeMutableRawPointer,
        segmentCounts: UnsafeMutableRawPointer,
        bucketCount: UInt32,
        seed: UInt64
    ) {
        self.entries = entries.assumingMemoryBound(to: Entry.self)
        self.occupied = occupied.assumingMemoryBound(to: UInt8.self)
        self.attachmentCounts = attachmentCounts.assumingMemoryBound(to: UInt32.self)
        self.segmentCounts = segmentCounts.assumingMemoryBound(to: UInt32.self)
        self.bucketCount = bucketCount
        self.seed = seed
    }

    /// A secret for hashing flows that outlives snapshots and restarts, so that a flow keeps its path over them.
    @inlinable @inline(__always)
    public var flowSeed: UInt64 { KeyedHash.mix(0x666C_6F77, 0, seed: seed) }

    /// The first entries of the two candidate buckets.
    @inlinable @inline(__always)
    func candidates(_ key: UInt64, _ segmentHigh: UInt64) -> (Int, Int) {
        let hash = KeyedHash.mix(key, segmentHigh, seed: seed)
        let first = ((hash & 0xFFFF_FFFF) &* UInt64(bucketCount)) >> 32
        let second = ((hash >> 32) &* UInt64(bucketCount)) >> 32
        return (Int(truncatingIfNeeded: first) &* MACTable.width, Int(truncatingIfNeeded: second) &* MACTable.width)
    }

    @inlinable @inline(__always)
    static func key(_ segment: UInt32, _ mac: MACAddress) -> UInt64 { mac.bits | UInt64(segment & 0xFFFF) << 48 }

    /// The entry index of a key, or -1.
    @inlinable @inline(__always)
    func index(_ key: UInt64, _ high: UInt64, _ first: Int, _ second: Int) -> Int {
        for i in first..<(first &+ MACTable.width) where entries[i].key == key && entries[i].word & 0xFF == high {
            return i
        }
        for i in second..<(second &+ MACTable.width) where entries[i].key == key && entries[i].word & 0xFF == high {
            return i
        }
        return -1
    }

    /// The attachment where `mac` was last seen in `segment`, or `noSlot` if never, too long ago (seconds), or before
    /// either slot changed hands.
    @inlinable @inline(__always)
    public func find(segment: UInt32, mac: MACAddress, now: UInt32, snapshot: Snapshot) -> UInt32 {
        let key = MACTable.key(segment, mac)
        let high = UInt64(segment >> 16)
        let (first, second) = candidates(key, high)
        let i = index(key, high, first, second)
        guard i >= 0 else { return noSlot }
        let entry = entries[i]
        return isGood(entry, now: now, snapshot: snapshot) ? entry.attachment : noSlot
    }

    /// Whether an entry still speaks about the present owners of its slots and is young enough.
    @inlinable @inline(__always)
    public func isGood(_ entry: Entry, now: UInt32, snapshot: Snapshot) -> Bool {
        let segment = entry.segment
        let attachment = entry.attachment
        guard segment < snapshot.segmentCount, attachment < snapshot.attachmentCount else { return false }
        let place = snapshot.attachments[Int(attachment)]
        let owner = snapshot.segments[Int(segment)]
        return place.kind != AttachmentKind.none && place.segment == segment
            && place.generation == entry.attachmentGeneration && owner.generation == entry.segmentGeneration
            && entry.age(now) < owner.ageing
    }

    /// Every entry that is good now, for `show fdb`.
    public func forEach(now: UInt32, snapshot: Snapshot, _ body: (Entry) -> Void) {
        let pages = (Int(bucketCount) + MACTable.bucketsPerPage - 1) / MACTable.bucketsPerPage
        for page in 0..<pages where occupied[page] != 0 {
            let start = page * MACTable.bucketsPerPage * MACTable.width
            let end = min(start + MACTable.bucketsPerPage * MACTable.width, Int(bucketCount) * MACTable.width)
            for i in start..<end where entries[i].key != 0 && isGood(entries[i], now: now, snapshot: snapshot) {
                body(entries[i])
            }
        }
    }
}
