import CLinux
import Glibc
import Testing
import Wire

@testable import Ports
@testable import Rings

@Suite struct PacketSocketTests {
    private func open(_ bench: Bench, _ device: String, _ ring: Bool) throws -> UInt32 {
        try bench.add(.packet, [try PacketSocket.open(interfaceIndex: try index(of: device))], makesRing: ring)
    }

    private func isTest(_ frame: Received) -> Bool {
        frame.bytes.count > 12 && frame.bytes[..<6] == [2, 0, 0, 0, 0, 2]
    }

    @Test(arguments: [false, true]) func superFramesCrossWhole(ring: Bool) throws {
        try withNamespaces(3) { spaces in
            let bench = Bench()
            var ports: [UInt32] = []
            for number in 0..<2 {
                spaces[number].enter()
                try sh(
                    """
                    ip link add eth0 type veth peer name port\(number) netns \(spaces[2].path) &&
                    ip addr add 192.0.2.\(number + 1)/24 dev eth0 && ip link set eth0 up
                    """
                )
                spaces[2].enter()
                try sh("ip link set port\(number) up")
                ports.append(try open(bench, "port\(number)", ring))
            }
            let transfer = try Transfer(from: spaces[0], to: spaces[1], address: 0xC000_0202)
            var largest = 0
            try transfer.run(2 << 20) {
                largest = max(largest, bench.carry(from: ports[0], to: ports[1]))
                _ = bench.carry(from: ports[1], to: ports[0])
            }
            #expect(largest > 32_000, "TCP's super-frames do not arrive whole")
        }
    }

    /// Tenants may have tunnels of their own. Over a veth their super-frames come with the inner header's offsets.
    @Test(arguments: ["vxlan id 5 dstport 4789", "vxlan id 5 dstport 8472 udpcsum"], [false, true])
    func tenantsTunnelsWork(tunnel: String, ring: Bool) throws {
        try withNamespaces(3) { spaces in
            let bench = Bench()
            var ports: [UInt32] = []
            for number in 0..<2 {
                spaces[number].enter()
                try sh(
                    """
                    ip link add eth0 type veth peer name port\(number) netns \(spaces[2].path) &&
                    ip addr add 192.0.2.\(number + 1)/24 dev eth0 && ip link set eth0 up &&
                    ip link add vx type \(tunnel) remote 192.0.2.\(2 - number) local 192.0.2.\(number + 1) &&
                    ip addr add 10.0.0.\(number + 1)/24 dev vx && ip link set vx up
                    """
                )
                spaces[2].enter()
                try sh("ip link set port\(number) up")
                ports.append(try open(bench, "port\(number)", ring))
            }
            let transfer = try Transfer(from: spaces[0], to: spaces[1], address: 0x0A00_0002)
            var largest = 0
            var unreadable = 0
            try transfer.run(2 << 20) {
                for number in 0..<2 {
                    largest = max(largest, bench.carry(from: ports[number], to: ports[1 - number]))
                    unreadable += bench.ring.unreadable
                    // Cut on the way in: what the pipeline sees are ordinary frames.
                    for index in 0..<bench.ring.count where bench.ring[index].pointee.offload.isSuperFrame {
                        unreadable += 1
                    }
                }
            }
            #expect(unreadable == 0 && largest == 1_514)
        }
    }

    /// On a veth the kernel takes the tag out of the frame and tells it beside: a port that forgets it turns a tagged
    /// frame into an untagged one.
    @Test(arguments: [false, true]) func tagsArePutBack(ring: Bool) throws {
        try withPair { left, right in
            let bench = Bench()
            let sending = try open(bench, "left", ring)
            right.enter()
            let receiving = try open(bench, "right", ring)
            let plain = TestFrame.udp(TestFrame.pattern(100))
            let tagged = [
                plain, TestFrame.tag(plain, 100), TestFrame.tag(plain, 0), TestFrame.tag(plain, 0xEFFF),
                TestFrame.tag(plain, 7, type: 0x88A8), TestFrame.tag(TestFrame.tag(plain, 10), 20, type: 0x88A8),
                TestFrame.tag(TestFrame.tag(plain, 10), 20),
            ]
            let result = bench.send(sending, tagged.map { Outgoing(payload: $0) })
            #expect(Int(result.frames) == tagged.count && result.failures == 0)
            let arrived = bench.receive(receiving, count: tagged.count, where: isTest)
            #expect(arrived.map(\.bytes) == tagged)
            #expect(arrived.allSatisfy { $0.offload == .none })
        }
    }

    /// A tagged super-frame with an unfinished checksum: whole, with its tag, and the offsets moved behind it.
    @Test(arguments: [false, true]) func taggedSuperFramesArriveWhole(ring: Bool) throws {
        try withPair { left, right in
            let bench = Bench()
            let sending = try open(bench, "left", ring)
            right.enter()
            let receiving = try open(bench, "right", ring)
            let frame = TestFrame.tcp(TestFrame.pattern(20_000), partial: true)
            let single = TestFrame.udp(TestFrame.pattern(50), partial: true)
            let result = bench.send(
                sending,
                [
                    Outgoing(payload: TestFrame.tag(frame, 100), offload: TestFrame.superTCP(1000, 4)),
                    Outgoing(payload: TestFrame.tag(single, 100), offload: TestFrame.partialUDP(4)),
                ]
            )
            #expect(result.frames == 2 && result.superFrames == 1, "\(result)")
            let arrived = bench.receive(receiving, count: 2, where: isTest)
            try #require(arrived.count == 2)
            #expect(arrived[0].bytes == TestFrame.tag(frame, 100))
            #expect(arrived[0].offload == TestFrame.superTCP(1000, 4))
            #expect(arrived[1].bytes == TestFrame.tag(single, 100))
            #expect(arrived[1].offload == TestFrame.partialUDP(4))
        }
    }

    @Test(arguments: [false, true]) func manyFramesArriveInOrder(ring: Bool) throws {
        try withPair { left, right in
            let bench = Bench()
            let sending = try open(bench, "left", ring)
            right.enter()
            let receiving = try open(bench, "right", ring)
            let frames = (0..<200).map { TestFrame.udp(TestFrame.pattern($0 % 11 == 5 ? 1200 : $0 % 90, seed: $0)) }
            #expect(bench.send(sending, frames.map { Outgoing(payload: $0) }).frames == 200)
            var bursts = 0
            var arrived: [[UInt8]] = []
            repeat {
                let burst = bench.receive(receiving)
                if burst.isEmpty { break }
                arrived += burst.filter(isTest).map(\.bytes)
                bursts += 1
                #expect(burst.count <= ReceiveRing.capacity)
                #expect(bench.ring.isDrained == (burst.count < ReceiveRing.capacity))
            } while arrived.count < 200
            #expect(arrived == frames)
            #expect(bursts == 7)
        }
    }

    @Test(arguments: [false, true]) func seesNothingOfOtherDevicesAndNothingThatGoesOut(ring: Bool) throws {
        try withPair { left, right in
            let bench = Bench()
            try sh("ip link add other0 type veth peer name other1 && ip link set other0 up && ip link set other1 up")
            let other = try open(bench, "other1", ring)
            let sending = try open(bench, "left", ring)
            right.enter()
            let receiving = try open(bench, "right", ring)
            bench.send(other, [Outgoing(payload: TestFrame.udp([1]))])
            bench.send(sending, [Outgoing(payload: TestFrame.udp([2]))])
            #expect(bench.receive(receiving, count: 1, where: isTest).map(\.bytes) == [TestFrame.udp([2])])
            #expect(bench.receive(other).filter(isTest).isEmpty)
            #expect(bench.receive(sending).filter(isTest).isEmpty)
        }
    }

    @Test(arguments: [false, true]) func comesBackAfterDownAndRebindsToANewDevice(ring: Bool) throws {
        try withPair { left, right in
            let bench = Bench()
            let sending = try open(bench, "left", ring)
            right.enter()
            let receiving = try open(bench, "right", ring)
            let frame = Outgoing(payload: TestFrame.udp([1, 2]))
            left.enter()
            try sh("ip link set left down")
            let down = bench.send(sending, [frame])
            #expect(down.down == 1 && down.lastError == ENETDOWN)
            // The error that the kernel has kept for us must not cost the first frame after it.
            try sh("ip link set left up && ip link set left down && ip link set left up")
            #expect(bench.send(sending, [frame]).frames == 1)
            #expect(bench.receive(receiving, count: 1, where: isTest).count == 1)
            try sh("ip link set left down")
            _ = bench.receive(sending)
            #expect(bench.lastError == -ENETDOWN)
            _ = bench.receive(sending)
            #expect(bench.lastError == 0, "the kernel says it once")

            try sh("ip link del left")
            #expect(bench.send(sending, [frame]).down == 1)
            _ = bench.receive(sending)
            try sh(
                """
                ip link add left type veth peer name right netns \(right.path) && ip link set left up
                """
            )
            #expect(bench.send(sending, [frame]).down == 1, "a new device of the old name is not the old one")
            let descriptor = bench.ports[Int(sending)].receiveDescriptor
            try PacketSocket.rebind(descriptor, interfaceIndex: try index(of: "left"))
            right.enter()
            try sh("ip link set right up")
            try PacketSocket.rebind(
                bench.ports[Int(receiving)].receiveDescriptor,
                interfaceIndex: try index(of: "right")
            )
            try waitForCarrier("right")
            left.enter()
            try waitForCarrier("left")
            #expect(bench.send(sending, [frame]).frames == 1)
            #expect(bench.receive(receiving, count: 1, where: isTest).map(\.bytes) == [frame.payload])
        }
    }

    @Test(arguments: [false, true]) func oneBadFrameDoesNotHoldUpTheOthers(ring: Bool) throws {
        try withPair { left, right in
            let bench = Bench()
            let sending = try open(bench, "left", ring)
            right.enter()
            let receiving = try open(bench, "right", ring)
            let good = Outgoing(payload: TestFrame.udp([1]))
            let long = Outgoing(payload: TestFrame.udp(TestFrame.pattern(3_000)))
            let wrong = Outgoing(payload: TestFrame.udp([2]), offload: Offload(flags: 1, checksumStart: 60_000))
            let result = bench.send(sending, [good, long, good, wrong, good, long])
            #expect(result.frames == 3 && result.tooBig == 2 && result.refused == 1)
            #expect(bench.receive(receiving, count: 3, where: isTest).count == 3)
        }
    }

    @Test func refusalsSayWhatToDo() throws {
        try withNamespaces(1) { _ in
            let error = #expect(throws: PortError.self) { try PacketSocket.open(interfaceIndex: 4711) }
            #expect(error?.description.contains("no such device") == true, "\(String(describing: error))")
        }
    }
}
