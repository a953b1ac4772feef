import Testing
import Wire

@Suite struct RouterHeaderCheckTests {
    private typealias Verdict = RouterHeaderCheck.Verdict

    private let memory = GuardedBytes(capacity: 4096)

    private func check(_ bytes: [UInt8]) -> RouterHeaderCheck.Finding {
        let frame = memory.place(bytes)
        return RouterHeaderCheck.check(frame, ParsedFrame(UnsafeRawPointer(frame), bytes.count))
    }

    private func v4(_ options: [UInt8] = []) -> FrameSpec {
        var spec = FrameSpec()
        spec.l4 = .udp
        spec.options = options
        while spec.options.count % 4 != 0 { spec.options.append(0) }
        spec.payload = [1, 2, 3]
        return spec
    }

    private func v6(_ extensions: [(UInt8, [UInt8])] = []) -> FrameSpec {
        var spec = v4()
        spec.isIPv6 = true
        spec.sourceAddress = [0x20, 1] + [UInt8](repeating: 1, count: 14)
        spec.destinationAddress = [0x20, 1] + [UInt8](repeating: 2, count: 14)
        spec.extensions = extensions.map { (number: $0.0, bytes: $0.1) }
        return spec
    }

    /// A hop-by-hop header with these options, which fill it.
    private func hopByHop(_ options: [UInt8]) -> (UInt8, [UInt8]) {
        (IPProtocol.hopByHop, [0, UInt8((options.count - 6) / 8)] + options)
    }

    /// RFC 1812 §5.2.2.
    @Test func validation() {
        var random = SplitMix(161)
        for _ in 0..<300 {
            var spec = FrameSpec.random(&random, length: random.below(40))
            spec.options = []
            spec.extensions = []
            spec.padding = random.bytes(random.pick([0, 5]))
            #expect(check(spec.bytes).verdict == .fine)
        }
        let good = v4().bytes
        for count in 14..<34 { #expect(check(Array(good[..<count])).verdict == .truncated) }
        for count in 34..<good.count { #expect(check(Array(good[..<count])).verdict == .totalLength) }
        let changes: [(Int, UInt8, Verdict)] = [
            (14, 0x65, .version), (14, 0x05, .version), (14, 0x44, .headerLength), (14, 0x4F, .headerLength),
            (17, 19, .headerLength), (17, 200, .totalLength), (24, ~good[24], .checksum), (22, 63, .checksum),
        ]
        for (at, value, verdict) in changes {
            var bytes = good
            bytes[at] = value
            #expect(check(bytes).verdict == verdict, "byte \(at) is \(value)")
        }
        // Any single bit of the header: version, lengths, or else the checksum notices.
        for bit in 0..<160 {
            var bytes = good
            bytes[14 + bit / 8] ^= 1 << UInt8(bit % 8)
            #expect([.version, .headerLength, .totalLength, .checksum].contains(check(bytes).verdict), "bit \(bit)")
        }
    }

    @Test func validationOfIPv6() {
        let good = v6().bytes
        #expect(check(good).verdict == .fine)
        for count in 14..<54 { #expect(check(Array(good[..<count])).verdict == .truncated) }
        for count in 54..<good.count { #expect(check(Array(good[..<count])).verdict == .totalLength) }
        var bytes = good
        bytes[14] = 0x45
        #expect(check(bytes).verdict == .version)
    }

    /// RFC 7126 §4.3 and §4.4, RFC 2113.
    @Test func options() {
        let cases: [([UInt8], Verdict, Int)] = [
            ([1, 1, 1, 1], .fine, 0), ([0, 131, 0, 0], .fine, 0), ([7, 7, 4, 0, 0, 0, 0, 0], .fine, 0),
            ([131, 7, 4, 10, 0, 0, 9, 0], .sourceRoute, 20), ([137, 3, 4, 0], .sourceRoute, 20),
            ([1, 1, 131, 2], .sourceRoute, 22), ([148, 4, 0, 0], .routerAlert, 20),
            ([1, 148, 4, 0, 0, 0, 0, 0], .routerAlert, 21), ([148, 4, 0, 0, 137, 3, 4, 0], .sourceRoute, 24),
            ([148, 4, 0, 0, 7, 1, 4, 0], .badOption, 24), ([7, 0, 0, 0], .badOption, 20),
            ([7, 5, 0, 0], .badOption, 20), ([1, 1, 1, 7], .badOption, 23), ([131, 9, 4, 0], .badOption, 20),
            ([68, 4, 5, 0], .fine, 0), ([130, 3, 0, 1], .fine, 0),
        ]
        for (options, verdict, at) in cases {
            let finding = check(v4(options).bytes)
            #expect(finding.verdict == verdict && Int(finding.offset) == at, "\(options)")
        }
        // A wrong checksum is found first.
        var bytes = v4([131, 3, 4, 0]).bytes
        bytes[24] ^= 1
        #expect(check(bytes).verdict == .checksum)
    }

    /// RFC 8200 §4.2: what each unknown option asks for.
    @Test func unknownOptions() {
        for type in UInt8.min...UInt8.max where ![0, 1, 5].contains(type) {
            let finding = check(v6([hopByHop([1, 0, type, 2, 0, 0])]).bytes)
            let verdicts: [Verdict] = [
                .fine, .unknownOptionDiscard, .unknownOptionAnswer, .unknownOptionAnswerUnicast,
            ]
            let expected = verdicts[Int(type >> 6)]
            #expect(finding.verdict == expected && finding.offset == (expected == .fine ? 0 : 44), "\(type)")
            // In destination options it is nobody's business on the way.
            #expect(check(v6([(IPProtocol.destinationOptions, [0, 0, type, 4, 0, 0, 0, 0])]).bytes).verdict == .fine)
        }
    }

    @Test func hopByHopOptions() {
        let cases: [([UInt8], Verdict, Int)] = [
            ([1, 4, 0, 0, 0, 0], .fine, 0), ([0, 0, 0, 0, 0, 0], .fine, 0), ([5, 2, 0, 0, 1, 0], .routerAlert, 42),
            ([0, 0, 5, 2, 0, 0], .routerAlert, 44), ([5, 1, 0, 1, 1, 0], .badOption, 42),
            ([5, 3, 0, 0, 0, 0], .badOption, 42), ([1, 5, 0, 0, 0, 0], .badOption, 42),
            ([0, 0, 0, 0, 0, 30], .badOption, 47), ([0, 0, 0, 30, 2, 0], .badOption, 45),
            ([5, 2, 0, 0, 0xC2, 0], .unknownOptionAnswerUnicast, 46),
            // More padding, or more options, than anybody needs.
            ([1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], .extensionHeaders, 42),
            ([1, 5, 0, 0, 0, 0, 0, 30, 5] + [0, 0, 0, 0, 0], .fine, 0),
            ([UInt8](repeating: 0, count: 14), .extensionHeaders, 49),
            ((0..<8).flatMap { [UInt8(30 + $0), 0] } + [1, 4, 0, 0, 0, 0], .fine, 0),
            ((0..<9).flatMap { [UInt8(30 + $0), 0] } + [1, 2, 0, 0], .extensionHeaders, 58),
        ]
        for (options, verdict, at) in cases {
            let finding = check(v6([hopByHop(options)]).bytes)
            #expect(finding.verdict == verdict && Int(finding.offset) == at, "\(options): \(finding)")
        }
    }

    /// RFC 5095 §3, wherever in the chain it stands.
    @Test func routingHeaders() {
        let type0: (UInt8, [UInt8]) = (IPProtocol.routing, [0, 2, 0, 1] + [UInt8](repeating: 0, count: 20))
        #expect(check(v6([type0]).bytes) == check(v6([type0, type0]).bytes))
        #expect(check(v6([type0]).bytes).verdict == .routingHeader0 && check(v6([type0]).bytes).offset == 40)
        let spent: (UInt8, [UInt8]) = (IPProtocol.routing, [0, 0, 0, 0, 0, 0, 0, 0])
        #expect(check(v6([spent]).bytes).verdict == .routingHeader0)
        for type in 1...UInt8.max {
            #expect(check(v6([(IPProtocol.routing, [0, 0, type, 1, 0, 0, 0, 0])]).bytes).verdict == .fine)
        }
        let before: [(UInt8, [UInt8])] = [
            hopByHop([5, 2, 0, 0, 1, 0]), (IPProtocol.destinationOptions, [0, 1] + [UInt8](repeating: 0, count: 14)),
            (IPProtocol.authentication, [0, 2] + [UInt8](repeating: 0, count: 14)),
            (IPProtocol.fragment, [0, 0, 0, 1, 0, 0, 0, 9]),
        ]
        for count in 0...before.count {
            let chain = Array(before[..<count])
            #expect(check(v6(chain + [type0]).bytes).verdict == .routingHeader0)
            #expect(check(v6(chain).bytes).verdict == (count == 0 ? .fine : .routerAlert))
        }
        // Behind the header of a later fragment there is payload, whatever it looks like.
        let later: (UInt8, [UInt8]) = (IPProtocol.fragment, [0, 0, 0, 8, 0, 0, 0, 9])
        #expect(check(v6([later, type0]).bytes).verdict == .fine)
    }

    @Test func brokenChains() {
        for number in [IPProtocol.hopByHop, IPProtocol.destinationOptions, IPProtocol.authentication] {
            #expect(check(v6([(number, [0, 200, 1, 4, 0, 0, 0, 0])]).bytes).verdict == .extensionHeaders)
        }
        let option: (UInt8, [UInt8]) = (IPProtocol.destinationOptions, [0, 0, 1, 4, 0, 0, 0, 0])
        for count in 0...12 {
            let chain = [(UInt8, [UInt8])](repeating: option, count: count)
            #expect(check(v6(chain).bytes).verdict == (count <= 8 ? .fine : .extensionHeaders))
        }
        var spec = v6()
        spec.l4 = .other(IPProtocol.hopByHop)
        for length in 0..<8 {
            spec.payload = [UInt8](repeating: 0, count: length)
            #expect(check(spec.bytes).verdict == .extensionHeaders)
        }
    }

    @Test func hostile() {
        var random = SplitMix(162)
        var seen = Set<Verdict>()
        for round in 0..<60_000 {
            var spec = FrameSpec.random(&random, length: random.below(20))
            if round % 2 == 0 {
                spec.extensions = spec.isIPv6 ? [hopByHop(random.bytes(6 + 8 * random.below(3)))] : []
                if random.chance(2), spec.isIPv6 {
                    spec.extensions[0].bytes.replaceSubrange(
                        2..<4,
                        with: [random.pick([0, 1, 5]), random.pick([0, 2, 4])]
                    )
                }
            }
            var bytes = spec.bytes
            for _ in 0..<random.below(3) { bytes[14 + random.below(bytes.count - 14)] = random.byte() }
            if random.chance(8) { bytes.removeLast(random.below(bytes.count - 14)) }
            let finding = check(bytes)
            seen.insert(finding.verdict)
            let frame = ParsedFrame(memory.place(bytes), bytes.count)
            if frame.isIP, frame.networkOffset + Int(finding.offset) >= frame.endOffset {
                Issue.record("\(finding) of \(bytes)")
            }
        }
        #expect(Set(Verdict.allCases).subtracting(seen).isEmpty)
    }
}
