import CNetlink
import Glibc
import Wire

/// One received message, valid inside the callback that got it.
struct Message {
    let header: UnsafeMutablePointer<nlmsghdr>

    var type: Int32 { Int32(header.pointee.nlmsg_type) }
    var flags: Int32 { Int32(header.pointee.nlmsg_flags) }

    /// The fixed part after the header (`ifinfomsg`, `ifaddrmsg`…); nil when the message is too short for it.
    func body<T>(as type: T.Type) -> T? {
        guard nlmsg_valid_hdr(header, Int32(MemoryLayout<T>.size)) != 0 else { return nil }
        return nlmsg_data(header).loadUnaligned(as: type)
    }

    /// The attribute `type` after a fixed part of `size` bytes.
    func attribute(_ type: Int, after size: Int) -> Attribute? {
        nlmsg_find_attr(header, Int32(size), Int32(type)).map(Attribute.init)
    }
}

/// One attribute of a received message; getters answer nil when it is too short for the type.
struct Attribute {
    let pointer: UnsafeMutablePointer<nlattr>

    var count: Int { Int(nla_len(pointer)) }

    func load<T: BitwiseCopyable>(as type: T.Type) -> T? {
        count >= MemoryLayout<T>.size ? nla_data(pointer).loadUnaligned(as: type) : nil
    }

    /// A string, with or without its terminating zero.
    var text: String {
        let bytes = UnsafeRawBufferPointer(start: nla_data(pointer), count: count)
        return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// Six bytes; nil for interfaces without Ethernet addresses.
    var mac: MACAddress? {
        guard count == 6 else { return nil }
        return MACAddress(bits: bytes.reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// Four or sixteen bytes.
    var address: IPAddress? {
        switch count {
        case 4:
            return .v4(IPv4Address(bits: bytes.reduce(0) { $0 << 8 | UInt32($1) }))
        case 16:
            return .v6(
                IPv6Address(
                    high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
                    low: bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
                )
            )
        default:
            return nil
        }
    }

    func nested(_ type: Int) -> Attribute? {
        nla_find(nla_data(pointer).assumingMemoryBound(to: nlattr.self), nla_len(pointer), Int32(type))
            .map(Attribute.init)
    }

    private var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nla_data(pointer), count: count) }
}

extension IPAddress {
    /// `AF_INET` or `AF_INET6`.
    var family: Int32 { isIPv6 ? AF_INET6 : AF_INET }

    /// In network order.
    var bytes: [UInt8] {
        switch self {
        case .v4(let a): (0..<4).map { UInt8(truncatingIfNeeded: a.bits >> UInt32(24 - 8 * $0)) }
        case .v6(let a):
            (0..<16).map { UInt8(truncatingIfNeeded: ($0 < 8 ? a.high : a.low) >> UInt64(56 - 8 * ($0 % 8))) }
        }
    }
}

/// A libnl address object, for as long as `body` runs.
func withNetlinkAddress<T, E: Error>(
    _ bytes: [UInt8],
    family: Int32,
    prefixLength: Int? = nil,
    _ body: (OpaquePointer) throws(E) -> T
) throws(E) -> T {
    let address = required(nl_addr_build(family, bytes, bytes.count))
    defer { nl_addr_put(address) }
    if let prefixLength { nl_addr_set_prefixlen(address, Int32(prefixLength)) }
    return try body(address)
}

/// libnl allocates with malloc and answers NULL only without memory; nothing sensible follows then.
func required(_ pointer: OpaquePointer?) -> OpaquePointer {
    guard let pointer else { preconditionFailure("libnl is out of memory") }
    return pointer
}
