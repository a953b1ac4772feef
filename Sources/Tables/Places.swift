import Wire

// Where a look-up will look, without looking: for who asks for memory before it is needed. An address given here may be
// prefetched and nothing else.

extension FrozenIndex {
    /// The slot where the search for a key begins, and mostly ends.
    @inlinable @inline(__always)
    public func place(_ key: UInt64, _ extra: UInt32 = 0) -> UnsafeRawPointer {
        UnsafeRawPointer(entries + Int(truncatingIfNeeded: KeyedHash.mix(key, UInt64(extra), seed: seed) & mask))
    }
}

extension Snapshot {
    /// Of `attachment(endpoint:tpid:vid:)`.
    @inlinable @inline(__always)
    public func placeOfAttachment(endpoint: UInt32, tpid: UInt16, vid: UInt16) -> UnsafeRawPointer {
        vlanIndex.place(UInt64(endpoint) << 32 | UInt64(tpid) << 16 | UInt64(vid))
    }

    /// Of `segment(endpoint:identifier:)`.
    @inlinable @inline(__always)
    public func placeOfSegment(endpoint: UInt32, identifier: UInt32) -> UnsafeRawPointer {
        vniIndex.place(UInt64(endpoint) << 32 | UInt64(identifier))
    }

    /// Of `attachment(segment:peer:)`.
    @inlinable @inline(__always)
    public func placeOfAttachment(segment: UInt32, peer: UInt32) -> UnsafeRawPointer {
        memberIndex.place(UInt64(segment) << 32 | UInt64(peer))
    }

    /// Of `told(segment:mac:)`.
    @inlinable @inline(__always)
    public func placeOfTold(segment: UInt32, mac: MACAddress) -> UnsafeRawPointer {
        toldIndex.place(mac.bits | UInt64(segment & 0xFFFF) << 48, segment >> 16)
    }
}

extension MACTable {
    /// The two buckets of an address.
    @inlinable @inline(__always)
    public func places(segment: UInt32, mac: MACAddress) -> (UnsafeRawPointer, UnsafeRawPointer) {
        let (first, second) = candidates(MACTable.key(segment, mac), UInt64(segment >> 16))
        return (UnsafeRawPointer(entries + first), UnsafeRawPointer(entries + second))
    }

    /// The attachment of an address whether or not its entry still holds; `noSlot` without one. Not to be forwarded by.
    @inlinable @inline(__always)
    public func supposed(segment: UInt32, mac: MACAddress) -> UInt32 {
        let key = MACTable.key(segment, mac)
        let high = UInt64(segment >> 16)
        let (first, second) = candidates(key, high)
        let i = index(key, high, first, second)
        return i >= 0 ? entries[i].attachment : noSlot
    }

    /// Pages of buckets, as `sweep` counts them.
    @inlinable
    public var pageCount: Int { (Int(bucketCount) + MACTable.bucketsPerPage - 1) / MACTable.bucketsPerPage }

    /// Whether anything was learned into a page since it was found empty.
    @inlinable
    public func isOccupied(page: Int) -> Bool { occupied[page] != 0 }
}
