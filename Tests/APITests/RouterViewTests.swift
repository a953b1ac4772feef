import Forwarding
import Tables
import Testing
import Wire

@testable import Control

/// Two tenants with one prefix and routers of one name, whose tunnels begin here; a third network is another host's.
let routedFile = """
    sluice: 1
    hosts:
      h1: {vtep: 192.0.2.1, physical: {physnet1: eth1}}
      h2: {vtep: 192.0.2.2, physical: {physnet1: eth1}}
    tenants:
      red:
        networks:
          app: {segment: {type: vxlan, id: 5001}, subnets: [10.0.0.0/24, 2001:db8:a::/64]}
          data: {segment: {type: vlan, physical: physnet1, id: 7}, subnets: [10.0.1.0/24]}
        ports:
          web: {host: h1, network: app, address: 10.0.0.11/24, mac: "02:00:00:00:00:11", attach: {netns: red-web}}
          db: {host: h2, network: app, address: 10.0.0.12/24, mac: "02:00:00:00:00:12", attach: {netns: red-db}}
        routers:
          gw:
            mac: "02:00:00:00:00:01"
            interfaces: {app: [10.0.0.1/24, "2001:db8:a::1/64"], data: 10.0.1.1/24}
            tunnels:
              branch: {type: ipip, host: h1, remote: 198.51.100.7}
              office: {type: gre, host: h1, remote: 198.51.100.7, key: 9, checksum: true, address: 10.255.0.1/30}
              away: {type: sit, host: h2, remote: 198.51.100.7}
            routes:
              - {to: 10.9.0.0/16, via: [branch, 10.0.1.200]}
              - {to: 10.8.0.0/16, via: office}
              - {to: 10.7.0.0/16, type: prohibit}
              - {to: "2001:db8:b::/48", via: away}
      blue:
        networks:
          app: {segment: {type: vxlan, id: 5002}, subnets: [10.0.0.0/24]}
        ports:
          web: {host: h1, network: app, address: 10.0.0.11/24, mac: "02:00:00:00:00:11", attach: {netns: blue-web}}
        routers:
          gw:
            mac: "02:00:00:00:00:01"
            interfaces: {app: 10.0.0.1/24}
            tunnels: {branch: {type: ipip, host: h1, remote: 198.51.100.8}}
            routes: [{to: 10.9.0.0/16, via: branch}]
    """

@Suite struct RouterViewTests {
    let fixture: LiveFixture

    init() throws { fixture = try LiveFixture(routedFile) }

    @Test func tunnelsAreNoNetworks() {
        let live = fixture.live
        #expect(live.networks().map(\.name) == ["blue/app", "red/app", "red/data"])
        #expect(live.networks()[1].routers == ["red/gw"] && live.networks()[1].ports == ["red/web"])
        let status = live.status(processFixture)
        #expect(status.networks == 3 && status.routers == 2)
        #expect(status.endpoints.total == 2 + 1 + 1 + 1 + 3)
        let ipip = live.uplinks().first { $0.name == "ipip 192.0.2.1" }
        #expect(ipip?.kind == .ip && ipip?.networks.map(\.network) == ["blue/gw/branch", "red/gw/branch"])
        #expect(live.uplinks().contains { $0.name == "ka9q 192.0.2.1" && $0.networks.isEmpty })
        #expect(
            live.fdb(segment: fixture.segment("red/app")).entries.first { $0.mac == "02:00:00:00:00:01" }?.router
                == "red/gw"
        )
        #expect(live.overview(processFixture).routers.map(\.name) == ["blue/gw", "red/gw"])
    }

    @Test func routersKnowTheirInterfaces() throws {
        let routers = fixture.live.routers(host: "h1")
        let red = try #require(routers.first { $0.name == "red/gw" })
        #expect(red.mac == "02:00:00:00:00:01" && red.designated && red.hostMAC == nil && red.reversePath == "strict")
        #expect(red.interfaces.map(\.name) == ["app", "data", "branch", "office"])
        #expect(red.interfaces[0].addresses == ["10.0.0.1/24", "2001:db8:a::1/64"])
        #expect(red.interfaces[3].isTunnel && red.interfaces[3].mtu == 1500 - 20 - 12)
        #expect(red.hosts == ["h1", "h2"] && routers[0].hosts == ["h1"])
        let elsewhere = try LiveFixture(routedFile, host: "h2").live.routers(host: "h2")
        #expect(elsewhere.map(\.name) == ["red/gw"])
        #expect(!elsewhere[0].designated && elsewhere[0].hostMAC != nil && elsewhere[0].hosts == ["h1", "h2"])
        let segment = Int(fixture.segment("red/gw/branch"))
        fixture.region.countDrop(DropReason.noRoute.rawValue, endpoint: 0, segment: UInt32(segment))
        #expect(fixture.live.routers(host: "h1").first { $0.name == "red/gw" }?.drops == 1)
    }

    @Test func routesInOrder() throws {
        let live = fixture.live
        let red = live.routes(router: try live.requireRouter("red/gw"))
        #expect(
            red.routes.map(\.prefix) == [
                "10.0.0.0/24", "10.0.0.1/32", "10.0.1.0/24", "10.0.1.1/32", "10.7.0.0/16", "10.8.0.0/16", "10.9.0.0/16",
                "10.255.0.0/30", "10.255.0.1/32", "2001:db8:a::/64", "2001:db8:a::1/128", "2001:db8:b::/48",
                "fe80::ff:fe00:1/128",
            ]
        )
        #expect(red.total == 13 && red.routes.allSatisfy { $0.router == "red/gw" })
        let ways = red.routes.first { $0.prefix == "10.9.0.0/16" }
        #expect(ways?.kind == .static)
        #expect(
            ways?.hops == [
                .init(kind: .tunnel, tunnel: "branch", remote: "198.51.100.7"),
                .init(kind: .gateway, gateway: "10.0.1.200", network: "data"),
            ]
        )
        #expect(red.routes.first { $0.prefix == "10.7.0.0/16" }.map { $0.kind == .prohibit && $0.hops.isEmpty } == true)
        #expect(
            red.routes.first { $0.prefix == "2001:db8:b::/48" }?.hops == [
                .init(kind: .redirect, tunnel: "away", host: "h2")
            ]
        )
        let few = live.routes(limit: 4)
        #expect(few.total == 16 && few.routes.map(\.router) == ["blue/gw", "blue/gw", "blue/gw", "red/gw"])
        #expect(throws: UnknownName.self) { try live.requireRouter("red/gateway") }
    }

    @Test func neighborsToldAndLearned() {
        let app = fixture.segment("red/app")
        let live = fixture.live
        let neighbors = fixture.region.taught.neighbors
        let now = fixture.region.now
        func v4(_ text: String) -> IPv6Address { IPAddress(text)!.mapped }
        _ = neighbors.ask(segment: app, v4("10.0.0.77"), now: now - 5, snapshot: fixture.snapshot)
        neighbors.confirm(
            segment: app,
            v4("10.0.0.99"),
            mac: MACAddress("02:00:00:00:00:12")!,
            creates: true,
            now: now - 42,
            snapshot: fixture.snapshot
        )
        let view = live.neighbors(segment: app)
        #expect(
            view.entries.map(\.address) == [
                "10.0.0.1", "10.0.0.11", "10.0.0.12", "10.0.0.77", "10.0.0.99", "2001:db8:a::1", "fe80::ff:fe00:1",
            ]
        )
        #expect(view.entries[0].router == "red/gw" && view.entries[0].state == .told && view.entries[0].age == nil)
        #expect(view.entries[1].port == "red/web" && view.entries[2].peer == "192.0.2.2")
        #expect(view.entries[3].state == .incomplete && view.entries[3].mac == nil && view.entries[3].age == 5)
        #expect(view.entries[4].state == .reachable && view.entries[4].age == 42 && view.entries[4].peer == "192.0.2.2")
        #expect(live.neighbors(limit: 1).entries.map(\.network) == ["blue/app"])
        #expect(
            live.neighbors().total > view.total
                && !live.neighbors(segment: fixture.segment("blue/app")).entries.contains { $0.address == "10.0.0.77" }
        )
    }

    @Test func tunnelsHaveTwoEnds() throws {
        let peer = fixture.allocation.peer(IPAddress("198.51.100.7")!)!
        fixture.region.peerCounters[Int(peer)].receivedBytes = 77
        fixture.region.taught.learnPathMTU(1400, peer: peer, now: fixture.region.now - 9, snapshot: fixture.snapshot)
        let views = fixture.live.tunnels()
        #expect(views.map(\.name) == ["h2", "blue/gw/branch", "red/gw/branch", "red/gw/office"])
        #expect(views[0].router == nil && views[0].networks == ["red/app"] && views[0].learnedPathMTU == nil)
        let branch = views[2]
        #expect(branch.kinds == ["ipip"] && branch.local == "192.0.2.1" && branch.peer == "198.51.100.7")
        #expect(branch.router == "red/gw" && branch.mtu == 1480 && branch.key == nil && branch.received.bytes == 77)
        #expect(branch.pathMTU == 1500 && branch.learnedPathMTU == 1400 && branch.learnedAge == 9)
        let office = views[3]
        #expect(office.kinds == ["gre"] && office.key == 9 && office.checksum == true)
        #expect(office.addresses == ["10.255.0.1/30"])
    }
}

@Suite struct RouterTraceTests {
    let fixture: LiveFixture

    init() throws { fixture = try LiveFixture(routedFile) }

    @Test func aPingToTheGatewayIsAnswered() throws {
        let view = try fixture.live.trace(TraceRequest(port: "red/web", frame: "icmp 10.0.0.11 > 10.0.0.1"))
        #expect(view.verdict == "answer" && view.reason == nil && view.outputs.isEmpty)
        #expect(view.answer?.endpoint == "red/web")
        #expect(
            view.answer?.summary == "02:00:00:00:00:01 > 02:00:00:00:00:11, IPv4 10.0.0.1 > 10.0.0.11, icmp, 42 bytes"
        )
    }

    @Test func intoATunnel() throws {
        let view = try fixture.live.trace(TraceRequest(port: "blue/web", frame: "udp 10.0.0.11 > 10.9.0.1 dport=53"))
        #expect(view.verdict == "forward" && view.network == "blue/app" && view.target == "blue/gw/branch")
        #expect(view.outputs.count == 1 && view.outputs[0].tunnel == "blue/gw/branch")
        #expect(view.outputs[0].peer == "198.51.100.8" && view.outputs[0].kind == .ip)
        #expect(view.outputs[0].summary == "IPv4 10.0.0.11 > 10.9.0.1, udp 49152 > 53, 28 bytes")
        // The packet itself stands at the front: TTL 64 became 63.
        #expect(view.outputs[0].bytes.hasPrefix("4500001c000040003f11"))
    }

    @Test func outOfATunnel() throws {
        for (tunnel, to) in [("red/gw/branch", "10.0.0.12"), ("red/gw/office", "10.0.0.12")] {
            let from = tunnel.hasSuffix("office") ? "10.8.0.1" : "10.9.0.1"
            let view = try fixture.live.trace(TraceRequest(port: tunnel, frame: "tcp \(from) > \(to) dport=80"))
            #expect(view.verdict == "forward" && view.network == tunnel && view.target == "red/app", "\(view)")
            #expect(view.summary == "IPv4 \(from) > \(to), tcp 49152 > 80, 40 bytes")
            #expect(view.outputs.first?.peer == "192.0.2.2")
            #expect(view.outputs.first?.summary.hasPrefix("02:00:00:00:00:01 > 02:00:00:00:00:12, IPv4") == true)
        }
        let hex = "4500001400000000401100000a0900010a000001"
        #expect(throws: Never.self) { try fixture.live.trace(TraceRequest(port: "red/gw/branch", frame: hex)) }
        let view = try fixture.live.trace(TraceRequest(port: "red/gw/branch", frame: "udp 10.9.0.1 > 172.16.0.1"))
        #expect(view.reason == "noRoute" && view.answer?.tunnel == "red/gw/branch")
        #expect(view.answer?.summary == "IPv4 10.0.0.1 > 10.9.0.1, icmp, 56 bytes")
    }

    @Test func aRouteOfTheOtherTenantIsNone() throws {
        let view = try fixture.live.trace(TraceRequest(port: "blue/web", frame: "udp 10.0.0.11 > 10.8.0.1"))
        #expect(view.reason == "noRoute" && view.outputs.isEmpty && view.answer != nil)
    }

    @Test func nothingIsTaught() throws {
        let before = fixture.stateBytes
        for frame in [
            "udp 10.0.0.11 > 10.0.1.50", "arp 10.0.0.11 > 10.0.0.1", "icmp 10.0.0.11 > 10.9.0.1 ttl=1",
            "udp 10.0.0.11 > 172.16.0.1",
        ] {
            _ = try fixture.live.trace(TraceRequest(port: "red/web", frame: frame))
        }
        #expect(fixture.stateBytes == before)
    }
}
