import CLinux
import Glibc
import Testing

@testable import Ports
@testable import Rings
@testable import Wire

/// A packet socket on the underlay, against another: what leaves, and what arrives of it.
@Suite struct UplinkDeviceTests {
    /// A super-frame in a tunnel.
    struct Case: CustomStringConvertible, Sendable {
        var description: String
        var isIPv6 = false
        var number: UInt8
        /// What stands between the outer IP header and what is inside, UDP's header aside.
        var tunnel: [UInt8] = []
        var inner: [UInt8]
        var network: UInt16 = 0
        /// Where the TCP header is in there.
        var transport: Int
        var gsoType = Offload.gsoTCPv4

        /// Outer headers as the pipeline writes them.
        var front: [UInt8] {
            let udp: [UInt8] =
                number == IPProtocol.udp
                ? [0xC3, 0x50, 0x12, 0xB5] + TestFrame.be(UInt16(8 + tunnel.count + inner.count)) + [0, 0] : []
            let content = udp.count + tunnel.count + inner.count
            var frame: [UInt8] = [2, 0, 0, 0, 0x0A, 2, 2, 0, 0, 0, 0x0A, 1]
            if isIPv6 {
                frame += [0x86, 0xDD, 0x60, 0, 0, 0] + TestFrame.be(UInt16(content)) + [number, 64]
                for last in [1, 2] as [UInt8] {
                    frame += [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [last]
                }
            } else {
                var header: [UInt8] = [0x45, 0] + TestFrame.be(UInt16(20 + content)) + [0, 0, 0x40, 0, 64, number]
                header += [0, 0, 192, 0, 2, 1, 192, 0, 2, 2]
                header.withUnsafeMutableBytes { Checksum.write(ipv4Header: $0.baseAddress!, length: 20) }
                frame += [0x08, 0x00] + header
            }
            frame += udp
            if isIPv6, number == IPProtocol.udp {
                frame.withUnsafeMutableBytes {
                    let pseudo = Checksum.pseudoIPv6($0.baseAddress! + 14, protocol: 17, length: content)
                    $0.baseAddress!.set16(60, Checksum.fold(pseudo))
                }
            }
            return frame + tunnel
        }

        var outgoing: Outgoing {
            let front = front
            return Outgoing(
                header: front,
                payload: inner,
                offload: Offload(
                    flags: 1,
                    gsoType: gsoType,
                    headerLength: UInt16(front.count + transport + 20),
                    gsoSize: 1200,
                    checksumStart: UInt16(front.count + transport),
                    checksumOffset: 16
                ),
                tunnel: UInt8(front.count),
                network: network,
                outerTransport: isIPv6 ? 54 : 34
            )
        }
    }

    static let frame = TestFrame.tcp(TestFrame.pattern(30_000), partial: true)
    static let packet = Array(frame[14...])
    static let packet6 = TestFrame.tcp6(TestFrame.pattern(30_000), partial: true)

    static let cases: [Case] = [false, true].flatMap { isIPv6 in
        let family = isIPv6 ? "IPv6" : "IPv4"
        return [
            Case(
                description: "GRE over \(family)",
                isIPv6: isIPv6,
                number: 47,
                tunnel: TestFrame.gre,
                inner: frame,
                transport: 34
            ),
            Case(
                description: "a tagged frame in GRE over \(family)",
                isIPv6: isIPv6,
                number: 47,
                tunnel: TestFrame.gre,
                inner: TestFrame.tag(frame, 7),
                transport: 38
            ),
            Case(
                description: "IPv4 in GRE over \(family)",
                isIPv6: isIPv6,
                number: 47,
                tunnel: [0, 0, 8, 0],
                inner: packet,
                network: 0x0800,
                transport: 20
            ),
            Case(
                description: "IPv6 in keyed GRE over \(family)",
                isIPv6: isIPv6,
                number: 47,
                tunnel: [0x20, 0, 0x86, 0xDD, 0, 0, 0, 9],
                inner: packet6,
                network: 0x86DD,
                transport: 40,
                gsoType: Offload.gsoTCPv6
            ),
            Case(
                description: "IPv4 in \(family)",
                isIPv6: isIPv6,
                number: 4,
                inner: packet,
                network: 0x0800,
                transport: 20
            ),
            Case(
                description: "IPv6 in \(family)",
                isIPv6: isIPv6,
                number: 41,
                inner: packet6,
                network: 0x86DD,
                transport: 40,
                gsoType: Offload.gsoTCPv6
            ),
            Case(
                description: "VXLAN over \(family)",
                isIPv6: isIPv6,
                number: 17,
                tunnel: TestFrame.vxlan,
                inner: frame,
                transport: 34
            ),
        ]
    }

    /// Two namespaces with a packet socket each; the left one's device has a mark if it is asked for.
    private func withDevices(
        mark: Bool,
        flags: UInt32 = 0,
        _ body: (Bench, _ left: UInt32, _ right: UInt32) throws -> Void
    ) throws {
        try withPair { left, right in
            let bench = Bench()
            // Frames of a kernel's own come between those of a burst.
            try silence()
            right.enter()
            try silence()
            let far = try bench.add(
                .uplinkDevice,
                [try PacketSocket.open(interfaceIndex: index(of: "right"))],
                flags: flags
            )
            left.enter()
            var descriptors = [try PacketSocket.open(interfaceIndex: index(of: "left"))]
            if mark { descriptors.append(try TunnelMark.attach(interfaceIndex: index(of: "left"), .egress)) }
            defer { if mark { close(descriptors[1]) } }
            let near = try bench.add(.uplinkDevice, descriptors, flags: mark ? PortIO.Flags.marksTunnels : 0)
            try body(bench, near, far)
        }
    }

    private func isTunnel(_ received: Received) -> Bool {
        received.bytes.count > 60 && Array(received.bytes[6..<12]) == [2, 0, 0, 0, 0x0A, 1]
            && (received.bytes[12] == 8 && [4, 41, 47, 17].contains(received.bytes[23])
                || received.bytes[12] == 0x86 && [4, 41, 47, 17].contains(received.bytes[20]))
    }

    /// Sends a super-frame and receives it whole. What was cut is put together again when all of it is there; where the
    /// kernel was still busy with the rest, it is sent once more.
    private func cross(_ bench: Bench, _ near: UInt32, _ far: UInt32, _ what: Case) throws -> Received {
        let headers = what.front.count + what.transport + 20
        let sent = what.inner.count - what.transport - 20
        for _ in 0..<20 {
            let result = bench.send(near, [what.outgoing])
            #expect(result.superFrames == 1 && result.failures == 0)
            var frames: [Received] = []
            repeat {
                let more = bench.receive(far, count: 1, where: isTunnel)
                try #require(!more.isEmpty, "something is missing")
                frames += more
            } while frames.reduce(0, { $0 + $1.bytes.count - headers }) < sent
            if frames.count == 1 { return frames[0] }
        }
        return try #require(nil, "it never came whole")
    }

    /// With a mark, everything but VXLAN over IPv6 crosses as it is, to the last byte. Without one it is cut, and put together
    /// again on the other side.
    @Test(arguments: cases, [true, false]) func superFramesArrive(what: Case, mark: Bool) throws {
        try withDevices(mark: mark) { bench, near, far in
            let sent = what.outgoing
            let frame = try cross(bench, near, far, what)
            var expected = sent.header + sent.payload
            if what.number == IPProtocol.udp {
                // The outer checksum has done its work.
                expected.replaceSubrange((what.isIPv6 ? 60 : 40)..<(what.isIPv6 ? 62 : 42), with: [0, 0])
            }
            var bytes = frame.bytes
            if !what.isIPv6 {
                // Where it is made anew, the identification may differ.
                #expect(bytes.withUnsafeBytes { Checksum.isValid(ipv4Header: $0.baseAddress! + 14, length: 20) })
                for range in [18..<20, 24..<26] {
                    bytes.replaceSubrange(range, with: [0, 0])
                    expected.replaceSubrange(range, with: [0, 0])
                }
            }
            #expect(bytes == expected)
            #expect(frame.offload.gsoSize == 1200 && frame.offload.gsoType == what.gsoType)
            #expect(frame.offload.checksumStart == sent.offload.checksumStart && frame.offload.checksumOffset == 16)
            // Nothing was given up on the way.
            let flags = bench.ports[Int(near)].flags
            #expect(flags == (mark ? PortIO.Flags.marksTunnels : 0))
        }
    }

    /// A kernel that takes no such frame, whatever its reason: this one is cut, and the next is tried again.
    @Test(arguments: cases.filter { $0.number != IPProtocol.udp || !$0.isIPv6 }) func whatIsRefusedIsCut(what: Case)
        throws
    {
        try withDevices(mark: false) { bench, near, far in
            bench.ports[Int(near)].flags |= PortIO.Flags.marksTunnels
            let frame = try cross(bench, near, far, what)
            #expect(Array(frame.bytes[what.front.count...]) == what.inner)
            #expect(bench.ports[Int(near)].flags == PortIO.Flags.marksTunnels)
        }
    }

    /// What is cut are packets in their own right: lengths and checksums of all headers.
    @Test(arguments: cases) func piecesAreWhole(what: Case) throws {
        try withDevices(mark: false, flags: PortIO.Flags.keepsSegments) { bench, near, far in
            #expect(bench.send(near, [what.outgoing]).superFrames == 1)
            let pieces = bench.receive(far, count: 25, where: isTunnel)
            #expect(pieces.count == 25)
            var payload: [UInt8] = []
            let outer = what.isIPv6 ? 54 : 34
            for piece in pieces {
                var bytes = piece.bytes
                let count = bytes.count
                if what.isIPv6 {
                    #expect(Array(bytes[18..<20]) == TestFrame.be(UInt16(count - 54)))
                } else {
                    #expect(Array(bytes[16..<18]) == TestFrame.be(UInt16(count - 14)))
                    #expect(bytes.withUnsafeBytes { Checksum.isValid(ipv4Header: $0.baseAddress! + 14, length: 20) })
                }
                if what.number == IPProtocol.udp {
                    #expect(Array(bytes[outer + 4..<outer + 6]) == TestFrame.be(UInt16(count - outer)))
                }
                // The inner checksums are complete.
                let start = what.front.count
                #expect(!piece.offload.needsChecksum || Int(piece.offload.checksumStart) < start)
                let isFinished = bytes.withUnsafeMutableBytes { raw in
                    let inner = UnsafeRawPointer(raw.baseAddress! + start)
                    let parsed =
                        what.network == 0
                        ? ParsedFrame(inner, count - start)
                        : ParsedFrame(datagram: inner, count - start, etherType: what.network)
                    let size = parsed.endOffset - parsed.transportOffset
                    let sum = PartialChecksum.pseudo(inner, parsed, length: size)
                    return Checksum.fold(Checksum.sum(inner + parsed.transportOffset, size, sum)) == 0xFFFF
                }
                #expect(isFinished)
                payload += bytes[(start + what.transport + 20)...]
            }
            #expect(payload == Array(what.inner[(what.transport + 20)...]))
        }
    }

    /// Small frames, a GRE checksum over an inner one that is still to be computed, and order among them.
    @Test func smallFramesKeepTheirOrder() throws {
        try withDevices(mark: true) { bench, near, far in
            let inner = TestFrame.udp([1, 2, 3], partial: true)
            let summed = Case(
                description: "",
                number: 47,
                tunnel: [0xA0, 0, 0x65, 0x58, 0, 0, 0, 0, 0, 0, 0, 9],
                inner: inner,
                transport: 34
            )
            var first = Outgoing(
                header: summed.front,
                payload: inner,
                tunnel: UInt8(summed.front.count),
                outerTransport: 34
            )
            first.offload = Offload(flags: 1, checksumStart: UInt16(summed.front.count + 34), checksumOffset: 6)
            let plain = Case(
                description: "",
                number: 47,
                tunnel: TestFrame.gre,
                inner: TestFrame.udp([4], partial: false),
                transport: 34
            )
            let second = Outgoing(
                header: plain.front,
                payload: plain.inner,
                tunnel: UInt8(plain.front.count),
                outerTransport: 34
            )
            let whole = Self.cases[0].outgoing
            #expect(bench.send(near, [second, first, whole, second]).frames == 4)
            let frames = bench.receive(far, count: 4, where: isTunnel)
            #expect(
                frames.map(\.bytes.count) == [second, first, whole, second].map { $0.header.count + $0.payload.count }
            )
            let gre = Array(frames[1].bytes[34...])
            #expect(
                gre.withUnsafeBytes {
                    GREHeader.parse($0.baseAddress!, gre.count).checksumIsValid($0.baseAddress!, gre.count)
                }
            )
            #expect(Array(gre[12...]) == TestFrame.udp([1, 2, 3], partial: false))
        }
    }

    /// Segments of other flows in between, and what is no tunnel packet, stay what they are and where they are.
    @Test func onlyNeighboursAreJoined() throws {
        try withDevices(mark: false) { bench, near, far in
            let whole = Self.cases[0].outgoing
            let arp = Outgoing(
                header: [2, 0, 0, 0, 0x0A, 2, 2, 0, 0, 0, 0x0A, 1, 8, 6] + [UInt8](repeating: 7, count: 46)
            )
            bench.send(near, [whole, arp, whole])
            let frames = bench.receive(far, count: 4) { Array($0.bytes[6..<12]) == [2, 0, 0, 0, 0x0A, 1] }
            let headers = whole.header.count + 54
            // A burst takes 32 frames: 25 pieces, one, 6 pieces; what comes with the next is not joined to them.
            #expect(frames.map(\.bytes.count) == [headers + 30_000, 60, headers + 6 * 1200, headers + 19 * 1200])
        }
    }

    /// The program is what it is whichever kernel loads it.
    @Test func theProgramIsShort() {
        for withVXLAN in [true, false] {
            let program = TunnelMarkProgram.instructions(withVXLAN: withVXLAN)
            #expect(program.count < 120 && program.last?.code == 0x95)
            for (at, instruction) in program.enumerated()
            where instruction.code & 7 == 5 && instruction.code & 0xF0 < 0x80 {
                #expect(instruction.offset >= 0 && at + 1 + Int(instruction.offset) < program.count)
            }
        }
        #expect(MemoryLayout<BPFInstruction>.size == 8 && MemoryLayout<BPFInstruction>.stride == 8)
    }
}
