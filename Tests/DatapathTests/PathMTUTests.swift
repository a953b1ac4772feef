import Forwarding
import Tables
import TestCloud
import Testing
import Wire

/// What senders are told about sizes, by whole switches: RFC 1191, 8201, 4459, RFC 2003 §5.1.
@Suite struct LearnedPathMTUTests {
    private let far = (mac: Names.far, ip: far4)

    /// A frame from `web` to `far`, in one network, with DF if it is IPv4.
    private func frame(_ size: Int, isIPv6: Bool = false) -> [UInt8] {
        ethernet(to: Names.far, from: Names.web, packet(size, isIPv6: isIPv6))
    }

    private func packet(_ size: Int, isIPv6: Bool = false) -> [UInt8] {
        isIPv6
            ? ipv6(from: web6, to: "2001:db8:a::21", filler(size - 40))
            : ipv4(from: web4, to: far4, fragment: dontFragment, filler(size - 20))
    }

    /// What `web` hears about a packet of a size, in the name of `far`.
    private func told(_ mtu: Int, about size: Int, isIPv6: Bool = false) -> [UInt8] {
        let error =
            isIPv6
            ? icmpError(2, 0, mtu, from: "2001:db8:a::21", to: web6, about: packet(size, isIPv6: true))
            : icmpError(3, 4, mtu, from: far4, to: web4, about: packet(size))
        return ethernet(to: Names.web, from: Names.far, error)
    }

    @Test("a plain VXLAN network: the sender hears of it from the destination's address instead of a black hole")
    func bridged() throws {
        let cloud = try Underlay()
        for isIPv6 in [false, true] {
            cloud.send(frame(1450, isIPv6: isIPv6), at: "red/web")
            #expect(cloud.taken("red/far") == [frame(1450, isIPv6: isIPv6)])
            cloud.send(frame(1451, isIPv6: isIPv6), at: "red/web")
            #expect(cloud.taken("red/web") == [told(1450, about: 1451, isIPv6: isIPv6)])
            #expect(cloud.taken("red/far").isEmpty)
        }
        #expect(cloud[1].drops("red/web", .exceedsMTU) == 2)
        #expect(cloud.taken("blue/web").isEmpty && cloud.taken("blue/far").isEmpty)
    }

    @Test("what the underlay told shrinks what senders are told, in all networks over that way, until it expires")
    func learned() throws {
        let cloud = try Underlay()
        cloud[1].learnPathMTU(1400, to: TestCloud.underlay(2), now: cloud.now)
        cloud.send(frame(1351), at: "red/web")
        #expect(cloud.taken("red/web") == [told(1350, about: 1351)])
        cloud.send(frame(1350), at: "red/web")
        #expect(cloud.taken("red/far") == [frame(1350)])
        // Blue uses the same way.
        cloud.send(frame(1351), at: "blue/web")
        #expect(cloud.taken("blue/web") == [told(1350, about: 1351)])
        // Routed into the GRE network over it: 1400 less 20, 8 and 14.
        let large = ipv4(from: web4, to: "10.0.1.22", fragment: dontFragment, filler(1340))
        cloud.send(fromWeb(large), at: "red/web")
        #expect(cloud.taken("red/web") == [toWeb(icmpError(3, 4, 1358, from: gateway4, to: web4, about: large))])
        // A tunnel of the router's goes another way.
        cloud.send(fromWeb(ipv4(from: web4, to: "10.9.0.5", fragment: dontFragment, filler(1460))), at: "red/web")
        #expect(cloud.takenAway().count == 1)
        cloud.wait(599)
        cloud.send(frame(1351), at: "red/web")
        #expect(cloud.taken("red/web") == [told(1350, about: 1351)])
        cloud.wait(1)
        cloud.send(frame(1450), at: "red/web")
        #expect(cloud.taken("red/far") == [frame(1450)])
    }

    @Test("what the underlay tells of one tenant's tunnel does not touch another's")
    func perTunnel() throws {
        let cloud = try Underlay()
        cloud[1].learnPathMTU(1300, to: Names.ipipEnd(0), now: cloud.now)
        let large = ipv4(from: web4, to: "10.9.0.5", fragment: dontFragment, filler(1430))
        cloud.send(fromWeb(large), at: "red/web")
        #expect(cloud.taken("red/web") == [toWeb(icmpError(3, 4, 1280, from: gateway4, to: web4, about: large))])
        cloud.send(fromWeb(large), at: "blue/web")
        #expect(cloud.taken("blue/web").isEmpty)
        #expect(cloud.takenAway().map(\.destination) == [mapped(Names.ipipEnd(1))])
    }

    @Test("a peer whose slot goes to another is not believed to have the former one's way")
    func anotherPeer() throws {
        let cloud = try Underlay()
        cloud[1].learnPathMTU(1300, to: Names.ipipEnd(0), now: cloud.now)
        var tables = cloud[1].tables
        let slot = tables.peer(Names.ipipEnd(0))
        tables.builder.peers[Int(slot)].address = mapped("198.51.100.77")
        try cloud[1].use(tables)
        let large = ipv4(from: web4, to: "10.9.0.5", fragment: dontFragment, filler(1460))
        cloud.send(fromWeb(large), at: "red/web")
        #expect(cloud.takenAway().map(\.destination) == [mapped("198.51.100.77")])
    }

    @Test("from another host, into a tunnel: the first host that it does not fit through says so")
    func redirected() throws {
        let cloud = try Underlay()
        func send(_ count: Int) -> [UInt8] {
            let packet = ipv4(from: far4, to: "10.9.0.5", fragment: dontFragment, filler(count))
            cloud.send(ethernet(to: Names.gateway, from: Names.far, packet), at: "red/far")
            return packet
        }
        // The way to the host with the tunnel is a VXLAN network of 1450.
        let large = send(1431)
        let error = icmpError(3, 4, 1450, from: gateway4, to: far4, about: large)
        #expect(cloud.taken("red/far") == [ethernet(to: Names.far, from: Names.gateway, error)])
        _ = send(1430)
        #expect(cloud.takenAway().count == 1)
        // Where the tunnel is narrower, the host that has it says so, by way of the one that passed the packet on.
        cloud[1].learnPathMTU(1400, to: Names.ipipEnd(0), now: cloud.now)
        let narrow = send(1430)
        let told = icmpError(3, 4, 1380, from: gateway4, to: far4, ttl: 63, about: narrow)
        #expect(cloud.taken("red/far") == [ethernet(to: Names.far, from: Names.gateway, told)])
        #expect(cloud.takenAway().isEmpty)
    }
}
