import CLinux
import Glibc
import Tables

/// How often a router answers: a token bucket for each network and kind of answer, so that neither a flood in one
/// network nor a flood of one kind takes the others' answers (RFC 1812 §4.3.2.8, RFC 4443 §2.4(f)). Each worker has rates of
/// its own.
struct Rates: ~Copyable {
    enum Kind: Int, CaseIterable {
        /// ICMP errors.
        case error
        case echo
        /// ARP replies and neighbour advertisements.
        case address
        /// ARP requests and neighbour solicitations.
        case question
        /// What the other workers are told: stations, and who has an address. What is too much for a network of its own
        /// takes no room from the others.
        case station, neighbor

        /// Tokens a second, and the most that can be saved.
        var limits: (rate: UInt32, burst: UInt32) {
            switch self {
            case .error: (1000, 100)
            case .echo: (10_000, 1000)
            case .address: (2000, 200)
            case .question: (500, 100)
            case .station: (20_000, 4000)
            case .neighbor: (2000, 500)
            }
        }
    }

    private struct Bucket {
        /// Thousandths of a token.
        var tokens: UInt32
        /// Milliseconds at the last look.
        var seen: UInt32
    }

    private let buckets: UnsafeMutablePointer<Bucket>
    private let segments: Int
    private let size: Int

    /// Pages that nobody uses cost nothing.
    init(segments: Int) {
        self.segments = segments
        size = segments * Kind.allCases.count * MemoryLayout<Bucket>.stride
        let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | Int32(MAP_ANONYMOUS), -1, 0)
        guard let memory, memory != MAP_FAILED else { preconditionFailure("the system refuses memory for the rates") }
        buckets = memory.assumingMemoryBound(to: Bucket.self)
    }

    deinit { munmap(buckets, size) }

    /// Whether one more of a kind may be sent in a segment at `now` (milliseconds), and if so counts it.
    func allow(_ kind: Kind, segment: UInt32, now: UInt32) -> Bool {
        guard segment < UInt32(truncatingIfNeeded: segments) else { return false }
        let limits = kind.limits
        let bucket = buckets + (kind.rawValue * segments + Int(segment))
        let passed = min(now &- bucket.pointee.seen, 60_000)
        // A bucket that was never looked at is full.
        let saved = bucket.pointee.seen == 0 ? limits.burst * 1000 : bucket.pointee.tokens + passed * limits.rate
        bucket.pointee.tokens = min(saved, limits.burst * 1000)
        bucket.pointee.seen = max(now, 1)
        guard bucket.pointee.tokens >= 1000 else { return false }
        bucket.pointee.tokens -= 1000
        return true
    }
}
