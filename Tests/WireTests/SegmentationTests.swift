import Testing
import Wire

@Suite struct SegmentationTests {
    /// Sizes, options, families, tags and prefixes at random, against segments built one by one.
    @Test func matchesTheSlowTwin() {
        var random = SplitMix(71)
        for round in 0..<400 {
            let length = round % 20 == 0 ? 30_000 + random.below(34_000) : random.below(6_000)
            var spec = FrameSpec.random(&random, length: length)
            spec.prefix = random.bytes(random.pick([0, 8, 8, 12]))
            spec.padding = random.bytes(random.pick([0, 0, 4]))
            spec.checksum = .partial
            var size = random.pick([1448, 1398, 536, 100 + random.below(2_000), length + 1])
            if case .udp = spec.l4 { size = max(size, length / 128 + 1) }
            var frame = SuperFrame(spec, size: size, cut: random.below(spec.payloadOffset + 1))
            let ecn = random.chance(2)
            if case .tcp = spec.l4, ecn { frame.gsoType |= SegmentationKind.ecnFlag }
            if random.chance(4) { frame.checksumStart = 0 }
            let expected = spec.slowSegments(size: size, ecn: ecn)
            guard let segments = frame.segments() else {
                Issue.record("round \(round) is refused")
                continue
            }
            if segments != expected {
                let at = zip(segments, expected).enumerated().first { $1.0 != $1.1 }?.offset
                Issue.record("round \(round): \(segments.count) of \(expected.count), first wrong one \(at ?? -1)")
            }
        }
    }

    /// What a receiver checks, without the twin: lengths, checksums, the bytes in their order.
    @Test func receiverAcceptsEverySegment() {
        var random = SplitMix(72)
        for _ in 0..<60 {
            var spec = FrameSpec.random(&random, length: 1 + random.below(9_000))
            spec.checksum = .partial
            let size = 200 + random.below(1_400)
            guard let segments = SuperFrame(spec, size: size).segments() else {
                Issue.record("refused")
                continue
            }
            var payload: [UInt8] = []
            for segment in segments {
                segment.withUnsafeBytes { buffer in
                    let bytes = buffer.baseAddress!
                    let parsed = ParsedFrame(bytes, buffer.count)
                    #expect(parsed.endOffset == buffer.count && parsed.flags.isDisjoint(with: [.cutShort, .malformed]))
                    if parsed.isIPv4 {
                        #expect(
                            Checksum.isValid(ipv4Header: bytes + parsed.networkOffset, length: 20 + spec.options.count)
                        )
                    }
                    let length = parsed.endOffset - parsed.transportOffset
                    let pseudo = slowSum(
                        spec.sourceAddress + spec.destinationAddress + [0, parsed.protocol] + be(UInt16(length))
                    )
                    #expect(slowSum(Array(segment[parsed.transportOffset...]), pseudo) == 0xFFFF)
                    #expect(PartialChecksum.detect(bytes, parsed) == nil)
                    payload += segment[parsed.payloadOffset...]
                }
            }
            #expect(payload == spec.payload)
        }
    }

    private func example(_ l4: FrameSpec.L4 = .tcp(sequence: 0xFFFF_FF00, flags: 0x99, options: [1, 1, 1, 1]))
        -> FrameSpec
    {
        var spec = FrameSpec()
        spec.l4 = l4
        spec.payload = (0..<3_000).map { UInt8(truncatingIfNeeded: $0) }
        spec.checksum = .partial
        return spec
    }

    @Test func numbersAndFlags() throws {
        let spec = example()
        var frame = SuperFrame(spec, size: 1_000)
        frame.gsoType |= SegmentationKind.ecnFlag
        let segments = try #require(frame.segments())
        let tcp = spec.transportOffset
        #expect(segments.map { $0[tcp + 13] } == [0x90, 0x10, 0x19])
        #expect(
            segments.map { Array($0[tcp + 4..<tcp + 8]) } == [
                be(0xFFFF_FF00 as UInt32), be(0x2E8 as UInt32), be(0x6D0 as UInt32),
            ]
        )
        #expect(segments.map { Array($0[18..<20]) } == [0x1234, 0x1235, 0x1236].map { be(UInt16($0)) })
        // Without the flag CWR is a bit like any other: accurate ECN counts with it.
        frame.gsoType = SegmentationKind.tcpv4
        #expect(try #require(frame.segments()).map { $0[tcp + 13] } == [0x90, 0x90, 0x99])
    }

    @Test func oneSegmentAndNoPayload() throws {
        var spec = example()
        spec.payload = []
        #expect(try #require(SuperFrame(spec, size: 1_000).segments()) == spec.slowSegments(size: 1_000, ecn: false))
        spec.payload = [1]
        #expect(try #require(SuperFrame(spec, size: 1_000).segments()) == spec.slowSegments(size: 1_000, ecn: false))
    }

    /// The last and largest headers that fit, and the first that do not.
    @Test func headerCapacity() throws {
        var spec = example(.tcp(sequence: 5, flags: 0x10, options: [UInt8](repeating: 1, count: 40)))
        spec.isIPv6 = true
        spec.sourceAddress = [UInt8](repeating: 1, count: 16)
        spec.destinationAddress = [UInt8](repeating: 2, count: 16)
        for units in 0..<20 {
            spec.extensions = [
                (IPProtocol.destinationOptions, [0, UInt8(units)] + [UInt8](repeating: 0, count: 6 + 8 * units))
            ]
            let segments = SuperFrame(spec, size: 1_000).segments()
            if spec.payloadOffset <= SegmentationPlan.headerCapacity {
                #expect(segments == spec.slowSegments(size: 1_000, ecn: false))
            } else {
                #expect(segments == nil)
            }
        }
    }

    @Test func refusals() {
        let good = SuperFrame(example(), size: 1_000)
        #expect(good.segments() != nil)
        let changes: [(String, (inout SuperFrame) -> Void)] = [
            ("size 0", { $0.gsoSize = 0 }), ("tiny TCP segments", { $0.gsoSize = 7 }),
            ("kind of the other family", { $0.gsoType = SegmentationKind.tcpv6 }),
            ("kind of the other protocol", { $0.gsoType = SegmentationKind.udp }), ("no kind", { $0.gsoType = 0 }),
            ("fragmentation offload", { $0.gsoType = 3 }), ("unknown bits", { $0.gsoType |= 0x20 }),
            ("checksum start", { $0.checksumStart += 1 }), ("checksum offset", { $0.checksumOffset = 6 }),
            ("prefix", { $0.prefixLength = 8 }), ("prefix behind the end", { $0.prefixLength = 1 << 40 }),
            ("negative prefix", { $0.prefixLength = -1 }), ("payload in the first region", { $0.cut = 59 }),
            ("no frame", { $0.bytes = [] }), ("headers cut", { $0.bytes.removeLast(3_004) }),
            ("payload cut", { $0.bytes.removeLast() }), ("version", { $0.bytes[14] = 0x65 }),
            ("total length", { $0.bytes[16] = 0xFF }), ("header length", { $0.bytes[14] = 0x44 }),
            ("first fragment", { $0.bytes[20] = 0x20 }), ("later fragment", { $0.bytes[21] = 1 }),
            ("protocol", { $0.bytes[23] = 1 }), ("TCP header length", { $0.bytes[46] = 0x40 }),
            ("EtherType", { $0.bytes[13] = 6 }),
        ]
        for (name, change) in changes {
            var frame = good
            change(&frame)
            #expect(frame.segments() == nil, "\(name)")
        }
        let udp = SuperFrame(example(.udp), size: 1_000)
        #expect(udp.segments() != nil)
        var wrongLength = udp
        wrongLength.bytes[39] ^= 1
        #expect(wrongLength.segments() == nil)
        #expect(
            SuperFrame(example(.udp), size: 23).segments() == nil
                && SuperFrame(example(.udp), size: 24).segments() != nil
        )
    }

    @Test func refusesHeadersThatForbidIt() {
        var spec = example(.udp)
        spec.isIPv6 = true
        spec.sourceAddress = [UInt8](repeating: 1, count: 16)
        spec.destinationAddress = [UInt8](repeating: 2, count: 16)
        let headers: [(UInt8, [UInt8], Bool)] = [
            (IPProtocol.hopByHop, [0, 0, 1, 4, 0, 0, 0, 0], true),
            (IPProtocol.routing, [0, 0, 4, 0, 0, 0, 0, 0], true),
            (IPProtocol.routing, [0, 0, 4, 1, 0, 0, 0, 0], false),
            (IPProtocol.fragment, [0, 0, 0, 0, 0, 0, 0, 1], false),
            (IPProtocol.authentication, [0, 4] + [UInt8](repeating: 0, count: 22), false),
        ]
        for (number, bytes, fine) in headers {
            spec.extensions = [(number, bytes)]
            #expect((SuperFrame(spec, size: 1_000).segments() != nil) == fine, "\(number)")
        }
    }

    /// Frames and arguments with noise in them: refused, or cut without touching a byte outside.
    @Test func hostile() {
        var random = SplitMix(73)
        var accepted = 0
        for _ in 0..<20_000 {
            let spec = FrameSpec.random(&random, length: random.below(300))
            var frame = SuperFrame(spec, size: 1 + random.below(100), cut: random.below(120))
            for _ in 0..<random.below(4) { frame.bytes[random.below(frame.bytes.count)] = random.byte() }
            switch random.below(8) {
            case 0: frame.gsoType = random.byte()
            case 1: frame.gsoSize = random.word()
            case 2: frame.checksumStart = random.below(1 << 16)
            case 3: frame.prefixLength = random.below(40)
            case 4: frame.bytes.removeLast(random.below(frame.bytes.count))
            default: break
            }
            if frame.segments() != nil { accepted += 1 }
        }
        #expect(accepted > 1_000)
    }

    @Test func sizeForAnMTU() {
        var spec = example(.tcp(sequence: 1, flags: 0x10, options: [UInt8](repeating: 1, count: 12)))
        let bytes = spec.bytes
        bytes.withUnsafeBytes {
            let parsed = ParsedFrame($0.baseAddress!, $0.count)
            #expect(SegmentationKind.of(parsed) == SegmentationKind.tcpv4)
            #expect(SegmentationKind.size(parsed, mtu: 1_450) == 1_398)
            #expect(SegmentationKind.size(parsed, mtu: 52) == 0 && SegmentationKind.size(parsed, mtu: -1) == 0)
            #expect(SegmentationKind.size(parsed, mtu: 1 << 40) == 0xFFFF)
        }
        spec.l4 = .other(47)
        spec.bytes.withUnsafeBytes {
            let parsed = ParsedFrame($0.baseAddress!, $0.count)
            #expect(
                SegmentationKind.of(parsed) == SegmentationKind.none && SegmentationKind.size(parsed, mtu: 1_450) == 0
            )
        }
    }
}
