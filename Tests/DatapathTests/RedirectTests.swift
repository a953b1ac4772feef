import Forwarding
import Tables
import TestCloud
import Testing
import Wire

/// Tunnels begin on one host and serve the tenant's ports on all: two and three whole hosts.
@Suite struct RedirectTests {
    private func fromFar(_ packet: [UInt8]) -> [UInt8] { ethernet(to: Names.gateway, from: Names.far, packet) }

    @Test(
        "to the tunnel's host and back: two hosts take one hop together",
        arguments: [
            ("10.9.0.5", far4), ("2001:db8:9::5", "2001:db8:a::21"),
        ]
    )
    func thereAndBack(_ remote: String, _ local: String) throws {
        let cloud = try Underlay()
        let isIPv6 = remote.contains(":")
        let end = isIPv6 ? Names.sitEnd(0) : Names.ipipEnd(0)
        let door: Door = isIPv6 ? .raw(41) : .raw(4)
        cloud.send(fromFar(numbered(1, from: local, to: remote)), at: "red/far")
        let out = numbered(1, from: local, to: remote, ttl: 63)
        #expect(cloud.takenAway() == [.init(door: door, destination: mapped(end), bytes: out)])
        #expect(cloud.carried == 1)
        cloud.receive(numbered(2, from: remote, to: local), by: door, from: end)
        let back = numbered(2, from: remote, to: local, ttl: 63)
        #expect(cloud.taken("red/far") == [ethernet(to: Names.far, from: Names.gateway, back)])
        #expect(cloud.carried == 2)
        #expect(cloud.taken("blue/far").isEmpty && cloud.taken("red/web").isEmpty)
    }

    @Test("TTL 1 ends at the first host, which says so; 2 is enough")
    func lastHop() throws {
        let cloud = try Underlay()
        let expired = numbered(1, from: far4, to: "10.9.0.5", ttl: 1)
        cloud.send(fromFar(expired), at: "red/far")
        let error = icmpError(11, 0, from: gateway4, to: far4, about: expired)
        #expect(cloud.taken("red/far") == [ethernet(to: Names.far, from: Names.gateway, error)])
        #expect(cloud.carried == 0)
        cloud.send(fromFar(numbered(1, from: far4, to: "10.9.0.5", ttl: 2)), at: "red/far")
        #expect(cloud.takenAway().map(\.bytes) == [numbered(1, from: far4, to: "10.9.0.5", ttl: 1)])
    }

    @Test("an error about what came out of the tunnel goes back into it, from the host that has it")
    func errorIntoTheTunnel() throws {
        let cloud = try Underlay()
        let expired = numbered(1, from: "10.9.0.5", to: far4, ttl: 1)
        cloud.receive(expired, by: .raw(4), from: Names.ipipEnd(0))
        let error = icmpError(11, 0, from: "10.255.0.1", to: "10.9.0.5", about: expired)
        #expect(cloud.takenAway().map(\.bytes) == [error])
        // And one that a host at the far end of the network sends is an ordinary packet.
        let port = icmpError(3, 3, from: far4, to: "10.9.0.5", about: numbered(1, from: "10.9.0.5", to: far4))
        cloud.send(fromFar(port), at: "red/far")
        #expect(cloud.takenAway().count == 1)
    }

    @Test("hosts that disagree about where the tunnel is do not send a packet round")
    func disagreement() throws {
        var moved = TestCloud.twoTenants
        moved.change("red/gw") { for i in $0.tunnels.indices { $0.tunnels[i].host = 2 } }
        let cloud = try Underlay()
        // Host 2 has heard nothing yet and sends to host 1; host 1 believes that it is at host 2.
        try cloud[1].use(HostTables(moved, host: 1))
        cloud.send(fromFar(numbered(1, from: far4, to: "10.9.0.5")), at: "red/far")
        #expect(cloud.takenAway().isEmpty)
        #expect(cloud.carried == 1)
        #expect(cloud[1].drops(.vxlan, .redirectLoop) == 1)
        // Once host 2 knows, the tunnel is there.
        try cloud[2].use(HostTables(moved, host: 2))
        cloud.send(fromFar(numbered(1, from: far4, to: "10.9.0.5")), at: "red/far")
        #expect(cloud.takenAway().count == 1)
    }

    @Test("three hosts: each reaches the tunnel by one crossing, and each other's ports by one")
    func threeHosts() throws {
        var description = TestCloud.twoTenants
        description.hosts = 3
        for tenant in ["red", "blue"] {
            description.ports.append(
                .init("\(tenant)/third", host: 3, "\(tenant)/data", mac: "02:00:00:00:00:32", ["10.0.1.32"], mtu: 1458)
            )
        }
        let cloud = try Underlay(description)
        func fromThird(_ packet: [UInt8]) -> [UInt8] {
            ethernet(to: Names.gateway, from: "02:00:00:00:00:32", packet)
        }
        cloud.send(fromThird(numbered(1, from: "10.0.1.32", to: "10.9.0.5")), at: "red/third")
        #expect(cloud.takenAway().map(\.bytes) == [numbered(1, from: "10.0.1.32", to: "10.9.0.5", ttl: 63)])
        #expect(cloud.carried == 1)
        cloud.send(fromThird(numbered(2, from: "10.0.1.32", to: far4)), at: "red/third")
        let routed = ethernet(to: Names.far, from: Names.gateway, numbered(2, from: "10.0.1.32", to: far4, ttl: 63))
        #expect(cloud.taken("red/far") == [routed])
        #expect(cloud.carried == 2)
        cloud.send(fromThird(numbered(3, from: "10.0.1.32", to: web4)), at: "blue/third")
        #expect(cloud.taken("blue/web") == [toWeb(numbered(3, from: "10.0.1.32", to: web4, ttl: 63))])
        #expect(cloud.taken("red/web").isEmpty)
    }

    @Test("a tunnel whose host no tunnelled network leads to is out of reach, and the sender hears it")
    func outOfReach() throws {
        var description = TestCloud()
        description.networks = [.init("red/lan", .vlan(100), mtu: 1500)]
        description.ports = [
            .init("red/pc", host: 2, "red/lan", mac: Names.web, ["10.0.0.11"], mtu: 1500)
        ]
        var router = TestCloud.Router("red/gw", mac: Names.gateway, [("red/lan", ["10.0.0.1/24"])])
        router.tunnels = [.init("ipip", .ipip, to: Names.ipipEnd(0), mtu: 1480)]
        router.routes = [("10.9.0.0/16", [.tunnel("ipip")])]
        description.routers = [router]
        let host = try RoutedSwitch(description, host: 2)
        let sent = numbered(1, from: web4, to: "10.9.0.5")
        host.send(fromWeb(sent), at: "red/pc")
        let error = icmpError(3, 0, from: gateway4, to: web4, about: sent)
        // A host that is not the designated one answers its own ports by the address that they sent to.
        #expect(host.taken("red/pc") == [toWeb(error)])
        #expect(host.drops("red/pc", .tunnelOutOfReach) == 1)
    }

    @Test("pings to any address of the router are answered where they come in, from every port and tunnel")
    func echoFromEverywhere() throws {
        let cloud = try Underlay()
        let ports = [
            ("web", Names.web, web4, web6), ("db", Names.db, db4, db6),
            ("far", Names.far, far4, "2001:db8:a::21"), ("fardb", Names.farDB, "10.0.1.22", "2001:db8:b::22"),
        ]
        for tenant in ["red", "blue"] {
            for (name, mac, four, six) in ports {
                for own in [gateway4, dataGateway4, "10.255.0.1", "10.255.1.1"] {
                    cloud.send(
                        ethernet(to: Names.gateway, from: mac, echo(from: four, to: own)),
                        at: "\(tenant)/\(name)"
                    )
                    let reply = ethernet(to: mac, from: Names.gateway, echo(from: own, to: four, isReply: true))
                    #expect(cloud.taken("\(tenant)/\(name)") == [reply], "\(tenant)/\(name) to \(own)")
                }
                for own in [gateway6, dataGateway6, "2001:db8:ff::1"] {
                    cloud.send(
                        ethernet(to: Names.gateway, from: mac, echo(from: six, to: own)),
                        at: "\(tenant)/\(name)"
                    )
                    let reply = ethernet(to: mac, from: Names.gateway, echo(from: own, to: six, isReply: true))
                    #expect(cloud.taken("\(tenant)/\(name)") == [reply], "\(tenant)/\(name) to \(own)")
                }
            }
        }
        #expect(cloud.carried == 0)
        for own in [gateway4, dataGateway4, "10.255.0.1"] {
            cloud.receive(echo(from: "10.9.0.5", to: own), by: .raw(4), from: Names.ipipEnd(0))
            let reply = echo(from: own, to: "10.9.0.5", isReply: true)
            #expect(
                cloud.takenAway() == [.init(door: .raw(4), destination: mapped(Names.ipipEnd(0)), bytes: reply)]
            )
        }
    }
}
