import Testing
import Wire

@Suite struct EchoReplyTests {
    private let memory = GuardedBytes(capacity: 4096)

    /// A request, its checksum right.
    private func request(_ random: inout SplitMix, isIPv6: Bool? = nil) -> FrameSpec {
        var spec = FrameSpec.random(&random, length: 0)
        while let isIPv6, spec.isIPv6 != isIPv6 { spec = FrameSpec.random(&random, length: 0) }
        spec.l4 = .other(spec.isIPv6 ? 58 : 1)
        spec.payload = message(spec, type: spec.isIPv6 ? 128 : 8, random.bytes(4 + random.below(100)))
        return spec
    }

    private func message(_ spec: FrameSpec, type: UInt8, code: UInt8 = 0, _ rest: [UInt8]) -> [UInt8] {
        let body = [type, code, 0, 0] + rest
        let pseudo = spec.sourceAddress + spec.destinationAddress + [0, 58] + be(UInt16(body.count))
        let sum = ~slowSum(body, spec.isIPv6 ? slowSum(pseudo) : 0)
        return [type, code] + be(sum) + rest
    }

    private func isRequest(_ bytes: [UInt8]) -> Bool {
        let frame = memory.place(bytes)
        return EchoReply.isRequest(frame, ParsedFrame(UnsafeRawPointer(frame), bytes.count))
    }

    /// Against the reply as the slow twin writes it: RFC 792, RFC 4443 §4.2.
    @Test func repliesLikeTheSlowTwin() {
        var random = SplitMix(111)
        for round in 0..<600 {
            var spec = request(&random)
            spec.padding = random.bytes(random.pick([0, 0, 20]))
            let bytes = spec.bytes
            let frame = memory.place(bytes)
            let parsed = ParsedFrame(UnsafeRawPointer(frame), bytes.count)
            guard EchoReply.isRequest(frame, parsed), EchoReply.checksumIsValid(frame, parsed) else {
                Issue.record("round \(round) is no request")
                continue
            }
            let start = EchoReply.make(inPlace: frame, parsed)
            let reply = Array(UnsafeRawBufferPointer(start: frame + start, count: bytes.count - start))

            var expected = spec
            expected.isDatagram = true
            expected.extensions = []
            expected.ttl = 64
            (expected.sourceAddress, expected.destinationAddress) = (spec.destinationAddress, spec.sourceAddress)
            expected.payload = message(expected, type: spec.isIPv6 ? 129 : 0, Array(spec.payload[4...]))
            var twin = expected.bytes
            if spec.isIPv6 { twin.replaceSubrange(1..<4, with: [spec.tos << 4, 0, 0]) }
            #expect(reply == twin, "round \(round)")
            #expect(start == spec.transportOffset - (spec.isIPv6 ? 40 : 20 + spec.options.count))
            // The link layer is as it was.
            if start == spec.networkOffset {
                #expect(Array(UnsafeRawBufferPointer(start: frame, count: start)) == Array(bytes[..<start]))
            }
        }
    }

    /// What is wrong in a request is wrong in its reply.
    @Test func badChecksums() {
        var random = SplitMix(112)
        for _ in 0..<200 {
            var bytes = request(&random).bytes
            bytes[bytes.count - 1] ^= 1 << UInt8(random.below(8))
            let frame = memory.place(bytes)
            let parsed = ParsedFrame(UnsafeRawPointer(frame), bytes.count)
            #expect(EchoReply.isRequest(frame, parsed) && !EchoReply.checksumIsValid(frame, parsed))
            let start = EchoReply.make(inPlace: frame, parsed)
            let rest = UnsafeRawPointer(frame) + start
            let reply = ParsedFrame(datagram: rest, bytes.count - start, etherType: parsed.etherType)
            #expect(!EchoReply.checksumIsValid(rest, reply))
        }
    }

    @Test func refusals() {
        var random = SplitMix(113)
        for isIPv6 in [false, true] {
            var spec = request(&random, isIPv6: isIPv6)
            spec.tags = []
            spec.options = []
            spec.extensions = []
            spec.payload = message(spec, type: isIPv6 ? 128 : 8, [1, 2, 3, 4])
            let good = spec.bytes
            #expect(isRequest(good))
            for type in UInt8.min...UInt8.max where type != (isIPv6 ? 128 : 8) {
                var other = spec
                other.payload[0] = type
                if isRequest(other.bytes) { Issue.record("type \(type)") }
            }
            for code in 1...UInt8.max {
                var other = spec
                other.payload[1] = code
                if isRequest(other.bytes) { Issue.record("code \(code)") }
            }
            for count in 0..<good.count where isRequest(Array(good[..<count])) { Issue.record("\(count) bytes") }
            for length in 0..<8 {
                var other = spec
                other.payload.removeLast(8 - length)
                other.padding = Array(spec.payload.suffix(8 - length))
                #expect(!isRequest(other.bytes))
            }
            // The other family's number, or no ICMP at all.
            for number: UInt8 in [isIPv6 ? 1 : 58, 6, 17] {
                var other = spec
                other.l4 = .other(number)
                #expect(!isRequest(other.bytes))
            }
        }
        var fragment = request(&random, isIPv6: false)
        for field: UInt16 in [0x2000, 1] {
            fragment.fragmentField = field
            #expect(!isRequest(fragment.bytes))
        }
        var spec = request(&random, isIPv6: true)
        let headers: [(UInt8, [UInt8], Bool)] = [
            (IPProtocol.fragment, [0, 0, 0, 1, 0, 0, 0, 7], false),
            (IPProtocol.fragment, [0, 0, 0, 8, 0, 0, 0, 7], false),
            // A whole datagram with a fragment header is answered without one (RFC 6946, RFC 8021).
            (IPProtocol.fragment, [0, 0, 0, 0, 0, 0, 0, 7], true),
            (IPProtocol.routing, [0, 0, 4, 1, 0, 0, 0, 0], false),
            (IPProtocol.routing, [0, 0, 4, 0, 0, 0, 0, 0], true),
            (IPProtocol.authentication, [0, 4] + [UInt8](repeating: 0, count: 22), false),
            (IPProtocol.hopByHop, [0, 0, 1, 4, 0, 0, 0, 0], true),
        ]
        for (number, bytes, fine) in headers {
            spec.extensions = [(number, bytes)]
            #expect(isRequest(spec.bytes) == fine, "\(number)")
        }
    }

    @Test func hostile() {
        var random = SplitMix(114)
        var answered = 0
        for _ in 0..<30_000 {
            var bytes = request(&random).bytes
            for _ in 0..<random.below(3) { bytes[random.below(bytes.count)] = random.byte() }
            if random.chance(3) { bytes.removeLast(random.below(bytes.count)) }
            let frame = memory.place(bytes)
            let parsed = ParsedFrame(UnsafeRawPointer(frame), bytes.count)
            guard EchoReply.isRequest(frame, parsed) else { continue }
            _ = EchoReply.checksumIsValid(frame, parsed)
            let start = EchoReply.make(inPlace: frame, parsed)
            answered += 1
            if start < parsed.networkOffset || start + 28 > parsed.endOffset { Issue.record("starts at \(start)") }
        }
        #expect(answered > 5_000)
    }
}
