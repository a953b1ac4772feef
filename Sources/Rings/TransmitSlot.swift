import Wire

/// One frame on its way out: `header` followed by `payload` are the bytes that the endpoint takes. The payload stays
/// where it was received, shared by all copies of a flooded frame and never written; what differs from copy to copy is
/// in the header. The endpoint is told by the queue that the slot stands in.
@frozen
public struct TransmitSlot {
    /// Room that the port may use in front of the header for a virtio header.
    public static let prefixLength = 24
    /// The most is a fragment of a packet with all the options that IPv4 can have, in VXLAN over IPv6 on an uplink: 144.
    public static let headerCapacity = 152
    /// Where `storage` begins: fixed by the fields in front of it and checked by a test.
    @usableFromInline static let storageOffset = 88

    /// The next slot of the same queue, or -1. Owned by the queue.
    public var next: Int32
    public var headerLength: UInt16
    /// Outer DSCP and ECN of a tunnel packet.
    public var tos: UInt8
    /// How many bytes of the header are the tunnel's (VXLAN, GRE, on an uplink all outer headers) and not the tenant
    /// frame's.
    public var tunnelHeaderLength: UInt8
    /// What is still to do, with offsets from the first byte of the header.
    public var offload: Offload
    /// Hash of the tenant's flow: the same for all its frames. Picks the outer source port (RFC 7348 §5).
    public var flowHash: UInt32
    /// The remote VTEP, and its UDP port: 0 for raw sockets (the kernel's rawv6_sendmsg takes another for a protocol).
    public var destinationPort: UInt16
    /// What stands behind the tunnel header: an Ethernet frame if 0, a bare IP datagram if `EtherType.ipv4` or `.ipv6`
    /// (IPIP, SIT, IP in GRE). Looked at where a super-frame has to be cut.
    public var networkType: UInt16
    /// On an uplink, where the header begins with an outer Ethernet header: where what follows the outer IP header is, a UDP
    /// or GRE header or the inner packet. Else 0.
    public var outerTransport: UInt16
    /// Where the tenant's IP header is, if `outerTransport` is not 0.
    public var innerNetwork: UInt16
    public var destination: IPv6Address
    public var payload: UnsafeMutableRawPointer?
    public var payloadLength: Int
    @usableFromInline var prefix: (UInt64, UInt64, UInt64)
    @usableFromInline
    var storage:
        (
            UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64,
            UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64
        )

    @inlinable
    public init() {
        next = -1
        headerLength = 0
        tos = 0
        tunnelHeaderLength = 0
        offload = .none
        flowHash = 0
        destinationPort = 0
        networkType = 0
        outerTransport = 0
        innerNetwork = 0
        destination = IPv6Address(high: 0, low: 0)
        payload = nil
        payloadLength = 0
        prefix = (0, 0, 0)
        storage = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    }

    /// Bytes of the whole frame.
    @inlinable @inline(__always)
    public var length: Int { Int(headerLength) &+ payloadLength }
}

extension UnsafeMutablePointer<TransmitSlot> {
    /// The first byte of the header; `TransmitSlot.prefixLength` writable bytes stand in front of it.
    @inlinable @inline(__always)
    public var header: UnsafeMutableRawPointer {
        UnsafeMutableRawPointer(self) + TransmitSlot.storageOffset
    }

    /// Where the checksum of a GRE header is (RFC 2784 §2.1), or -1 without one. The port computes it: it covers everything
    /// that the port may still have to finish. VXLAN's first bit is reserved and sent as zero.
    @inlinable @inline(__always)
    public var greChecksumOffset: Int {
        let start = Int(pointee.outerTransport)
        guard Int(pointee.tunnelHeaderLength) >= start &+ 8, start == 0 || outerProtocol == IPProtocol.gre,
            UnsafeRawPointer(header).byte(start) & 0x80 != 0
        else { return -1 }
        return start &+ 4
    }

    /// Whether the outer IP header of a frame for an uplink is IPv6's.
    @inlinable @inline(__always)
    public var isOuterIPv6: Bool { pointee.outerTransport != UInt16(HeaderLength.ethernet + HeaderLength.ipv4) }

    /// The protocol of the outer IP header of a frame for an uplink.
    @inlinable @inline(__always)
    public var outerProtocol: UInt8 {
        UnsafeRawPointer(header).byte(HeaderLength.ethernet &+ (isOuterIPv6 ? 6 : 9))
    }

    /// Whether the whole frame fits where the header stands.
    @inlinable @inline(__always)
    public var joinsPayload: Bool { pointee.length <= TransmitSlot.headerCapacity }

    /// Copies the payload behind the header, which stays as long as it is. Returns the bytes of both.
    @inlinable @inline(__always)
    public func joinPayload() -> Int {
        let start = Int(pointee.headerLength)
        if let payload = pointee.payload {
            (header + start).copyMemory(from: payload, byteCount: pointee.payloadLength)
        }
        return start &+ pointee.payloadLength
    }
}
