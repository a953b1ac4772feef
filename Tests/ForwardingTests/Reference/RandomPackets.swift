import Rings
import Tables
import Wire

// What routers get: packets, most of them good ones between addresses that exist.

extension FrameSource {
    mutating func routedArrival() -> Arrival {
        if random.chance(1, of: 60) { return protocol94() }
        if !farEnds.isEmpty && random.chance(1, of: 5) { return farEndArrival() }
        let link = random.pick(links)
        let network = cloud.interfaces[link].network
        let place = random.pick(cloud.members(of: network))
        let router = cloud.routers[cloud.interfaces[link].router]
        let from = source(router, at: place)
        let offered: ([UInt8], Offload)
        switch random.below(20) {
        case 0, 1: offered = (arp(link, from), .none)
        case 2, 3: offered = (discovery(link, from), .none)
        case 4:
            let type = random.pick([0x9999, 0x8847, 0x0806, 0x0800, 0x86DD])
            let junk = [UInt8](repeating: UInt8(random.below(256)), count: random.below(60))
            offered = (ethernet(to: router.mac, from: from, type: type, junk), .none)
        default:
            var to = random.chance(1, of: 12) ? router.hostMAC : router.mac
            if random.chance(1, of: 40) { to = random.pick([.broadcast, MACAddress(bits: 0x0100_5E00_0001)]) }
            if random.chance(1, of: 15) { to = address() }
            let (bytes, isIPv6) = packet(link)
            let isTagged = random.chance(1, of: 60)
            let tags = isTagged ? [(0x8100, random.pick([0, 0x2000, 5]))] : []
            let frame = ethernet(to: to, from: from, tags: tags, type: isIPv6 ? 0x86DD : 0x0800, bytes)
            offered = (frame, random.chance(1, of: 12) ? superFrame(frame) : .none)
        }
        return wrap(offered.0, offered.1, at: place)
    }

    private mutating func source(_ router: Cloud.Router, at place: Int) -> MACAddress {
        let attachment = cloud.attachments[place]!
        let isProvider = cloud.endpoints[attachment.endpoint].place == .provider
        if attachment.isVTEP && random.chance(1, of: 3) { return router.mac }
        if isProvider && random.chance(1, of: 4) { return random.pick([router.mac, router.hostMAC]) }
        if isProvider && random.chance(1, of: 6) { return MACAddress(bits: router.mac.bits | 0x200) }
        if random.chance(1, of: 60) { return router.mac }
        let mac = random.pick(Pool.macs)
        let home = cloud.homes.first { $0.network == attachment.network && $0.mac == mac }
        if home == nil || home?.attachment == place || random.chance(1, of: 15) { return mac }
        return MACAddress(bits: 0x0200_0000_0010 | UInt64(place & 7))
    }

    /// A frame as it comes in by an attachment.
    private mutating func wrap(_ frame: [UInt8], _ offload: Offload, at place: Int) -> Arrival {
        let attachment = cloud.attachments[place]!
        var bytes = frame
        var shift = 0
        if attachment.tpid != 0 {
            bytes.insert(contentsOf: be16(attachment.tpid) + be16(random.below(16) << 12 | attachment.vid), at: 12)
            shift = 4
        }
        var arrival = Arrival(endpoint: attachment.endpoint, bytes: bytes)
        if let peer = attachment.peer {
            let identifier = cloud.networks[attachment.network].identifier
            let isVXLAN = cloud.endpoints[attachment.endpoint].place != .gre
            arrival.bytes = isVXLAN ? vxlan(identifier, bytes) : gre(identifier, bytes)
            arrival.outerSource = cloud.peers[peer].address
            arrival.outerTOS = random.chance(1, of: 4) ? UInt8(random.below(4)) : 0
            shift += 8
        }
        arrival.offload = offload.shifted(shift)
        return arrival
    }

    /// A packet, or what looks like one, from the far end of a router's tunnel.
    private mutating func farEndArrival() -> Arrival {
        let slot = random.pick(farEnds)
        let end = cloud.attachments[slot]!
        let peer = random.chance(1, of: 20) ? random.pick(cloud.peers).address : cloud.peers[end.peer!].address
        var wanted: Bool?
        if end.tunnel == .ipip { wanted = false }
        if end.tunnel == .sit { wanted = true }
        if random.chance(1, of: 12) { wanted = random.chance(1, of: 2) }
        var (bytes, isIPv6) = packet(end.interface!, isIPv6: wanted)
        if random.chance(1, of: 12) {
            // One more tunnel packet inside.
            let number = random.pick([4, 41, 47, 94])
            let isInnerIPv6 = peer.mappedIPv4 == nil
            isIPv6 = isInnerIPv6
            bytes =
                isInnerIPv6
                ? ipv6(protocol: number, from: peer, to: randomAddress(end.interface!, true), bytes)
                : ipv4(
                    protocol: number,
                    from: UInt32(truncatingIfNeeded: peer.low),
                    to: UInt32(truncatingIfNeeded: randomAddress(end.interface!, false).low),
                    bytes
                )
        }
        if random.chance(1, of: 30) { bytes.removeLast(random.below(bytes.count + 1)) }
        if case .gre(let key, let hasChecksum) = end.tunnel {
            let other: UInt32? = random.chance(1, of: 15) ? random.pick([nil, 0, 1, 77]) : key
            var type = isIPv6 ? 0x86DD : 0x0800
            if random.chance(1, of: 25) { type = random.pick([0x0800, 0x86DD, 0x6558, 0x8847]) }
            let sequence: UInt32? = random.chance(1, of: 20) ? 5 : nil
            bytes = gre(other, flags: hasChecksum ? 0x8000 : 0, type: type, sequence: sequence, bytes)
            if random.chance(1, of: 40) && bytes.count > 5 { bytes[random.below(bytes.count)] ^= 1 }
        }
        let isOurs = random.chance(1, of: 60)
        return Arrival(
            endpoint: end.endpoint,
            bytes: bytes,
            outerSource: peer,
            outerTOS: random.chance(1, of: 3) ? UInt8(random.below(4)) : 0,
            outerInterface: isOurs ? 100 + UInt32(random.below(20)) : 3
        )
    }

    private mutating func protocol94() -> Arrival {
        let endpoint = cloud.endpoints.firstIndex { $0.place == .ip(94) }!
        return Arrival(endpoint: endpoint, bytes: ipv4(protocol: 6, []), outerSource: random.pick(cloud.peers).address)
    }

    // MARK: Packets

    /// An address that a packet at an interface may have.
    mutating func randomAddress(_ interface: Int, _ isIPv6: Bool) -> IPv6Address {
        let row = cloud.interfaces[interface]
        let tenant = cloud.networks[row.network].tenant
        let mine = cloud.networks.filter { $0.tenant == tenant && $0.transport != .routed }
        let number = random.chance(1, of: 10) ? random.below(4) : random.pick(mine).number
        switch random.below(20) {
        case 0, 1, 2, 3, 4, 5, 6, 7:
            let host = random.chance(1, of: 8) ? random.pick([0, 255, 14, 4]) : random.pick(Pool.hosts)
            return isIPv6 ? Pool.ipv6(number, host) : Pool.ipv4(number, host)
        case 8:
            let own = cloud.interfaces.filter { cloud.networks[$0.network].tenant == tenant }.flatMap(\.addresses)
            let fitting = own.filter { $0.isIPv6 == isIPv6 }
            return fitting.isEmpty ? Pool.farAway[0] : random.pick(fitting).address
        case 9: return random.pick(cloud.peers).address
        case 11, 12, 13:
            // The far side of one of the router's tunnels.
            let near = cloud.interfaces.filter { near in
                near.router == row.router && cloud.networks[near.network].transport == .routed
            }
            let fitting = near.flatMap(\.addresses).filter { $0.isIPv6 == isIPv6 }
            guard !fitting.isEmpty else { return isIPv6 ? Pool.farAway6[0] : Pool.farAway[0] }
            let address = random.pick(fitting).address
            return IPv6Address(high: address.high, low: address.low + 1)
        default: return random.pick(isIPv6 ? Pool.farAway6 : Pool.farAway)
        }
    }

    /// Martians, groups, addresses of the link.
    private mutating func odd(_ isIPv6: Bool) -> IPv6Address {
        let v4 = Pool.v4
        if !isIPv6 {
            return random.pick([
                v4(0, 0, 0, 0), v4(127, 0, 0, 1), v4(224, 0, 0, 5), v4(239, 1, 2, 3), v4(240, 0, 0, 1),
                v4(255, 255, 255, 255), v4(169, 254, 1, 2), v4(10, 1, 0, 0), v4(10, 1, 0, 3),
            ])
        }
        let router = cloud.linkLocal(MACAddress(bits: 0x0200_0000_0101))
        return random.pick([
            Pool.v6(0), Pool.v6(0, 1), Pool.v6(0, 0xFFFF_0A00_000A), Pool.v6(0, 0x0A00_000A),
            Pool.v6(0xFF02 << 48, 1), Pool.v6(0xFF0E << 48, 5), Pool.v6(0xFE80 << 48, 9), router, router, router,
        ])
    }

    /// A packet with ends of its own. Of the family that is wanted, or one of the interface's.
    mutating func packet(_ interface: Int, isIPv6 wanted: Bool? = nil) -> (bytes: [UInt8], isIPv6: Bool) {
        let own = cloud.interfaces[interface].addresses
        let isIPv6 = wanted ?? (own.isEmpty ? random.chance(1, of: 2) : random.pick(own).isIPv6)
        let number = cloud.networks[cloud.interfaces[interface].network].number
        var from = isIPv6 ? Pool.ipv6(number, random.pick(Pool.hosts)) : Pool.ipv4(number, random.pick(Pool.hosts))
        if random.chance(1, of: 4) { from = randomAddress(interface, isIPv6) }
        var to = randomAddress(interface, isIPv6)
        if random.chance(1, of: 12), let end = farEnds.randomElement(using: &random) {
            // From what a tunnel of the router's leads to.
            let far = cloud.attachments[end]!
            if cloud.interfaces[far.interface!].router == cloud.interfaces[interface].router {
                from = cloud.peers[far.peer!].address
                if let near = cloud.interfaces[far.interface!].addresses.first(where: { $0.isIPv6 == isIPv6 }) {
                    to = IPv6Address(high: near.address.high, low: near.address.low + 1)
                }
            }
        }
        if random.chance(1, of: 12), let address = own.first(where: { $0.isIPv6 == isIPv6 }) { to = address.address }
        // The underlay's addresses are of either family.
        if isIPv6 != (from.mappedIPv4 == nil) { from = isIPv6 ? Pool.farAway6[0] : Pool.farAway[0] }
        if isIPv6 != (to.mappedIPv4 == nil) { to = isIPv6 ? Pool.farAway6[0] : Pool.farAway[0] }
        if random.chance(1, of: 40) { from = odd(isIPv6) }
        if random.chance(1, of: 40) { to = odd(isIPv6) }
        let ttl = random.chance(1, of: 6) ? random.pick([0, 1, 1, 2, 3, 9]) : random.pick([64, 64, 255])
        let tos = random.below(256)
        let (upper, type) = payload(from, to, isIPv6)
        var bytes: [UInt8]
        if isIPv6 {
            let (first, chain) = random.chance(1, of: 6) ? extensionHeaders(type) : (type, [])
            bytes = ipv6(protocol: first, tos: tos, from: from, to: to, ttl: ttl, chain + upper)
        } else {
            let options = random.chance(1, of: 8) ? random.below(3) + 1 : 0
            let fragment = random.chance(1, of: 2) ? 0x4000 : random.pick([0, 0, 0, 0, 0x2000, 0x2005, 5])
            bytes = ipv4(
                protocol: type,
                tos: tos,
                fragment: fragment,
                options: options,
                from: UInt32(truncatingIfNeeded: from.low),
                to: UInt32(truncatingIfNeeded: to.low),
                ttl: ttl,
                upper
            )
            if options > 0 { writeOptions(&bytes, options) }
        }
        if type == 6 || type == 17, bytes.count >= (isIPv6 ? 60 : 40), random.chance(1, of: 2) {
            let isPlain = isIPv6 ? Int(bytes[6]) == type : bytes[0] == 0x45
            if isPlain { bytes = withPartialChecksum(bytes) }
        }
        if random.chance(1, of: 40) { bytes[random.below(min(bytes.count, 40))] ^= UInt8(1 << random.below(8)) }
        if random.chance(1, of: 10) { bytes += [UInt8](repeating: 0xA5, count: random.below(20)) }
        return (bytes, isIPv6)
    }

    /// What a packet carries, and its protocol number.
    private mutating func payload(_ from: IPv6Address, _ to: IPv6Address, _ isIPv6: Bool) -> ([UInt8], Int) {
        let isLarge = random.chance(1, of: 6)
        let size = isLarge ? 1150 + random.below(random.chance(1, of: 10) ? 40_000 : 500) : random.below(60)
        let data = [UInt8](repeating: UInt8(truncatingIfNeeded: random.next()), count: size)
        let ends = isIPv6 ? (from, to) : nil
        let ports = (40000 + random.below(8), 80)
        switch random.below(16) {
        case 0, 1, 2:
            return (icmp(isIPv6 ? 128 : 8, 0, data, from: ends?.0, to: ends?.1), isIPv6 ? 58 : 1)
        case 3:
            let type = random.pick([0, 1, 2, 3, 4, 5, 8, 11, 12, 13, 42, 128, 129, 133, 135, 137])
            let message = icmp(type, random.below(2), data, from: ends?.0, to: ends?.1)
            return (message, random.pick([1, 58, isIPv6 ? 58 : 1]))
        case 4: return (data, random.pick([4, 41, 47, 50, 89, 132, 33, 136, 94]))
        case 5, 6, 7, 8: return (udp(data, ports: ports), 17)
        default: return (tcp(data, ports: ports, options: random.below(3)), 6)
        }
    }

    /// Options of IPv4 in place of the padding, and the checksum for them.
    private mutating func writeOptions(_ bytes: inout [UInt8], _ words: Int) {
        let option: [UInt8] = random.pick([
            [148, 4, 0, 0], [131, 3, 4, 0], [137, 3, 4, 0], [7, 3, 4, 0], [7, 90, 4, 0], [7, 0, 0, 0], [7, 1, 0, 0],
            [0, 7, 0, 0], [1, 1, 1, 7],
        ])
        let at = 20 + 4 * random.below(words)
        bytes.replaceSubrange(at..<at + 4, with: option)
        bytes[10] = 0
        bytes[11] = 0
        bytes.replaceSubrange(10..<12, with: be16(0xFFFF - onesSum(bytes[..<(20 + 4 * words)])))
    }

    /// A chain of extension headers that ends with a protocol, and what it begins with.
    private mutating func extensionHeaders(_ last: Int) -> (first: Int, bytes: [UInt8]) {
        var next = last
        var bytes: [UInt8] = []
        for _ in 0...random.below(random.chance(1, of: 20) ? 9 : 2) {
            let kind = random.pick([0, 0, 0, 43, 44, 51, 60])
            var header = [UInt8(next), 0, 1, 4, 0, 0, 0, 0]
            switch kind {
            case 0:
                let option: [UInt8] = random.pick([
                    [1, 4, 0, 0, 0, 0], [5, 2, 0, 0, 1, 0], [0x3E, 0, 0, 0, 1, 0], [0x7E, 2, 0, 0, 0, 0],
                    [0xBE, 2, 0, 0, 0, 0], [0xFE, 4, 0, 0, 0, 0], [0x1E, 9, 0, 0, 0, 0], [5, 1, 0, 1, 1, 0],
                    [0, 0, 0, 0, 0, 0],
                ])
                header.replaceSubrange(2..<8, with: option)
            case 43: header.replaceSubrange(2..<4, with: [UInt8(random.pick([0, 2, 4])), UInt8(random.below(2))])
            case 44: header.replaceSubrange(2..<4, with: be16(random.pick([0, 0, 1, 8, 9])))
            default: break
            }
            if random.chance(1, of: 25) { header[1] = UInt8(random.below(5)) }
            bytes = header + bytes
            next = kind
        }
        return (next, bytes)
    }

    /// What a sender would say that left segmentation to others.
    private mutating func superFrame(_ frame: [UInt8]) -> Offload {
        let layers = Layers(frame[...])
        guard layers.payload >= 0 else { return .none }
        return Offload(
            flags: 1,
            gsoType: layers.proto == 17 ? 5 : layers.version == 6 ? 4 : 1,
            gsoSize: UInt16(random.pick([200, 536, 1200, 1400, 1448, 8000])),
            checksumStart: UInt16(layers.l4),
            checksumOffset: layers.proto == 17 ? 6 : 16
        )
    }
}
