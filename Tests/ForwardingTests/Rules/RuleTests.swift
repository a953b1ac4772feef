import Forwarding
import Rings
import Tables
import Testing
import Wire

/// The rules, one row each, from the frame that comes in to the frames that go out.
@Suite struct RuleTests {
    static let sample = Sample()
    static let rows =
        Row.portRows(sample) + Row.bridgeRows(sample) + Row.tunnelRows(sample) + Row.encapsulationRows(sample)
        + Row.offloadRows(sample)

    @Test(arguments: rows)
    func row(_ row: Row) throws {
        var cloud = RuleTests.sample.cloud
        for home in row.told { cloud.tell(home.network, home.mac, at: home.attachment) }
        let tables = try LiveTables(cloud.compile(), seed: 1)
        var reference = Reference(cloud)
        for station in row.seen {
            let attachment = UInt32(station.attachment)
            _ = tables.state.macs.learn(
                mac: station.mac,
                attachment: attachment,
                now: 1000,
                snapshot: tables.snapshot
            )
            let network = cloud.attachments[station.attachment]!.network
            reference.learned[Reference.Station(network: network, mac: station.mac.bits)] = (station.attachment, 1000)
        }
        let now = 1000 + row.later
        let memory = FrameMemory()
        withExtendedLifetime((tables, memory)) {
            let frame = memory.place(row.arrival)
            let decision = decide(frame, snapshot: tables.snapshot, taught: tables.state.taught, now: now)
            applyChanges(frame, decision)
            let copies = decision.targets(tables.snapshot).map {
                memory.copy(frame, decision, to: $0, tables, now: now)
            }
            check(decision, copies, row)
            if let learns = row.learns { #expect(decision.learns == learns) }
            // Where the tables themselves are wrong, the model would believe them.
            if decision.reason != DropReason.crossesNetworks.rawValue {
                let judgement = reference.judge(row.arrival, now: now)
                #expect(judgement.difference(from: decision) == nil)
                #expect(judgement.copies == copies)
            }
        }
    }

    private func check(_ decision: Decision, _ copies: [Copy], _ row: Row) {
        let reason = DropReason(rawValue: decision.reason)
        switch row.expected {
        case .drop(let expected):
            #expect(decision.verdict == .drop)
            #expect(reason == expected)
        case .refuse(let expected, let said):
            #expect(decision.verdict == .drop)
            #expect(reason == expected)
            #expect(Said(decision) == said)
        case .forward(let copy):
            #expect(decision.verdict == .forward)
            #expect(reason == nil)
            #expect(copies == [copy])
            #expect(decision.fragmentMTU == 0)
        case .cut(let copy, let mtu):
            #expect(decision.verdict == .forward)
            #expect(copies == [copy])
            #expect(decision.fragmentMTU == mtu)
        case .flood(let expected):
            #expect(decision.verdict == .flood)
            #expect(reason == nil)
            #expect(copies == expected)
        }
    }

    /// A flood list that names another network's port is a fault of the compiler; the frame still stays at home.
    @Test func aWrongFloodListCrossesNothing() throws {
        let sample = RuleTests.sample
        var builder = sample.cloud.compile()
        let list = [sample.atBlueWeb, sample.atWeb, sample.atDB, sample.atBlueH2]
        builder.setFlood(segment: UInt32(sample.app), to: list.map(UInt32.init))
        let tables = try LiveTables(builder, seed: 1)
        let memory = FrameMemory()
        withExtendedLifetime((tables, memory)) {
            let frame = memory.place(Arrival(endpoint: sample.web, bytes: Row.plain(to: .broadcast)))
            let decision = decide(frame, snapshot: tables.snapshot, taught: tables.state.taught, now: 0)
            #expect(decision.targets(tables.snapshot) == [UInt32(sample.atDB)])
        }
    }

    /// Every reason that `decide` or `encapsulate` can give is given by some row.
    @Test func everyReasonHasARow() {
        var seen: Set<DropReason> = []
        for row in RuleTests.rows {
            switch row.expected {
            case .drop(let reason), .refuse(let reason, _): seen.insert(reason)
            case .forward(let copy), .cut(let copy, _): if let reason = copy.reason { seen.insert(reason) }
            case .flood(let copies): for copy in copies { if let reason = copy.reason { seen.insert(reason) } }
            }
        }
        let datapath: Set<DropReason> = [.queueFull, .unreachable, .deviceDown, .refusedBySystem, .noTransmitSlot]
        // Those of routers are the property test's.
        let routers = DropReason.allCases.filter {
            (DropReason.ka9qIPIP.rawValue...DropReason.nestedTunnel.rawValue).contains($0.rawValue)
                || (DropReason.notDesignated.rawValue...DropReason.tunnelLoop.rawValue).contains($0.rawValue)
        }
        // Those of uplinks are the uplink tests'.
        seen.formUnion([.outerFragment, .outerChecksum])
        #expect(Set(DropReason.allCases).subtracting(datapath).subtracting(routers).subtracting(seen).isEmpty)
    }

    @Test func reasonsAndEventsFitTheirCountersAndSpeak() {
        #expect(DropReason.allCases.allSatisfy { $0.rawValue > 0 && Int($0.rawValue) < StateRegion.reasons })
        #expect(Event.allCases.allSatisfy { $0.rawValue > 0 && Int($0.rawValue) < StateRegion.reasons })
        #expect(Set(DropReason.allCases.map(\.name)).count == DropReason.allCases.count)
        for sentence in DropReason.allCases.map(\.sentence) + Event.allCases.map(\.sentence) {
            #expect(
                sentence.hasSuffix(".") && sentence.count > 20 && sentence.first!.isUppercase
                    || sentence.first!.isNumber
            )
        }
        #expect(DropReason.queueFull.name == "queueFull" && DropReason.queueFull.isEgress)
        #expect(!DropReason.crossesNetworks.isEgress)
    }
}
