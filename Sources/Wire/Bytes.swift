// Unaligned big-endian access. Callers prove the bounds first: a header's length is checked once, where it is parsed,
// and the accessors after that cannot fail.

extension UnsafeRawPointer {
    /// The byte at `offset`.
    @inlinable @inline(__always)
    public func byte(_ offset: Int) -> UInt8 { load(fromByteOffset: offset, as: UInt8.self) }

    /// Two bytes in network order.
    @inlinable @inline(__always)
    public func be16(_ offset: Int) -> UInt16 {
        UInt16(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    /// Four bytes in network order.
    @inlinable @inline(__always)
    public func be32(_ offset: Int) -> UInt32 {
        UInt32(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// Eight bytes in network order.
    @inlinable @inline(__always)
    public func be64(_ offset: Int) -> UInt64 {
        UInt64(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The six bytes of an Ethernet address.
    @inlinable @inline(__always)
    public func mac(_ offset: Int) -> MACAddress {
        MACAddress(bits: UInt64(be16(offset)) << 32 | UInt64(be32(offset &+ 2)))
    }

    /// The four bytes of an IPv4 address.
    @inlinable @inline(__always)
    public func ipv4(_ offset: Int) -> IPv4Address { IPv4Address(bits: be32(offset)) }

    /// The sixteen bytes of an IPv6 address.
    @inlinable @inline(__always)
    public func ipv6(_ offset: Int) -> IPv6Address { IPv6Address(high: be64(offset), low: be64(offset &+ 8)) }
}

extension UnsafeMutableRawPointer {
    /// Writes the byte at `offset`.
    @inlinable @inline(__always)
    public func set8(_ offset: Int, _ value: UInt8) { storeBytes(of: value, toByteOffset: offset, as: UInt8.self) }

    /// Writes two bytes in network order.
    @inlinable @inline(__always)
    public func set16(_ offset: Int, _ value: UInt16) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
    }

    /// Writes four bytes in network order.
    @inlinable @inline(__always)
    public func set32(_ offset: Int, _ value: UInt32) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
    }

    /// Writes eight bytes in network order.
    @inlinable @inline(__always)
    public func set64(_ offset: Int, _ value: UInt64) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt64.self)
    }

    /// Writes the six bytes of an Ethernet address.
    @inlinable @inline(__always)
    public func setMAC(_ offset: Int, _ value: MACAddress) {
        set16(offset, UInt16(truncatingIfNeeded: value.bits >> 32))
        set32(offset &+ 2, UInt32(truncatingIfNeeded: value.bits))
    }

    /// Writes the sixteen bytes of an IPv6 address.
    @inlinable @inline(__always)
    public func setIPv6(_ offset: Int, _ value: IPv6Address) {
        set64(offset, value.high)
        set64(offset &+ 8, value.low)
    }
}
