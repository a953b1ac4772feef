import Wire

/// The addresses that all stations of all tenants use: few, so that they meet.
enum Pool {
    static let macs = (1...6).map { MACAddress(bits: 0x0200_0000_0000 | UInt64($0)) }
    static let vids = [1, 2, 10, 100, 4094]
    static let identifiers: [UInt32] = [1, 2, 10, 100, 4094, 5001, 0xFF_FFFF]
    static let mtus = [0, 1300, 1450, 1500, 9000]
}

extension Cloud {
    /// Several tenants with the same addresses, VLAN ids and identifiers, on one host: access and trunk ports, provider
    /// devices that they share, and tunnels of both kinds to the same VTEPs.
    static func random(_ random: inout SplitMix64) -> Cloud {
        var cloud = Cloud()
        cloud.endpoints.append(Endpoint(place: .unused, name: "nothing"))
        let providers = (0..<1 + random.below(2)).map {
            cloud.add(
                Endpoint(
                    place: .provider,
                    name: "physnet\($0)",
                    mtu: random.pick(Pool.mtus),
                    readsTags: random.chance(1, of: 2)
                )
            )
        }
        let vxlan = cloud.add(Endpoint(place: .vxlan(port: 4789), name: "vxlan"))
        let gre = cloud.add(Endpoint(place: .gre, name: "gre"))
        let raw = RawEndpoints(
            gre: gre,
            ipv4: cloud.add(Endpoint(place: .ip(4), name: "ipip")),
            ipv6: cloud.add(Endpoint(place: .ip(41), name: "sit"))
        )
        _ = cloud.add(Endpoint(place: .ip(94), name: "ka9q"))
        for i in 0..<6 {
            let isIPv6 = random.chance(1, of: 4)
            let address =
                isIPv6
                ? IPv6Address(high: 0x2001_0DB8 << 32, low: UInt64(i + 2))
                : IPv6Address(mapping: IPv4Address(bits: 0xC000_0202 + UInt32(i)))
            cloud.peers.append(Peer(address: address, pathMTU: random.pick([0, 0, 1400, 1500, 9000])))
        }
        for tenant in 0..<2 + random.below(3) {
            cloud.addTenant(tenant, providers: providers, vxlan: vxlan, gre: gre, &random)
            cloud.addRouters(tenant, raw, &random)
        }
        for network in cloud.networks.indices where cloud.networks[network].transport != .routed {
            let members = cloud.members(of: network)
            for mac in Pool.macs where !members.isEmpty && random.chance(1, of: 5) {
                cloud.tell(network, mac, at: random.pick(members))
            }
        }
        return cloud
    }

    private mutating func addTenant(
        _ tenant: Int,
        providers: [Int],
        vxlan: Int,
        gre: Int,
        _ random: inout SplitMix64
    ) {
        var mine: [Int] = []
        for i in 0..<1 + random.below(4) {
            if let network = addNetwork(
                tenant,
                "tenant\(tenant)/network\(i)",
                providers: providers,
                vxlan: vxlan,
                gre: gre,
                &random
            ) {
                networks[network].number = i
                mine.append(network)
            }
        }
        for i in 0..<1 + random.below(5) {
            if random.chance(1, of: 6) { attachments.append(nil) }
            let port = add(
                Endpoint(
                    place: .port(tenant: tenant),
                    name: "tenant\(tenant)/port\(i)",
                    mtu: random.pick(Pool.mtus),
                    readsTags: random.chance(1, of: 3),
                    interfaceIndex: UInt32(endpoints.count + 100)
                )
            )
            guard !mine.isEmpty else { continue }
            if !endpoints[port].readsTags {
                _ = attach(port, random.pick(mine))
                continue
            }
            // A trunk carries each of the tenant's networks at most once.
            for network in mine where random.chance(2, of: 3) {
                let tag = random.chance(1, of: 4) ? (0, 0) : (random.pick([0x8100, 0x88A8]), random.pick(Pool.vids))
                if isFree(port, tag) { _ = attach(port, network, tpid: tag.0, vid: tag.1) }
            }
        }
    }

    private func isFree(_ endpoint: Int, _ tag: (tpid: Int, vid: Int)) -> Bool {
        !attachments.contains { $0?.endpoint == endpoint && $0?.tpid == tag.tpid && $0?.vid == tag.vid }
    }

    /// A network on a transport where there is still room; nil if its tag is taken.
    private mutating func addNetwork(
        _ tenant: Int,
        _ name: String,
        providers: [Int],
        vxlan: Int,
        gre: Int,
        _ random: inout SplitMix64
    ) -> Int? {
        var network = Network(tenant: tenant, name: name)
        network.transport = random.pick([.local, .flat, .vlan, .vlan, .vxlan, .vxlan, .gre, .gre])
        network.mtu = random.pick(Pool.mtus)
        network.learns = random.chance(5, of: 6)
        network.dropsUnknown = random.chance(1, of: 5)
        network.isTransparent = random.chance(1, of: 3)
        network.forwardsLinkLocal = random.chance(1, of: 5)
        network.ageing = random.pick([10, 300])
        switch network.transport {
        case .local:
            return add(network)
        case .routed: return nil
        case .flat, .vlan:
            let provider = random.pick(providers)
            let vid = network.transport == .flat ? 0 : random.pick(Pool.vids)
            let tpid = network.transport == .flat ? 0 : random.pick([0x8100, 0x8100, 0x88A8])
            guard isFree(provider, (tpid, vid)) else { return nil }
            network.identifier = UInt32(vid)
            let slot = add(network)
            _ = attach(provider, slot, tpid: tpid, vid: vid)
            return slot
        case .vxlan, .gre:
            network.identifier = random.pick(Pool.identifiers)
            let taken = networks.contains {
                $0.transport == network.transport && $0.identifier == network.identifier
            }
            guard !taken else { return nil }
            let slot = add(network)
            for peer in peers.indices where random.chance(2, of: 3) {
                _ = attach(network.transport == .vxlan ? vxlan : gre, slot, peer: peer)
            }
            return slot
        }
    }
}
