import Netlink
import Wire

/// Makes a plan's namespaces, bridges and cables. Starts nothing and records nothing.
struct LabBuilder {
    private var namespaces: [String: NetworkNamespace] = [:]
    private var sockets: [String: Netlink] = [:]

    /// Makes one namespace and answers which it is.
    mutating func make(_ namespace: LabPlan.Namespace) throws(NetlinkError) -> NamespaceIdentity {
        let made = try NetworkNamespace.create(namespace.name)
        namespaces[namespace.name] = made
        if namespace.purpose == .fabric {
            // A bridge would join multicast groups and report them. Where /proc/sys cannot be written it may speak.
            _ = try? made.run {
                for name in ["all", "default"] {
                    Files.set("/proc/sys/net/ipv6/conf/\(name)/disable_ipv6", to: "1")
                }
            }
        }
        return made.identity
    }

    mutating func make(_ bridge: LabPlan.Bridge) throws(NetlinkError) {
        let netlink = try netlink(bridge.namespace)
        let link = try netlink.createBridge(bridge.name, mtu: bridge.mtu, multicastSnooping: false)
        try silence(link.index, netlink)
        try netlink.setUp(link.index)
    }

    mutating func make(_ cable: LabPlan.Cable) throws(NetlinkError) {
        let netlink = try netlink(cable.a.namespace)
        _ = try self.netlink(cable.b.namespace)
        try netlink.createVeth(
            Netlink.VethEnd(cable.a.name, mac: cable.a.mac, mtu: cable.a.mtu),
            Netlink.VethEnd(
                cable.b.name,
                mac: cable.b.mac,
                mtu: cable.b.mtu,
                namespace: namespaces[cable.b.namespace]
            )
        )
        for end in [cable.a, cable.b] { try configure(end) }
        // A route needs its device up, and is worth nothing before the other end is.
        for end in [cable.a, cable.b] where !end.gateways.isEmpty {
            let netlink = try self.netlink(end.namespace)
            let index = try index(of: end, netlink)
            for gateway in end.gateways { try netlink.replaceDefaultRoute(via: gateway, index) }
        }
    }

    private mutating func configure(_ end: LabPlan.End) throws(NetlinkError) {
        let netlink = try netlink(end.namespace)
        let index = try index(of: end, netlink)
        if end.isSilent { try silence(index, netlink) }
        if let bridge = end.bridge {
            guard let master = try netlink.link(named: bridge) else {
                throw NetlinkError("find bridge", bridge, errno: 19)
            }
            try netlink.setMaster(master.index, index)
        }
        for address in end.addresses { try netlink.addAddress(address, index) }
        try netlink.setUp(index)
    }

    private func index(of end: LabPlan.End, _ netlink: Netlink) throws(NetlinkError) -> Int32 {
        guard let link = try netlink.link(named: end.name) else {
            throw NetlinkError("find device", end.name, errno: 19)
        }
        return link.index
    }

    private func silence(_ index: Int32, _ netlink: Netlink) throws(NetlinkError) {
        do {
            try netlink.setIPv6AddressGeneration(.none, index)
        } catch {
            // A kernel or namespace without IPv6 has nothing to silence.
            if ![22, 95, 97].contains(error.errno) { throw error }
        }
    }

    private mutating func netlink(_ namespace: String) throws(NetlinkError) -> Netlink {
        if let socket = sockets[namespace] { return socket }
        let opened: NetworkNamespace
        if let made = namespaces[namespace] { opened = made } else { opened = try NetworkNamespace(named: namespace) }
        namespaces[namespace] = opened
        let socket = try Netlink(in: opened)
        sockets[namespace] = socket
        return socket
    }
}
