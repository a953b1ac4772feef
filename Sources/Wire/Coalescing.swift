// The way back from SegmentationPlan: segments of one TCP flow become one super-frame again, so that whoever takes it
// pays once for what would be dozens of frames. Only what can be cut into the very same segments is put together: what
// a receiver sees is what the sender sent, a bad checksum included. The rules are those of the kernel's tcp_gro_receive
// and of wireguard-go; segments have to come one behind the other.

/// A frame that the segments behind it are appended to, in the memory of the first.
@frozen
public struct Coalescing {
    /// The first byte of the frame, as given.
    public let bytes: UnsafeMutableRawPointer
    /// Bytes of the frame so far.
    public var length: Int
    /// Segments in it.
    public var count: Int
    /// Whether another segment could be appended.
    public var isOpen: Bool

    /// Bytes in front of the payload, the prefix included.
    @usableFromInline let headerLength: Int
    /// Payload bytes of every segment but the last.
    @usableFromInline let segmentSize: Int
    @usableFromInline let network: Int
    @usableFromInline let transport: Int
    @usableFromInline let isIPv6: Bool
    @usableFromInline let isUnfinished: Bool
    @usableFromInline var nextSequence: UInt32
    /// Of the pseudo-header, without the length.
    @usableFromInline let pseudoSum: UInt64

    /// Begins with a frame, which is left as it is until one is appended.
    ///
    /// It is open if it holds a TCP segment with at least eight bytes of payload and no flags but ACK and ECE, behind IPv4 without options or IPv6
    /// without extension headers, and ends where its IP header says.
    ///
    /// - Parameters:
    ///   - bytes: `length` bytes, writable. What is appended is written behind them.
    ///   - prefixLength: bytes in front of the Ethernet or IP header, such as a VXLAN header. Segments with different ones
    ///     are never put together.
    ///   - networkType: what follows the prefix: an Ethernet header if 0, a datagram if `EtherType.ipv4` or `.ipv6`.
    ///   - isUnfinished: whether the TCP checksums of this and all that follow are still to be computed, so that there is
    ///     nothing to verify.
    @inlinable
    public init(
        _ bytes: UnsafeMutableRawPointer,
        _ length: Int,
        prefixLength: Int,
        networkType: UInt16 = 0,
        isUnfinished: Bool = false
    ) {
        self.bytes = bytes
        self.isUnfinished = isUnfinished
        self.length = length
        count = 1
        let frame = UnsafeRawPointer(bytes) + prefixLength
        let present = length &- prefixLength
        let parsed =
            networkType == 0
            ? ParsedFrame(frame, present) : ParsedFrame(datagram: frame, present, etherType: networkType)
        network = prefixLength &+ parsed.networkOffset
        transport = prefixLength &+ parsed.transportOffset
        headerLength = prefixLength &+ parsed.payloadOffset
        segmentSize = length &- headerLength
        isIPv6 = parsed.isIPv6
        let fixed = parsed.isIPv6 ? HeaderLength.ipv6 : HeaderLength.ipv4
        guard parsed.has(.transportHeader), parsed.protocol == IPProtocol.tcp,
            parsed.flags.isDisjoint(with: [.fragment, .cutShort]),
            transport &- network == fixed, parsed.endOffset == present,
            // Smaller ones nobody would cut again.
            segmentSize >= SegmentationPlan.minimumTCPSize,
            frame.byte(parsed.transportOffset &+ 13) & ~Coalescing.echo == Coalescing.acknowledgment
        else {
            isOpen = false
            nextSequence = 0
            pseudoSum = 0
            return
        }
        isOpen = true
        nextSequence = frame.be32(parsed.transportOffset &+ 4) &+ UInt32(truncatingIfNeeded: segmentSize)
        pseudoSum = PartialChecksum.pseudo(frame, parsed, length: 0)
    }

    @usableFromInline static let acknowledgment: UInt8 = 0x10
    @usableFromInline static let echo: UInt8 = 0x40
    /// FIN and PSH: they may stand in the last segment.
    @usableFromInline static let last: UInt8 = 0x09

    /// Appends the segment that follows, if it does: the same headers but for what changes from segment to segment, the
    /// next sequence number, no more payload than the first has. The checksums of all segments must be right.
    ///
    /// - Parameters:
    ///   - segment: a frame of `count` bytes, prefix included, in the same memory behind this one or elsewhere. It may be
    ///     overwritten.
    ///   - capacity: bytes that there are from `bytes` on.
    /// - Returns: false if nothing has changed.
    @inlinable
    public mutating func append(_ segment: UnsafeRawPointer, _ count: Int, capacity: Int) -> Bool {
        let payload = count &- headerLength
        guard isOpen, payload > 0, payload <= segmentSize, length &+ payload <= capacity,
            length &- network &+ payload <= 0xFFFF, follows(segment, count)
        else { return false }
        if self.count == 1, !isValid(UnsafeRawPointer(bytes), length) {
            isOpen = false
            return false
        }
        guard isValid(segment, count) else { return false }
        let flags = segment.byte(transport &+ 13)
        (bytes + length).copyMemory(from: segment + headerLength, byteCount: payload)
        length &+= payload
        self.count &+= 1
        nextSequence &+= UInt32(truncatingIfNeeded: payload)
        if flags & Coalescing.last != 0 {
            bytes.set8(transport &+ 13, flags)
            isOpen = false
        } else {
            isOpen = payload == segmentSize
        }
        return true
    }

    /// Whether the headers are those of the next segment.
    @inlinable @inline(__always)
    func follows(_ segment: UnsafeRawPointer, _ count: Int) -> Bool {
        let first = UnsafeRawPointer(bytes)
        let tcp = segment + transport
        guard tcp.be32(4) == nextSequence,
            // Ports; acknowledgement number, offset and window with the flags that may not change; urgent pointer.
            (tcp.be32(0) ^ first.be32(transport)) | (tcp.be32(8) ^ first.be32(transport &+ 8)) == 0,
            (tcp.be32(12) ^ first.be32(transport &+ 12)) & ~(UInt32(Coalescing.last) &<< 16) == 0,
            tcp.be16(18) == first.be16(transport &+ 18)
        else { return false }
        let options = transport &+ HeaderLength.tcp
        guard Coalescing.same(segment + options, first + options, headerLength &- options),
            Coalescing.same(segment, first, network)
        else { return false }
        let ip = segment + network
        let firstIP = first + network
        if isIPv6 {
            // All but the payload length.
            return (ip.be64(0) ^ firstIP.be64(0)) & 0xFFFF_FFFF_0000_FFFF == 0
                && Coalescing.same(ip + 8, firstIP + 8, 32)
                && Int(ip.be16(4)) == count &- network &- HeaderLength.ipv6
        }
        // All but total length, identification and checksum.
        guard (ip.be64(0) ^ firstIP.be64(0)) & 0xFFFF_0000_0000_FFFF == 0,
            (ip.be64(8) ^ firstIP.be64(8)) & 0xFFFF_0000_FFFF_FFFF == 0, ip.be32(16) == firstIP.be32(16),
            Int(ip.be16(2)) == count &- network
        else { return false }
        // Where nothing forbids fragments, identifications mean something; segments count them up.
        let expected = firstIP.be16(4) &+ UInt16(truncatingIfNeeded: self.count)
        return firstIP.be16(6) & 0x4000 != 0 || ip.be16(4) == expected
    }

    /// Whether two regions hold the same bytes.
    @inlinable @inline(__always)
    static func same(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ count: Int) -> Bool {
        var difference: UInt64 = 0
        var at = 0
        while at &+ 8 <= count {
            difference |= a.be64(at) ^ b.be64(at)
            at &+= 8
        }
        if at &+ 4 <= count {
            difference |= UInt64(a.be32(at) ^ b.be32(at))
            at &+= 4
        }
        while at < count {
            difference |= UInt64(a.byte(at) ^ b.byte(at))
            at &+= 1
        }
        return difference == 0
    }

    /// Whether the checksums of IPv4 and TCP are right in a segment with the addresses of this one.
    @inlinable @inline(__always)
    func isValid(_ segment: UnsafeRawPointer, _ count: Int) -> Bool {
        guard isIPv6 || Checksum.isValid(ipv4Header: segment + network, length: HeaderLength.ipv4) else { return false }
        if isUnfinished { return true }
        let size = count &- transport
        let pseudo = pseudoSum &+ Checksum.word(UInt32(truncatingIfNeeded: size))
        return Checksum.fold(Checksum.sum(segment + transport, size, pseudo)) == 0xFFFF
    }

    /// Gives a frame of more than one segment the headers of a super-frame, with the checksum left to the next hop. Once.
    @inlinable
    public func finish() {
        guard count > 1 else { return }
        let datagram = length &- network
        if isIPv6 {
            bytes.set16(network &+ 4, UInt16(truncatingIfNeeded: datagram &- HeaderLength.ipv6))
        } else {
            bytes.set16(network &+ 2, UInt16(truncatingIfNeeded: datagram))
            Checksum.write(ipv4Header: bytes + network, length: HeaderLength.ipv4)
        }
        let pseudo = pseudoSum &+ Checksum.word(UInt32(truncatingIfNeeded: length &- transport))
        bytes.set16(transport &+ PartialChecksum.tcpOffset, Checksum.fold(pseudo))
    }

    /// `SegmentationKind` of the frame, if it has more than one segment.
    @inlinable @inline(__always)
    public var gsoType: UInt8 { isIPv6 ? SegmentationKind.tcpv6 : SegmentationKind.tcpv4 }

    /// Payload bytes of every segment but the last.
    @inlinable @inline(__always)
    public var gsoSize: UInt16 { UInt16(truncatingIfNeeded: segmentSize) }

    /// Where the TCP header is, from `bytes`.
    @inlinable @inline(__always)
    public var checksumStart: Int { transport }

    /// Where the payload is, from `bytes`.
    @inlinable @inline(__always)
    public var payloadOffset: Int { headerLength }
}
