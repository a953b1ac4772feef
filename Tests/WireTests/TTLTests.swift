import Testing
import Wire

@Suite struct TTLTests {
    /// RFC 1812 §5.3.1, RFC 1624: against the frame as the slow twin writes it.
    @Test func decrements() {
        var random = SplitMix(91)
        for _ in 0..<600 {
            var spec = FrameSpec.random(&random, length: random.below(20))
            spec.isDatagram = true
            spec.tags = []
            spec.ttl = UInt8(1 + random.below(255))
            let amount = UInt8(random.below(Int(spec.ttl)))
            var bytes = spec.bytes
            bytes.withUnsafeMutableBytes {
                TTL.decrement(header: $0.baseAddress!, by: amount, isIPv6: spec.isIPv6)
            }
            spec.ttl -= amount
            #expect(bytes == spec.bytes)
            guard !spec.isIPv6 else { continue }
            spec.ttl = random.byte()
            bytes.withUnsafeMutableBytes { TTL.set(spec.ttl, ipv4Header: $0.baseAddress!) }
            #expect(bytes == spec.bytes)
        }
    }

    /// A router must not mend what was broken on the way (RFC 1812 §5.2.2).
    @Test func wrongStaysWrong() {
        var random = SplitMix(92)
        for _ in 0..<300 {
            var bytes = FrameSpec().bytes
            let flip = random.word() | 1
            bytes[24] ^= UInt8(flip >> 8)
            bytes[25] ^= UInt8(flip & 255)
            bytes.withUnsafeMutableBytes {
                let header = $0.baseAddress! + 14
                TTL.decrement(header: header, by: UInt8(1 + random.below(63)), isIPv6: false)
                #expect(!Checksum.isValid(ipv4Header: header, length: 20))
            }
        }
    }

    /// Every checksum that a header can have, with every value it steps over.
    @Test func everyChecksum() {
        for identification in UInt16.min...UInt16.max {
            var header =
                [0x45, 0] + be(UInt16(20)) + be(identification) + [0, 0, UInt8(identification % 255 + 1), 6, 0, 0]
            header += [10, 0, 0, 1, 10, 0, 0, 2]
            let right = header.withUnsafeMutableBytes {
                Checksum.write(ipv4Header: $0.baseAddress!, length: 20)
                TTL.decrement(header: $0.baseAddress!, by: 1, isIPv6: false)
                return Checksum.isValid(ipv4Header: $0.baseAddress!, length: 20)
            }
            if !right { Issue.record("identification \(identification)") }
        }
    }
}
