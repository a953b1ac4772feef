import Glibc
import Wire

/// A repeatable source of randomness; tests print the seed when they fail.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }

    mutating func word() -> UInt16 { UInt16(truncatingIfNeeded: next()) }

    mutating func below(_ limit: Int) -> Int { Int(next() >> 1) % limit }

    mutating func chance(_ oneIn: Int) -> Bool { below(oneIn) == 0 }

    mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        bytes.withUnsafeMutableBytes { buffer in
            var at = 0
            while at < count {
                let word = next()
                for i in 0..<min(8, count - at) { buffer[at + i] = UInt8(truncatingIfNeeded: word >> UInt64(8 * i)) }
                at += 8
            }
        }
        return bytes
    }

    mutating func pick<T>(_ choices: [T]) -> T { choices[below(choices.count)] }
}

/// Memory that ends where the next page begins, and that page may not be touched: a parser that reads one byte too many
/// dies at once.
final class GuardedBytes {
    private let base: UnsafeMutableRawPointer
    private let size: Int
    private let page = 4096

    init(capacity: Int) {
        size = (capacity + 4095) / 4096 * 4096
        base = mmap(nil, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        precondition(base != MAP_FAILED && mprotect(base + size, page, PROT_NONE) == 0)
    }

    deinit { munmap(base, size + page) }

    /// Copies `bytes` to the end of the memory and gives their first one.
    func place(_ bytes: some Collection<UInt8>) -> UnsafeMutableRawPointer {
        let start = base + (size - bytes.count)
        UnsafeMutableRawBufferPointer(start: start, count: bytes.count).copyBytes(from: bytes)
        return start
    }
}

/// The checksum as RFC 1071 writes it: 16 bits at a time, the carry put back at once.
func slowSum(_ bytes: [UInt8], _ initial: UInt16 = 0) -> UInt16 {
    var sum = UInt32(initial)
    bytes.withUnsafeBytes { buffer in
        var i = 0
        while i < buffer.count {
            sum += UInt32(buffer[i]) << 8 | (i + 1 < buffer.count ? UInt32(buffer[i + 1]) : 0)
            sum = sum & 0xFFFF + sum >> 16
            i += 2
        }
    }
    return UInt16(sum)
}

func be(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }

func be(_ value: UInt32) -> [UInt8] { be(UInt16(value >> 16)) + be(UInt16(value & 0xFFFF)) }
