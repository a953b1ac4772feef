import Testing
import Wire

@Suite struct ChecksumTests {
    private func sum(_ bytes: [UInt8], from offset: Int = 0) -> UInt16 {
        bytes.withUnsafeBytes { Checksum.fold(Checksum.sum($0.baseAddress! + offset, $0.count - offset)) }
    }

    /// RFC 1071 §3 adds these eight bytes up by hand.
    @Test func exampleOfTheRFC() {
        #expect(sum([0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7]) == 0xDDF2)
    }

    @Test func everyLengthAtEveryAlignment() {
        var random = SplitMix(1)
        let bytes = random.bytes(300)
        for offset in 0..<9 {
            for length in 0...280 {
                let slice = Array(bytes[offset..<offset + length])
                let fast = bytes.withUnsafeBytes { Checksum.fold(Checksum.sum($0.baseAddress! + offset, length)) }
                if fast != slowSum(slice) { Issue.record("\(length) bytes at \(offset)") }
            }
        }
    }

    /// Carries: nothing but ones, and long regions.
    @Test func saturatedWords() {
        for length in [1, 2, 7, 8, 9, 64, 1500, 65_535, 1 << 20] {
            let bytes = [UInt8](repeating: 0xFF, count: length)
            #expect(sum(bytes) == slowSum(bytes))
        }
        #expect(sum([UInt8](repeating: 0, count: 4096)) == 0)
    }

    @Test func readsNothingBehindTheEnd() {
        let memory = GuardedBytes(capacity: 256)
        var random = SplitMix(2)
        for length in 0...200 {
            let bytes = random.bytes(length)
            #expect(Checksum.fold(Checksum.sum(memory.place(bytes), length)) == slowSum(bytes))
        }
    }

    @Test func regionsInARow() {
        var random = SplitMix(3)
        for _ in 0..<500 {
            let bytes = random.bytes(random.below(400))
            var cuts = (0..<random.below(5)).map { _ in random.below(bytes.count + 1) }.sorted()
            cuts.append(bytes.count)
            let total = bytes.withUnsafeBytes { buffer in
                var total: UInt64 = 0
                var at = 0
                for cut in cuts {
                    guard let base = buffer.baseAddress else { break }
                    total = Checksum.appending(Checksum.sum(base + at, cut - at), at: at, to: total)
                    at = cut
                }
                return total
            }
            #expect(Checksum.fold(total) == slowSum(bytes))
        }
    }

    @Test func continuedSumsAndFields() {
        var random = SplitMix(4)
        for _ in 0..<500 {
            let half = random.word()
            let whole = UInt32(truncatingIfNeeded: random.next())
            let bytes = random.bytes(2 * random.below(50))
            let fast = bytes.withUnsafeBytes { buffer -> UInt64 in
                let first = Checksum.word(half) &+ Checksum.word(whole)
                return buffer.baseAddress.map { Checksum.sum($0, buffer.count, first) } ?? first
            }
            #expect(Checksum.fold(fast) == slowSum(be(half) + be(whole) + bytes))
        }
    }

    /// RFC 1624 §4 is about 0x5555 changing to 0x3285 under a checksum of 0xDD2F.
    @Test func incrementalUpdate() {
        #expect(Checksum.updated(0xDD2F, from: 0x5555, to: 0x3285) == 0x0000)
        var random = SplitMix(5)
        for _ in 0..<2_000 {
            var header = random.bytes(20)
            header.replaceSubrange(10..<12, with: [0, 0])
            let before = ~slowSum(header)
            let at = 2 * random.pick([0, 1, 2, 3, 4, 6, 7, 8, 9])
            let old = UInt16(header[at]) << 8 | UInt16(header[at + 1])
            let new = random.chance(4) ? ~old : random.word()
            header.replaceSubrange(at..<at + 2, with: be(new))
            let updated = Checksum.updated(before, from: old, to: new)
            // Both zeros are the same number; what counts is that a receiver accepts it.
            header.replaceSubrange(10..<12, with: be(updated))
            #expect(slowSum(header) == 0xFFFF)
        }
    }

    @Test func headerOfIPv4() {
        var random = SplitMix(6)
        let memory = GuardedBytes(capacity: 64)
        for length in stride(from: 20, through: 60, by: 4) {
            let header = memory.place(random.bytes(length))
            Checksum.write(ipv4Header: header, length: length)
            #expect(Checksum.isValid(ipv4Header: header, length: length))
            header.set8(length - 1, UnsafeRawPointer(header).byte(length - 1) ^ 4)
            #expect(!Checksum.isValid(ipv4Header: header, length: length))
        }
    }

    @Test func pseudoHeaders() {
        var random = SplitMix(7)
        for _ in 0..<300 {
            let header = random.bytes(40)
            let length = random.below(70_000)
            let tail = be(UInt32(length)) + [0, 0, 0, 17]
            let v4 = header.withUnsafeBytes { Checksum.pseudoIPv4($0.baseAddress!, protocol: 17, length: length) }
            let v6 = header.withUnsafeBytes { Checksum.pseudoIPv6($0.baseAddress!, protocol: 17, length: length) }
            #expect(Checksum.fold(v4) == slowSum(header[12..<20] + tail))
            #expect(Checksum.fold(v6) == slowSum(header[8..<40] + tail))
            header.withUnsafeBytes { buffer in
                let bytes = buffer.baseAddress!
                let from = IPv6Address(mapping: bytes.ipv4(12))
                let to = IPv6Address(mapping: bytes.ipv4(16))
                let mapped = Checksum.pseudo(source: from, destination: to, protocol: 17, length: length)
                #expect(Checksum.fold(mapped) == Checksum.fold(v4))
                let plain = Checksum.pseudo(
                    source: bytes.ipv6(8),
                    destination: bytes.ipv6(24),
                    protocol: 17,
                    length: length
                )
                #expect(Checksum.fold(plain) == Checksum.fold(v6))
            }
        }
    }

    @Test func zeroIsWrittenAsOnes() {
        #expect(Checksum.finish(0xFFFF) == 0)
        #expect(Checksum.finishTransport(0xFFFF) == 0xFFFF)
        #expect(Checksum.finishTransport(Checksum.word(UInt16(0x1234))) == ~0x1234)
    }

    /// Folding takes any 64 bits.
    @Test func foldsEverything() {
        #expect(Checksum.fold(.max) == 0xFFFF)
        var random = SplitMix(8)
        for _ in 0..<1_000 {
            let value = random.next()
            let folded = UInt64(Checksum.fold(value).byteSwapped)
            #expect(folded % 0xFFFF == value % 0xFFFF)
        }
    }
}
