import Wire

@testable import Rings

/// Frames made by the book, byte by byte.
enum TestFrame {
    /// Ethernet, IPv4 and UDP from 10.0.0.1:1000 to 10.0.0.2:2000.
    ///
    /// - Parameter partial: leave the UDP checksum to the next hop: the field holds the pseudo-header's sum.
    static func udp(
        _ payload: [UInt8],
        partial: Bool = false,
        destination: [UInt8] = [2, 0, 0, 0, 0, 2],
        addresses: (UInt32, UInt32) = (0x0A00_0001, 0x0A00_0002),
        ports: (UInt16, UInt16) = (1000, 2000)
    ) -> [UInt8] {
        var frame = ethernet(destination) + ipv4(addresses, IPProtocol.udp, 8 + payload.count)
        frame += be(ports.0) + be(ports.1) + be(UInt16(8 + payload.count)) + [0, 0] + payload
        checksum(&frame, at: 34, field: 6, IPProtocol.udp, partial: partial)
        return frame
    }

    /// Ethernet, IPv4 and TCP, ACK and PSH set, sequence number 1000, with room for a checksum. Without `partial` it is
    /// complete.
    static func tcp(_ payload: [UInt8], partial: Bool) -> [UInt8] {
        var frame = ethernet([2, 0, 0, 0, 0, 2]) + ipv4((0x0A00_0001, 0x0A00_0002), IPProtocol.tcp, 20 + payload.count)
        frame += be(1000) + be(2000) + be32(1000) + be32(1) + [0x50, 0x18] + be(8192) + [0, 0, 0, 0] + payload
        checksum(&frame, at: 34, field: 16, IPProtocol.tcp, partial: partial)
        return frame
    }

    /// IPv6 and TCP without an Ethernet header, otherwise like `tcp`.
    static func tcp6(_ payload: [UInt8], partial: Bool) -> [UInt8] {
        var packet: [UInt8] = [0x60, 0, 0, 0] + be(UInt16(20 + payload.count)) + [IPProtocol.tcp, 64]
        for last in [1, 2] as [UInt8] { packet += [0xFD] + Array(repeating: 0, count: 14) + [last] }
        packet += be(1000) + be(2000) + be32(1000) + be32(1) + [0x50, 0x18] + be(8192) + [0, 0, 0, 0] + payload
        packet.withUnsafeMutableBytes { raw in
            let bytes = raw.baseAddress!
            let pseudo = Checksum.pseudoIPv6(bytes, protocol: IPProtocol.tcp, length: raw.count - 40)
            bytes.set16(56, Checksum.fold(pseudo))
            if !partial { _ = PartialChecksum.complete(bytes, raw.count, start: 40, offset: 16) }
        }
        return packet
    }

    static func tag(_ frame: [UInt8], _ tci: UInt16, type: UInt16 = 0x8100) -> [UInt8] {
        Array(frame[..<12]) + be(type) + be(tci) + Array(frame[12...])
    }

    static func ethernet(_ destination: [UInt8]) -> [UInt8] { destination + [2, 0, 0, 0, 0, 1, 0x08, 0x00] }

    static func ipv4(_ addresses: (UInt32, UInt32), _ number: UInt8, _ length: Int) -> [UInt8] {
        var header: [UInt8] = [0x45, 0] + be(UInt16(20 + length)) + [0, 7, 0x40, 0, 64, number, 0, 0]
        header += be32(addresses.0) + be32(addresses.1)
        header.withUnsafeMutableBytes { Checksum.write(ipv4Header: $0.baseAddress!, length: 20) }
        return header
    }

    private static func checksum(_ frame: inout [UInt8], at start: Int, field: Int, _ number: UInt8, partial: Bool) {
        let length = frame.count - start
        frame.withUnsafeMutableBytes { raw in
            let bytes = raw.baseAddress!
            let pseudo = Checksum.pseudoIPv4(bytes + 14, protocol: number, length: length)
            bytes.set16(start + field, Checksum.fold(pseudo))
            if !partial { _ = PartialChecksum.complete(bytes, raw.count, start: start, offset: field) }
        }
    }

    static func be(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }
    static func be32(_ value: UInt32) -> [UInt8] {
        be(UInt16(value >> 16)) + be(UInt16(truncatingIfNeeded: value))
    }

    /// Bytes that differ from place to place.
    static func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 / 251 &+ seed) }
    }

    static let vxlan: [UInt8] = [8, 0, 0, 0, 0, 0, 42, 0]
    static let gre: [UInt8] = [0x20, 0, 0x65, 0x58, 0, 0, 0, 42]

    /// Unfinished UDP and TCP of the frames above, behind `shift` bytes.
    static func partialUDP(_ shift: Int = 0) -> Offload {
        Offload(flags: 1, checksumStart: UInt16(34 + shift), checksumOffset: 6)
    }

    static func superTCP(_ size: UInt16, _ shift: Int = 0) -> Offload {
        Offload(
            flags: 1,
            gsoType: Offload.gsoTCPv4,
            headerLength: UInt16(54 + shift),
            gsoSize: size,
            checksumStart: UInt16(34 + shift),
            checksumOffset: 16
        )
    }
}
