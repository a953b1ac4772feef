// Messages about neighbours as whole Ethernet frames without tags, checksums complete.

extension NeighborDiscovery {
    /// Bytes of a frame with a link-layer address option: Ethernet, IPv6, 24 bytes of message, 8 of option. The longest
    /// that is written here.
    public static let frameLength = HeaderLength.ethernet + HeaderLength.ipv6 + 32

    /// Writes an advertisement with its target option (RFC 4861 §4.4), `frameLength` bytes.
    ///
    /// - Parameters:
    ///   - senderMAC: source of the frame, and the address that is told.
    ///   - source: an address of the sender.
    ///   - target: the address that is told about.
    ///   - destinationMAC: whom the frame is for: the neighbour, or `MACAddress(multicast: destination)`.
    ///   - destination: the neighbour's address, or `IPv6Address.allNodes`.
    ///   - isSolicited: it answers a question; never to a multicast address.
    ///   - isOverride: what others have cached about the target is to be replaced.
    @inlinable
    public static func writeAdvertisement(
        to bytes: UnsafeMutableRawPointer,
        senderMAC: MACAddress,
        source: IPv6Address,
        target: IPv6Address,
        destinationMAC: MACAddress,
        destination: IPv6Address,
        isRouter: Bool,
        isSolicited: Bool,
        isOverride: Bool
    ) {
        let flags: UInt32 =
            (isRouter ? 0x8000_0000 : 0) | (isSolicited ? 0x4000_0000 : 0) | (isOverride ? 0x2000_0000 : 0)
        _ = write(
            to: bytes,
            type: ICMPv6.neighborAdvertisement,
            flags: flags,
            senderMAC,
            source,
            destinationMAC,
            destination,
            target,
            option: targetLinkLayerAddress
        )
    }

    /// Writes the answer to a solicitation (RFC 4861 §7.2.4), `frameLength` bytes: from the target itself to the asker, or
    /// to all nodes if the asker has no address yet.
    ///
    /// - Parameters:
    ///   - solicitation: of kind `.solicitation`, about an address of ours.
    ///   - senderMAC: whose the target is.
    ///   - neighborMAC: source of the frame that asked: its option may name another address, or be missing.
    ///   - isRouter: whether the target forwards packets.
    @inlinable
    public static func writeAnswer(
        to bytes: UnsafeMutableRawPointer,
        _ solicitation: NeighborDiscovery,
        senderMAC: MACAddress,
        neighborMAC: MACAddress,
        isRouter: Bool
    ) {
        let toAll = solicitation.source.isUnspecified
        writeAdvertisement(
            to: bytes,
            senderMAC: senderMAC,
            source: solicitation.target,
            target: solicitation.target,
            destinationMAC: toAll ? MACAddress(multicast: .allNodes) : neighborMAC,
            destination: toAll ? .allNodes : solicitation.source,
            isRouter: isRouter,
            isSolicited: !toAll,
            isOverride: true
        )
    }

    /// Writes a solicitation (RFC 4861 §4.3) to the solicited-node group of the target or, to see whether a known
    /// neighbour is still there (§7.3), to itself.
    ///
    /// - Parameters:
    ///   - bytes: `frameLength` bytes.
    ///   - senderMAC: source of the frame and of the option.
    ///   - source: ours; unspecified to ask whether the target is free (RFC 4862 §5.4.2), then without the option.
    ///   - target: the address to be resolved.
    ///   - targetMAC: the neighbour to ask directly; nil to ask the group.
    /// - Returns: bytes written, `frameLength` or 8 less.
    @inlinable
    public static func writeSolicitation(
        to bytes: UnsafeMutableRawPointer,
        senderMAC: MACAddress,
        source: IPv6Address,
        target: IPv6Address,
        targetMAC: MACAddress? = nil
    ) -> Int {
        let group = target.solicitedNode
        let destinationMAC: MACAddress
        if let targetMAC { destinationMAC = targetMAC } else { destinationMAC = MACAddress(multicast: group) }
        return write(
            to: bytes,
            type: ICMPv6.neighborSolicitation,
            flags: 0,
            senderMAC,
            source,
            destinationMAC,
            targetMAC == nil ? group : target,
            target,
            option: source.isUnspecified ? 0 : sourceLinkLayerAddress
        )
    }

    /// Writes the frame and returns its length. `option` is the type of the link-layer address option, 0 for none.
    @inlinable
    static func write(
        to bytes: UnsafeMutableRawPointer,
        type: UInt8,
        flags: UInt32,
        _ senderMAC: MACAddress,
        _ source: IPv6Address,
        _ destinationMAC: MACAddress,
        _ destination: IPv6Address,
        _ target: IPv6Address,
        option: UInt8
    ) -> Int {
        let length = option == 0 ? 24 : 32
        bytes.setMAC(0, destinationMAC)
        bytes.setMAC(6, senderMAC)
        bytes.set16(12, EtherType.ipv6)
        let header = bytes + HeaderLength.ethernet
        ICMPError.writeIPv6(header, payloadLength: length, protocol: IPProtocol.icmpv6, 255, source, destination)
        let message = header + HeaderLength.ipv6
        message.set32(0, UInt32(type) &<< 24)
        message.set32(4, flags)
        message.setIPv6(8, target)
        if option != 0 {
            message.set16(24, UInt16(option) &<< 8 | 1)
            message.setMAC(26, senderMAC)
        }
        let pseudo = Checksum.pseudoIPv6(UnsafeRawPointer(header), protocol: IPProtocol.icmpv6, length: length)
        message.set16(2, Checksum.finishTransport(Checksum.sum(UnsafeRawPointer(message), length, pseudo)))
        return HeaderLength.ethernet &+ HeaderLength.ipv6 &+ length
    }
}
