import Tables
import Wire

/// One tenant's router between a network of each kind and three tunnels, and a frame of every kind that it looks at.
struct RoutedSample {
    var cloud = Cloud()
    private(set) var specimens: [Arrival] = []

    private static let mac = MACAddress(bits: 0x0200_0000_0101)
    private static let far = Pool.v4(198, 51, 100, 7)
    private static let near = Pool.v4(192, 0, 2, 2)

    init() {
        typealias Network = Cloud.Network
        let app = cloud.add(Network(tenant: 0, name: "app", transport: .vxlan, identifier: 5001, mtu: 1450))
        let lan = cloud.add(Network(tenant: 0, name: "lan", transport: .vlan, identifier: 100, number: 1))
        let (web, _) = cloud.accessPort("web", app)
        let (db, atDB) = cloud.accessPort("db", lan)
        let provider = cloud.add(Cloud.Endpoint(place: .provider, name: "physnet"))
        _ = cloud.attach(provider, lan, tpid: 0x8100, vid: 100)
        let vxlan = cloud.add(Cloud.Endpoint(place: .vxlan(port: 4789), name: "vxlan"))
        let gre = cloud.add(Cloud.Endpoint(place: .gre, name: "gre"))
        let ipip = cloud.add(Cloud.Endpoint(place: .ip(4), name: "ipip"))
        let sit = cloud.add(Cloud.Endpoint(place: .ip(41), name: "sit"))
        let ka9q = cloud.add(Cloud.Endpoint(place: .ip(94), name: "ka9q"))
        let vtep = cloud.add(peer: Cloud.Peer(address: RoutedSample.near))
        let branch = cloud.add(peer: Cloud.Peer(address: RoutedSample.far, pathMTU: 1000))
        _ = cloud.attach(vxlan, app, peer: vtep)
        var row = Cloud.Router(tenant: 0, name: "gw", mac: RoutedSample.mac, hostMAC: RoutedSample.mac)
        row.reversePath = .loose
        let router = cloud.add(row)
        for network in [app, lan] {
            let number = cloud.networks[network].number
            let addresses = [Cloud.Prefix(Pool.ipv4(number, 1), 24), Cloud.Prefix(Pool.ipv6(number, 1), 64)]
            _ = cloud.join(router, network, addresses)
            for address in [Pool.ipv4(number, 10), Pool.ipv6(number, 10)] {
                cloud.neighbors.append(Cloud.Neighbor(network: network, address: address, mac: Sample.b))
            }
        }
        cloud.tell(lan, Sample.b, at: atDB)
        addTunnels(router, branch, gre: gre, ipip: ipip, sit: sit)
        addSpecimens(web: web, db: db, provider: provider)
        addTunnelled(vxlan: vxlan, gre: gre, ipip: ipip, sit: sit, ka9q: ka9q)
    }

    private mutating func addTunnels(_ router: Int, _ branch: Int, gre: Int, ipip: Int, sit: Int) {
        let kinds: [(Cloud.Tunnel, Int, Cloud.Prefix)] = [
            (.ipip, ipip, Cloud.Prefix(Pool.v4(10, 9, 0, 0), 16)),
            (.sit, sit, Cloud.Prefix(Pool.v6(0x2001_0DB8_0009_0000), 48)),
            (.gre(key: 77, hasChecksum: true), gre, Cloud.Prefix(Pool.v4(0, 0, 0, 0), 0)),
        ]
        for (kind, endpoint, prefix) in kinds {
            let interface = cloud.addTunnel(router, kind, endpoint: endpoint, peer: branch, mtu: 1400, [])
            let hop = Cloud.Hop(kind: HopKind.tunnel, interface: interface, attachment: cloud.attachments.count - 1)
            cloud.routers[router].routes.append(Cloud.Route(prefix: prefix, kind: RouteKind.static, hops: [hop]))
        }
    }

    private static func v4(_ address: IPv6Address) -> UInt32 { UInt32(truncatingIfNeeded: address.low) }

    /// To what is connected, through tunnels, to nowhere, to the router; with options, extension headers and fragments.
    private static let packets: [[UInt8]] = {
        let (here, there, away) = (v4(Pool.ipv4(0, 10)), v4(Pool.ipv4(1, 10)), v4(Pool.v4(10, 9, 1, 5)))
        let (here6, there6, own6) = (Pool.ipv6(0, 10), Pool.ipv6(1, 10), Pool.ipv6(0, 1))
        let hopByHop: [UInt8] = [43, 0, 5, 2, 0, 0, 1, 0]
        let routing: [UInt8] = [44, 0, 4, 0, 0, 0, 0, 0]
        let fragment: [UInt8] = [17, 0, 0, 0, 0, 0, 0, 9]
        let large = [UInt8](repeating: 3, count: 1200)
        return [
            ipv4(protocol: 6, tos: 2, from: here, to: there, tcp([1, 2, 3])),
            withPartialChecksum(ipv4(protocol: 17, from: here, to: away, udp([1]))),
            ipv4(protocol: 17, options: 2, from: here, to: v4(Pool.v4(8, 8, 8, 8)), udp([1])),
            ipv4(protocol: 17, fragment: 0x4000, from: here, to: away, udp(large)),
            ipv4(protocol: 17, from: here, to: away, udp(large)),
            ipv4(protocol: 1, from: here, to: v4(Pool.ipv4(0, 1)), icmp(8, 0, [0, 1, 0, 2, 9])),
            ipv4(protocol: 17, from: here, to: v4(Pool.ipv4(1, 1)), udp([1])),
            ipv6(protocol: 6, tos: 1, from: here6, to: there6, tcp([1, 2, 3])),
            ipv6(
                protocol: 0,
                from: here6,
                to: Pool.v6(0x2001_0DB8_0009_0000, 5),
                hopByHop + routing + fragment + udp([1])
            ),
            ipv6(protocol: 58, from: here6, to: own6, icmp(128, 0, [0, 1, 0, 2, 9], from: here6, to: own6)),
            ipv6(protocol: 60, from: here6, to: own6, [47, 0, 1, 4, 0, 0, 0, 0, 1, 2, 3, 4]),
            ipv6(protocol: 17, from: here6, to: Pool.v6(0x2001_0DB9 << 32, 5), udp(large)),
        ]
    }()

    private mutating func addSpecimens(web: Int, db: Int, provider: Int) {
        for packet in RoutedSample.packets {
            let type = packet[0] >> 4 == 6 ? 0x86DD : 0x0800
            let frame = ethernet(to: RoutedSample.mac, from: Sample.a, type: type, packet)
            specimens.append(Arrival(endpoint: web, bytes: frame))
            var tagged = frame
            tagged.insert(contentsOf: [0x81, 0, 0x60, 100], at: 12)
            specimens.append(Arrival(endpoint: provider, bytes: tagged))
        }
        let own = Pool.ipv6(1, 1)
        let asker = Pool.ipv6(1, 11)
        for operation in [1, 2] {
            var body: [UInt8] = [0, 1, 8, 0, 6, 4] + be16(operation) + macBytes(Sample.a)
            body += be32(RoutedSample.v4(Pool.ipv4(1, 11))) + [0, 0, 0, 0, 0, 0]
            body += be32(RoutedSample.v4(Pool.ipv4(1, 1)))
            for to in [MACAddress.broadcast, RoutedSample.mac] {
                let frame = ethernet(to: to, from: Sample.a, type: 0x0806, body)
                specimens.append(Arrival(endpoint: db, bytes: frame))
            }
        }
        for (type, target, to) in [(135, own, own), (136, asker, own), (135, asker, asker)] {
            let option = [UInt8(type == 135 ? 1 : 2), 1] + macBytes(Sample.a)
            let message = icmp(type, 0, [0x60, 0, 0, 0] + be128(target) + option, from: asker, to: to)
            let packet = ipv6(protocol: 58, from: asker, to: to, ttl: 255, message)
            let frame = ethernet(to: RoutedSample.mac, from: Sample.a, type: 0x86DD, packet)
            specimens.append(Arrival(endpoint: db, bytes: frame))
        }
    }

    private mutating func addTunnelled(vxlan: Int, gre: Int, ipip: Int, sit: Int, ka9q: Int) {
        let there = RoutedSample.v4(Pool.ipv4(1, 10))
        let four = ipv4(protocol: 17, tos: 2, from: 0x0A09_0105, to: there, udp([1, 2]))
        let six = ipv6(protocol: 6, tos: 1, from: Pool.v6(0x2001_0DB8_0009_0000, 5), to: Pool.ipv6(1, 10), tcp([1]))
        let nested = ipv4(protocol: 4, from: RoutedSample.v4(RoutedSample.far), to: there, four)
        let sibling = ethernet(to: RoutedSample.mac, from: RoutedSample.mac, type: 0x0800, four)
        func add(_ endpoint: Int, _ bytes: [UInt8], _ peer: IPv6Address = RoutedSample.far) {
            specimens.append(Arrival(endpoint: endpoint, bytes: bytes, outerSource: peer, outerTOS: 3))
        }
        for bytes in [four, nested] { add(ipip, bytes) }
        add(sit, six)
        add(ka9q, four)
        add(vxlan, ForwardingTests.vxlan(5001, sibling), RoutedSample.near)
        for (bytes, type) in [(four, 0x0800), (six, 0x86DD)] {
            add(gre, ForwardingTests.gre(77, flags: 0x8000, type: type, bytes))
            add(gre, ForwardingTests.gre(77, type: type, sequence: 3, bytes))
        }
    }

    /// The same frame with the right sum in its IPv4 header, if it has a whole one.
    static func mended(_ arrival: Arrival) -> Arrival? {
        let layers = Layers(arrival.bytes[...])
        guard layers.version == 4 else { return nil }
        var arrival = arrival
        let header = layers.l3..<(layers.l3 + Int(arrival.bytes[layers.l3] & 15) * 4)
        arrival.bytes.replaceSubrange(layers.l3 + 10..<layers.l3 + 12, with: [0, 0])
        let sum = be16(0xFFFF - onesSum(arrival.bytes[header]))
        arrival.bytes.replaceSubrange(layers.l3 + 10..<layers.l3 + 12, with: sum)
        return arrival
    }
}
