import Testing
import Wire

@testable import Ports
@testable import Rings

@Suite struct MemoryPortTests {
    @Test func framesKeepWhatIsKnownAboutThem() throws {
        let bench = Bench()
        let memory = MemoryPort()
        let port = bench.add(memory.io)
        let frame = TestFrame.tcp(TestFrame.pattern(5_000), partial: true)
        let injected = memory.inject(
            frame,
            offload: TestFrame.superTCP(1_000),
            outerSource: .left6,
            outerTOS: 0xB8,
            outerInterface: 7
        )
        #expect(injected)
        let again = memory.inject([1, 2, 3])
        #expect(again)
        let arrived = bench.receive(port)
        #expect(
            arrived == [
                Received(bytes: frame, offload: TestFrame.superTCP(1_000), source: .left6, tos: 0xB8, interface: 7),
                Received(
                    bytes: [1, 2, 3],
                    offload: .none,
                    source: IPv6Address(high: 0, low: 0),
                    tos: 0,
                    interface: 0
                ),
            ]
        )
        #expect(bench.receive(port).isEmpty)

        let result = bench.send(
            port,
            [
                Outgoing(
                    header: Array(frame[..<20]),
                    payload: Array(frame[20...]),
                    offload: TestFrame.superTCP(1_000),
                    tos: 3,
                    flow: 99,
                    destination: .right,
                    port: 8472
                )
            ]
        )
        #expect(result.frames == 1 && result.superFrames == 1)
        let taken = memory.take()
        #expect(
            taken
                == MemoryFrame(
                    bytes: frame,
                    offload: TestFrame.superTCP(1_000),
                    destination: .right,
                    destinationPort: 8472,
                    tos: 3,
                    flowHash: 99
                )
        )
        let none = memory.take()
        #expect(none == nil)
    }

    @Test func burstsEndLikeAnyPorts() throws {
        let bench = Bench()
        let memory = MemoryPort()
        let port = bench.add(memory.io)
        for number in 0..<40 {
            let injected = memory.inject([UInt8(number), 1])
            #expect(injected)
        }
        #expect(bench.receive(port).count == ReceiveRing.capacity)
        #expect(bench.ring.isDrained == false)
        #expect(bench.receive(port).count == 8)
        #expect(bench.ring.isDrained == true)
        for _ in 0..<2 {
            let injected = memory.inject(TestFrame.pattern(ReceiveRing.largeFrame))
            #expect(injected)
        }
        #expect(bench.receive(port).count == 1)
        #expect(bench.receive(port).count == 1)
    }

    @Test func aFullRingIsADrop() throws {
        let bench = Bench()
        let memory = MemoryPort(ringBytes: 4_096)
        let port = bench.add(memory.io)
        let result = bench.send(port, Array(repeating: Outgoing(payload: TestFrame.pattern(1_000)), count: 10))
        #expect(result.frames == 3 && result.queueFull == 7)
    }

    /// A memory port that acts as a socket finishes what a socket would.
    @Test func finishesOffloads() throws {
        let bench = Bench()
        let memory = MemoryPort(finishesOffloads: true)
        let port = bench.add(memory.io)
        let payload = TestFrame.pattern(5_000)
        let result = bench.send(
            port,
            [
                Outgoing(
                    header: TestFrame.vxlan,
                    payload: TestFrame.udp([1, 2, 3], partial: true),
                    offload: TestFrame.partialUDP(8)
                ),
                Outgoing(
                    header: TestFrame.vxlan,
                    payload: TestFrame.tcp(payload, partial: true),
                    offload: TestFrame.superTCP(1_400, 8),
                    tunnel: 8
                ),
                Outgoing(header: TestFrame.vxlan, payload: TestFrame.udp([4])),
                Outgoing(header: TestFrame.vxlan, payload: [4], offload: TestFrame.partialUDP(8)),
                Outgoing(
                    header: TestFrame.vxlan,
                    payload: TestFrame.udp([4]),
                    offload: TestFrame.superTCP(100, 8),
                    tunnel: 8
                ),
            ]
        )
        #expect(result.frames == 3 && result.superFrames == 1 && result.refused == 2)
        let first = memory.take()
        #expect(first?.bytes == TestFrame.vxlan + TestFrame.udp([1, 2, 3]) && first?.offload == Offload.none)
        var data: [UInt8] = []
        for _ in 0..<4 {
            guard let segment = memory.take() else { break }
            #expect(segment.offload == .none && Array(segment.bytes[..<8]) == TestFrame.vxlan)
            #expect(VXLANSocketTests.transportChecksumIsRight(Array(segment.bytes[8...])))
            data += segment.bytes[62...]
        }
        #expect(data == payload)
        let last = memory.take()
        #expect(last?.bytes == TestFrame.vxlan + TestFrame.udp([4]))

        // The checksum of GRE, whether or not there is one inside to be finished first.
        let gre: [UInt8] = [0x80, 0, 0x65, 0x58, 0, 0, 0, 0]
        let open = TestFrame.udp([1, 2, 3], partial: true)
        bench.send(port, [Outgoing(header: gre, payload: open, offload: TestFrame.partialUDP(8), tunnel: 8)])
        bench.send(port, [Outgoing(header: gre, payload: TestFrame.udp([1, 2, 3]), tunnel: 8)])
        for _ in 0..<2 {
            let frame = memory.take()
            let bytes = try #require(frame).bytes
            #expect(bytes.withUnsafeBytes { Checksum.fold(Checksum.sum($0.baseAddress!, $0.count)) } == 0xFFFF)
            #expect(bytes[..<4] + [0, 0] + bytes[6...] == gre + TestFrame.udp([1, 2, 3]))
        }
    }

    @Test func aPortWithoutAnythingDropsAndCounts() {
        let bench = Bench()
        let port = bench.add(PortIO())
        #expect(bench.receive(port).isEmpty && bench.lastError == 0)
        #expect(bench.send(port, [Outgoing(payload: [1]), Outgoing(payload: [2])]).down == 2)
    }

    @Test func kindsTakeTheirOwnNumberOfDescriptors() {
        for kind in PortKind.allCases {
            for count in 0...18 {
                let descriptors = (0..<Int32(count)).map { 1_000 + $0 }
                let io = descriptors.withUnsafeBufferPointer { PortIO(kind: kind, descriptors: $0) }
                #expect((io != nil) == (kind.descriptorCounts.contains(count) && kind != .memory))
                #expect(io == nil || io?.receiveDescriptor == descriptors.first ?? -1)
            }
        }
        #expect([-1].withUnsafeBufferPointer { PortIO(kind: .tap, descriptors: $0) } == nil)
    }
}
