import Rings
import Wire

/// Tunnel packets on their way from a socket to the ring. What the kernel hands over as one message may be many datagrams
/// (UDP_GRO), or a single one with a super-frame of UDP in it, which a sender on this machine has not cut; what were
/// segments of one TCP super-frame before they were sent becomes one again. Only neighbours are looked at, so nothing is
/// overtaken and nothing waits.
struct TunnelArrivals {
    /// The packet that the next one may be appended to, not yet in the ring.
    private var last: Frame?
    /// The end of its buffer.
    private var end: UnsafeMutableRawPointer?
    /// The same as what it is about to become; found out when there is a next one.
    private var growing: Coalescing?
    private let ipProtocol: UInt8
    private let keepsSegments: Bool

    init(_ port: PortIO) {
        ipProtocol = port.ipProtocol
        keepsSegments = port.flags & PortIO.Flags.keepsSegments != 0
    }

    /// Takes one message.
    ///
    /// - Parameters:
    ///   - end: where its buffer ends.
    ///   - datagramSize: bytes of each datagram in it but the last; 0 if it is one.
    @inline(__always)
    mutating func add(
        _ message: Frame,
        end: UnsafeMutableRawPointer,
        datagramSize: Int,
        _ ring: borrowing ReceiveRing
    ) {
        guard datagramSize > 0, datagramSize < message.length else {
            addDatagram(message, end, ring)
            return
        }
        if let offload = innerSegments(message, datagramSize) {
            var frame = message
            frame.offload = offload
            handOver(ring)
            ring.append(frame)
            return
        }
        guard message.length <= datagramSize &* ReceiveRing.mostDatagrams else {
            ring.noteUnreadable()
            return
        }
        var datagram = message
        var left = message.length
        while left > 0 {
            datagram.length = min(left, datagramSize)
            addDatagram(datagram, end, ring)
            datagram.bytes += datagram.length
            left &-= datagram.length
        }
    }

    /// What is to be done to a VXLAN packet that carries a super-frame of UDP. The kernel gives the size of the segments in
    /// both cases (`udp_cmsg_recv`); here the inner packet is longer than that, and ends where the message does.
    @inline(__always)
    private func innerSegments(_ message: Frame, _ size: Int) -> Offload? {
        let start = HeaderLength.vxlan
        guard ipProtocol == IPProtocol.udp, message.length > start else { return nil }
        let parsed = ParsedFrame(message.bytes + start, message.length &- start)
        guard parsed.protocol == IPProtocol.udp, parsed.has(.transportHeader), !parsed.has(.cutShort),
            start &+ parsed.endOffset > size, start &+ parsed.endOffset == message.length,
            SegmentationKind.of(parsed) == Offload.gsoUDP
        else { return nil }
        return Offload(
            flags: Offload.needsChecksumFlag,
            gsoType: Offload.gsoUDP,
            headerLength: UInt16(truncatingIfNeeded: start &+ parsed.payloadOffset),
            gsoSize: UInt16(truncatingIfNeeded: size),
            checksumStart: UInt16(truncatingIfNeeded: start &+ parsed.transportOffset),
            checksumOffset: UInt16(truncatingIfNeeded: PartialChecksum.udpOffset)
        )
    }

    @inline(__always)
    private mutating func addDatagram(_ frame: Frame, _ end: UnsafeMutableRawPointer, _ ring: borrowing ReceiveRing) {
        if append(frame) { return }
        handOver(ring)
        last = frame
        self.end = end
    }

    /// Appends a packet to the one before it, if it came the same way and its content follows on the other's.
    @inline(__always)
    private mutating func append(_ frame: Frame) -> Bool {
        guard let last, let end, !keepsSegments, frame.outerSource == last.outerSource,
            frame.outerTOS == last.outerTOS, frame.outerInterface == last.outerInterface
        else { return false }
        if growing == nil { growing = begin(last) }
        return growing!.append(frame.bytes, frame.length, capacity: end - last.bytes)
    }

    /// What a packet carries, by the protocol that it came with.
    @inline(__always)
    private func begin(_ frame: Frame) -> Coalescing {
        var prefix = frame.length
        var type: UInt16 = 0
        switch ipProtocol {
        case IPProtocol.udp:
            prefix = HeaderLength.vxlan
        case IPProtocol.ipv4:
            prefix = 0
            type = EtherType.ipv4
        case IPProtocol.ipv6:
            prefix = 0
            type = EtherType.ipv6
        case IPProtocol.gre:
            // A checksum and a sequence number belong to one packet.
            let header = GREHeader.parse(frame.bytes, frame.length)
            guard header.problem == .none, !header.hasChecksum, !header.hasSequence else { break }
            prefix = header.length
            if header.protocolType != EtherType.transparentEthernet { type = header.protocolType }
        default:
            break
        }
        return Coalescing(frame.bytes, frame.length, prefixLength: prefix, networkType: type)
    }

    /// Puts the last packet into the ring: no other will be appended to it.
    @inline(__always)
    mutating func handOver(_ ring: borrowing ReceiveRing) {
        guard var frame = last else { return }
        if let growing, growing.count > 1 {
            growing.finish()
            frame.length = growing.length
            frame.offload = Offload(
                flags: Offload.needsChecksumFlag,
                gsoType: growing.gsoType,
                headerLength: UInt16(truncatingIfNeeded: growing.payloadOffset),
                gsoSize: growing.gsoSize,
                checksumStart: UInt16(truncatingIfNeeded: growing.checksumStart),
                checksumOffset: UInt16(truncatingIfNeeded: PartialChecksum.tcpOffset)
            )
        }
        ring.append(frame)
        last = nil
        growing = nil
    }
}
