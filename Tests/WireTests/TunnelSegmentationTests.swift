import Testing
import Wire

/// Super-frames of datagrams, as IPIP, SIT and IP in GRE carry them, and GRE's own checksum.
@Suite struct TunnelSegmentationTests {
    /// A GRE header of the given length, see `GREHeader.write`; 16 bytes have a sequence number.
    private func gre(_ length: Int, hasChecksum: Bool, type: UInt16, _ random: inout SplitMix) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xEE, count: 12)
        let hasKey = length - (hasChecksum ? 4 : 0) > 4
        let written = bytes.withUnsafeMutableBytes {
            GREHeader.write(
                to: $0.baseAddress!,
                protocolType: type,
                key: UInt32(truncatingIfNeeded: random.next()),
                hasKey: hasKey,
                hasChecksum: hasChecksum
            )
        }
        #expect(written == GREHeader.length(hasKey: hasKey, hasChecksum: hasChecksum))
        bytes.removeLast(12 - written)
        if length > written {
            bytes[0] |= 0x10
            bytes += random.bytes(length - written)
        }
        #expect(bytes.count == length)
        return bytes
    }

    /// Any prefix that a tunnel may put in front, with and without an outer header, against segments built one by one.
    @Test func matchesTheSlowTwin() {
        var random = SplitMix(171)
        for round in 0..<400 {
            let length = round % 20 == 0 ? 30_000 + random.below(34_000) : random.below(6_000)
            var spec = FrameSpec.random(&random, length: length)
            spec.isDatagram = !random.chance(5)
            if spec.isDatagram { spec.tags = [] }
            let type = spec.isDatagram ? spec.etherType : EtherType.transparentEthernet
            let outer = random.bytes(random.pick([0, 0, 20, 40, 3]))
            let header = random.pick([(0, false), (4, false), (8, false), (8, true), (12, true), (16, true)])
            spec.prefix =
                outer + (header.0 == 0 ? [] : gre(header.0, hasChecksum: header.1, type: type, &random))
            if header.1 { spec.gre = outer.count }
            spec.padding = random.bytes(random.pick([0, 0, 4]))
            spec.checksum = .partial
            var size = random.pick([1460, 1436, 536, 100 + random.below(2_000), length + 1])
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

    private func example(_ l4: FrameSpec.L4 = .tcp(sequence: 0xFFFF_FF00, flags: 0x19, options: [1, 1, 1, 1]))
        -> FrameSpec
    {
        var spec = FrameSpec()
        spec.isDatagram = true
        spec.l4 = l4
        spec.payload = (0..<3_001).map { UInt8(truncatingIfNeeded: $0) }
        spec.checksum = .partial
        return spec
    }

    /// Identifications, flags and lengths by name, and what a receiver of GRE verifies.
    @Test func numbersFlagsAndChecksums() throws {
        var random = SplitMix(172)
        for length in [8, 12] {
            var spec = example()
            spec.prefix = gre(length, hasChecksum: true, type: EtherType.ipv4, &random)
            spec.gre = 0
            let segments = try #require(SuperFrame(spec, size: 1_000).segments())
            #expect(segments.map(\.count) == [1_000, 1_000, 1_000, 1].map { $0 + length + 44 })
            #expect(segments.map { Array($0[length + 4..<length + 6]) } == (0..<4).map { be(0x1234 + UInt16($0)) })
            #expect(segments.map { $0[length + 33] } == [0x10, 0x10, 0x10, 0x19])
            for segment in segments {
                segment.withUnsafeBytes {
                    let header = GREHeader.parse($0.baseAddress!, $0.count)
                    #expect(header.problem == .none && header.length == length && header.hasChecksum)
                    #expect(header.checksumIsValid($0.baseAddress!, $0.count))
                    let parsed = ParsedFrame(
                        datagram: $0.baseAddress! + length,
                        $0.count - length,
                        etherType: EtherType.ipv4
                    )
                    #expect(parsed.has(.transportHeader) && parsed.endOffset == $0.count - length)
                }
            }
        }
    }

    @Test func refusals() {
        var random = SplitMix(173)
        var spec = example()
        spec.prefix = gre(8, hasChecksum: true, type: EtherType.ipv4, &random)
        spec.gre = 0
        let good = SuperFrame(spec, size: 1_000)
        #expect(good.segments() != nil)
        let changes: [(String, (inout SuperFrame) -> Void)] = [
            ("type of the other family", { $0.networkType = EtherType.ipv6 }),
            ("type of nothing with IP", { $0.networkType = EtherType.arp }),
            ("an Ethernet header", { $0.networkType = 0 }),
            ("a tag", { $0.networkType = EtherType.vlan }),
            ("no GRE before the field", { $0.greChecksumOffset = 3 }), ("negative", { $0.greChecksumOffset = -2 }),
            ("a field in the inner header", { $0.greChecksumOffset = 7 }), ("far", { $0.greChecksumOffset = .max }),
            ("least", { $0.greChecksumOffset = .min }), ("cut", { $0.bytes.removeLast() }),
            ("version", { $0.bytes[8] = 0x65 }), ("fragment", { $0.bytes[14] = 0x20 }),
            ("protocol", { $0.bytes[17] = 47 }), ("prefix", { $0.prefixLength = 4 }),
        ]
        for (name, change) in changes {
            var frame = good
            change(&frame)
            #expect(frame.segments() == nil, "\(name)")
        }
        var last = good
        last.greChecksumOffset = 6
        #expect(last.segments() != nil)
        // An Ethernet frame is no datagram.
        var ethernet = SuperFrame(FrameSpec(), size: 1_000)
        ethernet.networkType = EtherType.ipv4
        #expect(ethernet.segments() == nil)
    }

    @Test func hostile() {
        var random = SplitMix(174)
        var accepted = 0
        for _ in 0..<20_000 {
            var spec = FrameSpec.random(&random, length: random.below(300))
            spec.isDatagram = true
            spec.tags = []
            spec.prefix = random.bytes(random.pick([0, 4, 8, 12, 16]))
            var frame = SuperFrame(spec, size: 8 + random.below(100), cut: random.below(120))
            for _ in 0..<random.below(3) { frame.bytes[random.below(frame.bytes.count)] = random.byte() }
            switch random.below(6) {
            case 0: frame.greChecksumOffset = random.below(24) - 2
            case 1: frame.networkType = random.pick([0, EtherType.ipv4, EtherType.ipv6, random.word()])
            case 2: frame.prefixLength = random.below(40)
            case 3: frame.bytes.removeLast(random.below(frame.bytes.count))
            default: break
            }
            if frame.segments() != nil { accepted += 1 }
        }
        #expect(accepted > 1_000)
    }

    /// Header and payload in every cut, odd ones included, against the sum over the whole.
    @Test func checksumOverTwoRegions() {
        var random = SplitMix(175)
        for _ in 0..<20 {
            var header = gre(random.pick([8, 12, 16]), hasChecksum: true, type: EtherType.ipv6, &random)
            let payload = random.bytes(random.below(70))
            var expected = header
            expected.replaceSubrange(4..<6, with: be(~slowSum(header + payload)))
            for cut in 0...payload.count {
                header.replaceSubrange(4..<6, with: random.bytes(2))
                let first = GuardedBytes(capacity: 128)
                let second = GuardedBytes(capacity: 128)
                let (head, rest) = (first.place(payload[..<cut]), second.place(payload[cut...]))
                let length = header.count
                header.withUnsafeMutableBytes {
                    GREHeader.writeChecksum(
                        header: $0.baseAddress!,
                        length: length,
                        payload: head,
                        cut,
                        rest: rest,
                        payload.count - cut
                    )
                }
                #expect(header == expected, "cut at \(cut)")
            }
        }
    }

    @Test func writesEveryHeader() {
        var bytes = [UInt8](repeating: 0xEE, count: 13)
        let write = { (bytes: inout [UInt8], hasKey: Bool, hasChecksum: Bool) -> Int in
            bytes.withUnsafeMutableBytes {
                GREHeader.write(
                    to: $0.baseAddress!,
                    protocolType: 0x86DD,
                    key: 0x0102_0304,
                    hasKey: hasKey,
                    hasChecksum: hasChecksum
                )
            }
        }
        #expect(write(&bytes, false, false) == 4 && bytes[..<5] == [0, 0, 0x86, 0xDD, 0xEE])
        #expect(write(&bytes, true, false) == 8 && bytes[..<9] == [0x20, 0, 0x86, 0xDD, 1, 2, 3, 4, 0xEE])
        #expect(write(&bytes, false, true) == 8 && bytes[..<9] == [0x80, 0, 0x86, 0xDD, 0, 0, 0, 0, 0xEE])
        #expect(write(&bytes, true, true) == 12 && bytes == [0xA0, 0, 0x86, 0xDD, 0, 0, 0, 0, 1, 2, 3, 4, 0xEE])
    }
}
