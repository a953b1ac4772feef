/// Answers to pings (RFC 792, RFC 1122 §3.2.2.6, RFC 1812 §4.3.3.6, RFC 4443 §4.1).
public enum EchoReply {
    /// Whether a frame is a whole echo request of either family: not a fragment, every byte of the datagram and of the
    /// ICMP header there, code 0. Whose address it is for, the caller knows; whether it is worth an answer,
    /// `checksumIsValid` tells.
    ///
    /// - Parameter frame: the bytes that `parsed` was read from.
    @inlinable
    public static func isRequest(_ frame: UnsafeRawPointer, _ parsed: ParsedFrame) -> Bool {
        guard parsed.isIP, parsed.has(.transport), parsed.flags.isDisjoint(with: unfit),
            parsed.endOffset &- parsed.transportOffset >= HeaderLength.icmp
        else { return false }
        // Both bytes at once: code 0 stands behind the type.
        let typeAndCode = frame.be16(parsed.transportOffset)
        return parsed.isIPv6
            ? parsed.protocol == IPProtocol.icmpv6 && typeAndCode == UInt16(ICMPv6.echoRequest) &<< 8
            : parsed.protocol == IPProtocol.icmp && typeAndCode == UInt16(ICMP.echoRequest) &<< 8
    }

    /// Parts of datagrams, and those with a header that speaks about the very bytes that an answer changes.
    @usableFromInline
    static var unfit: ParsedFrame.Flags {
        ParsedFrame.Flags.fragment.union(.cutShort).union(.routingHeader).union(.authenticationHeader)
    }

    /// Whether the ICMP checksum of an echo request is right; one that is not must not be answered, since its answer
    /// would be wrong as well. That of the IPv4 header is the router's to check.
    @inlinable
    public static func checksumIsValid(_ frame: UnsafeRawPointer, _ parsed: ParsedFrame) -> Bool {
        let length = parsed.endOffset &- parsed.transportOffset
        let header = frame + parsed.networkOffset
        let pseudo =
            parsed.isIPv6 ? Checksum.pseudoIPv6(header, protocol: IPProtocol.icmpv6, length: length) : 0
        return Checksum.fold(Checksum.sum(frame + parsed.transportOffset, length, pseudo)) == 0xFFFF
    }

    /// Turns a request into its reply where it stands: addresses swapped, type changed, hop limit set, both checksums
    /// adjusted rather than computed anew, so that what is wrong stays wrong. IPv4 options and identification remain
    /// those of the request. IPv6 extension headers are left out: the sender's are about the way there (and a fragment
    /// header around a whole datagram is none to repeat, RFC 8021). The IPv6 header then moves up to the message.
    ///
    /// The link layer is not touched.
    ///
    /// - Parameters:
    ///   - frame: what `isRequest` was true of.
    ///   - hopLimit: of the reply.
    /// - Returns: where the reply's IP header begins, `networkOffset` or behind it; it ends where the request did.
    @inlinable
    public static func make(
        inPlace frame: UnsafeMutableRawPointer,
        _ parsed: ParsedFrame,
        hopLimit: UInt8 = 64
    ) -> Int {
        let message = frame + parsed.transportOffset
        let bytes = UnsafeRawPointer(message)
        let reply = parsed.isIPv6 ? ICMPv6.echoReply : ICMP.echoReply
        let request = parsed.isIPv6 ? ICMPv6.echoRequest : ICMP.echoRequest
        message.set8(0, reply)
        let checksum = Checksum.updated(bytes.be16(2), from: UInt16(request) &<< 8, to: UInt16(reply) &<< 8)
        // A reply that is all zeros but for its checksum: only the other zero of one's complement is right there.
        message.set16(2, checksum == 0 ? 0xFFFF : checksum)

        let old = UnsafeRawPointer(frame) + parsed.networkOffset
        guard parsed.isIPv6 else {
            let header = frame + parsed.networkOffset
            let source = old.be32(12)
            header.set32(12, old.be32(16))
            header.set32(16, source)
            TTL.set(hopLimit, ipv4Header: header)
            return parsed.networkOffset
        }
        let start = parsed.transportOffset &- HeaderLength.ipv6
        let first = old.be32(0)
        let source = old.ipv6(8)
        let destination = old.ipv6(24)
        ICMPError.writeIPv6(
            frame + start,
            payloadLength: parsed.endOffset &- parsed.transportOffset,
            protocol: IPProtocol.icmpv6,
            hopLimit,
            destination,
            source
        )
        // The traffic class is the request's, the flow label is not.
        (frame + start).set32(0, first & 0xFFF0_0000)
        return start
    }
}
