import Testing
import Wire

@Suite struct ParsedFrameTests {
    private let memory = GuardedBytes(capacity: 4096)

    private func parse(_ bytes: [UInt8]) -> ParsedFrame {
        ParsedFrame(UnsafeRawPointer(memory.place(bytes)), bytes.count)
    }

    @Test func readsWhatWasWritten() {
        var random = SplitMix(41)
        for round in 0..<1_500 {
            var spec = FrameSpec.random(&random, length: random.below(200))
            spec.padding = random.bytes(random.pick([0, 0, 1, 30]))
            let bytes = spec.bytes
            let parsed = parse(bytes)
            let right =
                parsed.isEthernet && parsed.destination == spec.destination && parsed.source == spec.source
                && Int(parsed.tagCount) == spec.tags.count && parsed.isIPv6 == spec.isIPv6
                && parsed.isIPv4 == !spec.isIPv6 && parsed.tos == spec.tos && parsed.ttl == spec.ttl
                && parsed.protocol == spec.number && parsed.networkOffset == spec.networkOffset
                && parsed.has([.transport, .ports, .transportHeader]) && parsed.transportOffset == spec.transportOffset
                && parsed.payloadOffset == spec.payloadOffset && parsed.sourcePort == spec.ports.0
                && parsed.destinationPort == spec.ports.1 && parsed.endOffset == bytes.count - spec.padding.count
                && parsed.flags.isDisjoint(with: [.fragment, .cutShort, .malformed])
            if !right { Issue.record("round \(round): \(parsed)") }
            if let first = spec.tags.first {
                #expect(parsed.outerTagType == first.type && parsed.outerTag == first.tag)
                #expect(parsed.outerVID == first.tag & 0xFFF)
            }
            if spec.tags.count == 2 {
                #expect(parsed.innerTagType == spec.tags[1].type && parsed.innerTag == spec.tags[1].tag)
            }
        }
    }

    /// A sample of everything that has a header of its own.
    private func samples() -> [[UInt8]] {
        var random = SplitMix(42)
        var samples: [[UInt8]] = []
        let stacks: [[(type: UInt16, tag: UInt16)]] = [
            [], [(EtherType.vlan, 10)], [(EtherType.serviceVLAN, 5), (EtherType.vlan, 4095)],
        ]
        for isIPv6 in [false, true] {
            for tags in stacks {
                for l4 in [
                    FrameSpec.L4.udp, .tcp(sequence: 9, flags: 0x18, options: random.bytes(12)), .other(132), .other(4),
                ] {
                    var spec = FrameSpec()
                    spec.isIPv6 = isIPv6
                    spec.sourceAddress = random.bytes(isIPv6 ? 16 : 4)
                    spec.destinationAddress = random.bytes(isIPv6 ? 16 : 4)
                    spec.tags = tags
                    spec.l4 = l4
                    spec.payload = random.bytes(12)
                    if isIPv6 {
                        spec.extensions = [
                            (IPProtocol.hopByHop, [0, 0] + random.bytes(6)),
                            (IPProtocol.routing, [0, 0, 0, 1, 0, 0, 0, 0]),
                            (IPProtocol.authentication, [0, 2] + random.bytes(14)),
                            (IPProtocol.fragment, [0, 0, 0, 1, 0, 0, 0, 7]),
                            (IPProtocol.destinationOptions, [0, 1] + random.bytes(14)),
                        ]
                    } else {
                        spec.options = random.bytes(8)
                    }
                    samples.append(spec.bytes)
                }
            }
        }
        let tagged = samples[4]
        samples.append(
            Array(tagged[..<16]) + be(EtherType.vlan) + [0, 1] + be(EtherType.vlan) + [0, 2] + tagged[14...]
        )
        samples.append(random.bytes(12) + be(EtherType.arp) + random.bytes(28))
        return samples
    }

    @Test func everyTruncation() {
        for (i, sample) in samples().enumerated() {
            for count in 0...sample.count {
                let bytes = Array(sample[..<count])
                let parsed = parse(bytes)
                if parsed.described(count: count) != SlowParser.parse(bytes) {
                    Issue.record(
                        "sample \(i), \(count) bytes: \(parsed.described(count: count)), \(SlowParser.parse(bytes))"
                    )
                }
                exerciseEverything(bytes, memory)
            }
        }
    }

    /// Samples with bytes flipped: most stay plausible up to the byte that matters.
    @Test func everyByteReplaced() {
        for (i, sample) in samples().enumerated() {
            for at in 12..<sample.count {
                for value: UInt8 in [0x00, 0x01, 0x0F, 0x2C, 0x7F, 0xFF] {
                    var bytes = sample
                    bytes[at] = value
                    if parse(bytes).described(count: bytes.count) != SlowParser.parse(bytes) {
                        Issue.record("sample \(i), byte \(at) is \(value)")
                    }
                }
            }
        }
    }

    /// A hundred thousand strings, from pure noise to frames with some noise in them.
    @Test func randomBytes() {
        var random = SplitMix(43)
        let samples = samples()
        for round in 0..<100_000 {
            var bytes: [UInt8]
            switch round % 4 {
            case 0:
                bytes = random.bytes(random.below(120))
            case 1:
                // Noise behind a header that makes the parser go on.
                bytes = random.bytes(14 + random.below(120))
                let isIPv6 = random.chance(2)
                bytes.replaceSubrange(12..<14, with: be(isIPv6 ? EtherType.ipv6 : EtherType.ipv4))
                if bytes.count > 14 { bytes[14] = isIPv6 ? 0x60 | bytes[14] & 15 : 0x45 + UInt8(random.below(3)) }
                if isIPv6, bytes.count > 20 { bytes[20] = random.pick([0, 6, 17, 43, 44, 51, 60, 59]) }
            default:
                bytes = random.pick(samples)
                for _ in 0..<random.below(4) {
                    bytes[random.below(bytes.count)] = random.pick([0, 0xFF, random.byte()])
                }
                if random.chance(4) { bytes.removeLast(random.below(bytes.count + 1)) }
            }
            // The slow parser is what takes the time.
            if round % 8 == 3, parse(bytes).described(count: bytes.count) != SlowParser.parse(bytes) {
                Issue.record("round \(round): \(bytes)")
                return
            }
            exerciseEverything(bytes, memory)
        }
    }

    /// Eight extension headers are walked, the ninth is not.
    @Test func boundedExtensionHeaders() {
        for count in 0...12 {
            var spec = FrameSpec()
            spec.isIPv6 = true
            spec.sourceAddress = [UInt8](repeating: 1, count: 16)
            spec.destinationAddress = [UInt8](repeating: 2, count: 16)
            spec.extensions = (0..<count).map { _ in (IPProtocol.destinationOptions, [0, 0, 1, 4, 0, 0, 0, 0]) }
            spec.l4 = .udp
            let parsed = parse(spec.bytes)
            #expect(parsed.has(.ports) == (count <= 8) && parsed.has(.malformed) == (count > 8))
        }
    }

    @Test func fragments() {
        var spec = FrameSpec()
        spec.l4 = .udp
        spec.payload = [UInt8](repeating: 7, count: 32)
        let cases: [(UInt16, Bool, Bool, UInt16)] = [
            (0x4000, false, false, 0), (0x2000, true, false, 0), (0x2003, true, true, 24), (0x1FFF, true, true, 65_528),
            (0x8000, false, false, 0),
        ]
        for (field, fragment, later, offset) in cases {
            spec.fragmentField = field
            let parsed = parse(spec.bytes)
            #expect(parsed.has(.fragment) == fragment && parsed.has(.laterFragment) == later)
            #expect(parsed.fragmentOffset == offset && parsed.has(.ports) == !later)
        }
        // An atomic fragment is a whole datagram with a fragment header (RFC 6946).
        spec.isIPv6 = true
        spec.sourceAddress = [UInt8](repeating: 1, count: 16)
        spec.destinationAddress = [UInt8](repeating: 2, count: 16)
        for (field, fragment, later) in [(UInt8(0), false, false), (1, true, false), (0x88, true, true)] {
            spec.extensions = [(IPProtocol.fragment, [0, 0, 0, field, 0, 0, 0, 9])]
            let parsed = parse(spec.bytes)
            #expect(parsed.has(.fragmentHeader) && parsed.has(.fragment) == fragment && parsed.has(.ports) == !later)
            #expect(parsed.fragmentOffset == UInt16(field & 0xF8) && parsed.protocol == IPProtocol.udp)
        }
    }

    /// The same headers with and without a link layer.
    @Test func bareDatagrams() {
        var random = SplitMix(44)
        for _ in 0..<200 {
            var spec = FrameSpec.random(&random, length: 20)
            spec.tags = []
            let bytes = spec.bytes
            let whole = parse(bytes)
            let bare = ParsedFrame(
                datagram: UnsafeRawPointer(memory.place(bytes.dropFirst(14))),
                bytes.count - 14,
                etherType: whole.etherType
            )
            #expect(!bare.isEthernet && bare.isIP && bare.networkOffset == 0)
            #expect(
                bare.transportOffset == whole.transportOffset - 14 && bare.payloadOffset == whole.payloadOffset - 14
            )
            #expect(bare.endOffset == whole.endOffset - 14 && bare.sourcePort == whole.sourcePort)
            #expect(bare.protocol == whole.protocol && bare.tos == whole.tos)
        }
    }
}

/// Runs all of the module over bytes that may be anything, in memory whose end is guarded, and holds up what must be
/// true of any of them.
func exerciseEverything(_ bytes: [UInt8], _ memory: GuardedBytes) {
    let count = bytes.count
    let frame = memory.place(bytes)
    let parsed = ParsedFrame(UnsafeRawPointer(frame), count)
    let ordered =
        parsed.networkOffset <= count && parsed.endOffset <= count
        && (!parsed.isIP || parsed.networkOffset + 20 <= parsed.endOffset)
        && (!parsed.has(.transport) || parsed.transportOffset <= parsed.endOffset)
        && (!parsed.has(.transportHeader) || parsed.payloadOffset <= parsed.endOffset)
    if !ordered { Issue.record("offsets out of order: \(parsed) of \(bytes)") }
    _ = FlowHash.hash(frame, parsed, seed: 1)
    if let position = PartialChecksum.detect(frame, parsed) {
        let end = Int(position.start) + Int(position.offset) + 2
        if end > count { Issue.record("checksum field at \(position) of \(bytes)") }
    }
    _ = SegmentationKind.size(parsed, mtu: 1450)
    _ = SegmentationKind.of(parsed)
    _ = ICMPError.mayAnswer(frame, parsed: parsed, linkDestinationIsGroup: false, isTooBigOrParameter2: true)
    _ = RouterHeaderCheck.check(frame, parsed)
    _ = ARPPacket(frame, parsed)
    _ = NeighborDiscovery.parse(frame, parsed)
    if EchoReply.isRequest(frame, parsed) { _ = EchoReply.checksumIsValid(frame, parsed) }
    ECN.set(ECN.ce, frame: frame, parsed: parsed)
    _ = VXLANHeader(frame, count)
    _ = GREHeader.parse(frame, count).checksumIsValid(frame, count)
    _ = PartialChecksum.complete(frame, count, start: count / 2, offset: 6)
}
