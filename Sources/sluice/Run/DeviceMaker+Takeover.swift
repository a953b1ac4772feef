import CLinux
import Control
import Netlink
import Ports

extension DeviceMaker {
    /// Where an inherited endpoint's interface is, as `OpenedEndpoint` says it.
    struct Found {
        var interface: LinkFacts?
        var watched: NetworkNamespace?
        var followed: NamespaceIdentity?
        var isTenants = false
    }

    /// The interface behind descriptors that came from an earlier control process, and where to watch it. A packet
    /// socket knows its namespace, also when that has no name.
    func find(_ plan: EndpointPlan, _ kind: PortKind, _ descriptors: [Int32]) -> Found {
        var place: NetworkNamespace?
        var name: String?
        switch plan.medium {
        case .tap(let tap, let namespace) where kind == .tap:
            place = namespace.map { try? NetworkNamespace(named: $0) } ?? host
            name = tap
        case .tap:
            // It was made as a veth pair, for want of /dev/net/tun.
            guard case .port(let tenant, let port) = plan.key else { break }
            place = descriptors.first.flatMap(NetworkNamespace.init(ofSocket:))
            name = EndpointMedium.ownEnd(tenant: tenant, port: port)
        case .veth(_, _, let ownEnd):
            place = descriptors.first.flatMap(NetworkNamespace.init(ofSocket:))
            name = ownEnd
        case .device(let device), .provider(let device), .uplink(let device, _), .uplinkDevice(let device):
            place = host
            name = device
        case .vxlan, .gre, .ip: break
        }
        guard let place, let name else { return Found() }
        let link = try? Netlink(in: place).link(named: name)
        guard kind == .tap, place.identity != host.identity else {
            let netlink = try? Netlink(in: host)
            let isHosts = link.flatMap { link in netlink.map { isUsedByHost(plan, link, $0) } } ?? false
            return Found(
                interface: link.map(LinkFacts.init),
                watched: place,
                followed: place.identity,
                isTenants: place.identity == host.identity && !isHosts && kind != .uplink && kind != .uplinkDevice
            )
        }
        try? follower.follow(place)
        return Found(interface: link.map(LinkFacts.init), followed: place.identity)
    }
}
