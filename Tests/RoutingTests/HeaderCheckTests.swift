import Forwarding
import Tables
import TestCloud
import Testing
import Wire

/// What a router makes sure of before it looks at addresses: RFC 1812 §5.2.2, 7126, 8200, 5095.
@Suite struct HeaderCheckTests {
    /// A header that must not be forwarded.
    struct Broken: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var packet: [UInt8]
        var reason = DropReason.brokenIPHeader
    }

    static let broken: [Broken] = {
        let good = ipv4(from: web4, to: db4, filler(20))
        func changed(_ name: String, _ change: (inout [UInt8]) -> Void) -> Broken {
            var packet = good
            change(&packet)
            // The checksum is right for what stands there, so that it is not what is found.
            let length = min(packet.count, max(20, Int(packet[0] & 15) * 4))
            if length >= 20, packet.count >= length {
                packet.replaceSubrange(10..<12, with: [0, 0])
                packet.replaceSubrange(10..<12, with: be16(0xFFFF - onesSum(Array(packet[..<length]))))
            }
            return Broken(testDescription: name, packet: packet)
        }
        var wrongSum = good
        wrongSum[11] ^= 1
        return [
            changed("version 5") { $0[0] = 0x55 },
            changed("version 6 in an IPv4 frame") { $0[0] = 0x65 },
            changed("IHL 4") { $0[0] = 0x44 },
            changed("IHL 0") { $0[0] = 0x40 },
            changed("IHL 15 in a packet of 40 bytes") { $0[0] = 0x4F },
            changed("total length 19") { $0[3] = 19 },
            changed("total length 0") { $0[3] = 0 },
            changed("total length less than the IHL's") {
                $0[0] = 0x47
                $0[3] = 24
            },
            changed("total length beyond the frame") { $0[3] = 41 },
            Broken(testDescription: "checksum", packet: wrongSum),
            Broken(testDescription: "19 bytes", packet: Array(good.prefix(19))),
            Broken(testDescription: "no bytes", packet: []),
            Broken(testDescription: "IPv6, 39 bytes", packet: Array(packet(from: web6, to: db6).prefix(39))),
            Broken(testDescription: "IPv6, cut short", packet: Array(packet(from: web6, to: db6).dropLast())),
        ]
    }()

    @Test("RFC 1812 §5.2.2, RFC 8200 §3 RT1: a broken header is dropped silently", arguments: broken)
    func brokenHeader(_ broken: Broken) throws {
        let bench = try Bench()
        let isIPv6 = broken.testDescription.hasPrefix("IPv6")
        let frame = ethernet(
            to: Names.gateway,
            from: Names.web,
            type: isIPv6 ? 0x86DD : 0x0800,
            broken.packet
        )
        #expect(bench.send(frame, at: "red/web") == .drop(.brokenIPHeader))
        // Out of a tunnel the same.
        let header = broken.packet
        let ending = bench.receive(gre(type: isIPv6 ? 0x86DD : 0x0800, header), by: .gre, from: Names.greEnd(0))
        #expect(ending == .drop(.brokenIPHeader))
    }

    @Test("RFC 7126 §4.3, §4.4 RT10: source routes are not followed", arguments: [131, 137])
    func sourceRoute(_ option: UInt8) throws {
        let bench = try Bench()
        let sent = ipv4(from: web4, to: db4, options: [option, 7, 4, 10, 0, 0, 21])
        #expect(bench.send(fromWeb(sent), at: "red/web") == .drop(.sourceRoute))
        // Completed ones as well, and behind other options.
        let done = ipv4(from: web4, to: db4, options: [1, 7, 3, 4, option, 7, 8, 10, 0, 0, 21])
        #expect(bench.send(fromWeb(done), at: "red/web") == .drop(.sourceRoute))
        // Also towards the router itself.
        let own = ipv4(from: web4, to: gateway4, options: [option, 7, 4, 10, 0, 0, 21])
        #expect(bench.send(fromWeb(own), at: "red/web") == .drop(.sourceRoute))
    }

    @Test("RFC 1812 §5.2.4.1 RT10: other options pass as they are")
    func otherOptions() throws {
        let bench = try Bench()
        for options in [[7, 7, 4, 0, 0, 0, 0], [68, 8, 5, 0, 0, 0, 0, 0], [148, 4, 0, 0], [1, 1, 1, 0]] as [[UInt8]] {
            func sent(_ ttl: Int) -> [UInt8] { ipv4(from: web4, to: db4, ttl: ttl, options: options, [1]) }
            #expect(bench.send(fromWeb(sent(64)), at: "red/web") == .forward(.port("red/db", toDB(sent(63)))))
        }
        for options in [[7, 0, 0, 0], [7, 1, 0, 0], [7, 9, 0, 0], [1, 1, 1, 7]] as [[UInt8]] {
            let sent = ipv4(from: web4, to: db4, options: options, [1])
            #expect(bench.send(fromWeb(sent), at: "red/web") == .drop(.brokenIPHeader))
        }
    }

    @Test("RFC 5095 §3 RT10: routing header of type 0: dropped", arguments: [0, 1, 2])
    func routingHeader0(_ segmentsLeft: UInt8) throws {
        let bench = try Bench()
        let header: [UInt8] = [253, 2, 0, segmentsLeft, 0, 0, 0, 0] + address("2001:db8:b::22")
        let sent = ipv6(from: web6, to: db6, next: 43, header)
        #expect(bench.send(fromWeb(sent), at: "red/web") == .drop(.sourceRoute))
    }

    @Test("RFC 8200 §4.2 RT10: a hop-by-hop option that nobody knows: its first two bits say what to do")
    func hopByHop() throws {
        let bench = try Bench()
        func sent(_ option: UInt8, hopLimit: Int = 64) -> [UInt8] {
            ipv6(from: web6, to: db6, next: 0, hopLimit: hopLimit, [253, 0, option, 4, 0, 0, 0, 0, 1])
        }
        #expect(
            bench.send(fromWeb(sent(0x1E)), at: "red/web") == .forward(.port("red/db", toDB(sent(0x1E, hopLimit: 63))))
        )
        #expect(bench.send(fromWeb(sent(0x5E)), at: "red/web") == .drop(.refusedByOption))
        for option in [0x9E, 0xDE] as [UInt8] {
            let packet = sent(option)
            #expect(bench.send(fromWeb(packet), at: "red/web") == .refuses(.refusedByOption, 4, 2, mtu: 42, packet))
        }
    }
}
