import Forwarding
import Rings
import Tables
import Testing
import Wire

/// What comes in by an uplink.
@Suite struct UplinkIngressTests {
    static let inner = ethernet(
        to: UplinkWorld.web,
        from: UplinkWorld.far,
        type: 0x0800,
        ipv4(protocol: 17, udp([1, 2, 3]))
    )

    /// An outer frame with everything in order but what is asked for.
    static func outer(
        _ content: [UInt8] = inner,
        vni: UInt32 = 5001,
        to mac: MACAddress = UplinkWorld.vtep,
        tags: [(Int, Int)] = [],
        from source: UInt32 = UplinkWorld.near4,
        destination: UInt32 = UplinkWorld.own4,
        fragment: Int = 0x4000,
        options: Int = 0,
        port: Int = 4789,
        tos: Int = 0,
        udpLength: Int? = nil
    ) -> [UInt8] {
        let datagram = bareUDP(vxlan(vni, content), to: port, length: udpLength)
        let packet = ipv4(
            protocol: 17,
            tos: tos,
            fragment: fragment,
            options: options,
            from: source,
            to: destination,
            datagram
        )
        return ethernet(to: mac, from: UplinkWorld.near, tags: tags, type: 0x0800, packet)
    }

    static func outer6(_ content: [UInt8] = inner, checksum: Bool) -> [UInt8] {
        var datagram = bareUDP(vxlan(5001, content))
        if checksum {
            let packet = underlay6(datagram, from: UplinkWorld.near6, to: UplinkWorld.own6)
            let sum = onesSum(packet[8...], 17 + datagram.count)
            datagram.replaceSubrange(6..<8, with: be16(0xFFFF - sum))
        }
        return ethernet(
            to: UplinkWorld.vtep,
            from: UplinkWorld.near,
            type: 0x86DD,
            underlay6(datagram, from: UplinkWorld.near6, to: UplinkWorld.own6)
        )
    }

    private func arrival(_ bytes: [UInt8], _ offload: Offload = .none) -> Arrival {
        Arrival(endpoint: UplinkWorld.uplink, bytes: bytes, offload: offload)
    }

    @Test func tunnelPacketsLoseAllOuterHeaders() throws {
        let padding = [UInt8](repeating: 0xEE, count: 9)
        for (bytes, offset) in [
            (Self.outer(), 50), (Self.outer() + padding, 50), (Self.outer(tags: [(0x8100, 0x6000)]), 54),
            (Self.outer6(checksum: true), 70), (Self.outer6(checksum: false) + padding, 70),
        ] {
            let world = try UplinkWorld(home: offset == 70 ? UplinkWorld.atNear6 : UplinkWorld.atNear)
            let decision = world.decide(arrival(bytes))
            #expect(decision.verdict == .forward && decision.attachment == UplinkWorld.atWeb)
            #expect(decision.segment == UplinkWorld.app)
            #expect(decision.ingress == (offset == 70 ? UplinkWorld.atNear6 : UplinkWorld.atNear))
            #expect(Int(decision.contentOffset) == offset && Int(decision.contentLength) == Self.inner.count)
            #expect(world.send(arrival(bytes)).map(\.copy.bytes) == [Self.inner])
        }
    }

    /// RFC 768: what stands behind the datagram is not the tenant's, and a length beyond the packet is a lie.
    @Test func lengthsAreChecked() throws {
        let world = try UplinkWorld()
        let whole = 8 + 8 + Self.inner.count
        let short = world.decide(arrival(Self.outer(udpLength: whole - 3)))
        #expect(short.verdict == .forward && Int(short.contentLength) == Self.inner.count - 3)
        for length in [0, 7, 8, 15, whole + 1, 0xFFFF] {
            let decision = world.decide(arrival(Self.outer(udpLength: length)))
            #expect(decision.dropReason == .tunnelHeaderTruncated, "\(length)")
        }
        // The IP header claims more than there is.
        let cut = world.decide(arrival(Array(Self.outer().dropLast())))
        #expect(cut.dropReason == .brokenIPHeader)
    }

    @Test func checksumsAreVerifiedWhereThereAreAny() throws {
        let world = try UplinkWorld()
        let sixth = try UplinkWorld(home: UplinkWorld.atNear6)
        var right = Self.outer()
        let sum = onesSum(right[26..<34], 17 + right.count - 34)
        right.replaceSubrange(40..<42, with: be16(0xFFFF - onesSum(right[34...], sum)))
        #expect(world.decide(arrival(right)).verdict == .forward)
        var wrong = right
        wrong[wrong.count - 1] ^= 1
        #expect(world.decide(arrival(wrong)).dropReason == .outerChecksum)
        // The host has looked, or the sender has not computed it yet.
        #expect(world.decide(arrival(wrong, Offload(flags: 2))).verdict == .forward)
        let unfinished = Offload(flags: 1, checksumStart: 34, checksumOffset: 6)
        let decision = world.decide(arrival(wrong, unfinished))
        #expect(decision.verdict == .forward && decision.offload == .none)
        var six = Self.outer6(checksum: true)
        #expect(sixth.decide(arrival(six)).verdict == .forward)
        six[six.count - 1] ^= 1
        #expect(sixth.decide(arrival(six)).dropReason == .outerChecksum)
    }

    @Test func superFramesKeepTheInnerWork() throws {
        let world = try UplinkWorld()
        let payload = [UInt8](repeating: 7, count: 4000)
        let content = ethernet(
            to: UplinkWorld.web,
            from: UplinkWorld.far,
            type: 0x0800,
            withPartialChecksum(ipv4(protocol: 6, tcp(payload)))
        )
        for tunnel: UInt8 in [0x20, 0x40, 0] {
            let given = Offload(flags: 1, gsoType: 1 | tunnel, gsoSize: 1398, checksumStart: 84, checksumOffset: 16)
            let decision = world.decide(arrival(Self.outer(content), given))
            #expect(decision.verdict == .forward)
            #expect(
                decision.offload
                    == Offload(
                        flags: 1,
                        gsoType: 1,
                        headerLength: 54,
                        gsoSize: 1398,
                        checksumStart: 34,
                        checksumOffset: 16
                    )
            )
        }
        // One of many tunnel packets would have to be taken apart.
        let outer = Offload(flags: 1, gsoType: 5, gsoSize: 100, checksumStart: 34, checksumOffset: 6)
        #expect(world.decide(arrival(Self.outer(content), outer)).dropReason == .badOffload)
        // What is no tunnel packet cannot have tunnel offloads.
        let other = Offload(flags: 1, gsoType: 0x25, gsoSize: 100, checksumStart: 42, checksumOffset: 6)
        #expect(world.decide(arrival(Self.outer(content, port: 53), other)).dropReason == .badOffload)
    }

    /// RFC 6040: congestion in the underlay reaches the tenant.
    @Test func congestionIsTakenOver() throws {
        let world = try UplinkWorld()
        let content = ethernet(
            to: UplinkWorld.web,
            from: UplinkWorld.far,
            type: 0x0800,
            ipv4(protocol: 17, tos: 2, udp([]))
        )
        #expect(world.decide(arrival(Self.outer(content, tos: 3))).ecn == 3)
        #expect(world.decide(arrival(Self.outer(tos: 3))).dropReason == .ecnInvalid)
    }

    @Test func hostileFramesEndWithAReason() throws {
        let world = try UplinkWorld()
        var checksum = Self.outer()
        checksum[24] ^= 1
        let rows: [(String, [UInt8], DropReason)] = [
            ("unknown peer", Self.outer(from: 0xC000_0242), .unknownPeer),
            ("unknown VNI", Self.outer(vni: 5002), .unknownVNI),
            ("first fragment", Self.outer(fragment: 0x2000), .outerFragment),
            ("last fragment", Self.outer(fragment: 0x0008), .outerFragment),
            ("IP checksum", checksum, .brokenIPHeader),
            ("options", Self.outer(options: 1), .noSuchService),
            ("another's address", Self.outer(destination: 0xC000_0277), .notRoutable),
            ("another's address far away", Self.outer(destination: 0x0808_0808), .notRoutable),
            ("another's MAC", Self.outer(to: MACAddress(bits: 0x0200_0000_0777)), .noReceiver),
            ("broadcast", Self.outer(to: .broadcast), .noReceiver),
            ("VLAN", Self.outer(tags: [(0x8100, 5)]), .taggedOnAccessPort),
            ("service VLAN", Self.outer(tags: [(0x88A8, 5)]), .taggedOnAccessPort),
            ("own address as source", Self.outer(from: UplinkWorld.own4), .unknownPeer),
        ]
        for (name, bytes, reason) in rows {
            let decision = world.decide(arrival(bytes))
            #expect(decision.dropReason == reason, "\(name)")
            #expect(decision.answer.kind == Answer.Kind.none, "\(name)")
        }
    }

    /// Every truncation and every flipped byte of the headers ends somewhere, and never behind the frame.
    @Test func nothingTraps() throws {
        let world = try UplinkWorld()
        for whole in [Self.outer(), Self.outer6(checksum: true), Self.outer(tags: [(0x8100, 0)])] {
            for count in 0...whole.count { _ = world.decide(arrival(Array(whole.prefix(count)))) }
            for at in 0..<80 {
                for flip: UInt8 in [1, 0x80, 0xFF] {
                    var bytes = whole
                    bytes[at] ^= flip
                    for start in [0, 34, 54, 84, 0xFFFF] {
                        let offload = Offload(flags: 1, gsoType: 0x21, gsoSize: 9, checksumStart: UInt16(start))
                        _ = world.send(arrival(bytes, offload))
                    }
                    _ = world.send(arrival(bytes))
                }
            }
        }
    }

    // MARK: The underlay's router

    @Test func theVTEPAnswersForItself() throws {
        let world = try UplinkWorld()
        let question = ethernet(
            to: .broadcast,
            from: UplinkWorld.near,
            type: 0x0806,
            [0, 1, 8, 0, 6, 4, 0, 1] + macBytes(UplinkWorld.near) + be32(UplinkWorld.near4) + [0, 0, 0, 0, 0, 0]
                + be32(UplinkWorld.own4)
        )
        let arp = world.decide(arrival(question))
        #expect(arp.verdict == .answer && arp.answer.kind == Answer.Kind.arpReply)
        #expect(arp.neighbor.kind == NeighborNews.Kind.learn && arp.neighbor.mac == UplinkWorld.near)
        var echo: [UInt8] = [8, 0, 0, 0, 0, 1, 0, 1, 9, 9]
        echo.replaceSubrange(2..<4, with: be16(0xFFFF - onesSum(echo[...])))
        func packet(_ number: Int, _ payload: [UInt8]) -> [UInt8] {
            ethernet(
                to: UplinkWorld.vtep,
                from: UplinkWorld.near,
                type: 0x0800,
                ipv4(protocol: number, from: UplinkWorld.near4, to: UplinkWorld.own4, payload)
            )
        }
        let ping = world.decide(arrival(packet(1, echo)))
        #expect(ping.verdict == .answer && ping.answer.kind == Answer.Kind.echoReply)
        let other = world.decide(arrival(packet(17, bareUDP([1], to: 53))))
        #expect(other.dropReason == .noSuchService && other.answer.code == ICMP.portUnreachable)
    }

    /// A router of the underlay says that our packets are too long.
    @Test func pathMTUMessages() throws {
        let world = try UplinkWorld()
        func message(
            mtu: Int = 1400,
            from: UInt32 = UplinkWorld.own4,
            to: UInt32 = UplinkWorld.near4,
            port: Int = 4789,
            number: Int = 17,
            quoted: Int = 28,
            breaks: Bool = false
        ) -> [UInt8] {
            let packet = ipv4(protocol: number, from: from, to: to, bareUDP([1, 2, 3, 4], to: port))
            var icmp: [UInt8] = [3, 4, 0, 0, 0, 0] + be16(mtu) + packet.prefix(quoted)
            icmp.replaceSubrange(2..<4, with: be16(0xFFFF - onesSum(icmp[...])))
            if breaks { icmp[2] ^= 1 }
            return ethernet(
                to: UplinkWorld.vtep,
                from: UplinkWorld.gateway,
                type: 0x0800,
                ipv4(protocol: 1, from: UplinkWorld.gateway4, to: UplinkWorld.own4, icmp)
            )
        }
        let heard = world.decide(arrival(message()))
        #expect(heard.verdict == .taken && heard.neighbor.kind == NeighborNews.Kind.pathMTU && heard.pathMTU == 1400)
        #expect(heard.neighbor.address == UplinkWorld.mapped(UplinkWorld.near4) && heard.wantsAttention)
        for (name, bytes) in [
            ("small", message(mtu: 575)), ("zero", message(mtu: 0)), ("not from us", message(from: 0xC000_0203)),
            ("to nobody known", message(to: 0xC000_0250)), ("other port", message(port: 4790)),
            ("other protocol", message(number: 6)), ("short", message(quoted: 27)), ("checksum", message(breaks: true)),
        ] {
            let decision = world.decide(arrival(bytes))
            #expect(decision.dropReason == .noSuchService, "\(name)")
            #expect(decision.neighbor.kind != NeighborNews.Kind.pathMTU, "\(name)")
        }
    }

    @Test func pathMTUMessagesOfIPv6() throws {
        let world = try UplinkWorld()
        func message(mtu: UInt32, to: IPv6Address = UplinkWorld.near6) -> [UInt8] {
            let packet = underlay6(bareUDP([1, 2, 3, 4]), from: UplinkWorld.own6, to: to)
            var icmp: [UInt8] = [2, 0, 0, 0] + be32(mtu) + packet
            let around = underlay6(icmp, from: UplinkWorld.near6, to: UplinkWorld.own6, next: 58)
            icmp.replaceSubrange(2..<4, with: be16(0xFFFF - onesSum(around[8...], 58 + icmp.count)))
            let whole = underlay6(icmp, from: UplinkWorld.near6, to: UplinkWorld.own6, next: 58)
            return ethernet(to: UplinkWorld.vtep, from: UplinkWorld.near, type: 0x86DD, whole)
        }
        let heard = world.decide(arrival(message(mtu: 1300)))
        #expect(heard.verdict == .taken && heard.pathMTU == 1300 && heard.neighbor.address == UplinkWorld.near6)
        #expect(world.decide(arrival(message(mtu: 1279))).dropReason == .noSuchService)
        #expect(world.decide(arrival(message(mtu: 1300, to: UplinkWorld.own6))).dropReason == .noSuchService)
    }
}
