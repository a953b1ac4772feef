import Control
import Model
import Tables
import Testing
import Wire

/// What a host's snapshot should say, worked out slowly and in the words of the design, network by network.
struct ReferenceModel {
    let topology: Topology
    let host: Host

    struct Row: Equatable {
        /// As `Snapshot.place` writes them.
        var flood: [String] = []
        var told: [MACAddress: String] = [:]
    }

    /// By `tenant/network`; only networks with a port here, and those that routers join with them.
    func rows() -> [String: Row] {
        var rows: [String: Row] = [:]
        for tenant in topology.tenants {
            for network in tenant.networks {
                let members = tenant.ports.compactMap { port -> (Port, UInt16)? in
                    if port.membership.untagged == network.name { return (port, 0) }
                    return port.membership.tagged.first { $0.network == network.name }.map { (port, $0.vid) }
                }
                guard members.contains(where: { $0.0.host == host.name }) || routesInto(network, tenant) else {
                    continue
                }
                rows["\(tenant.name)/\(network.name)"] = row(tenant, network, members)
            }
        }
        return rows
    }

    private func row(_ tenant: Tenant, _ network: Network, _ members: [(Port, UInt16)]) -> Row {
        var row = Row()
        var peers: [String] = []
        for (port, vid) in members {
            var place: String?
            if port.host == host.name {
                place = "\(tenant.name)/\(port.name)" + (vid == 0 ? "" : " 0x8100/\(vid)")
                row.flood.append(place!)
            } else if let remote = topology.hosts.first(where: { $0.name == port.host }) {
                place = self.place(network.segment, reaching: remote)
                if network.segment.isTunnel, let place, !peers.contains(place) { peers.append(place) }
            }
            row.told[port.mac] = place
        }
        for remote in groupHosts(tenant, network.name) where remote.name != host.name && network.segment.isTunnel {
            if let place = place(network.segment, reaching: remote), !peers.contains(place) { peers.append(place) }
        }
        if !network.segment.isTunnel, let place = place(network.segment, reaching: host) { row.flood.append(place) }
        for remote in network.remotes where network.segment.isTunnel {
            let place = tunnel(network.segment, to: remote)
            if !peers.contains(place) { peers.append(place) }
        }
        row.flood += peers
        for router in tenant.routers where router.interfaces.contains(where: { $0.network == network.name }) {
            row.told[router.mac] = "router \(tenant.name)/\(router.name)"
        }
        return row
    }

    func place(_ segment: Segment, reaching remote: Host) -> String? {
        switch segment {
        case .local: return nil
        case .flat(let physical): return physical
        case .vlan(let physical, let id, let tag):
            return "\(physical) \(tag == .dot1Q ? "0x8100" : "0x88a8")/\(id)"
        case .vxlan, .gre:
            let haveIPv4 = [host, remote].allSatisfy { $0.vteps.contains { !$0.isIPv6 } }
            return remote.vteps.first { $0.isIPv6 != haveIPv4 }.map { tunnel(segment, to: $0) }
        }
    }

    private func tunnel(_ segment: Segment, to remote: IPAddress) -> String {
        let own = host.vteps.first { $0.isIPv6 == remote.isIPv6 }!
        if case .vxlan(_, let port) = segment {
            return (remote.isIPv6 ? "vxlan [\(own)]:\(port)" : "vxlan \(own):\(port)") + " to \(remote)"
        }
        return "gre \(own) to \(remote)"
    }
}
