import Control

/// Frames, bits and drops a second.
struct Rates: Codable, Sendable, Equatable {
    struct Row: Codable, Sendable, Equatable {
        /// `tenant/port`, an uplink's name, or a tenant's.
        var name: String
        var receivedFrames: Double
        var receivedBits: Double
        var sentFrames: Double
        var sentBits: Double
        var drops: Double

        /// What puts a row at the top.
        var load: Double { receivedBits + sentBits }
    }

    /// The sum of each tenant's ports; uplinks carry the same frames once more and are not in it.
    var tenants: [Row]
    /// Busiest first.
    var ports: [Row]
    var uplinks: [Row]

    /// What happened between two looks that lie `seconds` apart. An endpoint that was not there at the first look counts
    /// from nothing; one whose counters went back was started again and does too.
    init(from earlier: OverviewView, to later: OverviewView, seconds: Double) {
        ports = Self.rows(earlier.ports, later.ports, seconds)
        uplinks = Self.rows(earlier.uplinks, later.uplinks, seconds)
        let owner = Dictionary(later.ports.map { ($0.name, $0.tenant ?? "") }, uniquingKeysWith: { first, _ in first })
        var sums: [String: Row] = [:]
        for port in ports {
            let tenant = owner[port.name] ?? ""
            var sum = sums[tenant] ?? Row(tenant)
            sum.receivedFrames += port.receivedFrames
            sum.receivedBits += port.receivedBits
            sum.sentFrames += port.sentFrames
            sum.sentBits += port.sentBits
            sum.drops += port.drops
            sums[tenant] = sum
        }
        tenants = Self.ordered(Array(sums.values))
    }

    private static func rows(_ earlier: [EndpointView], _ later: [EndpointView], _ seconds: Double) -> [Row] {
        let before = Dictionary(earlier.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        return ordered(
            later.map { now in
                let was = before[now.name]
                func rate(_ value: KeyPath<EndpointView, UInt64>) -> Double {
                    let (new, old) = (now[keyPath: value], was?[keyPath: value] ?? 0)
                    return seconds > 0 ? Double(new >= old ? new - old : new) / seconds : 0
                }
                var row = Row(now.name)
                row.receivedFrames = rate(\.received.frames)
                row.receivedBits = 8 * rate(\.received.bytes)
                row.sentFrames = rate(\.sent.frames)
                row.sentBits = 8 * rate(\.sent.bytes)
                row.drops = rate(\.drops)
                return row
            }
        )
    }

    private static func ordered(_ rows: [Row]) -> [Row] {
        rows.sorted { $0.load != $1.load ? $0.load > $1.load : $0.name < $1.name }
    }
}

extension Rates.Row {
    init(_ name: String) {
        self.init(name: name, receivedFrames: 0, receivedBits: 0, sentFrames: 0, sentBits: 0, drops: 0)
    }
}
