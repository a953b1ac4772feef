import CLinux
import Glibc
import Testing
import Wire

@testable import Ports
@testable import Rings

/// Tunnels that stand directly on IP: GRE, and IP in IP.
@Suite struct RawSocketTests {
    static func link(
        _ bench: Bench,
        _ left: Namespace,
        _ right: Namespace,
        isIPv6: Bool,
        protocol: UInt8 = IPProtocol.gre
    ) throws -> VXLANSocketTests.Link {
        let kind: PortKind = isIPv6 ? .raw6 : .raw4
        left.enter()
        let near = IPAddress(isIPv6 ? "2001:db8::1" : "192.0.2.1")!
        let here = try bench.add(kind, [try RawSocket.open(address: near, protocol: `protocol`)])
        right.enter()
        let far = IPAddress(isIPv6 ? "2001:db8::2" : "192.0.2.2")!
        let there = try bench.add(kind, [try RawSocket.open(address: far, protocol: `protocol`)])
        return VXLANSocketTests.Link(
            left: here,
            right: there,
            source: isIPv6 ? .left6 : .left,
            destination: isIPv6 ? .right6 : .right,
            overhead: 0
        )
    }

    private func packet(_ frame: [UInt8], _ link: VXLANSocketTests.Link, _ offload: Offload = .none) -> Outgoing {
        Outgoing(
            header: TestFrame.gre,
            payload: frame,
            offload: offload,
            tos: 0xB9,
            destination: link.destination,
            port: 0
        )
    }

    @Test(arguments: [false, true])
    func packetsArriveWithoutTheirOuterHeader(isIPv6: Bool) throws {
        try withPair { left, right in
            let bench = Bench()
            let link = try Self.link(bench, left, right, isIPv6: isIPv6)
            let wire = try bench.add(.packet, [try PacketSocket.open(interfaceIndex: try index(of: "right"))])
            let frames = (0..<100).map { TestFrame.udp(TestFrame.pattern($0 * 10)) }
            let result = bench.send(link.left, frames.map { packet($0, link) })
            #expect(result.frames == 100 && result.failures == 0)
            let arrived = bench.receive(link.right, count: 100)
            #expect(arrived.map(\.bytes) == frames.map { TestFrame.gre + $0 })
            #expect(arrived.allSatisfy { $0.source == link.source && $0.tos == 0xB9 })
            let number = UInt32(try index(of: "right"))
            #expect(arrived.allSatisfy { $0.interface == number })
            let seen = bench.receive(wire, count: 100) { $0.bytes.count > 60 && $0.bytes[isIPv6 ? 20 : 23] == 47 }
            #expect(seen.count == 100)
            if isIPv6 {
                #expect(seen.allSatisfy { $0.bytes[21] == 64 })
            } else {
                #expect(seen.allSatisfy { $0.bytes[20] == 0x40 && $0.bytes[21] == 0 && $0.bytes[22] == 64 })
            }
        }
    }

    /// Every protocol number comes by its own socket, with the outer header taken off, whatever it carries; one number
    /// is never taken for another.
    @Test(arguments: [false, true])
    func eachProtocolHasItsSocket(isIPv6: Bool) throws {
        try withPair { left, right in
            let bench = Bench()
            let wire = try bench.add(.packet, [try PacketSocket.open(interfaceIndex: try index(of: "left"))])
            let numbers = [IPProtocol.ipv4, IPProtocol.ipv6, IPProtocol.gre, IPProtocol.ka9qIPIP]
            let links = try numbers.map { try Self.link(bench, left, right, isIPv6: isIPv6, protocol: $0) }
            right.enter()
            let inner4 = Array(TestFrame.udp(TestFrame.pattern(300))[14...])
            let inner6: [UInt8] = [0x60, 0, 0, 0, 0, 9, 59, 64] + TestFrame.pattern(32) + TestFrame.pattern(9)
            for (number, link) in zip(numbers, links) {
                let contents = [inner4, inner6, [0xFF], TestFrame.pattern(1_400)]
                let result = bench.send(
                    link.left,
                    contents.map {
                        Outgoing(
                            header: [$0[0]],
                            payload: Array($0[1...]),
                            tos: 3,
                            destination: link.destination,
                            port: 0,
                            tunnel: 0
                        )
                    }
                )
                #expect(result.frames == 4 && result.failures == 0)
                let arrived = bench.receive(link.right, count: 4)
                let isSame = arrived.map(\.bytes) == contents
                #expect(isSame)
                #expect(arrived.allSatisfy { $0.source == link.source && $0.tos == 3 && $0.offload == .none })
                for other in links where other.right != link.right { #expect(bench.receive(other.right).isEmpty) }

                // The other way, with an outer header of our own making: ten numbers, of which one is heard.
                let outer = (0..<10).map { number &- 5 &+ UInt8($0) }.map { guess in
                    Self.frame(guess, TestFrame.pattern(20, seed: Int(guess)), isIPv6: isIPv6)
                }
                let back = try bench.add(.packet, [try PacketSocket.open(interfaceIndex: try index(of: "right"))])
                bench.send(back, outer.map { Outgoing(payload: $0) })
                #expect(bench.receive(link.left, count: 1).map(\.bytes) == [TestFrame.pattern(20, seed: Int(number))])
                #expect(bench.receive(link.left).isEmpty)
            }
            // What the right end sent by hand came by the device; numbers without a socket reached nobody.
            #expect(bench.receive(wire, count: 40) { $0.bytes.count > 33 }.count >= 40)
        }
    }

    /// A packet from the right end to the left one with any protocol number.
    private static func frame(_ number: UInt8, _ content: [UInt8], isIPv6: Bool) -> [UInt8] {
        var frame = TestFrame.ethernet([2, 0, 0, 0, 0x0A, 1])
        guard isIPv6 else { return frame + TestFrame.ipv4((0xC000_0202, 0xC000_0201), number, content.count) + content }
        frame[12...13] = [0x86, 0xDD]
        frame += [0x60, 0, 0, 0] + TestFrame.be(UInt16(content.count)) + [number, 64]
        for last in [2, 1] as [UInt8] { frame += [0x20, 1, 0x0D, 0xB8] + Array(repeating: 0, count: 11) + [last] }
        return frame + content
    }

    /// What stands behind the end of the outer datagram never reaches a tenant.
    @Test func trailingBytesAreCutOff() throws {
        try withPair { left, right in
            let bench = Bench()
            let link = try Self.link(bench, left, right, isIPv6: false)
            left.enter()
            let wire = try bench.add(.packet, [try PacketSocket.open(interfaceIndex: try index(of: "left"))])
            let inner = TestFrame.gre + TestFrame.udp([1, 2, 3])
            var packet = TestFrame.ethernet([2, 0, 0, 0, 0x0A, 2])
            packet += TestFrame.ipv4((0xC000_0201, 0xC000_0202), IPProtocol.gre, inner.count) + inner
            bench.send(wire, [Outgoing(payload: packet + [0xAA, 0xBB, 0xCC]), Outgoing(payload: packet)])
            #expect(bench.receive(link.right, count: 2).map(\.bytes) == [inner, inner])
        }
    }

    @Test(arguments: [false, true])
    func superFramesAreCut(isIPv6: Bool) throws {
        try withPair { left, right in
            let bench = Bench()
            let link = try Self.link(bench, left, right, isIPv6: isIPv6)
            bench.ports[Int(link.right)].flags |= PortIO.Flags.keepsSegments
            for (length, size) in [(60_000, 1_378), (20_000, 200), (100, 1_378)] {
                let payload = TestFrame.pattern(length)
                let result = bench.send(
                    link.left,
                    [packet(TestFrame.tcp(payload, partial: true), link, TestFrame.superTCP(UInt16(size), 8))]
                )
                #expect(result.frames == 1 && result.superFrames == 1 && result.failures == 0, "\(result)")
                let arrived = bench.receive(link.right, count: (length + size - 1) / size)
                #expect(arrived.allSatisfy { Array($0.bytes[..<8]) == TestFrame.gre && $0.tos == 0xB9 })
                #expect(arrived.allSatisfy { VXLANSocketTests.transportChecksumIsRight(Array($0.bytes[8...])) })
                #expect(arrived.flatMap { $0.bytes[62...] } == payload)
            }
            let partial = packet(TestFrame.udp([1, 2, 3], partial: true), link, TestFrame.partialUDP(8))
            #expect(bench.send(link.left, [partial]).frames == 1)
            #expect(bench.receive(link.right, count: 1).map(\.bytes) == [TestFrame.gre + TestFrame.udp([1, 2, 3])])
        }
    }

    /// Whatever the tenant left undone is finished behind each tunnel header, and the checksum of GRE over all of it
    /// (RFC 2784 §2.5), wherever the message is cut into pieces.
    @Test func checksumsOfGRE() throws {
        try withPair { left, right in
            let bench = Bench()
            let link = try Self.link(bench, left, right, isIPv6: false)
            for (header, isDatagram) in [(Self.greEthernet, false), (Self.greIP, true), (Self.greKeyless, true)] {
                for count in [0, 1, 2, 99, 1_000] {
                    let skip = isDatagram ? 14 : 0
                    let payload = TestFrame.pattern(count)
                    let open = header + TestFrame.udp(payload, partial: true)[skip...]
                    let whole = header + TestFrame.udp(payload)[skip...]
                    let field = header.count + 40 - skip
                    let cuts = [header.count, header.count + 13, field - 1, field, field + 1, field + 2, open.count]
                    let frames = cuts.filter { $0 <= min(open.count, 104) }.flatMap { cut in
                        [true, false].map { isOpen in
                            Outgoing(
                                header: Array((isOpen ? open : whole)[..<cut]),
                                payload: Array((isOpen ? open : whole)[cut...]),
                                offload: isOpen ? TestFrame.partialUDP(header.count - skip) : .none,
                                destination: link.destination,
                                port: 0,
                                tunnel: UInt8(header.count),
                                network: isDatagram ? EtherType.ipv4 : 0
                            )
                        }
                    }
                    #expect(Int(bench.send(link.left, frames).frames) == frames.count)
                    let arrived = bench.receive(link.right, count: frames.count)
                    #expect(arrived.count == frames.count)
                    for packet in arrived { #expect(Self.withoutGREChecksum(packet.bytes) == whole) }
                }
            }
        }
    }

    private static let greEthernet: [UInt8] = [0xA0, 0, 0x65, 0x58, 0, 0, 0, 0, 0, 0, 0, 42]
    private static let greKeyless: [UInt8] = [0x80, 0, 0x08, 0x00, 0, 0, 0, 0]
    private static let greIP: [UInt8] = [0xA0, 0, 0x08, 0x00, 0, 0, 0, 0, 0, 0, 0, 42]

    /// The packet with zero in the checksum's place, or nil if it was wrong.
    private static func withoutGREChecksum(_ packet: [UInt8]) -> [UInt8]? {
        let isRight = packet.withUnsafeBytes { raw in
            let header = GREHeader.parse(raw.baseAddress!, raw.count)
            return header.problem == .none && header.hasChecksum && header.checksumIsValid(raw.baseAddress!, raw.count)
        }
        return isRight ? packet[..<4] + [0, 0] + packet[6...] : nil
    }

    /// A bare super-datagram becomes bare datagrams: in IPIP, and in GRE with and without a checksum.
    @Test(arguments: [[], [0, 0, 0x08, 0x00], greIP] as [[UInt8]], [false, true])
    func superDatagramsAreCut(header: [UInt8], isIPv6: Bool) throws {
        try withPair { left, right in
            let bench = Bench()
            let number = header.isEmpty ? IPProtocol.ipv4 : IPProtocol.gre
            let link = try Self.link(bench, left, right, isIPv6: isIPv6, protocol: number)
            for (length, size) in [(60_000, 1_400), (19_999, 333), (19_999, 1_400), (100, 1_400)] {
                let payload = TestFrame.pattern(length)
                let datagram = Array(TestFrame.tcp(payload, partial: true)[14...])
                // Part of the datagram's header stands with the tunnel's, as when a router has written it anew.
                let frame = Outgoing(
                    header: header + datagram[..<20],
                    payload: Array(datagram[20...]),
                    offload: TestFrame.superTCP(UInt16(size), header.count - 14),
                    destination: link.destination,
                    port: 0,
                    tunnel: UInt8(header.count),
                    network: EtherType.ipv4
                )
                bench.ports[Int(link.right)].flags |= PortIO.Flags.keepsSegments
                let result = bench.send(link.left, [frame])
                #expect(result.frames == 1 && result.superFrames == 1 && result.failures == 0, "\(result)")
                let arrived = bench.receive(link.right, count: (length + size - 1) / size)
                let packets = arrived.map { header.first == 0xA0 ? Self.withoutGREChecksum($0.bytes) ?? [] : $0.bytes }
                #expect(packets.allSatisfy { Array($0.prefix(header.count)) == header })
                let ethernet = TestFrame.ethernet([2, 0, 0, 0, 0, 2])
                for packet in packets {
                    let inner = ethernet + packet.dropFirst(header.count)
                    #expect(VXLANSocketTests.transportChecksumIsRight(inner))
                }
                let data = packets.flatMap { $0.dropFirst(header.count + 40) }
                #expect(data == payload)

                // What came together is one datagram again, unless a checksum ties each packet to itself.
                guard length < 40_000, header.first != 0xA0 else { continue }
                bench.ports[Int(link.right)].flags = 0
                bench.ports[Int(link.right)].receiveBatch = 32
                bench.send(link.left, [frame])
                let whole = bench.receive(link.right, count: (length / size + 32) / 32)
                let parts = whole.flatMap { $0.bytes.dropFirst(header.count + 40) }
                #expect(parts == payload)
                #expect(whole.count == (length / size + 32) / 32)
                guard whole.count == 1, length > size else { continue }
                #expect(whole[0].bytes == header + datagram && whole[0].offload == frame.offload)
            }
        }
    }

    @Test func everyFailureHasItsKind() throws {
        try withPair { left, right in
            let bench = Bench()
            let link = try Self.link(bench, left, right, isIPv6: false)
            var nowhere = link
            nowhere.destination = IPv6Address(mapping: IPv4Address("198.51.100.1")!)
            var family = link
            family.destination = .right6
            let frame = TestFrame.udp(TestFrame.pattern(100))
            let result = bench.send(
                link.left,
                [
                    packet(frame, link), packet(frame, nowhere), packet(frame, link), packet(frame, family),
                    packet(TestFrame.udp(TestFrame.pattern(1_500)), link), packet(frame, link),
                    packet(TestFrame.tcp(TestFrame.pattern(3_000), partial: true), link, TestFrame.superTCP(1_460, 8)),
                ]
            )
            #expect(result.frames == 3 && result.unreachable == 1 && result.refused == 1 && result.tooBig == 2)
            #expect(bench.receive(link.right, count: 3).count == 3)
            let foreign = #expect(throws: PortError.self) {
                try RawSocket.open(address: IPAddress("192.0.2.77")!, protocol: IPProtocol.gre)
            }
            #expect(foreign?.code == EADDRNOTAVAIL)
        }
    }

    @Test func stripsOnlyWhatIsAHeader() {
        func strip(_ bytes: [UInt8]) -> [UInt8]? {
            var bytes = bytes
            return bytes.withUnsafeMutableBytes { raw in
                var frame = Frame(bytes: raw.baseAddress!, length: raw.count, endpoint: 0)
                guard PortEngine.stripIPv4(&frame) else { return nil }
                return Array(UnsafeRawBufferPointer(start: frame.bytes, count: frame.length))
            }
        }
        let good = TestFrame.ipv4((1, 2), 47, 5) + [1, 2, 3, 4, 5]
        #expect(strip(good) == [1, 2, 3, 4, 5])
        for count in 1..<good.count { #expect(strip(Array(good[..<count])) == nil) }
        for first in UInt8(0x40)...0x4F where first != 0x45 {
            let shown = strip([first] + good[1...])
            #expect(first == 0x46 ? shown == [5] : shown == nil)
        }
    }
}
