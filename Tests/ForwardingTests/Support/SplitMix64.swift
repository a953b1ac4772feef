import Glibc

/// Sebastiano Vigna's SplitMix64: small, and the same on every machine, so that a seed is enough to repeat a run.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// 0 ..< `limit`.
    mutating func below(_ limit: Int) -> Int {
        Int(truncatingIfNeeded: ((next() >> 32) &* UInt64(limit)) >> 32)
    }

    mutating func chance(_ part: Int, of whole: Int) -> Bool { below(whole) < part }

    mutating func pick<T>(_ values: [T]) -> T { values[below(values.count)] }
}

/// A whole number from the environment.
func environmentNumber(_ name: String) -> UInt64? {
    getenv(name).flatMap { UInt64(String(cString: $0)) }
}
