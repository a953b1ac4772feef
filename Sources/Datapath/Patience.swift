/// Whether a worker waits awake: looks for frames again and again before it sleeps. To wake a processor that has nothing
/// to do takes tens of microseconds in a virtual machine; where each question follows the last one's answer, every one of
/// them would pay that.
///
/// It stays awake only after several waits in a row that were short, and no longer than such a wait may be: without traffic
/// nothing is spent. Nor where much comes at a time, since there nobody waits for the first of it. Between two looks it
/// yields; when others then kept the processor for long, it sleeps like they would.
struct Patience {
    /// Nanoseconds: what a wait may take to be short.
    static let limit: UInt64 = 100_000
    /// Whoever comes back from yielding after so many nanoseconds met somebody with work of his own. The ends of a
    /// conversation are done sooner.
    static let disturbance: UInt64 = 500_000
    /// What a burst of a conversation may bring: frames, and each 2048 bytes like one more.
    static let little = 16
    /// Short waits before it stays awake, and before it tries again when it was disturbed.
    static let few = 4
    static let many = 256

    private var missing = Patience.few

    /// Whether to look again rather than to sleep.
    @inline(__always)
    var pays: Bool { missing == 0 }

    /// A wait, asleep or awake, took so many nanoseconds; or goes on after so many.
    @inline(__always)
    mutating func note(waited: UInt64) {
        if waited > Patience.limit {
            missing = max(missing, Patience.few)
        } else if missing > 0 {
            missing &-= 1
        }
    }

    /// A burst brought so much.
    @inline(__always)
    mutating func note(frames: Int, bytes: Int) {
        if frames &+ bytes / 2048 > Patience.little { missing = max(missing, Patience.few) }
    }

    /// Yielding took so many nanoseconds.
    @inline(__always)
    mutating func note(yielded: UInt64) {
        if yielded > Patience.disturbance { missing = Patience.many }
    }
}
