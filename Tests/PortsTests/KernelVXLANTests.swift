import CLinux
import Glibc
import Testing
import Wire

@testable import Ports
@testable import Rings

/// The far end is the kernel's own vxlan device, the near one a TAP and our sockets: what the kernel makes of what we
/// send, and what it hands us.
@Suite struct KernelVXLANTests {
    @Test(arguments: [false, true])
    func tcpBothWays(isIPv6: Bool) throws {
        try withPair { left, right in
            let bench = Bench()
            let destination: IPv6Address = isIPv6 ? .right6 : .right
            let address = IPAddress(isIPv6 ? "2001:db8::1" : "192.0.2.1")!
            let tunnel = try bench.add(isIPv6 ? .vxlan6 : .vxlan4, try VXLANSocket.open(address: address))
            right.enter()
            let remote = isIPv6 ? "2001:db8::1 local 2001:db8::2" : "192.0.2.1 local 192.0.2.2"
            try sh(
                """
                ip link add vx type vxlan id 42 dstport 4789 remote \(remote) &&
                ip addr add 10.0.0.2/24 dev vx && ip link set vx up
                """
            )
            let tenant = try Namespace()
            let tap = try bench.add(.tap, [try TAP.open(name: "tap0").descriptor])
            try sh("ip link set tap0 mtu \(isIPv6 ? 1430 : 1450) up && ip addr add 10.0.0.1/24 dev tap0")

            var whole = 0
            let out = try Transfer(from: tenant, to: right, address: 0x0A00_0002)
            try out.run(2 << 20) {
                whole = max(whole, Self.encapsulate(bench, tap, tunnel, destination))
                Self.decapsulate(bench, tunnel, tap)
            }
            #expect(whole > 20_000)
            let back = try Transfer(from: right, to: tenant, address: 0x0A00_0001, port: 5001)
            try back.run(2 << 20) {
                _ = Self.encapsulate(bench, tap, tunnel, destination)
                Self.decapsulate(bench, tunnel, tap)
            }
            right.enter()
            // Neither UDP nor TCP of the far end found a checksum wrong.
            try sh(
                """
                counters=$(nstat -asz) && echo "$counters" | grep -q TcpInErrs &&
                ! echo "$counters" | grep -E 'InCsumErrors|TcpInErrs' | grep -vE ' 0 +[0-9.]+ *$'
                """
            )
            #expect(bench.ports[Int(tunnel)].flags == 0, "UDP_SEGMENT was given up")
        }
    }

    private static func encapsulate(
        _ bench: Bench,
        _ from: UInt32,
        _ to: UInt32,
        _ destination: IPv6Address
    ) -> Int {
        _ = bench.engine.receive(bench.ports + Int(from), endpoint: from, ring: bench.ring, pool: bench.pool)
        var largest = 0
        for index in 0..<bench.ring.count {
            let frame = bench.ring[index].pointee
            guard let slot = bench.queues.append(to) else { break }
            slot.header.copyMemory(from: TestFrame.vxlan, byteCount: 8)
            slot.pointee.headerLength = 8
            slot.pointee.tunnelHeaderLength = 8
            slot.pointee.payload = frame.bytes
            slot.pointee.payloadLength = frame.length
            slot.pointee.offload = frame.offload.shifted(8)
            slot.pointee.destination = destination
            slot.pointee.destinationPort = 4789
            largest = max(largest, frame.length)
        }
        let result = bench.engine.transmit(bench.ports + Int(to), queues: bench.queues, endpoint: to)
        #expect(result.failures == 0, "\(result)")
        bench.queues.reset()
        return largest
    }

    /// A peer on the same machine leaves checksums unfinished and sends super-frames as one datagram (the datapath's
    /// pipeline finds out in the same way).
    private static func decapsulate(_ bench: Bench, _ from: UInt32, _ to: UInt32) {
        _ = bench.engine.receive(bench.ports + Int(from), endpoint: from, ring: bench.ring, pool: bench.pool)
        for index in 0..<bench.ring.count {
            let frame = bench.ring[index].pointee
            guard frame.length > 8, let slot = bench.queues.append(to) else { break }
            slot.pointee.payload = frame.bytes + 8
            slot.pointee.payloadLength = frame.length - 8
            let parsed = ParsedFrame(UnsafeRawPointer(frame.bytes + 8), frame.length - 8)
            guard let found = PartialChecksum.detect(UnsafeRawPointer(frame.bytes + 8), parsed) else { continue }
            slot.pointee.offload.flags = Offload.needsChecksumFlag
            slot.pointee.offload.checksumStart = found.start
            slot.pointee.offload.checksumOffset = found.offset
            guard parsed.endOffset - parsed.networkOffset > 1_450 else { continue }
            slot.pointee.offload.gsoType = SegmentationKind.of(parsed)
            slot.pointee.offload.gsoSize = SegmentationKind.size(parsed, mtu: 1_430)
            slot.pointee.offload.headerLength = UInt16(parsed.payloadOffset)
        }
        let result = bench.engine.transmit(bench.ports + Int(to), queues: bench.queues, endpoint: to)
        #expect(result.failures == 0, "\(result)")
        bench.queues.reset()
    }
}
