import Testing
import Wire

@Suite struct BytesTests {
    /// Every accessor at every alignment, against bytes in network order.
    @Test func writesWhatItReads() {
        var random = SplitMix(81)
        let source = GuardedBytes(capacity: 64)
        let target = GuardedBytes(capacity: 64)
        for offset in 0..<9 {
            let expected = random.bytes(16)
            let bytes = target.place([UInt8](repeating: 0, count: offset + 16))
            let twin = source.place(random.bytes(offset) + expected)
            let read = UnsafeRawPointer(twin)
            let mac = read.mac(offset)
            let address = read.ipv6(offset)
            #expect(mac.bits == expected[..<6].reduce(0) { $0 << 8 | UInt64($1) })
            #expect(read.be32(offset) == read.ipv4(offset).bits && read.byte(offset) == expected[0])
            #expect(
                read.be64(offset) == address.high && read.be16(offset) == UInt16(truncatingIfNeeded: mac.bits >> 32)
            )
            #expect(Array(UnsafeRawBufferPointer(start: read + offset, count: 16)) == expected)

            let written = { Array(UnsafeRawBufferPointer(start: bytes + offset, count: $0)) }
            bytes.setIPv6(offset, address)
            #expect(written(16) == expected)
            bytes.set64(offset, ~address.high)
            #expect(written(8) == expected[..<8].map { ~$0 })
            bytes.setMAC(offset, mac)
            #expect(written(6) == Array(expected[..<6]))
            bytes.set8(offset, 7)
            bytes.set16(offset + 1, 0x0102)
            #expect(written(3) == [7, 1, 2])
        }
    }

    @Test func order() {
        #expect(MACAddress(bits: 1) < MACAddress(bits: 2) && MACAddress(bits: .max) == .broadcast)
        #expect(IPv4Address("9.0.0.0")! < IPv4Address("10.0.0.0")!)
        #expect(IPv6Address("::ffff")! < IPv6Address("1::")! && IPv6Address("1::1")! < IPv6Address("1::2")!)
    }
}
