/// Generic routing encapsulation (RFC 2784) with key and sequence number (RFC 2890).
@frozen
public struct GREHeader: Equatable, Sendable {
    /// Why a packet is not accepted.
    public enum Problem: UInt8, Sendable {
        case none
        /// Fewer bytes than the flags announce.
        case truncated
        /// One of the routing bits of RFC 1701 is set, which a receiver that does not implement it must discard
        /// (RFC 2784 §2.3: bits 1 to 5, of which RFC 2890 took two for key and sequence number).
        case routing
        /// Not version 0. Version 1 is PPTP's (RFC 2637).
        case version
    }

    /// What a keyed header with nothing else takes.
    public static let keyedLength = 8
    /// Header with checksum, key and sequence number.
    public static let maximumLength = 16

    public static let checksumFlag: UInt16 = 0x8000
    public static let keyFlag: UInt16 = 0x2000
    public static let sequenceFlag: UInt16 = 0x1000
    /// Bits 1, 4 and 5: routing present, strict source route, and the first bit of recursion control.
    public static let refusedFlags: UInt16 = 0x4C00
    public static let versionMask: UInt16 = 0x0007

    public var problem: Problem
    public var hasChecksum: Bool
    public var hasKey: Bool
    public var hasSequence: Bool
    /// Length of the header in bytes; the payload follows. Zero if there is a problem.
    public var length: Int
    /// EtherType of the payload.
    public var protocolType: UInt16
    /// Zero without `hasKey`. A tunnel without a key and one with key 0 are different tunnels.
    public var key: UInt32
    public var sequence: UInt32

    @inlinable @inline(__always)
    init(
        problem: Problem,
        flags: UInt16 = 0,
        length: Int = 0,
        protocolType: UInt16 = 0,
        key: UInt32 = 0,
        sequence: UInt32 = 0
    ) {
        self.problem = problem
        hasChecksum = flags & GREHeader.checksumFlag != 0
        hasKey = flags & GREHeader.keyFlag != 0
        hasSequence = flags & GREHeader.sequenceFlag != 0
        self.length = length
        self.protocolType = protocolType
        self.key = key
        self.sequence = sequence
    }

    /// Reads the header. Bits 6 to 12 are ignored (RFC 2784 §2.3). The checksum is not verified here: it covers the
    /// payload too, see `checksumIsValid`.
    @inlinable
    public static func parse(_ bytes: UnsafeRawPointer, _ count: Int) -> GREHeader {
        guard count >= 4 else { return GREHeader(problem: .truncated) }
        let flags = bytes.be16(0)
        if flags & versionMask != 0 { return GREHeader(problem: .version) }
        if flags & refusedFlags != 0 { return GREHeader(problem: .routing) }
        var length = 4
        if flags & checksumFlag != 0 { length &+= 4 }
        let keyAt = length
        if flags & keyFlag != 0 { length &+= 4 }
        let sequenceAt = length
        if flags & sequenceFlag != 0 { length &+= 4 }
        guard count >= length else { return GREHeader(problem: .truncated) }
        return GREHeader(
            problem: .none,
            flags: flags,
            length: length,
            protocolType: bytes.be16(2),
            key: flags & keyFlag != 0 ? bytes.be32(keyAt) : 0,
            sequence: flags & sequenceFlag != 0 ? bytes.be32(sequenceAt) : 0
        )
    }

    /// Whether the checksum over the header and the whole payload is right; true if the header has none.
    @inlinable @inline(__always)
    public func checksumIsValid(_ bytes: UnsafeRawPointer, _ count: Int) -> Bool {
        !hasChecksum || Checksum.fold(Checksum.sum(bytes, count)) == 0xFFFF
    }

    /// Bytes of a header with these options: 4, 8 or 12.
    @inlinable @inline(__always)
    public static func length(hasKey: Bool, hasChecksum: Bool) -> Int { 4 &+ (hasKey ? 4 : 0) &+ (hasChecksum ? 4 : 0) }

    /// Writes a header with optional checksum (RFC 2784 §2.1) and key (RFC 2890 §2.1). The checksum and the reserved field
    /// beside it are zero: see `writeChecksum`.
    ///
    /// - Parameters:
    ///   - bytes: up to 12 bytes.
    ///   - protocolType: EtherType of the payload.
    ///   - key: looked at if `hasKey`.
    /// - Returns: the header's length.
    @inlinable @inline(__always)
    public static func write(
        to bytes: UnsafeMutableRawPointer,
        protocolType: UInt16,
        key: UInt32,
        hasKey: Bool,
        hasChecksum: Bool
    ) -> Int {
        bytes.set16(0, (hasChecksum ? checksumFlag : 0) | (hasKey ? keyFlag : 0))
        bytes.set16(2, protocolType)
        var length = 4
        if hasChecksum {
            bytes.set32(4, 0)
            length = 8
        }
        if hasKey {
            bytes.set32(length, key)
            length &+= 4
        }
        return length
    }

    /// Writes the checksum over the header and a payload in two regions (RFC 2784 §2.5), into a header that has the field.
    /// What the field held before does not matter.
    ///
    /// - Parameters:
    ///   - header: `length` bytes, at least 8.
    ///   - payload: the first `payloadLength` bytes of the payload; any number.
    ///   - rest: the `restLength` bytes behind them; 0 if there is one region only.
    @inlinable
    public static func writeChecksum(
        header: UnsafeMutableRawPointer,
        length: Int,
        payload: UnsafeRawPointer,
        _ payloadLength: Int,
        rest: UnsafeRawPointer,
        _ restLength: Int
    ) {
        header.set16(4, 0)
        var sum = Checksum.sum(UnsafeRawPointer(header), length, Checksum.sum(payload, payloadLength))
        sum = Checksum.appending(Checksum.sum(rest, restLength), at: payloadLength, to: sum)
        header.set16(4, Checksum.finish(sum))
    }

    /// Writes the eight bytes of a header with a key and nothing else.
    @inlinable @inline(__always)
    public static func write(
        to bytes: UnsafeMutableRawPointer,
        key: UInt32,
        protocolType: UInt16 = EtherType.transparentEthernet
    ) {
        bytes.set16(0, keyFlag)
        bytes.set16(2, protocolType)
        bytes.set32(4, key)
    }

    /// Writes the four bytes of a header without options.
    @inlinable @inline(__always)
    public static func writeKeyless(
        to bytes: UnsafeMutableRawPointer,
        protocolType: UInt16 = EtherType.transparentEthernet
    ) {
        bytes.set16(0, 0)
        bytes.set16(2, protocolType)
    }
}
