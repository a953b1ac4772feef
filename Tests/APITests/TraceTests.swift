import Control
import Testing

@Suite struct TraceTests {
    let fixture: LiveFixture

    init() throws { fixture = try LiveFixture() }

    @Test func aToldAddressBehindATunnel() throws {
        let view = try fixture.live.trace(
            TraceRequest(port: "red/web", frame: "dst=02:00:00:00:00:12 from=10.0.0.11 to=10.0.0.12 proto=udp dport=53")
        )
        #expect(view.verdict == "forward" && view.reason == nil && view.network == "red/app")
        #expect(!view.lines.isEmpty)
        #expect(view.outputs.count == 1)
        #expect(view.outputs.first?.peer == "192.0.2.2" && view.outputs.first?.kind == .vxlan)
        // Flags and VNI 5001 stand in front; the frame behind is the one that went in.
        #expect(view.outputs.first?.bytes.hasPrefix("0800000000138900020000000012") == true)
        #expect(view.outputs.first?.summary == view.summary)
    }

    @Test func theSameFrameOfTheOtherTenantStaysHere() throws {
        let view = try fixture.live.trace(
            TraceRequest(port: "blue/web", frame: "dst=02:00:00:00:00:12 from=10.0.0.11 to=10.0.0.12")
        )
        #expect(view.verdict == "forward" && view.outputs.map(\.endpoint) == ["blue/db"])
        #expect(view.outputs.first?.peer == nil)
    }

    @Test func floodsStayInTheNetwork() throws {
        let view = try fixture.live.trace(
            TraceRequest(port: "red/web", frame: "type=arp from=10.0.0.11 to=10.0.0.99")
        )
        #expect(view.verdict == "flood")
        #expect(Set(view.outputs.map(\.endpoint)) == ["red/fw", "vxlan 192.0.2.1:4789"])
    }

    @Test func dropsHaveAReason() throws {
        let view = try fixture.live.trace(
            TraceRequest(port: "red/web", frame: "vlan=10 type=arp from=10.0.0.11 to=10.0.0.9")
        )
        #expect(view.verdict == "drop" && view.reason == "taggedOnAccessPort")
        #expect(view.sentence?.isEmpty == false && view.outputs.isEmpty)
    }

    @Test func framesOutOfTunnels() throws {
        let frame = "src=02:00:00:00:00:12 dst=02:00:00:00:00:11 from=10.0.0.12 to=10.0.0.11"
        let known = try fixture.live.trace(TraceRequest(vtep: "192.0.2.2", vni: 5001, frame: frame))
        #expect(known.verdict == "forward" && known.outputs.map(\.endpoint) == ["red/web"])
        let stranger = try fixture.live.trace(TraceRequest(vtep: "192.0.2.66", vni: 5001, frame: frame))
        #expect(stranger.reason == "unknownPeer")
        let elsewhere = try fixture.live.trace(TraceRequest(vtep: "192.0.2.2", vni: 6001, frame: frame))
        #expect(elsewhere.reason == "unknownVNI")
        let gre = try fixture.live.trace(
            TraceRequest(vtep: "192.0.2.2", key: 77, frame: "src=02:00:00:00:00:14 dst=02:00:00:00:00:13 type=0x88cc")
        )
        #expect(gre.network == "red/data")
    }

    @Test func learnedAddressesCount() throws {
        let frame = "dst=02:00:00:00:00:99 from=10.0.0.11 to=10.0.0.99"
        #expect(try fixture.live.trace(TraceRequest(port: "red/web", frame: frame)).verdict == "flood")
        fixture.learn("02:00:00:00:00:99", at: fixture.attachment("red/app", "red/fw"))
        let view = try fixture.live.trace(TraceRequest(port: "red/web", frame: frame))
        #expect(view.verdict == "forward" && view.outputs.map(\.endpoint) == ["red/fw"])
    }

    @Test func nothingChanges() throws {
        let before = fixture.stateBytes
        for port in ["red/web", "red/fw", "blue/web", "physnet1"] {
            for text in ["type=arp from=10.0.0.1 to=10.0.0.2", "dst=02:00:00:00:00:77 type=0x88cc vlan=100"] {
                _ = try fixture.live.trace(TraceRequest(port: port, frame: "src=02:00:00:00:00:55 " + text))
            }
        }
        #expect(fixture.stateBytes == before)
    }

    @Test func wrongQuestions() {
        var both = TraceRequest(port: "red/web", frame: "00")
        both.vtep = "192.0.2.2"
        var neither = both
        (neither.port, neither.vtep) = (nil, nil)
        for wrong in [
            both, neither, TraceRequest(vtep: "192.0.2.2", frame: "00"),
            TraceRequest(vtep: "nonsense", vni: 1, frame: "00"),
            TraceRequest(vtep: "192.0.2.2", vni: 1, key: 1, frame: "00"),
            TraceRequest(vtep: "2001:db8::1", vni: 1, frame: "00"),
            TraceRequest(vtep: "192.0.2.2", vni: 1 << 24, frame: "00"),
            TraceRequest(port: "vxlan 192.0.2.1:4789", frame: "00"),
        ] {
            #expect(throws: TraceError.self) { try fixture.live.trace(wrong) }
        }
        #expect(throws: UnknownName.self) { try fixture.live.trace(TraceRequest(port: "green/web", frame: "00")) }
        // Any bytes are a frame, however short.
        #expect(throws: Never.self) { try fixture.live.trace(TraceRequest(port: "red/web", frame: "00")) }
    }
}
