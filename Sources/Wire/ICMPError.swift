/// What a router tells the sender of a packet that it could not forward.
public enum ICMPError {
    /// No error packet is longer: 576 bytes of IPv4 (RFC 1812 §4.3.2.3), 1280 of IPv6 (RFC 4443 §2.4(c)).
    public static let capacity = 1280
    @usableFromInline static let capacityIPv4 = 576

    /// Writes a complete IP packet about another one, to that one's source. It quotes as much of the packet as fits, but
    /// nothing behind the end that its header tells. IPv4 says network control and DF with identification 0, which makes
    /// it an atomic datagram (RFC 1812 §4.3.2.5, RFC 6864 §4.1).
    ///
    /// Whether it may be sent at all, `mayAnswer` tells.
    ///
    /// - Parameters:
    ///   - output: `capacity` bytes that do not overlap the packet.
    ///   - packet: from its IP header on.
    ///   - count: bytes present.
    ///   - type: of `ICMP` or `ICMPv6`.
    ///   - parameter: the next hop's MTU for fragmentation needed (its low 16 bits, RFC 1191 §4) and packet too big, the
    ///     offset of the offending byte for parameter problems, 0 for all others.
    ///   - source: an address of ours, that of the interface towards the sender (RFC 1812 §4.3.2.4); mapped if IPv4.
    /// - Returns: bytes written; 0 if not even the fixed IP header of the packet is there.
    @inlinable
    public static func write(
        to output: UnsafeMutableRawPointer,
        about packet: UnsafeRawPointer,
        count: Int,
        isIPv6: Bool,
        type: UInt8,
        code: UInt8,
        parameter: UInt32,
        source: IPv6Address,
        hopLimit: UInt8 = 64
    ) -> Int {
        let fixed = isIPv6 ? HeaderLength.ipv6 : HeaderLength.ipv4
        guard count >= fixed else { return 0 }
        let told = SegmentationPlan.datagramLength(packet, isIPv6: isIPv6)
        let room = (isIPv6 ? capacity : capacityIPv4) &- fixed &- HeaderLength.icmp
        let quoted = min(count, told, room)
        let length = HeaderLength.icmp &+ quoted
        let icmp = output + fixed

        icmp.set8(0, type)
        icmp.set8(1, code)
        icmp.set16(2, 0)
        icmp.set32(4, field(parameter, isIPv6: isIPv6, type: type, code: code))
        (icmp + HeaderLength.icmp).copyMemory(from: packet, byteCount: quoted)
        if isIPv6 {
            writeIPv6(output, payloadLength: length, protocol: IPProtocol.icmpv6, hopLimit, source, packet.ipv6(8))
            let pseudo = Checksum.pseudoIPv6(UnsafeRawPointer(output), protocol: IPProtocol.icmpv6, length: length)
            icmp.set16(2, Checksum.finishTransport(Checksum.sum(UnsafeRawPointer(icmp), length, pseudo)))
        } else {
            output.set16(0, 0x45C0)
            output.set16(2, UInt16(truncatingIfNeeded: fixed &+ length))
            output.set32(4, 0x4000)
            output.set8(8, hopLimit)
            output.set8(9, IPProtocol.icmp)
            output.set32(12, UInt32(truncatingIfNeeded: source.low))
            output.set32(16, packet.be32(12))
            Checksum.write(ipv4Header: output, length: fixed)
            icmp.set16(2, Checksum.finish(Checksum.sum(UnsafeRawPointer(icmp), length)))
        }
        return fixed &+ length
    }

    /// The second word of the message.
    @inlinable @inline(__always)
    static func field(_ parameter: UInt32, isIPv6: Bool, type: UInt8, code: UInt8) -> UInt32 {
        if isIPv6 { return parameter }
        // The pointer of IPv4 is one byte, the first of the word (RFC 792).
        if type == ICMP.parameterProblem { return parameter &<< 24 }
        return type == ICMP.unreachable && code == ICMP.fragmentationNeeded ? parameter & 0xFFFF : parameter
    }

    /// Writes an IPv6 header with traffic class and flow label 0.
    @inlinable @inline(__always)
    static func writeIPv6(
        _ output: UnsafeMutableRawPointer,
        payloadLength: Int,
        protocol: UInt8,
        _ hopLimit: UInt8,
        _ source: IPv6Address,
        _ destination: IPv6Address
    ) {
        output.set32(0, 0x6000_0000)
        output.set16(4, UInt16(truncatingIfNeeded: payloadLength))
        output.set8(6, `protocol`)
        output.set8(7, hopLimit)
        output.setIPv6(8, source)
        output.setIPv6(24, destination)
    }

    /// Whether an error about a packet may be sent: RFC 1812 §4.3.2.7, RFC 1122 §3.2.2, RFC 4443 §2.4(e). Never about an
    /// ICMP error or redirect, be it that its type cannot be read; a packet to a group or to everybody, in IP or on the
    /// link; any fragment but the first; a packet from what is not the address of one host.
    ///
    /// Broadcast addresses of subnets are known to the caller only.
    ///
    /// - Parameters:
    ///   - frame: the bytes that `parsed` was read from.
    ///   - linkDestinationIsGroup: the packet came in a frame to a multicast or broadcast MAC; false if it came without
    ///     one.
    ///   - isTooBigOrParameter2: the error is packet too big or parameter problem with code 2 of ICMPv6, which answer
    ///     multicast too. What is too big is so in any fragment.
    @inlinable
    public static func mayAnswer(
        _ frame: UnsafeRawPointer,
        parsed: ParsedFrame,
        linkDestinationIsGroup: Bool,
        isTooBigOrParameter2: Bool
    ) -> Bool {
        guard parsed.isIP else { return false }
        let header = frame + parsed.networkOffset
        let isICMP = parsed.protocol == (parsed.isIPv6 ? IPProtocol.icmpv6 : IPProtocol.icmp)
        let mayBeGroup = parsed.isIPv6 && isTooBigOrParameter2
        if linkDestinationIsGroup && !mayBeGroup { return false }
        if parsed.isIPv6 {
            let destination = header.ipv6(24)
            if header.ipv6(8).isMartianSource || destination.isMartianDestination { return false }
            if destination.isMulticast && !mayBeGroup { return false }
        } else {
            let destination = header.ipv4(16)
            if header.ipv4(12).isMartianSource || destination.isMartianDestination || destination.isMulticast {
                return false
            }
        }
        if parsed.has(.laterFragment) { return mayBeGroup && !isICMP }
        // Without the end of the chain of extension headers nobody knows what it is.
        guard parsed.has(.transport) else { return false }
        guard isICMP else { return true }
        guard parsed.transportOffset < parsed.endOffset else { return false }
        let type = frame.byte(parsed.transportOffset)
        return parsed.isIPv6 ? ICMPv6.isInformational(type) : ICMP.isInformational(type)
    }
}
