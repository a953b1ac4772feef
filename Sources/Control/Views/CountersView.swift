import Forwarding
import Tables

/// Everything that is counted and is not a drop.
public struct CountersView: Codable, Sendable, Equatable {
    public struct Endpoint: Codable, Sendable, Equatable {
        public var name: String
        public var kind: EndpointKindName
        public var tenant: String?
        public var received: TrafficView
        public var sent: TrafficView
        public var drops: UInt64
    }

    /// Something worth knowing that is no drop.
    public struct Occurrence: Codable, Sendable, Equatable {
        public var name: String
        public var sentence: String
        public var count: UInt64
    }

    public var endpoints: [Endpoint]
    public var events: [Occurrence]
}

extension LiveTables {
    public func counters() -> CountersView {
        CountersView(
            endpoints: endpoints { _ in true }.map {
                .init(
                    name: $0.name,
                    kind: $0.kind,
                    tenant: $0.tenant,
                    received: $0.received,
                    sent: $0.sent,
                    drops: $0.drops
                )
            },
            events: Event.allCases.map {
                .init(name: $0.name, sentence: $0.sentence, count: states.events(Int($0.rawValue)))
            }
        )
    }
}
