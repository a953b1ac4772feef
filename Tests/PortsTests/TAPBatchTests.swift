import CLinux
import Glibc
import Testing
import Wire

@testable import Ports
@testable import Rings

/// TAPs that are read and written many frames at a time are the same TAPs.
@Suite struct TAPBatchTests {
    /// A TAP, and a packet socket on its device: what one sends the other receives.
    private func withTAP(
        _ withBatches: Bool,
        isUplink: Bool = false,
        _ body: (Bench, _ tap: UInt32, _ device: UInt32) throws -> Void
    ) throws {
        try withNamespaces(1) { _ in
            let bench = Bench(withBatches: withBatches)
            // Else nothing here would be about them: the tests run where io_uring is allowed.
            #expect((bench.engine.calls != nil) == withBatches)
            let tap =
                isUplink
                ? try bench.add(.uplink, [try TAP.openUplink(name: "tap0").descriptor])
                : try bench.add(.tap, [try TAP.open(name: "tap0").descriptor])
            let device = try bench.add(.packet, [try PacketSocket.open(interfaceIndex: try index(of: "tap0"))])
            try sh("ip link set tap0 up")
            try body(bench, tap, device)
        }
    }

    /// Of all sizes: what fits beside its header, what does not, and what has to be in two pieces.
    private func frames(_ count: Int) -> [[UInt8]] {
        (0..<count).map { TestFrame.udp(TestFrame.pattern($0 * 37 % 1400, seed: $0)) }
    }

    private func send(_ bench: Bench, _ port: UInt32, _ frames: [[UInt8]]) {
        for first in stride(from: 0, to: frames.count, by: 90) {
            let part = frames[first..<min(first + 90, frames.count)]
            let outgoing = part.map { Outgoing(header: Array($0[..<14]), payload: Array($0[14...])) }
            #expect(bench.send(port, outgoing).frames == part.count)
        }
    }

    @Test(arguments: [true, false])
    func framesCrossInOrder(withBatches: Bool) throws {
        try withTAP(withBatches) { bench, tap, device in
            let sent = frames(400)
            send(bench, device, sent)
            #expect(bench.receive(tap, count: sent.count).map(\.bytes) == sent)
            #expect(bench.receive(tap).isEmpty && bench.lastError == 0)
            send(bench, tap, sent)
            #expect(bench.receive(device, count: sent.count).map(\.bytes) == sent)
            // One at a time again, after many.
            for frame in sent[..<50] {
                send(bench, device, [frame])
                #expect(bench.receive(tap, count: 1).map(\.bytes) == [frame])
            }
        }
    }

    /// A super-frame ends reading together: the next one should find the cache empty of others.
    @Test(arguments: [true, false])
    func superFramesInBetween(withBatches: Bool) throws {
        try withTAP(withBatches) { bench, tap, device in
            let large = Outgoing(
                payload: TestFrame.tcp(TestFrame.pattern(30_000), partial: true),
                offload: TestFrame.superTCP(1000)
            )
            let some = frames(20).map { Outgoing(payload: $0) }
            let all = some + some + [large] + some + [large, large]
            for (from, to) in [(device, tap), (tap, device)] {
                #expect(bench.send(from, Array(all[..<60])).superFrames == 1)
                #expect(bench.send(from, Array(all[60...])).superFrames == 2)
                let found = bench.receive(to, count: all.count)
                #expect(found.map(\.bytes) == all.map(\.payload))
                #expect(found.map(\.offload.isSuperFrame) == all.map(\.offload.isSuperFrame))
            }
        }
    }

    /// What the kernel would not take is the only thing missing.
    @Test(arguments: [true, false])
    func errorsAreOfTheirFrames(withBatches: Bool) throws {
        try withTAP(withBatches) { bench, tap, device in
            let good = frames(40)
            let mixed = good.flatMap { [Outgoing(payload: [1, 2, 3]), Outgoing(payload: $0)] }
            let result = bench.send(tap, mixed)
            #expect(result.refused == 40 && result.frames == 40)
            #expect(bench.receive(device, count: 40).map(\.bytes) == good)
            send(bench, device, frames(100))
            _ = bench.receive(tap, count: 100)
            try sh("ip link set tap0 down")
            #expect(bench.send(tap, mixed).down == 40)
            try sh("ip link del tap0")
            #expect(bench.receive(tap).isEmpty)
            #expect(bench.lastError == -EBADFD)
            #expect(bench.send(tap, mixed).lastError == EBADFD)
        }
    }

    /// Among those that are ready as they are, one whose checksum is still to be computed.
    @Test(arguments: [true, false])
    func anUplinkKeepsTheOrder(withBatches: Bool) throws {
        try withTAP(withBatches, isUplink: true) { bench, tap, device in
            func packet(_ tunnel: [UInt8], _ number: Int) -> Outgoing {
                let inner = TestFrame.udp(TestFrame.pattern(number), partial: false)
                let what = UplinkDeviceTests.Case(
                    description: "",
                    number: IPProtocol.gre,
                    tunnel: tunnel,
                    inner: inner,
                    transport: 34
                )
                let front = what.front
                return Outgoing(header: front, payload: inner, tunnel: UInt8(front.count), outerTransport: 34)
            }
            let summed: [UInt8] = [0x80, 0, 0x65, 0x58, 0, 0, 0, 0]
            let sent = (1...60).map { packet($0 % 7 == 0 ? summed : TestFrame.gre, $0) }
            #expect(bench.send(tap, sent).frames == 60)
            let found = bench.receive(device, count: 60)
            #expect(found.map(\.bytes.count) == sent.map { $0.header.count + $0.payload.count })
            for (one, other) in zip(found, sent) {
                #expect(Array(one.bytes.suffix(other.payload.count)) == other.payload)
            }
            for _ in 0..<3 {
                #expect(bench.send(device, found.map { Outgoing(payload: $0.bytes) }).frames == 60)
                #expect(bench.receive(tap, count: 60).map(\.bytes) == found.map(\.bytes))
            }
        }
    }

    /// Kernels have files of which they do not know that they can be had without waiting: those are written one by one.
    @Test func whatCannotBeBatchedIsWrittenSingly() throws {
        // A thread's name, which is put back.
        let file = open("/proc/thread-self/comm", O_RDWR | O_CLOEXEC)
        var name = [UInt8](repeating: 0, count: 16)
        let length = read(file, &name, name.count)
        let bench = Bench()
        let port = try bench.add(.tap, [file])
        #expect(bench.send(port, frames(10).map { Outgoing(payload: $0) }).frames == 10)
        withExtendedLifetime(bench) { #expect(write(file, name, max(0, length - 1)) > 0) }
    }
}
