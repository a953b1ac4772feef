import ArgumentParser
import Control
import Model
import Tables

/// `sluice check`: everything that can be said about a file without a switch.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Validates a file, and prints its segments, MTUs and the memory that the tables will take.",
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
    struct Segment: Codable {
        /// `tenant/network`.
        var network: String
        var segment: String
        var mtu: Int
        var subnets: [String]
        /// Ports on each host.
        var ports: [String: Int]
    }

    struct Memory: Codable {
        var host: String
        var ports: Int
        /// Bytes; see `MemoryEstimate`.
        var snapshot: Int
        var counters: Int
        var learned: Int
        var total: Int
    }

    var underlayMTU: Int
    var segments: [Segment]
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
                        snapshot: estimate.snapshot,
                        counters: estimate.counters,
                        learned: estimate.learned,
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
            .number("MEMORY"),
            .number("SNAPSHOT"),
            .number("COUNTERS"),
            .number("LEARNED")
        )
        for host in memory {
            hosts.add(
                host.host,
                "\(host.ports)",
                Amounts.bytes(UInt64(host.total)),
                Amounts.bytes(UInt64(host.snapshot)),
                Amounts.bytes(UInt64(host.counters)),
                Amounts.bytes(UInt64(host.learned))
            )
        }
        let legend = """
            Memory at its most: two snapshots while one replaces the other, counters, and as many learned addresses as \
            may be. MTUs for an underlay of \(underlayMTU) bytes.
            """
        return [networks, hosts].filter { !$0.isEmpty }.map { $0.render(style) }.joined(separator: "\n\n") + "\n\n"
            + legend
    }
}
