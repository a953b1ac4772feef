import Forwarding
import Rings
import Tables
import TestCloud
import Testing
import Wire

/// Requirements for routers: RFC 1812, 1122, 4443, 8200.
@Suite struct RouterTests {
    private let crossing = packet(from: web4, to: db4)
    private let crossing6 = packet(from: web6, to: db6)

    @Test("between two networks: new MACs, TTL less one, nothing else", arguments: [(web4, db4), (web6, db6)])
    func forwards(_ from: String, _ to: String) throws {
        let bench = try Bench()
        let ending = bench.send(fromWeb(packet(from: from, to: to)), at: "red/web")
        #expect(ending == .forward(.port("red/db", toDB(packet(from: from, to: to, ttl: 63)))))
    }

    @Test("to another host: routed here, bridged there; the way crosses the underlay once")
    func forwardsToAnotherHost() throws {
        let bench = try Bench()
        let routed = ethernet(to: Names.farDB, from: Names.gateway, packet(from: web4, to: "10.0.1.22", ttl: 63))
        let ending = bench.send(fromWeb(packet(from: web4, to: "10.0.1.22")), at: "red/web")
        #expect(ending == .forward(.vtep(2, "red/data", gre(key: 77, type: 0x6558, routed))))
        let there = try Bench(host: 2)
        let arrived = there.receive(gre(key: 77, type: 0x6558, routed), by: .gre, from: TestCloud.underlay(1))
        #expect(arrived == .forward(.port("red/fardb", routed)))
    }

    // MARK: RT2

    @Test("RFC 1812 §5.3.1 RT2: TTL 0 or 1 and not for us: time exceeded", arguments: [0, 1])
    func timeExceeded(_ ttl: Int) throws {
        let bench = try Bench()
        let four = packet(from: web4, to: db4, ttl: ttl)
        #expect(bench.send(fromWeb(four), at: "red/web") == .refuses(.hopLimitExceeded, 11, 0, four))
        let six = packet(from: web6, to: db6, ttl: ttl)
        #expect(bench.send(fromWeb(six), at: "red/web") == .refuses(.hopLimitExceeded, 3, 0, six))
    }

    @Test("RFC 1122 §3.2.1.7 RT2: for us the TTL does not matter", arguments: [0, 1, 64, 255])
    func ttlForUs(_ ttl: Int) throws {
        let bench = try Bench()
        for (from, own) in [(web4, gateway4), (web6, gateway6), (web4, dataGateway4), (web6, dataGateway6)] {
            let reply = echo(from: own, to: from, isReply: true)
            let ending = bench.send(fromWeb(echo(from: from, to: own, ttl: ttl)), at: "red/web")
            #expect(ending == .answer(.port("red/web", toWeb(reply))))
        }
    }

    // MARK: RT3, RT4

    @Test("RFC 1812 §5.3.4 RT3: a frame to everybody is not forwarded nor complained about, whatever packet it has")
    func linkBroadcast() throws {
        let bench = try Bench()
        for destination in [db4, "10.77.0.1", gateway4] {
            for mac in [everybody, "01:00:5e:00:00:01"] {
                let frame = ethernet(to: mac, from: Names.web, packet(from: web4, to: destination, ttl: 1))
                let ending = bench.send(frame, at: "red/web")
                #expect(ending == Ending(verdict: .flood, sent: [.vtep(2, "red/app", vxlan(5001, frame))]))
            }
        }
    }

    @Test("RFC 2644 RT4: a directed broadcast is not passed on", arguments: ["10.0.1.255", "10.0.1.0"])
    func directedBroadcast(_ destination: String) throws {
        let bench = try Bench()
        #expect(
            bench.send(fromWeb(packet(from: web4, to: destination)), at: "red/web") == .drop(.martianDestination)
        )
    }

    @Test("RFC 3021 RT4: a prefix of 31 bits has no broadcast address")
    func pointToPoint() throws {
        var cloud = TestCloud.twoTenants
        cloud.change("red/gw") { $0.interfaces[1].addresses.append("10.0.77.0/31") }
        let bench = try Bench(cloud)
        bench.learn("10.0.77.1", is: Names.db, in: "red/data")
        let ending = bench.send(fromWeb(packet(from: web4, to: "10.0.77.1")), at: "red/web")
        #expect(ending == .forward(.port("red/db", toDB(packet(from: web4, to: "10.0.77.1", ttl: 63)))))
    }

    @Test(
        "RFC 1812 §5.3.7 RT4: destinations that are no host's",
        arguments: [
            ("255.255.255.255", DropReason.martianDestination), ("127.0.0.1", .martianDestination),
            ("0.0.0.1", .martianDestination), ("240.0.0.1", .martianDestination),
            ("224.0.0.5", .multicastNotRouted), ("239.1.1.1", .multicastNotRouted), ("169.254.1.1", .linkLocalScope),
            ("::", .martianDestination), ("::1", .martianDestination), ("::ffff:10.0.0.1", .martianDestination),
            ("::10.0.0.1", .martianDestination), ("ff02::1", .multicastNotRouted), ("ff0e::1", .multicastNotRouted),
            ("fe80::1", .linkLocalScope),
        ]
    )
    func martianDestination(_ destination: String, _ reason: DropReason) throws {
        let bench = try Bench()
        let source = destination.contains(":") ? web6 : web4
        #expect(bench.send(fromWeb(packet(from: source, to: destination)), at: "red/web") == .drop(reason))
    }

    @Test(
        "RFC 1812 §5.3.7 RT4: sources that are no host's",
        arguments: [
            ("0.0.0.0", DropReason.martianSource), ("127.0.0.1", .martianSource), ("224.0.0.1", .martianSource),
            ("240.0.0.1", .martianSource), ("255.255.255.255", .martianSource), ("169.254.1.1", .linkLocalScope),
            ("::", .martianSource), ("::1", .martianSource), ("ff02::1", .martianSource),
            ("::ffff:10.0.0.1", .martianSource), ("fe80::2", .linkLocalScope),
        ]
    )
    func martianSource(_ source: String, _ reason: DropReason) throws {
        let bench = try Bench()
        for ttl in [64, 1] {
            let destination = source.contains(":") ? db6 : db4
            let sent = fromWeb(packet(from: source, to: destination, ttl: ttl))
            #expect(bench.send(sent, at: "red/web") == .drop(reason))
        }
    }

    // MARK: RT5, RT7

    @Test("RFC 1812 §4.3.2.7, RFC 4443 §2.4(e) RT5: no error about an error, a later fragment or a martian")
    func noErrorAboutErrors() throws {
        let bench = try Bench()
        func dropped(_ packet: [UInt8]) {
            #expect(bench.send(fromWeb(packet), at: "red/web") == .drop(.hopLimitExceeded))
        }
        for type in [3, 4, 5, 11, 12, 19, 200] {
            dropped(ipv4(from: web4, to: db4, protocol: 1, ttl: 1, icmp(type, 0, 0, crossing)))
        }
        dropped(ipv4(from: web4, to: db4, protocol: 1, ttl: 1))
        dropped(ipv4(from: web4, to: db4, ttl: 1, fragment: 1, filler(8)))
        dropped(ipv4(from: web4, to: db4, ttl: 1, fragment: moreFragments | 185, filler(8)))
        for type in [1, 2, 3, 4, 100, 127, 137] {
            let message = icmpv6(type, 0, from: web6, to: db6, crossing6)
            dropped(ipv6(from: web6, to: db6, next: 58, hopLimit: 1, message))
        }
        let later: [UInt8] = [17, 0, 0, 8, 0, 0, 0, 1]
        dropped(ipv6(from: web6, to: db6, next: 44, hopLimit: 1, later + filler(8)))
        // Questions and first fragments are answered.
        for type in [0, 8, 13] {
            let sent = ipv4(from: web4, to: db4, protocol: 1, ttl: 1, icmp(type, 0))
            #expect(bench.send(fromWeb(sent), at: "red/web") == .refuses(.hopLimitExceeded, 11, 0, sent))
        }
        let first = ipv4(from: web4, to: db4, ttl: 1, fragment: moreFragments, filler(8))
        #expect(bench.send(fromWeb(first), at: "red/web") == .refuses(.hopLimitExceeded, 11, 0, first))
    }

    @Test("RFC 1812 §4.3.2.3, §4.3.2.5, RFC 4443 §2.4(c) RT7: as much as 576 or 1280 bytes hold, precedence 6")
    func quotes() throws {
        let bench = try Bench()
        for count in [0, 1, 7, 8, 527, 528, 529, 1400] {
            let sent = ipv4(from: web4, to: db4, ttl: 1, tos: 0x28, filler(count))
            let ending = bench.send(fromWeb(sent), at: "red/web")
            #expect(ending == .refuses(.hopLimitExceeded, 11, 0, sent))
            #expect(ending.answer?.bytes.count == min(14 + 576, 14 + 28 + sent.count))
            #expect(ending.answer?.bytes[15] == 0xC0)
        }
        for count in [0, 1, 1191, 1192, 1193, 1400] {
            let sent = ipv6(from: web6, to: db6, hopLimit: 1, filler(count))
            let ending = bench.send(fromWeb(sent), at: "red/web")
            #expect(ending == .refuses(.hopLimitExceeded, 3, 0, sent))
            #expect(ending.answer?.bytes.count == min(14 + 1280, 14 + 48 + sent.count))
        }
    }

    @Test("RFC 1812 §4.3.2.4 RT7: the error comes from the address of the interface that faces the sender")
    func errorSource() throws {
        let bench = try Bench()
        let sent = packet(from: db4, to: web4, ttl: 1)
        let error = icmpError(11, 0, from: dataGateway4, to: db4, about: sent)
        #expect(bench.send(fromDB(sent), at: "red/db") == .drop(.hopLimitExceeded, .port("red/db", toDB(error))))
        // RFC 1812 §5.2.2.6: where it has none, another of the router's.
        let out = packet(from: "10.7.0.5", to: web4, ttl: 1)
        let away = gre(icmpError(11, 0, from: gateway4, to: "10.7.0.5", about: out))
        #expect(
            bench.receive(gre(out), by: .gre, from: Names.greEnd(0))
                == .drop(.hopLimitExceeded, .tunnel("red/gw", "plain", Names.greEnd(0), away))
        )
    }

    // MARK: For the router itself

    @Test("RFC 1122 §3.2.2.6, RFC 4443 §4.1: the router answers pings, and offers nothing else")
    func forUs() throws {
        let bench = try Bench()
        for (own, from) in [
            (gateway4, web4), (dataGateway4, web4), ("10.255.0.1", web4), (gateway6, web6), (dataGateway6, web6),
            ("2001:db8:ff::1", web6), ("fe80::ff:fe00:1", "fe80::ff:fe00:11"),
        ] {
            let request = echo(from: from, to: own, ttl: 7, tos: 0x28, filler(99))
            let reply = echo(from: own, to: from, isReply: true, tos: 0x28, filler(99))
            #expect(bench.send(fromWeb(request), at: "red/web") == .answer(.port("red/web", toWeb(reply))), "\(own)")
        }
        let datagram = ipv4(from: web4, to: gateway4, protocol: 17, udp(1, 2))
        #expect(bench.send(fromWeb(datagram), at: "red/web") == .refuses(.noSuchService, 3, 3, datagram))
        let segment = ipv4(from: web4, to: gateway4, protocol: 6, tcp(1, 2, over: (web4, gateway4)))
        #expect(bench.send(fromWeb(segment), at: "red/web") == .refuses(.noSuchService, 3, 3, segment))
        let other = packet(from: web4, to: gateway4)
        #expect(bench.send(fromWeb(other), at: "red/web") == .refuses(.noSuchService, 3, 2, other))
        let other6 = packet(from: web6, to: gateway6)
        #expect(bench.send(fromWeb(other6), at: "red/web") == .refuses(.noSuchService, 4, 1, mtu: 6, other6))
        // Answers and errors are for nobody.
        let reply = echo(from: web4, to: gateway4, isReply: true)
        #expect(bench.send(fromWeb(reply), at: "red/web") == .drop(.noSuchService))
    }

    @Test("an echo request with a wrong checksum, in part or with code 1 is not answered")
    func brokenEcho() throws {
        let bench = try Bench()
        var wrong = echo(from: web4, to: gateway4)
        wrong[22] ^= 1
        #expect(bench.send(fromWeb(wrong), at: "red/web") == .drop(.brokenIPHeader))
        let part = ipv4(from: web4, to: gateway4, protocol: 1, fragment: moreFragments, icmp(8, 0, 1, filler(8)))
        #expect(bench.send(fromWeb(part), at: "red/web") == .drop(.noSuchService))
        let code = ipv4(from: web4, to: gateway4, protocol: 1, icmp(8, 1, 1, filler(8)))
        #expect(bench.send(fromWeb(code), at: "red/web") == .drop(.noSuchService))
    }

    @Test("what has the router's MAC and is no IP packet, or has a tag, is not routed")
    func notRoutable() throws {
        var cloud = TestCloud.twoTenants
        cloud.networks[cloud.index(of: "red/app")].isTransparent = true
        let bench = try Bench(cloud)
        let odd = ethernet(to: Names.gateway, from: Names.web, type: 0x88B5, filler(46))
        #expect(bench.send(odd, at: "red/web") == .drop(.notRoutable))
        let tagged = ethernet(to: Names.gateway, from: Names.web, tags: [(0x8100, 5)], crossing)
        #expect(bench.send(tagged, at: "red/web") == .drop(.notRoutable))
    }

    @Test("padding of the link is not the packet's")
    func padding() throws {
        let bench = try Bench()
        let short = fromWeb(crossing) + [UInt8](repeating: 0xEE, count: 60 - fromWeb(crossing).count)
        #expect(
            bench.send(short, at: "red/web") == .forward(.port("red/db", toDB(packet(from: web4, to: db4, ttl: 63))))
        )
    }
}
