import Wire

// Packets, put together byte by byte, and the numbers in them. Nothing here uses the code under test but the reading of
// addresses from text.

package func be16(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }
package func be32(_ value: Int) -> [UInt8] { be16(value >> 16) + be16(value) }

/// The bytes of a MAC, an IPv4 or an IPv6 address: `02:00:00:00:00:01`, `10.0.0.1`, `2001:db8::1`.
package func address(_ text: String) -> [UInt8] {
    if text.contains(":"), text.split(separator: ":", omittingEmptySubsequences: false).count == 6,
        let mac = MACAddress(text)
    {
        return (0..<6).map { UInt8(mac.bits >> UInt64(40 - 8 * $0) & 255) }
    }
    switch IPAddress(text) {
    case .v4(let v4): return be32(Int(v4.bits))
    case .v6(let v6):
        return [v6.high, v6.low].flatMap { half in (0..<8).map { UInt8(half >> UInt64(56 - 8 * $0) & 255) } }
    case nil: preconditionFailure("\(text) is no address")
    }
}

/// The key by which tables hold an address.
package func mapped(_ text: String) -> IPv6Address {
    guard let address = IPAddress(text) else { preconditionFailure("\(text) is no address") }
    return address.mapped
}

package func mac(_ text: String) -> MACAddress {
    guard let address = MACAddress(text) else { preconditionFailure("\(text) is no MAC") }
    return address
}

/// The one's complement sum of RFC 1071 over whole words, an odd last byte padded with zero.
package func onesSum(_ bytes: [UInt8], _ initial: Int = 0) -> Int {
    var sum = initial
    for i in stride(from: 0, to: bytes.count, by: 2) {
        sum += Int(bytes[i]) << 8 + (i + 1 < bytes.count ? Int(bytes[i + 1]) : 0)
    }
    while sum > 0xFFFF { sum = sum & 0xFFFF + sum >> 16 }
    return sum
}

/// As many bytes, of which no two neighbours are the same.
package func filler(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) } }

/// An Ethernet frame. `type` is that of the payload by its first four bits unless it is given.
package func ethernet(
    to destination: String,
    from source: String,
    tags: [(type: Int, tag: Int)] = [],
    type: Int? = nil,
    _ payload: [UInt8]
) -> [UInt8] {
    var frame = address(destination) + address(source)
    for tag in tags { frame += be16(tag.type) + be16(tag.tag) }
    return frame + be16(type ?? (payload.first.map { $0 >> 4 == 6 } == true ? 0x86DD : 0x0800)) + payload
}

/// The flag in `fragment` that forbids fragmentation, and the one that says that more follow.
package let dontFragment = 0x4000
package let moreFragments = 0x2000

/// An IPv4 packet with its header checksum. `options` are padded to four bytes with ends of the list.
package func ipv4(
    from source: String,
    to destination: String,
    protocol number: Int = 253,
    ttl: Int = 64,
    tos: Int = 0,
    id: Int = 7,
    fragment: Int = 0,
    options: [UInt8] = [],
    _ payload: [UInt8] = []
) -> [UInt8] {
    let options = options + [UInt8](repeating: 0, count: (4 - options.count % 4) % 4)
    let length = 20 + options.count
    var header = [UInt8(0x40 + length / 4), UInt8(tos)] + be16(length + payload.count) + be16(id) + be16(fragment)
    header += [UInt8(ttl), UInt8(number), 0, 0] + address(source) + address(destination) + options
    header.replaceSubrange(10..<12, with: be16(0xFFFF - onesSum(header)))
    return header + payload
}

/// An IPv6 packet; extension headers are the payload's beginning.
package func ipv6(
    from source: String,
    to destination: String,
    next: Int = 253,
    hopLimit: Int = 64,
    tos: Int = 0,
    flow: Int = 0,
    _ payload: [UInt8] = []
) -> [UInt8] {
    be32(0x6000_0000 | tos << 20 | flow) + be16(payload.count) + [UInt8(next), UInt8(hopLimit)] + address(source)
        + address(destination) + payload
}

/// The sum of the pseudo-header of TCP, UDP or ICMPv6.
package func pseudoSum(_ source: String, _ destination: String, _ number: Int, _ length: Int) -> Int {
    onesSum(address(source) + address(destination), number + length)
}

/// UDP without a checksum, or with one if the addresses are given.
package func udp(
    _ sourcePort: Int,
    _ destinationPort: Int,
    over addresses: (from: String, to: String)? = nil,
    _ payload: [UInt8] = []
) -> [UInt8] {
    var bytes = be16(sourcePort) + be16(destinationPort) + be16(8 + payload.count) + [0, 0] + payload
    if let addresses {
        let sum = 0xFFFF - onesSum(bytes, pseudoSum(addresses.from, addresses.to, 17, bytes.count))
        bytes.replaceSubrange(6..<8, with: be16(sum == 0 ? 0xFFFF : sum))
    }
    return bytes
}

/// TCP without options. Its checksum is finished, or, if `isPartial`, left at the sum of the pseudo-header as a kernel does.
package func tcp(
    _ sourcePort: Int,
    _ destinationPort: Int,
    over addresses: (from: String, to: String),
    sequence: Int = 1,
    flags: Int = 0x10,
    isPartial: Bool = false,
    _ payload: [UInt8] = []
) -> [UInt8] {
    var bytes = be16(sourcePort) + be16(destinationPort) + be32(sequence) + be32(2) + [0x50, UInt8(flags)] + be16(1000)
    bytes += [0, 0, 0, 0] + payload
    let pseudo = pseudoSum(addresses.from, addresses.to, 6, bytes.count)
    bytes.replaceSubrange(16..<18, with: be16(isPartial ? pseudo : 0xFFFF - onesSum(bytes, pseudo)))
    return bytes
}

/// A message of ICMP (RFC 792): `field` is the word behind the checksum.
package func icmp(_ type: Int, _ code: Int, _ field: Int = 0, _ data: [UInt8] = []) -> [UInt8] {
    var bytes = [UInt8(type), UInt8(code), 0, 0] + be32(field) + data
    bytes.replaceSubrange(2..<4, with: be16(0xFFFF - onesSum(bytes)))
    return bytes
}

/// A message of ICMPv6 (RFC 4443).
package func icmpv6(
    _ type: Int,
    _ code: Int,
    _ field: Int = 0,
    from source: String,
    to destination: String,
    _ data: [UInt8] = []
) -> [UInt8] {
    var bytes = [UInt8(type), UInt8(code), 0, 0] + be32(field) + data
    bytes.replaceSubrange(2..<4, with: be16(0xFFFF - onesSum(bytes, pseudoSum(source, destination, 58, bytes.count))))
    return bytes
}

/// An ICMP error as a packet, as a router sends it: network control, DF, identification 0, and of the packet that it is
/// about as much as 576 bytes of IPv4 or 1280 of IPv6 take.
package func icmpError(
    _ type: Int,
    _ code: Int,
    _ field: Int = 0,
    from router: String,
    to sender: String,
    ttl: Int = 64,
    about packet: [UInt8]
) -> [UInt8] {
    if router.contains(":") {
        let quote = Array(packet.prefix(1280 - 48))
        return ipv6(
            from: router,
            to: sender,
            next: 58,
            hopLimit: ttl,
            icmpv6(type, code, field, from: router, to: sender, quote)
        )
    }
    let message = icmp(type, code, field, Array(packet.prefix(576 - 28)))
    return ipv4(from: router, to: sender, protocol: 1, ttl: ttl, tos: 0xC0, id: 0, fragment: dontFragment, message)
}

/// An echo request or reply of either family as a packet.
package func echo(
    from source: String,
    to destination: String,
    isReply: Bool = false,
    ttl: Int = 64,
    tos: Int = 0,
    _ data: [UInt8] = [1, 2, 3, 4]
) -> [UInt8] {
    if source.contains(":") {
        let message = icmpv6(isReply ? 129 : 128, 0, 0x0001_0002, from: source, to: destination, data)
        return ipv6(from: source, to: destination, next: 58, hopLimit: ttl, tos: tos, message)
    }
    let message = icmp(isReply ? 0 : 8, 0, 0x0001_0002, data)
    return ipv4(from: source, to: destination, protocol: 1, ttl: ttl, tos: tos, message)
}
