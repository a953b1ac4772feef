import Forwarding
import Rings
import Tables
import Testing
import Wire

/// What leaves by an uplink.
@Suite struct UplinkEgressTests {
    static func frame(to mac: MACAddress = UplinkWorld.far, _ packet: [UInt8]) -> Arrival {
        Arrival(endpoint: UplinkWorld.webPort, bytes: ethernet(to: mac, from: UplinkWorld.web, type: 0x0800, packet))
    }

    /// Zeroes what a flow's hash decides.
    private func withoutSourcePort(_ bytes: [UInt8], at transport: Int) -> [UInt8] {
        var bytes = bytes
        #expect(Int(bytes[transport]) << 8 | Int(bytes[transport + 1]) >= 49_152)
        bytes.replaceSubrange(transport..<transport + 2, with: [0, 0])
        return bytes
    }

    /// The header that `ipv4` writes has another identification and no DF.
    private func outer4(_ datagram: [UInt8], to address: UInt32, tos: Int = 0) -> [UInt8] {
        var packet: [UInt8] = [0x45, UInt8(tos)] + be16(20 + datagram.count) + [0, 0, 0x40, 0, 64, 17, 0, 0]
        packet += be32(UplinkWorld.own4) + be32(address)
        packet.replaceSubrange(10..<12, with: be16(0xFFFF - onesSum(packet[...])))
        return packet + datagram
    }

    @Test func framesLeaveWithEveryOuterHeader() throws {
        for (home, address, mac) in [
            (UplinkWorld.atNear, UplinkWorld.near4, UplinkWorld.near),
            (UplinkWorld.atFar, UplinkWorld.far4, UplinkWorld.gateway),
        ] {
            let world = try UplinkWorld(home: home)
            let arrival = Self.frame(ipv4(protocol: 17, tos: 2, udp([1, 2, 3])))
            let copy = try #require(world.send(arrival).first?.copy)
            let datagram = bareUDP(vxlan(5001, arrival.bytes), from: 0)
            let expected = ethernet(
                to: mac,
                from: UplinkWorld.vtep,
                type: 0x0800,
                outer4(datagram, to: address, tos: 2)
            )
            #expect(withoutSourcePort(copy.bytes, at: 34) == expected)
            #expect(copy.offload == .none && copy.destination == UplinkWorld.mapped(address))
        }
    }

    @Test func overIPv6TheChecksumIsLeftOrRight() throws {
        let world = try UplinkWorld(home: UplinkWorld.atNear6)
        func sum(_ bytes: [UInt8]) -> Int { onesSum(bytes[22...], 17 + bytes.count - 54) }
        // A finished inner frame: the outer checksum is left to be finished.
        let finished = try #require(world.send(Self.frame(ipv4(protocol: 17, bareUDP([1, 2, 3])))).first?.copy)
        #expect(finished.offload == Offload(flags: 1, checksumStart: 54, checksumOffset: 6))
        var bytes = finished.bytes
        bytes.replaceSubrange(60..<62, with: be16(0xFFFF - onesSum(bytes[54...])))
        #expect(sum(bytes) == 0xFFFF)
        #expect(Array(bytes[0..<14]) == macBytes(UplinkWorld.near) + macBytes(UplinkWorld.vtep) + [0x86, 0xDD])
        // An unfinished one: the outer checksum is what will be right, wherever the field lies.
        for payload in [[1, 2, 3], [UInt8](repeating: 0xA5, count: 700)] {
            var arrival = Self.frame(withPartialChecksum(ipv4(protocol: 6, tcp(payload))))
            arrival.offload = Offload(flags: 1, checksumStart: 34, checksumOffset: 16)
            let copy = try #require(world.send(arrival).first?.copy)
            #expect(copy.offload == Offload(flags: 1, checksumStart: 104, checksumOffset: 16))
            var bytes = copy.bytes
            bytes.replaceSubrange(120..<122, with: be16(0xFFFF - onesSum(bytes[104...])))
            #expect(sum(bytes) == 0xFFFF)
        }
    }

    @Test(arguments: [false, true]) func superFramesLeaveWhole(isIPv6: Bool) throws {
        let world = try UplinkWorld(home: isIPv6 ? UplinkWorld.atNear6 : UplinkWorld.atNear)
        let front = isIPv6 ? 70 : 50
        var arrival = Self.frame(withPartialChecksum(ipv4(protocol: 6, tcp([UInt8](repeating: 3, count: 9000)))))
        arrival.offload = Offload(flags: 1, gsoType: 1, gsoSize: 1200, checksumStart: 34, checksumOffset: 16)
        let (copy, slot) = try #require(world.send(arrival).first)
        #expect(copy.bytes.count == front + arrival.bytes.count && Array(copy.bytes[front...]) == arrival.bytes)
        #expect(Int(slot.outerTransport) == front - 16 && Int(slot.innerNetwork) == front + 14)
        #expect(Int(slot.tunnelHeaderLength) == front)
        #expect(Int(copy.offload.checksumStart) == front + 34 && copy.offload.gsoSize == 1200)
        #expect(Int(copy.offload.headerLength) == front + 54)
        let length = copy.bytes.count - front + 16
        #expect(Array(copy.bytes[(front - 12)..<(front - 10)]) == be16(length))
        // The sum of the pseudo-header, for segments to be made of; none over IPv4.
        let pseudo = onesSum(copy.bytes[22..<54], 17 + length)
        #expect(Array(copy.bytes[(front - 10)..<(front - 8)]) == be16(isIPv6 ? pseudo : 0))
    }

    @Test func framesWaitForTheNextHop() throws {
        let world = try UplinkWorld(knows: false)
        let arrival = Self.frame(ipv4(protocol: 17, udp([])))
        let near = UplinkWorld.mapped(UplinkWorld.near4)
        let waits = world.decide(arrival)
        #expect(waits.verdict == .hold && waits.neighbor.kind == NeighborNews.Kind.resolve)
        #expect(waits.neighbor.segment == UplinkWorld.underlay && waits.neighbor.address == near)
        // A flooded frame does not: each VTEP has a next hop of its own.
        let copies = world.send(Self.frame(to: .broadcast, ipv4(protocol: 17, udp([]))))
        #expect(copies.map(\.copy.reason) == [.neighborUnresolved, .neighborUnresolved, .neighborUnresolved])
        world.confirm(near, UplinkWorld.near)
        #expect(world.decide(arrival).verdict == .forward)
        // What answered a while ago is asked again, and used meanwhile.
        let later = world.decide(arrival, at: 1000 + NeighborTable.freshSeconds)
        #expect(later.verdict == .forward && later.neighbor.kind == NeighborNews.Kind.recheck)
        #expect(later.neighbor.mac == UplinkWorld.near)
    }

    @Test func nextHopsAreAskedForInAdvance() throws {
        let world = try UplinkWorld(knows: false)
        func question(_ peer: UInt32, at second: UInt32 = 1000) -> NeighborNews {
            underlayQuestion(
                peer: peer,
                interface: 0,
                snapshot: world.tables.snapshot,
                taught: world.tables.state.taught,
                now: second
            )
        }
        #expect(question(0).kind == NeighborNews.Kind.resolve && question(1).address == UplinkWorld.near6)
        #expect(question(2).address == UplinkWorld.mapped(UplinkWorld.gateway4))
        world.confirm(UplinkWorld.mapped(UplinkWorld.gateway4), UplinkWorld.gateway)
        #expect(question(2).kind == NeighborNews.Kind.none)
        #expect(question(2, at: 1060).kind == NeighborNews.Kind.recheck)
    }

    /// Nobody in a tenant's network can speak to the VTEP: its address means nothing there.
    @Test func tenantsDoNotReachTheUnderlay() throws {
        let world = try UplinkWorld()
        let packet = ipv4(
            protocol: 17,
            from: UplinkWorld.near4,
            to: UplinkWorld.own4,
            bareUDP(vxlan(5001, UplinkIngressTests.inner))
        )
        let decision = world.decide(Self.frame(to: UplinkWorld.vtep, packet))
        #expect(decision.verdict == .flood && decision.segment == UplinkWorld.app)
        let question = ethernet(
            to: .broadcast,
            from: UplinkWorld.web,
            type: 0x0806,
            [0, 1, 8, 0, 6, 4, 0, 1] + macBytes(UplinkWorld.web) + be32(1) + [0, 0, 0, 0, 0, 0] + be32(UplinkWorld.own4)
        )
        let asked = world.decide(Arrival(endpoint: UplinkWorld.webPort, bytes: question))
        #expect(asked.verdict == .flood && asked.answer.kind == Answer.Kind.none)
    }

    @Test func whatIsTooLongForTheWayIsRefused() throws {
        let world = try UplinkWorld()
        world.tables.state.taught.learnPathMTU(1400, peer: 0, now: 1000, snapshot: world.tables.snapshot)
        var packet = ipv4(protocol: 17, fragment: 0x4000, udp([UInt8](repeating: 0, count: 1330)))
        packet[1] = 0
        let decision = world.decide(Self.frame(packet))
        #expect(decision.dropReason == .exceedsPathMTU && decision.answer.parameter == 1350)
    }
}
