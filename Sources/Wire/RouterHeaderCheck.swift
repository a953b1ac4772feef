/// What a router makes sure of before it looks at addresses: RFC 1812 §5.2.2 for IPv4, RFC 8200 §4 for IPv6.
public enum RouterHeaderCheck {
    /// What is wrong with a header, or noteworthy.
    public enum Verdict: UInt8, Sendable, CaseIterable {
        /// To be forwarded like any other.
        case fine
        /// To be forwarded, with a note for the routers on its way (RFC 2113, RFC 2711).
        case routerAlert
        /// Fewer bytes than an IP header has.
        case truncated
        /// The version is not that of the EtherType.
        case version
        /// IPv4: a header shorter than 20 bytes, longer than what is there, or longer than its datagram.
        case headerLength
        /// More bytes claimed than are there.
        case totalLength
        /// IPv4: the header's checksum is wrong.
        case checksum
        /// IPv4: loose or strict source route. It leads packets past whoever thinks to have filtered them (RFC 7126
        /// §4.3, §4.4).
        case sourceRoute
        /// An option of IPv4 or a hop-by-hop option that has no proper length or does not lie inside.
        case badOption
        /// IPv6: a routing header of type 0, however many segments are left (RFC 5095 §3).
        case routingHeader0
        /// IPv6: the chain of extension headers does not end inside of the datagram, or has more headers, options or
        /// padding than anybody needs (RFC 8504 §5.3).
        case extensionHeaders
        /// A hop-by-hop option that says: who does not know me discards the packet (RFC 8200 §4.2, 01).
        case unknownOptionDiscard
        /// The same, and tells the sender so: parameter problem with code 2, also if the destination is a group (10).
        case unknownOptionAnswer
        /// The same, but not if the destination is a group (11).
        case unknownOptionAnswerUnicast
    }

    /// A verdict, and what it is about.
    @frozen
    public struct Finding: Equatable, Sendable {
        public var verdict: Verdict
        /// Where the option is that the verdict is about, from the first byte of the IP header: the pointer of a parameter
        /// problem. Otherwise 0.
        public var offset: UInt16

        @inlinable @inline(__always)
        init(_ verdict: Verdict, at offset: Int = 0) {
            self.verdict = verdict
            self.offset = UInt16(truncatingIfNeeded: offset)
        }
    }

    /// Options of one hop-by-hop header that are looked at, padding aside, and bytes of padding in a row: as in Linux.
    public static let maximumOptions = 8
    public static let maximumPadding = 7

    /// Checks the IP header of a frame with the EtherType of IPv4 or IPv6. Options and headers that no verdict is about
    /// are carried as they are: a router need not know them.
    ///
    /// - Parameter frame: the bytes that `parsed` was read from.
    @inlinable
    public static func check(_ frame: UnsafeRawPointer, _ parsed: ParsedFrame) -> Finding {
        let header = frame + parsed.networkOffset
        let present = parsed.endOffset &- parsed.networkOffset
        guard parsed.isIP else {
            let isIPv6 = parsed.etherType == EtherType.ipv6
            if present < (isIPv6 ? HeaderLength.ipv6 : HeaderLength.ipv4) { return Finding(.truncated) }
            return Finding(header.byte(0) &>> 4 == (isIPv6 ? 6 : 4) ? .headerLength : .version)
        }
        if parsed.has(.cutShort) { return Finding(.totalLength) }
        if parsed.isIPv6 {
            // Nearly all headers are followed by a transport header.
            if parsed.has(.transport), parsed.transportOffset &- parsed.networkOffset == HeaderLength.ipv6 {
                return Finding(.fine)
            }
            return checkExtensionHeaders(header, present, isMalformed: parsed.has(.malformed))
        }
        let length = Int(header.byte(0) & 15) &* 4
        guard Checksum.isValid(ipv4Header: header, length: length) else { return Finding(.checksum) }
        return length == HeaderLength.ipv4 ? Finding(.fine) : checkOptions(header, length)
    }

    /// Walks over the options of IPv4 (RFC 791 §3.1).
    @inlinable
    static func checkOptions(_ header: UnsafeRawPointer, _ length: Int) -> Finding {
        var at = HeaderLength.ipv4
        var noted = Finding(.fine)
        while at < length {
            let type = header.byte(at)
            if type == IPv4Option.end { break }
            if type == IPv4Option.noOperation {
                at &+= 1
                continue
            }
            guard at &+ 2 <= length else { return Finding(.badOption, at: at) }
            let size = Int(header.byte(at &+ 1))
            guard size >= 2, at &+ size <= length else { return Finding(.badOption, at: at) }
            if type == IPv4Option.looseSourceRoute || type == IPv4Option.strictSourceRoute {
                return Finding(.sourceRoute, at: at)
            }
            if type == IPv4Option.routerAlert { noted = Finding(.routerAlert, at: at) }
            at &+= size
        }
        return noted
    }

    /// Walks over the extension headers. Options count if they are hop-by-hop, which only the first header is (RFC 8200
    /// §4.3).
    @inlinable
    static func checkExtensionHeaders(_ header: UnsafeRawPointer, _ present: Int, isMalformed: Bool) -> Finding {
        var at = HeaderLength.ipv6
        var next = header.byte(6)
        var noted = Finding(.fine)
        if next == IPProtocol.hopByHop, at &+ 8 <= present {
            let length = 8 &+ Int(header.byte(at &+ 1)) &* 8
            guard at &+ length <= present else { return Finding(.extensionHeaders) }
            noted = checkHopByHop(header, from: at &+ 2, to: at &+ length)
            if noted.verdict != .fine, noted.verdict != .routerAlert { return noted }
        }
        var walked = 0
        while walked < ParsedFrame.maximumExtensionHeaders, at &+ 8 <= present {
            let length: Int
            switch next {
            case IPProtocol.routing where header.byte(at &+ 2) == 0:
                return Finding(.routingHeader0, at: at)
            case IPProtocol.hopByHop, IPProtocol.routing, IPProtocol.destinationOptions:
                length = 8 &+ Int(header.byte(at &+ 1)) &* 8
            case IPProtocol.authentication:
                length = 8 &+ Int(header.byte(at &+ 1)) &* 4
            case IPProtocol.fragment where header.be16(at &+ 2) & 0xFFF8 == 0:
                length = 8
            default:
                return isMalformed ? Finding(.extensionHeaders) : noted
            }
            next = header.byte(at)
            at &+= length
            walked &+= 1
        }
        return isMalformed ? Finding(.extensionHeaders) : noted
    }

    /// Walks over hop-by-hop options (RFC 8200 §4.2).
    @inlinable
    static func checkHopByHop(_ header: UnsafeRawPointer, from start: Int, to end: Int) -> Finding {
        var at = start
        var padding = 0
        var options = 0
        var noted = Finding(.fine)
        while at < end {
            let type = header.byte(at)
            let size: Int
            if type == IPv6Option.pad1 {
                size = 1
            } else {
                guard at &+ 2 <= end else { return Finding(.badOption, at: at) }
                size = 2 &+ Int(header.byte(at &+ 1))
                guard at &+ size <= end else { return Finding(.badOption, at: at) }
            }
            if type == IPv6Option.pad1 || type == IPv6Option.padN {
                padding &+= size
                if padding > maximumPadding { return Finding(.extensionHeaders, at: at) }
            } else {
                padding = 0
                options &+= 1
                if options > maximumOptions { return Finding(.extensionHeaders, at: at) }
                if type == IPv6Option.routerAlert {
                    guard size == 4 else { return Finding(.badOption, at: at) }
                    noted = Finding(.routerAlert, at: at)
                } else {
                    switch type &>> 6 {
                    case 0: break
                    case 1: return Finding(.unknownOptionDiscard, at: at)
                    case 2: return Finding(.unknownOptionAnswer, at: at)
                    default: return Finding(.unknownOptionAnswerUnicast, at: at)
                    }
                }
            }
            at &+= size
        }
        return noted
    }
}

/// Options of IPv4, with their copied flag, class and number in one byte (RFC 791 §3.1).
public enum IPv4Option {
    public static let end: UInt8 = 0
    public static let noOperation: UInt8 = 1
    public static let looseSourceRoute: UInt8 = 131
    public static let strictSourceRoute: UInt8 = 137
    /// RFC 2113.
    public static let routerAlert: UInt8 = 148
    /// Goes into every fragment, not only into the first.
    public static let copiedFlag: UInt8 = 0x80
}

/// Hop-by-hop options of IPv6 (RFC 8200 §4.2). The upper two bits say what becomes of a packet with an unknown one.
public enum IPv6Option {
    public static let pad1: UInt8 = 0
    public static let padN: UInt8 = 1
    /// RFC 2711.
    public static let routerAlert: UInt8 = 5
}
