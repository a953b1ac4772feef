// Software segmentation: what a network card or a kernel does with a super-frame when its egress cannot carry it whole.
// The payload is never touched or copied; only headers are written, one set per segment, and the transport checksum of
// each is complete, because nobody computes it inside of a tunnel packet.
//
// Every sum that does not change from segment to segment is taken once. A segment then costs one pass over its payload
// slice and a handful of additions:
//
//     IPv4 header:  constant + total length + identification
//     TCP:          constant + sequence number + flags + length + payload
//     UDP:          constant + length twice (its own and the pseudo-header's) + payload
//     GRE:          the headers as written + payload

/// How one super-frame is cut. Lives as long as the scratch memory that it was made with.
@frozen
public struct SegmentationPlan {
    /// Headers that are longer than this in all are refused: prefix, Ethernet, two tags, and IPv4 and TCP with all the
    /// options they can have take 158.
    public static let headerCapacity = 256
    /// Most datagrams that one UDP super-frame may become (`UDP_MAX_SEGMENTS`).
    public static let maximumDatagrams = 128
    /// TCP segments below this size are nobody's, but would make thousands of frames out of one (`TCP_MIN_GSO_SIZE`).
    public static let minimumTCPSize = 8

    /// One segment: the headers, `headerLength` bytes, followed by this part of the payload.
    @frozen
    public struct Segment {
        public var payload: UnsafeRawPointer
        public var count: Int

        @inlinable @inline(__always)
        init(payload: UnsafeRawPointer, count: Int) {
            self.payload = payload
            self.count = count
        }
    }

    /// Segments that the frame becomes, at least one.
    public let count: Int
    /// Bytes in front of the payload of every segment, the prefix included.
    public let headerLength: Int
    /// Payload bytes of every segment but the last.
    public let segmentSize: Int
    /// Payload bytes of all segments.
    public let payloadLength: Int

    /// The headers with all changing fields zero.
    @usableFromInline let template: UnsafeMutableRawPointer
    @usableFromInline let payload: UnsafeRawPointer
    @usableFromInline let network: Int
    @usableFromInline let transport: Int
    /// The checksum field of GRE, or -1.
    @usableFromInline let greChecksum: Int
    @usableFromInline let isIPv6: Bool
    @usableFromInline let isTCP: Bool
    @usableFromInline let firstHasCWR: Bool
    /// Byte 13 of TCP, and its sequence number, as they came.
    @usableFromInline let tcpFlags: UInt8
    @usableFromInline let sequence: UInt32
    @usableFromInline let identification: UInt16
    @usableFromInline let networkSum: UInt64
    @usableFromInline let transportSum: UInt64

    /// Checks a super-frame and prepares to cut it. The frame lies in two regions, of which the first may hold any part
    /// of the headers (a tunnel header alone, say) but no payload. IPv4 options and VLAN tags are carried along, and so
    /// are IPv6 extension headers unless one says that the datagram is a fragment, signed, or still to be rerouted.
    ///
    /// - Parameters:
    ///   - prefixLength: bytes in front of the Ethernet or IP header, such as a VXLAN or GRE header. They are repeated as
    ///     they are in front of every segment.
    ///   - networkType: what follows the prefix: an Ethernet header if 0, or the header of a bare datagram, as in IPIP, SIT
    ///     and IP in GRE, if `EtherType.ipv4` or `.ipv6`.
    ///   - gsoType: `SegmentationKind`, with or without its ECN flag.
    ///   - gsoSize: payload bytes per segment.
    ///   - checksumStart: where the sender says the transport header is, from the first byte of the first region; 0 if
    ///     it does not say. It must be right.
    ///   - checksumOffset: the field from there; looked at if `checksumStart` is not 0.
    ///   - greChecksumOffset: where in the prefix the checksum field of a GRE header is (RFC 2784 §2.5), which begins four
    ///     bytes before it and covers itself and everything behind it; -1 if there is none. It is computed anew for each
    ///     segment. A sequence number (RFC 2890 §2.2) is repeated like all else, so headers with one do not belong here.
    ///   - scratch: `headerCapacity` bytes.
    /// - Returns: nil if anything in the frame contradicts the kind, the sizes or itself.
    @inlinable
    public init?(
        header: UnsafeRawPointer,
        _ headerLength: Int,
        payload: UnsafeRawPointer,
        _ payloadLength: Int,
        prefixLength: Int,
        networkType: UInt16 = 0,
        gsoType: UInt8,
        gsoSize: UInt16,
        checksumStart: Int,
        checksumOffset: Int,
        greChecksumOffset: Int = -1,
        scratch: UnsafeMutableRawPointer
    ) {
        let total = headerLength &+ payloadLength
        guard headerLength >= 0, payloadLength >= 0, prefixLength >= 0, prefixLength < total,
            headerLength <= SegmentationPlan.headerCapacity,
            greChecksumOffset == -1 || greChecksumOffset >= 4 && greChecksumOffset <= prefixLength &- 2
        else { return nil }
        let copied = min(total, SegmentationPlan.headerCapacity)
        scratch.copyMemory(from: header, byteCount: headerLength)
        (scratch + headerLength).copyMemory(from: payload, byteCount: copied &- headerLength)
        guard prefixLength < copied else { return nil }
        let frame = scratch + prefixLength
        // The parser sees the copied part only and finds a long frame cut short, which is for `datagramLength` to say.
        let parsed =
            networkType == 0
            ? ParsedFrame(UnsafeRawPointer(frame), copied &- prefixLength)
            : ParsedFrame(datagram: UnsafeRawPointer(frame), copied &- prefixLength, etherType: networkType)
        let kind = SegmentationKind.of(parsed)
        guard kind != SegmentationKind.none, kind == gsoType & ~SegmentationKind.ecnFlag else { return nil }

        let isTCP = kind != SegmentationKind.udp
        let network = prefixLength &+ parsed.networkOffset
        let transport = prefixLength &+ parsed.transportOffset
        let payloadStart = prefixLength &+ parsed.payloadOffset
        let end = network &+ SegmentationPlan.datagramLength(scratch + network, isIPv6: parsed.isIPv6)
        let size = Int(gsoSize)
        guard end <= total, payloadStart <= end, headerLength <= payloadStart,
            size >= (isTCP ? SegmentationPlan.minimumTCPSize : 1),
            checksumStart == 0
                || checksumStart == transport
                    && checksumOffset == (isTCP ? PartialChecksum.tcpOffset : PartialChecksum.udpOffset),
            isTCP || Int(UnsafeRawPointer(scratch).be16(transport &+ 4)) == end &- transport
        else { return nil }
        let length = end &- payloadStart
        let count = max(1, (length &+ size &- 1) / size)
        guard isTCP || count <= SegmentationPlan.maximumDatagrams else { return nil }

        self.count = count
        self.headerLength = payloadStart
        self.segmentSize = size
        self.payloadLength = length
        self.template = scratch
        self.payload = payload + (payloadStart &- headerLength)
        self.network = network
        self.transport = transport
        self.greChecksum = greChecksumOffset
        self.isIPv6 = parsed.isIPv6
        self.isTCP = isTCP
        self.firstHasCWR = gsoType & SegmentationKind.ecnFlag != 0

        if greChecksumOffset >= 0 { scratch.set16(greChecksumOffset, 0) }
        let bytes = UnsafeRawPointer(scratch)
        if parsed.isIPv6 {
            identification = 0
            scratch.set16(network &+ 4, 0)
            networkSum = 0
        } else {
            identification = bytes.be16(network &+ 4)
            scratch.set32(network &+ 2, 0)
            scratch.set16(network &+ 10, 0)
            networkSum = Checksum.sum(bytes + network, transport &- network)
        }
        if isTCP {
            sequence = bytes.be32(transport &+ 4)
            tcpFlags = bytes.byte(transport &+ 13)
            scratch.set32(transport &+ 4, 0)
            scratch.set8(transport &+ 13, 0)
            scratch.set16(transport &+ PartialChecksum.tcpOffset, 0)
        } else {
            sequence = 0
            tcpFlags = 0
            scratch.set32(transport &+ 4, 0)
        }
        transportSum =
            Checksum.sum(bytes + transport, payloadStart &- transport)
            &+ PartialChecksum.pseudo(UnsafeRawPointer(frame), parsed, length: 0)
    }

    /// Bytes of the datagram as its IP header says.
    @inlinable @inline(__always)
    static func datagramLength(_ header: UnsafeRawPointer, isIPv6: Bool) -> Int {
        isIPv6 ? HeaderLength.ipv6 &+ Int(header.be16(4)) : Int(header.be16(2))
    }

    /// Writes all headers of a segment, checksums included, and tells which bytes follow them.
    ///
    /// IPv4 identifications count up from the first, as the kernel's do. FIN and PSH stay with the last segment, CWR
    /// with the first if the sender said so.
    ///
    /// - Parameters:
    ///   - index: 0 to `count` - 1.
    ///   - output: `headerLength` bytes.
    @inlinable
    public func writeHeader(_ index: Int, into output: UnsafeMutableRawPointer) -> Segment {
        let start = min(max(index, 0), count &- 1) &* segmentSize
        let length = min(segmentSize, payloadLength &- start)
        let slice = payload + start
        output.copyMemory(from: template, byteCount: headerLength)

        let datagram = headerLength &- network &+ length
        if isIPv6 {
            output.set16(network &+ 4, UInt16(truncatingIfNeeded: datagram &- HeaderLength.ipv6))
        } else {
            let total = UInt16(truncatingIfNeeded: datagram)
            let identification = identification &+ UInt16(truncatingIfNeeded: index)
            output.set16(network &+ 2, total)
            output.set16(network &+ 4, identification)
            output.set16(
                network &+ 10,
                Checksum.finish(networkSum &+ Checksum.word(total) &+ Checksum.word(identification))
            )
        }

        let transportLength = headerLength &- transport &+ length
        let payloadSum = Checksum.sum(slice, length)
        var sum = payloadSum &+ transportSum &+ Checksum.word(UInt32(truncatingIfNeeded: transportLength))
        if isTCP {
            let number = sequence &+ UInt32(truncatingIfNeeded: start)
            let flags = flagsOfSegment(index)
            output.set32(transport &+ 4, number)
            output.set8(transport &+ 13, flags)
            sum = sum &+ Checksum.word(number) &+ Checksum.word(UInt16(flags))
            output.set16(transport &+ PartialChecksum.tcpOffset, Checksum.finishTransport(sum))
        } else {
            let field = UInt16(truncatingIfNeeded: transportLength)
            output.set16(transport &+ 4, field)
            output.set16(transport &+ PartialChecksum.udpOffset, Checksum.finishTransport(sum &+ Checksum.word(field)))
        }
        if greChecksum >= 0 {
            // Headers are short: what is summed again is not the payload.
            let covered = headerLength &- greChecksum &+ 4
            let headers = Checksum.sum(UnsafeRawPointer(output) + (greChecksum &- 4), covered)
            output.set16(greChecksum, Checksum.finish(Checksum.appending(payloadSum, at: covered, to: headers)))
        }
        return Segment(payload: slice, count: length)
    }

    /// The flags of TCP that segment `index` carries.
    @inlinable @inline(__always)
    func flagsOfSegment(_ index: Int) -> UInt8 {
        let finAndPush: UInt8 = 0x09
        let congestionWindowReduced: UInt8 = 0x80
        var flags = tcpFlags
        if index < count &- 1 { flags &= ~finAndPush }
        if index > 0, firstHasCWR { flags &= ~congestionWindowReduced }
        return flags
    }
}
