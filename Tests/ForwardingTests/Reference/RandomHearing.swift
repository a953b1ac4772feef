import Tables
import Wire

// ARP and neighbour discovery, as stations, other hosts' routers and mischief send it.

extension FrameSource {
    /// The router's addresses, those of others, and now and then anything.
    private mutating func asked(_ link: Int, _ isIPv6: Bool) -> IPv6Address {
        let own = cloud.interfaces[link].addresses.filter { $0.isIPv6 == isIPv6 }.map(\.address)
        if !own.isEmpty && random.chance(1, of: 2) { return random.pick(own) }
        let router = cloud.routers[cloud.interfaces[link].router]
        if isIPv6 && random.chance(1, of: 4) { return cloud.linkLocal(router.mac) }
        let number = cloud.networks[cloud.interfaces[link].network].number
        if random.chance(1, of: 15) { return randomAddress(link, isIPv6) }
        let host = random.chance(1, of: 6) ? random.below(4) : random.pick(Pool.hosts)
        return isIPv6 ? Pool.ipv6(number, host) : Pool.ipv4(number, host)
    }

    private mutating func told(_ link: Int, _ isIPv6: Bool) -> IPv6Address {
        let number = cloud.networks[cloud.interfaces[link].network].number
        if random.chance(1, of: 12) { return randomAddress(link, isIPv6) }
        return isIPv6 ? Pool.ipv6(number, random.pick(Pool.hosts)) : Pool.ipv4(number, random.pick(Pool.hosts))
    }

    mutating func arp(_ link: Int, _ from: MACAddress) -> [UInt8] {
        let router = cloud.routers[cloud.interfaces[link].router]
        let operation = random.chance(1, of: 20) ? random.below(5) : random.pick([1, 1, 2])
        var sender = told(link, false)
        var target = asked(link, false)
        if random.chance(1, of: 12) { sender = Pool.v4(0, 0, 0, 0) }
        if random.chance(1, of: 12) { target = sender }
        var mac = from
        if random.chance(1, of: 15) { mac = random.pick([.zero, .broadcast, Pool.macs[0]]) }
        var to = operation == 1 && random.chance(2, of: 3) ? MACAddress.broadcast : router.mac
        if random.chance(1, of: 10) { to = router.hostMAC }
        if random.chance(1, of: 10) { to = random.pick(Pool.macs) }
        var body: [UInt8] = [0, 1, 8, 0, 6, 4] + be16(operation) + macBytes(mac)
        body += be32(UInt32(truncatingIfNeeded: sender.low)) + macBytes(operation == 2 ? router.mac : .zero)
        body += be32(UInt32(truncatingIfNeeded: target.low))
        if random.chance(1, of: 15) { body[random.below(6)] ^= 1 }
        if random.chance(1, of: 20) { body.removeLast(random.below(20)) }
        if random.chance(1, of: 2) { body += [UInt8](repeating: 0, count: 18) }
        return ethernet(to: to, from: from, type: 0x0806, body)
    }

    mutating func discovery(_ link: Int, _ from: MACAddress) -> [UInt8] {
        let router = cloud.routers[cloud.interfaces[link].router]
        let isQuestion = random.chance(3, of: 5)
        var type = isQuestion ? 135 : 136
        if random.chance(1, of: 15) { type = random.pick([133, 134, 137, 128]) }
        var source = told(link, true)
        var target = isQuestion ? asked(link, true) : source
        let routerAddress = asked(link, true)
        let group = IPv6Address(high: 0xFF02 << 48, low: 0x1_FF00_0000 | target.low & 0xFF_FFFF)
        let toGroup = random.chance(1, of: 2)
        var to = isQuestion ? (toGroup ? group : target) : routerAddress
        var mac = isQuestion && toGroup ? MACAddress(bits: 0x3333_0000_0000 | group.low & 0xFFFF_FFFF) : router.mac
        var hasOption = random.chance(2, of: 3)
        if isQuestion && random.chance(1, of: 8) {
            source = IPv6Address(high: 0, low: 0)
            if random.chance(3, of: 4) { hasOption = false }
        }
        if random.chance(1, of: 10) { mac = router.hostMAC }
        if random.chance(1, of: 15) { mac = random.pick(Pool.macs) }
        if random.chance(1, of: 15) { to = random.pick([group, IPv6Address(high: 0xFF02 << 48, low: 1), source]) }
        // Who would pass for an IPv4 neighbour.
        if random.chance(1, of: 20) { target = told(link, false) }
        if random.chance(1, of: 25) { source = told(link, false) }
        if random.chance(1, of: 30) { target = random.pick([group, IPv6Address(high: 0, low: 1)]) }
        if random.chance(1, of: 25) { source = cloud.linkLocal(from) }
        let flags: [UInt8] = isQuestion ? [0, 0, 0, 0] : [UInt8(random.below(8) << 5), 0, 0, 0]
        var rest = flags + be128(target)
        if type == 137 { rest += be128(target) }
        if hasOption {
            let claimed = random.chance(1, of: 8) ? random.pick([.zero, .broadcast, Pool.macs[1]]) : from
            let kind = random.chance(1, of: 12) ? 5 : isQuestion ? 1 : 2
            rest += [UInt8(kind), UInt8(random.chance(1, of: 15) ? random.below(3) : 1)] + macBytes(claimed)
        }
        if random.chance(1, of: 12) { rest += [14, 1, 0, 0, 0, 0, 0, 0] }
        if random.chance(1, of: 25) { rest.removeLast(random.below(min(rest.count, 12)) + 1) }
        var message = icmp(type, random.chance(1, of: 25) ? 1 : 0, rest, from: source, to: to)
        if random.chance(1, of: 15) { message[2] ^= 0x10 }
        let ttl = random.chance(1, of: 15) ? 64 : 255
        if random.chance(1, of: 15) {
            let fragment: [UInt8] = [58, 0, 0, 0, 0, 0, 0, 7]
            let packet = ipv6(protocol: 44, from: source, to: to, ttl: ttl, fragment + message)
            return ethernet(to: mac, from: from, type: 0x86DD, packet)
        }
        return ethernet(
            to: mac,
            from: from,
            type: 0x86DD,
            ipv6(protocol: 58, from: source, to: to, ttl: ttl, message)
        )
    }
}
