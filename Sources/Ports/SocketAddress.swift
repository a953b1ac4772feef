import CLinux
import Wire

/// `sockaddr_in` and `sockaddr_in6` as bytes: the kernel's layout, made and read without a detour over C types.
struct SocketAddress {
    static let ipv4Length = 16
    static let ipv6Length = 28

    var bytes: InlineArray<4, UInt64> = .init(repeating: 0)
    var length: Int

    /// An address to bind to.
    init(_ address: IPAddress, port: UInt16) {
        length = address.isIPv6 ? SocketAddress.ipv6Length : SocketAddress.ipv4Length
        let isIPv6 = address.isIPv6
        withUnsafeMutableBytes(of: &bytes) {
            SocketAddress.write(address.mapped, port: port, isIPv6: isIPv6, to: $0.baseAddress!)
        }
    }

    /// Writes an address in the form of its family to 32 zeroed bytes, or over an earlier address of the same family.
    @inline(__always)
    static func write(_ address: IPv6Address, port: UInt16, isIPv6: Bool, to name: UnsafeMutableRawPointer) {
        let family = UInt16(truncatingIfNeeded: isIPv6 ? LINUX_AF_INET6 : LINUX_AF_INET)
        name.storeBytes(of: family, as: UInt16.self)
        name.set16(2, port)
        if isIPv6 {
            name.set32(4, 0)
            name.setIPv6(8, address)
            name.set32(24, 0)
        } else {
            name.set32(4, UInt32(truncatingIfNeeded: address.low))
            name.set64(8, 0)
        }
    }

    /// The address that a datagram came from, IPv4 as mapped address.
    @inline(__always)
    static func read(_ name: UnsafeRawPointer, isIPv6: Bool) -> IPv6Address {
        isIPv6 ? name.ipv6(8) : IPv6Address(mapping: name.ipv4(4))
    }

    /// Whether an address belongs to a family. A mapped address is IPv4.
    @inline(__always)
    static func matches(_ address: IPv6Address, isIPv6: Bool) -> Bool {
        (address.high == 0 && address.low &>> 32 == 0xFFFF) != isIPv6
    }
}
