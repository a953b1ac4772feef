import Glibc

extension EndpointDevice {
    /// A sentence for `show`: how it is and, where something is to be done, what.
    public var text: String {
        let name = plan.medium.interface ?? "socket"
        let place = plan.medium.namespace.map { "\(name) in namespace \($0)" } ?? name
        switch state {
        case .working:
            guard let mtu, mtu < plan.mtu else { return "working" }
            return "working, but \(name) has MTU \(mtu) and its network \(plan.mtu): larger packets are lost; "
                + "raise it (ip link set \(name) mtu \(plan.mtu))"
        case .missing:
            return plan.medium.isMade
                ? "\(place) is gone and is being made again"
                : "\(place) does not exist; it is taken up as soon as it does"
        case .down:
            return "\(place) is down; bring it up (ip link set \(name) up)"
        case .namespaceMissing:
            let namespace = plan.medium.namespace ?? ""
            return "namespace \(namespace) does not exist; make it (ip netns add \(namespace)), it is tried again"
        case .failed(let number):
            return "\(subject(place)): \(reason(number)); it is tried again"
        }
    }

    private func subject(_ place: String) -> String {
        switch plan.medium {
        case .vxlan(let address, let port): "UDP port \(port) on \(address)"
        case .gre(let address): "GRE on \(address)"
        case .ip(let address, let kind): "IP protocol \(kind.rawValue) on \(address)"
        case .tap, .veth, .device, .provider, .uplink, .uplinkDevice: place
        }
    }

    private func reason(_ number: Int32) -> String {
        let said = "\(String(cString: strerror(number))) (errno \(number))"
        switch number {
        case EADDRNOTAVAIL: return "\(said): the address is not one of this host's"
        case EADDRINUSE: return "\(said): another program listens there"
        case EBUSY: return "\(said): another program has it"
        case EPERM, EACCES: return "\(said): the switch needs CAP_NET_ADMIN and CAP_NET_RAW here"
        default: return said
        }
    }
}
