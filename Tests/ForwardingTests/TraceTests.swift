import Forwarding
import Rings
import Testing
import Wire

/// What `trace` says, and what it leaves alone.
@Suite struct TraceTests {
    private func trace(_ arrival: Arrival) throws -> Trace {
        var cloud = RuleTests.sample.cloud
        cloud.tell(RuleTests.sample.app, Sample.b, at: RuleTests.sample.atH2)
        let tables = try LiveTables(cloud.compile(), seed: 1)
        let memory = FrameMemory()
        return withExtendedLifetime((tables, memory)) {
            let frame = memory.place(arrival)
            let trace = explain(frame, snapshot: tables.snapshot, taught: tables.state.taught, now: 0)
            #expect(Array(UnsafeRawBufferPointer(start: frame.bytes, count: frame.length)) == arrival.bytes)
            return trace
        }
    }

    private func text(_ trace: Trace) -> [String] { trace.notes.map { "\($0.stage): \($0.text)" } }

    @Test func aForwardedFrame() throws {
        let packet = ipv4(protocol: 17, tos: 2, udp([1, 2, 3]))
        let bytes = ethernet(to: Sample.b, from: Sample.a, type: 0x0800, packet)
        let result = try trace(Arrival(endpoint: RuleTests.sample.web, bytes: bytes))
        #expect(
            text(result) == [
                "receive: 45 bytes in by red/web: 02:00:00:00:00:0a to 02:00:00:00:00:0b, "
                    + "UDP 10.0.0.1:40000 to 10.0.0.2:53",
                "classify: red/web: network red/app (VNI 5001)",
                "learn: 02:00:00:00:00:0a is to be learned here",
                "bridge: 02:00:00:00:00:0b is at VTEP 192.0.2.2, by the file",
                "verdict: forwarded to VTEP 192.0.2.2",
                "encapsulate: out by vxlan: VXLAN header with VNI 5001 to 192.0.2.2 port 4789",
            ]
        )
        #expect(result.outcomes.map(\.bytes) == [vxlan(5001, bytes)])
        #expect(result.outcomes.map(\.tos) == [2])
    }

    @Test func aDroppedFrameEndsWithItsReason() throws {
        let bytes = Row.plain(tags: [(0x8100, 0x2000 | 11)])
        let result = try trace(Arrival(endpoint: RuleTests.sample.trunk, bytes: bytes))
        #expect(
            text(result) == [
                "receive: 64 bytes in by red/trunk: 02:00:00:00:00:0a to 02:00:00:00:00:0b, VLAN 11, type 0x9999",
                "verdict: dropped (unknownVLAN): No network of this port has that VLAN id with that tag type.",
            ]
        )
        #expect(result.outcomes.isEmpty)
    }

    @Test func aTunnelledFrameOntoATrunk() throws {
        let bytes = ethernet(to: .broadcast, from: Sample.a, type: 0x86DD, ipv6(protocol: 58, tos: 2, [128, 0]))
        let arrival = Arrival(
            endpoint: RuleTests.sample.gre,
            bytes: gre(77, bytes),
            outerSource: Sample.h2,
            outerTOS: 3
        )
        let result = try trace(arrival)
        #expect(
            text(result) == [
                "receive: 64 bytes in by gre",
                "decapsulate: GRE, key 77, from 192.0.2.2",
                "classify: VTEP 192.0.2.2: network red/data (GRE key 77)",
                "content: 56 bytes: 02:00:00:00:00:0a to ff:ff:ff:ff:ff:ff, ICMPv6 2001:db8::1 to 2001:db8::2",
                "decapsulate: inner ECN 2 becomes 3 (RFC 6040)",
                "learn: 02:00:00:00:00:0a is to be learned here",
                "bridge: ff:ff:ff:ff:ff:ff is a group address: to everybody in the network",
                "verdict: flooded to red/data, red/trunk VLAN 10",
                "encapsulate: out by red/data: inner ECN 3",
                "encapsulate: out by red/trunk: VLAN 10 pushed, inner ECN 3",
            ]
        )
        #expect(result.outcomes.count == 2)
    }

    @Test func aPacketThatIsTooLargeIsAnswered() throws {
        let packet = ipv4(protocol: 17, fragment: 0x4000, udp(Array(repeating: 0, count: 1423)))
        let bytes = ethernet(to: Sample.b, from: Sample.a, type: 0x0800, packet)
        let result = try trace(Arrival(endpoint: RuleTests.sample.web, bytes: bytes))
        #expect(result.outcomes.isEmpty)
        #expect(
            text(result).suffix(4) == [
                "size: 1451 bytes, and 1450 fit: the sender is told",
                "verdict: dropped (exceedsMTU): The packet is larger than the network or the port it would leave by can "
                    + "carry.",
                "answer: ICMP fragmentation needed, MTU 1450, from 10.0.0.2",
                "encapsulate: out by red/web: from 02:00:00:00:00:0b to 02:00:00:00:00:0a",
            ]
        )
        // 14 bytes of Ethernet, and no more than 576 of IP.
        #expect(result.answer?.attachment == UInt32(RuleTests.sample.atWeb))
        #expect(result.answer?.bytes.count == 14 + 576)
    }

    @Test func aPacketThatMayBeCutSaysSo() throws {
        let packet = ipv4(protocol: 17, udp(Array(repeating: 0, count: 1423)))
        let bytes = ethernet(to: Sample.b, from: Sample.a, type: 0x0800, packet)
        let result = try trace(Arrival(endpoint: RuleTests.sample.web, bytes: bytes))
        #expect(result.outcomes.map(\.reason) == [nil])
        #expect(result.outcomes.map(\.bytes) == [vxlan(5001, bytes)])
        #expect(text(result).contains("size: 1451 bytes, and 1450 fit: may be cut, and is"))
        #expect(text(result).last?.contains("in fragments of at most 1450 bytes") == true)
    }

    @Test func aCopyThatIsTooLargeSaysSo() throws {
        let packet = ipv4(protocol: 17, udp(Array(repeating: 0, count: 1423)))
        let bytes = ethernet(to: .broadcast, from: Sample.a, type: 0x0800, packet)
        let result = try trace(Arrival(endpoint: RuleTests.sample.web, bytes: bytes))
        #expect(result.outcomes.map(\.reason) == [nil, nil, .exceedsMTU, .exceedsPathMTU, .exceedsMTU])
        #expect(result.outcomes[2].bytes.isEmpty)
        #expect(
            text(result).last
                == "encapsulate: packet of 1451 bytes not sent (exceedsMTU): The packet is larger than the network or the "
                + "port it would leave by can carry."
        )
    }
}

/// The outer source port: one per flow.
@Suite struct FlowHashTests {
    private func hash(_ bytes: [UInt8], seed: UInt64 = 1, generation: Int = 0) throws -> UInt32 {
        var builder = RuleTests.sample.cloud.compile()
        // Another snapshot of the same cloud.
        for i in 0..<generation { _ = builder.string("something new \(i)") }
        let tables = try LiveTables(builder, seed: seed)
        let memory = FrameMemory()
        return withExtendedLifetime((tables, memory)) {
            let frame = memory.place(Arrival(endpoint: RuleTests.sample.web, bytes: bytes))
            let decision = decide(frame, snapshot: tables.snapshot, taught: tables.state.taught, now: 0)
            #expect(decision.verdict == .flood)
            #expect(
                encapsulate(
                    frame,
                    decision,
                    to: UInt32(RuleTests.sample.atH2),
                    snapshot: tables.snapshot,
                    taught: tables.state.taught,
                    now: 0,
                    slot: memory.slot
                ) == 0
            )
            #expect(memory.slot.pointee.flowHash == decision.flowHash)
            return decision.flowHash
        }
    }

    private func flow(_ port: Int, _ payload: [UInt8] = [], tags: [(Int, Int)] = []) -> [UInt8] {
        let packet = ipv4(protocol: 17, udp(payload, ports: (port, 53)))
        return ethernet(to: Sample.b, from: Sample.a, tags: tags, type: 0x0800, packet)
    }

    @Test func isStablePerFlowAndSpreadsFlows() throws {
        let first = try hash(flow(1000))
        #expect(try hash(flow(1000, [1, 2, 3])) == first)
        #expect(try hash(flow(1000, tags: [(0x8100, 0x4000)])) == first)
        #expect(try hash(flow(1000), generation: 3) == first)
        #expect(try hash(flow(1000), seed: 2) != first)
        var seen: Set<UInt32> = []
        for port in 0..<200 { seen.insert(try hash(flow(port))) }
        #expect(seen.count > 195)
    }
}
