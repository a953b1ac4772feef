import Testing
import Wire

@Suite struct NeighborDiscoveryTests {
    private typealias Kind = NeighborDiscovery.Kind

    private let memory = GuardedBytes(capacity: 2048)
    private let router = MACAddress("02:00:00:00:00:01")!
    private let host = MACAddress("02:00:00:00:00:0b")!
    private let routerIP = IPv6Address("2001:db8::1")!
    private let hostIP = IPv6Address("fe80::b")!
    private let none = IPv6Address("::")!

    private func parse(_ bytes: [UInt8]) -> NeighborDiscovery {
        let frame = memory.place(bytes)
        return NeighborDiscovery.parse(frame, ParsedFrame(UnsafeRawPointer(frame), bytes.count))
    }

    private func array(_ address: IPv6Address) -> [UInt8] {
        [address.high, address.low].flatMap { be(UInt32($0 >> 32)) + be(UInt32($0 & 0xFFFF_FFFF)) }
    }

    private func array(_ mac: MACAddress) -> [UInt8] { be(UInt16(mac.bits >> 32)) + be(UInt32(mac.bits & 0xFFFF_FFFF)) }

    /// A message as the standard draws it, with a right checksum.
    private func frame(
        type: UInt8 = 135,
        code: UInt8 = 0,
        flags: UInt8 = 0,
        source: IPv6Address? = nil,
        destination: IPv6Address? = nil,
        target: IPv6Address? = nil,
        options: [UInt8] = [],
        hopLimit: UInt8 = 255,
        extensions: [(UInt8, [UInt8])] = [],
        body: [UInt8]? = nil
    ) -> FrameSpec {
        var spec = FrameSpec()
        spec.isIPv6 = true
        spec.sourceAddress = array(source ?? hostIP)
        spec.destinationAddress = array(destination ?? routerIP.solicitedNode)
        spec.ttl = hopLimit
        spec.l4 = .other(58)
        spec.extensions = extensions.map { (number: $0.0, bytes: $0.1) }
        var message = [type, code, 0, 0, flags, 0, 0, 0] + (body ?? array(target ?? routerIP)) + options
        let pseudo = spec.sourceAddress + spec.destinationAddress + [0, 58] + be(UInt16(message.count))
        message.replaceSubrange(2..<4, with: be(~slowSum(pseudo + message)))
        spec.payload = message
        return spec
    }

    private func kind(_ spec: FrameSpec) -> Kind { parse(spec.bytes).kind }

    private let sourceOption: [UInt8] = [1, 1, 2, 0, 0, 0, 0, 0x0B]
    private let targetOption: [UInt8] = [2, 1, 2, 0, 0, 0, 0, 0x0B]

    @Test func readsSolicitations() {
        let plain = parse(frame().bytes)
        #expect(plain.kind == .solicitation && plain.target == routerIP && plain.source == hostIP)
        #expect(
            plain.destination == routerIP.solicitedNode && !plain.hasLinkLayerAddress && !plain.isDuplicateDetection
        )
        let full = parse(frame(options: [14, 1, 1, 2, 3, 4, 5, 6] + sourceOption + targetOption).bytes)
        #expect(full.kind == .solicitation && full.hasLinkLayerAddress && full.linkLayerAddress == host)
        // Flags mean nothing in a solicitation, nor does what is reserved (RFC 4861 §4.3).
        let reserved = parse(frame(flags: 0xFF).bytes)
        #expect(reserved.kind == .solicitation && !reserved.isRouter && !reserved.isSolicited && !reserved.isOverride)
        let detection = parse(frame(source: none).bytes)
        #expect(detection.isDuplicateDetection && detection.target == routerIP)
    }

    @Test func readsAdvertisements() {
        for flags in UInt8.min...UInt8.max {
            let found = parse(frame(type: 136, flags: flags, destination: routerIP, target: hostIP).bytes)
            #expect(found.kind == .advertisement && found.isRouter == (flags & 0x80 != 0))
            #expect(found.isSolicited == (flags & 0x40 != 0) && found.isOverride == (flags & 0x20 != 0))
        }
        let told = parse(frame(type: 136, target: hostIP, options: sourceOption + targetOption).bytes)
        #expect(told.hasLinkLayerAddress && told.linkLayerAddress == host && told.target == hostIP)
        // The other message's option is none of its own.
        #expect(!parse(frame(type: 136, options: sourceOption).bytes).hasLinkLayerAddress)
        #expect(!parse(frame(options: targetOption).bytes).hasLinkLayerAddress)
    }

    /// RFC 4861 §7.1.1 and §7.1.2, one rule after the other.
    @Test func commonChecks() {
        for type: UInt8 in [135, 136] {
            let good: Kind = type == 135 ? .solicitation : .advertisement
            #expect(kind(frame(type: type)) == good)
            for limit in UInt8.min..<255 { #expect(kind(frame(type: type, hopLimit: limit)) == .invalid) }
            for code in 1...UInt8.max { #expect(kind(frame(type: type, code: code)) == .invalid) }
            for text in ["ff02::1", "ff02::1:ff00:1", "ff0e::1"] {
                #expect(kind(frame(type: type, target: IPv6Address(text)!)) == .invalid)
            }
            #expect(kind(frame(type: type, source: IPv6Address("ff02::1")!)) == .invalid)
            // 24 bytes at least, wherever the message ends.
            for length in 0..<16 {
                #expect(kind(frame(type: type, body: [UInt8](repeating: 1, count: length))) == .invalid)
            }
            #expect(kind(frame(type: type, body: [UInt8](repeating: 1, count: 16))) == good)
            // One wrong bit anywhere.
            let spec = frame(type: type, options: sourceOption)
            for at in 0..<spec.payload.count {
                for bit in 0..<8 {
                    var other = spec
                    other.payload[at] ^= 1 << UInt8(bit)
                    let found = kind(other)
                    #expect(found == .invalid || at == 0 && found == .none, "bit \(bit) of byte \(at)")
                }
            }
        }
    }

    @Test func options() {
        let fine: [[UInt8]] = [
            sourceOption, [200, 2] + [UInt8](repeating: 9, count: 14), sourceOption + [1, 1, 2, 0, 0, 0, 0, 0x0C],
            [5, 1, 0, 0, 0, 0, 5, 0xDC], [14, 1, 1, 2, 3, 4, 5, 6],
        ]
        for option in fine { #expect(kind(frame(options: option)) == .solicitation, "\(option)") }
        let wrong: [[UInt8]] = [
            [1, 0, 2, 0, 0, 0, 0, 1], [99, 0, 0, 0, 0, 0, 0, 0], [1], [1, 1], [1, 1, 2, 0, 0, 0, 0],
            [99, 2, 0, 0, 0, 0, 0, 0],
            sourceOption + [0, 0], sourceOption + [14, 255, 0, 0, 0, 0, 0, 0],
            [1, 2] + [UInt8](repeating: 2, count: 14),
            sourceOption + [7],
        ]
        for option in wrong {
            #expect(kind(frame(options: option)) == .invalid, "\(option)")
            #expect(kind(frame(type: 133, options: [UInt8](option))) == .invalid, "\(option)")
        }
        // The first one counts; a group's address is nobody's.
        #expect(parse(frame(options: fine[2]).bytes).linkLayerAddress == host)
        for mac in [MACAddress.broadcast, .zero, MACAddress(multicast: hostIP)] {
            let found = parse(frame(options: [1, 1] + array(mac)).bytes)
            #expect(found.kind == .solicitation && !found.hasLinkLayerAddress)
        }
    }

    /// RFC 4861 §7.1.1: what a host without an address may ask, and whom.
    @Test func unspecifiedSource() {
        #expect(kind(frame(source: none)) == .solicitation)
        #expect(kind(frame(source: none, options: [14, 1, 1, 2, 3, 4, 5, 6])) == .solicitation)
        #expect(kind(frame(source: none, options: sourceOption)) == .invalid)
        #expect(kind(frame(source: none, options: [1, 1] + array(MACAddress.zero))) == .invalid)
        for text in ["2001:db8::1", "ff02::1", "ff02::2", "ff05::1:ff00:1"] {
            #expect(kind(frame(source: none, destination: IPv6Address(text)!)) == .invalid, "\(text)")
            #expect(kind(frame(destination: IPv6Address(text)!)) == .solicitation, "\(text)")
        }
    }

    /// RFC 4861 §7.1.2: what is told to everybody answers nobody.
    @Test func solicitedMulticast() {
        let all = IPv6Address.allNodes
        #expect(kind(frame(type: 136, flags: 0xA0, destination: all)) == .advertisement)
        #expect(kind(frame(type: 136, flags: 0x40, destination: all)) == .invalid)
        #expect(kind(frame(type: 136, flags: 0x40, destination: hostIP)) == .advertisement)
    }

    /// RFC 6980 §5, and what may stand in front otherwise.
    @Test func extensionHeaders() {
        for field: UInt8 in [0, 1] {
            let header: [(UInt8, [UInt8])] = [(IPProtocol.fragment, [0, 0, 0, field, 0, 0, 0, 7])]
            #expect(kind(frame(extensions: header)) == .fragmented)
            #expect(kind(frame(type: 134, extensions: header, body: [UInt8](repeating: 0, count: 8))) == .fragmented)
            #expect(kind(frame(type: 128, extensions: header)) == .none)
        }
        #expect(kind(frame(extensions: [(IPProtocol.fragment, [0, 0, 0, 8, 0, 0, 0, 7])])) == .none)
        #expect(kind(frame(extensions: [(IPProtocol.hopByHop, [0, 0, 5, 2, 0, 0, 1, 0])])) == .solicitation)
        #expect(kind(frame(extensions: [(IPProtocol.destinationOptions, [0, 0, 1, 4, 0, 0, 0, 0])])) == .solicitation)
        // A message behind a chain that cannot be walked is none that anybody could read.
        #expect(kind(frame(extensions: [(IPProtocol.hopByHop, [0, 99, 5, 2, 0, 0, 1, 0])])) == .none)
    }

    @Test func routersMessages() {
        let link = IPv6Address("fe80::1")!
        let body = [UInt8](repeating: 0, count: 32)
        #expect(kind(frame(type: 133, source: link, body: [])) == .routerSolicitation)
        #expect(kind(frame(type: 133, source: link, options: sourceOption, body: [])) == .routerSolicitation)
        #expect(kind(frame(type: 133, source: none, body: [])) == .routerSolicitation)
        #expect(kind(frame(type: 133, source: none, options: sourceOption, body: [])) == .invalid)
        #expect(kind(frame(type: 134, source: link, body: Array(body[..<8]))) == .routerAdvertisement)
        #expect(kind(frame(type: 134, source: link, body: Array(body[..<7]))) == .invalid)
        #expect(kind(frame(type: 134, source: routerIP, body: Array(body[..<8]))) == .invalid)
        #expect(kind(frame(type: 137, source: link, body: body)) == .redirect)
        #expect(kind(frame(type: 137, source: routerIP, body: body)) == .invalid)
        #expect(kind(frame(type: 137, source: link, body: Array(body[..<31]))) == .invalid)
        for type in UInt8.min...UInt8.max where !(133...137).contains(type) {
            #expect(kind(frame(type: type)) == .none)
        }
    }

    @Test func notThatProtocol() {
        var v4 = FrameSpec()
        v4.l4 = .other(58)
        v4.payload = frame().payload
        #expect(kind(v4) == .none && parse([]).kind == .none)
        var other = frame()
        other.l4 = .other(59)
        #expect(kind(other) == .none)
        other = frame()
        other.payload = []
        #expect(kind(other) == .none)
    }

    @Test func everyTruncation() {
        for spec in [frame(options: sourceOption), frame(type: 136, options: targetOption)] {
            let bytes = spec.bytes
            for count in 0..<bytes.count {
                let found = parse(Array(bytes[..<count])).kind
                #expect(found == .none || found == .invalid, "\(count) bytes")
            }
            // Padding is not part of it.
            var padded = spec
            padded.padding = [1, 2, 3]
            #expect(parse(padded.bytes) == parse(bytes))
        }
    }

    @Test func hostile() {
        var random = SplitMix(131)
        var good = 0
        for _ in 0..<30_000 {
            var spec = frame(
                type: UInt8(133 + random.below(5)),
                flags: random.byte(),
                options: random.chance(2) ? sourceOption : random.bytes(random.below(40))
            )
            for _ in 0..<random.below(3) { spec.payload[random.below(spec.payload.count)] = random.byte() }
            var bytes = spec.bytes
            if random.chance(4) { bytes[random.below(bytes.count)] = random.byte() }
            if parse(bytes).kind == .solicitation { good += 1 }
        }
        #expect(good > 500)
    }
}
