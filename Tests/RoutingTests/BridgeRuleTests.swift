import Forwarding
import Rings
import Tables
import TestCloud
import Testing
import Wire

// Where each row of the project's list of standards has its test. Those that are about sockets are in PortsTests and
// Integration, those about bridging alone in ForwardingTests (Rules), those about bytes in WireTests.
//
// | row          | where, or why not                                                                               |
// |--------------|-------------------------------------------------------------------------------------------------|
// | VX1 to VX3   | ForwardingTests: Rules/TunnelRows                                                               |
// | VX4, VX6     | PortsTests: VXLANSocketTests                                                                    |
// | VX5, VX11    | here                                                                                            |
// | VX7          | PortsTests: sockets forbid fragments; the outer ones that arrive are the kernel's to put together |
// | VX8, VX10, VX12 | ForwardingTests: Rules/TunnelRows                                                            |
// | VX9          | OverlapTests                                                                                    |
// | VX13         | PathMTUTests                                                                                    |
// | VX14         | ARPTests, TunnelSecurityTests                                                                   |
// | II1 to II11  | IPInIPTests. II6, the outer TTL, is the socket's: PortsTests. II8: unreachables from the underlay |
// |              | are counted, not translated (RFC 2003 §4.2, §4.3: SHOULD). II11: the delivery packet is never cut |
// |              | (as RFC 7588 has it for GRE); what may be cut is cut before, and IPv6 that the way under a tunnel |
// |              | cannot carry in 1280 bytes is not carried. No encapsulation limit option (RFC 2473 §4.1.1) is sent |
// | 6040 table   | TunnelECNTests                                                                                  |
// | GR1 to GR6   | GRETests                                                                                        |
// | GR7          | not applicable: keys have 32 bits here, not NVGRE's 24 and 8                                    |
// | §1.5         | PathMTUTests; RFC 6935 and 6936 (zero checksums over IPv6): PortsTests. There is no DHCP        |
// | Q1 to Q5, Q7, Q8 | ForwardingTests: Rules/PortRows and BridgeRows; Q1 and Q7 at a router: here                 |
// | Q6           | DatapathTests: order                                                                            |
// | Q9           | drivers pad: bridged lengths do not change, ForwardingTests: Rules/PortRows                     |
// | §1.7         | ARPTests, NeighborDiscoveryTests, DatapathTests. RFC 9161 (proxy): not offered, only routers    |
// |              | answer; RFC 7113 (RA guard): comes with security groups                                         |
// | RT1, RT10    | HeaderCheckTests                                                                                |
// | RT2 to RT7   | RouterTests; RT6: DatapathTests                                                                 |
// | RT8, RT9, RT11 | RouteChoiceTests                                                                              |
// | §1.9         | not applicable: nothing is reassembled here                                                     |
// | §1.10        | not applicable: there is no DHCP                                                                |

/// Rows about bridging that need a router, several hosts or flows.
@Suite struct BridgeRuleTests {
    @Test("RFC 7348 §5 VX5: frames of one flow have one hash, flows have many")
    func flowHash() throws {
        let bench = try Bench()
        func hash(_ sourcePort: Int, _ payload: Int = 0) -> UInt32 {
            let datagram = ipv4(from: web4, to: "10.0.0.21", protocol: 17, udp(sourcePort, 53, filler(payload)))
            _ = bench.send(ethernet(to: Names.far, from: Names.web, datagram), at: "red/web")
            return bench.decision.flowHash
        }
        var hashes: Set<UInt32> = []
        for port in 1...256 {
            #expect(hash(port) == hash(port, 100))
            hashes.insert(hash(port))
        }
        #expect(hashes.count > 250)
        // Spread over the eight sockets.
        let used = Dictionary(grouping: hashes) { $0 & 7 }.mapValues(\.count)
        #expect(used.count == 8 && used.values.allSatisfy { $0 > 10 })
        // A routed flow keeps its own.
        func routed(_ sourcePort: Int) -> UInt32 {
            let datagram = ipv4(from: web4, to: "10.0.1.22", protocol: 17, udp(sourcePort, 53))
            _ = bench.send(fromWeb(datagram), at: "red/web")
            return bench.decision.flowHash
        }
        #expect(Set((1...64).map(routed)).count > 60)
        #expect(routed(7) == routed(7))
    }

    @Test("RFC 7348 §4.2, RFC 8365 §8.3.1 VX11: to each VTEP once, and out of one to none")
    func headEndReplication() throws {
        var cloud = TestCloud.twoTenants
        cloud.hosts = 5
        let bench = try Bench(cloud)
        let frame = arpRequest((Names.web, web4), for: "10.0.0.77")
        let ending = bench.send(frame, at: "red/web")
        #expect(Set(ending.sent.map(\.destination)) == Set((2...5).map { mapped(TestCloud.underlay($0)) }))
        #expect(ending.sent.count == 4 && ending.sent.allSatisfy { $0.bytes == vxlan(5001, frame) })
        let back = arpRequest((Names.far, "10.0.0.21"), for: "10.0.0.77")
        let heard = bench.receive(vxlan(5001, back), by: .vxlan, from: TestCloud.underlay(2))
        #expect(heard == Ending(verdict: .flood, sent: [.port("red/web", back)]))
    }

    /// `red/gw` between a VLAN and a VXLAN network, on two hosts.
    private static var withVLAN: TestCloud {
        var cloud = TestCloud.twoTenants
        cloud.networks.append(.init("red/lan", .vlan(100), mtu: 1500))
        cloud.ports.append(.init("red/pc", host: 1, "red/lan", mac: "02:00:00:00:00:31", ["10.0.2.31"], mtu: 1500))
        cloud.change("red/gw") { $0.interfaces.append(("red/lan", ["10.0.2.1/24"])) }
        return cloud
    }
    private let outside = "02:00:00:00:00:77"

    @Test("IEEE 802.1Q §6.9 Q1, Q7: a priority-tagged frame is routed like any other, and keeps its priority")
    func priorityTag() throws {
        let bench = try Bench(BridgeRuleTests.withVLAN)
        bench.learn("10.0.2.77", is: outside, in: "red/lan")
        bench.see(outside, at: .provider(network: "red/lan"))
        let sent = packet(from: web4, to: "10.0.2.77")
        let routed = packet(from: web4, to: "10.0.2.77", ttl: 63)
        for priority in [0, 5, 7] {
            let tag = priority << 13
            let frame = ethernet(to: Names.gateway, from: Names.web, tags: [(0x8100, tag)], sent)
            let out = ethernet(to: outside, from: Names.gateway, tags: [(0x8100, tag | 100)], routed)
            let ending = bench.send(frame, at: "red/web")
            #expect(ending == .forward(Sent(to: .provider(network: "red/lan"), bytes: out)))
        }
    }

    @Test("a provider network sees one host at the router's address; the others send under their own")
    func designatedOnProvider() throws {
        let tag = [(type: 0x8100, tag: 100)]
        func tagged(to destination: String, from source: String, _ packet: [UInt8]) -> [UInt8] {
            ethernet(to: destination, from: source, tags: tag, packet)
        }
        let lan = "10.0.2.77"
        let first = try Bench(BridgeRuleTests.withVLAN)
        let second = try Bench(BridgeRuleTests.withVLAN, host: 2)
        let question = Array(arpRequest((outside, lan), for: "10.0.2.1")[14...])
        let asked = ethernet(to: everybody, from: outside, tags: tag, type: 0x0806, question)
        let reply = arpReply((Names.gateway, "10.0.2.1"), to: (outside, lan))
        let answer = ethernet(to: outside, from: Names.gateway, tags: tag, type: 0x0806, Array(reply[14...]))
        #expect(first.send(asked, at: .provider) == .answer(Sent(to: .provider(network: "red/lan"), bytes: answer)))
        #expect(second.send(asked, at: .provider).answer == nil)

        let inbound = tagged(to: Names.gateway, from: outside, packet(from: lan, to: web4))
        let routed = toWeb(packet(from: lan, to: web4, ttl: 63))
        #expect(first.send(inbound, at: .provider) == .forward(.port("red/web", routed)))
        #expect(second.send(inbound, at: .provider) == .drop(.notDesignated))

        second.learn(lan, is: outside, in: "red/lan")
        second.see(outside, at: .provider(network: "red/lan"))
        let own = "02:02:00:00:00:01"
        let far = ethernet(to: Names.gateway, from: Names.far, packet(from: "10.0.0.21", to: lan))
        let out = tagged(to: outside, from: own, packet(from: "10.0.0.21", to: lan, ttl: 63))
        #expect(second.send(far, at: "red/far") == .forward(Sent(to: .provider(network: "red/lan"), bytes: out)))
        // An answer to that address is its own to take.
        let back = tagged(to: own, from: outside, packet(from: lan, to: "10.0.0.21"))
        let delivered = ethernet(to: Names.far, from: Names.gateway, packet(from: lan, to: "10.0.0.21", ttl: 63))
        #expect(second.send(back, at: .provider) == .forward(.port("red/far", delivered)))
        // Nobody out there is the router.
        let forged = tagged(to: "02:00:00:00:00:31", from: Names.gateway, packet(from: web4, to: "10.0.2.31"))
        #expect(first.send(forged, at: .provider) == .drop(.sourceBelongsToAnotherPort))
    }
}
