/// How an IPv4 datagram is fragmented (RFC 791 §3.2, RFC 1812 §5.2.1). As with super-frames, only headers are written: the
/// payload is neither touched nor copied. What is itself a fragment may be cut further.
///
/// Lives as long as the header that it was made from.
@frozen
public struct FragmentPlan {
    /// The longest header of a fragment.
    public static let headerCapacity = 60

    /// What a fragment consists of.
    @frozen
    public struct Fragment: Equatable, Sendable {
        /// Bytes of IPv4 header that were written.
        public var headerLength: Int
        /// Where in the payload of the datagram its part begins, and how long that is.
        public var payloadOffset: Int
        public var payloadCount: Int

        @inlinable @inline(__always)
        init(headerLength: Int, payloadOffset: Int, payloadCount: Int) {
            self.headerLength = headerLength
            self.payloadOffset = payloadOffset
            self.payloadCount = payloadCount
        }
    }

    /// Fragments that the datagram becomes; 1 if it fits as it is.
    public let count: Int

    @usableFromInline let header: UnsafeRawPointer
    @usableFromInline let payloadLength: Int
    /// Header and payload of the first fragment; it keeps all options.
    @usableFromInline let firstHeader: Int
    @usableFromInline let firstPayload: Int
    /// Those of the ones between the first and the last.
    @usableFromInline let laterHeader: Int
    @usableFromInline let laterPayload: Int

    /// Looks at a header and divides the payload.
    ///
    /// - Parameters:
    ///   - header: a header that `ParsedFrame` found, `RouterHeaderCheck` fine, with all its options.
    ///   - payloadLength: bytes behind it, to the end of the datagram.
    ///   - mtu: the longest datagram that fits.
    /// - Returns: nil if the datagram must not be fragmented (DF), reaches behind 65 535 bytes, has broken options, or if
    ///   the MTU leaves no room for 8 bytes behind the header.
    @inlinable
    public init?(header: UnsafeRawPointer, payloadLength: Int, mtu: Int) {
        let length = Int(header.byte(0) & 15) &* 4
        let field = header.be16(6)
        let start = Int(field & 0x1FFF) &* 8
        guard length >= HeaderLength.ipv4, payloadLength >= 0, payloadLength <= 0xFFFF,
            start &+ length &+ payloadLength <= 0xFFFF, field & FragmentPlan.dontFragment == 0,
            let later = FragmentPlan.laterHeaderLength(header, length)
        else { return nil }
        self.header = header
        self.payloadLength = payloadLength
        firstHeader = length
        laterHeader = later
        if length &+ payloadLength <= mtu {
            count = 1
            firstPayload = payloadLength
            laterPayload = 0
            return
        }
        // The first header is the longest. All but the last fragment end on a boundary of 8 bytes.
        guard mtu >= length &+ 8 else { return nil }
        firstPayload = (mtu &- length) & ~7
        laterPayload = (mtu &- later) & ~7
        let rest = payloadLength &- firstPayload
        let last = mtu &- later
        count = rest <= last ? 2 : 2 &+ (rest &- last &+ laterPayload &- 1) / laterPayload
    }

    @usableFromInline static let dontFragment: UInt16 = 0x4000
    @usableFromInline static let moreFragments: UInt16 = 0x2000

    /// Length of a header with the options that are copied into later fragments; nil if they are broken.
    @inlinable
    static func laterHeaderLength(_ header: UnsafeRawPointer, _ length: Int) -> Int? {
        var at = HeaderLength.ipv4
        var copied = HeaderLength.ipv4
        while at < length {
            guard let size = optionSize(header, at, length) else { return nil }
            if size == 0 { break }
            if header.byte(at) & IPv4Option.copiedFlag != 0 { copied &+= size }
            at &+= size
        }
        return (copied &+ 3) & ~3
    }

    /// Length of the option at `at`; 0 at the end of the list, nil if it does not lie inside.
    @inlinable @inline(__always)
    static func optionSize(_ header: UnsafeRawPointer, _ at: Int, _ length: Int) -> Int? {
        let type = header.byte(at)
        if type == IPv4Option.end { return 0 }
        if type == IPv4Option.noOperation { return 1 }
        guard at &+ 2 <= length else { return nil }
        let size = Int(header.byte(at &+ 1))
        return size >= 2 && at &+ size <= length ? size : nil
    }

    /// Writes the header of a fragment: its length, offset, the more fragments flag (the last one has what the datagram
    /// had), options and checksum. All else is as it was.
    ///
    /// - Parameters:
    ///   - index: 0 to `count` - 1.
    ///   - output: `headerCapacity` bytes that do not overlap the datagram's header.
    @inlinable
    public func writeHeader(_ index: Int, to output: UnsafeMutableRawPointer) -> Fragment {
        let isFirst = index <= 0
        let isLast = index >= count &- 1
        let start = isFirst ? 0 : firstPayload &+ (min(index, count &- 1) &- 1) &* laterPayload
        let length = isLast ? payloadLength &- start : isFirst ? firstPayload : laterPayload
        let headerLength = isFirst ? firstHeader : laterHeader
        if isFirst {
            output.copyMemory(from: header, byteCount: firstHeader)
        } else {
            output.copyMemory(from: header, byteCount: HeaderLength.ipv4)
            output.set8(0, 0x40 | UInt8(truncatingIfNeeded: laterHeader &>> 2))
            copyOptions(to: output)
        }
        var field = header.be16(6) &+ UInt16(truncatingIfNeeded: start &>> 3)
        if !isLast { field |= FragmentPlan.moreFragments }
        output.set16(2, UInt16(truncatingIfNeeded: headerLength &+ length))
        output.set16(6, field)
        Checksum.write(ipv4Header: output, length: headerLength)
        return Fragment(headerLength: headerLength, payloadOffset: start, payloadCount: length)
    }

    /// Copies the options that belong into every fragment, and pads them with ends of the list.
    @inlinable
    func copyOptions(to output: UnsafeMutableRawPointer) {
        var at = HeaderLength.ipv4
        var end = HeaderLength.ipv4
        while at < firstHeader, let size = FragmentPlan.optionSize(header, at, firstHeader), size > 0 {
            if header.byte(at) & IPv4Option.copiedFlag != 0 {
                // Byte by byte: a call for so few of them takes longer.
                for i in 0..<size { output.set8(end &+ i, header.byte(at &+ i)) }
                end &+= size
            }
            at &+= size
        }
        while end < laterHeader {
            output.set8(end, IPv4Option.end)
            end &+= 1
        }
    }
}
