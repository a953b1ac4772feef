import Forwarding
import Tables

/// Frames that went no further: how many for which reason, at each endpoint and in each network. A frame that was
/// dropped before its network was known counts at its endpoint alone.
public struct DropsView: Codable, Sendable, Equatable {
    public struct Row: Codable, Sendable, Equatable {
        /// The endpoint or network.
        public var name: String
        /// The name of the reason: stable.
        public var reason: String
        /// What happened and where to look.
        public var sentence: String
        public var count: UInt64
    }

    public var endpoints: [Row]
    public var networks: [Row]
}

extension LiveTables {
    /// What has been counted at least once, by name, the largest number first.
    public func drops() -> DropsView {
        DropsView(
            endpoints: rows(endpointSlots, name: name(endpoint:), count: endpointDrops),
            networks: rows(segmentSlots, name: name(segment:), count: segmentDrops)
        )
    }

    private func rows(
        _ slots: [UInt32],
        name: (UInt32) -> String,
        count: (UInt32, Int) -> UInt64
    ) -> [DropsView.Row] {
        var rows: [DropsView.Row] = []
        for slot in slots {
            for reason in 1..<StateRegion.reasons {
                let count = count(slot, reason)
                guard count > 0 else { continue }
                let known = DropReason(rawValue: UInt8(reason))
                rows.append(
                    .init(
                        name: name(slot),
                        reason: known?.name ?? "reason\(reason)",
                        sentence: known?.sentence ?? "The datapath is of another version than this switch.",
                        count: count
                    )
                )
            }
        }
        return rows.sorted { ($0.name, $1.count, $0.reason) < ($1.name, $0.count, $1.reason) }
    }
}
