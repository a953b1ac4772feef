import Testing
import Wire

@Suite struct PartialChecksumTests {
    private func detect(_ bytes: [UInt8]) -> PartialChecksum.Position? {
        bytes.withUnsafeBytes {
            PartialChecksum.detect($0.baseAddress!, ParsedFrame($0.baseAddress!, $0.count))
        }
    }

    private func position(_ spec: FrameSpec) -> PartialChecksum.Position {
        PartialChecksum.Position(start: UInt16(spec.transportOffset), offset: spec.number == 6 ? 16 : 6)
    }

    @Test func detectsAndCompletes() {
        var random = SplitMix(61)
        for round in 0..<600 {
            var spec = FrameSpec.random(&random, length: random.below(1_500))
            let complete = spec.bytes
            spec.checksum = .partial
            var partial = spec.bytes
            guard detect(partial) == position(spec) else {
                Issue.record("round \(round): not detected")
                continue
            }
            // One in 65 536 complete ones looks like this, too. The seeds are fixed: none of these does.
            #expect(detect(complete) == nil, "round \(round)")
            let done = partial.withUnsafeMutableBytes {
                PartialChecksum.complete(
                    $0.baseAddress!,
                    $0.count,
                    start: spec.transportOffset,
                    offset: Int(position(spec).offset)
                )
            }
            #expect(done && partial == complete, "round \(round)")
        }
    }

    /// The frame cut in two at every byte: all alignments of the second region.
    @Test func twoRegions() {
        var random = SplitMix(62)
        for _ in 0..<20 {
            var spec = FrameSpec.random(&random, length: random.below(40))
            spec.prefix = random.bytes(random.pick([0, 8]))
            let complete = spec.bytes
            spec.checksum = .partial
            let partial = spec.bytes
            let start = spec.transportOffset
            let offset = Int(position(spec).offset)
            let expected = UInt16(complete[start + offset]) << 8 | UInt16(complete[start + offset + 1])
            for cut in 0...partial.count {
                let header = Array(partial[..<cut])
                let payload = Array(partial[cut...])
                let value = header.withUnsafeBytes { head in
                    payload.withUnsafeBytes { tail in
                        let none = UnsafeRawPointer(bitPattern: 64)!
                        return PartialChecksum.complete(
                            header: head.baseAddress ?? none,
                            cut,
                            payload: tail.baseAddress ?? none,
                            payload.count,
                            start: start,
                            offset: offset
                        )
                    }
                }
                #expect(value == expected, "cut at \(cut)")
            }
        }
    }

    @Test func refusesFieldsOutside() {
        var bytes = [UInt8](repeating: 1, count: 60)
        let before = bytes
        for (start, offset) in [(60, 0), (59, 0), (50, 9), (0, 59), (-1, 6), (6, -1), (.max, .max), (.max, 2), (61, 0)]
        {
            let done = bytes.withUnsafeMutableBytes {
                PartialChecksum.complete($0.baseAddress!, $0.count, start: start, offset: offset)
            }
            #expect(!done && bytes == before, "\(start) \(offset)")
        }
        #expect(bytes.withUnsafeMutableBytes { PartialChecksum.complete($0.baseAddress!, 60, start: 58, offset: 0) })
    }

    @Test func leavesOthersAlone() {
        var spec = FrameSpec()
        spec.l4 = .udp
        spec.payload = [1, 2, 3, 4]
        spec.checksum = .partial
        #expect(detect(spec.bytes) != nil)
        var fragment = spec
        fragment.fragmentField = 0x2000
        #expect(detect(fragment.bytes) == nil)
        var cut = spec.bytes
        cut.removeLast()
        #expect(detect(cut) == nil)
        // No checksum at all is nothing to finish.
        var none = spec.bytes
        none.replaceSubrange(spec.transportOffset + 6..<spec.transportOffset + 8, with: [0, 0])
        #expect(detect(none) == nil)
        // The length of UDP contradicts that of IP.
        var short = spec.bytes
        short[spec.transportOffset + 5] -= 1
        #expect(detect(short) == nil)
        var padded = spec
        padded.padding = [0, 0, 0]
        #expect(detect(padded.bytes) != nil)
        var icmp = spec
        icmp.l4 = .other(1)
        #expect(detect(icmp.bytes) == nil)
    }

    /// A pseudo-header whose sum is 0xFFFF: a kernel writes that, other senders may write 0.
    @Test func bothZeros() {
        var spec = FrameSpec()
        spec.payload = [1, 2, 3, 4]
        spec.checksum = .partial
        spec.sourceAddress = [0, 0, 0, 0]
        spec.destinationAddress = [0, 0] + be(~slowSum([0, 6] + be(UInt16(24))))
        var bytes = spec.bytes
        let field = spec.transportOffset + 16
        #expect(Array(bytes[field..<field + 2]) == [0xFF, 0xFF] && detect(bytes) == position(spec))
        bytes.replaceSubrange(field..<field + 2, with: [0, 0])
        #expect(detect(bytes) == position(spec))
    }

    /// A result of zero is written as 0xFFFF: zero would say that there is none.
    @Test func neverZero() {
        var bytes = [UInt8](repeating: 0, count: 20)
        bytes.replaceSubrange(0..<2, with: [0xFF, 0xFF])
        #expect(bytes.withUnsafeMutableBytes { PartialChecksum.complete($0.baseAddress!, 20, start: 0, offset: 6) })
        #expect(bytes[6] == 0xFF && bytes[7] == 0xFF)
    }
}
