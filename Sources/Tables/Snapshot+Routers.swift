import Wire

// Look-ups in a router's table. Each begins with a router or a segment.

extension Snapshot {
    /// The route of the longest prefix that an IPv4 address lies in, or `noSlot`.
    @inlinable @inline(__always)
    public func route(router: UInt32, _ address: IPv4Address) -> UInt32 {
        let table = routers[Int(router)].ipv4
        guard table.count > 0 else { return noSlot }
        let index = rangeIndex + Int(table.indexStart) + Int((address.bits &>> 16) &>> (16 &- table.indexBits))
        let rows = rangesIPv4 + Int(table.start)
        // The range is one of those from the bucket's first address to the next bucket's. Halved without a branch on what
        // is found, which nothing could predict: that takes two thirds of the time. A comparison and a multiplication or
        // an arithmetic shift by 63 would be made a branch again by the compiler.
        var low = Int(index[0])
        var more = Int(index[1]) &- low
        while more > 0 {
            let half = (more &+ 1) &>> 1
            // All bits of a range that begins behind the address.
            let behind = (UInt64(address.bits) &- UInt64(rows[low &+ half].start)) &>> 32
            low &+= half & ~Int(truncatingIfNeeded: behind)
            more &-= half
        }
        return rows[low].route
    }

    /// The same for IPv6.
    @inlinable @inline(__always)
    public func route(router: UInt32, _ address: IPv6Address) -> UInt32 {
        let table = routers[Int(router)].ipv6
        guard table.count > 0 else { return noSlot }
        let bucket = (address.high &>> 48) &>> UInt64(16 &- table.indexBits)
        let index = rangeIndex + Int(table.indexStart) + Int(truncatingIfNeeded: bucket)
        let rows = rangesIPv6 + Int(table.start)
        var low = Int(index[0])
        var more = Int(index[1]) &- low
        while more > 0 {
            let half = (more &+ 1) &>> 1
            let start = rows[low &+ half].start
            // The borrow of a subtraction of 128 bits.
            let borrow: UInt64 = address.low.subtractingReportingOverflow(start.low).overflow ? 1 : 0
            let (difference, first) = address.high.subtractingReportingOverflow(start.high)
            let second = difference.subtractingReportingOverflow(borrow).overflow
            let behind = 0 &- ((first ? 1 : 0) | (second ? 1 : 0))
            low &+= half & ~behind
            more &-= half
        }
        return rows[low].route
    }

    /// The row of an address whose owner the file names, or `noSlot`. IPv4 as mapped address.
    @inlinable @inline(__always)
    public func neighbor(segment: UInt32, _ address: IPv6Address) -> UInt32 {
        // The key is a digest; the row decides.
        let slot = neighborIndex.find(NeighborKey.digest(address), segment)
        return slot != noSlot && neighbors[Int(slot)].address == address && neighbors[Int(slot)].segment == segment
            ? slot : noSlot
    }

    /// The far end of the router's tunnel that packets from `peer` on a raw endpoint belong to, or `noSlot`. Without a
    /// key is another tunnel than with key 0.
    ///
    /// - Parameter endpoint: on an uplink, a `WayIn`.
    @inlinable @inline(__always)
    public func tunnel(endpoint: UInt32, peer: UInt32, key: UInt32, hasKey: Bool) -> UInt32 {
        tunnelIndex.find(TunnelKey.word(endpoint, peer, hasKey: hasKey), key)
    }
}

/// How addresses are keys of an index of 64-bit words.
@usableFromInline
enum NeighborKey {
    @inlinable @inline(__always)
    static func digest(_ address: IPv6Address) -> UInt64 { address.high &* 0x9E37_79B9_7F4A_7C15 ^ address.low }
}

/// How tunnels are keys.
@usableFromInline
enum TunnelKey {
    @inlinable @inline(__always)
    static func word(_ endpoint: UInt32, _ peer: UInt32, hasKey: Bool) -> UInt64 {
        UInt64(endpoint) &<< 33 | (hasKey ? 1 : 0) &<< 32 | UInt64(peer)
    }

    /// Whether a key's endpoint and peer are those of a far end.
    static func leads(_ word: UInt64, to far: AttachmentRecord) -> Bool {
        word >> 33 & UInt64(WayIn.endpointMask) == UInt64(far.endpoint) && word & 0xFFFF_FFFF == UInt64(far.peer)
    }
}

/// On an uplink all kinds of tunnels come in by one endpoint, and what tells VNI 7 from GRE key 7 is the IP protocol. So it
/// is part of the keys there.
public enum WayIn {
    /// Endpoints are fewer than that.
    static let endpointMask: UInt32 = 0x0FFF_FFFF

    /// What stands for the endpoint in keys: of UDP the slot itself.
    @inlinable @inline(__always)
    public static func key(uplink endpoint: UInt32, protocol number: UInt8) -> UInt32 {
        let kind: UInt32 =
            switch number {
            case IPProtocol.gre: 1
            case IPProtocol.ipv4: 2
            case IPProtocol.ipv6: 3
            default: 0
            }
        return endpoint | kind &<< 28
    }
}
