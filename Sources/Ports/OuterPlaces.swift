import Rings
import Wire

/// Where the parts of a tunnel packet on an uplink are, from the first byte of its outer Ethernet header.
struct OuterPlaces {
    var isIPv6 = false
    var isUDP = false
    /// What follows the outer IP header, and where its packet ends.
    var transport = 0
    var end = 0
    /// Where VXLAN's header, GRE's or the inner packet begins.
    var inner = 0
    /// Bytes from there to the inner Ethernet or IP header, and the EtherType if it is an IP header.
    var prefixLength = 0
    var networkType: UInt16 = 0

    init() {}

    /// Nil if the frame is none, or is unusual in any way: the pipeline will say what is wrong with it.
    @inline(__always)
    init?(_ frame: Frame) {
        let bytes = UnsafeRawPointer(frame.bytes)
        guard let packet = OuterPacket(bytes, frame.length), packet.network == HeaderLength.ethernet,
            packet.transport &+ HeaderLength.udp <= packet.end
        else { return nil }
        isIPv6 = packet.isIPv6
        transport = packet.transport
        end = packet.end
        inner = transport
        switch packet.protocol {
        case IPProtocol.udp:
            guard Int(bytes.be16(transport &+ 4)) == end &- transport else { return nil }
            isUDP = true
            inner &+= HeaderLength.udp
            prefixLength = HeaderLength.vxlan
        case IPProtocol.gre:
            // A checksum and a sequence number belong to one packet.
            let gre = GREHeader.parse(bytes + transport, end &- transport)
            guard gre.problem == .none, !gre.hasChecksum, !gre.hasSequence else { return nil }
            prefixLength = gre.length
            if gre.protocolType != EtherType.transparentEthernet { networkType = gre.protocolType }
        case IPProtocol.ipv4: networkType = EtherType.ipv4
        case IPProtocol.ipv6: networkType = EtherType.ipv6
        default: return nil
        }
    }

    /// Where the checksum that is still to be computed starts, from `inner`; -1 if it is the outer header's, or none.
    @inline(__always)
    func innerWork(_ frame: Frame) -> Int {
        frame.offload.needsChecksum ? max(-1, Int(frame.offload.checksumStart) &- inner) : -1
    }

    /// Whether a UDP header has no checksum.
    @inline(__always)
    func hasNoChecksum(_ frame: Frame) -> Bool { UnsafeRawPointer(frame.bytes).be16(transport &+ 6) == 0 }

    /// Whether two frames have the same outer headers, but for what changes from one packet to the next.
    @inline(__always)
    func isSameWay(_ frame: Frame, as other: OuterPlaces, _ before: Frame) -> Bool {
        let a = UnsafeRawPointer(frame.bytes)
        let b = UnsafeRawPointer(before.bytes)
        guard inner == other.inner, isIPv6 == other.isIPv6, isUDP == other.isUDP, prefixLength == other.prefixLength,
            networkType == other.networkType, a.be64(0) == b.be64(0), a.be64(8) == b.be64(8)
        else { return false }
        if isIPv6 {
            // All but the length.
            guard a.be16(16) == b.be16(16), a.be16(20) == b.be16(20), a.be64(22) == b.be64(22),
                a.be64(30) == b.be64(30), a.be64(38) == b.be64(38), a.be64(46) == b.be64(46)
            else { return false }
        } else {
            // All but length, identification and checksum.
            guard a.be32(20) == b.be32(20), a.be64(26) == b.be64(26) else { return false }
        }
        return !isUDP || a.be16(transport &+ 2) == b.be16(transport &+ 2)
    }

    /// Writes the lengths of the outer headers of a frame that has grown or been cut out of another. Its UDP checksum was
    /// right, and goes.
    func writeLengths(_ frame: Frame) {
        let header = frame.bytes + HeaderLength.ethernet
        if isIPv6 {
            header.set16(4, UInt16(truncatingIfNeeded: frame.length &- transport))
        } else {
            header.set16(2, UInt16(truncatingIfNeeded: frame.length &- HeaderLength.ethernet))
            Checksum.write(ipv4Header: header, length: HeaderLength.ipv4)
        }
        guard isUDP else { return }
        frame.bytes.set16(transport &+ 4, UInt16(truncatingIfNeeded: frame.length &- transport))
        frame.bytes.set16(transport &+ 6, 0)
    }
}
