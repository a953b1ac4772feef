import Testing

@testable import Wire

/// Where things are in a frame of the underlay, and which frames are left to others.
@Suite struct OuterPacketTests {
    static func frame4(tag: UInt16? = nil, _ change: (inout [UInt8]) -> Void = { _ in }, extra: Int = 0) -> [UInt8] {
        var header: [UInt8] = [0x45, 3, 0, 28, 0, 0, 0x40, 0, 64, 47, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]
        change(&header)
        header.withUnsafeMutableBytes { Checksum.write(ipv4Header: $0.baseAddress!, length: 20) }
        var frame = [UInt8](repeating: 2, count: 12)
        if let tag { frame += [0x81, 0x00, UInt8(tag >> 8), UInt8(tag & 0xFF)] }
        frame += [8, 0]
        frame += header
        return frame + [UInt8](repeating: 7, count: 8 + extra)
    }

    static func parse(_ bytes: [UInt8]) -> OuterPacket? {
        // Memory of exactly that size: what reads behind it is found by a sanitizer.
        let copy = UnsafeMutableRawPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
        defer { copy.deallocate() }
        copy.copyMemory(from: bytes, byteCount: bytes.count)
        return OuterPacket(copy, bytes.count)
    }

    @Test func places() throws {
        for (bytes, network) in [(Self.frame4(), 14), (Self.frame4(tag: 0xE000), 18), (Self.frame4(extra: 9), 14)] {
            let packet = try #require(Self.parse(bytes))
            #expect(packet.network == network && packet.transport == network + 20 && packet.end == network + 28)
            #expect(packet.protocol == 47 && !packet.isIPv6)
            bytes.withUnsafeBytes { raw in
                let frame = raw.baseAddress!
                #expect(packet.tos(frame) == 3 && packet.source(frame) == IPv6Address("::ffff:192.0.2.1"))
                #expect(packet.destination(frame) == IPv6Address("::ffff:192.0.2.2"))
            }
        }
        var six = [UInt8](repeating: 2, count: 12)
        six += [0x86, 0xDD, 0x60, 0x30, 0, 0, 0, 8, 41, 64]
        for last in [1, 2] as [UInt8] {
            six += [0x20, 1, 0x0D, 0xB8]
            six += [UInt8](repeating: 0, count: 11)
            six.append(last)
        }
        six += [UInt8](repeating: 7, count: 8)
        let packet = try #require(Self.parse(six))
        #expect(packet.isIPv6 && packet.protocol == 41 && packet.transport == 54 && packet.end == 62)
        six.withUnsafeBytes { raw in
            #expect(packet.tos(raw.baseAddress!) == 3 && packet.source(raw.baseAddress!) == IPv6Address("2001:db8::1"))
            #expect(packet.destination(raw.baseAddress!) == IPv6Address("2001:db8::2"))
        }
        for count in 0..<62 { #expect(Self.parse(Array(six[..<count])) == nil) }
    }

    @Test func whatIsUnusualIsNone() {
        for count in 0..<42 { #expect(Self.parse(Array(Self.frame4()[..<count])) == nil) }
        #expect(Self.parse(Self.frame4(tag: 7)) == nil)
        for change: (inout [UInt8]) -> Void in [
            { $0[0] = 0x46 }, { $0[0] = 0x55 }, { $0[6] = 0x20 }, { $0[7] = 1 }, { $0[3] = 19 }, { $0[3] = 200 },
        ] {
            #expect(Self.parse(Self.frame4(change)) == nil)
        }
        var wrong = Self.frame4()
        wrong[24] ^= 1
        #expect(Self.parse(wrong) == nil)
    }
}
