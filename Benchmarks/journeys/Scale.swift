import Glibc
import Ports
import Rings
import Tables
import Wire

/// What size costs: the datapath's own code for a frame that comes in by VXLAN from a learned MAC and leaves by a trunk
/// port, among many networks and addresses in random order, and with one of each.
final class Scale {
    private let bench: Bench
    private let tunnel: Int
    /// Packets that are injected one after the other, round and round; one after the other in memory.
    private let packets: UnsafeMutableRawBufferPointer
    private let packetLength = 8 + 60
    private let count: Int
    private var next = 0

    static let trunk = 4000
    static let peer = Journeys.peer
    static let mac: UInt64 = 0x0200_0000_0001

    /// - Parameters:
    ///   - segments: networks, each on one VLAN of a trunk port and with a VTEP elsewhere.
    ///   - macs: learned addresses, the same number in each network.
    init(segments: Int, macs: Int) throws {
        let trunks = (segments + Scale.trunk - 1) / Scale.trunk
        var lines = ["sluice: 1", "hosts: {h1: {vtep: 192.0.2.1}}", "tenants:", "  red:", "    networks:"]
        for i in 0..<segments {
            lines.append("      n\(i): {segment: {type: vxlan, id: \(i + 1)}, remotes: [192.0.2.2]}")
        }
        lines.append("    ports:")
        for t in 0..<trunks {
            let members = t * Scale.trunk..<min(segments, (t + 1) * Scale.trunk)
            let vlans = members.map { "\($0 % Scale.trunk + 1): n\($0)" }
            lines.append(
                "      t\(t): {host: h1, mac: \"02:00:00:00:00:01\", trunk: {\(vlans.joined(separator: ", "))}, "
                    + "attach: {tap: t\(t)}}"
            )
        }
        bench = try Bench(lines.joined(separator: "\n") + "\n", capacity: .standard, ringBytes: 1 << 13)
        tunnel = bench.port("vxlan 192.0.2.1:4789")
        count = max(macs, segments)
        packets = .allocate(byteCount: count * packetLength, alignment: 64)
        // A permutation, so that every address is met and none soon again.
        var order = (0..<count).map { UInt32($0) }
        var chance = SystemIndependentRandom(state: 1)
        order.shuffle(using: &chance)
        for (place, number) in order.enumerated() {
            let segment = Int(number) % segments
            let source = 0x0200_0100_0000 + UInt64(number) / UInt64(segments)
            let packet = vxlan(UInt32(segment + 1), frame(to: Scale.mac, from: source))
            packets.baseAddress!.advanced(by: place * packetLength).copyMemory(from: packet, byteCount: packetLength)
        }
        // Everything is learned before anything is measured.
        for _ in 0..<(count + 31) / 32 { burst() }
        bench.age()
    }

    /// Nanoseconds for each of about `frames` frames, of the worker's turn alone.
    func cost(frames: Int) -> Double {
        var spent: UInt64 = 0
        let bursts = max(1, frames / 32)
        for _ in 0..<bursts { spent += burst() }
        return Double(spent) / Double(bursts * 32)
    }

    /// Learned addresses.
    var learned: Int { bench.learned }

    @discardableResult
    private func burst() -> UInt64 {
        for _ in 0..<32 {
            let start = packets.baseAddress!.advanced(by: next * packetLength)
            let bytes = UnsafeRawBufferPointer(start: start, count: packetLength)
            precondition(bench.inject(bytes, at: tunnel, from: Scale.peer), "the ring is full")
            next = next + 1 == count ? 0 : next + 1
        }
        let start = now()
        bench.turn(tunnel)
        let spent = now() - start
        bench.discardAll()
        return spent
    }

    /// Of this thread: another program on this core does not count.
    private func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Prints a line for each round: nanoseconds per frame with one network and one address, and with many.
    static func run(segments: Int, macs: Int, rounds: Int) throws {
        let small = try Scale(segments: 1, macs: 1)
        let large = try Scale(segments: segments, macs: macs)
        precondition(large.learned >= macs * 98 / 100, "only \(large.learned) addresses were learned")
        let frames = max(32_000, min(macs, 500_000))
        for _ in 0..<rounds { print(small.cost(frames: frames), large.cost(frames: frames)) }
    }
}

/// SplitMix64: the same order everywhere.
struct SystemIndependentRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
