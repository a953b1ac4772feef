import Rings
import Tables
import Wire

/// Why a router cannot deliver a packet, as ICMP says it.
enum Unreachable {
    case network, host, `protocol`, port, prohibited, timeExceeded

    /// Type and code of RFC 792 and RFC 1812 §5.2.7.1.
    @inline(__always)
    var ipv4: (type: UInt8, code: UInt8) {
        switch self {
        case .network: (ICMP.unreachable, ICMP.networkUnreachable)
        case .host: (ICMP.unreachable, ICMP.hostUnreachable)
        case .protocol: (ICMP.unreachable, ICMP.protocolUnreachable)
        case .port: (ICMP.unreachable, ICMP.portUnreachable)
        case .prohibited: (ICMP.unreachable, ICMP.administrativelyProhibited)
        case .timeExceeded: (ICMP.timeExceeded, ICMP.inTransit)
        }
    }

    /// Type and code of RFC 4443 §3; a next header that nobody takes is a problem with a parameter there, the one that
    /// names it.
    @inline(__always)
    var ipv6: (type: UInt8, code: UInt8) {
        switch self {
        case .network: (ICMPv6.unreachable, ICMPv6.noRoute)
        case .prohibited: (ICMPv6.unreachable, ICMPv6.administrativelyProhibited)
        case .host: (ICMPv6.unreachable, ICMPv6.addressUnreachable)
        case .port: (ICMPv6.unreachable, ICMPv6.portUnreachable)
        case .timeExceeded: (ICMPv6.timeExceeded, ICMPv6.inTransit)
        case .protocol: (ICMPv6.parameterProblem, ICMPv6.unknownNextHeader)
        }
    }
}

/// Drops a packet at a router and, where the rules allow it, has the sender told.
func refuse(
    _ reason: DropReason,
    _ step: Step,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    unreachable cause: Unreachable
) -> DropReason {
    let isIPv6 = journey.parsed.isIPv6
    let (type, code) = isIPv6 ? cause.ipv6 : cause.ipv4
    let parameter = isIPv6 && cause == .protocol ? journey.nextHeaderPlace : 0
    journey.answerError(type, code, parameter, from: step, snapshot)
    return reason
}

extension Journey {
    /// Where the protocol of an IPv6 packet is named, from the first byte of its header: there, or in the last extension
    /// header.
    fileprivate var nextHeaderPlace: UInt32 {
        let header = content + parsed.networkOffset
        let end = parsed.transportOffset &- parsed.networkOffset
        var place = 6
        var at = HeaderLength.ipv6
        // The parser has been here: every length lies inside.
        while at < end {
            let next = header.byte(place)
            let length = Int(header.byte(at &+ 1))
            place = at
            at &+= next == IPProtocol.fragment ? 8 : 8 &+ length &* (next == IPProtocol.authentication ? 4 : 8)
        }
        return UInt32(truncatingIfNeeded: place)
    }

    /// Has an ICMP error sent by a router, if one may be sent about this packet (RFC 1812 §4.3.2.7, RFC 4443 §2.4).
    mutating func answerError(
        _ type: UInt8,
        _ code: UInt8,
        _ parameter: UInt32,
        from step: Step,
        _ snapshot: Snapshot
    ) {
        let isTooBig = parsed.isIPv6 && type == ICMPv6.packetTooBig
        guard
            ICMPError.mayAnswer(
                content,
                parsed: parsed,
                linkDestinationIsGroup: decision.networkType == 0 && parsed.destination.isGroup,
                isTooBigOrParameter2: isTooBig
            )
        else { return }
        let source = snapshot.speaker(step.interface, isIPv6: parsed.isIPv6)
        guard source != IPv6Address(high: 0, low: 0) else { return }
        decision.answer.kind = Answer.Kind.error
        decision.answer.type = type
        decision.answer.code = code
        decision.answer.parameter = parameter
        decision.answer.router = step.router
        decision.answer.source = source
        decision.routing.destination = parsed.source
        decision.routing.source = parsed.destination
    }
}

extension Snapshot {
    /// The address that a router speaks by towards an interface, or :: if it has none of the family.
    func speaker(_ interface: UInt32, isIPv6: Bool) -> IPv6Address {
        let row = interfaces[Int(interface)]
        let router = routers[Int(row.router)]
        if isIPv6 {
            return row.ipv6 != IPv6Address(high: 0, low: 0) ? row.ipv6 : router.anyIPv6
        }
        let bits = row.ipv4 != 0 ? row.ipv4 : router.anyIPv4
        return bits == 0 ? IPv6Address(high: 0, low: 0) : IPv6Address(mapping: IPv4Address(bits: bits))
    }
}
