import Rings
import Tables
import Wire

// What an uplink's tunnel packets are preceded by. A socket has the kernel write these; here the frame is the whole of it.

/// RFC 7348 §5: outer source ports come from the dynamic range (RFC 6335 §6), one for each flow.
private let firstSourcePort: UInt32 = 49_152

/// Writes an Ethernet and an IP header to a peer behind an uplink, for VXLAN also UDP's, but for lengths and checksums,
/// which `finishOuterHeaders` knows.
///
/// - Returns: bytes written; 0 if nobody knows where the next hop is.
@inline(never)
func pushOuterHeaders(
    _ decision: Decision,
    _ place: AttachmentRecord,
    _ endpoint: EndpointRecord,
    _ snapshot: Snapshot,
    _ taught: Taught,
    _ now: UInt32,
    _ slot: UnsafeMutablePointer<TransmitSlot>
) -> Int {
    let peer = snapshot.peers[Int(place.peer)].address
    let underlay = snapshot.underlayInterface(place)
    let hop = underlayHop(underlay, to: peer, snapshot, taught, now)
    guard hop.state == NeighborTable.State.reachable else { return 0 }
    let interface = snapshot.interfaces[Int(underlay)]
    let number = outerProtocol(place.kind)
    let header = slot.header
    header.setMAC(0, hop.mac)
    header.setMAC(6, MACAddress(bits: snapshot.routers[Int(interface.router)].mac))
    let network = header + HeaderLength.ethernet
    // DSCP 0 (RFC 2983: pipe), ECN as the frame has it (RFC 6040 §4.1: normal mode).
    let tos = ECN.encapsulate(inner: decision.tos)
    let transport: Int
    if let address = peer.mappedIPv4 {
        header.set16(12, EtherType.ipv4)
        network.set16(0, 0x4500 | UInt16(tos))
        // An atomic datagram (RFC 6864 §4.1): identification 0, DF.
        network.set32(4, 0x4000)
        network.set16(8, 0x4000 | UInt16(number))
        network.set32(12, interface.ipv4)
        network.set32(16, address.bits)
        transport = HeaderLength.ethernet &+ HeaderLength.ipv4
    } else {
        header.set16(12, EtherType.ipv6)
        network.set32(0, 0x6000_0000 | UInt32(tos) &<< 20)
        network.set8(6, number)
        network.set8(7, 64)
        network.setIPv6(8, interface.ipv6)
        network.setIPv6(24, peer)
        transport = HeaderLength.ethernet &+ HeaderLength.ipv6
    }
    slot.pointee.outerTransport = UInt16(truncatingIfNeeded: transport)
    guard number == IPProtocol.udp else { return transport }
    header.set16(transport, UInt16(truncatingIfNeeded: firstSourcePort &+ (decision.flowHash & 0x3FFF)))
    header.set16(transport &+ 2, UInt16(truncatingIfNeeded: endpoint.port))
    header.set16(transport &+ 6, 0)
    return transport &+ HeaderLength.udp
}

/// The protocol of the outer IP header by the kind of a tunnel's attachment.
@inline(__always)
private func outerProtocol(_ kind: UInt8) -> UInt8 {
    switch kind {
    case AttachmentKind.vxlan: IPProtocol.udp
    case AttachmentKind.ipip: IPProtocol.ipv4
    case AttachmentKind.sit: IPProtocol.ipv6
    default: IPProtocol.gre
    }
}

/// Writes what depends on the length of a slot's frame into its outer headers. To be called again when the frame is
/// changed.
///
/// UDP has no checksum over IPv4, as RFC 7348 §5 prefers. Over IPv6 it has one: of a super-frame the sum of the
/// pseudo-header, from which the segments' are made; else, where the inner checksum is still to be finished, what will
/// be right then; else it is itself left to be finished.
///
/// - Returns: false if the frame is longer than an IP packet can be and no super-frame, which can be cut.
@inline(never)
public func finishOuterHeaders(_ slot: UnsafeMutablePointer<TransmitSlot>) -> Bool {
    let header = slot.header
    let transport = Int(slot.pointee.outerTransport)
    let length = slot.pointee.length &- transport
    let isIPv6 = slot.isOuterIPv6
    let isUDP = slot.outerProtocol == IPProtocol.udp
    let total = isIPv6 ? length : length &+ HeaderLength.ipv4
    guard total <= 0xFFFF || slot.pointee.offload.isSuperFrame else { return false }
    if isUDP { header.set16(transport &+ 4, UInt16(truncatingIfNeeded: length)) }
    let network = header + HeaderLength.ethernet
    guard isIPv6 else {
        network.set16(2, UInt16(truncatingIfNeeded: total))
        Checksum.write(ipv4Header: network, length: HeaderLength.ipv4)
        return true
    }
    network.set16(4, UInt16(truncatingIfNeeded: length))
    guard isUDP else { return true }
    header.set16(transport &+ 6, 0)
    let pseudo = Checksum.pseudoIPv6(UnsafeRawPointer(network), protocol: IPProtocol.udp, length: length)
    let offload = slot.pointee.offload
    if offload.isSuperFrame {
        header.set16(transport &+ 6, Checksum.fold(pseudo))
    } else if offload.needsChecksum, Int(offload.checksumStart) != transport {
        header.set16(transport &+ 6, Checksum.finishTransport(pseudo &+ finishedSum(slot, from: transport)))
    } else {
        header.set16(transport &+ 6, Checksum.fold(pseudo))
        slot.pointee.offload = Offload(
            flags: Offload.needsChecksumFlag,
            checksumStart: slot.pointee.outerTransport,
            checksumOffset: UInt16(PartialChecksum.udpOffset)
        )
    }
    return true
}

/// The sum of a frame from `start` on as it will be when its checksum is finished, which then makes everything that it
/// covers the complement of the pseudo-header's sum in its field now (Linux: `lco_csum`).
private func finishedSum(_ slot: UnsafeMutablePointer<TransmitSlot>, from start: Int) -> UInt64 {
    let header = UnsafeRawPointer(slot.header)
    let payload = slot.pointee.payload.map { UnsafeRawPointer($0) } ?? header
    let headerLength = Int(slot.pointee.headerLength)
    let covered = Int(slot.pointee.offload.checksumStart)
    let field = covered &+ Int(slot.pointee.offload.checksumOffset)
    let inHeader = min(covered, headerLength)
    var sum = Checksum.sum(header + start, inHeader &- start)
    if covered > headerLength {
        let rest = Checksum.sum(payload, covered &- headerLength)
        sum = Checksum.appending(rest, at: headerLength &- start, to: sum)
    }
    // The offload has been checked: the field lies inside the frame, be it across the border.
    func byte(_ at: Int) -> UInt16 { UInt16(at < headerLength ? header.byte(at) : payload.byte(at &- headerLength)) }
    let pseudo = byte(field) &<< 8 | byte(field &+ 1)
    return Checksum.appending(Checksum.word(~pseudo), at: covered &- start, to: sum)
}
