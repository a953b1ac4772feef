/// Work on a frame that the sender left to whoever can do it last: the first ten bytes of `struct virtio_net_hdr`
/// (include/uapi/linux/virtio_net.h), in host order. It travels with the frame from its ingress to its egress.
@frozen
public struct Offload: Equatable, Sendable {
    /// `VIRTIO_NET_HDR_F_*`.
    public var flags: UInt8
    /// `VIRTIO_NET_HDR_GSO_*`.
    public var gsoType: UInt8
    /// Length of all headers up to the payload. The kernel reports the linear length here, so it is never trusted.
    public var headerLength: UInt16
    /// Payload bytes per segment; 0 unless `gsoType` says segmentation.
    public var gsoSize: UInt16
    /// Where the checksum starts, from the first byte of the frame.
    public var checksumStart: UInt16
    /// Where the checksum field is, from `checksumStart`. It holds the folded sum of the pseudo-header.
    public var checksumOffset: UInt16

    @inlinable
    public init(
        flags: UInt8 = 0,
        gsoType: UInt8 = 0,
        headerLength: UInt16 = 0,
        gsoSize: UInt16 = 0,
        checksumStart: UInt16 = 0,
        checksumOffset: UInt16 = 0
    ) {
        self.flags = flags
        self.gsoType = gsoType
        self.headerLength = headerLength
        self.gsoSize = gsoSize
        self.checksumStart = checksumStart
        self.checksumOffset = checksumOffset
    }

    /// A frame with nothing left to do.
    public static let none = Offload()

    public static let needsChecksumFlag: UInt8 = 1
    public static let dataValidFlag: UInt8 = 2
    public static let gsoTCPv4: UInt8 = 1
    public static let gsoTCPv6: UInt8 = 4
    /// UDP segmentation: datagrams of `gsoSize` (not fragmentation, which is 3 and refused).
    public static let gsoUDP: UInt8 = 5
    public static let gsoECNFlag: UInt8 = 0x80
    /// The super-frame is in a UDP tunnel over IPv4 or IPv6 (Linux 6.17). On uplinks only: the checksum starts at the inner
    /// transport header.
    public static let gsoTunnelIPv4: UInt8 = 0x20
    public static let gsoTunnelIPv6: UInt8 = 0x40

    @inlinable @inline(__always)
    public var needsChecksum: Bool { flags & Offload.needsChecksumFlag != 0 }

    @inlinable @inline(__always)
    public var isSuperFrame: Bool { gsoType != 0 }

    /// The segmentation type without the ECN bit.
    @inlinable @inline(__always)
    public var gsoKind: UInt8 { gsoType & ~Offload.gsoECNFlag }

    /// The same work after `delta` bytes were added in front of (or, negative, taken from in front of) the checksum.
    @inlinable @inline(__always)
    public func shifted(_ delta: Int) -> Offload {
        var moved = self
        if needsChecksum { moved.checksumStart = UInt16(truncatingIfNeeded: Int(checksumStart) + delta) }
        if isSuperFrame { moved.headerLength = UInt16(truncatingIfNeeded: Int(headerLength) + delta) }
        return moved
    }
}
