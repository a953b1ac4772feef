import Rings
import Wire

// Frames as tenants send them, byte by byte.

func bytes(_ mac: UInt64) -> [UInt8] {
    (0..<6).reversed().map { UInt8(truncatingIfNeeded: mac >> UInt64(8 * $0)) }
}

func word(_ value: UInt32) -> [UInt8] {
    (0..<4).reversed().map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) }
}

/// An Ethernet frame of `length` bytes with an EtherType that nobody knows, and a tag if `vlan` is not 0.
func frame(to destination: UInt64, from source: UInt64, vlan: UInt16 = 0, length: Int = 60) -> [UInt8] {
    var frame = bytes(destination) + bytes(source)
    if vlan != 0 { frame += [0x81, 0x00, UInt8(vlan >> 8), UInt8(vlan & 0xFF)] }
    frame += [0x88, 0xB5]
    return frame + [UInt8](repeating: 0, count: max(0, length - frame.count))
}

/// An IPv4 packet with UDP inside, in an Ethernet frame of 64 bytes on the wire.
func packet(to destination: UInt64, from source: UInt64, _ target: UInt32, _ origin: UInt32) -> [UInt8] {
    var ip: [UInt8] = [0x45, 0, 0, 46, 0, 1, 0x40, 0, 64, 17, 0, 0] + word(origin) + word(target)
    let sum = checksum(ip)
    ip[10] = UInt8(sum >> 8)
    ip[11] = UInt8(sum & 0xFF)
    // A checksum of 0 means that the sender made none.
    let udp: [UInt8] = [0x30, 0x39, 0x00, 0x35, 0, 26, 0, 0] + [UInt8](repeating: 0x55, count: 18)
    return bytes(destination) + bytes(source) + [0x08, 0x00] + ip + udp
}

/// A TCP super-frame of `segments` segments of 1 398 bytes over IPv4, as a TAP with offloads hands it over: the checksum
/// field holds the sum of the pseudo-header.
func superFrame(to destination: UInt64, from source: UInt64, segments: Int) -> ([UInt8], Offload) {
    let size = 1398
    let payload = size * segments
    let total = 40 + payload
    let origin: UInt32 = 0x0A00_000B
    let target: UInt32 = 0x0A00_000C
    var ip: [UInt8] =
        [0x45, 0, UInt8(total >> 8), UInt8(total & 0xFF), 0, 1, 0x40, 0, 64, 6, 0, 0] + word(origin) + word(target)
    let sum = checksum(ip)
    ip[10] = UInt8(sum >> 8)
    ip[11] = UInt8(sum & 0xFF)
    let length = 20 + payload
    let pseudo = ~checksum(word(origin) + word(target) + [0, 6, UInt8(length >> 8), UInt8(length & 0xFF)])
    let tcp: [UInt8] =
        [0x30, 0x39, 0x14, 0x51] + word(1) + word(1) + [0x50, 0x10, 0xFF, 0xFF]
        + [UInt8(pseudo >> 8), UInt8(pseudo & 0xFF), 0, 0]
    let data = (0..<payload).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let offload = Offload(
        flags: Offload.needsChecksumFlag,
        gsoType: Offload.gsoTCPv4,
        headerLength: 54,
        gsoSize: UInt16(size),
        checksumStart: 34,
        checksumOffset: 16
    )
    return (bytes(destination) + bytes(source) + [0x08, 0x00] + ip + tcp + data, offload)
}

/// RFC 1071.
private func checksum(_ bytes: [UInt8]) -> UInt16 {
    var sum: UInt32 = 0
    for i in stride(from: 0, to: bytes.count, by: 2) { sum += UInt32(bytes[i]) << 8 | UInt32(bytes[i + 1]) }
    while sum >> 16 != 0 { sum = sum & 0xFFFF + sum >> 16 }
    return ~UInt16(sum)
}

func vxlan(_ identifier: UInt32, _ inner: [UInt8]) -> [UInt8] { [8, 0, 0, 0] + word(identifier << 8) + inner }

func gre(_ key: UInt32, _ inner: [UInt8]) -> [UInt8] { [0x20, 0, 0x65, 0x58] + word(key) + inner }
