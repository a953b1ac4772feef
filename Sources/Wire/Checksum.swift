// The Internet checksum (RFC 1071), its incremental form (RFC 1624), and the pseudo-headers of TCP and UDP.
//
// A *running sum* is a `UInt64` that is congruent, modulo 0xFFFF, to the sum of the 16-bit words of a region as they lie
// in memory. It stays below 2^34, so that thousands of them can be added with `&+` before anything is folded, and it is
// zero only if every word was zero. One's complement addition does not care about byte order as long as all words agree
// (RFC 1071 §2.B): sums are taken in memory order and `fold` turns the result once into the value that `be16` would
// read and `set16` writes.

/// One's complement sums over raw memory.
public enum Checksum {
    /// Adds the `count` bytes at `bytes` to a running sum. A last odd byte counts as the first byte of a word whose other
    /// byte is zero, so a region of odd length must be the last one, or be continued with `appending(_:at:to:)`.
    ///
    /// - Parameters:
    ///   - bytes: any alignment.
    ///   - count: bytes that may be read, below 2^31.
    ///   - initial: a running sum to continue.
    @inlinable
    public static func sum(_ bytes: UnsafeRawPointer, _ count: Int, _ initial: UInt64 = 0) -> UInt64 {
        // What is wanted is the sum of both halves of all 64-bit words. The sum of the words drops its carries, but with
        // the upper halves summed beside it, that of the lower halves is what remains of it: below 2^34 bytes neither
        // leaves 64 bits. No carry to chase: the compiler makes vectors of this, four instructions for 16 bytes.
        var words: UInt64 = 0
        var upper: UInt64 = 0
        var at = 0
        while at &+ 8 <= count {
            let word = bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            words &+= word
            upper &+= word &>> 32
            at &+= 8
        }
        var total = (words &- upper &<< 32) &+ upper
        if at &+ 4 <= count {
            total &+= UInt64(bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
            at &+= 4
        }
        if at &+ 2 <= count {
            total &+= UInt64(bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self))
            at &+= 2
        }
        if at < count { total &+= word(UInt16(bytes.byte(at)) &<< 8) }
        return reduced(total) &+ initial
    }

    /// Brings a sum of any size below 2^33 without changing what it stands for.
    @inlinable @inline(__always)
    public static func reduced(_ sum: UInt64) -> UInt64 { (sum & 0xFFFF_FFFF) &+ (sum &>> 32) }

    /// Adds the running sum of a region that starts `offset` bytes after the place where `sum` began. At an odd offset
    /// the words of the region lie across those of the whole, which swaps their bytes (RFC 1071 §2.B).
    @inlinable @inline(__always)
    public static func appending(_ region: UInt64, at offset: Int, to sum: UInt64) -> UInt64 {
        offset & 1 == 0 ? sum &+ region : sum &+ UInt64(memoryFold(region).byteSwapped)
    }

    /// A 16-bit field in host order as a running sum.
    @inlinable @inline(__always)
    public static func word(_ value: UInt16) -> UInt64 { UInt64(value.bigEndian) }

    /// A 32-bit field in host order as a running sum.
    @inlinable @inline(__always)
    public static func word(_ value: UInt32) -> UInt64 { UInt64(value.bigEndian) }

    /// Folds to 16 bits in memory order.
    @inlinable @inline(__always)
    static func memoryFold(_ sum: UInt64) -> UInt16 {
        var folded = reduced(sum)
        folded = (folded & 0xFFFF) &+ (folded &>> 16)
        folded = (folded & 0xFFFF) &+ (folded &>> 16)
        folded = (folded & 0xFFFF) &+ (folded &>> 16)
        return UInt16(truncatingIfNeeded: folded)
    }

    /// The sum in 16 bits, in host order: the value that a checksum field left to the next hop holds when `sum` is that
    /// of the pseudo-header.
    @inlinable @inline(__always)
    public static func fold(_ sum: UInt64) -> UInt16 { UInt16(bigEndian: memoryFold(sum)) }

    /// The checksum in host order: the complement of `fold`. For an IPv4 header.
    @inlinable @inline(__always)
    public static func finish(_ sum: UInt64) -> UInt16 { ~fold(sum) }

    /// The checksum of TCP, UDP or ICMPv6 in host order. Zero is written as 0xFFFF: it verifies the same, and in UDP
    /// zero means that there is none (RFC 768).
    @inlinable @inline(__always)
    public static func finishTransport(_ sum: UInt64) -> UInt16 {
        let value = ~fold(sum)
        return value == 0 ? 0xFFFF : value
    }

    /// A checksum after one 16-bit word that it covers changed; all values in host order (RFC 1624 §3, equation 3).
    @inlinable @inline(__always)
    public static func updated(_ checksum: UInt16, from old: UInt16, to new: UInt16) -> UInt16 {
        var sum = UInt32(~checksum) &+ UInt32(~old) &+ UInt32(new)
        sum = (sum & 0xFFFF) &+ (sum &>> 16)
        sum = (sum & 0xFFFF) &+ (sum &>> 16)
        return ~UInt16(truncatingIfNeeded: sum)
    }
}

extension Checksum {
    /// The running sum of the pseudo-header of RFC 793 and RFC 768. At least 20 bytes of IPv4 header must be there.
    ///
    /// - Parameter length: bytes from the transport header to the end of the datagram.
    @inlinable @inline(__always)
    public static func pseudoIPv4(_ header: UnsafeRawPointer, protocol: UInt8, length: Int) -> UInt64 {
        UInt64(header.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
            &+ UInt64(header.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
            &+ word(UInt16(`protocol`)) &+ word(UInt32(truncatingIfNeeded: length))
    }

    /// The running sum of the pseudo-header of RFC 8200 §8.1. At least 40 bytes of IPv6 header must be there.
    ///
    /// - Parameter length: bytes from the transport header to the end of the datagram.
    @inlinable @inline(__always)
    public static func pseudoIPv6(_ header: UnsafeRawPointer, protocol: UInt8, length: Int) -> UInt64 {
        sum(header + 8, 32, word(UInt16(`protocol`)) &+ word(UInt32(truncatingIfNeeded: length)))
    }

    /// The running sum of the pseudo-header between two addresses of one family, IPv4 as mapped addresses.
    public static func pseudo(
        source: IPv6Address,
        destination: IPv6Address,
        protocol: UInt8,
        length: Int
    ) -> UInt64 {
        let upper = word(UInt16(`protocol`)) &+ word(UInt32(truncatingIfNeeded: length))
        if let from = source.mappedIPv4, let to = destination.mappedIPv4 {
            return upper &+ word(from.bits) &+ word(to.bits)
        }
        return upper &+ reduced(source.high.bigEndian) &+ reduced(source.low.bigEndian)
            &+ reduced(destination.high.bigEndian) &+ reduced(destination.low.bigEndian)
    }

    /// Whether the checksum of an IPv4 header of `length` bytes is right.
    @inlinable @inline(__always)
    public static func isValid(ipv4Header header: UnsafeRawPointer, length: Int) -> Bool {
        fold(sum(header, length)) == 0xFFFF
    }

    /// Writes the checksum of an IPv4 header of `length` bytes.
    @inlinable @inline(__always)
    public static func write(ipv4Header header: UnsafeMutableRawPointer, length: Int) {
        header.set16(10, 0)
        header.set16(10, finish(sum(header, length)))
    }
}
