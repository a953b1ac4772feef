import Wire

// Frames, put together byte by byte. Nothing here uses the code under test.

func be16(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }
func be32(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(value >> UInt32(24 - 8 * $0) & 255) } }
func be128(_ value: IPv6Address) -> [UInt8] {
    [value.high, value.low].flatMap { half in (0..<8).map { UInt8(half >> UInt64(56 - 8 * $0) & 255) } }
}
func macBytes(_ mac: MACAddress) -> [UInt8] { (0..<6).map { UInt8(mac.bits >> UInt64(40 - 8 * $0) & 255) } }

/// The one's complement sum of RFC 1071 over whole words, an odd last byte padded with zero.
func onesSum(_ bytes: ArraySlice<UInt8>, _ initial: Int = 0) -> Int {
    var sum = initial
    var i = bytes.startIndex
    while i < bytes.endIndex {
        sum += Int(bytes[i]) << 8 + (i + 1 < bytes.endIndex ? Int(bytes[i + 1]) : 0)
        i += 2
    }
    while sum > 0xFFFF { sum = sum & 0xFFFF + sum >> 16 }
    return sum
}

func ethernet(to: MACAddress, from: MACAddress, tags: [(Int, Int)] = [], type: Int, _ payload: [UInt8]) -> [UInt8] {
    var frame = macBytes(to) + macBytes(from)
    for (tpid, tci) in tags { frame += be16(tpid) + be16(tci) }
    return frame + be16(type) + payload
}

func ipv4(
    protocol number: Int,
    tos: Int = 0,
    fragment: Int = 0,
    options: Int = 0,
    from: UInt32 = 0x0A00_0001,
    to: UInt32 = 0x0A00_0002,
    ttl: Int = 64,
    _ payload: [UInt8]
) -> [UInt8] {
    var header: [UInt8] = [UInt8(0x45 + options), UInt8(tos)]
    header += be16(20 + 4 * options + payload.count) + be16(7) + be16(fragment) + [UInt8(ttl), UInt8(number), 0, 0]
    header += be32(from) + be32(to) + [UInt8](repeating: 1, count: 4 * options)
    let checksum = 0xFFFF - onesSum(header[...])
    header.replaceSubrange(10..<12, with: be16(checksum))
    return header + payload
}

func ipv6(
    protocol number: Int,
    tos: Int = 0,
    from: IPv6Address = IPv6Address(high: 0x2001_0DB8 << 32, low: 1),
    to: IPv6Address = IPv6Address(high: 0x2001_0DB8 << 32, low: 2),
    ttl: Int = 64,
    _ payload: [UInt8]
) -> [UInt8] {
    be16(0x6000 | tos << 4) + [0, 0] + be16(payload.count) + [UInt8(number), UInt8(ttl)] + be128(from) + be128(to)
        + payload
}

/// A message of ICMP, or of ICMPv6 between two addresses, with its checksum.
func icmp(_ type: Int, _ code: Int = 0, _ rest: [UInt8], from: IPv6Address? = nil, to: IPv6Address? = nil) -> [UInt8] {
    var message = [UInt8(type), UInt8(code), 0, 0] + rest
    var sum = 0
    if let from, let to { sum = onesSum((be128(from) + be128(to))[...], 58 + message.count) }
    message.replaceSubrange(2..<4, with: be16(0xFFFF - onesSum(message[...], sum)))
    return message
}

/// A segment of TCP with an unfinished checksum if `partial`, else with one that is wrong in an unremarkable way.
func tcp(_ payload: [UInt8], ports: (Int, Int) = (40000, 80), options: Int = 0) -> [UInt8] {
    be16(ports.0) + be16(ports.1) + be32(1) + be32(2) + [UInt8(0x50 + options << 4), 0x10] + be16(1000) + [0xBE, 0xEF]
        + [0, 0] + [UInt8](repeating: 1, count: 4 * options) + payload
}

func udp(_ payload: [UInt8], ports: (Int, Int) = (40000, 53)) -> [UInt8] {
    be16(ports.0) + be16(ports.1) + be16(8 + payload.count) + [0xBE, 0xEF] + payload
}

/// Puts the folded pseudo-header sum where the checksum of TCP or UDP goes, as a kernel does that leaves the rest to
/// the next hop. `packet` is a whole IP packet without options or extension headers.
func withPartialChecksum(_ packet: [UInt8]) -> [UInt8] {
    var packet = packet
    let isIPv6 = packet[0] >> 4 == 6
    let header = isIPv6 ? 40 : 20
    let number = Int(isIPv6 ? packet[6] : packet[9])
    let addresses = isIPv6 ? packet[8..<40] : packet[12..<20]
    let sum = onesSum(addresses, number + (packet.count - header))
    let place = header + (number == 6 ? 16 : 6)
    packet.replaceSubrange(place..<place + 2, with: be16(sum))
    return packet
}

func vxlan(_ vni: UInt32, flags: UInt32 = 0x0800_0000, reserved: UInt32 = 0, _ content: [UInt8]) -> [UInt8] {
    be32(flags) + be32(vni << 8 | reserved) + content
}

func gre(_ key: UInt32?, flags: Int = 0, type: Int = 0x6558, sequence: UInt32? = nil, _ content: [UInt8]) -> [UInt8] {
    var all = flags
    if key != nil { all |= 0x2000 }
    if sequence != nil { all |= 0x1000 }
    var packet = be16(all) + be16(type)
    let hasChecksum = flags & 0x8000 != 0
    if hasChecksum { packet += [0, 0, 0, 0] }
    if let key { packet += be32(key) }
    if let sequence { packet += be32(sequence) }
    packet += content
    if hasChecksum { packet.replaceSubrange(4..<6, with: be16(0xFFFF - onesSum(packet[...]))) }
    return packet
}
