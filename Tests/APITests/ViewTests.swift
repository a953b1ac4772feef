import Control
import Forwarding
import Tables
import Testing

@Suite struct ViewTests {
    let fixture: LiveFixture

    init() throws { fixture = try LiveFixture() }

    @Test func portsAreTenantsOnly() {
        let ports = fixture.live.ports()
        #expect(ports.map(\.name) == ["blue/db", "blue/web", "red/fw", "red/web"])
        let web = ports[3]
        #expect(web.tenant == "red" && web.kind == .port && web.state == "up")
        #expect(web.networks.map(\.network) == ["red/app"] && web.networks[0].vlan == nil)
        #expect(web.device == "tap eth0 netns red-web" && web.namespace == "red-web")
        #expect(web.mac == "02:00:00:00:00:11" && web.addresses == ["10.0.0.11/24"] && web.mtu == 1450)
    }

    @Test func trunksNameTheirTags() {
        let trunk = fixture.live.ports().first { $0.name == "red/fw" }
        #expect(trunk?.networks.map(\.network) == ["red/app", "red/data", "red/lan"])
        #expect(trunk?.networks.map(\.vlan) == [nil, 10, 20])
        #expect(trunk?.networks[1].tag == "802.1Q")
        #expect(trunk?.state == "missing" && trunk?.detail.isEmpty == false)
    }

    @Test func uplinksAreWhatAllShare() {
        let uplinks = fixture.live.uplinks()
        #expect(uplinks.map(\.name) == ["gre 192.0.2.1", "physnet1", "vxlan 192.0.2.1:4789"])
        #expect(uplinks.map(\.kind) == [.gre, .provider, .vxlan])
        #expect(uplinks.allSatisfy { $0.tenant == nil })
        #expect(uplinks[1].networks.map(\.vlan) == [100])
        #expect(uplinks[2].networks.map(\.network) == ["red/app"])
    }

    @Test func countersAreThePortsOwn() {
        let slot = Int(fixture.endpoint("red/web"))
        fixture.region.counters[slot].receivedFrames = 3
        fixture.region.counters[slot].receivedBytes = 300
        fixture.region.counters[slot].sentSuperFrames = 1
        fixture.region.countDrop(
            DropReason.unknownUnicast.rawValue,
            endpoint: UInt32(slot),
            segment: fixture.segment("red/app")
        )
        fixture.region.events[Int(Event.macMoved.rawValue)] = 5
        let ports = fixture.live.ports()
        #expect(ports.first { $0.name == "red/web" }?.received.frames == 3)
        #expect(ports.first { $0.name == "red/web" }?.drops == 1)
        #expect(ports.first { $0.name == "blue/web" }?.received.frames == 0)
        #expect(fixture.live.networks().first { $0.name == "red/app" }?.drops == 1)
        #expect(fixture.live.networks().first { $0.name == "blue/app" }?.drops == 0)
        let counters = fixture.live.counters()
        #expect(counters.endpoints.count == 7)
        #expect(counters.endpoints.first { $0.name == "red/web" }?.sent.superFrames == 1)
        #expect(counters.events.count == Event.allCases.count)
        #expect(counters.events.first { $0.name == "macMoved" }?.count == 5)
    }

    @Test func dropsNameReasonsAndPlaces() {
        let (web, app) = (fixture.endpoint("red/web"), fixture.segment("red/app"))
        for _ in 0..<3 { fixture.region.countDrop(DropReason.noReceiver.rawValue, endpoint: web, segment: app) }
        fixture.region.countDrop(DropReason.tooShort.rawValue, endpoint: web, segment: noSlot)
        let drops = fixture.live.drops()
        #expect(drops.endpoints.map(\.reason) == ["noReceiver", "tooShort"])
        #expect(drops.endpoints.map(\.count) == [3, 1])
        #expect(drops.endpoints[0].name == "red/web" && drops.endpoints[0].sentence == DropReason.noReceiver.sentence)
        #expect(drops.networks.map(\.name) == ["red/app"])
    }

    @Test func networksKnowTheirSegment() {
        let networks = fixture.live.networks()
        #expect(networks.map(\.name) == ["blue/app", "red/app", "red/data", "red/lan"])
        let app = networks[1]
        #expect(app.kind == .vxlan && app.id == 5001 && app.mtu == 1450 && app.macLimit == 100)
        #expect(app.ports == ["red/fw", "red/web"] && app.peers == ["192.0.2.2"])
        #expect(networks[0].peers == [])
        #expect(networks[2].kind == .gre && networks[2].id == 77 && networks[2].vlanTransparent)
        #expect(networks[3].kind == .vlan && networks[3].provider == "physnet1")
    }

    @Test func tunnelsAreRemoteVTEPs() {
        let peer = Int(fixture.allocation.peer(.init("192.0.2.2")!)!)
        fixture.region.peerCounters[peer].sentBytes = 99
        let tunnels = fixture.live.tunnels()
        #expect(tunnels.count == 1 && tunnels[0].peer == "192.0.2.2")
        #expect(tunnels[0].kinds == ["gre", "vxlan"] && tunnels[0].networks == ["red/app", "red/data"])
        #expect(tunnels[0].sent.bytes == 99)
    }

    @Test func fdbTellsToldFromLearned() {
        fixture.learn("02:00:00:00:00:99", at: fixture.attachment("red/app", peer: "192.0.2.2"), age: 42)
        fixture.learn("02:00:00:00:00:11", at: fixture.attachment("red/app", "red/web"), age: 3)
        let red = fixture.live.fdb(segment: fixture.segment("red/app"))
        #expect(red.total == red.entries.count)
        let web = red.entries.filter { $0.mac == "02:00:00:00:00:11" }
        #expect(web.count == 1 && web[0].source == .told && web[0].age == 3 && web[0].port == "red/web")
        let far = red.entries.first { $0.mac == "02:00:00:00:00:99" }
        #expect(far?.source == .learned && far?.age == 42 && far?.peer == "192.0.2.2" && far?.port == nil)
        let remote = red.entries.first { $0.mac == "02:00:00:00:00:12" }
        #expect(remote?.source == .told && remote?.peer == "192.0.2.2" && remote?.age == nil)
        // The same MAC belongs to a port of this host for the other tenant.
        let blue = fixture.live.fdb(segment: fixture.segment("blue/app"))
        #expect(blue.entries.first { $0.mac == "02:00:00:00:00:12" }?.port == "blue/db")
        #expect(blue.entries.allSatisfy { $0.network == "blue/app" })
    }

    @Test func fdbNamesTheTagAndKeepsItsLimit() {
        let all = fixture.live.fdb()
        let tagged = all.entries.first { $0.mac == "02:00:00:00:00:13" && $0.network == "red/data" }
        if let tagged { #expect(tagged.vlan == 10 && tagged.port == "red/fw") }
        let two = fixture.live.fdb(limit: 2)
        #expect(two.entries.count == 2 && two.total == all.total)
        #expect(Array(all.entries.prefix(2)) == two.entries)
    }

    @Test func outlivedAddressesAreGone() {
        fixture.learn("02:00:00:00:00:99", at: fixture.attachment("red/app", "red/web"), age: 301)
        #expect(!fixture.live.fdb().entries.contains { $0.mac == "02:00:00:00:00:99" })
    }

    @Test func statusCountsWhatIsUp() {
        fixture.learn("02:00:00:00:00:99", at: fixture.attachment("red/app", "red/web"))
        let status = fixture.live.status(processFixture)
        #expect(status.endpoints.up == 6 && status.endpoints.total == 7)
        #expect(status.tenants == 2 && status.networks == 4 && status.peers == 1 && status.learned == 1)
        #expect(status.generation == 7 && status.appliedGeneration == 7)
        #expect(
            status.troubles == ["port red/fw: eth3 does not exist; it is taken up as soon as it does"]
        )
    }

    @Test func wrongNamesAreAnsweredWithRightOnes() {
        #expect(throws: UnknownName.self) { try fixture.live.requireEndpoint("red/wbe") }
        do {
            _ = try fixture.live.requireSegment("app")
        } catch {
            #expect("\(error)" == "there is no network called app; there is blue/app, red/app")
        }
    }
}
