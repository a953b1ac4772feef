import Model
import Wire

/// What stands, as text for people.
public enum LabTable {
    /// The hosts, networks and ports of a lab that is up.
    public static func text(_ topology: Topology, _ plan: LabPlan) -> String {
        let mtu = plan.hosts.first?.underlayMTU ?? LabSettings.defaultMTU
        let mtus = topology.mtus(underlayMTU: mtu)
        let hosts = zip(topology.hosts, plan.hosts).map { host, planned in
            [
                host.name, planned.namespace, joined(host.vteps.map(\.description)),
                joined(host.physical.map { "\($0.name)=\($0.device)" }),
            ]
        }
        let networks = topology.tenants.flatMap { tenant in
            tenant.networks.map { network in
                [
                    "\(tenant.name)/\(network.name)", network.segment.description,
                    joined(network.subnets.map(\.description)), "\(mtus.of(network))",
                ]
            }
        }
        let ports = zip(topology.tenants.flatMap(\.ports), plan.places).map { port, place in
            [
                place.path, membership(port), joined(place.addresses), port.mac.description, place.host,
                "\(place.namespace) \(place.interface)",
            ]
        }
        return [
            "lab \(plan.name): \(count(hosts.count, "host")), \(count(topology.tenants.count, "tenant")), "
                + "underlay MTU \(mtu)\n",
            columns(["HOST", "NAMESPACE", "VTEP", "PROVIDER"], hosts),
            columns(["NETWORK", "SEGMENT", "SUBNETS", "MTU"], networks),
            columns(["PORT", "NETWORK", "ADDRESS", "MAC", "HOST", "NAMESPACE, DEVICE"], ports),
        ].joined(separator: "\n")
    }

    /// A lab's state: which processes run, which namespaces are there, where the ports are.
    public static func text(_ status: LabStatus) -> String {
        let hosts = status.hosts.map { host in
            [
                host.name, host.hasNamespace ? host.namespace : "\(host.namespace) (gone)",
                host.control.map { "\($0)" } ?? "-", host.datapath.map { "\($0)" } ?? "-", host.directory,
            ]
        }
        let ports = status.ports.map { [$0.path, joined($0.addresses), $0.host, "\($0.namespace) \($0.interface)"] }
        let gone = status.missingNamespaces.isEmpty ? "" : "gone: \(status.missingNamespaces.joined(separator: ", "))\n"
        let state = status.isWhole ? "up" : status.state == .standing ? "damaged" : "half-made"
        return [
            "lab \(status.lab): \(state) (\(status.file))\n" + gone,
            columns(["HOST", "NAMESPACE", "CONTROL", "DATAPATH", "DIRECTORY"], hosts),
            columns(["PORT", "ADDRESS", "HOST", "NAMESPACE, DEVICE"], ports),
        ].joined(separator: "\n")
    }

    /// Left-aligned columns, two spaces apart.
    static func columns(_ head: [String], _ rows: [[String]]) -> String {
        let all = [head] + rows
        let widths = head.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            var line = ""
            for (cell, width) in zip(row, widths) {
                line += cell + String(repeating: " ", count: width - cell.count + 2)
            }
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }

    private static func membership(_ port: Port) -> String {
        switch port.membership {
        case .access(let network): network
        case .trunk(let untagged, let tagged):
            joined([untagged].compactMap { $0 } + tagged.map { "\($0.vid):\($0.network)" })
        }
    }

    private static func joined(_ items: [String]) -> String { items.isEmpty ? "-" : items.joined(separator: ", ") }

    private static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
