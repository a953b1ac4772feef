import Forwarding
import Tables
import TestCloud
import Testing
import Wire

/// How routers find out who has an address, and what waits for that.
@Suite struct NeighborResolutionTests {
    /// A station in `data` that the file does not know, and the router that asks for it.
    private let guest = (mac: "02:00:00:00:00:99", ip: "10.0.1.99")
    private let guestSix = (mac: "02:00:00:00:00:99", ip: "2001:db8:b::99")
    private let router = (mac: Names.gateway, ip: dataGateway4)
    private let routerSix = (mac: Names.gateway, ip: dataGateway6)

    private func toGuest(_ packet: [UInt8]) -> [UInt8] { ethernet(to: guest.mac, from: Names.gateway, packet) }

    @Test("the first packets wait while everybody in the network is asked, and leave in order when somebody answers")
    func heldInOrder() throws {
        let cloud = try Underlay()
        for i in 0..<6 { cloud.send(fromWeb(numbered(i, from: web4, to: guest.ip)), at: "red/web") }
        // One question, on every host; none in blue.
        let question = arpRequest(router, for: guest.ip)
        #expect(cloud.taken("red/db") == [question])
        #expect(cloud.taken("red/fardb") == [question])
        #expect(cloud.taken("red/web").isEmpty && cloud.taken("red/far").isEmpty)
        #expect(cloud.taken("blue/db").isEmpty && cloud.taken("blue/fardb").isEmpty)
        // RFC 1812 §3.3.2: at least one waits, here four for an address.
        #expect(cloud[1].drops("red/web", .tooManyUnresolved) == 2)

        cloud.send(arpReply(guest, to: router), at: "red/db")
        #expect(cloud.taken("red/db") == (0..<4).map { toGuest(numbered($0, from: web4, to: guest.ip, ttl: 63)) })
        #expect(cloud[1].events(.neighborResolved) == 1)
        // From here on nothing waits.
        cloud.send(fromWeb(numbered(9, from: web4, to: guest.ip)), at: "red/web")
        #expect(cloud.taken("red/db") == [toGuest(numbered(9, from: web4, to: guest.ip, ttl: 63))])
    }

    @Test("the same by neighbour discovery")
    func neighborDiscovery() throws {
        let cloud = try Underlay()
        for i in 0..<3 { cloud.send(fromWeb(numbered(i, from: web6, to: guestSix.ip)), at: "red/web") }
        let question = solicitation(routerSix, for: guestSix.ip)
        #expect(cloud.taken("red/db") == [question])
        #expect(cloud.taken("red/fardb") == [question])
        cloud.send(advertisement(guestSix, of: guestSix.ip, to: routerSix), at: "red/db")
        #expect(cloud.taken("red/db") == (0..<3).map { toGuest(numbered($0, from: web6, to: guestSix.ip, ttl: 63)) })
    }

    @Test("frames for several addresses wait side by side, and each address's leave in their own order")
    func orderAmongMany() throws {
        let cloud = try Underlay()
        func address(_ i: Int) -> String { "10.0.1.\(101 + i)" }
        func station(_ i: Int) -> (mac: String, ip: String) { ("02:00:00:00:01:0\(i)", address(i)) }
        func send(_ number: Int, to i: Int) {
            cloud.send(fromWeb(numbered(number, from: web4, to: address(i))), at: "red/web")
        }
        func leaves(_ numbers: [Int], for i: Int) {
            _ = cloud.taken("red/db")
            cloud.send(arpReply(station(i), to: router), at: "red/db")
            let expected = numbers.map {
                ethernet(
                    to: station(i).mac,
                    from: Names.gateway,
                    numbered($0, from: web4, to: address(i), ttl: 63)
                )
            }
            #expect(cloud.taken("red/db") == expected)
        }
        for (number, i) in [(0, 0), (1, 1), (2, 0), (3, 2), (4, 1)] { send(number, to: i) }
        leaves([0, 2], for: 0)
        // What comes now takes the places that are free, in front of those who wait.
        for (number, i) in [(5, 1), (6, 2), (7, 2)] { send(number, to: i) }
        leaves([3, 6, 7], for: 2)
        leaves([1, 4, 5], for: 1)
    }

    @Test("24 frames wait in a network at most, and another's still find room")
    func perNetwork() throws {
        let cloud = try Underlay()
        for i in 0..<40 { cloud.send(fromWeb(numbered(i, from: web4, to: "10.0.1.\(100 + i)")), at: "red/web") }
        #expect(cloud[1].drops("red/web", .tooManyUnresolved) == 16)
        for i in 0..<4 { cloud.send(fromWeb(numbered(i, from: web4, to: guest.ip)), at: "blue/web") }
        #expect(cloud[1].drops("blue/web", .tooManyUnresolved) == 0)
        _ = cloud.taken("blue/db")
        cloud.send(arpReply(guest, to: router), at: "blue/db")
        #expect(cloud.taken("blue/db").count == 4)
    }

    @Test("asked once a second, three times; then every sender is told, and for three seconds at once")
    func nobodyAnswers() throws {
        let cloud = try Underlay()
        let sent = (0..<3).map { numbered($0, from: web4, to: guest.ip) }
        for packet in sent { cloud.send(fromWeb(packet), at: "red/web") }
        let question = arpRequest(router, for: guest.ip)
        #expect(cloud.taken("red/db") == [question])
        for _ in 2...3 {
            cloud.wait(1)
            #expect(cloud.taken("red/db") == [question])
            #expect(cloud.taken("red/web").isEmpty)
        }
        cloud.wait(1)
        #expect(cloud.taken("red/db").isEmpty)
        func told(_ packet: [UInt8]) -> [UInt8] { toWeb(icmpError(3, 1, from: gateway4, to: web4, about: packet)) }
        #expect(cloud.taken("red/web") == sent.map(told))
        #expect(cloud[1].drops("red/web", .neighborUnresolved) == 3)
        #expect(cloud[1].events(.neighborFailed) == 1)
        for second in 0..<3 {
            let late = numbered(10 + second, from: web4, to: guest.ip)
            cloud.send(fromWeb(late), at: "red/web")
            #expect(cloud.taken("red/web") == [told(late)])
            #expect(cloud.taken("red/db").isEmpty)
            cloud.wait(1)
        }
        // After that it is asked for again.
        cloud.send(fromWeb(sent[0]), at: "red/web")
        #expect(cloud.taken("red/web").isEmpty)
        #expect(cloud.taken("red/db") == [question])
    }

    @Test("the same for IPv6: address unreachable")
    func nobodyAnswersSix() throws {
        let cloud = try Underlay()
        let packet = numbered(1, from: web6, to: guestSix.ip)
        cloud.send(fromWeb(packet), at: "red/web")
        cloud.wait(3)
        #expect(cloud.taken("red/db") == [[UInt8]](repeating: solicitation(routerSix, for: guestSix.ip), count: 3))
        let error = icmpError(1, 3, from: gateway6, to: web6, about: packet)
        #expect(cloud.taken("red/web") == [toWeb(error)])
    }

    @Test("an answer after the second question is early enough")
    func lateAnswer() throws {
        let cloud = try Underlay()
        cloud.send(fromWeb(numbered(1, from: web4, to: guest.ip)), at: "red/web")
        cloud.wait(2)
        _ = cloud.taken("red/db")
        cloud.send(arpReply(guest, to: router), at: "red/db")
        #expect(cloud.taken("red/db") == [toGuest(numbered(1, from: web4, to: guest.ip, ttl: 63))])
        cloud.wait(5)
        #expect(cloud.taken("red/db").isEmpty && cloud.taken("red/web").isEmpty)
    }

    @Test("after a minute a neighbour that is still used is asked again, itself and nobody else; the packets go on")
    func recheck() throws {
        let cloud = try Underlay()
        cloud.send(fromWeb(numbered(0, from: web4, to: guest.ip)), at: "red/web")
        cloud.send(arpReply(guest, to: router), at: "red/db")
        _ = cloud.taken("red/db")
        _ = cloud.taken("red/fardb")
        func sends(_ number: Int, asks: Bool) {
            cloud.send(fromWeb(numbered(number, from: web4, to: guest.ip)), at: "red/web")
            let packet = toGuest(numbered(number, from: web4, to: guest.ip, ttl: 63))
            let question = arpRequest(router, for: guest.ip, to: guest.mac)
            let frames = cloud.taken("red/db")
            #expect(frames.filter { $0 != question } == [packet])
            #expect(frames.contains(question) == asks)
        }
        cloud.wait(59)
        sends(1, asks: false)
        cloud.wait(1)
        sends(2, asks: true)
        sends(3, asks: false)
        cloud.send(arpReply(guest, to: router), at: "red/db")
        cloud.wait(1)
        sends(4, asks: false)
        #expect(cloud.taken("red/fardb").isEmpty)
        // And when it no longer answers: three questions, then it has gone.
        cloud.wait(59)
        sends(5, asks: true)
        for _ in 0..<2 {
            cloud.wait(1)
            #expect(cloud.taken("red/db") == [arpRequest(router, for: guest.ip, to: guest.mac)])
        }
        sends(6, asks: false)
        cloud.wait(1)
        cloud.send(fromWeb(numbered(7, from: web4, to: guest.ip)), at: "red/web")
        #expect(cloud.taken("red/db").isEmpty)
        #expect(cloud.taken("red/web").count == 1)
    }

    @Test("an answer that comes in at another host reaches the one that asked: it is relayed")
    func relayed() throws {
        let cloud = try Underlay()
        for i in 0..<4 { cloud.send(fromWeb(numbered(i, from: web4, to: guest.ip)), at: "red/web") }
        _ = cloud.taken("red/db")
        #expect(cloud.taken("red/fardb") == [arpRequest(router, for: guest.ip)])
        // The guest is on host 2, whose router has the same address: the answer need not leave it.
        cloud.send(arpReply(guest, to: router), at: "red/fardb")
        #expect(cloud.taken("red/fardb") == (0..<4).map { toGuest(numbered($0, from: web4, to: guest.ip, ttl: 63)) })
        #expect(cloud.taken("red/db").isEmpty)
        // Host 2 has learned it too.
        cloud.send(ethernet(to: Names.gateway, from: Names.far, numbered(9, from: far4, to: guest.ip)), at: "red/far")
        #expect(cloud.taken("red/fardb") == [toGuest(numbered(9, from: far4, to: guest.ip, ttl: 63))])
        #expect(cloud[2].events(.neighborAsked) == 0)
    }

    @Test("relayed among three hosts: each hears it once")
    func relayedAmongThree() throws {
        var description = TestCloud.twoTenants
        description.hosts = 3
        let cloud = try Underlay(description)
        let before = cloud.carried
        cloud.send(advertisement(guestSix, of: guestSix.ip, to: routerSix), at: "red/fardb")
        #expect(cloud.carried == before + 2)
        for host in [1, 2, 3] {
            let known = cloud[host].states[0].region.taught.neighbors.find(
                segment: cloud[host].tables.segment("red/data"),
                mapped(guestSix.ip),
                now: cloud.now,
                snapshot: cloud[host].snapshot
            )
            #expect(known.state == NeighborTable.State.reachable && known.mac == mac(guestSix.mac).bits)
        }
    }

    @Test("who asks the router for its address is known from then on")
    func learnedFromQuestions() throws {
        let cloud = try Underlay()
        cloud.send(arpRequest(guest, for: dataGateway4), at: "red/db")
        #expect(cloud.taken("red/db") == [arpReply(router, to: guest)])
        cloud.send(fromWeb(numbered(1, from: web4, to: guest.ip)), at: "red/web")
        #expect(cloud.taken("red/db") == [toGuest(numbered(1, from: web4, to: guest.ip, ttl: 63))])
        #expect(cloud[1].events(.neighborAsked) == 0)
    }

    @Test("a flood for one address takes no question away from another")
    func floodForOneAddress() throws {
        let cloud = try Underlay()
        for i in 0..<2000 { cloud.send(fromWeb(numbered(i, from: web4, to: "10.0.1.50")), at: "red/web") }
        #expect(cloud[1].events(.neighborAsked) == 1)
        _ = cloud.taken("red/db")
        cloud.send(fromWeb(numbered(1, from: web4, to: guest.ip)), at: "red/web")
        #expect(cloud.taken("red/db") == [arpRequest(router, for: guest.ip)])
    }

    @Test("a scan of an empty prefix asks for 64 addresses at a time")
    func scan() throws {
        let cloud = try Underlay()
        for i in 0..<200 { cloud.send(fromWeb(numbered(i, from: web4, to: "10.0.1.\(30 + i)")), at: "red/web") }
        #expect(cloud[1].events(.neighborAsked) == UInt64(NeighborTable.incompleteLimit))
        #expect(cloud.taken("red/db").count == Int(NeighborTable.incompleteLimit))
        // The other family and the other tenant are not in its way.
        cloud.send(fromWeb(numbered(1, from: web4, to: guest.ip)), at: "blue/web")
        #expect(cloud.taken("blue/db").count == 1)
        // When nobody has answered, there is room again.
        cloud.wait(3)
        _ = cloud.taken("red/db")
        cloud.send(fromWeb(numbered(1, from: web4, to: "10.0.1.240")), at: "red/web")
        #expect(cloud.taken("red/db") == [arpRequest(router, for: "10.0.1.240")])
    }

    @Test("what waits for an address is not the next owner's: a port that changes hands takes no frames along")
    func changedHands() throws {
        let cloud = try Underlay()
        // A machine behind red's port that the file does not know, so that nothing else tells whose it is.
        let machine = (mac: "02:00:00:00:00:77", ip: "10.0.0.77")
        func frame(_ number: Int) -> [UInt8] {
            ethernet(to: Names.gateway, from: machine.mac, numbered(number, from: machine.ip, to: guest.ip))
        }
        cloud.send(frame(1), at: "red/web")
        // Blue has a guest with the same address, whose MAC its router knows.
        cloud.send(arpRequest(guest, for: dataGateway4), at: "blue/db")
        _ = cloud.taken("red/db")
        _ = cloud.taken("blue/db")
        // The port's slot goes to blue, and with it what comes in there.
        var tables = cloud[1].tables
        tables.builder.endpoints[cloud[1].slot(.port("red/web"))].generation += 1
        tables.builder.attachments[Int(tables.attachment(.port("red/web")))].segment = tables.segment("blue/app")
        try cloud[1].use(tables)
        cloud.send(arpReply(guest, to: router), at: "red/db")
        #expect(cloud.taken("red/db").isEmpty)
        #expect(cloud.taken("blue/db").isEmpty)
        #expect(cloud[1].drops("red/web", .neighborUnresolved) == 1)
        // The sentinel: what comes in by that port from now on is blue's.
        cloud.send(frame(2), at: "red/web")
        let routed = numbered(2, from: machine.ip, to: guest.ip, ttl: 63)
        #expect(cloud.taken("blue/db") == [toGuest(routed)])
    }
}
