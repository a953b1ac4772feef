import Testing
import Wire

@testable import Tables

private typealias State = NeighborTable.State

/// The slow twin: a dictionary and a clock that does not wrap.
private struct Twin {
    struct Known {
        var state = State.incomplete
        var mac = 0
        var confirmed = 0
        var asked = 0
        var questions = 0
    }

    var known: [UInt64: Known] = [:]
    var now = 0

    static func key(_ segment: UInt32, _ n: Int) -> UInt64 { UInt64(segment) << 32 | UInt64(n) }

    func isOver(_ entry: Known) -> Bool {
        switch entry.state {
        case State.incomplete: now - entry.asked >= 8
        case State.reachable: now - entry.confirmed >= 600
        default: now - entry.asked >= 3
        }
    }

    func find(_ segment: UInt32, _ n: Int) -> Known? {
        known[Twin.key(segment, n)].flatMap { isOver($0) ? nil : $0 }
    }

    func unanswered(_ segment: UInt32) -> Int {
        known.filter { $0.key >> 32 == UInt64(segment) && $0.value.state == State.incomplete }.count
    }

    func held(_ segment: UInt32) -> Int { known.filter { $0.key >> 32 == UInt64(segment) }.count }

    mutating func ask(_ segment: UInt32, _ n: Int) -> Bool {
        let key = Twin.key(segment, n)
        if let entry = known[key], isOver(entry) { known[key] = nil }
        guard var entry = known[key] else {
            guard unanswered(segment) < 64 else { return false }
            known[key] = Known(confirmed: now, asked: now, questions: 1)
            return true
        }
        guard entry.state != State.failed, entry.asked != now else { return false }
        if entry.questions == 3 {
            guard now - entry.asked >= 8 else { return false }
            entry.questions = 0
        }
        entry.asked = now
        entry.questions += 1
        known[key] = entry
        return true
    }

    mutating func confirm(_ segment: UInt32, _ n: Int, mac: Int, creates: Bool) -> Bool {
        let key = Twin.key(segment, n)
        if let entry = known[key], isOver(entry) { known[key] = nil }
        guard var entry = known[key] else {
            if creates { known[key] = Known(state: State.reachable, mac: mac, confirmed: now, asked: now - 1) }
            return false
        }
        let waited = entry.state == State.incomplete
        entry.state = State.reachable
        entry.mac = mac
        entry.confirmed = now
        entry.questions = 0
        known[key] = entry
        return waited
    }

    mutating func review(_ segment: UInt32, _ n: Int) -> Int {
        let key = Twin.key(segment, n)
        guard var entry = known[key], !isOver(entry) else { return 2 }
        guard entry.state != State.failed, entry.questions > 0, entry.asked != now else { return 0 }
        defer { known[key] = entry }
        entry.asked = now
        if entry.questions < 3 {
            entry.questions += 1
            return 1
        }
        entry.state = State.failed
        return 2
    }
}

@Suite("Neighbours: slow twin") struct NeighborTwinTests {
    @Test("agrees with a dictionary over anything that can happen", arguments: 1...9 as ClosedRange<UInt64>)
    func slowTwin(seed: UInt64) throws {
        var random = Random(state: seed)
        // Much larger than what is put in: nothing has to give way.
        var bench = try NeighborBench(segments: 3, buckets: 4096)
        var twin = Twin()
        twin.now = [1000, 0xFFFF_FF00, 0x7FFF_FF80][Int(seed % 3)]
        bench.now = UInt32(truncatingIfNeeded: twin.now)
        // An outlived entry may be overwritten before it is swept, which only the counts show: with them, each second is
        // swept; without, fewer addresses are asked for than the limit is.
        let sweeps = seed % 2 == 1
        // How often time passes: scans in one second, or long lives.
        let haste = UInt8(seed % 4) * 6 + 1
        for step in 0..<12_000 {
            let segment = UInt32.random(in: 0..<3, using: &random)
            let n = Int.random(in: 0..<(segment > 0 ? 8 : sweeps ? 300 : 60), using: &random)
            let mac = Int.random(in: 1...3, using: &random)
            var agrees = true
            switch UInt8.random(in: 0..<100, using: &random) {
            case 0..<35: agrees = bench.ask(segment, n) == twin.ask(segment, n)
            case 35..<45:
                let waited = twin.confirm(segment, n, mac: mac, creates: false)
                agrees = bench.answer(segment, n, mac: mac) == waited
            case 45..<50:
                let waited = twin.confirm(segment, n, mac: mac, creates: true)
                agrees = bench.answer(segment, n, mac: mac, creates: true) == waited
            case 50..<74: agrees = bench.review(segment, n) == twin.review(segment, n)
            case 74..<(74 + haste): twin.now += Int.random(in: 0...2, using: &random)
            case 97:
                bench.sweep()
                twin.known = twin.known.filter { !twin.isOver($0.value) }
            case 98: twin.now += Int.random(in: 0...150, using: &random)
            case 99 where random.next() & 15 == 0:
                bench.table.flush(segment: segment, snapshot: bench.snapshot)
                twin.known = twin.known.filter { $0.key >> 32 != UInt64(segment) }
            default: break
            }
            if bench.now != UInt32(truncatingIfNeeded: twin.now) {
                bench.now = UInt32(truncatingIfNeeded: twin.now)
                if sweeps {
                    bench.sweep()
                    twin.known = twin.known.filter { !twin.isOver($0.value) }
                }
            }
            let entry = bench.find(segment, n)
            let expected = twin.find(segment, n)
            agrees =
                agrees && entry.state == expected?.state ?? State.none
                && Int(entry.questions) == expected?.questions ?? 0
                && (entry.state != State.reachable || entry.mac == NeighborBench.mac(expected?.mac ?? 0).bits)
            if sweeps {
                agrees =
                    agrees && Int(bench.table.held(segment, bench.snapshot)) == twin.held(segment)
                    && Int(bench.table.unanswered(segment, bench.snapshot)) == twin.unanswered(segment)
            }
            guard agrees else {
                Issue.record("seed \(seed), step \(step): \(entry) is not \(String(describing: expected))")
                return
            }
        }
        #expect(bench.countsAgree())
    }
}
