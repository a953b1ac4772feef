import Rings
import Wire

/// Makes up frames: most of them sensible, many with one thing wrong, some with everything wrong.
struct FrameSource {
    let cloud: Cloud
    var random: SplitMix64
    private let ports: [Int]
    /// Interfaces of routers in networks that something is attached to here, and far ends of tunnels.
    let links: [Int]
    let farEnds: [Int]
    /// Ports with something attached, several times over: most frames should get somewhere.
    private let useful: [Int]
    private let tunnels: [Int]
    /// The tags that lead somewhere, by endpoint.
    private var tags: [Int: [(tpid: Int, vid: Int)]] = [:]
    /// The (network, peer) pairs that may speak, by tunnel endpoint.
    private var speakers: [Int: [(network: Int, peer: Int)]] = [:]

    init(_ cloud: Cloud, seed: UInt64) {
        self.cloud = cloud
        random = SplitMix64(seed: seed)
        let tunnels = cloud.endpoints.indices.filter {
            switch cloud.endpoints[$0].place {
            case .vxlan, .gre: true
            default: false
            }
        }
        self.tunnels = tunnels
        ports = cloud.endpoints.indices.filter {
            if case .ip = cloud.endpoints[$0].place { return false }
            return !tunnels.contains($0)
        }
        farEnds = cloud.farEnds
        links = cloud.interfaces.indices.filter { !cloud.members(of: cloud.interfaces[$0].network).isEmpty }
        useful = ports.filter { port in cloud.attachments.contains { $0?.endpoint == port } }
        for attachment in cloud.attachments {
            guard let attachment else { continue }
            if attachment.tpid != 0 { tags[attachment.endpoint, default: []].append((attachment.tpid, attachment.vid)) }
            if let peer = attachment.peer, attachment.tunnel == nil {
                speakers[attachment.endpoint, default: []].append((attachment.network, peer))
            }
        }
    }

    mutating func next() -> Arrival {
        var arrival: Arrival
        if !links.isEmpty && random.chance(1, of: 2) {
            arrival = routedArrival()
            mutate(&arrival)
            return arrival
        }
        if random.chance(1, of: 3) {
            let endpoint = random.pick(tunnels)
            var content = frame(random.chance(1, of: 8) ? tag() : nil)
            if random.chance(1, of: 30) { content.removeLast(random.below(content.count + 1)) }
            arrival = tunnelPacket(endpoint, content)
        } else {
            var endpoint = random.chance(1, of: 20) || useful.isEmpty ? random.pick(ports) : random.pick(useful)
            if random.chance(1, of: 500) { endpoint = cloud.endpoints.count + random.below(3) }
            var first = random.chance(1, of: 8) ? tag() : nil
            if let known = tags[endpoint], !random.chance(1, of: 4) {
                let choice = random.pick(known)
                first = (choice.tpid, random.below(16) << 12 | choice.vid)
            }
            arrival = Arrival(endpoint: endpoint, bytes: frame(first))
        }
        if random.chance(1, of: 3) { arrival.offload = offload(arrival) }
        mutate(&arrival)
        return arrival
    }

    // MARK: Contents

    mutating func address() -> MACAddress {
        random.chance(29, of: 30)
            ? random.pick(Pool.macs)
            : random.pick([.zero, .broadcast, MACAddress(bits: 0x0100_5E00_0001), MACAddress(bits: 0x0180_C200_0000)])
    }

    private mutating func destination() -> MACAddress {
        switch random.below(12) {
        case 0: .broadcast
        case 1: MACAddress(bits: 0x3333_0000_0001)
        case 2: random.chance(1, of: 2) ? MACAddress(bits: 0x0180_C200_0000 | random.next() & 0x1F) : address()
        case 3: MACAddress(bits: 0x0200_0000_0000 | random.next() & 0xFF)
        default: address()
        }
    }

    private mutating func tag() -> (Int, Int) {
        let vid = random.chance(1, of: 6) ? random.pick([0, 0, 4095, 3, 4093]) : random.pick(Pool.vids)
        return (random.pick([0x8100, 0x8100, 0x8100, 0x88A8, 0x88A8, 0x9100]), random.below(16) << 12 | vid)
    }

    private mutating func frame(_ first: (Int, Int)?) -> [UInt8] {
        var frame: [UInt8] = []
        frame.reserveCapacity(256)
        frame += macBytes(destination())
        frame += macBytes(address())
        if let first {
            frame += [UInt8(first.0 >> 8), UInt8(first.0 & 255), UInt8(first.1 >> 8), UInt8(first.1 & 255)]
            for _ in 0..<(random.chance(1, of: 6) ? 1 + random.below(2) : 0) {
                let (tpid, tci) = tag()
                frame += [UInt8(tpid >> 8), UInt8(tpid & 255), UInt8(tci >> 8), UInt8(tci & 255)]
            }
        }
        let size = random.chance(1, of: 25) ? random.below(random.chance(1, of: 40) ? 65_000 : 3000) : random.below(60)
        let payload = [UInt8](repeating: UInt8(truncatingIfNeeded: random.next()), count: size)
        let tos = random.below(256)
        switch random.below(10) {
        case 0: frame += [0x08, 0x06] + payload
        case 1: frame += [UInt8(random.below(256)), UInt8(random.below(256))] + payload
        case 2, 3, 4:
            frame += [0x86, 0xDD]
            let upper = random.chance(1, of: 2) ? tcp(payload) : udp(payload)
            let number = upper.count == payload.count + 8 ? 17 : 6
            frame +=
                random.chance(1, of: 4) ? extended(number, upper, tos) : finish(ipv6(protocol: number, tos: tos, upper))
        default:
            frame += [0x08, 0x00]
            let upper = random.chance(2, of: 3) ? tcp(payload, options: random.below(3)) : udp(payload)
            let number = upper.count == payload.count + 8 ? 17 : 6
            let fragment = random.chance(1, of: 10) ? random.pick([0x2000, 0x0001, 0x4000, 0x1FFF]) : 0
            frame += finish(ipv4(protocol: number, tos: tos, fragment: fragment, upper))
        }
        if random.chance(1, of: 12) { frame += [UInt8](repeating: 0xA5, count: random.below(20)) }
        return frame
    }

    /// IPv6 with one extension header in front of the transport header.
    private mutating func extended(_ number: Int, _ upper: [UInt8], _ tos: Int) -> [UInt8] {
        let kind = random.pick([0, 43, 44, 51, 60])
        var header = [UInt8(number), 0, 0, 0, 0, 0, 0, 0]
        header[1] = random.chance(1, of: 8) ? UInt8(random.below(4)) : 0
        header[3] = random.chance(1, of: 2) ? UInt8(random.below(4)) : 0
        return ipv6(protocol: kind, tos: tos, header + upper)
    }

    /// Half of the packets have their checksum left to the next hop.
    private mutating func finish(_ packet: [UInt8]) -> [UInt8] {
        random.chance(1, of: 2) ? withPartialChecksum(packet) : packet
    }

    // MARK: Around them

    private mutating func tunnelPacket(_ endpoint: Int, _ content: [UInt8]) -> Arrival {
        let isVXLAN = cloud.endpoints[endpoint].place != .gre
        var identifier = random.pick(Pool.identifiers)
        var peer = random.pick(cloud.peers).address
        if let known = speakers[endpoint], !random.chance(1, of: 15) {
            let speaker = random.pick(known)
            identifier = cloud.networks[speaker.network].identifier
            if !random.chance(1, of: 15) { peer = cloud.peers[speaker.peer].address }
        }
        var bytes: [UInt8]
        if isVXLAN {
            let odd = random.chance(1, of: 20)
            let flags = odd ? UInt32(truncatingIfNeeded: random.next()) : 0x0800_0000
            bytes = vxlan(identifier, flags: flags, reserved: odd ? UInt32(random.below(256)) : 0, content)
        } else {
            let key = random.chance(1, of: 30) ? nil : identifier
            var flags = random.chance(1, of: 6) ? 0x8000 : 0
            if random.chance(1, of: 20) { flags |= 1 << random.below(13) }
            let sequence = random.chance(1, of: 10) ? UInt32(truncatingIfNeeded: random.next()) : nil
            let type = random.chance(1, of: 30) ? 0x0800 : 0x6558
            bytes = gre(key, flags: flags & ~0x3000, type: type, sequence: sequence, content)
        }
        let stranger = IPv6Address(mapping: IPv4Address(bits: 0xC633_6401))
        return Arrival(
            endpoint: endpoint,
            bytes: bytes,
            outerSource: random.chance(1, of: 25) ? stranger : peer,
            outerTOS: UInt8(random.below(256)),
            outerInterface: random.chance(1, of: 40) ? 100 + UInt32(random.below(20)) : UInt32(random.below(5))
        )
    }

    /// What a port claims is still to do: most often what fits, else anything.
    mutating func offload(_ arrival: Arrival) -> Offload {
        let layers = Layers(arrival.bytes[...])
        var offload = Offload(flags: 1)
        offload.checksumStart = UInt16(max(layers.l4, 0))
        offload.checksumOffset = layers.proto == 17 ? 6 : 16
        if random.chance(1, of: 3) {
            offload.gsoType = layers.proto == 17 ? 5 : layers.version == 6 ? 4 : 1
            offload.gsoSize = UInt16(random.pick([1, 8, 30, 536, 1200, 1448]))
            offload.headerLength = UInt16(random.below(0x1_0000))
            if random.chance(1, of: 8) { offload.gsoType |= 0x80 }
        }
        if random.chance(1, of: 6) {
            switch random.below(6) {
            case 0: offload.flags = UInt8(random.below(256))
            case 1: offload.gsoType = UInt8(random.below(256))
            case 2: offload.gsoSize = UInt16(random.below(3))
            case 3: offload.checksumStart = UInt16(random.below(0x1_0000))
            case 4: offload.checksumStart = UInt16(random.below(200))
            default: offload.checksumOffset = UInt16(random.below(random.chance(1, of: 2) ? 100 : 0x1_0000))
            }
        }
        return offload
    }

    private mutating func mutate(_ arrival: inout Arrival) {
        guard random.chance(1, of: 10) else { return }
        switch random.below(4) {
        case 0: arrival.bytes.removeLast(random.below(arrival.bytes.count + 1))
        case 1:
            for _ in 0..<1 + random.below(4) where !arrival.bytes.isEmpty {
                arrival.bytes[random.below(arrival.bytes.count)] = UInt8(random.below(256))
            }
        case 2:
            guard arrival.bytes.count > 20 else { return }
            arrival.bytes[random.below(20)] ^= 1 << UInt8(random.below(8))
        default:
            guard random.chance(1, of: 10) else { return }
            arrival.bytes += [UInt8](repeating: 0, count: random.pick([1, 100, 9000, 60_000, 65_400, 66_000, 66_000]))
        }
    }
}
