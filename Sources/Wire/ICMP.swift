/// Types and codes of ICMP (RFC 792; IANA "ICMP Parameters").
public enum ICMP {
    public static let echoReply: UInt8 = 0
    public static let unreachable: UInt8 = 3
    /// Deprecated (RFC 6633).
    public static let sourceQuench: UInt8 = 4
    public static let redirect: UInt8 = 5
    public static let echoRequest: UInt8 = 8
    public static let timeExceeded: UInt8 = 11
    public static let parameterProblem: UInt8 = 12

    /// Codes of `unreachable` (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1).
    public static let networkUnreachable: UInt8 = 0
    public static let hostUnreachable: UInt8 = 1
    public static let protocolUnreachable: UInt8 = 2
    public static let portUnreachable: UInt8 = 3
    /// The next hop's MTU stands in the message (RFC 1191 §4).
    public static let fragmentationNeeded: UInt8 = 4
    public static let sourceRouteFailed: UInt8 = 5
    public static let administrativelyProhibited: UInt8 = 13

    /// Codes of `timeExceeded`.
    public static let inTransit: UInt8 = 0
    public static let reassembly: UInt8 = 1

    /// Whether a message of this type may be answered with an error: those that ask or answer something. Unknown ones
    /// count as errors, as in Linux, so that nobody can start a loop with them.
    @inlinable @inline(__always)
    public static func isInformational(_ type: UInt8) -> Bool {
        switch type {
        // Echo, router discovery (RFC 1256), timestamp, information, address mask (RFC 950), extended echo (RFC 8335).
        case 0, 8, 9, 10, 13...18, 42, 43: true
        default: false
        }
    }
}

/// Types and codes of ICMPv6 (RFC 4443; RFC 4861 for neighbour discovery). Types below 128 are errors.
public enum ICMPv6 {
    public static let unreachable: UInt8 = 1
    public static let packetTooBig: UInt8 = 2
    public static let timeExceeded: UInt8 = 3
    public static let parameterProblem: UInt8 = 4
    public static let echoRequest: UInt8 = 128
    public static let echoReply: UInt8 = 129
    public static let routerSolicitation: UInt8 = 133
    public static let routerAdvertisement: UInt8 = 134
    public static let neighborSolicitation: UInt8 = 135
    public static let neighborAdvertisement: UInt8 = 136
    public static let redirect: UInt8 = 137

    /// Codes of `unreachable` (RFC 4443 §3.1).
    public static let noRoute: UInt8 = 0
    public static let administrativelyProhibited: UInt8 = 1
    public static let beyondScope: UInt8 = 2
    public static let addressUnreachable: UInt8 = 3
    public static let portUnreachable: UInt8 = 4

    /// Codes of `timeExceeded` (RFC 4443 §3.3).
    public static let inTransit: UInt8 = 0
    public static let reassembly: UInt8 = 1

    /// Codes of `parameterProblem` (RFC 4443 §3.4).
    public static let erroneousHeader: UInt8 = 0
    public static let unknownNextHeader: UInt8 = 1
    public static let unknownOption: UInt8 = 2

    /// Whether a message of this type may be answered with an error: no error, and no redirect (RFC 4443 §2.4(e.1),
    /// (e.2)).
    @inlinable @inline(__always)
    public static func isInformational(_ type: UInt8) -> Bool { type >= 128 && type != redirect }
}
