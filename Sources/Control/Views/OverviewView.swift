/// Everything that `show` draws as one picture, read at one moment.
public struct OverviewView: Codable, Sendable, Equatable {
    public var status: StatusView
    public var networks: [NetworkView]
    public var routers: [RouterView]
    public var ports: [EndpointView]
    public var uplinks: [EndpointView]
    public var tunnels: [TunnelView]
}

extension LiveTables {
    public func overview(_ process: ProcessStatus) -> OverviewView {
        OverviewView(
            status: status(process),
            networks: networks(),
            routers: routers(host: process.host),
            ports: ports(),
            uplinks: uplinks(),
            tunnels: tunnels()
        )
    }
}
