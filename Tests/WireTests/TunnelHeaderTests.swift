import Testing
import Wire

@Suite struct TunnelHeaderTests {
    private func vxlan(_ bytes: [UInt8]) -> VXLANHeader? {
        bytes.withUnsafeBytes { VXLANHeader($0.baseAddress!, $0.count) }
    }

    private func gre(_ bytes: [UInt8]) -> GREHeader {
        bytes.withUnsafeBytes { GREHeader.parse($0.baseAddress!, $0.count) }
    }

    @Test func writesVXLAN() {
        var bytes = [UInt8](repeating: 0xEE, count: 8)
        for vni: UInt32 in [0, 1, 5001, 0xABCDEF, 0xFF_FFFF] {
            bytes.withUnsafeMutableBytes { VXLANHeader.write(to: $0.baseAddress!, vni: vni) }
            #expect(bytes == [8, 0, 0, 0] + be(vni << 8))
            #expect(vxlan(bytes) == vxlan([8, 0, 0, 0] + be(vni << 8)))
            #expect(vxlan(bytes)?.vni == vni)
        }
    }

    /// Each of the 64 bits alone: the I flag, the VNI, and 39 reserved ones.
    @Test func everyBitOfVXLAN() throws {
        var reserved = 0
        for bit in 0..<64 {
            var bytes = [UInt8](repeating: 0, count: 8)
            bytes[bit / 8] = 0x80 >> UInt8(bit % 8)
            let header = try #require(vxlan(bytes))
            #expect(header.isValid == (bit == 4))
            #expect(header.vni == (32..<56 ~= bit ? 1 << UInt32(55 - bit) : 0))
            if header.hasReservedBits { reserved += 1 }
            #expect(header.hasReservedBits == (bit != 4 && !(32..<56 ~= bit)))
        }
        #expect(reserved == 39)
    }

    @Test func truncatedVXLAN() {
        let memory = GuardedBytes(capacity: 64)
        for count in 0..<8 {
            #expect(VXLANHeader(memory.place([UInt8](repeating: 8, count: count)), count) == nil)
        }
    }

    @Test func writesGRE() {
        var bytes = [UInt8](repeating: 0xEE, count: 8)
        bytes.withUnsafeMutableBytes { GREHeader.write(to: $0.baseAddress!, key: 77) }
        #expect(bytes == [0x20, 0, 0x65, 0x58, 0, 0, 0, 77])
        let header = gre(bytes)
        #expect(header.problem == .none && header.hasKey && header.key == 77 && header.length == 8)
        #expect(!header.hasChecksum && !header.hasSequence && header.protocolType == EtherType.transparentEthernet)
        bytes.withUnsafeMutableBytes { GREHeader.writeKeyless(to: $0.baseAddress!, protocolType: EtherType.ipv4) }
        #expect(bytes == [0, 0, 8, 0, 0, 0, 0, 77])
        #expect(gre(bytes).length == 4 && !gre(bytes).hasKey)
    }

    /// All 65 536 values of the first two bytes.
    @Test func everyFlagOfGRE() {
        var bytes: [UInt8] = [0, 0, 0x65, 0x58] + (1...12)
        for flags in UInt16.min...UInt16.max {
            bytes.replaceSubrange(0..<2, with: [UInt8(flags >> 8), UInt8(flags & 255)])
            let header = gre(bytes)
            var expected = GREHeader.Problem.none
            // Bits are counted from the left: 1, 4 and 5 are refused, 13 to 15 are the version, 6 to 12 are ignored.
            if flags & 7 != 0 {
                expected = .version
            } else if flags & 0b0100_1100_0000_0000 != 0 {
                expected = .routing
            }
            guard header.problem == expected else {
                Issue.record("flags \(flags): \(header.problem)")
                return
            }
            guard expected == .none else { continue }
            let checksum = flags & 0x8000 != 0
            let key = flags & 0x2000 != 0
            let sequence = flags & 0x1000 != 0
            let words: [UInt32] = [0x0102_0304, 0x0506_0708, 0x090A_0B0C]
            let right =
                header.length == 4 + (checksum ? 4 : 0) + (key ? 4 : 0) + (sequence ? 4 : 0)
                && header.key == (key ? words[checksum ? 1 : 0] : 0)
                && header.sequence == (sequence ? words[(checksum ? 1 : 0) + (key ? 1 : 0)] : 0)
                && header.hasChecksum == checksum && header.hasKey == key && header.hasSequence == sequence
            if !right { Issue.record("flags \(flags): \(header)") }
        }
    }

    @Test func truncatedGRE() {
        let memory = GuardedBytes(capacity: 64)
        for flags: UInt8 in [0x00, 0x20, 0x80, 0xB0, 0x10] {
            let full = gre([flags] + [UInt8](repeating: 0, count: 15)).length
            for count in 0..<16 {
                let bytes = memory.place(([flags] + [UInt8](repeating: 0, count: 15)).prefix(count))
                #expect(GREHeader.parse(bytes, count).problem == (count < full ? .truncated : .none))
            }
        }
    }

    @Test func checksumOfGRE() {
        var random = SplitMix(21)
        for _ in 0..<200 {
            var bytes = [0xA0, 0, 0x65, 0x58, 0, 0, 0, 0] + random.bytes(4 + random.below(100))
            bytes.replaceSubrange(4..<6, with: be(~slowSum(bytes)))
            #expect(bytes.withUnsafeBytes { gre(bytes).checksumIsValid($0.baseAddress!, $0.count) })
            bytes[8 + random.below(bytes.count - 8)] ^= 1
            #expect(!bytes.withUnsafeBytes { gre(bytes).checksumIsValid($0.baseAddress!, $0.count) })
        }
        let plain: [UInt8] = [0, 0, 8, 0, 1, 2, 3]
        #expect(plain.withUnsafeBytes { gre(plain).checksumIsValid($0.baseAddress!, $0.count) })
    }
}
