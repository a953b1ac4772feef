import Tables
import Wire

/// Who has which slot of the tables, kept from one configuration to the next: learned addresses, counters and open
/// descriptors go by slot and outlive a change that has nothing to do with them.
public struct SlotAllocation: Sendable, Equatable {
    /// Where a segment meets an endpoint or, on a tunnel, a peer.
    struct AttachmentKey: Hashable {
        var segment: UInt32
        /// Slot of the endpoint or peer.
        var target: UInt32
        var isPeer: Bool
    }

    /// What a network is besides its name. A network that changes it is another one under the same name.
    struct SegmentIdentity: Hashable {
        var kind: UInt8
        var identifier: UInt32
        var physical = ""
        var tpid: UInt16 = 0
    }

    var endpoints = SlotTable<EndpointKey>(lastGeneration: .max)
    var segments = SlotTable<SegmentKey>(lastGeneration: UInt16(UInt8.max))
    var attachments = SlotTable<AttachmentKey>(lastGeneration: UInt16(UInt8.max))
    /// By address, IPv4 as mapped.
    var peers = SlotTable<IPv6Address>(lastGeneration: 0)
    /// By segment slot; nil in a free one.
    private(set) var identities: [SegmentIdentity?] = []

    public init() {}

    /// The allocation that `snapshot` was compiled with: a control process that is started again finds every slot
    /// where the running datapath has it.
    public init(recoveredFrom snapshot: Snapshot) {
        for i in 0..<Int(snapshot.endpointCount) {
            let record = snapshot.endpoints[i]
            endpoints.recover(EndpointKey(record: record, in: snapshot), generation: record.generation)
        }
        for i in 0..<Int(snapshot.segmentCount) {
            let record = snapshot.segments[i]
            let key = record.inUse != 0 ? SegmentKey(snapshot.text(record.name)) : nil
            segments.recover(key, generation: UInt16(record.generation))
            identities.append(
                key == nil ? nil : SegmentIdentity(kind: record.kind, identifier: record.identifier)
            )
        }
        for i in 0..<Int(snapshot.attachmentCount) {
            let record = snapshot.attachments[i]
            var key: AttachmentKey?
            if record.kind != AttachmentKind.none {
                key = AttachmentKey(
                    segment: record.segment,
                    target: record.isTunnel ? record.peer : record.endpoint,
                    isPeer: record.isTunnel
                )
            }
            attachments.recover(key, generation: UInt16(record.generation))
            if record.kind == AttachmentKind.provider {
                identities[Int(record.segment)]?.tpid = record.vlanTPID
                identities[Int(record.segment)]?.physical = snapshot.text(
                    snapshot.endpoints[Int(record.endpoint)].name
                )
            }
        }
        for i in 0..<Int(snapshot.peerCount) {
            let record = snapshot.peers[i]
            peers.recover(record.inUse != 0 ? record.address : nil, generation: 0)
        }
    }

    public func endpoint(_ key: EndpointKey) -> UInt32? { endpoints[key] }

    public func segment(_ key: SegmentKey) -> UInt32? { segments[key] }

    public func peer(_ address: IPAddress) -> UInt32? { peers[address.mapped] }

    public func attachment(segment: UInt32, endpoint: UInt32) -> UInt32? {
        attachments[AttachmentKey(segment: segment, target: endpoint, isPeer: false)]
    }

    public func attachment(segment: UInt32, peer: UInt32) -> UInt32? {
        attachments[AttachmentKey(segment: segment, target: peer, isPeer: true)]
    }

    /// Gives slots to exactly these networks. One that is not what it was under its name gets a new generation: what
    /// was learned in it was learned elsewhere.
    mutating func assign(segments keys: [SegmentKey], identities wanted: [SegmentIdentity]) -> [UInt32] {
        let known = segments.owners
        let slots = segments.assign(keys)
        identities += [SegmentIdentity?](repeating: nil, count: segments.count - identities.count)
        for slot in known.indices where segments.owners[slot] == nil { identities[slot] = nil }
        for (slot, identity) in zip(slots, wanted) {
            if Int(slot) < known.count, known[Int(slot)] != nil, identities[Int(slot)] != identity {
                segments.raiseGeneration(slot)
            }
            identities[Int(slot)] = identity
        }
        return slots
    }
}
