import ArgumentParser
import Client
import Control
import Foundation

/// `sluice show`: what a running switch knows.
struct ShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows what a running switch knows; without a topic, everything in one picture.",
        discussion: """
            Topics: \(Topic.allCases.map { "\($0.rawValue) (\($0.meaning))" }.joined(separator: "; ")).

              sluice show
              sluice show ports --host h1
              sluice show fdb --network red/app
              sluice show routes --router red/gw
              sluice show drops --watch
              sluice show counters --json
            """
    )

    enum Topic: String, CaseIterable, ExpressibleByArgument {
        case status, ports, uplinks, networks, fdb, routers, routes, neighbors, tunnels, counters, drops

        var meaning: String {
            switch self {
            case .status: "the processes and what needs attention"
            case .ports: "tenants' ports on this host"
            case .uplinks: "provider devices and tunnel sockets"
            case .networks: "broadcast domains"
            case .fdb: "which address is where"
            case .routers: "tenants' routers: interfaces, addresses, hosts"
            case .routes: "their tables"
            case .neighbors: "which address the neighbours of routers have"
            case .tunnels: "remote VTEPs, and tunnels of routers"
            case .counters: "frames and bytes, and events that are no drops"
            case .drops: "frames that went no further, by reason"
            }
        }
    }

    @Argument(help: "What to show.")
    var topic: Topic?

    @Option(help: "Only this network, as TENANT/NETWORK (fdb, neighbors).")
    var network: String?

    @Option(help: "Only this router, as TENANT/ROUTER (routes).")
    var router: String?

    @Option(
        help: "At most so many addresses or routes (fdb, neighbors, routes); 0 is all. 1000, with --json all."
    )
    var limit: Int?

    @Flag(help: "Print JSON with stable keys.")
    var json = false

    @Flag(help: "Show it again every second, until interrupted.")
    var watch = false

    @OptionGroup var target: SwitchOptions

    mutating func validate() throws {
        if network != nil, topic != .fdb, topic != .neighbors {
            throw ValidationError("--network goes with `show fdb` and `show neighbors`.")
        }
        if router != nil, topic != .routes { throw ValidationError("--router goes with `show routes`.") }
        if let limit, limit < 0 { throw ValidationError("--limit is 0 or more.") }
    }

    func run() async throws {
        let client = try target.client()
        repeat {
            let text = try await text(client)
            if watch {
                Output.redraw(text)
                try await Task.sleep(for: .seconds(1))
            } else {
                Output.show(text)
            }
        } while watch
    }

    private func text(_ client: SwitchClient) async throws -> String {
        var query: [(String, String)] = []
        if topic == .fdb || topic == .neighbors || topic == .routes {
            if let network { query.append(("network", network)) }
            if let router { query.append(("router", router)) }
            // Whoever asks for JSON wants all of it, unless told otherwise.
            if let limit = limit ?? (json ? nil : 1000) { query.append(("limit", "\(limit)")) }
        }
        let path = "/v1/" + (topic?.rawValue ?? "overview")
        if json {
            let bytes = try await client.get(path, query)
            return String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .newlines)
        }
        let style = Output.style
        switch topic {
        case nil: return OverviewText(try await client.get(path, as: OverviewView.self), style).render()
        case .status: return ShowText.status(try await client.get(path, as: StatusView.self), style)
        case .ports: return ShowText.endpoints(try await client.get(path, as: [EndpointView].self), style)
        case .uplinks: return ShowText.endpoints(try await client.get(path, as: [EndpointView].self), style)
        case .networks: return ShowText.networks(try await client.get(path, as: [NetworkView].self), style)
        case .fdb: return ShowText.fdb(try await client.get(path, query, as: FDBView.self), style)
        case .routers: return ShowText.routers(try await client.get(path, as: [RouterView].self), style)
        case .routes: return ShowText.routes(try await client.get(path, query, as: RoutesView.self), style)
        case .neighbors: return ShowText.neighbors(try await client.get(path, query, as: NeighborsView.self), style)
        case .tunnels: return ShowText.tunnels(try await client.get(path, as: [TunnelView].self), style)
        case .counters: return ShowText.counters(try await client.get(path, as: CountersView.self), style)
        case .drops: return ShowText.drops(try await client.get(path, as: DropsView.self), style)
        }
    }
}
