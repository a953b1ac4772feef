import Testing
import Wire

@Suite struct FragmentPlanTests {
    private let input = GuardedBytes(capacity: 64)
    private let output = GuardedBytes(capacity: FragmentPlan.headerCapacity)

    /// The fragments of a datagram, whole; nil if refused.
    private func fragments(_ datagram: [UInt8], mtu: Int) -> [[UInt8]]? {
        let length = Int(datagram[0] & 15) * 4
        let header = input.place(datagram[..<min(length, datagram.count)])
        let payload = Array(datagram[min(length, datagram.count)...])
        guard let plan = FragmentPlan(header: header, payloadLength: payload.count, mtu: mtu) else { return nil }
        return (0..<plan.count).map { index in
            let bytes = output.place([UInt8](repeating: 0xEE, count: FragmentPlan.headerCapacity))
            let fragment = plan.writeHeader(index, to: bytes)
            #expect(
                (fragment.headerLength..<FragmentPlan.headerCapacity)
                    .allSatisfy { UnsafeRawPointer(bytes).byte($0) == 0xEE }
            )
            return Array(UnsafeRawBufferPointer(start: bytes, count: fragment.headerLength))
                + payload[fragment.payloadOffset..<fragment.payloadOffset + fragment.payloadCount]
        }
    }

    /// RFC 791 §3.2 with arrays: options as a list, a fragment described and built one after the other.
    private func slow(_ spec: FrameSpec, _ options: [[UInt8]], mtu: Int) -> [[UInt8]] {
        if spec.bytes.count <= mtu { return [spec.bytes] }
        var later = options.filter { $0[0] & 0x80 != 0 }.flatMap { $0 }
        while later.count % 4 != 0 { later.append(0) }
        var fragments: [[UInt8]] = []
        var at = 0
        while at < spec.payload.count {
            var fragment = spec
            if at > 0 { fragment.options = later }
            let room = mtu - 20 - fragment.options.count
            let isLast = spec.payload.count - at <= room
            let end = isLast ? spec.payload.count : at + room / 8 * 8
            fragment.payload = Array(spec.payload[at..<end])
            fragment.fragmentField = spec.fragmentField + UInt16(at / 8)
            if !isLast { fragment.fragmentField |= 0x2000 }
            fragments.append(fragment.bytes)
            at = end
        }
        return fragments
    }

    private func example(_ length: Int, _ options: [[UInt8]] = [], field: UInt16 = 0) -> FrameSpec {
        var spec = FrameSpec()
        spec.isDatagram = true
        spec.l4 = .other(17)
        spec.fragmentField = field
        spec.options = options.flatMap { $0 }
        while spec.options.count % 4 != 0 { spec.options.append(0) }
        spec.payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        return spec
    }

    private func randomOptions(_ random: inout SplitMix) -> [[UInt8]] {
        var options: [[UInt8]] = []
        while options.reduce(0, { $0 + $1.count }) < 20, !random.chance(3) {
            let type = random.pick([1, 7, 68, 130, 133, 148, 2 + UInt8(random.below(254))])
            options.append(type == 1 ? [1] : [type, 0] + random.bytes(random.below(10)))
            if type != 1 { options[options.count - 1][1] = UInt8(options.last!.count) }
        }
        return options
    }

    @Test func matchesTheSlowTwin() {
        var random = SplitMix(151)
        for round in 0..<1_000 {
            let options = random.chance(2) ? [] : randomOptions(&random)
            // A quarter are fragments themselves.
            let field = random.chance(4) ? UInt16(random.below(2_000)) | random.pick([0, 0x2000]) : 0
            let length = random.pick([0, 1, 8, 1_480, 1_481, 4_000, random.below(40_000)])
            let spec = example(length, options, field: field)
            let mtu = random.pick([68, 576, 1_280, 1_476, 1_480, 1_500, 68 + random.below(9_000)])
            guard let fast = fragments(spec.bytes, mtu: mtu) else {
                Issue.record("round \(round) is refused")
                continue
            }
            let expected = slow(spec, options, mtu: mtu)
            if fast != expected { Issue.record("round \(round): \(fast.count) of \(expected.count), \(options)") }
        }
    }

    /// What a receiver does: put together by offset, the bytes are those that were sent. Fragments of fragments too.
    @Test func reassembles() throws {
        var random = SplitMix(152)
        for _ in 0..<200 {
            let spec = example(1 + random.below(20_000), random.chance(2) ? [] : randomOptions(&random))
            let first = 600 + random.below(2_000)
            var pieces = try #require(fragments(spec.bytes, mtu: first))
            pieces = try pieces.flatMap { try #require(fragments($0, mtu: 200 + random.below(400))) }
            var payload = [UInt8](repeating: 0, count: spec.payload.count)
            var ends = 0
            for piece in pieces.shuffled(using: &random) {
                piece.withUnsafeBytes {
                    let bytes = $0.baseAddress!
                    let parsed = ParsedFrame(datagram: bytes, $0.count, etherType: EtherType.ipv4)
                    let length = Int(bytes.byte(0) & 15) * 4
                    #expect(parsed.isIPv4 && parsed.endOffset == $0.count && !parsed.has(.cutShort))
                    #expect(Checksum.isValid(ipv4Header: bytes, length: length) && bytes.be16(4) == 0x1234)
                    let at = Int(parsed.fragmentOffset)
                    payload.replaceSubrange(at..<at + $0.count - length, with: piece[length...])
                    if bytes.be16(6) & 0x2000 == 0 { ends += 1 }
                }
            }
            #expect(payload == spec.payload && ends == 1)
        }
    }

    @Test func byHand() throws {
        let pieces = try #require(fragments(example(3_000).bytes, mtu: 1_500))
        #expect(pieces.map(\.count) == [1_500, 1_500, 60])
        #expect(pieces.map { Array($0[6..<8]) } == [[0x20, 0], [0x20, 185], [0x01, 0x72]])
        // The last fragment need not end on a boundary, and may fill the MTU.
        #expect(try #require(fragments(example(1_480 + 1_480).bytes, mtu: 1_500)).count == 2)
        #expect(try #require(fragments(example(1_482).bytes, mtu: 1_502)).map(\.count) == [1_502])
        #expect(try #require(fragments(example(1_483).bytes, mtu: 1_502)).map(\.count) == [1_500, 23])
        // Without the copied flag an option stays with the first fragment, and the others have more room.
        let record: [UInt8] = [7, 39, 4] + [UInt8](repeating: 0, count: 36)
        let routed = try #require(fragments(example(120, [record]).bytes, mtu: 84))
        #expect(routed.map { $0[0] } == [0x4F, 0x45, 0x45] && routed.map(\.count) == [84, 84, 52])
    }

    /// A fragment of a fragment keeps saying that more follow, at its place.
    @Test func fragmentsOfFragments() throws {
        let middle = try #require(fragments(example(1_600, field: 0x2064).bytes, mtu: 820))
        #expect(middle.map { Array($0[6..<8]) } == [[0x20, 0x64], [0x20, 0xC8]])
        let last = try #require(fragments(example(1_601, field: 0x0064).bytes, mtu: 820))
        #expect(last.map { Array($0[6..<8]) } == [[0x20, 0x64], [0x20, 0xC8], [0x01, 0x2C]])
        // The bit that nobody may set is not ours to clear.
        #expect(try #require(fragments(example(1_000, field: 0x8000).bytes, mtu: 820)).map { $0[6] } == [0xA0, 0x80])
    }

    @Test func refusals() {
        #expect(fragments(example(100, field: 0x4000).bytes, mtu: 68) == nil)
        #expect(fragments(example(100, field: 0x4000).bytes, mtu: 1_500) == nil)
        for mtu in [Int.min, -1, 0, 8, 20, 27] { #expect(fragments(example(100).bytes, mtu: mtu) == nil, "\(mtu)") }
        #expect(fragments(example(100).bytes, mtu: 28)?.count == 13)
        let long = example(100, [[148, 4, 0, 0]])
        #expect(fragments(long.bytes, mtu: 31) == nil && fragments(long.bytes, mtu: 32)?.count == 13)
        // Behind the end of what can be: RFC 791 has 13 bits of offset and 16 of length.
        #expect(fragments(example(100, field: 0x1FFF).bytes, mtu: 68) == nil)
        #expect(fragments(example(100, field: 0x1FF0).bytes, mtu: 68) != nil)
        for options in [[148, 1, 0, 0], [148, 5, 0, 0], [1, 1, 1, 148], [7, 0, 0, 0]] as [[UInt8]] {
            #expect(fragments(example(100, [options]).bytes, mtu: 68) == nil, "\(options)")
        }
        var short = example(100).bytes
        short[0] = 0x44
        #expect(fragments(short, mtu: 68) == nil)
        let header = input.place(example(0).bytes)
        for length in [Int.min, -1, 65_516, Int.max] {
            #expect(FragmentPlan(header: header, payloadLength: length, mtu: 1_500) == nil)
        }
    }

    @Test func hostile() {
        var random = SplitMix(153)
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = random.bytes(60)
            bytes[0] = 0x45 + UInt8(random.below(11))
            bytes[6] &= random.pick([0xBF, 0xFF])
            if random.chance(2) { bytes.replaceSubrange(20..<40, with: [UInt8](repeating: 1, count: 20)) }
            let header = input.place(bytes[..<(Int(bytes[0] & 15) * 4)])
            let length = random.below(66_000)
            let mtu = random.below(3_000)
            guard let plan = FragmentPlan(header: header, payloadLength: length, mtu: mtu) else { continue }
            accepted += 1
            var at = 0
            for index in 0..<plan.count {
                let output = output.place([UInt8](repeating: 0, count: FragmentPlan.headerCapacity))
                let fragment = plan.writeHeader(index, to: output)
                let isRight =
                    fragment.payloadOffset == at && fragment.headerLength + fragment.payloadCount <= max(mtu, 28)
                    && Checksum.isValid(ipv4Header: output, length: fragment.headerLength)
                if !isRight { Issue.record("\(fragment) of \(bytes), \(length) bytes, MTU \(mtu)") }
                at += fragment.payloadCount
            }
            #expect(at == length)
        }
        #expect(accepted > 500)
    }
}
