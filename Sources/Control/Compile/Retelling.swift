import Model
import Tables
import Wire

/// A change that leaves every slot where it is and every row as it is: ports that have another MAC. What `Compiler.compile`
/// would make of it, for a copy of the snapshot in force.
public struct Retelling: Sendable {
    public var patch: SnapshotPatch
    /// What has to be open, by slot.
    public var endpoints: [EndpointPlan]

    /// Nil when the edit asks for more. `allocation` and `endpoints` are those of the snapshot in force.
    public init?(_ edit: TopologyEdit, generation: UInt64, allocation: SlotAllocation, endpoints: [EndpointPlan]) {
        guard let changes = edit.changedMACs else { return nil }
        patch = SnapshotPatch(generation: generation, retold: [])
        self.endpoints = endpoints
        for change in changes {
            for network in change.new.membership.networks {
                guard let segment = allocation.segment(SegmentKey(tenant: change.new.tenant, network: network)) else {
                    continue
                }
                patch.retold.append(.init(segment: segment, old: change.old.mac, new: change.new.mac))
            }
            guard let slot = allocation.endpoint(.port(tenant: change.new.tenant, name: change.new.name)),
                let index = endpoints.firstIndex(where: { $0.slot == slot })
            else { continue }
            // Only interfaces that the switch makes get an address from it.
            if endpoints[index].mac != nil { self.endpoints[index].mac = change.new.mac }
        }
    }
}
