import Wire

/// Turns prefixes, which nest, into ranges that do not, so that a look-up is one search.
public enum RouteRangeBuilder {
    /// A prefix as the upper bits of a 128-bit number; IPv4 in the uppermost 32.
    public struct Prefix: Sendable {
        /// Its first address.
        public var first: UInt128
        /// In bits, of the family.
        public var length: Int
        public var route: UInt32

        /// The host bits of `address` do not count.
        public init(_ address: IPAddress, length: Int, route: UInt32) {
            let bits =
                switch address {
                case .v4(let a): UInt128(a.bits) << 96
                case .v6(let a): UInt128(a.high) << 64 | UInt128(a.low)
                }
            first = bits & ~(.max >> UInt128(length))
            self.length = length
            self.route = route
        }

        /// Its last address.
        fileprivate var last: UInt128 { length == 0 ? .max : first | (.max >> UInt128(length)) }
    }

    /// Ranges in ascending order, the first of which begins at 0. Of two equal prefixes the later one counts.
    /// Takes the time of a sort.
    static func ranges(_ prefixes: [Prefix]) -> [(start: UInt128, route: UInt32)] {
        var ranges: [(start: UInt128, route: UInt32)] = [(0, noSlot)]
        func begin(_ start: UInt128, _ route: UInt32) {
            if ranges[ranges.count - 1].start == start {
                ranges[ranges.count - 1].route = route
            } else if ranges[ranges.count - 1].route != route {
                ranges.append((start, route))
            }
        }
        // The prefixes that the sweep is inside of, the longest on top.
        var open: [(last: UInt128, route: UInt32)] = []
        func close() {
            let ended = open.removeLast()
            if ended.last != .max { begin(ended.last + 1, open.last?.route ?? noSlot) }
        }
        let sorted = prefixes.enumerated().sorted {
            ($0.element.first, $0.element.length, $0.offset) < ($1.element.first, $1.element.length, $1.offset)
        }
        for (_, prefix) in sorted {
            while let top = open.last, top.last < prefix.first { close() }
            open.append((prefix.last, prefix.route))
            begin(prefix.first, prefix.route)
        }
        while !open.isEmpty { close() }
        return ranges
    }

    /// Positions at which to begin to look: for each value of an address's first `bits` bits the last range that begins
    /// at or before the first such address, and at the end the last of all.
    static func index(_ starts: [UInt128]) -> (bits: Int, positions: [UInt32]) {
        var bits = 0
        while bits < 16, 1 << (bits + 1) <= starts.count { bits += 1 }
        var positions: [UInt32] = []
        positions.reserveCapacity(1 << bits + 1)
        var at = 0
        for bucket in 0..<(1 << bits) {
            let first = UInt128(bucket) << UInt128(128 - bits)
            while at + 1 < starts.count, starts[at + 1] <= (bits == 0 ? 0 : first) { at += 1 }
            positions.append(UInt32(at))
        }
        positions.append(UInt32(starts.count - 1))
        return (bits, positions)
    }
}

extension SnapshotBuilder {
    /// Writes a router's prefixes of one family into the range sections.
    public mutating func setRoutes(router: UInt32, isIPv6: Bool, to prefixes: [RouteRangeBuilder.Prefix]) {
        var table = RouteRanges()
        if !prefixes.isEmpty {
            let ranges = RouteRangeBuilder.ranges(prefixes)
            let (bits, positions) = RouteRangeBuilder.index(ranges.map(\.start))
            table.count = UInt32(ranges.count)
            table.indexStart = UInt32(rangeIndex.count)
            table.indexBits = UInt32(bits)
            rangeIndex += positions
            if isIPv6 {
                table.start = UInt32(rangesIPv6.count)
                rangesIPv6 += ranges.map { range in
                    let start = IPv6Address(
                        high: UInt64(truncatingIfNeeded: range.start >> 64),
                        low: UInt64(truncatingIfNeeded: range.start)
                    )
                    return RangeIPv6(start: start, route: range.route)
                }
            } else {
                table.start = UInt32(rangesIPv4.count)
                rangesIPv4 += ranges.map {
                    RangeIPv4(start: UInt32(truncatingIfNeeded: $0.start >> 96), route: $0.route)
                }
            }
        }
        if isIPv6 {
            routers[Int(router)].ipv6 = table
        } else {
            routers[Int(router)].ipv4 = table
        }
    }

    /// Names the owner of an address in a network: `router` is its attachment, or `noSlot` for a port.
    public mutating func tell(segment: UInt32, address: IPAddress, mac: MACAddress, router: UInt32 = noSlot) {
        var row = NeighborRecord()
        row.address = address.mapped
        row.mac = mac.bits
        row.segment = segment
        row.router = router
        mapNeighbor(row)
    }
}
