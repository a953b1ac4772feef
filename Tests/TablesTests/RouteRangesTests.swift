import Tables
import Testing
import Wire

@Suite("Longest prefix match") struct RouteRangesTests {
    /// Random prefixes, most of them inside or beside another.
    private func nested(_ count: Int, _ family: TestFamily, using random: inout Random) -> [TestPrefix] {
        var prefixes: [TestPrefix] = []
        for _ in 0..<count {
            let length = Int.random(in: 0...family.width, using: &random)
            guard let other = prefixes.randomElement(using: &random), UInt8.random(in: 0..<8, using: &random) > 0 else {
                prefixes.append(TestPrefix(family.random(using: &random), length))
                continue
            }
            let next: UInt128 = 1 << UInt128(128 - max(1, other.length))
            switch UInt8.random(in: 0..<5, using: &random) {
            case 0: prefixes.append(TestPrefix(other.first, length))
            case 1: prefixes.append(TestPrefix(other.last, length))
            case 2: prefixes.append(TestPrefix(other.first &+ next, other.length))
            case 3: prefixes.append(other)
            default:
                let inside = family.random(using: &random) & TestPrefix.hostBits(other.length)
                prefixes.append(TestPrefix(other.first | inside, max(length, other.length)))
            }
        }
        return prefixes
    }

    private func check(
        _ snapshot: Snapshot,
        router: UInt32,
        _ family: TestFamily,
        _ twin: (UInt128) -> UInt32,
        addresses: some Sequence<UInt128>,
        _ comment: Comment,
        _ location: SourceLocation = #_sourceLocation
    ) {
        for bits in addresses {
            let found = family.find(snapshot, router: router, bits)
            let expected = twin(bits)
            // Cheaper than an expectation a look-up.
            if found != expected {
                let address = family.address(bits)
                Issue.record("\(comment): \(address) → \(found), not \(expected)", sourceLocation: location)
                return
            }
        }
    }

    @Test("agrees with a scan of all prefixes, in many routers at once", arguments: TestFamily.allCases)
    func slowTwin(family: TestFamily) throws {
        for seed in 1...40 as ClosedRange<UInt64> {
            var random = Random(state: seed)
            var builder = SnapshotBuilder()
            var tables: [[TestPrefix]] = [[]]
            for _ in 0..<12 {
                let count = Int.random(in: 0...80, using: &random)
                tables.append(nested(count, family, using: &random))
            }
            // Two tenants with the same prefixes.
            tables.append(tables[1])
            let twins = tables.map { builder.addRouter(family, $0) }
            let owned = try OwnedSnapshot(builder.freeze(generation: 1, seed: seed))
            let edges = tables.joined().flatMap(family.edges)
            for (router, twin) in twins.enumerated() {
                let others = (0..<200).map { _ in family.random(using: &random) }
                let mine = tables[router].flatMap(family.edges) + edges.prefix(200) + others + [0, 0 &- family.step]
                check(
                    owned.snapshot,
                    router: UInt32(router),
                    family,
                    twin.find,
                    addresses: mine,
                    "seed \(seed), router \(router)"
                )
            }
        }
    }

    @Test("the families of one router are apart")
    func families() throws {
        var builder = SnapshotBuilder()
        let ipv4 = builder.addRouter(.ipv4, [TestPrefix(0x0A << 120, 8)])
        let ipv6 = builder.setRoutes(router: 0, .ipv6, [TestPrefix(0x0A << 120, 8), TestPrefix(0x0A00 << 112, 16)])
        let only6 = builder.addRouter(.ipv6, [TestPrefix(0, 0)])
        let owned = try OwnedSnapshot(builder.freeze(generation: 1, seed: 2))
        let inside: UInt128 = 0x0A00_0001 << 96
        #expect(TestFamily.ipv4.find(owned.snapshot, router: 0, inside) == ipv4.routes[0])
        #expect(TestFamily.ipv6.find(owned.snapshot, router: 0, inside) == ipv6.routes[1])
        #expect(TestFamily.ipv4.find(owned.snapshot, router: 1, inside) == noSlot)
        #expect(TestFamily.ipv6.find(owned.snapshot, router: 1, inside) == only6.routes[0])
    }

    @Test("every length has its prefix: a chain from /0 to a host", arguments: TestFamily.allCases)
    func everyLength(family: TestFamily) throws {
        var random = Random(state: 7)
        for address in [0, UInt128.max, family.random(using: &random), family.random(using: &random)] {
            var builder = SnapshotBuilder()
            let twin = builder.addRouter(
                family,
                (0...family.width).map { TestPrefix(address, $0) }.shuffled(using: &random)
            )
            let owned = try OwnedSnapshot(builder.freeze(generation: 1, seed: 3))
            for length in 0...family.width {
                // Shares exactly `length` bits with the address.
                let other = length == family.width ? address : address ^ (1 << UInt128(127 - length))
                let found = family.find(owned.snapshot, router: 0, other & ~TestPrefix.hostBits(family.width))
                try #require(found != noSlot)
                #expect(Int(owned.snapshot.routes[Int(found)].length) == length)
                #expect(found == twin.find(other & ~TestPrefix.hostBits(family.width)))
            }
        }
    }

    @Test("of equal prefixes the later one counts, whatever surrounds them", arguments: TestFamily.allCases)
    func equalPrefixes(family: TestFamily) throws {
        let ten = TestPrefix(0x0A << 120, 8)
        var builder = SnapshotBuilder()
        let twin = builder.addRouter(
            family,
            [ten, TestPrefix(0, 0), ten, TestPrefix(ten.last, family.width), ten, TestPrefix(0, 0)]
        )
        let owned = try OwnedSnapshot(builder.freeze(generation: 1, seed: 3))
        #expect(family.find(owned.snapshot, router: 0, ten.first) == twin.routes[4])
        #expect(family.find(owned.snapshot, router: 0, ten.last) == twin.routes[3])
        #expect(family.find(owned.snapshot, router: 0, ten.first - family.step) == twin.routes[5])
        #expect(family.find(owned.snapshot, router: 0, ten.last &+ family.step) == twin.routes[5])
    }

    @Test("the first and the last addresses are like any other", arguments: TestFamily.allCases)
    func ends(family: TestFamily) throws {
        let last = 0 &- family.step
        let ends = [0, family.step, last - family.step, last]
        // Each set of hosts at the ends, with and without a route for the rest.
        for hosts in 0..<16 {
            for rest in [[], [TestPrefix(0, 0)], [TestPrefix(0, 1), TestPrefix(1 << 127, 1)]] {
                var builder = SnapshotBuilder()
                let there = ends.indices.filter { hosts >> $0 & 1 != 0 }
                let twin = builder.addRouter(family, rest + there.map { TestPrefix(ends[$0], family.width) })
                let owned = try OwnedSnapshot(builder.freeze(generation: 1, seed: 3))
                let addresses = ends + [2 * family.step, last - 2 * family.step, 1 << 127, 1 << 127 - family.step]
                check(owned.snapshot, router: 0, family, twin.find, addresses: addresses, "hosts \(there)")
            }
        }
    }

    @Test("host bits of a prefix do not count", arguments: TestFamily.allCases)
    func hostBits(family: TestFamily) throws {
        var builder = SnapshotBuilder()
        _ = builder.addRouter(family, [TestPrefix(0x0A << 120, 8)])
        let sloppy = RouteRangeBuilder.Prefix(family.address(0x0A01_0203 << 96), length: 8, route: 0)
        builder.setRoutes(router: 0, isIPv6: family == .ipv6, to: [sloppy])
        let owned = try OwnedSnapshot(builder.freeze(generation: 1, seed: 3))
        #expect(family.find(owned.snapshot, router: 0, 0x0A00_0000 << 96) == 0)
        #expect(family.find(owned.snapshot, router: 0, 0x0AFF_FFFF << 96) == 0)
        #expect(family.find(owned.snapshot, router: 0, 0x0B00_0000 << 96) == noSlot)
    }

    @Test("no routes, no answer", arguments: TestFamily.allCases)
    func empty(family: TestFamily) throws {
        var builder = SnapshotBuilder()
        _ = builder.addRouter(family, [])
        _ = builder.addRouter(family, [TestPrefix(.max, family.width)])
        let owned = try OwnedSnapshot(builder.freeze(generation: 1, seed: 3))
        for bits in [0, 0x0A << 120, UInt128.max] {
            #expect(family.find(owned.snapshot, router: 0, bits) == noSlot)
            let last = bits == .max
            #expect((family.find(owned.snapshot, router: 1, bits) == noSlot) != last)
        }
    }

    /// 100 000 prefixes as somebody would have them who wants look-ups to be slow.
    enum Shape: String, CaseIterable, Sendable {
        case random, deep, hostsInOneSixteenth, alternating
    }

    private func prefixes(_ shape: Shape, _ family: TestFamily, using random: inout Random) -> [TestPrefix] {
        (0..<100_000).map { i in
            switch shape {
            case .random:
                return TestPrefix(
                    family.random(using: &random),
                    Int.random(in: 8...(family == .ipv4 ? 24 : 64), using: &random)
                )
            case .deep:
                // All inside of one another's neighbourhood.
                let bits = UInt128(0x0A0A << 112) | family.random(using: &random) >> 16
                return TestPrefix(bits, Int.random(in: 16...family.width, using: &random))
            case .hostsInOneSixteenth:
                // Every second address: none touches the next. IPv4 has 32 768 of them in a /16, so it takes a /14.
                return TestPrefix(0x0A0C << 112 | UInt128(2 * i) * family.step, family.width)
            case .alternating:
                return TestPrefix(UInt128(i) << 108, i % 2 == 0 ? 20 : 21)
            }
        }
    }

    @Test("100 000 routes: at most 18 probes", arguments: TestFamily.allCases, Shape.allCases)
    func large(family: TestFamily, shape: Shape) throws {
        var random = Random(state: 99)
        let prefixes = prefixes(shape, family, using: &random)
        var builder = SnapshotBuilder()
        let clock = ContinuousClock()
        let start = clock.now
        let twin = builder.addRouter(family, prefixes)
        let built = clock.now
        let image = builder.freeze(generation: 1, seed: 5)
        let frozen = clock.now
        let owned = try OwnedSnapshot(image)
        print(
            "\(family.rawValue) \(shape.rawValue): built in \(built - start), frozen in \(frozen - built),",
            "validated in \(clock.now - frozen), \(image.count >> 10) KiB,",
            "\(owned.snapshot.probes(router: 0, family)) probes"
        )
        #expect(owned.snapshot.probes(router: 0, family) <= 18)
        let addresses = (0..<2000).flatMap { _ in
            family.edges(prefixes.randomElement(using: &random)!) + [family.random(using: &random)]
        }
        check(owned.snapshot, router: 0, family, HashedRoutes(twin).find, addresses: addresses, "\(shape)")
    }
}
