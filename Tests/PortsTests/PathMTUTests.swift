import CLinux
import Glibc
import Testing
import Wire

@testable import Ports
@testable import Rings

/// A narrow link behind a router: what the kernel's ICMP messages become.
@Suite struct PathMTUTests {
    /// Tunnels whose packets the router must refuse.
    enum Kind: CaseIterable {
        case vxlan4, vxlan6, gre4, gre6, ipip, ip6ip6

        var isIPv6: Bool { self == .vxlan6 || self == .gre6 || self == .ip6ip6 }
        var isUDP: Bool { self == .vxlan4 || self == .vxlan6 }
        var near: IPAddress { IPAddress(isIPv6 ? "2001:db8::1" : "192.0.2.1")! }
        var far: IPAddress { IPAddress(isIPv6 ? "2001:db8:1::2" : "198.51.100.2")! }

        func open() throws -> (PortKind, [Int32]) {
            if isUDP { return (isIPv6 ? .vxlan6 : .vxlan4, try VXLANSocket.open(address: near)) }
            let number = self == .ipip ? IPProtocol.ipv4 : self == .ip6ip6 ? IPProtocol.ipv6 : IPProtocol.gre
            return (isIPv6 ? .raw6 : .raw4, [try RawSocket.open(address: near, protocol: number)])
        }

        /// A packet whose content behind the outer headers has this length.
        func packet(_ length: Int, offload: Offload = .none, payload: [UInt8]? = nil, flow: UInt32 = 1) -> Outgoing {
            Outgoing(
                header: TestFrame.vxlan,
                payload: payload ?? TestFrame.pattern(length - 8),
                offload: offload,
                flow: flow,
                destination: far.mapped,
                port: isUDP ? 4789 : 0
            )
        }

        /// Bytes of outer headers in a packet.
        var overhead: Int { (isIPv6 ? 40 : 20) + (isUDP ? 8 : 0) }
    }

    /// `withPair`, with the right end as a router and 198.51.100.2 and 2001:db8:1::2 behind a link of `mtu` bytes.
    private func withRouter(mtu: Int, _ body: () throws -> Void) throws {
        try withPair { left, right in
            let far = try Namespace()
            right.enter()
            try sh(
                """
                echo 1 > /proc/sys/net/ipv4/ip_forward && echo 1 > /proc/sys/net/ipv6/conf/all/forwarding &&
                ip link add narrow mtu \(mtu) type veth peer name far mtu \(mtu) netns \(far.path) &&
                echo 0 > /proc/sys/net/ipv6/conf/narrow/accept_dad && echo 0 > /proc/sys/net/ipv6/conf/narrow/disable_ipv6 && ip link set narrow up &&
                ip addr add 198.51.100.1/24 dev narrow && ip addr add 2001:db8:1::1/64 dev narrow nodad
                """
            )
            far.enter()
            try sh(
                """
                echo 0 > /proc/sys/net/ipv6/conf/all/disable_ipv6 &&
                echo 0 > /proc/sys/net/ipv6/conf/far/accept_dad &&
                echo 0 > /proc/sys/net/ipv6/conf/far/disable_ipv6 && ip link set far up &&
                ip addr add 198.51.100.2/24 dev far && ip addr add 2001:db8:1::2/64 dev far nodad &&
                ip route add default via 198.51.100.1 && ip route add default via 2001:db8:1::1
                """
            )
            try waitForCarrier("far")
            left.enter()
            try sh("ip route add default via 192.0.2.2 && ip route add default via 2001:db8::2")
            try body()
        }
    }

    private func news(_ bench: Bench) -> [PathMTUNews] {
        defer { bench.engine.clearPathMTUNews() }
        return Array(bench.engine.pathMTUNews)
    }

    /// Whether the kernel would wake a worker for the endpoint.
    private func isReady(_ bench: Bench, _ endpoint: UInt32) -> Bool {
        var wait = pollfd(fd: bench.ports[Int(endpoint)].receiveDescriptor, events: Int16(POLLIN), revents: 0)
        return poll(&wait, 1, 0) > 0
    }

    /// The first packet that is too long is lost; from the next one on its sender's socket knows how long they may be.
    @Test(arguments: Kind.allCases)
    func aRouterSaysHowLongPacketsMayBe(kind: Kind) throws {
        try withRouter(mtu: 1400) {
            let bench = Bench()
            let (portKind, descriptors) = try kind.open()
            let port = try bench.add(portKind, descriptors)
            let fits = kind.packet(1_400 - kind.overhead)
            let isLong = kind.packet(1_401 - kind.overhead)
            // The neighbours find each other.
            #expect(bench.send(port, [fits]).failures == 0)
            usleep(50_000)
            #expect(news(bench).isEmpty && bench.engine.underlayErrors == 0)

            #expect(bench.send(port, [isLong]).failures == 0, "the first is lost on its way")
            usleep(20_000)
            // A packet that fits pays nothing for the one before it.
            let after = bench.send(port, [fits, fits, fits])
            #expect(after.frames == 3 && after.failures == 0, "\(after)")
            // A raw socket is waited for, so its news wake the worker; other sockets tell with their next packet.
            #expect(isReady(bench, port) == !kind.isUDP)
            #expect(bench.receive(port).isEmpty && bench.lastError == 0)
            #expect(!isReady(bench, port))
            // Over IPv4 two UDP sockets share a port, and the kernel tells one of them, by a hash.
            let first = news(bench)
            #expect(first == [PathMTUNews(peer: kind.far.mapped, mtu: 1_400)] || kind == .vxlan4 && first.isEmpty)

            // Now the kernel refuses, and says so each time.
            let refused = bench.send(port, [fits, isLong, fits, isLong])
            #expect(refused.frames == 2 && refused.tooBig == 2 && refused.failures == 2, "\(refused)")
            #expect(news(bench) == [PathMTUNews(peer: kind.far.mapped, mtu: 1_400)])
            let payload = TestFrame.tcp(TestFrame.pattern(5_000), partial: true)
            let superFrame = kind.packet(0, offload: TestFrame.superTCP(1_400, 8), payload: payload)
            let cut = bench.send(port, [superFrame, fits])
            #expect(cut.frames == 1 && cut.tooBig == 1, "\(cut)")
            #expect(news(bench) == [PathMTUNews(peer: kind.far.mapped, mtu: 1_400)])
            #expect(bench.ports[Int(port)].flags == 0, "UDP_SEGMENT was given up")
            #expect(bench.engine.underlayErrors == 0)
            #expect(bench.receive(port).isEmpty && !isReady(bench, port))
        }
    }

    /// The host's own device is narrow: nothing is lost, and nobody has to be asked.
    @Test(arguments: Kind.allCases)
    func theHostsOwnRouteIsKnown(kind: Kind) throws {
        try withPair { _, _ in
            try sh(
                """
                ip link set left mtu 1300 && ip route add default via 192.0.2.2 &&
                ip route add default via 2001:db8::2
                """
            )
            let bench = Bench()
            let (portKind, descriptors) = try kind.open()
            let port = try bench.add(portKind, descriptors)
            let result = bench.send(port, [kind.packet(1_301 - kind.overhead), kind.packet(1_300 - kind.overhead)])
            #expect(result.frames == 1 && result.tooBig == 1)
            #expect(news(bench) == [PathMTUNews(peer: kind.far.mapped, mtu: 1_300)])
            #expect(bench.receive(port).isEmpty && !isReady(bench, port))
        }
    }

    /// Nobody listens there: an ICMP message for each packet, which fails none of the next ones and wakes nobody for ever.
    @Test(arguments: Kind.allCases)
    func otherErrorsAreCountedOnly(kind: Kind) throws {
        try withRouter(mtu: 1400) {
            let bench = Bench()
            let (portKind, descriptors) = try kind.open()
            let port = try bench.add(portKind, descriptors)
            let payload = TestFrame.tcp(TestFrame.pattern(5_000), partial: true)
            let superFrame = kind.packet(0, offload: TestFrame.superTCP(1_000, 8), payload: payload)
            var result = TransmitResult()
            for _ in 0..<4 {
                result = bench.send(port, Array(repeating: kind.packet(100), count: 5) + [superFrame])
                #expect(result.frames == 6 && result.failures == 0, "\(result)")
                usleep(20_000)
            }
            // The router takes its time.
            let end = linux_monotonic() + 3_000_000_000
            repeat {
                _ = bench.receive(port)
            } while (bench.engine.underlayErrors == 0 || isReady(bench, port)) && linux_monotonic() < end
            #expect(!isReady(bench, port))
            #expect(bench.engine.underlayErrors > 0 && bench.engine.hasUnderlayNews)
            #expect(news(bench).isEmpty && !bench.engine.hasUnderlayNews)
        }
    }

    @Test func newsAreFewAndBelievable() {
        let news = UnderlayNews()
        defer { news.deallocate() }
        func peer(_ number: Int) -> IPv6Address { IPv6Address(mapping: IPv4Address(bits: UInt32(number))) }
        let six = IPv6Address(high: 0x2001_0DB8 << 32, low: 1)
        for (address, mtu) in [(peer(1), 0), (peer(1), 67), (six, 68), (six, 1_279)] as [(IPv6Address, UInt32)] {
            news.note(PathMTUNews(peer: address, mtu: mtu))
        }
        #expect(news.state.pointee.count == 0)
        news.note(PathMTUNews(peer: six, mtu: 1_280))
        for mtu in [1_400, 68, 1_300] as [UInt32] { news.note(PathMTUNews(peer: peer(1), mtu: mtu)) }
        for number in 2..<30 { news.note(PathMTUNews(peer: peer(number), mtu: UInt32(1_000 + number))) }
        let kept = (0..<news.state.pointee.count).map { news.paths[$0] }
        let expected =
            [PathMTUNews(peer: six, mtu: 1_280), PathMTUNews(peer: peer(1), mtu: 68)]
            + (2..<16).map { PathMTUNews(peer: peer($0), mtu: UInt32(1_000 + $0)) }
        #expect(kept == expected)
    }
}
