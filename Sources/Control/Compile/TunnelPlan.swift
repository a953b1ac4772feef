import Model
import Tables
import Wire

/// The remote VTEPs of each network, and the far ends of routers' tunnels. Peers go by number here, in the order in which
/// they are first needed.
struct TunnelPlan {
    /// By peer number; IPv4 as mapped.
    private(set) var addresses: [IPv6Address] = []
    /// The peer number of a host's VTEP, or -1.
    var hostPeers: [Int] = []
    private var numbers: [IPv6Address: Int] = [:]
    private var members: [Int] = []
    private var ranges: [Range<Int>] = []

    mutating func number(_ address: IPv6Address) -> Int {
        if let known = numbers[address] { return known }
        numbers[address] = addresses.count
        addresses.append(address)
        return addresses.count - 1
    }

    /// Adds the peers of the network that comes next.
    mutating func append(_ peers: [Int]) {
        ranges.append(members.count..<members.count + peers.count)
        members += peers
    }

    func peers(of network: Int) -> ArraySlice<Int> { members[ranges[network]] }
}

extension Compilation {
    /// Finds the peers of each tunnel network and of the tunnels of routers, and gives them slots. Each host of a network
    /// that is routed is a peer, also one without a port there: what it routes into the network comes from it.
    mutating func planTunnels() throws(CompileError) {
        tunnels.hostPeers = [Int](repeating: -1, count: topology.hosts.count)
        let own = Set(host.vteps.map(\.mapped))
        // The network in which a host or peer was met last: each counts once.
        var hostMet = [Int](repeating: -1, count: topology.hosts.count)
        var peerMet: [Int] = []
        var peers: [Int] = []
        for number in scope.networks.indices {
            peers.removeAll(keepingCapacity: true)
            let network = network(number)
            if network.segment.isTunnel {
                func meet(_ peer: Int) {
                    if peer >= peerMet.count {
                        peerMet += [Int](repeating: -1, count: peer + 1 - peerMet.count)
                    }
                    if peerMet[peer] != number { peers.append(peer) }
                    peerMet[peer] = number
                }
                func meet(host: Int) throws(CompileError) {
                    guard host != scope.here, hostMet[host] != number else { return }
                    hostMet[host] = number
                    if tunnels.hostPeers[host] < 0 {
                        let address = try address(of: topology.hosts[host], for: network)
                        guard !own.contains(address) else { return }
                        tunnels.hostPeers[host] = tunnels.number(address)
                    }
                    meet(tunnels.hostPeers[host])
                }
                for member in scope.members[scope.networks[number].members] { try meet(host: member.host) }
                if scope.networks[number].group >= 0 {
                    for host in scope.groups[scope.networks[number].group].hosts { try meet(host: host) }
                }
                for remote in network.remotes where !own.contains(remote.mapped) {
                    try checkFamily(of: remote, for: network)
                    meet(tunnels.number(remote.mapped))
                }
            }
            tunnels.append(peers)
        }
        planAnchoredTunnels()
        peerSlots = allocation.peers.assign(tunnels.addresses)
    }

    /// Where this host reaches another: by IPv4 if both have it, by IPv6 otherwise.
    private func address(of other: Host, for network: Network) throws(CompileError) -> IPv6Address {
        for ipv6 in [false, true] {
            if host.vtep(ipv6: ipv6) != nil, let address = other.vtep(ipv6: ipv6) { return address.mapped }
        }
        throw CompileError(
            .noCommonFamily,
            network.segmentMark,
            "hosts \(host.name) and \(other.name) both have ports in network \(network.name), or in one that a router "
                + "joins with it, but no vtep addresses of one family; give both an IPv4 or both an IPv6 vtep"
        )
    }

    private func checkFamily(of remote: IPAddress, for network: Network) throws(CompileError) {
        let ipv6 = remote.mapped.mappedIPv4 == nil
        if host.vtep(ipv6: ipv6) == nil {
            throw CompileError(
                .noCommonFamily,
                network.segmentMark,
                "host \(host.name) has no \(ipv6 ? "IPv6" : "IPv4") vtep to reach remote \(remote) of network "
                    + "\(network.name) from; give it one"
            )
        }
    }

    /// The socket that a network's packets to a peer leave by.
    func socket(_ segment: Segment, to peer: Int) -> Int? {
        let ipv6 = tunnels.addresses[peer].mappedIPv4 == nil
        guard let own = host.vtep(ipv6: ipv6) else { return nil }
        return socket(segment, on: own)
    }

    /// The plan of what carries a segment at one of the host's addresses.
    func socket(_ segment: Segment, on address: IPAddress) -> Int? {
        if let underlay, segment.isTunnel { return underlay.plan }
        return segment.socketKey(address).flatMap { sockets[$0] }
    }

    /// What stands for an endpoint in the keys of what arrives by a tunnel.
    func wayIn(_ endpoint: UInt32, _ number: UInt8) -> UInt32 {
        underlay == nil ? endpoint : WayIn.key(uplink: endpoint, protocol: number)
    }

    mutating func writePeers() {
        builder.peers = [PeerRecord](repeating: PeerRecord(), count: allocation.peers.count)
        var names: [IPv6Address: String] = [:]
        for other in topology.hosts {
            for address in other.vteps where names[address.mapped] == nil { names[address.mapped] = other.name }
        }
        for (address, slot) in zip(tunnels.addresses, peerSlots) {
            var record = PeerRecord()
            record.address = address
            record.name = builder.string(names[address] ?? IPAddress(mapped: address).description)
            record.pathMTU = UInt32(clamping: underlayMTU)
            record.inUse = 1
            record.isOurs = names[address] == nil ? 0 : 1
            builder.peers[Int(slot)] = record
            builder.mapPeer(address, to: slot)
        }
    }
}

extension Segment {
    /// The socket on a VTEP address that carries this segment; nil for segments that no tunnel carries.
    func socketKey(_ address: IPAddress) -> EndpointKey? {
        switch self {
        case .vxlan(_, let port): .vxlan(address: address, port: port)
        case .gre: .gre(address: address)
        case .local, .flat, .vlan: nil
        }
    }

    /// The protocol of the outer IP header; 0 of segments that no tunnel carries.
    var ipProtocol: UInt8 {
        switch self {
        case .vxlan: IPProtocol.udp
        case .gre: IPProtocol.gre
        case .local, .flat, .vlan: 0
        }
    }
}
