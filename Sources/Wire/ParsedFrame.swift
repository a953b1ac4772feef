// What a frame says, read once. Everything that looks into a tenant's frame (bridging, flow hash, ECN, offloads,
// segmentation) uses this one parser, so that no two of them can disagree about where a header begins.

/// The layers of one Ethernet frame as offsets from its first byte. A plain value: it holds no pointer into the frame.
///
/// Each layer has a flag that says that all of its header was there; what a layer's fields hold without the flag is
/// zero. Any bytes of any length can be parsed.
@frozen
public struct ParsedFrame: Equatable, Sendable {
    /// What was found.
    @frozen
    public struct Flags: OptionSet, Equatable, Sendable {
        public var rawValue: UInt16

        @inlinable
        public init(rawValue: UInt16) { self.rawValue = rawValue }

        /// Both addresses and the type were there. Without it nothing else is set.
        public static let ethernet = Flags(rawValue: 1)
        /// A complete IPv4 header, with its options.
        public static let ipv4 = Flags(rawValue: 2)
        /// A complete IPv6 header; extension headers may still be missing.
        public static let ipv6 = Flags(rawValue: 4)
        /// `transportOffset` is where the header of `protocol` begins: not set on later fragments, nor if the chain of
        /// IPv6 extension headers is cut short or longer than eight.
        public static let transport = Flags(rawValue: 8)
        /// Both ports are there (TCP, UDP, DCCP, SCTP, UDP-Lite).
        public static let ports = Flags(rawValue: 16)
        /// The whole header of TCP (with options) or UDP is there: `payloadOffset` is valid.
        public static let transportHeader = Flags(rawValue: 32)
        /// Part of a datagram: more fragments follow, or the offset is not zero.
        public static let fragment = Flags(rawValue: 64)
        /// Any fragment but the first: it has no ports.
        public static let laterFragment = Flags(rawValue: 128)
        /// An IPv6 fragment header is present, be it in an atomic fragment (RFC 6946).
        public static let fragmentHeader = Flags(rawValue: 256)
        /// The IP header claims more bytes than there are.
        public static let cutShort = Flags(rawValue: 512)
        /// The EtherType promises an IP header that is not there or cannot be: wrong version, header length below 20,
        /// total length below the header's, a broken chain of extension headers, a tag without its type.
        public static let malformed = Flags(rawValue: 1024)
        /// An IPv6 routing header with segments left: the pseudo-header's destination is not the one in the IP header
        /// (RFC 8200 §8.1).
        public static let routingHeader = Flags(rawValue: 2048)
        /// An authentication header among the IPv6 extension headers: the datagram cannot be changed.
        public static let authenticationHeader = Flags(rawValue: 4096)
    }

    public var destination: MACAddress
    public var source: MACAddress
    public var flags: Flags
    /// The type after all tags that were read; a value below 0x0600 is an 802.3 length.
    public var etherType: UInt16
    /// Type and tag control information (priority, DEI, VID) of the first tag.
    public var outerTagType: UInt16
    public var outerTag: UInt16
    /// The same of the second tag.
    public var innerTagType: UInt16
    public var innerTag: UInt16
    /// Tags that were there: 0, 1, 2, or 3 for more than two. With more, `etherType` is the third tag's and nothing
    /// behind it is looked at.
    public var tagCount: UInt8
    /// Protocol of the payload of IP, after IPv6 extension headers.
    public var `protocol`: UInt8
    /// Type of service or traffic class: DSCP and ECN.
    public var tos: UInt8
    /// Time to live or hop limit.
    public var ttl: UInt8
    /// In bytes.
    public var fragmentOffset: UInt16
    public var sourcePort: UInt16
    public var destinationPort: UInt16
    @usableFromInline var network: UInt16
    @usableFromInline var transport: UInt16
    @usableFromInline var payload: UInt16
    @usableFromInline var end: UInt32

    /// Nothing was there.
    @inlinable
    public init() {
        destination = .zero
        source = .zero
        flags = []
        etherType = 0
        outerTagType = 0
        outerTag = 0
        innerTagType = 0
        innerTag = 0
        tagCount = 0
        `protocol` = 0
        tos = 0
        ttl = 0
        fragmentOffset = 0
        sourcePort = 0
        destinationPort = 0
        network = 0
        transport = 0
        payload = 0
        end = 0
    }

    /// Where the bytes after the EtherType begin.
    @inlinable @inline(__always)
    public var networkOffset: Int { Int(network) }

    /// Where the header of `protocol` begins. Valid with `.transport`.
    @inlinable @inline(__always)
    public var transportOffset: Int { Int(transport) }

    /// Where the payload of TCP or UDP begins. Valid with `.transportHeader`.
    @inlinable @inline(__always)
    public var payloadOffset: Int { Int(payload) }

    /// Where the IP datagram ends: what its header says, or the end of the frame if that comes first. Bytes behind it
    /// are padding. Without an IP header, the end of the frame.
    @inlinable @inline(__always)
    public var endOffset: Int { Int(end) }

    @inlinable @inline(__always)
    public var isEthernet: Bool { flags.rawValue & Flags.ethernet.rawValue != 0 }

    @inlinable @inline(__always)
    public var isIPv4: Bool { flags.rawValue & Flags.ipv4.rawValue != 0 }

    @inlinable @inline(__always)
    public var isIPv6: Bool { flags.rawValue & Flags.ipv6.rawValue != 0 }

    @inlinable @inline(__always)
    public var isIP: Bool { flags.rawValue & (Flags.ipv4.rawValue | Flags.ipv6.rawValue) != 0 }

    /// Whether all flags of `wanted` are set.
    @inlinable @inline(__always)
    public func has(_ wanted: Flags) -> Bool { flags.rawValue & wanted.rawValue == wanted.rawValue }

    /// VLAN identifier of the first tag; 0 without one.
    @inlinable @inline(__always)
    public var outerVID: UInt16 { outerTag & 0x0FFF }
}
