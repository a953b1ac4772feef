import Rings
import Wire

/// The ten bytes in front of every frame of a TAP or packet socket: `struct virtio_net_hdr`, little endian.
///
///     0 flags   1 GSO type   2 header length   4 segment size   6 checksum start   8 checksum offset
enum VirtioHeader {
    static let length = 10
    /// With what follows for super-frames in tunnels (`struct virtio_net_hdr_v1_hash_tunnel`): 20 outer transport header,
    /// 22 inner network header.
    static let tunnelLength = 24

    /// What the sender left undone, with the header length worked out anew: the kernel puts the length of its linear
    /// part there. Values that contradict the frame are left as they are, for the pipeline to refuse.
    @inline(__always)
    static func read(_ header: UnsafeRawPointer, frame: UnsafeRawPointer, _ length: Int) -> Offload {
        let known = Offload.needsChecksumFlag | Offload.dataValidFlag
        var offload = Offload(flags: header.byte(0) & known, gsoType: header.byte(1))
        if offload.needsChecksum {
            offload.checksumStart = little16(header, 6)
            offload.checksumOffset = little16(header, 8)
        }
        if offload.isSuperFrame {
            offload.gsoSize = little16(header, 4)
            offload.headerLength = headerLength(offload, stated: little16(header, 2), frame, length)
        }
        return offload
    }

    private static func headerLength(
        _ offload: Offload,
        stated: UInt16,
        _ frame: UnsafeRawPointer,
        _ length: Int
    ) -> UInt16 {
        guard offload.needsChecksum else { return stated }
        let transport = Int(offload.checksumStart)
        var end = transport &+ HeaderLength.udp
        if offload.gsoKind & ~(Offload.gsoTunnelIPv4 | Offload.gsoTunnelIPv6) != Offload.gsoUDP {
            guard transport &+ HeaderLength.tcp <= length else { return stated }
            end = transport &+ Int(frame.byte(transport &+ 12) &>> 4) &* 4
        }
        return end <= length ? UInt16(truncatingIfNeeded: end) : stated
    }

    @inline(__always)
    static func write(_ offload: Offload, to header: UnsafeMutableRawPointer) {
        header.set8(0, offload.flags & Offload.needsChecksumFlag)
        header.set8(1, offload.gsoType)
        set(header, 2, offload.headerLength)
        set(header, 4, offload.gsoSize)
        set(header, 6, offload.checksumStart)
        set(header, 8, offload.checksumOffset)
    }

    /// The 24 bytes in front of a frame of an uplink. Whether the outer UDP header has a checksum is seen in it.
    @inline(__always)
    static func write(uplink slot: UnsafeMutablePointer<TransmitSlot>, to header: UnsafeMutableRawPointer) {
        write(slot.pointee.offload, to: header)
        header.set64(10, 0)
        header.set16(18, 0)
        header.set32(20, 0)
        let transport = slot.pointee.outerTransport
        // Of other tunnels there is nothing to say: see TunnelMark.
        guard slot.pointee.offload.isSuperFrame, transport != 0, slot.outerProtocol == IPProtocol.udp else { return }
        let frame = UnsafeRawPointer(slot.header)
        let isIPv6 = frame.be16(12) == EtherType.ipv6
        let tunnel = isIPv6 ? Offload.gsoTunnelIPv6 : Offload.gsoTunnelIPv4
        header.set8(1, slot.pointee.offload.gsoType | tunnel)
        if frame.be16(Int(transport) &+ PartialChecksum.udpOffset) != 0 {
            header.set8(0, Offload.needsChecksumFlag | tunnelChecksumFlag)
        }
        set(header, 20, transport)
        set(header, 22, slot.pointee.innerNetwork)
    }

    /// `VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM`.
    private static let tunnelChecksumFlag: UInt8 = 8

    @inline(__always)
    private static func little16(_ at: UnsafeRawPointer, _ offset: Int) -> UInt16 {
        UInt16(littleEndian: at.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    @inline(__always)
    private static func set(_ at: UnsafeMutableRawPointer, _ offset: Int, _ value: UInt16) {
        at.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt16.self)
    }
}
