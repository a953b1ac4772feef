import Testing
import Wire

@testable import Ports
@testable import Rings

/// What becomes of messages between the socket and the ring.
@Suite struct TunnelArrivalsTests {
    struct Message {
        var bytes: [UInt8]
        var size = 0
        var source: UInt32 = 1
        var tos: UInt8 = 0
        var interface: UInt32 = 1
    }

    /// Frames that come of messages, each message in a buffer of its own.
    private static func frames(
        _ messages: [Message],
        protocol: UInt8 = IPProtocol.udp,
        flags: UInt32 = 0
    ) -> (frames: [Received], unreadable: Int) {
        let ring = ReceiveRing()
        let pool = BufferPool(count: 32)
        var io = PortIO()
        io.ipProtocol = `protocol`
        io.flags = flags
        var arrivals = TunnelArrivals(io)
        for (index, message) in messages.enumerated() {
            let buffer = pool.buffer(index)
            message.bytes.withUnsafeBytes { buffer.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
            let frame = Frame(
                bytes: buffer,
                length: message.bytes.count,
                endpoint: 7,
                outerSource: IPv6Address(mapping: IPv4Address(bits: message.source)),
                outerTOS: message.tos,
                outerInterface: message.interface
            )
            arrivals.add(frame, end: buffer + BufferPool.capacity, datagramSize: message.size, ring)
        }
        arrivals.handOver(ring)
        let frames = (0..<ring.count).map { index in
            let frame = ring[index].pointee
            return Received(
                bytes: Array(UnsafeRawBufferPointer(start: frame.bytes, count: frame.length)),
                offload: frame.offload,
                source: frame.outerSource,
                tos: frame.outerTOS,
                interface: frame.outerInterface
            )
        }
        return (frames, ring.unreadable)
    }

    /// TCP in VXLAN, cut into packets of `size` bytes of payload.
    private static func packets(_ payload: [UInt8], _ size: Int, vni: UInt8 = 42) -> [[UInt8]] {
        stride(from: 0, to: payload.count, by: size).map { at in
            let end = min(at + size, payload.count)
            var frame = TestFrame.tcp(Array(payload[at..<end]), partial: true)
            frame.withUnsafeMutableBytes { raw in
                let bytes = raw.baseAddress!
                bytes.set16(18, UInt16(7 + at / size))
                Checksum.write(ipv4Header: bytes + 14, length: 20)
                bytes.set32(38, UInt32(1_000 + at))
                bytes.set8(47, end == payload.count ? 0x18 : 0x10)
                _ = PartialChecksum.complete(bytes, raw.count, start: 34, offset: 16)
            }
            return [8, 0, 0, 0, 0, 0, vni, 0] + frame
        }
    }

    @Test func oneMessageIsOneFrame() {
        for (length, size) in [
            (60_000, 1_398), (2_796, 1_398), (1_399, 1_398), (1_398, 1_398), (100, 1_398), (9_000, 100),
        ] {
            let payload = TestFrame.pattern(length)
            let packets = Self.packets(payload, size)
            let (frames, unreadable) = Self.frames([Message(bytes: packets.flatMap { $0 }, size: packets[0].count)])
            #expect(frames.count == 1 && unreadable == 0)
            guard packets.count > 1 else {
                #expect(frames[0].bytes == packets[0] && frames[0].offload == .none)
                continue
            }
            let isWhole = frames[0].bytes == TestFrame.vxlan + TestFrame.tcp(payload, partial: true)
            #expect(isWhole && frames[0].offload == TestFrame.superTCP(UInt16(size), 8))
        }
    }

    /// A sender on this machine may leave UDP in VXLAN to be cut: one packet, with a word about the size.
    @Test func segmentsOfUDPInsideStayTogether() {
        let packet = TestFrame.vxlan + TestFrame.udp(TestFrame.pattern(36_000), partial: true)
        let (frames, unreadable) = Self.frames([Message(bytes: packet, size: 1_200)])
        #expect(frames.map(\.bytes) == [packet] && unreadable == 0)
        var expected = TestFrame.partialUDP(8)
        expected.gsoType = Offload.gsoUDP
        expected.gsoSize = 1_200
        expected.headerLength = 50
        #expect(frames.first?.offload == expected)
        // Many packets of which each is whole: what is in them is not looked at together.
        let small = TestFrame.vxlan + TestFrame.udp(TestFrame.pattern(100), partial: true)
        let apart = Self.frames([Message(bytes: small + small + small, size: small.count)])
        #expect(apart.frames.map(\.bytes) == [small, small, small] && apart.frames.allSatisfy { $0.offload == .none })
        // Lengths that contradict each other, byte by byte.
        for place in 0..<50 {
            for bit in [1, 0x80] as [UInt8] {
                var wrong = packet
                wrong[place] ^= bit
                for frame in Self.frames([Message(bytes: wrong, size: 1_200)]).frames where frame.offload != .none {
                    #expect(frame.bytes == wrong && frame.offload == expected, "\(place)")
                }
            }
        }
    }

    /// Messages that follow on each other are put together too, those with many datagrams and those with one.
    @Test func neighboursAreOneFrame() {
        let payload = TestFrame.pattern(64_000)
        let packets = Self.packets(payload, 1_400)
        for split in [1, 2, 20, 44, 45] {
            let first = Message(bytes: packets[..<split].flatMap { $0 }, size: packets[0].count)
            let second = Message(bytes: packets[split...].flatMap { $0 }, size: packets[split].count)
            let (frames, _) = Self.frames([first, second])
            #expect(frames.count == 1)
            let isWhole = frames[0].bytes == TestFrame.vxlan + TestFrame.tcp(payload, partial: true)
            #expect(isWhole && frames[0].offload == TestFrame.superTCP(1_400, 8))
        }
        let (frames, _) = Self.frames(packets[..<32].map { Message(bytes: $0) })
        #expect(frames.count == 1 && frames[0].bytes.count == 62 + 32 * 1_400)
    }

    /// Another peer, type of service, interface or network is another packet.
    @Test func strangersStayApart() {
        let packets = Self.packets(TestFrame.pattern(3_000), 1_000)
        func count(_ change: (inout Message) -> Void) -> [Int] {
            var messages = packets.map { Message(bytes: $0) }
            change(&messages[1])
            let (frames, _) = Self.frames(messages)
            // Nothing is lost and nothing overtakes.
            #expect(frames.flatMap { $0.bytes[62...] } == messages.flatMap { $0.bytes[62...] })
            return frames.map(\.bytes.count)
        }
        #expect(count { _ in } == [3_062])
        #expect(count { $0.source = 2 } == [1_062, 1_062, 1_062])
        #expect(count { $0.tos = 1 } == [1_062, 1_062, 1_062])
        #expect(count { $0.interface = 2 } == [1_062, 1_062, 1_062])
        #expect(count { $0.bytes[6] ^= 1 } == [1_062, 1_062, 1_062])
        #expect(count { $0.bytes[1_061] ^= 1 } == [1_062, 1_062, 1_062], "a wrong checksum")
        #expect(count { $0.bytes[0] ^= 0x80 } == [1_062, 1_062, 1_062])
        let kept = Self.frames(packets.map { Message(bytes: $0) }, flags: PortIO.Flags.keepsSegments)
        #expect(kept.frames.map(\.bytes) == packets)
    }

    /// A wrong packet in the middle of a message stays what it is, and so do those around it.
    @Test func aWrongPacketSplitsAMessage() {
        let packets = Self.packets(TestFrame.pattern(9_000), 1_000)
        for wrong in 0..<9 {
            var bytes = packets
            bytes[wrong][500] ^= 4
            let (frames, _) = Self.frames([Message(bytes: bytes.flatMap { $0 }, size: bytes[0].count)])
            let expected = [wrong, 1, 8 - wrong].filter { $0 > 0 }.map { 62 + 1_000 * $0 }
            #expect(frames.map(\.bytes.count) == expected)
            let alone = frames.first { $0.bytes == bytes[wrong] }
            #expect(alone?.offload == Offload.none)
            #expect(frames.flatMap { $0.bytes[62...] } == bytes.flatMap { $0[62...] })
        }
    }

    /// A message is taken apart by what the kernel says, whatever is in it; more datagrams than the kernel ever puts into
    /// one are none.
    @Test func anySizeIsTaken() {
        let bytes = TestFrame.pattern(1_280)
        for size in [10, 11, 100, 639, 640, 1_279] {
            let (frames, unreadable) = Self.frames([Message(bytes: bytes, size: size)])
            #expect(unreadable == 0 && frames.count == (1_280 + size - 1) / size)
            #expect(frames.flatMap(\.bytes) == bytes && frames.dropLast().allSatisfy { $0.bytes.count == size })
        }
        for size in [1_280, 1_281, 0] {
            let (frames, unreadable) = Self.frames([Message(bytes: bytes, size: size)])
            #expect(unreadable == 0 && frames.map(\.bytes) == [bytes])
        }
        for size in [1, 9] {
            let (frames, unreadable) = Self.frames([Message(bytes: bytes, size: size)])
            #expect(unreadable == 1 && frames.isEmpty)
        }
        let full = Message(bytes: TestFrame.pattern(128), size: 1)
        let (frames, _) = Self.frames(Array(repeating: full, count: 32))
        #expect(frames.count == 32 * 128 && frames.flatMap(\.bytes) == (0..<32).flatMap { _ in full.bytes })
    }

    /// Protocols that carry datagrams, and one that carries nothing that we know.
    @Test func otherTunnels() {
        let packets = Self.packets(TestFrame.pattern(3_000), 1_000).map { Array($0[22...]) }
        let gre: [UInt8] = [0x20, 0, 8, 0, 0, 0, 0, 7]
        let checked: [UInt8] = [0x80, 0, 8, 0, 0, 0, 0, 0]
        let numbered: [UInt8] = [0x10, 0, 8, 0, 0, 0, 0, 0]
        for (number, header, count) in [
            (IPProtocol.ipv4, [], 1), (IPProtocol.gre, gre, 1), (IPProtocol.gre, Array(TestFrame.gre[..<8]), 3),
            (IPProtocol.gre, checked, 3), (IPProtocol.gre, numbered, 3), (IPProtocol.ipv6, [], 3), (94, [], 3),
            (IPProtocol.udp, [], 3),
        ] as [(UInt8, [UInt8], Int)] {
            let (frames, _) = Self.frames(packets.map { Message(bytes: header + $0) }, protocol: number)
            #expect(frames.count == count, "\(number) \(header)")
            #expect(frames.flatMap { $0.bytes[(header.count + 40)...] } == TestFrame.pattern(3_000))
            guard count == 1 else { continue }
            #expect(frames[0].offload == TestFrame.superTCP(1_000, header.count - 14))
        }
        let inEthernet = Self.packets(TestFrame.pattern(3_000), 1_000).map { TestFrame.gre + $0[8...] }
        #expect(Self.frames(inEthernet.map { Message(bytes: $0) }, protocol: IPProtocol.gre).frames.count == 1)
        let six = stride(from: 0, to: 3_000, by: 1_000).map { at in
            var packet = TestFrame.tcp6(Array(TestFrame.pattern(3_000)[at..<(at + 1_000)]), partial: true)
            packet.withUnsafeMutableBytes { raw in
                raw.baseAddress!.set32(44, UInt32(1_000 + at))
                raw.baseAddress!.set8(53, at == 2_000 ? 0x18 : 0x10)
                _ = PartialChecksum.complete(raw.baseAddress!, raw.count, start: 40, offset: 16)
            }
            return packet
        }
        let whole = Self.frames(six.map { Message(bytes: $0) }, protocol: IPProtocol.ipv6).frames
        #expect(whole.count == 1 && whole[0].bytes == TestFrame.tcp6(TestFrame.pattern(3_000), partial: true))
        #expect(whole[0].offload.gsoType == Offload.gsoTCPv6 && whole[0].offload.checksumStart == 40)
    }
}
