import Forwarding
import Testing

/// Random frames over random clouds, against the reference model. `SLUICE_PROPERTY_FRAMES` says how many,
/// `SLUICE_PROPERTY_SEED` repeats a run, `SLUICE_PROPERTY_EXPLAIN` says that every n-th frame is also traced.
@Suite struct PropertyTests {
    static let framesPerCloud = 1000

    @Test func agreesWithTheReferenceModel() throws {
        let frames = Int(environmentNumber("SLUICE_PROPERTY_FRAMES") ?? 40_000)
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
        #expect(tally.routed > frames / 40)
        #expect(tally.copies > frames / 10)
        guard frames >= 40_000 else { return }
        #expect(tally.missing.isEmpty)
    }
}
