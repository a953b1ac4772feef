import Testing
import Wire

/// When an error may be sent: RFC 1812 §4.3.2.7, RFC 1122 §3.2.2, RFC 4443 §2.4(e).
@Suite struct ICMPRuleTests {
    private func may(_ bytes: [UInt8], group: Bool = false, tooBig: Bool = false, type: UInt16? = nil) -> Bool {
        bytes.withUnsafeBytes {
            let frame = $0.baseAddress ?? UnsafeRawPointer(bitPattern: 64)!
            return ICMPError.mayAnswer(
                frame,
                parsed: type.map { ParsedFrame(datagram: frame, bytes.count, etherType: $0) }
                    ?? ParsedFrame(frame, bytes.count),
                linkDestinationIsGroup: group,
                isTooBigOrParameter2: tooBig
            )
        }
    }

    private func example(_ isIPv6: Bool) -> FrameSpec {
        var spec = FrameSpec()
        spec.payload = [1, 2, 3, 4, 5, 6, 7, 8]
        spec.l4 = .udp
        guard isIPv6 else { return spec }
        spec.isIPv6 = true
        spec.sourceAddress = address("2001:db8::2")
        spec.destinationAddress = address("2001:db8:1::2")
        return spec
    }

    private func address(_ text: String) -> [UInt8] {
        if let v4 = IPv4Address(text) { return be(v4.bits) }
        let v6 = IPv6Address(text)!
        return [v6.high, v6.low].flatMap { be(UInt32($0 >> 32)) + be(UInt32($0 & 0xFFFF_FFFF)) }
    }

    @Test func ordinaryPackets() {
        for isIPv6 in [false, true] {
            let spec = example(isIPv6)
            #expect(may(spec.bytes) && may(spec.bytes, tooBig: true))
            #expect(may(Array(spec.bytes.dropFirst(14)), type: spec.etherType))
        }
        #expect(!may([]) && !may([UInt8](repeating: 0, count: 60)))
    }

    /// Every type as the type of the packet in question.
    @Test func neverAboutErrors() {
        for type in UInt8.min...UInt8.max {
            var spec = example(false)
            spec.l4 = .other(1)
            spec.payload[0] = type
            #expect(may(spec.bytes) == [0, 8, 9, 10, 13, 14, 15, 16, 17, 18, 42, 43].contains(type), "\(type)")
            spec = example(true)
            spec.l4 = .other(58)
            spec.payload[0] = type
            #expect(may(spec.bytes) == (type >= 128 && type != 137), "\(type)")
            #expect(may(spec.bytes, tooBig: true) == (type >= 128 && type != 137), "\(type)")
        }
    }

    @Test func typeThatCannotBeRead() {
        for isIPv6 in [false, true] {
            var spec = example(isIPv6)
            spec.l4 = .other(isIPv6 ? 58 : 1)
            spec.payload = []
            #expect(!may(spec.bytes) && !may(spec.bytes, tooBig: true))
            // It is there, but behind the end that the header tells.
            spec.padding = [isIPv6 ? 128 : 8, 0, 0, 0]
            #expect(!may(spec.bytes))
            spec.padding = []
            spec.payload = [isIPv6 ? 128 : 8]
            #expect(may(spec.bytes))
        }
        // ICMPv6 behind extension headers is found, behind broken ones it could be anything.
        var spec = example(true)
        spec.l4 = .other(58)
        spec.payload[0] = 1
        spec.extensions = [(IPProtocol.hopByHop, [0, 0, 1, 4, 0, 0, 0, 0])]
        #expect(!may(spec.bytes))
        spec.payload[0] = 128
        #expect(may(spec.bytes))
        spec.extensions = [(IPProtocol.hopByHop, [0, 40, 1, 4, 0, 0, 0, 0])]
        #expect(!may(spec.bytes) && !may(spec.bytes, tooBig: true))
    }

    @Test func neverAboutLaterFragments() {
        var spec = example(false)
        spec.fragmentField = 0x2000
        #expect(may(spec.bytes))
        for field: UInt16 in [1, 0x2001, 0x1FFF] {
            spec.fragmentField = field
            #expect(!may(spec.bytes) && !may(spec.bytes, tooBig: true))
        }
        spec = example(true)
        spec.extensions = [(IPProtocol.fragment, [0, 0, 0, 1, 0, 0, 0, 7])]
        #expect(may(spec.bytes))
        spec.extensions = [(IPProtocol.fragment, [0, 0, 0, 8, 0, 0, 0, 7])]
        // Too big is a matter of each fragment.
        #expect(!may(spec.bytes) && may(spec.bytes, tooBig: true))
        spec.l4 = .other(58)
        #expect(!may(spec.bytes, tooBig: true))
    }

    @Test func neverAboutGroups() {
        for isIPv6 in [false, true] {
            let spec = example(isIPv6)
            #expect(!may(spec.bytes, group: true) && may(spec.bytes, group: true, tooBig: true) == isIPv6)
        }
        for text in ["224.0.0.1", "239.1.2.3", "255.255.255.255", "240.0.0.1", "0.0.0.0", "127.0.0.1"] {
            var spec = example(false)
            spec.destinationAddress = address(text)
            #expect(!may(spec.bytes) && !may(spec.bytes, tooBig: true), "\(text)")
        }
        var spec = example(true)
        spec.destinationAddress = address("ff0e::1")
        #expect(!may(spec.bytes) && may(spec.bytes, tooBig: true) && may(spec.bytes, group: true, tooBig: true))
        spec.destinationAddress = address("::1")
        #expect(!may(spec.bytes, tooBig: true))
    }

    @Test func neverToWhatIsNoHost() {
        for text in ["0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.5", "255.255.255.255", "240.0.0.1"] {
            var spec = example(false)
            spec.sourceAddress = address(text)
            #expect(!may(spec.bytes) && !may(spec.bytes, tooBig: true), "\(text)")
        }
        for text in ["::", "::1", "ff02::1", "::ffff:10.0.0.1", "::10.0.0.1"] {
            var spec = example(true)
            spec.sourceAddress = address(text)
            #expect(!may(spec.bytes) && !may(spec.bytes, tooBig: true), "\(text)")
        }
    }
}
