import Forwarding
import TestCloud
import Testing
import Wire

/// IP in GRE: RFC 2784, RFC 2890, RFC 7588. Ethernet in GRE has its rows in ForwardingTests.
@Suite struct GRETests {
    private let inner = packet(from: "10.7.0.5", to: web4)
    private var delivered: Ending { .forward(.port("red/web", toWeb(packet(from: "10.7.0.5", to: web4, ttl: 63)))) }
    private let end = Names.greEnd(0)

    @Test(
        "RFC 2784 §2.3, RFC 2890 §2 GR1: routing, strict source route and recursion bits: discarded",
        arguments: [0x4000, 0x0800, 0x0400]
    )
    func routingBits(_ bit: Int) throws {
        let bench = try Bench()
        #expect(bench.receive(gre(flags: bit, inner), by: .gre, from: end) == .drop(.greHeader))
    }

    @Test(
        "RFC 2784 §2.3 GR1: bits 6 to 12 are ignored, and sent as 0",
        arguments: [0x0200, 0x0100, 0x0080, 0x0040, 0x0020, 0x0010, 0x0008]
    )
    func reservedBits(_ bit: Int) throws {
        let bench = try Bench()
        #expect(bench.receive(gre(flags: bit, inner), by: .gre, from: end) == delivered)
        let sent = bench.send(fromWeb(packet(from: web4, to: "10.7.0.5")), at: "red/web").sent
        #expect(sent.first?.bytes.prefix(4) == [0, 0, 8, 0])
    }

    @Test("RFC 2784 §2.3.1 GR1: another version than 0: discarded", arguments: 1...7)
    func version(_ version: Int) throws {
        let bench = try Bench()
        #expect(bench.receive(gre(flags: version, inner), by: .gre, from: end) == .drop(.greHeader))
    }

    @Test("RFC 2784 §2.1 GR2: a wrong checksum: discarded; a right one is verified over header and payload")
    func checksum() throws {
        let bench = try Bench()
        let inner = packet(from: "10.8.0.5", to: web4, filler(33))
        let good = gre(key: 9, flags: 0x8000, inner)
        let delivered = Ending.forward(.port("red/web", toWeb(packet(from: "10.8.0.5", to: web4, ttl: 63, filler(33)))))
        #expect(bench.receive(good, by: .gre, from: end) == delivered)
        for place in 0..<good.count where ![0, 1].contains(place) {
            var bad = good
            bad[place] ^= 0x10
            #expect(bench.receive(bad, by: .gre, from: end).sent.isEmpty, "byte \(place)")
        }
        // Reserved1 is 0 on the way out.
        let out = bench.send(fromWeb(packet(from: web4, to: "10.8.0.5")), at: "red/web").sent
        #expect(out.first?.bytes.prefix(12) == [0xA0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 9])
    }

    @Test("RFC 2784 §2.4 GR3: an unknown protocol type: discarded", arguments: [0, 0x0806, 0x8847, 0x88BE, 0xFFFF])
    func protocolType(_ type: Int) throws {
        let bench = try Bench()
        #expect(bench.receive(gre(type: type, inner), by: .gre, from: end) == .drop(.greProtocol))
    }

    @Test("RFC 2784 §2.4 GR3: the type says IPv4 and the packet is none, and the other way round")
    func typeAndPacketDisagree() throws {
        let bench = try Bench()
        #expect(bench.receive(gre(type: 0x86DD, inner), by: .gre, from: end) == .drop(.brokenIPHeader))
        let six = packet(from: "2001:db8:8::5", to: web6)
        #expect(bench.receive(gre(type: 0x0800, six), by: .gre, from: end) == .drop(.brokenIPHeader))
    }

    @Test("RFC 2784 §3.1 GR4: what is for the other end of the tunnel itself does not go back into it")
    func looping() throws {
        var cloud = TestCloud.twoTenants
        let end = end
        cloud.change("red/gw") { $0.routes.append(("\(end)/32", [.tunnel("plain")])) }
        let bench = try Bench(cloud)
        let looping = packet(from: "10.7.0.5", to: end)
        #expect(bench.receive(gre(looping), by: .gre, from: end) == .drop(.tunnelLoop))
        #expect(bench.send(fromWeb(packet(from: web4, to: end)), at: "red/web") == .drop(.tunnelLoop))
    }

    @Test("RFC 2890 §2.1 GR5: the key must be the tunnel's; keyed and unkeyed are different in both directions")
    func key() throws {
        let bench = try Bench()
        let keyed = packet(from: "10.8.0.5", to: web4)
        let delivered = Ending.forward(.port("red/web", toWeb(packet(from: "10.8.0.5", to: web4, ttl: 63))))
        #expect(bench.receive(gre(key: 9, keyed), by: .gre, from: end) == delivered)
        #expect(bench.receive(gre(key: 10, keyed), by: .gre, from: end) == .drop(.unknownKey))
        #expect(bench.receive(gre(key: 0, inner), by: .gre, from: end) == .drop(.unknownKey))
        // Without a key it is the other tunnel's, behind which 10.8.0.5 is not.
        #expect(bench.receive(gre(keyed), by: .gre, from: end) == .drop(.reversePath))
        #expect(bench.receive(gre(key: 9, inner), by: .gre, from: end) == .drop(.reversePath))
        // A tunnel that has a key only does not take what has none.
        var cloud = TestCloud.twoTenants
        cloud.change("red/gw") {
            $0.tunnels.removeAll { $0.name == "plain" }
            $0.routes.removeAll { $0.via == [.tunnel("plain")] }
        }
        let alone = try Bench(cloud)
        #expect(alone.receive(gre(keyed), by: .gre, from: end) == .drop(.unknownPeer))
    }

    @Test("RFC 2890 §2.2 GR5: sequence numbers are counted, order is not enforced")
    func sequence() throws {
        let bench = try Bench()
        for sequence in [7, 3, 3, 0xFFFF_FFFF] {
            #expect(bench.receive(gre(sequence: sequence, inner), by: .gre, from: end) == delivered)
            #expect(bench.decision.events == Event.greSequenceIgnored.bit)
        }
    }

    @Test("RFC 7588 §3.2 GR6: the payload is cut if it may be, else its sender learns what fits")
    func payloadIsCut() throws {
        let bench = try Bench()
        for (destination, mtu) in [("10.7.0.5", 1476), ("10.8.0.5", 1468), ("10.5.0.5", 1456)] {
            let large = ipv4(from: web4, to: destination, fragment: dontFragment, filler(mtu - 19))
            #expect(bench.send(fromWeb(large), at: "red/web") == .refuses(.exceedsMTU, 3, 4, mtu: mtu, large))
            let divisible = ipv4(from: web4, to: destination, filler(mtu - 19))
            #expect(bench.send(fromWeb(divisible), at: "red/web").verdict == .forward)
            #expect(bench.decision.fragmentMTU == UInt32(mtu))
        }
        for (destination, mtu) in [("2001:db8:8::5", 1468), ("2001:db8:5::5", 1456)] {
            let large = ipv6(from: web6, to: destination, filler(mtu - 39))
            #expect(bench.send(fromWeb(large), at: "red/web") == .refuses(.exceedsMTU, 2, 0, mtu: mtu, large))
        }
    }

    @Test("a GRE header cut short anywhere: discarded")
    func truncated() throws {
        let bench = try Bench()
        let whole = gre(key: 9, flags: 0x8000, sequence: 1, packet(from: "10.8.0.5", to: web4))
        for length in 0..<16 {
            #expect(
                bench.receive(Array(whole.prefix(length)), by: .gre, from: end) == .drop(.tunnelHeaderTruncated),
                "\(length) bytes"
            )
        }
        // What is left of the packet behind a whole header, with a checksum that is right for it.
        let inner = packet(from: "10.7.0.5", to: web4)
        for length in 0..<inner.count {
            let ending = bench.receive(gre(type: 0x0800, Array(inner.prefix(length))), by: .gre, from: end)
            #expect(ending == .drop(.brokenIPHeader), "\(length) bytes")
        }
    }
}
