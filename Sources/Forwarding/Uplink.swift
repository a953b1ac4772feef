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
        let outer = OuterPacket(bytes, frame.length),
        outer.destination(bytes) == (outer.isIPv6 ? interface.ipv6 : interface.mappedIPv4)
    else { return nil }
    // What stands behind the packet is padding.
    journey.decision.contentLength = UInt32(truncatingIfNeeded: outer.end)
    journey.outerSource = outer.source(bytes)
    journey.outerTOS = outer.tos(bytes)
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
        return enterVXLAN(way, at: transport &+ HeaderLength.udp, &journey, snapshot, &recorder)
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

extension OuterPacket {
    /// Whether the UDP checksum is right, or nobody has to look: there is none (RFC 768; over IPv6 tunnels may do without,
    /// RFC 6935), the host has looked already, or the sender is on this machine and has not computed it.
    @inline(__always)
    fileprivate func checksumHolds(_ bytes: UnsafeRawPointer, _ length: Int, _ offload: Offload) -> Bool {
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
    fileprivate mutating func keepInnerWork(_ outer: OuterPacket) -> Bool {
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
