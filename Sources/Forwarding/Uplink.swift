import Rings
import Tables
import Wire

// An uplink brings frames of the underlay itself: the VTEP's addresses are in the switch. Its tunnel packets lose all outer
// headers at once; everything else (ARP, pings, path MTU messages) is for the underlay's router, in a network of its own
// that has no other member.

/// Finds out whether a frame of the underlay is a tunnel packet for this VTEP (VXLAN, GRE, or IP in IP), and if so whose.
/// Not inlined: other frames would pay for its registers.
@inline(never)
func classifyUplink<R: Recorder>(
    _ frame: Frame,
    _ endpoint: EndpointRecord,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ recorder: inout R
) -> DropReason? {
    guard endpoint.untagged != noSlot else { return .portWithoutNetwork }
    journey.enter(endpoint.untagged, snapshot)
    guard frame.length >= HeaderLength.ethernet else { return .tooShort }
    let interface = snapshot.interfaces[Int(snapshot.attachments[Int(endpoint.untagged)].interface)]
    let bytes = journey.content
    // What is not simply a datagram for the VTEP is looked at like any other frame.
    guard bytes.mac(0).bits == snapshot.routers[Int(interface.router)].mac,
        let outer = OuterHeaders(bytes, frame.length),
        outer.destination == (outer.isIPv6 ? interface.ipv6 : interface.mappedIPv4)
    else { return nil }
    // What stands behind the packet is padding.
    journey.decision.contentLength = UInt32(truncatingIfNeeded: outer.end)
    journey.outerSource = outer.source
    journey.outerTOS = outer.tos
    let transport = outer.transport
    let way = WayIn.key(uplink: frame.endpoint, protocol: outer.protocol)
    switch outer.protocol {
    case IPProtocol.udp:
        guard transport &+ HeaderLength.udp <= outer.end,
            bytes.be16(transport &+ 2) == UInt16(truncatingIfNeeded: endpoint.port)
        else { break }
        // RFC 768: the length covers its own header.
        let length = Int(bytes.be16(transport &+ 4))
        guard length >= HeaderLength.udp &+ VXLANHeader.length, transport &+ length <= outer.end else {
            return .tunnelHeaderTruncated
        }
        guard outer.checksumHolds(bytes, length, frame.offload) else { return .outerChecksum }
        guard journey.keepInnerWork(outer) else { return .badOffload }
        journey.decision.contentLength = UInt32(truncatingIfNeeded: transport &+ length)
        return enterVXLAN(frame, at: transport &+ HeaderLength.udp, &journey, snapshot, &recorder)
    case IPProtocol.gre:
        guard journey.keepInnerWork(outer) else { return .badOffload }
        return enterGRE(way, at: transport, &journey, snapshot, &recorder)
    case IPProtocol.ipv4, IPProtocol.ipv6, IPProtocol.ka9qIPIP:
        guard journey.keepInnerWork(outer) else { return .badOffload }
        return enterIP(way, outer.protocol, at: transport, &journey, snapshot, &recorder)
    default: break
    }
    // For the VTEP itself.
    journey.decision.contentLength = UInt32(truncatingIfNeeded: frame.length)
    return nil
}

/// Ethernet and IP in front of a tunnel packet, with nothing unusual about them.
private struct OuterHeaders {
    var isIPv6: Bool
    var network: Int
    /// Where what the IP header is followed by begins, and where the IP packet ends.
    var transport: Int
    var end: Int
    var `protocol`: UInt8
    var source: IPv6Address
    var destination: IPv6Address
    var tos: UInt8

    /// Nil if the frame is not a whole, unfragmented IP packet without options whose header is right. A tag that only has a
    /// priority is none.
    @inline(__always)
    init?(_ bytes: UnsafeRawPointer, _ count: Int) {
        var network = HeaderLength.ethernet
        var type = bytes.be16(12)
        if type == EtherType.vlan, count >= network &+ HeaderLength.vlanTag, bytes.be16(14) & 0xFFF == 0 {
            type = bytes.be16(16)
            network &+= HeaderLength.vlanTag
        }
        let header = bytes + network
        let present = count &- network
        if type == EtherType.ipv4 {
            guard present >= HeaderLength.ipv4, header.byte(0) == 0x45, header.be16(6) & 0x3FFF == 0,
                Checksum.isValid(ipv4Header: header, length: HeaderLength.ipv4)
            else { return nil }
            isIPv6 = false
            `protocol` = header.byte(9)
            transport = network &+ HeaderLength.ipv4
            end = network &+ Int(header.be16(2))
            source = IPv6Address(mapping: header.ipv4(12))
            destination = IPv6Address(mapping: header.ipv4(16))
            tos = header.byte(1)
        } else if type == EtherType.ipv6 {
            guard present >= HeaderLength.ipv6, header.byte(0) &>> 4 == 6 else { return nil }
            isIPv6 = true
            `protocol` = header.byte(6)
            transport = network &+ HeaderLength.ipv6
            end = transport &+ Int(header.be16(4))
            source = header.ipv6(8)
            destination = header.ipv6(24)
            tos = UInt8(truncatingIfNeeded: header.be16(0) &>> 4)
        } else {
            return nil
        }
        guard transport <= end, end <= count else { return nil }
        self.network = network
    }

    /// Whether the UDP checksum is right, or nobody has to look: there is none (RFC 768; over IPv6 tunnels may do without,
    /// RFC 6935), the host has looked already, or the sender is on this machine and has not computed it.
    @inline(__always)
    func checksumHolds(_ bytes: UnsafeRawPointer, _ length: Int, _ offload: Offload) -> Bool {
        if bytes.be16(transport &+ 6) == 0 || offload.flags != 0 { return true }
        return checksumIsRight(bytes, length)
    }

    @inline(never)
    private func checksumIsRight(_ bytes: UnsafeRawPointer, _ length: Int) -> Bool {
        let header = bytes + network
        let pseudo =
            isIPv6
            ? Checksum.pseudoIPv6(header, protocol: IPProtocol.udp, length: length)
            : Checksum.pseudoIPv4(header, protocol: IPProtocol.udp, length: length)
        return Checksum.fold(Checksum.sum(bytes + transport, length, pseudo)) == 0xFFFF
    }
}

extension Journey {
    /// Keeps of what the sender left undone what concerns the inner frame. A super-frame of the tunnel is one of the inner
    /// flow; a checksum of the outer header goes with that header.
    ///
    /// - Returns: false for a super-frame of the outer flow.
    @inline(__always)
    fileprivate mutating func keepInnerWork(_ outer: OuterHeaders) -> Bool {
        offload.gsoType &= ~(Offload.gsoTunnelIPv4 | Offload.gsoTunnelIPv6)
        guard offload.needsChecksum else {
            // That the outer checksum is known to be right says nothing about the inner one.
            offload.flags = 0
            return true
        }
        guard Int(offload.checksumStart) == outer.transport else { return true }
        let isOuter = offload.isSuperFrame
        offload = .none
        return !isOuter
    }
}

extension InterfaceRecord {
    /// The first IPv4 address in the form of tables; one that no packet has if there is none.
    @inline(__always)
    var mappedIPv4: IPv6Address { IPv6Address(mapping: IPv4Address(bits: ipv4)) }
}
