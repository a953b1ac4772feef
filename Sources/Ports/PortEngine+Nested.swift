import CLinux
import Rings
import Wire

// Tenants may have tunnels of their own. Over a veth their kernel hands us 64 KB of TCP inside of one VXLAN, GRE or IPIP
// packet, and the virtio header says that it is a TCP super-frame whose checksum starts somewhere in the middle. No virtio header
// of a packet socket can say that on the way out again: the next kernel would drop it. So such a frame is cut here, on
// its way in, and everybody behind sees ordinary frames. (TAPs do not offer this offload, so nothing has to be done
// there.)

extension PortEngine {
    /// Where the parts of a tenant's tunnel packet are, from the first byte of the frame.
    struct Tunnel {
        var network: Int
        var isIPv6: Bool
        /// The UDP header, or -1 without one.
        var udp = -1
        /// The checksum of GRE, or -1 without one.
        var greChecksum = -1
        /// Where what is carried begins: an Ethernet frame if `innerType` is 0, else a datagram of that EtherType.
        var inner = 0
        var innerType: UInt16 = 0
    }

    /// Whether a frame is a super-frame inside of another packet.
    @inline(__always)
    func isNested(_ frame: Frame) -> Bool {
        guard frame.offload.isSuperFrame, frame.offload.needsChecksum else { return false }
        let parsed = ParsedFrame(UnsafeRawPointer(frame.bytes), frame.length)
        return parsed.isIP && parsed.has(.transport) && Int(frame.offload.checksumStart) > parsed.transportOffset
            && carries(parsed.protocol)
    }

    /// The protocols that tunnels stand on.
    @inline(__always)
    private func carries(_ number: UInt8) -> Bool {
        number == IPProtocol.udp || number == IPProtocol.gre || number == IPProtocol.ipv4 || number == IPProtocol.ipv6
    }

    /// Adds the pieces of a nested super-frame to the ring. They lie in memory of the engine, `at` counts its use.
    ///
    /// - Returns: false if the frame is not one that we know how to cut, or there is no more room.
    func appendCut(_ frame: Frame, to ring: borrowing ReceiveRing, at used: inout Int) -> Bool {
        let bytes = UnsafeRawPointer(frame.bytes)
        guard let tunnel = PortEngine.tunnel(frame),
            let plan = SegmentationPlan(
                header: bytes,
                0,
                payload: bytes,
                frame.length,
                prefixLength: tunnel.inner,
                networkType: tunnel.innerType,
                gsoType: frame.offload.gsoType,
                gsoSize: frame.offload.gsoSize,
                checksumStart: Int(frame.offload.checksumStart),
                checksumOffset: Int(frame.offload.checksumOffset),
                greChecksumOffset: tunnel.greChecksum,
                scratch: planScratch
            )
        else { return false }
        let stride = BufferPool.headroom &+ plan.headerLength &+ plan.segmentSize
        guard plan.count <= min(ring.spare, PortEngine.nestedFrameLimit),
            used &+ plan.count &* stride <= PortEngine.nestedCapacity
        else { return false }
        let identification = bytes.be16(tunnel.network &+ 4)
        for index in 0..<plan.count {
            let piece = nestedFrames + used + BufferPool.headroom
            let segment = plan.writeHeader(index, into: piece)
            (piece + plan.headerLength).copyMemory(from: segment.payload, byteCount: segment.count)
            used &+= stride
            let length = plan.headerLength &+ segment.count
            let offload = PortEngine.fixOuter(
                piece,
                length,
                tunnel,
                identification &+ UInt16(truncatingIfNeeded: index)
            )
            ring.appendExtra(Frame(bytes: piece, length: length, offload: offload, endpoint: frame.endpoint))
        }
        return true
    }

    /// Finds the inner header of IPIP, SIT, GRE, VXLAN and Geneve: the one behind which the transport header is where the
    /// offload says.
    private static func tunnel(_ frame: Frame) -> Tunnel? {
        let bytes = UnsafeRawPointer(frame.bytes)
        let parsed = ParsedFrame(bytes, frame.length)
        let transport = parsed.transportOffset
        guard !parsed.has(.fragment), transport &+ 16 <= frame.length else { return nil }
        var tunnel = Tunnel(network: parsed.networkOffset, isIPv6: parsed.isIPv6)
        tunnel.inner = transport
        switch parsed.protocol {
        case IPProtocol.ipv4:
            tunnel.innerType = EtherType.ipv4
        case IPProtocol.ipv6:
            tunnel.innerType = EtherType.ipv6
        case IPProtocol.gre:
            // With sequence numbers in GRE, a super-frame could not be cut by anybody.
            let header = GREHeader.parse(bytes + transport, frame.length &- transport)
            guard header.problem == .none, !header.hasSequence else { return nil }
            tunnel.inner &+= header.length
            if header.hasChecksum { tunnel.greChecksum = transport &+ 4 }
            if header.protocolType != EtherType.transparentEthernet { tunnel.innerType = header.protocolType }
        default:
            tunnel.udp = transport
            let shim = transport &+ HeaderLength.udp
            tunnel.inner = shim &+ HeaderLength.vxlan
            if isInner(frame, tunnel) { return tunnel }
            // Geneve (RFC 8926 §3.4): eight bytes and options in words.
            tunnel.inner = shim &+ 8 &+ 4 &* Int(bytes.byte(shim) & 0x3F)
        }
        return isInner(frame, tunnel) ? tunnel : nil
    }

    private static func isInner(_ frame: Frame, _ tunnel: Tunnel) -> Bool {
        let count = frame.length &- tunnel.inner
        guard count > 0 else { return false }
        let bytes = UnsafeRawPointer(frame.bytes + tunnel.inner)
        let inner =
            tunnel.innerType == 0
            ? ParsedFrame(bytes, count) : ParsedFrame(datagram: bytes, count, etherType: tunnel.innerType)
        return inner.isIP && inner.has(.transportHeader)
            && tunnel.inner &+ inner.transportOffset == Int(frame.offload.checksumStart)
    }

    /// Gives a piece the lengths, identification and checksum of its outer headers. Returns what is still to do: the
    /// outer UDP checksum, if there is one.
    static func fixOuter(
        _ piece: UnsafeMutableRawPointer,
        _ length: Int,
        _ tunnel: Tunnel,
        _ identification: UInt16
    ) -> Offload {
        let network = piece + tunnel.network
        let datagram = length &- tunnel.network
        if tunnel.isIPv6 {
            network.set16(4, UInt16(truncatingIfNeeded: datagram &- HeaderLength.ipv6))
        } else {
            network.set16(2, UInt16(truncatingIfNeeded: datagram))
            network.set16(4, identification)
            Checksum.write(ipv4Header: network, length: Int(UnsafeRawPointer(network).byte(0) & 0x0F) &* 4)
        }
        guard tunnel.udp >= 0 else { return .none }
        let size = length &- tunnel.udp
        let udp = piece + tunnel.udp
        udp.set16(4, UInt16(truncatingIfNeeded: size))
        guard UnsafeRawPointer(udp).be16(6) != 0 else { return .none }
        let pseudo =
            tunnel.isIPv6
            ? Checksum.pseudoIPv6(network, protocol: IPProtocol.udp, length: size)
            : Checksum.pseudoIPv4(network, protocol: IPProtocol.udp, length: size)
        udp.set16(6, Checksum.fold(pseudo))
        return Offload(
            flags: Offload.needsChecksumFlag,
            checksumStart: UInt16(truncatingIfNeeded: tunnel.udp),
            checksumOffset: 6
        )
    }
}
