import Forwarding
import Ports
import Rings
import TestCloud
import Testing
import Wire

/// Tenants' offloads through routers: a super-frame stays whole as far as it can.
@Suite struct RoutedSuperFrameTests {
    /// A TCP stream of `count` bytes in one frame, its checksum left to be finished.
    private func stream(
        _ count: Int,
        from source: String,
        to destination: String,
        ttl: Int = 64,
        fragment: Int = dontFragment,
        tos: Int = 0
    ) -> [UInt8] {
        let segment = tcp(4000, 80, over: (source, destination), isPartial: true, filler(count))
        return source.contains(":")
            ? ipv6(from: source, to: destination, next: 6, hopLimit: ttl, tos: tos, segment)
            : ipv4(
                from: source,
                to: destination,
                protocol: 6,
                ttl: ttl,
                tos: tos,
                id: 100,
                fragment: fragment,
                segment
            )
    }

    private func offload(_ size: Int, isIPv6: Bool = false) -> Offload {
        Offload(
            flags: Offload.needsChecksumFlag,
            gsoType: isIPv6 ? Offload.gsoTCPv6 : Offload.gsoTCPv4,
            headerLength: isIPv6 ? 74 : 54,
            gsoSize: UInt16(size),
            checksumStart: isIPv6 ? 54 : 34,
            checksumOffset: 16
        )
    }

    /// The payload of TCP packets that follow each other, checked on the way: lengths, checksums, identification,
    /// sequence numbers and TTL.
    private func joined(_ packets: [[UInt8]], mtu: Int, ttl: UInt8) throws -> [UInt8] {
        var stream: [UInt8] = []
        for (i, packet) in packets.enumerated() {
            let isIPv6 = packet[0] >> 4 == 6
            let header = isIPv6 ? 40 : 20
            try #require(packet.count <= mtu)
            if isIPv6 {
                try #require(Int(packet[4]) << 8 + Int(packet[5]) == packet.count - 40 && packet[7] == ttl)
            } else {
                try #require(Int(packet[2]) << 8 + Int(packet[3]) == packet.count && packet[8] == ttl)
                try #require(onesSum(Array(packet[..<20])) == 0xFFFF)
                try #require(packet[4..<6] == be16(100 + i)[...])
            }
            let addresses = Array(isIPv6 ? packet[8..<40] : packet[12..<20])
            let segment = Array(packet[header...])
            try #require(onesSum(addresses + segment, 6 + segment.count) == 0xFFFF)
            try #require(segment[4..<8] == be32(1 + stream.count)[...])
            stream += segment[20...]
        }
        return stream
    }

    @Test("between two ports it stays whole: new MACs, TTL less one, the work still to do", arguments: [false, true])
    func staysWhole(_ isIPv6: Bool) throws {
        let cloud = try Underlay()
        let (from, to) = isIPv6 ? (web6, db6) : (web4, db4)
        let work = offload(1390, isIPv6: isIPv6)
        cloud.send(fromWeb(stream(60_000, from: from, to: to)), at: "red/web", offload: work)
        let frame = try #require(cloud[1].take(.port("red/db")))
        let isSame = frame.bytes == toDB(stream(60_000, from: from, to: to, ttl: 63))
        #expect(isSame)
        #expect(frame.offload == work)
        #expect(cloud[1].take(.port("red/db")) == nil)
    }

    @Test(
        "into a tunnel it is cut: headers, identifications and checksums of each packet are right",
        arguments: [("10.9.0.5", 1480), ("10.7.0.5", 1476), ("10.8.0.5", 1468), ("10.6.0.5", 1460)]
    )
    func intoATunnel(_ destination: String, _ mtu: Int) throws {
        let cloud = try Underlay()
        let work = offload(mtu - 40)
        cloud.send(fromWeb(stream(60_000, from: web4, to: destination)), at: "red/web", offload: work)
        let header = destination == "10.7.0.5" ? 4 : destination == "10.8.0.5" ? 12 : 0
        let packets = cloud.takenAway()
        #expect(packets.count == (60_000 + mtu - 41) / (mtu - 40))
        if header == 12 { #expect(packets.allSatisfy { onesSum($0.bytes) == 0xFFFF }) }
        let isWhole = try joined(packets.map { Array($0.bytes[header...]) }, mtu: mtu, ttl: 63) == filler(60_000)
        #expect(isWhole)
    }

    @Test("IPv6 into SIT and over IPv6", arguments: [("2001:db8:9::5", 1480), ("2001:db8:6::5", 1460)])
    func ipv6IntoATunnel(_ destination: String, _ mtu: Int) throws {
        let cloud = try Underlay()
        let work = offload(mtu - 60, isIPv6: true)
        cloud.send(fromWeb(stream(60_000, from: web6, to: destination)), at: "red/web", offload: work)
        let isWhole = try joined(cloud.takenAway().map(\.bytes), mtu: mtu, ttl: 63) == filler(60_000)
        #expect(isWhole)
    }

    @Test("to another host by VXLAN or GRE it is cut for the underlay, and every packet arrives")
    func toAnotherHost() throws {
        let cloud = try Underlay()
        let work = offload(1400)
        cloud.send(fromWeb(stream(30_000, from: web4, to: "10.0.1.22")), at: "red/web", offload: work)
        let frames = cloud.taken("red/fardb")
        #expect(
            frames.allSatisfy { $0.prefix(14) == ethernet(to: Names.farDB, from: Names.gateway, [0x45]).prefix(14) }
        )
        let isWhole = try joined(frames.map { Array($0[14...]) }, mtu: 1440, ttl: 63) == filler(30_000)
        #expect(isWhole)
    }

    @Test("segments that are too large for the tunnel: with DF the sender is told, without they become smaller")
    func tooLarge() throws {
        let cloud = try Underlay()
        let work = offload(1450)
        let sent = stream(40_000, from: web4, to: "10.9.0.5")
        cloud.send(fromWeb(sent), at: "red/web", offload: work)
        let error = icmpError(3, 4, 1480, from: gateway4, to: web4, about: sent)
        #expect(cloud.taken("red/web") == [toWeb(error)])
        #expect(cloud.takenAway().isEmpty)
        let divisible = stream(40_000, from: web4, to: "10.9.0.5", fragment: 0)
        cloud.send(fromWeb(divisible), at: "red/web", offload: work)
        let isWhole = try joined(cloud.takenAway().map(\.bytes), mtu: 1480, ttl: 63) == filler(40_000)
        #expect(isWhole)
        #expect(cloud.taken("red/web").isEmpty)
    }

    @Test("one that has to wait for an address waits whole, with the work that is left to do")
    func waits() throws {
        let cloud = try Underlay()
        let guest = (mac: "02:00:00:00:00:99", ip: "10.0.1.99")
        let work = offload(1390)
        cloud.send(fromWeb(stream(60_000, from: web4, to: guest.ip)), at: "red/web", offload: work)
        _ = cloud.taken("red/db")
        cloud.send(arpReply(guest, to: (Names.gateway, dataGateway4)), at: "red/db")
        let frame = try #require(cloud[1].take(.port("red/db")))
        let expected = ethernet(
            to: guest.mac,
            from: Names.gateway,
            stream(60_000, from: web4, to: guest.ip, ttl: 63)
        )
        let isSame = frame.bytes == expected
        #expect(isSame && frame.offload == work)
    }

    @Test("RFC 6040: each packet of a super-frame that had ECT says so outside")
    func ecn() throws {
        let cloud = try Underlay()
        cloud.send(fromWeb(stream(5000, from: web4, to: "10.9.0.5", tos: 2)), at: "red/web", offload: offload(1440))
        let packets = cloud.takenAway()
        #expect(packets.count == 4 && packets.allSatisfy { $0.tos == 2 && $0.bytes[1] == 2 })
    }

    @Test(
        "out of a tunnel with its checksum unfinished, as a kernel's own tunnel device hands it over a veth: finished"
    )
    func unfinishedOutOfATunnel() throws {
        let cloud = try Underlay()
        func packet(_ isPartial: Bool, _ ttl: Int) -> [UInt8] {
            let segment = tcp(80, 4000, over: ("10.9.0.5", web4), isPartial: isPartial, filler(200))
            return ipv4(from: "10.9.0.5", to: web4, protocol: 6, ttl: ttl, segment)
        }
        cloud.receive(packet(true, 64), by: .raw(4), from: Names.ipipEnd(0))
        // To a TAP the rest may be left as it is, as long as that is said.
        let frame = try #require(cloud[1].take(.port("red/web")))
        #expect(frame.bytes == toWeb(packet(true, 63)))
        #expect(frame.offload.needsChecksum && frame.offload.checksumStart == 34 && frame.offload.checksumOffset == 16)
        // To another host it is finished.
        func toFar(_ isPartial: Bool, _ ttl: Int) -> [UInt8] {
            let segment = tcp(80, 4000, over: ("10.9.0.5", far4), isPartial: isPartial, filler(200))
            return ipv4(from: "10.9.0.5", to: far4, protocol: 6, ttl: ttl, segment)
        }
        cloud.receive(toFar(true, 64), by: .raw(4), from: Names.ipipEnd(0))
        #expect(cloud.taken("red/far") == [ethernet(to: Names.far, from: Names.gateway, toFar(false, 63))])
    }
}
