import Tables

/// A switch at a glance.
public struct StatusView: Codable, Sendable, Equatable {
    public struct Endpoints: Codable, Sendable, Equatable {
        public var up: Int
        public var total: Int
    }

    public var process: ProcessStatus
    /// The snapshot that control last compiled, and the one that the datapath forwards by. They differ for a moment
    /// after a change, or for longer while there is no datapath.
    public var generation: UInt64
    public var appliedGeneration: UInt64
    public var endpoints: Endpoints
    public var tenants: Int
    public var networks: Int
    public var routers: Int
    public var peers: Int
    /// Learned addresses.
    public var learned: Int
    /// Dropped frames at all endpoints, whatever the reason.
    public var drops: UInt64
    /// Sentences about endpoints that are not up, or not as they should be.
    public var troubles: [String]
}

extension LiveTables {
    public func status(_ process: ProcessStatus) -> StatusView {
        let endpoints = endpoints { _ in true }
        let segments = segmentSlots.filter {
            ![SegmentKind.routed, SegmentKind.underlay].contains(snapshot.segments[Int($0)].kind)
        }
        return StatusView(
            process: process,
            generation: snapshot.generation,
            appliedGeneration: states.appliedGeneration,
            endpoints: .init(up: endpoints.count { $0.state == "up" }, total: endpoints.count),
            tenants: Set(segments.map { snapshot.segments[Int($0)].tenant }).count,
            networks: segments.count,
            routers: routerSlots.count,
            peers: peerSlots.count,
            learned: segments.reduce(0) { sum, slot in
                sum + states.learned(segment: slot, generation: snapshot.segments[Int(slot)].generation)
            },
            drops: endpoints.reduce(0) { $0 &+ $1.drops },
            troubles: endpoints.filter { $0.state != "up" || !$0.detail.isEmpty }.map {
                "\($0.kind == .port ? "port" : "uplink") \($0.name): \($0.detail.isEmpty ? $0.state : $0.detail)"
            }
        )
    }
}
