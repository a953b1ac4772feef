/// The eight bytes between the outer UDP header and the inner frame (RFC 7348 §5).
@frozen
public struct VXLANHeader: Equatable, Sendable {
    public static let length = HeaderLength.vxlan
    /// The I flag: the VNI is valid.
    public static let validFlag: UInt32 = 0x0800_0000
    /// The largest network identifier, 24 bits.
    public static let maximumVNI: UInt32 = 0xFF_FFFF

    /// The VXLAN network identifier.
    public var vni: UInt32
    /// Without the I flag the packet has no network and must be dropped (RFC 7348 §5).
    public var isValid: Bool
    /// Some of the 39 reserved bits are set. They are ignored on receipt, and worth counting: extensions (GPE, group
    /// policy) that the far end believes in look like this.
    public var hasReservedBits: Bool

    /// Reads the header; nil if fewer than eight bytes are there.
    @inlinable @inline(__always)
    public init?(_ bytes: UnsafeRawPointer, _ count: Int) {
        guard count >= VXLANHeader.length else { return nil }
        let flags = bytes.be32(0)
        let identifier = bytes.be32(4)
        vni = identifier &>> 8
        isValid = flags & VXLANHeader.validFlag != 0
        hasReservedBits = flags & ~VXLANHeader.validFlag != 0 || identifier & 0xFF != 0
    }

    /// Writes eight bytes, all reserved bits zero.
    @inlinable @inline(__always)
    public static func write(to bytes: UnsafeMutableRawPointer, vni: UInt32) {
        bytes.set32(0, validFlag)
        bytes.set32(4, vni &<< 8)
    }
}
