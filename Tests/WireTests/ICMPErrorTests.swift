import Testing
import Wire

@Suite struct ICMPErrorTests {
    private let source4 = IPv6Address(mapping: IPv4Address("192.0.2.1")!)
    private let source6 = IPv6Address("2001:db8::1")!

    private func write(
        _ packet: [UInt8],
        isIPv6: Bool,
        type: UInt8,
        code: UInt8 = 0,
        parameter: UInt32 = 0,
        hopLimit: UInt8 = 64
    ) -> [UInt8] {
        let memory = GuardedBytes(capacity: 70_000)
        let output = GuardedBytes(capacity: ICMPError.capacity)
        let bytes = output.place([UInt8](repeating: 0xEE, count: ICMPError.capacity))
        let length = ICMPError.write(
            to: bytes,
            about: memory.place(packet),
            count: packet.count,
            isIPv6: isIPv6,
            type: type,
            code: code,
            parameter: parameter,
            source: isIPv6 ? source6 : source4,
            hopLimit: hopLimit
        )
        let written = Array(UnsafeRawBufferPointer(start: bytes, count: ICMPError.capacity))
        #expect(written[length...].allSatisfy { $0 == 0xEE })
        return Array(written[..<length])
    }

    /// What the standards say, with arrays.
    private func slow(_ packet: [UInt8], isIPv6: Bool, type: UInt8, code: UInt8, word: [UInt8], hop: UInt8) -> [UInt8] {
        let told = isIPv6 ? 40 + (Int(packet[4]) << 8 | Int(packet[5])) : Int(packet[2]) << 8 | Int(packet[3])
        let quote = packet.prefix(min(told, isIPv6 ? 1280 - 48 : 576 - 28))
        var message = [type, code, 0, 0] + word + quote
        if isIPv6 {
            let addresses = [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1] + packet[8..<24]
            let length = be(UInt16(message.count))
            message.replaceSubrange(2..<4, with: be(~slowSum(addresses + [0, 58] + length + message)))
            return [0x60, 0, 0, 0] + length + [58, hop] + addresses + message
        }
        message.replaceSubrange(2..<4, with: be(~slowSum(message)))
        var header = [0x45, 0xC0] + be(UInt16(20 + message.count)) + [0, 0, 0x40, 0, hop, 1, 0, 0, 192, 0, 2, 1]
        header += packet[12..<16]
        header.replaceSubrange(10..<12, with: be(~slowSum(header)))
        return header + message
    }

    private func datagram(_ random: inout SplitMix, length: Int) -> FrameSpec {
        var spec = FrameSpec.random(&random, length: length)
        spec.isDatagram = true
        spec.tags = []
        return spec
    }

    /// RFC 1812 §4.3.2.3, RFC 4443 §2.4(c): as much as fits, never what lies behind the datagram.
    @Test func matchesTheSlowTwin() {
        var random = SplitMix(101)
        for round in 0..<400 {
            var spec = datagram(&random, length: random.pick([0, 8, 100, 600, 1_500, 9_000]))
            spec.padding = random.bytes(random.pick([0, 0, 26]))
            var packet = spec.bytes
            if random.chance(4) { packet.removeLast(random.below(packet.count - 39)) }
            let (type, code, hop) = (random.byte(), random.byte(), random.byte())
            let isPointer = type == 12 && !spec.isIPv6
            if type == 3, code == 4 { continue }
            let parameter = UInt32(truncatingIfNeeded: random.next()) & (isPointer ? 0xFF : 0xFFFF_FFFF)
            let word = isPointer ? [UInt8(parameter), 0, 0, 0] : be(parameter)
            let fast = write(packet, isIPv6: spec.isIPv6, type: type, code: code, parameter: parameter, hopLimit: hop)
            let expected = slow(packet, isIPv6: spec.isIPv6, type: type, code: code, word: word, hop: hop)
            if fast != expected { Issue.record("round \(round): \(fast.count) bytes, \(expected.count) expected") }
        }
    }

    /// The parsers accept what was written, and so does a receiver's arithmetic.
    @Test func parses() {
        var random = SplitMix(102)
        for _ in 0..<200 {
            let spec = datagram(&random, length: random.below(3_000))
            let error = write(spec.bytes, isIPv6: spec.isIPv6, type: spec.isIPv6 ? 3 : 11)
            error.withUnsafeBytes {
                let bytes = $0.baseAddress!
                let parsed = ParsedFrame(datagram: bytes, $0.count, etherType: spec.etherType)
                #expect(parsed.has(.transport) && parsed.endOffset == $0.count && !parsed.has(.fragment))
                #expect(parsed.protocol == (spec.isIPv6 ? 58 : 1) && parsed.ttl == 64)
                #expect(parsed.tos == (spec.isIPv6 ? 0 : 0xC0))
                #expect($0.count <= (spec.isIPv6 ? 1280 : 576) && EchoReply.checksumIsValid(bytes, parsed))
                if !spec.isIPv6 { #expect(Checksum.isValid(ipv4Header: bytes, length: 20)) }
                #expect(
                    !ICMPError.mayAnswer(
                        bytes,
                        parsed: parsed,
                        linkDestinationIsGroup: false,
                        isTooBigOrParameter2: false
                    )
                )
            }
        }
    }

    /// RFC 1191 §4 and RFC 792: where MTU and pointer stand.
    @Test func parameters() {
        var spec = FrameSpec()
        spec.isDatagram = true
        spec.payload = [1, 2, 3]
        let packet = spec.bytes
        #expect(write(packet, isIPv6: false, type: 3, code: 4, parameter: 0xFFFF_05AA)[24..<28] == [0, 0, 5, 0xAA])
        #expect(write(packet, isIPv6: false, type: 12, parameter: 20)[24..<28] == [20, 0, 0, 0])
        #expect(write(packet, isIPv6: false, type: 11)[20..<28].suffix(4) == [0, 0, 0, 0])
        spec.isIPv6 = true
        spec.sourceAddress = [UInt8](repeating: 1, count: 16)
        spec.destinationAddress = [UInt8](repeating: 2, count: 16)
        #expect(write(spec.bytes, isIPv6: true, type: 2, parameter: 0x1_0001)[44..<48] == [0, 1, 0, 1])
        #expect(write(spec.bytes, isIPv6: true, type: 4, code: 2, parameter: 42)[44..<48] == [0, 0, 0, 42])
        #expect(write(spec.bytes, isIPv6: true, type: 1).count == 48 + spec.bytes.count)
    }

    /// RFC 1122 §3.2.2: the header and eight bytes at least, if they were there.
    @Test func shortPackets() {
        var random = SplitMix(103)
        for isIPv6 in [false, true] {
            var spec = datagram(&random, length: 30)
            while spec.isIPv6 != isIPv6 { spec = datagram(&random, length: 30) }
            let packet = spec.bytes
            let fixed = isIPv6 ? 40 : 20
            for count in 0...packet.count {
                let error = write(Array(packet[..<count]), isIPv6: isIPv6, type: 1)
                #expect(error.count == (count < fixed ? 0 : fixed + 8 + count))
            }
            // Lengths that lie: the quote ends with what is there, or what is told.
            for length in UInt16.min..<60 {
                var lying = packet
                lying.replaceSubrange(isIPv6 ? 4..<6 : 2..<4, with: be(length))
                let told = Int(length) + (isIPv6 ? 40 : 0)
                #expect(write(lying, isIPv6: isIPv6, type: 1).count == fixed + 8 + min(told, packet.count))
            }
        }
    }

    @Test func hostile() {
        var random = SplitMix(104)
        for _ in 0..<20_000 {
            let isIPv6 = random.chance(2)
            var packet = random.bytes(random.below(100))
            if random.chance(2), packet.count > 6 { packet.replaceSubrange(2..<6, with: [0xFF, 0xFF, 0xFF, 0xFF]) }
            let error = write(packet, isIPv6: isIPv6, type: random.byte(), parameter: UInt32.max)
            #expect(error.count <= 148)
        }
    }
}
