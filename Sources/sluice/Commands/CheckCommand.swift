import ArgumentParser
import Control
import Model
import Tables

/// `sluice check`: everything that can be said about a file without a switch.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Validates a file, and prints its segments, routers, MTUs and the memory that the tables will take.",
        discussion: """
            Mistakes are printed with file, line and column, and the exit code is 1. What is allowed and probably not \
            meant is printed as a warning.

              sluice check cloud.yaml
            """
    )

    @Argument(help: "The file.", completion: .file(extensions: ["yaml", "yml", "json"]))
    var file: String

    @Option(
        help: "MTU of the network between the hosts, in bytes; without it the file's lab.mtu counts, or 1500."
    )
    var underlayMTU: Int?

    @Flag(help: "Print the result as JSON.")
    var json = false

    mutating func validate() throws {
        if let underlayMTU, !Network.mtuRange.contains(underlayMTU) {
            throw ValidationError(
                "--underlay-mtu is from \(Network.mtuRange.lowerBound) to \(Network.mtuRange.upperBound)."
            )
        }
    }

    func run() throws {
        let topology = try Topology.read(path: file)
        let report = try CheckReport(
            topology,
            underlayMTU: underlayMTU ?? topology.lab?.mtu ?? LabSettings.defaultMTU
        )
        if json { return Output.show(try JSONText.of(report)) }
        for warning in report.warnings { Output.warn(warning.problem) }
        Output.show(report.text(Output.style))
    }
}

/// What `check` says about a file that is in order.
struct CheckReport: Codable {
    /// Paths that people are shown; `--json` has all of them.
    static let shownPaths = 200

    struct Segment: Codable {
        /// `tenant/network`.
        var network: String
        var segment: String
        var mtu: Int
        var subnets: [String]
        /// Ports on each host.
        var ports: [String: Int]
    }

    struct Router: Codable {
        /// `tenant/router`.
        var router: String
        var mac: String
        /// By network.
        var interfaces: [Interface]
        var tunnels: [Tunnel]
        var routes: Int
        /// The hosts that it is on. The first answers for it to machines outside of the file.
        var hosts: [String]
    }

    struct Interface: Codable {
        var network: String
        var addresses: [String]
    }

    struct Tunnel: Codable {
        var name: String
        /// `ipip`, `sit` or `gre`.
        var type: String
        var host: String
        var local: String
        var remote: String
        var key: UInt32?
        var addresses: [String]
        /// Of the packets inside, in bytes.
        var mtu: Int
    }

    /// A way through a router.
    struct Path: Codable {
        var router: String
        /// The sender's network.
        var from: String
        /// A network or a tunnel.
        var to: String
        var isTunnel: Bool
        /// The largest IP packet that arrives whole, in bytes, and what senders may try first.
        var mtu: Int
        var senderMTU: Int
    }

    struct Memory: Codable {
        var host: String
        var ports: Int
        /// Threads that forward.
        var workers: Int
        /// Bytes; see `MemoryEstimate`.
        var snapshot: Int
        var counters: Int
        var learned: Int
        var rings: Int
        var total: Int
    }

    var underlayMTU: Int
    var segments: [Segment]
    var routers: [Router]
    var paths: [Path]
    var memory: [Memory]
    var warnings: [ProblemView]

    /// Compiles the file for each of its hosts. Throws `TopologyError` for what only the compiler finds.
    init(_ topology: Topology, underlayMTU: Int) throws {
        self.underlayMTU = underlayMTU
        let mtus = topology.mtus(underlayMTU: underlayMTU)
        segments = topology.tenants.flatMap { tenant in
            var hosts: [String: [String: Int]] = [:]
            for port in tenant.ports {
                for network in port.membership.networks { hosts[network, default: [:]][port.host, default: 0] += 1 }
            }
            return tenant.networks.map { network in
                Segment(
                    network: "\(tenant.name)/\(network.name)",
                    segment: network.segment.description,
                    mtu: mtus.of(network),
                    subnets: network.subnets.map(\.description),
                    ports: hosts[network.name] ?? [:]
                )
            }
        }
        let groups = RoutedGroups(topology)
        routers = topology.tenants.flatMap(\.routers).map { Router($0, groups, mtus) }
        paths = topology.pathMTUs(underlayMTU: underlayMTU).map(Path.init)
        memory = []
        var problems: [Problem] = []
        for host in topology.hosts {
            do {
                let compiled = try Compiler.compile(
                    topology: topology,
                    host: host.name,
                    underlayMTU: underlayMTU,
                    generation: 1,
                    seed: 1,
                    allocation: SlotAllocation()
                )
                let estimate = compiled.memory
                memory.append(
                    Memory(
                        host: host.name,
                        ports: compiled.endpoints.count { $0.key.tenant != nil },
                        workers: host.workers,
                        snapshot: estimate.snapshot,
                        counters: estimate.counters,
                        learned: estimate.learned,
                        rings: estimate.rings,
                        total: estimate.total
                    )
                )
            } catch {
                problems.append(error.problem)
            }
        }
        guard problems.isEmpty else { throw TopologyError(problems: problems) }
        warnings = topology.warnings(underlayMTU: underlayMTU).map(ProblemView.init)
    }

    func text(_ style: Style) -> String {
        var networks = TextTable(
            .text("NETWORK"),
            .text("SEGMENT"),
            .number("MTU"),
            .text("SUBNETS"),
            .text("PORTS")
        )
        for segment in segments {
            networks.add(
                segment.network,
                segment.segment,
                "\(segment.mtu)",
                segment.subnets.joined(separator: " "),
                segment.ports.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }.joined(separator: " ")
            )
        }
        var hosts = TextTable(
            .text("HOST"),
            .number("PORTS"),
            .number("WORKERS"),
            .number("MEMORY"),
            .number("SNAPSHOT"),
            .number("COUNTERS"),
            .number("LEARNED"),
            .number("RINGS")
        )
        for host in memory {
            hosts.add(
                host.host,
                "\(host.ports)",
                "\(host.workers)",
                Amounts.bytes(UInt64(host.total)),
                Amounts.bytes(UInt64(host.snapshot)),
                Amounts.bytes(UInt64(host.counters)),
                Amounts.bytes(UInt64(host.learned)),
                Amounts.bytes(UInt64(host.rings))
            )
        }
        let paths = pathTable()
        let hidden = self.paths.count - Self.shownPaths
        let note = hidden > 0 ? "\n… and \(hidden) more paths; --json has all." : ""
        let legend = """
            Memory at its most: two snapshots while one replaces the other, for each worker counters and as many learned \
            addresses as may be, and the kernel's receive rings of veth and device ports. MTUs for an underlay of \
            \(underlayMTU) bytes.
            """
        let tables = [networks, routerTable(), tunnelTable(), paths].filter { !$0.isEmpty }.map { $0.render(style) }
        return tables.joined(separator: "\n\n") + note + "\n\n" + hosts.render(style) + "\n\n" + legend
    }
}
