import CLinux
import Testing
import Wire

@testable import Ports
@testable import Rings

/// Whatever an offload says, and however a frame is cut into header and payload: every port ends every frame once,
/// writes no shared payload (`Bench.send` looks) and does not crash.
@Suite struct HostileOffloadTests {
    @Test(arguments: [31, 32] as [UInt64])
    func everyFrameHasOneEnding(seed: UInt64) throws {
        try withPair { left, right in
            var random = SplitMix(state: seed)
            let bench = Bench()
            let vxlan = try VXLANSocketTests.link(bench, left, right, isIPv6: false)
            left.enter()
            let memory = MemoryPort(ringBytes: 1 << 20, finishesOffloads: true)
            let tap = try TAP.open(name: "tap0")
            try sh("ip link set tap0 up")
            let ports = [
                vxlan.left, bench.add(memory.io), try bench.add(.tap, [tap.descriptor]),
                try bench.add(.raw4, [try RawSocket.open(address: IPAddress("192.0.2.1")!, protocol: IPProtocol.gre)]),
                try bench.add(.packet, [try PacketSocket.open(interfaceIndex: try index(of: "left"))]),
            ]
            for _ in 0..<300 {
                let frames = (0..<Int.random(in: 1...10, using: &random)).map { _ in frame(&random) }
                for port in ports {
                    let result = bench.send(port, frames)
                    #expect(Int(result.frames + result.failures) == frames.count)
                }
                while memory.take() != nil {}
                while !bench.receive(vxlan.right).isEmpty {}
            }
        }
    }

    private func frame(_ random: inout SplitMix) -> Outgoing {
        let payload = TestFrame.pattern(Int.random(in: 0...3_000, using: &random))
        let choices = [
            TestFrame.udp(payload, partial: true), TestFrame.tcp(payload, partial: true),
            TestFrame.tag(TestFrame.tcp(payload, partial: true), 7), payload, [],
        ]
        let bytes = TestFrame.vxlan + choices.randomElement(using: &random)!
        let cut = min(bytes.count, Int.random(in: 0...TransmitSlot.headerCapacity, using: &random))
        let near: [UInt16] = [0, 1, 6, 16, 34, 42, 46, UInt16(bytes.count), UInt16(max(0, bytes.count - 2)), 65_535]
        var offload = Offload(
            flags: UInt8.random(in: 0...3, using: &random),
            gsoType: [0, 0, 1, 3, 4, 5, 0x81, 0xFF].randomElement(using: &random)!,
            headerLength: near.randomElement(using: &random)!,
            gsoSize: [0, 1, 7, 8, 500, 1_000, 65_535].randomElement(using: &random)!,
            checksumStart: near.randomElement(using: &random)!,
            checksumOffset: near.randomElement(using: &random)!
        )
        if Bool.random(using: &random) { offload = TestFrame.superTCP(offload.gsoSize, 8) }
        return Outgoing(
            header: Array(bytes[..<cut]),
            payload: Array(bytes[cut...]),
            offload: offload,
            tos: UInt8.random(in: 0...255, using: &random),
            flow: UInt32.random(in: 0...9, using: &random),
            destination: [.right, .right, .right, .right6, IPv6Address(high: 0, low: 0)].randomElement(using: &random)!,
            port: [4789, 0].randomElement(using: &random)!
        )
    }

    /// A device that refuses a super-frame as such gets it in pieces.
    @Test func devicesThatRefuseSuperFramesGetSegments() throws {
        try withPair { left, right in
            let bench = Bench()
            let sending = try bench.add(.packet, [try PacketSocket.open(interfaceIndex: try index(of: "left"))])
            right.enter()
            let receiving = try bench.add(.packet, [try PacketSocket.open(interfaceIndex: try index(of: "right"))])
            // The kernel wants UDP super-frames with an unfinished checksum; this one says that it has a finished one.
            let frame = TestFrame.udp(TestFrame.pattern(10_000))
            let offload = Offload(gsoType: Offload.gsoUDP, headerLength: 42, gsoSize: 1_000)
            #expect(bench.send(sending, [Outgoing(payload: frame, offload: offload)]).superFrames == 1)
            let arrived = bench.receive(receiving, count: 10) { $0.bytes.count > 42 && $0.bytes[5] == 2 }
            #expect(arrived.map(\.bytes.count) == Array(repeating: 1_042, count: 10))
            #expect(arrived.flatMap { $0.bytes[42...] } == TestFrame.pattern(10_000))

            let tap = try bench.add(.tap, [try TAP.open(name: "tap0").descriptor])
            try sh(
                "ip link set tap0 up && ip addr add 10.0.0.2/24 dev tap0 && ip link set tap0 address 02:00:00:00:00:02"
            )
            let socket = try UDPSocket(port: 2000)
            #expect(bench.send(tap, [Outgoing(payload: frame, offload: offload)]).superFrames == 1)
            #expect((0..<10).flatMap { _ in socket.receive() ?? [] } == TestFrame.pattern(10_000))
        }
    }
}
