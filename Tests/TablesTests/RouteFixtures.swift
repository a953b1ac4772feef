import Tables
import Wire

/// A prefix of either family as the upper bits of a 128-bit number: one shape for the tests of both.
struct TestPrefix {
    var first: UInt128
    var length: Int

    init(_ bits: UInt128, _ length: Int) {
        first = bits & ~TestPrefix.hostBits(length)
        self.length = length
    }

    var last: UInt128 { first | TestPrefix.hostBits(length) }

    static func hostBits(_ length: Int) -> UInt128 { length >= 128 ? 0 : .max >> UInt128(length) }
}

/// The address family of a test's table.
enum TestFamily: String, CaseIterable, Sendable {
    case ipv4, ipv6

    var width: Int { self == .ipv4 ? 32 : 128 }

    /// The difference between two neighbouring addresses.
    var step: UInt128 { 1 << UInt128(128 - width) }

    func address(_ bits: UInt128) -> IPAddress {
        switch self {
        case .ipv4: .v4(IPv4Address(bits: UInt32(bits >> 96)))
        case .ipv6:
            .v6(IPv6Address(high: UInt64(bits >> 64), low: UInt64(truncatingIfNeeded: bits)))
        }
    }

    func random(using random: inout Random) -> UInt128 {
        let bits = UInt128(random.next()) << 64 | UInt128(random.next())
        return bits & ~TestPrefix.hostBits(width)
    }

    /// The edges of a prefix and the addresses beside them.
    func edges(_ prefix: TestPrefix) -> [UInt128] {
        let last = prefix.last & ~TestPrefix.hostBits(width)
        return [prefix.first, last, prefix.first &- step, last &+ step]
    }

    func find(_ snapshot: Snapshot, router: UInt32, _ bits: UInt128) -> UInt32 {
        switch address(bits) {
        case .v4(let a): snapshot.route(router: router, a)
        case .v6(let a): snapshot.route(router: router, a)
        }
    }
}

/// The slow twin: looks at every prefix.
struct LinearRoutes {
    var prefixes: [TestPrefix] = []
    var routes: [UInt32] = []

    func find(_ bits: UInt128) -> UInt32 {
        var best = -1
        for (i, prefix) in prefixes.enumerated() where bits >= prefix.first && bits <= prefix.last {
            if best < 0 || prefix.length >= prefixes[best].length { best = i }
        }
        return best < 0 ? noSlot : routes[best]
    }
}

/// A twin for many routes that is not so slow: asks for the prefix of each length.
struct HashedRoutes {
    private var byLength: [[UInt128: UInt32]] = Array(repeating: [:], count: 129)

    init(_ twin: LinearRoutes) {
        for (prefix, route) in zip(twin.prefixes, twin.routes) { byLength[prefix.length][prefix.first] = route }
    }

    func find(_ bits: UInt128) -> UInt32 {
        for length in stride(from: 128, through: 0, by: -1) where !byLength[length].isEmpty {
            if let route = byLength[length][bits & ~TestPrefix.hostBits(length)] { return route }
        }
        return noSlot
    }
}

extension SnapshotBuilder {
    /// A router whose routes lead nowhere, and its slow twin.
    mutating func addRouter(_ family: TestFamily, _ prefixes: [TestPrefix]) -> LinearRoutes {
        var router = RouterRecord()
        router.inUse = 1
        let slot = UInt32(routers.count)
        routers.append(router)
        return setRoutes(router: slot, family, prefixes)
    }

    mutating func setRoutes(router: UInt32, _ family: TestFamily, _ prefixes: [TestPrefix]) -> LinearRoutes {
        var twin = LinearRoutes()
        var table: [RouteRangeBuilder.Prefix] = []
        for prefix in prefixes {
            var route = RouteRecord()
            route.router = router
            route.kind = RouteKind.blackhole
            route.prefix = family.address(prefix.first).mapped
            route.length = UInt8(prefix.length)
            twin.prefixes.append(prefix)
            twin.routes.append(UInt32(routes.count))
            table.append(.init(family.address(prefix.first), length: prefix.length, route: UInt32(routes.count)))
            routes.append(route)
        }
        setRoutes(router: router, isIPv6: family == .ipv6, to: table)
        return twin
    }
}

extension Snapshot {
    /// The most rows that a look-up in a router's table compares with its address.
    func probes(router: UInt32, _ family: TestFamily) -> Int {
        let table = family == .ipv4 ? routers[Int(router)].ipv4 : routers[Int(router)].ipv6
        guard table.count > 0 else { return 0 }
        var most = 0
        for bucket in 0..<(1 << Int(table.indexBits)) {
            let index = rangeIndex + Int(table.indexStart) + bucket
            // A search among n rows halves them until one is left.
            let rows = Int(index[1] - index[0]) + 1
            most = max(most, rows.bitWidth - (rows - 1).leadingZeroBitCount)
        }
        return most
    }
}
