import Forwarding
import TestCloud
import Testing
import Wire

/// Equal-cost next hops (RFC 2991, RFC 2992): flows are spread, and each keeps its way.
@Suite struct MultipathTests {
    /// `ways` next hops for one prefix of either family.
    private static func cloud(_ ways: [TestCloud.Via]) -> TestCloud {
        var cloud = TestCloud.twoTenants
        cloud.change("red/gw") {
            $0.routes += [("10.20.0.0/16", ways), ("2001:db8:20::/48", ways)]
        }
        return cloud
    }

    private func flow(_ port: Int, id: Int = 7, payload: Int = 20) -> [UInt8] {
        fromWeb(ipv4(from: web4, to: "10.20.0.5", protocol: 17, id: id, udp(port, 53, filler(payload))))
    }

    /// The ends by which what left went.
    private func ends(_ cloud: Underlay) -> [IPv6Address] { cloud.takenAway().map(\.destination) }

    @Test("flows are spread over two tunnels about evenly, and no packet of a flow leaves its own")
    func twoTunnels() throws {
        let cloud = try Underlay(MultipathTests.cloud([.tunnel("ipip"), .tunnel("plain")]))
        var counts: [IPv6Address: Int] = [:]
        for port in 1...400 {
            for packet in 0..<3 { cloud.send(flow(port, id: packet, payload: packet * 100), at: "red/web") }
            let used = ends(cloud)
            #expect(used.count == 3 && Set(used).count == 1)
            counts[used[0], default: 0] += 1
        }
        #expect(Set(counts.keys) == [mapped(Names.ipipEnd(0)), mapped(Names.greEnd(0))])
        #expect(counts.values.allSatisfy { (150...250).contains($0) }, "\(counts)")
    }

    @Test("all fragments of a datagram take one way")
    func fragments() throws {
        let cloud = try Underlay(MultipathTests.cloud([.tunnel("ipip"), .tunnel("plain")]))
        for id in 1...50 {
            let datagram = udp(id, 53, filler(64))
            for (offset, piece) in [datagram[..<32], datagram[32..<64], datagram[64...]].enumerated() {
                let field = (offset < 2 ? moreFragments : 0) | offset * 4
                let packet = ipv4(
                    from: web4,
                    to: "10.20.0.5",
                    protocol: 17,
                    id: id,
                    fragment: field,
                    Array(piece)
                )
                cloud.send(fromWeb(packet), at: "red/web")
            }
            let used = ends(cloud)
            #expect(used.count == 3 && Set(used).count == 1)
        }
        // What is cut on the way stays together too.
        for port in 1...20 {
            cloud.send(flow(port, payload: 5000), at: "red/web")
            #expect(Set(ends(cloud)).count == 1)
        }
    }

    @Test("four gateways, here and on the other host: the same flow takes the same, all are used")
    func gateways() throws {
        var description = MultipathTests.cloud(
            [.gateway(db4), .gateway("10.0.1.13"), .gateway("10.0.1.14"), .gateway("10.0.1.22")]
        )
        for (name, last) in [("one", 13), ("two", 14)] {
            description.ports.append(
                .init("red/\(name)", host: 1, "red/data", mac: "02:00:00:00:00:\(last)", ["10.0.1.\(last)"], mtu: 1458)
            )
        }
        description.change("red/gw") { $0.routes.removeAll { $0.to == "2001:db8:20::/48" } }
        let cloud = try Underlay(description)
        var counts = [0, 0, 0, 0]
        for port in 1...400 {
            for packet in 0..<2 { cloud.send(flow(port, id: packet), at: "red/web") }
            let used = ["red/db", "red/one", "red/two", "red/fardb"].map { cloud.taken($0).count }
            let choice = try #require(used.firstIndex(of: 2))
            #expect(used.reduce(0, +) == 2)
            counts[choice] += 1
        }
        #expect(counts.allSatisfy { (60...140).contains($0) }, "\(counts)")
    }

    @Test("IPv6 flows likewise")
    func ipv6() throws {
        let cloud = try Underlay(MultipathTests.cloud([.tunnel("gre"), .tunnel("gre6")]))
        var counts: [IPv6Address: Int] = [:]
        for port in 1...200 {
            let ends = (from: web6, to: "2001:db8:20::5")
            for packet in 0..<2 {
                let datagram = udp(port, 53, over: ends, filler(packet * 9))
                // The flow label may change within a flow; the way must not.
                let packet = labelled(web6, "2001:db8:20::5", label: packet, datagram)
                cloud.send(fromWeb(packet), at: "red/web")
            }
            let used = self.ends(cloud)
            #expect(used.count == 2 && Set(used).count == 1)
            counts[used[0], default: 0] += 1
        }
        #expect(counts.count == 2 && counts.values.allSatisfy { (70...130).contains($0) }, "\(counts)")
    }

    @Test("hosts without the tunnels send to the one that has them, which spreads")
    func fromAnotherHost() throws {
        let cloud = try Underlay(MultipathTests.cloud([.tunnel("ipip"), .tunnel("plain")]))
        for port in 1...50 {
            let packet = ipv4(from: far4, to: "10.20.0.5", protocol: 17, udp(port, 53))
            cloud.send(ethernet(to: Names.gateway, from: Names.far, packet), at: "red/far")
        }
        let used = ends(cloud)
        #expect(used.count == 50 && Set(used).count == 2)
    }
}

private func labelled(_ from: String, _ to: String, label: Int, _ datagram: [UInt8]) -> [UInt8] {
    ipv6(from: from, to: to, next: 17, flow: label, datagram)
}
