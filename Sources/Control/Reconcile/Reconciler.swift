import Model

/// One step from what is open to what should be.
public enum EndpointAction: Sendable, Equatable {
    /// Open or make it and hand it to the datapath.
    case open(EndpointPlan)
    /// Set what changed on the interface. The descriptor stays.
    case reconfigure(EndpointPlan, EndpointChanges, from: ObservedEndpoint)
    /// The same slot gets another device: open or make the new one, hand it over, then remove the old one if the switch
    /// made it.
    case replace(EndpointPlan, from: ObservedEndpoint)
    /// Take it from the datapath and, where the switch made the interface, remove that.
    case close(slot: UInt32, key: EndpointKey?, medium: EndpointMedium?, removeDevice: Bool)
}

/// The steps around a change of snapshot, each list in order.
public struct Reconciliation: Sendable, Equatable {
    /// While the datapath still forwards by the old snapshot.
    public var before: [EndpointAction]
    /// Once it forwards by the new one.
    public var after: [EndpointAction]

    /// Whether everything is as it should be.
    public var isEmpty: Bool { before.isEmpty && after.isEmpty }
}

/// Compares what should be open with what is.
public enum Reconciler {
    /// The steps that lead from `observed` to `desired`; none if it is there already.
    ///
    /// New endpoints open before the snapshot changes and old ones close after it, so that nothing that stays misses
    /// a frame. Where an interface or a slot changes hands its old user closes first, at the head of `before`: frames
    /// of an interface never enter by two endpoints, which might belong to two tenants.
    public static func actions(desired: [EndpointPlan], observed: [ObservedEndpoint]) -> Reconciliation {
        var current: [UInt32: ObservedEndpoint] = [:]
        for endpoint in observed { current[endpoint.slot] = endpoint }

        /// Of interfaces and sockets that are about to be opened.
        var wanted: Set<EndpointMedium.Claim> = []
        var desiredSlots: Set<UInt32> = []
        for plan in desired {
            desiredSlots.insert(plan.slot)
            if let old = current[plan.slot], old.key == plan.key, old.medium == plan.medium { continue }
            wanted.formUnion(plan.medium.claims)
        }
        func isInTheWay(_ old: ObservedEndpoint) -> Bool {
            old.medium?.claims.contains { wanted.contains($0) } ?? false
        }

        var closes: [EndpointAction] = []
        var result = Reconciliation(before: [], after: [])
        for plan in desired.sorted(by: { $0.slot < $1.slot }) {
            guard let old = current[plan.slot] else {
                result.before.append(.open(plan))
                continue
            }
            if old.key == plan.key, old.medium == plan.medium {
                let changes = old.changes(to: plan)
                if !changes.isEmpty { result.before.append(.reconfigure(plan, changes, from: old)) }
            } else if old.key == plan.key, !isInTheWay(old) {
                result.before.append(.replace(plan, from: old))
            } else {
                closes.append(close(old))
                result.before.append(.open(plan))
            }
        }
        for old in current.values.sorted(by: { $0.slot < $1.slot }) where !desiredSlots.contains(old.slot) {
            if isInTheWay(old) {
                closes.append(close(old))
            } else {
                result.after.append(close(old))
            }
        }
        result.before = closes.sorted { slot($0) < slot($1) } + result.before
        return result
    }

    private static func close(_ old: ObservedEndpoint) -> EndpointAction {
        .close(slot: old.slot, key: old.key, medium: old.medium, removeDevice: old.medium?.isMade ?? false)
    }

    private static func slot(_ action: EndpointAction) -> UInt32 {
        switch action {
        case .open(let plan), .reconfigure(let plan, _, _), .replace(let plan, _): plan.slot
        case .close(let slot, _, _, _): slot
        }
    }
}

extension EndpointAction: CustomStringConvertible {
    /// `open red/web (tap eth0 netns red-web)`: a line for the log and for `apply --dry-run`.
    public var description: String {
        switch self {
        case .open(let plan): return "open \(plan.key) (\(plan.medium))"
        case .reconfigure(let plan, let changes, _): return "set \(changes) of \(plan.key)"
        case .replace(let plan, let old):
            return "move \(plan.key) to \(plan.medium)" + (old.medium.map { " from \($0)" } ?? "")
        case .close(let slot, let key, let medium, let removeDevice):
            let name = key?.description ?? "slot \(slot)"
            let device = medium.map { " (\($0))" } ?? ""
            return "close \(name)\(device)" + (removeDevice ? " and remove its interface" : "")
        }
    }
}
