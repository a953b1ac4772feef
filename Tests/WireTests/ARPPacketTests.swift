import Testing
import Wire

@Suite struct ARPPacketTests {
    private let memory = GuardedBytes(capacity: 256)
    private let router = MACAddress("02:00:00:00:00:01")!
    private let host = MACAddress("02:00:00:00:00:0b")!
    private let routerIP = IPv4Address("10.0.0.1")!
    private let hostIP = IPv4Address("10.0.0.11")!

    private func parse(_ bytes: [UInt8]) -> ARPPacket? {
        let frame = memory.place(bytes)
        return ARPPacket(frame, ParsedFrame(UnsafeRawPointer(frame), bytes.count))
    }

    private func written(_ body: (UnsafeMutableRawPointer) -> Void) -> [UInt8] {
        let bytes = memory.place([UInt8](repeating: 0xEE, count: ARPPacket.frameLength))
        body(bytes)
        return Array(UnsafeRawBufferPointer(start: bytes, count: ARPPacket.frameLength))
    }

    /// The packet of RFC 826, byte for byte.
    @Test func writesReplies() throws {
        let bytes = written {
            ARPPacket.writeReply(to: $0, senderMAC: router, senderIP: routerIP, targetMAC: host, targetIP: hostIP)
        }
        let expected: [UInt8] =
            [2, 0, 0, 0, 0, 0x0B, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2]
            + [2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 2, 0, 0, 0, 0, 0x0B, 10, 0, 0, 11]
        #expect(bytes == expected)
        let packet = try #require(parse(bytes))
        #expect(packet.operation == ARPPacket.reply && packet.senderMAC == router && packet.senderIP == routerIP)
        #expect(packet.targetMAC == host && packet.targetIP == hostIP && packet.isLearnable)
        #expect(!packet.isProbe && !packet.isGratuitous)
    }

    @Test func writesRequests() throws {
        let bytes = written { ARPPacket.writeRequest(to: $0, senderMAC: router, senderIP: routerIP, targetIP: hostIP) }
        let expected: [UInt8] =
            [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]
            + [2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 11]
        #expect(bytes == expected)
        #expect(try #require(parse(bytes)).operation == ARPPacket.request)
        // RFC 1122 §2.3.2.1: a poll to whom it concerns. RFC 5227: a probe, an announcement.
        let poll = written {
            ARPPacket.writeRequest(to: $0, senderMAC: router, senderIP: routerIP, targetIP: hostIP, targetMAC: host)
        }
        #expect(poll[..<6] == [2, 0, 0, 0, 0, 0x0B] && poll[6...] == expected[6...])
        let none = IPv4Address(bits: 0)
        let probe = try #require(
            parse(written { ARPPacket.writeRequest(to: $0, senderMAC: router, senderIP: none, targetIP: hostIP) })
        )
        #expect(probe.isProbe && !probe.isGratuitous && !probe.isLearnable)
        let announcement = try #require(parse(written { ARPPacket.writeAnnouncement(to: $0, mac: host, ip: hostIP) }))
        #expect(announcement.isGratuitous && !announcement.isProbe && announcement.isLearnable)
        #expect(announcement.operation == ARPPacket.request && announcement.targetIP == hostIP)
    }

    /// RFC 826: what is not for Ethernet and IPv4, or not all there, is not looked at.
    @Test func refusals() {
        let good = written { ARPPacket.writeAnnouncement(to: $0, mac: host, ip: hostIP) }
        #expect(parse(good) != nil && parse(good + [UInt8](repeating: 0, count: 18)) != nil)
        for count in 0..<good.count { #expect(parse(Array(good[..<count])) == nil, "\(count) bytes") }
        for at in 12..<20 {
            for bit in 0..<8 {
                var bytes = good
                bytes[at] ^= 1 << UInt8(bit)
                #expect(parse(bytes) == nil, "bit \(bit) of byte \(at)")
            }
        }
        // Behind tags it is the same packet.
        for tags in [[0x81, 0, 0, 5], [0x88, 0xA8, 0, 5, 0x81, 0, 0, 6]] as [[UInt8]] {
            #expect(parse(Array(good[..<12]) + tags + good[12...]) == parse(good))
        }
        for operation in UInt16(0)...9 {
            var bytes = good
            bytes[21] = UInt8(operation)
            #expect(parse(bytes)?.operation == operation)
        }
    }

    /// RFC 1812 §3.3.2: no binding to a group's MAC; none for addresses that no host has.
    @Test func whatMayBeLearned() throws {
        for (mac, ip, fine) in [
            ("02:00:00:00:00:0b", "10.0.0.11", true), ("ff:ff:ff:ff:ff:ff", "10.0.0.11", false),
            ("01:00:5e:00:00:01", "10.0.0.11", false), ("00:00:00:00:00:00", "10.0.0.11", false),
            ("02:00:00:00:00:0b", "0.0.0.0", false), ("02:00:00:00:00:0b", "255.255.255.255", false),
            ("02:00:00:00:00:0b", "224.0.0.1", false), ("02:00:00:00:00:0b", "127.0.0.1", false),
        ] {
            let bytes = written {
                ARPPacket.writeReply(
                    to: $0,
                    senderMAC: MACAddress(mac)!,
                    senderIP: IPv4Address(ip)!,
                    targetMAC: router,
                    targetIP: routerIP
                )
            }
            #expect(try #require(parse(bytes)).isLearnable == fine, "\(mac) \(ip)")
        }
    }

    @Test func randomBytes() throws {
        var random = SplitMix(121)
        for _ in 0..<20_000 {
            var bytes = random.bytes(random.below(60))
            if random.chance(2), bytes.count >= 20 {
                bytes.replaceSubrange(12..<20, with: [8, 6, 0, 1, 8, 0, 6, 4])
                #expect((parse(bytes) != nil) == (bytes.count >= 42))
            } else {
                _ = parse(bytes)
            }
        }
    }
}
