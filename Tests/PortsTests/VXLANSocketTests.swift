import CLinux
import Glibc
import Testing
import Wire

@testable import Ports
@testable import Rings

@Suite struct VXLANSocketTests {
    /// A VTEP at each end of a veth pair, over IPv4 or IPv6.
    struct Link {
        var left: UInt32
        var right: UInt32
        /// What the right end sees as source, and the left end sends to.
        var source: IPv6Address
        var destination: IPv6Address
        var overhead: Int
    }

    static func link(_ bench: Bench, _ left: Namespace, _ right: Namespace, isIPv6: Bool) throws -> Link {
        let kind: PortKind = isIPv6 ? .vxlan6 : .vxlan4
        left.enter()
        let here = try bench.add(
            kind,
            try VXLANSocket.open(address: IPAddress(isIPv6 ? "2001:db8::1" : "192.0.2.1")!)
        )
        right.enter()
        let there = try bench.add(
            kind,
            try VXLANSocket.open(address: IPAddress(isIPv6 ? "2001:db8::2" : "192.0.2.2")!)
        )
        return Link(
            left: here,
            right: there,
            source: isIPv6 ? .left6 : .left,
            destination: isIPv6 ? .right6 : .right,
            overhead: isIPv6 ? 70 : 50
        )
    }

    @Test(arguments: [false, true])
    func packetsArriveWithTheirOuterHeader(isIPv6: Bool) throws {
        try withPair { left, right in
            let bench = Bench()
            let link = try Self.link(bench, left, right, isIPv6: isIPv6)
            let frame = TestFrame.udp(TestFrame.pattern(300))
            let result = bench.send(
                link.left,
                (0..<100).map {
                    Outgoing(
                        header: TestFrame.vxlan,
                        payload: frame,
                        tos: UInt8($0),
                        flow: UInt32($0),
                        destination: link.destination
                    )
                }
            )
            #expect(result.frames == 100 && result.failures == 0 && result.bytes == UInt64(100 * (frame.count + 8)))
            let arrived = bench.receive(link.right, count: 100)
            #expect(arrived.allSatisfy { $0.bytes == TestFrame.vxlan + frame && $0.source == link.source })
            #expect(Set(arrived.map(\.tos)) == Set(0..<100))
            #expect(arrived.allSatisfy { Int32($0.interface) == (try? index(of: "right")) })
            #expect(arrived.allSatisfy { $0.offload == .none })
        }
    }

    /// Looks at the packets on the wire: DF, TTL, source ports, checksum (RFC 7348 §5).
    @Test(arguments: [false, true])
    func outerHeaders(isIPv6: Bool) throws {
        try withPair { left, right in
            let bench = Bench()
            let link = try Self.link(bench, left, right, isIPv6: isIPv6)
            let wire = try bench.add(.packet, [try PacketSocket.open(interfaceIndex: try index(of: "right"))])
            let frames = (0..<64).map {
                Outgoing(
                    header: TestFrame.vxlan,
                    payload: TestFrame.udp([UInt8($0)]),
                    flow: UInt32($0),
                    destination: link.destination
                )
            }
            bench.send(link.left, frames)
            bench.send(link.left, frames)
            let isUDP = { (frame: Received) in
                frame.bytes.count > 60 && frame.bytes[isIPv6 ? 20 : 23] == IPProtocol.udp
            }
            let seen = bench.receive(wire, count: 128, where: isUDP)
            try #require(seen.count == 128)
            var portsOfFlow: [Int: Set<UInt16>] = [:]
            for packet in seen {
                let transport = isIPv6 ? 54 : 34
                if isIPv6 {
                    #expect(packet.bytes[21] == 64)
                } else {
                    #expect(packet.bytes[20] == 0x40 && packet.bytes[21] == 0, "DF, no fragment")
                    #expect(packet.bytes[22] == 64)
                    #expect(packet.bytes[transport + 6] == 0 && packet.bytes[transport + 7] == 0, "no checksum")
                }
                let bytes = packet.bytes.withUnsafeBytes {
                    ($0.baseAddress!.be16(transport), $0.baseAddress!.be16(transport + 2))
                }
                #expect(bytes.0 >= 49_152 && bytes.1 == 4789)
                portsOfFlow[Int(packet.bytes.last!), default: []].insert(bytes.0)
            }
            #expect(portsOfFlow.count == 64 && portsOfFlow.values.allSatisfy { $0.count == 1 })
            #expect(portsOfFlow.values.reduce(into: Set()) { $0.formUnion($1) }.count == 8)
        }
    }

    /// Wherever the header ends: in front of the checksum field, behind it, between its two bytes. The payload is not
    /// written (`Bench.send` compares it).
    @Test func unfinishedChecksumsAreCompleted() throws {
        try withPair { left, right in
            let bench = Bench()
            let link = try Self.link(bench, left, right, isIPv6: false)
            for count in [0, 1, 2, 99, 1_000] {
                let payload = TestFrame.pattern(count)
                let open = TestFrame.vxlan + TestFrame.udp(payload, partial: true)
                let frames = [8, 12, 22, 42, 47, 48, 49, 50, 51, open.count].filter { $0 <= open.count }.map {
                    Outgoing(
                        header: Array(open[..<min($0, 104)]),
                        payload: Array(open[min($0, 104)...]),
                        offload: TestFrame.partialUDP(8),
                        destination: link.destination
                    )
                }
                #expect(Int(bench.send(link.left, frames).frames) == frames.count)
                let arrived = bench.receive(link.right, count: frames.count)
                #expect(arrived.count == frames.count)
                #expect(arrived.allSatisfy { $0.bytes == TestFrame.vxlan + TestFrame.udp(payload) })
            }
        }
    }

    /// A TCP super-frame becomes segments that a receiver without any offload understands, and the same ones whether the
    /// kernel repeats the outer header or we do.
    @Test(arguments: [false, true], [0, PortIO.Flags.noUDPSegments])
    func superFramesAreCut(isIPv6: Bool, flags: UInt32) throws {
        try withPair { left, right in
            let bench = Bench()
            let link = try Self.link(bench, left, right, isIPv6: isIPv6)
            bench.ports[Int(link.left)].flags |= flags
            bench.ports[Int(link.right)].flags |= PortIO.Flags.keepsSegments
            for (length, size) in [(60_000, 1_378), (64_000, 1_000), (5_000, 1_378), (1_000, 1_378), (20_000, 200)] {
                let payload = TestFrame.pattern(length)
                let frame = TestFrame.tcp(payload, partial: true)
                let result = bench.send(
                    link.left,
                    [
                        Outgoing(
                            header: TestFrame.vxlan,
                            payload: frame,
                            offload: TestFrame.superTCP(UInt16(size), 8),
                            tos: 2,
                            flow: 3,
                            destination: link.destination
                        )
                    ]
                )
                #expect(result.frames == 1 && result.superFrames == 1 && result.failures == 0, "\(result)")
                let expected = (length + size - 1) / size
                let arrived = bench.receive(link.right, count: expected)
                #expect(arrived.count == expected)
                var data: [UInt8] = []
                for (number, packet) in arrived.enumerated() {
                    #expect(Array(packet.bytes[..<8]) == TestFrame.vxlan && packet.tos == 2)
                    let inner = Array(packet.bytes[8...])
                    let parsed = inner.withUnsafeBytes { ParsedFrame($0.baseAddress!, $0.count) }
                    #expect(parsed.endOffset == inner.count && parsed.has(.transportHeader))
                    #expect(inner.withUnsafeBytes { $0.baseAddress!.be32(38) } == UInt32(1_000 + number * size))
                    #expect(Self.transportChecksumIsRight(inner))
                    data += inner[54...]
                }
                #expect(data == payload)
            }
            #expect(bench.ports[Int(link.left)].flags == flags, "UDP_SEGMENT was given up")
        }
    }

    /// Between two switches a super-frame arrives as it was sent, however the kernel carried it: as one datagram, or as
    /// many that come together.
    @Test(arguments: [false, true], [0, PortIO.Flags.noUDPSegments])
    func superFramesArriveWhole(isIPv6: Bool, flags: UInt32) throws {
        try withPair { left, right in
            let bench = Bench()
            let link = try Self.link(bench, left, right, isIPv6: isIPv6)
            bench.ports[Int(link.left)].flags |= flags
            bench.ports[Int(link.right)].receiveBatch = 32
            // 45 segments of 1 440 bytes are the most that one datagram takes, 32 messages the most of one burst.
            let most = flags == 0 ? 45 : 32
            for (length, size) in [(most * 1_378, 1_378), (30_001, 1_378), (1_379, 1_378), (5_000, 200)] {
                let frame = TestFrame.tcp(TestFrame.pattern(length), partial: true)
                let packet = Outgoing(
                    header: TestFrame.vxlan,
                    payload: frame,
                    offload: TestFrame.superTCP(UInt16(size), 8),
                    tos: 2,
                    flow: 3,
                    destination: link.destination
                )
                #expect(bench.send(link.left, [packet]).superFrames == 1)
                let arrived = bench.receive(link.right, count: 1)
                #expect(arrived.count == 1 && arrived.first?.offload == packet.offload)
                let isSame = arrived.first?.bytes == TestFrame.vxlan + frame
                #expect(isSame && arrived.first?.tos == 2 && arrived.first?.source == link.source)
                #expect(bench.receive(link.right).isEmpty)
            }
        }
    }

    /// Tenants' UDP super-frames and whatever else comes in one message are datagrams again.
    @Test func otherDatagramsAreTakenApart() throws {
        try withPair { left, right in
            let bench = Bench()
            let link = try Self.link(bench, left, right, isIPv6: false)
            let payload = TestFrame.pattern(50_500)
            let offload = Offload(
                flags: 1,
                gsoType: Offload.gsoUDP,
                headerLength: 50,
                gsoSize: 1_000,
                checksumStart: 42,
                checksumOffset: 6
            )
            let frame = Outgoing(
                header: TestFrame.vxlan,
                payload: TestFrame.udp(payload, partial: true),
                offload: offload,
                destination: link.destination
            )
            #expect(bench.send(link.left, [frame, frame]).superFrames == 2)
            let arrived = bench.receive(link.right, count: 102)
            let sizes = Array(repeating: 1_050, count: 50) + [550]
            #expect(arrived.map(\.bytes.count) == sizes + sizes)
            #expect(arrived.flatMap { $0.bytes[50...] } == payload + payload)
            #expect(arrived.allSatisfy { $0.offload == .none && Array($0.bytes[..<8]) == TestFrame.vxlan })
        }
    }

    /// A socket without UDP checksums refuses UDP_SEGMENT, as other kernels do for reasons of their own: the frame goes
    /// out in single datagrams, and the next one does not ask again.
    @Test func doesWithoutUDPSegments() throws {
        try withPair { left, right in
            let bench = Bench()
            let link = try Self.link(bench, left, right, isIPv6: false)
            for flow in 0..<8 {
                let fd = bench.ports[Int(link.left)].segmentSocket(flow)
                #expect(linux_set_option(fd, Int32(LINUX_SOL_SOCKET), Int32(LINUX_SO_NO_CHECK), 1) == 0)
            }
            bench.ports[Int(link.right)].flags |= PortIO.Flags.keepsSegments
            let payload = TestFrame.pattern(60_000)
            let frame = Outgoing(
                header: TestFrame.vxlan,
                payload: TestFrame.tcp(payload, partial: true),
                offload: TestFrame.superTCP(1_378, 8),
                destination: link.destination
            )
            for _ in 0..<2 {
                #expect(bench.send(link.left, [frame]).superFrames == 1)
                let arrived = bench.receive(link.right, count: 44)
                #expect(arrived.flatMap { $0.bytes[62...] } == payload)
                #expect(bench.ports[Int(link.left)].flags == PortIO.Flags.noUDPSegments)
            }
        }
    }

    static func transportChecksumIsRight(_ frame: [UInt8]) -> Bool {
        frame.withUnsafeBytes { raw in
            let bytes = raw.baseAddress!
            let length = raw.count - 34
            let sum = Checksum.sum(
                bytes + 34,
                length,
                Checksum.pseudoIPv4(bytes + 14, protocol: bytes.byte(23), length: length)
            )
            return Checksum.fold(sum) == 0xFFFF && Checksum.isValid(ipv4Header: bytes + 14, length: 20)
        }
    }

    /// Small frames and super-frames of one flow stay in order.
    @Test func aFlowKeepsItsOrder() throws {
        try withPair { left, right in
            let bench = Bench()
            let link = try Self.link(bench, left, right, isIPv6: false)
            bench.ports[Int(link.right)].flags |= PortIO.Flags.keepsSegments
            var frames: [Outgoing] = []
            for number in 0..<30 {
                let payload = TestFrame.pattern(number % 3 == 2 ? 4_000 : 100, seed: number)
                let isSuper = payload.count > 1_000
                frames.append(
                    Outgoing(
                        header: TestFrame.vxlan,
                        payload: TestFrame.tcp(payload, partial: isSuper),
                        offload: isSuper ? TestFrame.superTCP(1_000, 8) : .none,
                        flow: 5,
                        destination: link.destination
                    )
                )
            }
            #expect(bench.send(link.left, frames).frames == 30)
            let arrived = bench.receive(link.right, count: 20 + 10 * 4)
            let expected = (0..<30).flatMap { TestFrame.pattern($0 % 3 == 2 ? 4_000 : 100, seed: $0) }
            #expect(arrived.flatMap { $0.bytes[62...] } == expected)
        }
    }

    @Test func everyFailureHasItsKind() throws {
        try withPair { left, right in
            let bench = Bench()
            let link = try Self.link(bench, left, right, isIPv6: false)
            func frame(_ count: Int, _ destination: IPv6Address) -> Outgoing {
                Outgoing(
                    header: TestFrame.vxlan,
                    payload: TestFrame.udp(TestFrame.pattern(count)),
                    destination: destination
                )
            }
            let nowhere = IPv6Address(mapping: IPv4Address("198.51.100.1")!)
            let good = frame(100, link.destination)
            let result = bench.send(
                link.left,
                [good, frame(100, nowhere), good, frame(1_500, link.destination), good, frame(100, .right6), good]
            )
            #expect(result.frames == 4 && result.unreachable == 1 && result.tooBig == 1 && result.refused == 1)
            #expect(bench.receive(link.right, count: 4).count == 4)

            // Too long for the way as single datagrams too: not UDP_SEGMENT's fault.
            let long = Outgoing(
                header: TestFrame.vxlan,
                payload: TestFrame.tcp(TestFrame.pattern(9_000), partial: true),
                offload: TestFrame.superTCP(1_460, 8),
                destination: link.destination
            )
            let far = Outgoing(
                header: TestFrame.vxlan,
                payload: long.payload,
                offload: TestFrame.superTCP(1_000, 8),
                destination: nowhere
            )
            let second = bench.send(link.left, [long, far, good])
            #expect(second.frames == 1 && second.tooBig == 1 && second.unreachable == 1, "\(second)")
            #expect(bench.ports[Int(link.left)].flags == 0)
            #expect(bench.receive(link.right, count: 1).count == 1)
        }
    }

    /// A socket whose buffer is full drops and counts; the switch never waits for it.
    @Test func aFullBufferIsADrop() throws {
        try withPair { left, right in
            let bench = Bench()
            let link = try Self.link(bench, left, right, isIPv6: false)
            left.enter()
            // Packets to a neighbour that does not answer stay with the socket for a while.
            for index in 1...8 {
                let fd = bench.ports[Int(link.left)].datagramSocket(index)
                #expect(linux_set_option(fd, Int32(LINUX_SOL_SOCKET), Int32(LINUX_SO_SNDBUF), 0) == 0)
            }
            let silent = IPv6Address(mapping: IPv4Address("192.0.2.99")!)
            let frame = Outgoing(
                header: TestFrame.vxlan,
                payload: TestFrame.udp(TestFrame.pattern(1_000)),
                destination: silent
            )
            let start = linux_monotonic()
            let result = bench.send(link.left, Array(repeating: frame, count: 100))
            #expect(linux_monotonic() - start < 200_000_000)
            #expect(result.queueFull > 50 && result.frames > 0 && result.frames + result.queueFull == 100, "\(result)")
        }
    }

    /// A device that throws away what it has no room for says so, and nothing is sent twice.
    @Test func aFullDeviceIsADrop() throws {
        try withPair { left, right in
            let bench = Bench()
            let link = try Self.link(bench, left, right, isIPv6: false)
            left.enter()
            try sh("tc qdisc add dev left root tbf rate 8kbit burst 4000 limit 4000")
            let frames = (0..<20).map { number in
                Outgoing(
                    header: TestFrame.vxlan,
                    payload: TestFrame.udp(TestFrame.pattern(1_000, seed: number)),
                    destination: link.destination
                )
            }
            let result = bench.send(link.left, frames)
            #expect(result.queueFull > 5 && result.frames > 0 && result.frames + result.queueFull == 20, "\(result)")
            let whole = Outgoing(
                header: TestFrame.vxlan,
                payload: TestFrame.tcp(TestFrame.pattern(20_000), partial: true),
                offload: TestFrame.superTCP(1_000, 8),
                destination: link.destination
            )
            #expect(bench.send(link.left, [whole]).queueFull == 1)
            try sh("tc qdisc del dev left root")
            let arrived = bench.receive(link.right, count: 20).map(\.bytes)
            #expect(arrived.count == Set(arrived).count && arrived.count <= Int(result.frames))
            #expect(bench.ports[Int(link.left)].flags == 0, "UDP_SEGMENT was given up")
        }
    }

    /// Who takes messages with many datagrams asks for them.
    @Test(arguments: [false, true])
    func asksForWhatItCanTakeApart(isIPv6: Bool) throws {
        try withPair { left, right in
            let bench = Bench()
            let link = try Self.link(bench, left, right, isIPv6: isIPv6)
            let port = bench.ports[Int(link.right)]
            var value: Int32 = -1
            let level = Int32(LINUX_SOL_UDP)
            let name = Int32(LINUX_UDP_GRO)
            #expect(linux_get_option(port.receiveDescriptor, level, name, &value) == 0 && value == 1)
            let descriptors = [port.receiveDescriptor] + (0..<(isIPv6 ? 8 : 16)).map { port.transmit[$0] }
            let again = descriptors.withUnsafeBufferPointer {
                PortIO(kind: port.kind, flags: PortIO.Flags.keepsSegments, descriptors: $0)
            }
            #expect(again?.ipProtocol == IPProtocol.udp)
            #expect(linux_get_option(port.receiveDescriptor, level, name, &value) == 0 && value == 0)
        }
    }

    @Test func aSecondSwitchIsToldThatThePortIsTaken() throws {
        try withPair { _, right in
            let fds = try VXLANSocket.open(address: IPAddress("192.0.2.1")!)
            #expect(fds.count == 17)
            let taken = #expect(throws: PortError.self) { try VXLANSocket.open(address: IPAddress("192.0.2.1")!) }
            #expect(taken?.code == EADDRINUSE && taken?.description.contains("another switch") == true)
            let other = try VXLANSocket.open(address: IPAddress("2001:db8::1")!)
            #expect(other.count == 9)
            for fd in fds + other { close(fd) }
            let foreign = #expect(throws: PortError.self) { try VXLANSocket.open(address: IPAddress("192.0.2.77")!) }
            #expect(foreign?.code == EADDRNOTAVAIL && foreign?.description.contains("No interface") == true)
        }
    }

    /// What a stranger sends to one of our source ports is dropped by the kernel, not kept.
    @Test func sourcePortsTakeNothingIn() throws {
        try withPair { left, right in
            let bench = Bench()
            let link = try Self.link(bench, left, right, isIPv6: false)
            let wire = try bench.add(.packet, [try PacketSocket.open(interfaceIndex: try index(of: "right"))])
            bench.send(link.left, [Outgoing(header: TestFrame.vxlan, payload: TestFrame.udp([1]), destination: .right)])
            let sent = bench.receive(wire, count: 1) { $0.bytes.count > 60 && $0.bytes[23] == 17 }
            let port = try #require(sent.first).bytes.withUnsafeBytes { $0.baseAddress!.be16(34) }
            let stranger = try UDPSocket(port: 1234)
            for _ in 0..<10 { try stranger.send([1, 2, 3], to: 0xC000_0201, port: port) }
            for index in 0..<8 {
                var byte: UInt8 = 0
                #expect(recv(bench.ports[Int(link.left)].datagramSocket(index), &byte, 1, Int32(MSG_DONTWAIT)) == -1)
                #expect(recv(bench.ports[Int(link.left)].segmentSocket(index), &byte, 1, Int32(MSG_DONTWAIT)) == -1)
            }
            #expect(bench.receive(link.left).isEmpty)
        }
    }
}
