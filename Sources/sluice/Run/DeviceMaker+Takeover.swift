import CLinux
import Control
import Netlink
import Ports

extension DeviceMaker {
    /// The interface behind descriptors that came from an earlier control process, and where to watch it. A packet
    /// socket knows its namespace, also when that has no name.
    func find(_ plan: EndpointPlan, _ kind: PortKind, _ descriptors: [Int32]) -> (LinkFacts?, NetworkNamespace?) {
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
        case .device(let device), .provider(let device):
            place = host
            name = device
        case .vxlan, .gre: break
        }
        guard let place, let name, let link = try? Netlink(in: place).link(named: name) else { return (nil, place) }
        return (LinkFacts(link), place)
    }
}
