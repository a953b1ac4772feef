/// A message of neighbour discovery (RFC 4861) that was found good, or why it was not.
@frozen
public struct NeighborDiscovery: Equatable, Sendable {
    /// What a frame is.
    public enum Kind: UInt8, Sendable {
        /// Nothing of this protocol.
        case none
        /// It has a type of this protocol, but its checks failed: to be dropped silently (RFC 4861 §6.1 and §7.1).
        case invalid
        /// In front of it stands a fragment header: to be dropped silently (RFC 6980 §5).
        case fragmented
        case solicitation
        case advertisement
        /// Recognised, but not looked into any further.
        case routerSolicitation
        case routerAdvertisement
        case redirect
    }

    public var kind: Kind
    /// Flags of an advertisement; false in a solicitation.
    public var isRouter: Bool
    public var isSolicited: Bool
    public var isOverride: Bool
    /// Whether `linkLayerAddress` was there.
    public var hasLinkLayerAddress: Bool
    /// The source option of a solicitation, the target option of an advertisement; zero if there is none. A group's or a
    /// zero address counts as none: no neighbour has it.
    public var linkLayerAddress: MACAddress
    /// Unspecified while a host asks whether an address is free.
    public var source: IPv6Address
    public var destination: IPv6Address
    /// The address asked for or told about. Zero unless it is a solicitation or an advertisement.
    public var target: IPv6Address

    @inlinable @inline(__always)
    init(_ kind: Kind) {
        self.kind = kind
        isRouter = false
        isSolicited = false
        isOverride = false
        hasLinkLayerAddress = false
        linkLayerAddress = MACAddress(bits: 0)
        source = IPv6Address(high: 0, low: 0)
        destination = IPv6Address(high: 0, low: 0)
        target = IPv6Address(high: 0, low: 0)
    }

    /// A solicitation for duplicate address detection (RFC 4862 §5.4.3): its answer goes to all nodes.
    @inlinable @inline(__always)
    public var isDuplicateDetection: Bool { kind == .solicitation && source.isUnspecified }

    /// Reads a parsed frame and checks all that RFC 4861 §7.1.1 and §7.1.2 (§6.1 for routers' messages) ask for: hop limit
    /// 255, so that nobody further away has sent it; checksum, code and length; options that have a length and lie inside;
    /// a target that is not multicast; without a source address no source option and no destination but a solicited-node
    /// one; an answer to nobody's question to a group only. RFC 6980 §5 forbids fragment headers.
    ///
    /// - Parameter frame: the bytes that `parsed` was read from.
    @inlinable
    public static func parse(_ frame: UnsafeRawPointer, _ parsed: ParsedFrame) -> NeighborDiscovery {
        guard parsed.isIPv6, parsed.has(.transport), parsed.protocol == IPProtocol.icmpv6,
            parsed.transportOffset < parsed.endOffset
        else { return NeighborDiscovery(.none) }
        let message = frame + parsed.transportOffset
        let type = message.byte(0)
        guard type >= ICMPv6.routerSolicitation, type <= ICMPv6.redirect else { return NeighborDiscovery(.none) }
        if parsed.has(.fragmentHeader) { return NeighborDiscovery(.fragmented) }
        let length = parsed.endOffset &- parsed.transportOffset
        let optionsAt = optionsOffset(type)
        guard !parsed.has(.cutShort), parsed.ttl == 255, length >= optionsAt, message.byte(1) == 0 else {
            return NeighborDiscovery(.invalid)
        }
        let header = frame + parsed.networkOffset
        let pseudo = Checksum.pseudoIPv6(header, protocol: IPProtocol.icmpv6, length: length)
        guard Checksum.fold(Checksum.sum(message, length, pseudo)) == 0xFFFF else { return NeighborDiscovery(.invalid) }

        var found = NeighborDiscovery(.solicitation)
        found.source = header.ipv6(8)
        found.destination = header.ipv6(24)
        let wanted = type == ICMPv6.neighborAdvertisement ? targetLinkLayerAddress : sourceLinkLayerAddress
        guard !found.source.isMulticast,
            let option = found.readOptions(message, from: optionsAt, to: length, wanted: wanted)
        else { return NeighborDiscovery(.invalid) }
        switch type {
        case ICMPv6.routerSolicitation:
            found.kind = found.source.isUnspecified && option ? .invalid : .routerSolicitation
        case ICMPv6.routerAdvertisement:
            found.kind = found.source.isLinkLocal ? .routerAdvertisement : .invalid
        case ICMPv6.redirect:
            found.kind = found.source.isLinkLocal ? .redirect : .invalid
        default:
            found.target = message.ipv6(8)
            found.checkNeighbor(type, message.byte(4), hasOption: option)
        }
        return found.kind == .invalid ? NeighborDiscovery(.invalid) : found
    }

    @usableFromInline static let sourceLinkLayerAddress: UInt8 = 1
    @usableFromInline static let targetLinkLayerAddress: UInt8 = 2

    /// Length of a message without options (RFC 4861 §4.1 to §4.5).
    @inlinable @inline(__always)
    static func optionsOffset(_ type: UInt8) -> Int {
        switch type {
        case ICMPv6.routerSolicitation: 8
        case ICMPv6.routerAdvertisement: 16
        case ICMPv6.redirect: 40
        default: 24
        }
    }

    /// Walks over all options (RFC 4861 §4.6) and keeps the first link-layer address of the wanted type. Returns whether
    /// there was one, or nil if an option has no length or the wrong one, or does not lie inside.
    @inlinable
    mutating func readOptions(_ message: UnsafeRawPointer, from start: Int, to end: Int, wanted: UInt8) -> Bool? {
        var at = start
        var isFound = false
        while at < end {
            guard at &+ 2 <= end else { return nil }
            let size = Int(message.byte(at &+ 1)) &* 8
            guard size > 0, at &+ size <= end else { return nil }
            if message.byte(at) == wanted, !isFound {
                // Addresses of Ethernet fill 8 bytes with type and length (RFC 2464 §6).
                guard size == 8 else { return nil }
                isFound = true
                let address = message.mac(at &+ 2)
                if address.isUnicast {
                    hasLinkLayerAddress = true
                    linkLayerAddress = address
                }
            }
            at &+= size
        }
        return isFound
    }

    /// The checks that only messages about neighbours have.
    @inlinable @inline(__always)
    mutating func checkNeighbor(_ type: UInt8, _ flags: UInt8, hasOption: Bool) {
        if target.isMulticast {
            kind = .invalid
        } else if type == ICMPv6.neighborSolicitation {
            if source.isUnspecified, hasOption || !destination.isSolicitedNode { kind = .invalid }
        } else {
            kind = .advertisement
            isRouter = flags & 0x80 != 0
            isSolicited = flags & 0x40 != 0
            isOverride = flags & 0x20 != 0
            if isSolicited, destination.isMulticast { kind = .invalid }
        }
    }
}
