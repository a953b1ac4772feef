import CLinux
import Glibc
import Testing
import Wire

@testable import Ports
@testable import Rings

@Suite struct TAPTests {
    @Test func opensWithEveryOffload() throws {
        try withNamespaces(1) { _ in
            let tap = try TAP.open(name: "tap0")
            defer { close(tap.descriptor) }
            #expect(tap.name == "tap0")
            let tcp = UInt32(LINUX_TUN_F_CSUM | LINUX_TUN_F_TSO4 | LINUX_TUN_F_TSO6 | LINUX_TUN_F_TSO_ECN)
            #expect(tap.offloads & tcp == tcp)
            let flags = fcntl(tap.descriptor, F_GETFL)
            #expect(flags & O_NONBLOCK != 0 && fcntl(tap.descriptor, F_GETFD) & FD_CLOEXEC != 0)
            let numbered = try TAP.open(name: "t%d")
            defer { close(numbered.descriptor) }
            #expect(numbered.name == "t0")
        }
    }

    @Test func refusalsSayWhatToDo() throws {
        try withNamespaces(1) { _ in
            let tap = try TAP.open(name: "tap0")
            defer { close(tap.descriptor) }
            let busy = #expect(throws: PortError.self) { try TAP.open(name: "tap0") }
            #expect(busy?.code == EBUSY)
            #expect(busy?.description.contains("Another program holds it") == true)
            try sh("ip link add v0 type veth peer name v1")
            let veth = #expect(throws: PortError.self) { try TAP.open(name: "v0") }
            #expect(veth?.code == EINVAL)
            for name in ["", "sixteen-letters-", "a/b", "a b", "..", "ä"] {
                let error = #expect(throws: PortError.self) { try TAP.open(name: name) }
                #expect(error?.description.contains("1 to 15") == true)
            }
        }
    }

    /// The kernel leaves checksums to us, and takes them unfinished from us.
    @Test func unfinishedChecksumsPassBothWays() throws {
        try withNamespaces(1) { _ in
            let tap = try TAP.open(name: "tap0")
            let bench = Bench()
            let port = try bench.add(.tap, [tap.descriptor])
            try sh(
                """
                ip link set tap0 address 02:00:00:00:00:01 && ip addr add 10.0.0.1/24 dev tap0 && ip link set tap0 up &&
                ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev tap0 nud permanent
                """
            )
            let socket = try UDPSocket(port: 1000)
            try socket.send([1, 2, 3, 4, 5], to: 0x0A00_0002, port: 2000)
            let frames = bench.receive(port, count: 1)
            let out = try #require(frames.first)
            #expect(out.offload == Offload(flags: 1, checksumStart: 34, checksumOffset: 6))
            #expect(out.bytes.suffix(5) == [1, 2, 3, 4, 5])
            #expect(bench.ring.isDrained == true)

            let reply = TestFrame.udp(
                [9, 8, 7],
                partial: true,
                destination: [2, 0, 0, 0, 0, 1],
                addresses: (0x0A00_0002, 0x0A00_0001),
                ports: (2000, 1000)
            )
            // Wherever the header ends and the payload begins.
            for cut in [0, 14, 42, reply.count] {
                let result = bench.send(
                    port,
                    [
                        Outgoing(
                            header: Array(reply[..<cut]),
                            payload: Array(reply[cut...]),
                            offload: TestFrame.partialUDP()
                        )
                    ]
                )
                #expect(result.frames == 1 && result.failures == 0 && result.bytes == UInt64(reply.count))
                #expect(socket.receive() == [9, 8, 7])
            }
            // A wrong checksum that is said to be finished does not arrive: the right ones above did for a reason.
            bench.send(port, [Outgoing(payload: reply)])
            bench.send(port, [Outgoing(payload: reply, offload: TestFrame.partialUDP())])
            #expect(socket.receive() == [9, 8, 7])
            #expect(socket.receive() == nil)
        }
    }

    @Test func superFramesCrossWhole() throws {
        try withNamespaces(2) { spaces in
            let bench = Bench()
            var ports: [UInt32] = []
            for (number, space) in spaces.enumerated() {
                space.enter()
                ports.append(try bench.add(.tap, [try TAP.open(name: "tap0").descriptor]))
                try sh("ip addr add 192.0.2.\(number + 1)/24 dev tap0 && ip link set tap0 up")
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

    @Test func tellsWhatHappenedToTheDevice() throws {
        try withNamespaces(1) { _ in
            let bench = Bench()
            let port = try bench.add(.tap, [try TAP.open(name: "tap0").descriptor])
            let frame = Outgoing(payload: TestFrame.udp([1]))
            let down = bench.send(port, [frame, frame])
            #expect(down.down == 2 && down.lastError == EIO)
            try sh("ip link set tap0 up")
            #expect(bench.send(port, [frame]).frames == 1)
            let short = bench.send(port, [Outgoing(payload: [1, 2, 3]), frame])
            #expect(short.refused == 1 && short.frames == 1)
            try sh("ip link del tap0")
            #expect(bench.receive(port).isEmpty)
            #expect(bench.lastError == -EBADFD)
            #expect(bench.send(port, [frame]).lastError == EBADFD)
        }
    }

    /// A super-frame that the kernel refuses is refused here too, or cut: never passed on by half.
    @Test func hostileOffloadsAreRefused() throws {
        try withNamespaces(1) { _ in
            let bench = Bench()
            let port = try bench.add(.tap, [try TAP.open(name: "tap0").descriptor])
            try sh("ip link set tap0 up")
            let frame = TestFrame.tcp(TestFrame.pattern(3_000), partial: true)
            var offloads: [Offload] = []
            offloads.append(Offload(flags: 1, checksumStart: 65_000, checksumOffset: 16))
            offloads.append(Offload(flags: 0, gsoType: 7, gsoSize: 100))
            var zero = TestFrame.superTCP(0)
            offloads.append(zero)
            zero.gsoSize = 1000
            zero.gsoType = Offload.gsoUDP
            offloads.append(zero)
            for offload in offloads {
                let result = bench.send(port, [Outgoing(payload: frame, offload: offload)])
                #expect(result.refused == 1 && result.frames == 0, "\(offload)")
            }
        }
    }
}
