import Wire

/// A frame described by what it says. `bytes` builds it the slow and obvious way: arrays, one field after the other,
/// checksums over copies. It is the twin that parser and segmentation are held against.
struct FrameSpec {
    enum L4 {
        case tcp(sequence: UInt32, flags: UInt8, options: [UInt8])
        case udp
        /// Any protocol, whose bytes are the payload.
        case other(UInt8)
    }

    enum Checksum {
        case complete
        /// What a kernel leaves when the next hop is to finish it.
        case partial
    }

    var prefix: [UInt8] = []
    /// Where in the prefix a GRE header with a checksum begins.
    var gre: Int?
    /// Without Ethernet header and tags.
    var isDatagram = false
    var destination = MACAddress(bits: 0x0200_0000_0001)
    var source = MACAddress(bits: 0x0200_0000_0002)
    var tags: [(type: UInt16, tag: UInt16)] = []
    var isIPv6 = false
    var sourceAddress: [UInt8] = [10, 0, 0, 1]
    var destinationAddress: [UInt8] = [10, 0, 0, 2]
    var tos: UInt8 = 0
    var ttl: UInt8 = 64
    var identification: UInt16 = 0x1234
    /// Flags and offset of IPv4.
    var fragmentField: UInt16 = 0x4000
    var options: [UInt8] = []
    /// Extension headers: protocol number and all bytes, the first of which is overwritten.
    var extensions: [(number: UInt8, bytes: [UInt8])] = []
    var l4 = L4.tcp(sequence: 1, flags: 0x10, options: [])
    var ports: (UInt16, UInt16) = (40_000, 80)
    var payload: [UInt8] = []
    var padding: [UInt8] = []
    var checksum = Checksum.complete

    var etherType: UInt16 { isIPv6 ? EtherType.ipv6 : EtherType.ipv4 }

    var number: UInt8 {
        switch l4 {
        case .tcp: 6
        case .udp: 17
        case .other(let number): number
        }
    }

    var networkOffset: Int { prefix.count + (isDatagram ? 0 : 14 + 4 * tags.count) }

    var transportOffset: Int {
        networkOffset + (isIPv6 ? 40 + extensions.reduce(0) { $0 + $1.bytes.count } : 20 + options.count)
    }

    var payloadOffset: Int {
        switch l4 {
        case .tcp(_, _, let options): transportOffset + 20 + options.count
        case .udp: transportOffset + 8
        case .other: transportOffset
        }
    }

    private func checksummed(_ header: [UInt8], at offset: Int) -> [UInt8] {
        let length = UInt16(truncatingIfNeeded: header.count + payload.count)
        let pseudo = slowSum(sourceAddress + destinationAddress + [0, number] + be(length))
        var value = pseudo
        if checksum == .complete {
            value = ~slowSum(header + payload, pseudo)
            if value == 0 { value = 0xFFFF }
        }
        var header = header
        header.replaceSubrange(offset..<offset + 2, with: be(value))
        return header
    }

    private var transport: [UInt8] {
        switch l4 {
        case .tcp(let sequence, let flags, let options):
            let fixed = be(ports.0) + be(ports.1) + be(sequence) + be(UInt32(0x0A0B_0C0D))
            let size = UInt8((20 + options.count) / 4) << 4
            return checksummed(fixed + [size, flags] + be(UInt16(501)) + [0, 0, 0, 0] + options, at: 16)
        case .udp:
            return checksummed(be(ports.0) + be(ports.1) + be(UInt16(8 + payload.count)) + [0, 0], at: 6)
        case .other:
            return []
        }
    }

    private var network: [UInt8] {
        let transport = transport
        if isIPv6 {
            var chain: [UInt8] = []
            for (i, header) in extensions.enumerated() {
                chain.append(i + 1 < extensions.count ? extensions[i + 1].number : number)
                chain += header.bytes.dropFirst()
            }
            let length = UInt16(chain.count + transport.count + payload.count)
            let first: [UInt8] = [0x60 | tos >> 4, tos << 4 | 0x05, 0x67, 0x89]
            return first + be(length) + [extensions.first?.number ?? number, ttl] + sourceAddress + destinationAddress
                + chain + transport + payload
        }
        let length = UInt16(20 + options.count + transport.count + payload.count)
        var header = [0x40 | UInt8(5 + options.count / 4), tos] + be(length) + be(identification) + be(fragmentField)
        header += [ttl, number, 0, 0] + sourceAddress + destinationAddress + options
        header.replaceSubrange(10..<12, with: be(~slowSum(header)))
        return header + transport + payload
    }

    var bytes: [UInt8] {
        var bytes = unpadded
        if let gre {
            bytes.replaceSubrange(gre + 4..<gre + 6, with: [0, 0])
            bytes.replaceSubrange(gre + 4..<gre + 6, with: be(~slowSum(Array(bytes[gre...]))))
        }
        return bytes + padding
    }

    private var unpadded: [UInt8] {
        var bytes = prefix
        if isDatagram { return bytes + network }
        for mac in [destination, source] {
            bytes += be(UInt16(mac.bits >> 32)) + be(UInt32(truncatingIfNeeded: mac.bits))
        }
        for (type, tag) in tags { bytes += be(type) + be(tag) }
        return bytes + be(etherType) + network
    }
}

extension FrameSpec {
    /// Any frame that a TCP or UDP sender may produce, with `length` bytes of payload.
    static func random(_ random: inout SplitMix, length: Int) -> FrameSpec {
        var spec = FrameSpec()
        spec.destination = MACAddress(bits: random.next())
        spec.source = MACAddress(bits: random.next())
        for _ in 0..<random.pick([0, 0, 1, 2]) {
            spec.tags.append((random.pick([EtherType.vlan, EtherType.serviceVLAN, 0x9100]), random.word()))
        }
        spec.isIPv6 = random.chance(2)
        spec.sourceAddress = random.bytes(spec.isIPv6 ? 16 : 4)
        spec.destinationAddress = random.bytes(spec.isIPv6 ? 16 : 4)
        spec.tos = random.byte()
        spec.ttl = random.byte()
        spec.identification = random.word()
        spec.fragmentField = random.pick([0, 0x4000])
        if spec.isIPv6 {
            for _ in 0..<random.pick([0, 0, 0, 1, 2]) {
                let units = random.below(3)
                let number = random.pick([IPProtocol.hopByHop, IPProtocol.destinationOptions, IPProtocol.routing])
                var bytes = [0, UInt8(units)] + random.bytes(6 + 8 * units)
                bytes[3] = 0
                spec.extensions.append((number, bytes))
            }
        } else {
            spec.options = random.bytes(4 * random.pick([0, 0, 0, 1, 5, 10]))
        }
        spec.ports = (random.word(), random.word())
        spec.payload = random.bytes(length)
        if random.chance(3) {
            spec.l4 = .udp
        } else {
            let sequence = UInt32(truncatingIfNeeded: random.next())
            let options = random.bytes(4 * random.pick([0, 3, 3, 5, 10]))
            spec.l4 = .tcp(sequence: sequence, flags: random.byte(), options: options)
        }
        return spec
    }
}
