/// The time to live of IPv4 and the hop limit of IPv6.
public enum TTL {
    /// Lowers it and puts the checksum of IPv4 right without reading the rest of the header (RFC 1624 §3, which corrects
    /// RFC 1141). A wrong checksum stays wrong. Nothing but the first 12 bytes of IPv4 or the first 8 of IPv6 is touched;
    /// they must be there.
    ///
    /// - Parameter amount: less than what the header holds: a router checks before it forwards (RFC 1812 §5.3.1,
    ///   RFC 8200 §3).
    @inlinable @inline(__always)
    public static func decrement(header: UnsafeMutableRawPointer, by amount: UInt8, isIPv6: Bool) {
        let bytes = UnsafeRawPointer(header)
        if isIPv6 {
            header.set8(7, bytes.byte(7) &- amount)
        } else {
            set(bytes.byte(8) &- amount, ipv4Header: header)
        }
    }

    /// Sets the time to live of an IPv4 header, with its checksum, in the same way.
    @inlinable @inline(__always)
    public static func set(_ ttl: UInt8, ipv4Header header: UnsafeMutableRawPointer) {
        let old = UnsafeRawPointer(header).be16(8)
        let new = old & 0x00FF | UInt16(ttl) &<< 8
        header.set16(8, new)
        header.set16(10, Checksum.updated(UnsafeRawPointer(header).be16(10), from: old, to: new))
    }
}
