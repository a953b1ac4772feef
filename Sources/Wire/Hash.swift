/// A keyed 64-bit mix. What tables hash (MACs, addresses) is chosen by tenants, so every table takes a secret seed.
public enum KeyedHash {
    /// Folds the 128-bit products of two rounds of multiplication with secret operands.
    @inlinable @inline(__always)
    public static func mix(_ a: UInt64, _ b: UInt64, seed: UInt64) -> UInt64 {
        let first = (a ^ seed).multipliedFullWidth(by: (b &+ 0x9E37_79B9_7F4A_7C15) ^ seed &* 0xD6E8_FEB8_6659_FD93 | 1)
        let folded = first.high ^ first.low
        let second = (folded ^ 0xA076_1D64_78BD_642F).multipliedFullWidth(by: seed ^ b &+ 0xE703_7ED1_A0B4_28DB)
        return second.high ^ second.low
    }
}
