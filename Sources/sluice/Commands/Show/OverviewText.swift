import Control

/// A switch as one tree: tenants, their networks, the ports in them and where else they reach; then what all share.
struct OverviewText {
    private let view: OverviewView
    private let style: Style

    init(_ view: OverviewView, _ style: Style) {
        self.view = view
        self.style = style
    }

    private struct Node {
        var text: String
        var children: [Node] = []
    }

    func render() -> String {
        var nodes = tenants()
        if !view.uplinks.isEmpty { nodes.append(Node(text: style.bold("uplinks"), children: view.uplinks.map(uplink))) }
        let peers = view.tunnels.filter { $0.router == nil }
        if !peers.isEmpty { nodes.append(Node(text: style.bold("remote VTEPs"), children: peers.map(tunnel))) }
        var lines = [heading()]
        append(nodes, to: &lines, indent: "")
        lines += view.status.troubles.map { style.bad("! \($0)") }
        return lines.joined(separator: "\n")
    }

    private func append(_ nodes: [Node], to lines: inout [String], indent: String) {
        for (i, node) in nodes.enumerated() {
            let isLast = i == nodes.count - 1
            lines.append(style.faint(indent + (isLast ? "└─ " : "├─ ")) + node.text)
            append(node.children, to: &lines, indent: indent + (isLast ? "   " : "│  "))
        }
    }

    private func heading() -> String {
        let status = view.status
        let datapath = status.process.datapathPID == nil ? style.bad("the datapath is not running") : "datapath up"
        return style.bold(status.process.host)
            + "  up \(Amounts.duration(status.process.uptime)), \(datapath), "
            + "\(status.endpoints.up) of \(status.endpoints.total) endpoints up, "
            + "\(ShowText.plural(Int(clamping: status.drops), "drop")), generation \(status.generation)"
    }

    private func tenants() -> [Node] {
        var tenants: [String] = []
        for name in view.networks.map(\.tenant) + view.ports.compactMap(\.tenant) where !tenants.contains(name) {
            tenants.append(name)
        }
        return tenants.sorted().map { tenant in
            let networks = view.networks.filter { $0.tenant == tenant }.map(network)
            let idle = view.ports.filter { $0.tenant == tenant && $0.networks.isEmpty }.map { port($0, vlan: nil) }
            let routers = view.routers.filter { $0.tenant == tenant }.map(router)
            return Node(text: style.bold(tenant), children: networks + routers + idle)
        }
    }

    private func network(_ network: NetworkView) -> Node {
        var children: [Node] = []
        for port in view.ports {
            for member in port.networks where member.network == network.name {
                children.append(self.port(port, vlan: member.vlan))
            }
        }
        children += network.peers.map { Node(text: "vtep \($0)") }
        let learned = network.learned > 0 ? ", \(network.learned) learned" : ""
        let drops = network.drops > 0 ? ", \(ShowText.plural(Int(clamping: network.drops), "drop"))" : ""
        return Node(
            text:
                "network \(short(network.name))  \(style.faint("\(ShowText.segment(network)), mtu \(network.mtu)\(learned)\(drops)"))",
            children: children
        )
    }

    private func router(_ router: RouterView) -> Node {
        Node(
            text: "router \(short(router.name))  "
                + style.faint("\(router.mac), \(ShowText.plural(router.routes, "route"))"),
            children: router.interfaces.map { interface($0, of: router) }
        )
    }

    private func interface(_ interface: RouterView.Interface, of router: RouterView) -> Node {
        var words = interface.addresses
        if interface.isTunnel {
            let tunnel = view.tunnels.first { $0.name == "\(router.name)/\(interface.name)" }
            words.insert(
                tunnel.map { "\($0.kinds.joined(separator: " ")) to \($0.peer), mtu \(interface.mtu)" } ?? "",
                at: 0
            )
        }
        return Node(
            text: (interface.isTunnel ? "tunnel" : "in") + " \(interface.name)  "
                + style.faint(words.joined(separator: " "))
        )
    }

    private func port(_ port: EndpointView, vlan: Int?) -> Node {
        let addresses = port.addresses.joined(separator: " ")
        let words: [String?] = [
            vlan.map { "vlan \($0)" }, port.device, port.mac, addresses.isEmpty ? nil : addresses,
        ]
        return Node(
            text: "port \(short(port.name))  \(style.state(port.state))  "
                + style.faint(words.compactMap { $0 }.joined(separator: ", "))
        )
    }

    private func uplink(_ uplink: EndpointView) -> Node {
        let carries = ShowText.plural(uplink.networks.count, "network")
        return Node(
            text: "\(uplink.name)  \(style.state(uplink.state))  " + style.faint("\(uplink.device), \(carries)")
        )
    }

    private func tunnel(_ tunnel: TunnelView) -> Node {
        Node(
            text: "\(tunnel.peer)  "
                + style.faint(
                    "\(tunnel.kinds.joined(separator: " ")), \(ShowText.plural(tunnel.networks.count, "network"))"
                )
        )
    }

    /// A name without its tenant.
    private func short(_ name: String) -> String {
        name.firstIndex(of: "/").map { String(name[name.index(after: $0)...]) } ?? name
    }
}
