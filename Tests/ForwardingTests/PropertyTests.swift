import Forwarding
import Glibc
import Rings
import Tables
import Testing
import Wire

/// Random frames over random clouds, against the reference model. `SLUICE_PROPERTY_FRAMES` says how many,
/// `SLUICE_PROPERTY_SEED` repeats a run, `SLUICE_PROPERTY_EXPLAIN` says that every n-th frame is also traced.
@Suite struct PropertyTests {
    static let framesPerCloud = 1000

    @Test func agreesWithTheReferenceModel() throws {
        let frames = Int(environmentNumber("SLUICE_PROPERTY_FRAMES") ?? 20_000)
        let seed = environmentNumber("SLUICE_PROPERTY_SEED") ?? UInt64.random(in: .min ... .max)
        let explainEvery = Int(max(environmentNumber("SLUICE_PROPERTY_EXPLAIN") ?? 16, 1))
        print("SLUICE_PROPERTY_SEED=\(seed) SLUICE_PROPERTY_FRAMES=\(frames)")
        var seeds = SplitMix64(seed: seed)
        let memory = FrameMemory()
        var tally = Tally()
        var done = 0
        while done < frames {
            var run = try Run(seed: seeds.next(), memory)
            for _ in 0..<min(PropertyTests.framesPerCloud, frames - done) {
                // The tables hold memory that a snapshot only points at.
                let problem = withExtendedLifetime(run.tables) {
                    run.step(explain: done % explainEvery == 0, &tally)
                }
                done += 1
                if let problem {
                    Issue.record("seed \(seed), frame \(done): \(problem)")
                    return
                }
            }
        }
        print("\(done) frames: \(tally.summary)")
        // The run means something only if many frames got through, by every way.
        #expect(tally.forwarded > frames / 20)
        #expect(tally.flooded > frames / 20)
        #expect(tally.copies > frames / 10)
    }
}

/// What a run was made of.
struct Tally {
    var forwarded = 0
    var flooded = 0
    var copies = 0
    var events = [Int](repeating: 0, count: 64)
    var reasons = [Int](repeating: 0, count: StateRegion.reasons)

    var summary: String {
        let drops = DropReason.allCases.filter { reasons[Int($0.rawValue)] > 0 }
            .map { "\($0.name) \(reasons[Int($0.rawValue)])" }
        let events = Event.allCases.filter { self.events[Int($0.rawValue)] > 0 }
            .map { "\($0.name) \(self.events[Int($0.rawValue)])" }
        return "\(forwarded) forwarded, \(flooded) flooded, \(copies) copies; "
            + (drops + events).joined(separator: ", ")
    }
}

/// One cloud under fire.
private struct Run {
    let cloud: Cloud
    let tables: LiveTables
    let memory: FrameMemory
    var reference: Reference
    var source: FrameSource
    var now: UInt32 = 1000

    init(seed: UInt64, _ memory: FrameMemory) throws {
        var random = SplitMix64(seed: seed)
        cloud = Cloud.random(&random)
        tables = try LiveTables(cloud.compile(), seed: random.next())
        reference = Reference(cloud)
        source = FrameSource(cloud, seed: random.next())
        self.memory = memory
    }

    /// One frame through both; what they disagree about, if anything.
    mutating func step(explain isExplained: Bool, _ tally: inout Tally) -> String? {
        if source.random.chance(1, of: 100) { now += UInt32(source.random.below(20)) }
        let arrival = source.next()
        let snapshot = tables.snapshot
        let taught = tables.state.taught
        let expected = reference.judge(arrival, now: now)
        let frame = memory.place(arrival)
        let decision = decide(frame, snapshot: snapshot, taught: taught, now: now)
        if let problem = expected.difference(from: decision) { return describe(arrival, problem) }
        if !bytesEqual(frame, arrival.bytes) { return describe(arrival, "decide changed the frame") }

        var copies: [Copy] = []
        if decision.verdict != .drop {
            applyChanges(frame, decision)
            if decision.verdict == .forward {
                copies.append(memory.copy(frame, decision, to: decision.attachment, tables, now: now))
            } else {
                for target in FloodTargets(decision, snapshot) {
                    copies.append(memory.copy(frame, decision, to: target, tables, now: now))
                }
            }
        }
        if copies != expected.copies {
            return describe(arrival, "copies \(copies)\nexpected \(expected.copies)")
        }
        if let problem = escape(copies, decision) { return describe(arrival, problem) }
        if isExplained {
            let again = memory.place(arrival)
            let trace = Forwarding.explain(again, snapshot: snapshot, taught: taught, now: now)
            if let problem = compare(trace, decision, copies) { return describe(arrival, problem) }
            if !bytesEqual(again, arrival.bytes) { return describe(arrival, "explain changed the frame") }
        }
        if decision.learns {
            let lesson = taught.macs.learn(
                mac: decision.source,
                attachment: decision.ingress,
                now: now,
                snapshot: snapshot
            )
            if lesson == .evictedAnother || lesson == .limitReached {
                return "the learned table is too small: \(lesson)"
            }
            reference.learn(expected, now: now)
        }
        count(decision, copies, &tally)
        return nil
    }

    /// Isolation, from the bytes that leave: whoever reads them on the far side finds the network they came from.
    private func escape(_ copies: [Copy], _ decision: Decision) -> String? {
        guard !copies.isEmpty else { return nil }
        let network = Int(decision.segment)
        for copy in copies {
            guard let target = cloud.attachments[copy.attachment], target.network == network else {
                return "a copy leaves the network by attachment \(copy.attachment)"
            }
            if case .port(let tenant) = cloud.endpoints[target.endpoint].place, tenant != cloud.networks[network].tenant
            {
                return "a copy reaches a port of tenant \(tenant)"
            }
            guard copy.reason == nil else { continue }
            if reference.network(of: copy.bytes, at: target.endpoint) != network {
                return "a copy is read as another network's at endpoint \(target.endpoint): \(copy.bytes.prefix(32))"
            }
        }
        return nil
    }

    private func compare(_ trace: Trace, _ decision: Decision, _ copies: [Copy]) -> String? {
        if trace.decision != decision { return "trace decides otherwise: \(trace.decision) and \(decision)" }
        let outcomes = trace.outcomes.map {
            Copy(
                attachment: Int($0.attachment),
                reason: $0.reason,
                bytes: $0.bytes,
                offload: $0.offload,
                destination: $0.destination,
                destinationPort: $0.destinationPort,
                tos: $0.tos
            )
        }
        return outcomes == copies ? nil : "trace sends otherwise"
    }

    private func bytesEqual(_ frame: Frame, _ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { bytes.isEmpty || memcmp($0.baseAddress!, frame.bytes, frame.length) == 0 }
    }

    private func count(_ decision: Decision, _ copies: [Copy], _ tally: inout Tally) {
        tally.reasons[Int(decision.reason)] += 1
        for event in Event.allCases where decision.events & event.bit != 0 { tally.events[Int(event.rawValue)] += 1 }
        if decision.verdict == .forward { tally.forwarded += 1 }
        if decision.verdict == .flood { tally.flooded += 1 }
        for copy in copies {
            if let reason = copy.reason { tally.reasons[Int(reason.rawValue)] += 1 } else { tally.copies += 1 }
        }
    }

    private func describe(_ arrival: Arrival, _ problem: String) -> String {
        let place = cloud.endpoints.indices.contains(arrival.endpoint) ? "\(cloud.endpoints[arrival.endpoint])" : "none"
        let hex = arrival.bytes.prefix(160).map { String($0, radix: 16) }.joined(separator: " ")
        return "\(problem)\n\(place), offload \(arrival.offload), outer \(arrival.outerTOS & 3), "
            + "\(arrival.bytes.count) bytes: \(hex)"
    }
}
