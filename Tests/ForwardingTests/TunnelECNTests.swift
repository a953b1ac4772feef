import Forwarding
import Rings
import Testing
import Wire

/// RFC 6040 §4.2, all sixteen cells, through VXLAN and GRE, with IPv4 and IPv6 inside.
@Suite struct TunnelECNTests {
    enum Tunnel: CaseIterable { case vxlan, gre }

    struct Cell: Sendable {
        var inner: Int
        var outer: Int
        /// nil: dropped.
        var result: Int?
        var alarm: Event?
    }

    /// Bits: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE.
    static let cells = [
        Cell(inner: 0, outer: 0, result: 0), Cell(inner: 0, outer: 2, result: 0, alarm: .ecnAlarm),
        Cell(inner: 0, outer: 1, result: 0, alarm: .ecnAlarm), Cell(inner: 0, outer: 3, alarm: .ecnAlarm),
        Cell(inner: 2, outer: 0, result: 2), Cell(inner: 2, outer: 2, result: 2),
        Cell(inner: 2, outer: 1, result: 1), Cell(inner: 2, outer: 3, result: 3),
        Cell(inner: 1, outer: 0, result: 1), Cell(inner: 1, outer: 2, result: 1, alarm: .ecnNotice),
        Cell(inner: 1, outer: 1, result: 1), Cell(inner: 1, outer: 3, result: 3),
        Cell(inner: 3, outer: 0, result: 3), Cell(inner: 3, outer: 2, result: 3),
        Cell(inner: 3, outer: 1, result: 3, alarm: .ecnAlarm), Cell(inner: 3, outer: 3, result: 3),
    ]

    @Test(arguments: cells, Tunnel.allCases)
    func decapsulation(_ cell: Cell, _ tunnel: Tunnel) throws {
        let sample = RuleTests.sample
        let tables = try LiveTables(sample.cloud.compile(), seed: 1)
        let memory = FrameMemory()
        for isIPv6 in [false, true] {
            for tags in [[], [(0x8100, 0x2000)]] {
                func content(_ ecn: Int, tags: [(Int, Int)] = []) -> [UInt8] {
                    // The DSCP must stay what it is.
                    let tos = 0xB8 | ecn
                    let packet = isIPv6 ? ipv6(protocol: 59, tos: tos, []) : ipv4(protocol: 1, tos: tos, options: 1, [])
                    let type = isIPv6 ? 0x86DD : 0x0800
                    return ethernet(to: .broadcast, from: Sample.a, tags: tags, type: type, packet)
                }
                let inner = content(cell.inner, tags: tags)
                let arrival = Arrival(
                    endpoint: tunnel == .vxlan ? sample.vxlan : sample.gre,
                    bytes: tunnel == .vxlan ? vxlan(5001, inner) : gre(77, inner),
                    outerSource: Sample.h2,
                    outerTOS: UInt8(0x10 | cell.outer)
                )
                withExtendedLifetime((tables, memory)) {
                    let frame = memory.place(arrival)
                    let decision = decide(frame, snapshot: tables.snapshot, taught: tables.state.taught, now: 0)
                    #expect(decision.events == cell.alarm?.bit ?? 0)
                    guard let result = cell.result else {
                        #expect(decision.reason == DropReason.ecnInvalid.rawValue)
                        #expect(!decision.learns)
                        return
                    }
                    applyChanges(frame, decision)
                    // What a tunnel behind this one would be told (RFC 6040 §4.1).
                    #expect(decision.tos == UInt8(0xB8 | result))
                    let targets = decision.targets(tables.snapshot)
                    #expect(!targets.isEmpty)
                    for target in targets {
                        let copy = memory.copy(frame, decision, to: target, tables, now: 0)
                        let tag = sample.cloud.attachments[Int(target)]!
                        // The whole frame, with the IPv4 header checksum of a frame built that way.
                        #expect(
                            copy.bytes == content(result, tags: tag.tpid == 0 ? [] : [(0x8100, tagged(tag, tags))])
                        )
                    }
                }
            }
        }
    }

    private func tagged(_ attachment: Cloud.Attachment, _ tags: [(Int, Int)]) -> Int {
        attachment.vid | (tags.isEmpty ? 0 : 0x2000)
    }

    /// Without congestion marks outside nothing is written.
    @Test func anUnchangedFrameIsNotTouched() throws {
        let sample = RuleTests.sample
        let tables = try LiveTables(sample.cloud.compile(), seed: 1)
        let memory = FrameMemory()
        // A wrong header checksum stays as wrong as it was.
        var packet = ipv4(protocol: 1, tos: 2, [1, 2])
        packet[10] ^= 0x55
        let bytes = vxlan(5001, ethernet(to: .broadcast, from: Sample.a, type: 0x0800, packet))
        withExtendedLifetime((tables, memory)) {
            let frame = memory.place(
                Arrival(endpoint: sample.vxlan, bytes: bytes, outerSource: Sample.h2, outerTOS: 2)
            )
            let decision = decide(frame, snapshot: tables.snapshot, taught: tables.state.taught, now: 0)
            applyChanges(frame, decision)
            #expect(decision.ecn == Decision.keepECN)
            #expect(Array(UnsafeRawBufferPointer(start: frame.bytes, count: frame.length)) == bytes)
        }
    }
}
