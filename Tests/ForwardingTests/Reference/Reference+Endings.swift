import Forwarding
import Tables
import Wire

// What the last router on a packet's way does with it.

extension Reference {
    /// The router itself answers to pings, and offers nothing else.
    func deliver(_ walk: inout Walk, _ stop: Stop) -> DropReason? {
        let layers = walk.layers
        let isIPv6 = layers.version == 6
        walk.hops = 0
        // RFC 2003 §3.1: out of a tunnel none may come that has no hop left.
        if walk.bareType == 0x0800 && layers.ttl == 0 { return .hopLimitExceeded }
        let isWhole = !layers.isFragment && !layers.isRouted && !layers.isAuthenticated && layers.l4 >= 0
        let at = layers.l4 - layers.l3
        if isWhole && layers.proto == (isIPv6 ? 58 : 1) && layers.end - layers.l4 >= 8
            && walk.byte(at) == (isIPv6 ? 128 : 8) && walk.byte(at + 1) == 0
        {
            if walk.offload.flags & 1 == 0 && !checksumOfICMPIsRight(walk) { return .brokenIPHeader }
            walk.judgement.verdict = .answer
            walk.judgement.said = Said(Answer.Kind.echoReply, router: stop.router, source: walk.ends.destination)
            return nil
        }
        switch layers.proto {
        case 1, 58: return .noSuchService
        case 6, 17: return refuse(.noSuchService, .port, &walk, stop)
        default: return refuse(.noSuchService, .service, &walk, stop)
        }
    }

    /// The sum over an ICMP message, of ICMPv6 with its pseudo-header.
    func checksumOfICMPIsRight(_ walk: Walk) -> Bool {
        let layers = walk.layers
        let first = walk.content.startIndex
        var sum = 0
        if layers.version == 6 {
            sum = onesSum(walk.content[first + layers.l3 + 8..<first + layers.l3 + 40], 58 + layers.end - layers.l4)
        }
        return onesSum(walk.content[first + layers.l4..<first + layers.end], sum) == 0xFFFF
    }

    func send(_ walk: inout Walk, to address: IPv6Address, _ stop: inout Stop, _ now: UInt32) -> DropReason? {
        let interface = stop.hop.interface!
        let network = cloud.interfaces[interface].network
        let host = Host(network: network, address: address)
        var mac: MACAddress
        if let told = hosts[host] {
            mac = told.mac
        } else {
            let known = resolved(host, now)
            switch known?.state {
            case .reachable:
                mac = known!.mac
                // RFC 1122 §2.3.2.1: who has not been heard of for a minute is asked again, and used meanwhile.
                if now - known!.confirmed >= 60 && known!.asked != now {
                    walk.judgement.news = News(NeighborNews.Kind.recheck, host, interface, mac)
                }
            case .failed: return refuse(.neighborUnresolved, .host, &walk, stop)
            default:
                walk.judgement.news = News(NeighborNews.Kind.resolve, host, interface)
                walk.judgement.verdict = .hold
                return nil
            }
        }
        let isProvider = [.flat, .vlan].contains(cloud.networks[network].transport)
        let row = cloud.routers[stop.router]
        walk.frame = (mac, isProvider ? row.hostMAC : row.mac)
        walk.target = network
        let station = Station(network: network, mac: mac.bits)
        guard let target = homes[station] ?? seen(station, now) else {
            if cloud.networks[network].dropsUnknown { return .unknownUnicast }
            if members[network].isEmpty { return .noReceiver }
            walk.judgement.verdict = .flood
            leave(&walk, by: members[network], now)
            return nil
        }
        let place = cloud.attachments[target]!
        if place.isRouter {
            if cloud.interfaces[place.interface!].router == stop.router { return .redirectLoop }
            stop.next = place.interface
            return nil
        }
        return finish(&walk, target, stop, now)
    }

    func sendIntoTunnel(_ walk: inout Walk, _ stop: Stop, _ now: UInt32) -> DropReason? {
        let far = cloud.attachments[stop.hop.attachment!]!
        let address = cloud.peers[far.peer!].address
        if walk.ends.source == address || walk.ends.destination == address { return .tunnelLoop }
        // RFC 4443 §3.1: not back to where it came from, between two ends.
        if stop.hop.interface == stop.interface { return refuse(.tunnelLoop, .host, &walk, stop) }
        walk.target = far.network
        return finish(&walk, stop.hop.attachment!, stop, now)
    }

    /// To the host where the tunnel begins, as it came: the router there takes it as if it had come in there.
    func redirect(_ walk: inout Walk, _ stop: Stop, _ now: UInt32) -> DropReason? {
        if walk.isFromSibling { return .redirectLoop }
        let mac = cloud.routers[stop.router].mac
        walk.frame = (mac, mac)
        walk.hops -= 1
        walk.target = cloud.attachments[stop.hop.attachment!]!.network
        return finish(&walk, stop.hop.attachment!, stop, now)
    }

    private func finish(_ walk: inout Walk, _ target: Int, _ stop: Stop, _ now: UInt32) -> DropReason? {
        if let reason = fit(&walk, to: target, stop, now) { return reason }
        walk.judgement.verdict = .forward
        leave(&walk, by: [target], now)
        return nil
    }

    private func leave(_ walk: inout Walk, by targets: [Int], _ now: UInt32) {
        lowerTTL(&walk)
        walk.judgement.copies = targets.map { copy(walk, to: $0, now) }
    }

    private func lowerTTL(_ walk: inout Walk) {
        guard walk.hops > 0 else { return }
        let at = walk.content.startIndex + walk.layers.l3
        if walk.layers.version == 6 {
            walk.content[at + 7] -= UInt8(walk.hops)
        } else {
            rewrite(&walk.content, at, word: 8, to: walk.word(8) - walk.hops << 8)
        }
    }

    // MARK: What the sender hears

    func refuse(_ reason: DropReason, _ why: Refusal, _ walk: inout Walk, _ stop: Stop) -> DropReason {
        let (type, code) = walk.layers.version == 4 ? why.ipv4 : why.ipv6
        say(type, code, type == 4 ? placeOfProtocol(walk) : 0, &walk, stop)
        return reason
    }

    /// The byte that names what IPv6 carries: in the last header in front of it.
    private func placeOfProtocol(_ walk: Walk) -> Int {
        var (place, at) = (6, 40)
        while [0, 43, 44, 51, 60].contains(walk.byte(place)) && at < walk.layers.l4 - walk.layers.l3 {
            let header = walk.byte(place)
            place = at
            at += header == 44 ? 8 : 8 + walk.byte(at + 1) * (header == 51 ? 4 : 8)
        }
        return place
    }

    /// An ICMP error from the address of the interface that the packet came in by; from another one of the router's if
    /// that has none (RFC 1812 §5.2.2.6). A router without an address keeps silent.
    func say(_ type: UInt8, _ code: UInt8, _ parameter: Int, _ walk: inout Walk, _ stop: Stop, isTooBig: Bool = false) {
        guard maySay(walk, isTooBig: isTooBig) else { return }
        let isIPv6 = walk.layers.version == 6
        let own = cloud.interfaces[stop.interface].addresses
        let all = cloud.interfaces.filter { $0.router == stop.router }.flatMap(\.addresses)
        guard let speaker = (own + all).first(where: { $0.isIPv6 == isIPv6 }) else { return }
        walk.judgement.said = Said(error: type, code, parameter, router: stop.router, source: speaker.address)
    }
}
