import CLinux
import Glibc
import Testing
import Wire

@testable import Ports
@testable import Rings

/// A TAP on the underlay: the kernel's own vxlan device is the far end, and everything in front of the inner frame is ours.
@Suite struct UplinkTAPTests {
    static let ownMAC: [UInt8] = [2, 0, 0, 0, 0x0A, 1]
    static let farMAC: [UInt8] = [2, 0, 0, 0, 0x0A, 2]

    @Test func theHeaderSpeaksOfTunnels() throws {
        func written(_ outer: [UInt8], transport: Int, _ offload: Offload) -> [UInt8] {
            let slot = UnsafeMutablePointer<TransmitSlot>.allocate(capacity: 1)
            defer { slot.deallocate() }
            slot.initialize(to: TransmitSlot())
            slot.header.copyMemory(from: outer, byteCount: outer.count)
            slot.pointee.outerTransport = UInt16(transport)
            slot.pointee.innerNetwork = UInt16(transport + 30)
            slot.pointee.offload = offload
            var bytes = [UInt8](repeating: 0xEE, count: 24)
            bytes.withUnsafeMutableBytes { VirtioHeader.write(uplink: slot, to: $0.baseAddress!) }
            return bytes
        }
        let four = Self.outer(isIPv6: false, length: 1000)
        let whole = TestFrame.superTCP(1000, 50)
        #expect(
            written(four, transport: 34, whole)
                == [1, 0x21, 104, 0, 0xE8, 3, 84, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 34, 0, 64, 0]
        )
        // With an outer checksum (RFC 7348 §5 wants it over IPv6).
        let six = Self.outer(isIPv6: true, length: 1000)
        let header = written(six, transport: 54, TestFrame.superTCP(1000, 70))
        #expect(header[0] == 9 && header[1] == 0x41 && Array(header[20...]) == [54, 0, 84, 0])
        // What is no super-frame, or not in a tunnel, has the plain header.
        #expect(written(four, transport: 34, TestFrame.partialUDP(50)).dropFirst(10).allSatisfy { $0 == 0 })
        let plain = written(four, transport: 0, TestFrame.superTCP(1000))
        #expect(plain[0] == 1 && plain[1] == 1 && plain.dropFirst(10).allSatisfy { $0 == 0 })
    }

    /// Linux 6.17 and later pass super-frames in tunnels whole; the tests of this repository run on such.
    @Test func opensWithTunnelOffloads() throws {
        try withNamespaces(1) { _ in
            let tap = try TAP.openUplink(name: "up0")
            defer { close(tap.descriptor) }
            #expect(tap.name == "up0" && tap.carriesTunnels)
            let udp = UInt32(LINUX_TUN_F_USO4 | LINUX_TUN_F_USO6)
            #expect(tap.offloads & udp == udp)
        }
    }

    /// - Parameter isCut: as on a kernel that does not know tunnels.
    @Test(arguments: [(false, false), (true, false), (false, true), (true, true)])
    func tcpBothWays(isIPv6: Bool, isCut: Bool) throws {
        try withNamespaces(2) { spaces in
            let bench = Bench()
            let (tenant, far) = (spaces[0], spaces[1])
            far.enter()
            let flags = isCut ? PortIO.Flags.noTunnelSegments : 0
            let uplink = try bench.add(.uplink, [try TAP.openUplink(name: "up0").descriptor], flags: flags)
            let remote = isIPv6 ? "2001:db8::1 local 2001:db8::2" : "192.0.2.1 local 192.0.2.2"
            try sh(
                """
                echo 0 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && echo 0 > /proc/sys/net/ipv6/conf/up0/disable_ipv6 &&
                ip link set up0 address 02:00:00:00:0a:02 up && ip addr add 192.0.2.2/24 dev up0 &&
                ip addr add 2001:db8::2/64 dev up0 nodad &&
                ip neigh add 192.0.2.1 lladdr 02:00:00:00:0a:01 dev up0 &&
                ip neigh add 2001:db8::1 lladdr 02:00:00:00:0a:01 dev up0 &&
                ip link add vx type vxlan id 42 dstport 4789 remote \(remote) &&
                ip addr add 10.0.0.2/24 dev vx && ip link set vx up
                """
            )
            tenant.enter()
            let tap = try bench.add(.tap, [try TAP.open(name: "tap0").descriptor])
            try sh("ip link set tap0 mtu \(isIPv6 ? 1430 : 1450) up && ip addr add 10.0.0.1/24 dev tap0")

            var sent = 0
            let out = try Transfer(from: tenant, to: far, address: 0x0A00_0002)
            try out.run(2 << 20) {
                sent = max(sent, Self.encapsulate(bench, tap, uplink, isIPv6: isIPv6))
                _ = Self.decapsulate(bench, uplink, tap, isIPv6: isIPv6)
            }
            #expect(sent > 20_000)
            var received = 0
            let back = try Transfer(from: far, to: tenant, address: 0x0A00_0001, port: 5001)
            try back.run(2 << 20) {
                _ = Self.encapsulate(bench, tap, uplink, isIPv6: isIPv6)
                received = max(received, Self.decapsulate(bench, uplink, tap, isIPv6: isIPv6))
            }
            #expect(received > 20_000, "the kernel's super-frames do not arrive whole")
            far.enter()
            // Neither UDP nor TCP of the far end found a checksum wrong.
            try sh(
                """
                counters=$(nstat -asz) && echo "$counters" | grep -q TcpInErrs &&
                ! echo "$counters" | grep -E 'InCsumErrors|TcpInErrs' | grep -vE ' 0 +[0-9.]+ *$'
                """
            )
        }
    }

    /// Outer headers and a VXLAN header for a packet of which `length` bytes follow. Over IPv6 with the sum of the
    /// pseudo-header for a checksum.
    private static func outer(isIPv6: Bool, length: Int) -> [UInt8] {
        let udp = 16 + length
        var frame = farMAC + ownMAC
        if isIPv6 {
            frame += [0x86, 0xDD, 0x60, 0, 0, 0] + TestFrame.be(UInt16(truncatingIfNeeded: udp)) + [17, 64]
            for last in [1, 2] as [UInt8] {
                frame += [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [last]
            }
        } else {
            var header: [UInt8] = [0x45, 0] + TestFrame.be(UInt16(truncatingIfNeeded: 20 + udp))
            header += [0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]
            header.withUnsafeMutableBytes { Checksum.write(ipv4Header: $0.baseAddress!, length: 20) }
            frame += [0x08, 0x00] + header
        }
        frame += [0xC3, 0x50, 0x12, 0xB5] + TestFrame.be(UInt16(truncatingIfNeeded: udp)) + [0, 0] + TestFrame.vxlan
        if isIPv6 {
            frame.withUnsafeMutableBytes {
                let pseudo = Checksum.pseudoIPv6($0.baseAddress! + 14, protocol: 17, length: udp)
                $0.baseAddress!.set16(60, Checksum.fold(pseudo))
            }
        }
        return frame
    }

    private static func encapsulate(_ bench: Bench, _ from: UInt32, _ to: UInt32, isIPv6: Bool) -> Int {
        _ = bench.engine.receive(bench.ports + Int(from), endpoint: from, ring: bench.ring, pool: bench.pool)
        var largest = 0
        for index in 0..<bench.ring.count {
            let frame = bench.ring[index].pointee
            guard let slot = bench.queues.append(to) else { break }
            let outer = outer(isIPv6: isIPv6, length: frame.length)
            slot.header.copyMemory(from: outer, byteCount: outer.count)
            slot.pointee.headerLength = UInt16(outer.count)
            slot.pointee.tunnelHeaderLength = UInt8(outer.count)
            slot.pointee.outerTransport = UInt16(outer.count - 16)
            slot.pointee.innerNetwork = UInt16(outer.count + 14)
            slot.pointee.payload = frame.bytes
            slot.pointee.payloadLength = frame.length
            slot.pointee.offload = frame.offload.shifted(outer.count)
            if isIPv6, !frame.offload.isSuperFrame {
                // Finish the inner checksum, so that the outer one can be left.
                if frame.offload.needsChecksum {
                    let offload = frame.offload
                    _ = PartialChecksum.complete(
                        frame.bytes,
                        frame.length,
                        start: Int(offload.checksumStart),
                        offset: Int(offload.checksumOffset)
                    )
                }
                slot.pointee.offload = Offload(flags: 1, checksumStart: 54, checksumOffset: 6)
            }
            largest = max(largest, frame.length)
        }
        let result = bench.engine.transmit(bench.ports + Int(to), queues: bench.queues, endpoint: to)
        #expect(result.failures == 0, "\(result)")
        bench.queues.reset()
        return largest
    }

    /// Takes the outer headers off tunnel packets; the kernel's own chatter is left. Returns the longest frame.
    private static func decapsulate(_ bench: Bench, _ from: UInt32, _ to: UInt32, isIPv6: Bool) -> Int {
        _ = bench.engine.receive(bench.ports + Int(from), endpoint: from, ring: bench.ring, pool: bench.pool)
        let front = isIPv6 ? 70 : 50
        var largest = 0
        for index in 0..<bench.ring.count {
            let frame = bench.ring[index].pointee
            let bytes = UnsafeRawPointer(frame.bytes)
            guard frame.length > front, bytes.be16(12) == (isIPv6 ? EtherType.ipv6 : EtherType.ipv4),
                bytes.be16(front - 14) == 4789, let slot = bench.queues.append(to)
            else { continue }
            slot.pointee.payload = frame.bytes + front
            slot.pointee.payloadLength = frame.length - front
            var offload = frame.offload
            if offload.isSuperFrame {
                // What came in one by one and was joined has none.
                let tunnel = offload.gsoType & 0x60
                #expect(tunnel == 0 || tunnel == (isIPv6 ? 0x40 : 0x20), "\(offload)")
                offload.gsoType &= 0x9F
            }
            // Over IPv6 the kernel leaves the outer checksum, having finished the inner one.
            let isOuter = Int(offload.checksumStart) < front
            slot.pointee.offload = isOuter ? .none : offload.shifted(-front)
            largest = max(largest, frame.length)
        }
        let result = bench.engine.transmit(bench.ports + Int(to), queues: bench.queues, endpoint: to)
        #expect(result.failures == 0, "\(result)")
        bench.queues.reset()
        return largest
    }
}
