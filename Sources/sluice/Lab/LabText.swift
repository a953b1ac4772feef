import Lab
import Model
import Wire

/// A lab as text for people.
enum LabText {
    /// The hosts, networks and ports of a lab that is up.
    static func standing(_ topology: Topology, _ plan: LabPlan, _ style: Style = .plain) -> String {
        let mtu = plan.hosts.first?.underlayMTU ?? LabSettings.defaultMTU
        let mtus = topology.mtus(underlayMTU: mtu)
        var hosts = TextTable(.text("HOST"), .text("NAMESPACE"), .text("VTEP"), .text("PROVIDER NETWORKS"))
        for (host, planned) in zip(topology.hosts, plan.hosts) {
            let providers = host.physical.map { "\($0.name) on \($0.device)" }
            hosts.add(host.name, planned.namespace, joined(host.vteps.map(\.description)), joined(providers))
        }
        var networks = TextTable(.text("NETWORK"), .text("SEGMENT"), .text("SUBNETS"), .number("MTU"))
        for network in topology.tenants.flatMap(\.networks) {
            networks.add(
                "\(network.tenant)/\(network.name)",
                "\(network.segment)",
                joined(network.subnets.map(\.description)),
                "\(mtus.of(network))"
            )
        }
        var ports = TextTable(
            .text("PORT"),
            .text("NETWORK"),
            .text("ADDRESS"),
            .text("MAC"),
            .text("HOST"),
            .text("NAMESPACE"),
            .text("DEVICE")
        )
        for (port, place) in zip(topology.tenants.flatMap(\.ports), plan.places) {
            ports.add(
                place.path,
                membership(port),
                joined(place.addresses),
                "\(port.mac)",
                place.host,
                place.namespace,
                place.interface
            )
        }
        let summary =
            "lab \(plan.name): \(count(topology.hosts.count, "host")), \(count(topology.tenants.count, "tenant")), "
            + "underlay MTU \(mtu)"
        return paragraphs(summary, [hosts, networks, ports], style)
    }

    /// A lab's state: which processes run, which namespaces are there, where the ports are.
    static func status(_ status: LabStatus, _ style: Style = .plain) -> String {
        var hosts = TextTable(
            .text("HOST"),
            .text("NAMESPACE"),
            .number("CONTROL"),
            .number("DATAPATH"),
            .text("DIRECTORY")
        )
        func shown(_ pid: Int32?) -> String { pid.map { "\($0)" } ?? "gone" }
        for host in status.hosts {
            hosts.add(host.name, host.namespace, shown(host.control), shown(host.datapath), host.directory)
        }
        var ports = TextTable(.text("PORT"), .text("ADDRESS"), .text("HOST"), .text("NAMESPACE"), .text("DEVICE"))
        for port in status.ports {
            ports.add(port.path, joined(port.addresses), port.host, port.namespace, port.interface)
        }
        let state =
            status.isWhole ? style.good("up") : style.bad(status.state == .standing ? "damaged" : "half-made")
        var summary = "lab \(status.lab): \(state), from \(status.file)"
        if !status.missingNamespaces.isEmpty {
            summary += "\nnamespaces gone: \(status.missingNamespaces.joined(separator: ", "))"
        }
        return paragraphs(summary, [hosts, ports], style)
    }

    private static func paragraphs(_ summary: String, _ tables: [TextTable], _ style: Style) -> String {
        ([summary] + tables.filter { !$0.isEmpty }.map { $0.render(style) }).joined(separator: "\n\n")
    }

    private static func membership(_ port: Port) -> String {
        switch port.membership {
        case .access(let network): network
        case .trunk(let untagged, let tagged):
            joined([untagged].compactMap { $0 } + tagged.map { "\($0.vid):\($0.network)" })
        }
    }

    private static func joined(_ items: [String]) -> String { items.joined(separator: ", ") }

    private static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
