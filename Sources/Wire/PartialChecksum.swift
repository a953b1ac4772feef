// Checksums that the sender left to the next hop: the field of TCP or UDP holds the folded sum of the pseudo-header, and
// whoever puts the frame on a real wire adds the rest (Linux: CHECKSUM_PARTIAL; virtio: VIRTIO_NET_HDR_F_NEEDS_CSUM).

/// Finding and finishing such checksums.
public enum PartialChecksum {
    /// Where a checksum is to be computed, as a virtio header says it.
    @frozen
    public struct Position: Equatable, Sendable {
        /// First byte that is summed, from the first byte of the frame.
        public var start: UInt16
        /// The field, from `start`.
        public var offset: UInt16

        @inlinable
        public init(start: UInt16, offset: UInt16) {
            self.start = start
            self.offset = offset
        }
    }

    /// Offset of the checksum field in a TCP header.
    public static let tcpOffset = 16
    /// Offset of the checksum field in a UDP header.
    public static let udpOffset = 6

    /// Tells whether the TCP or UDP checksum of a frame was left unfinished. A kernel's tunnel device on the other end of
    /// a veth hands over inner frames like that, without a word about it. nil for anything that is not a complete
    /// datagram with a complete header.
    ///
    /// A finished checksum that happens to equal the pseudo-header's sum (one in 65 536) is taken for an unfinished one;
    /// finishing it gives the same value if it was right.
    ///
    /// - Parameter frame: the bytes that `parsed` was read from.
    @inlinable
    public static func detect(_ frame: UnsafeRawPointer, _ parsed: ParsedFrame) -> Position? {
        guard parsed.has(.transportHeader),
            parsed.flags.isDisjoint(with: [.fragment, .fragmentHeader, .cutShort, .routingHeader])
        else { return nil }
        let length = parsed.endOffset &- parsed.transportOffset
        let transport = frame + parsed.transportOffset
        let isTCP = parsed.protocol == IPProtocol.tcp
        let offset = isTCP ? tcpOffset : udpOffset
        let field = transport.be16(offset)
        // UDP's zero means that there is no checksum. Its length field is part of the pseudo-header: it must agree.
        if !isTCP, field == 0 || Int(transport.be16(4)) != length { return nil }
        let expected = Checksum.fold(pseudo(frame, parsed, length: length))
        guard field == expected || field == 0 && expected == 0xFFFF else { return nil }
        return Position(
            start: UInt16(truncatingIfNeeded: parsed.transportOffset),
            offset: UInt16(truncatingIfNeeded: offset)
        )
    }

    /// The running sum of the pseudo-header of a parsed frame with an IP header.
    @inlinable @inline(__always)
    static func pseudo(_ frame: UnsafeRawPointer, _ parsed: ParsedFrame, length: Int) -> UInt64 {
        let header = frame + parsed.networkOffset
        return parsed.isIPv6
            ? Checksum.pseudoIPv6(header, protocol: parsed.protocol, length: length)
            : Checksum.pseudoIPv4(header, protocol: parsed.protocol, length: length)
    }

    /// The final value of a checksum field in a frame that lies in two regions, in host order and never zero. Everything
    /// from `start` to the end of the payload is summed, the field with what it holds now. Nothing is written: the
    /// payload may be shared with other copies of the frame.
    ///
    /// - Returns: nil if the field does not lie inside the frame.
    @inlinable
    public static func complete(
        header: UnsafeRawPointer,
        _ headerLength: Int,
        payload: UnsafeRawPointer,
        _ payloadLength: Int,
        start: Int,
        offset: Int
    ) -> UInt16? {
        let total = headerLength &+ payloadLength
        guard start >= 0, offset >= 0, headerLength >= 0, payloadLength >= 0, start <= total, offset <= total,
            start &+ offset &+ 2 <= total
        else { return nil }
        if start >= headerLength {
            let skipped = start &- headerLength
            return Checksum.finishTransport(Checksum.sum(payload + skipped, payloadLength &- skipped))
        }
        let first = headerLength &- start
        let sum = Checksum.sum(header + start, first)
        return Checksum.finishTransport(
            Checksum.appending(Checksum.sum(payload, payloadLength), at: first, to: sum)
        )
    }

    /// Finishes the checksum of a frame in one piece.
    ///
    /// - Returns: false, with nothing written, if the field does not lie inside the frame.
    @inlinable
    public static func complete(_ frame: UnsafeMutableRawPointer, _ count: Int, start: Int, offset: Int) -> Bool {
        let bytes = UnsafeRawPointer(frame)
        guard let value = complete(header: bytes, 0, payload: bytes, count, start: start, offset: offset) else {
            return false
        }
        frame.set16(start &+ offset, value)
        return true
    }
}

/// `VIRTIO_NET_HDR_GSO_*`: how a super-frame is to be cut.
public enum SegmentationKind {
    public static let none: UInt8 = 0
    public static let tcpv4: UInt8 = 1
    public static let tcpv6: UInt8 = 4
    /// Datagrams of equal size (UDP_SEGMENT), not fragments.
    public static let udp: UInt8 = 5
    /// Set beside a TCP kind: CWR belongs into the first segment only (RFC 3168).
    public static let ecnFlag: UInt8 = 0x80

    /// The kind that fits a parsed frame; `none` if it cannot be cut.
    @inlinable
    public static func of(_ parsed: ParsedFrame) -> UInt8 {
        guard parsed.has(.transportHeader), parsed.flags.isDisjoint(with: unfit) else { return none }
        if parsed.protocol == IPProtocol.udp { return udp }
        return parsed.isIPv6 ? tcpv6 : tcpv4
    }

    /// Payload bytes per segment so that no datagram is longer than `mtu`, for a super-frame that came without a word
    /// about it; 0 if the headers alone are too long.
    @inlinable
    public static func size(_ parsed: ParsedFrame, mtu: Int) -> UInt16 {
        let size = mtu &- (parsed.payloadOffset &- parsed.networkOffset)
        guard parsed.has(.transportHeader), size > 0 else { return 0 }
        return UInt16(truncatingIfNeeded: min(size, 0xFFFF))
    }

    /// What speaks against cutting a frame whose transport header was found.
    @usableFromInline
    /// Computed, not stored: a stored one would be initialised through the runtime.
    static var unfit: ParsedFrame.Flags {
        ParsedFrame.Flags.fragment.union(.fragmentHeader).union(.routingHeader).union(.authenticationHeader)
    }
}
