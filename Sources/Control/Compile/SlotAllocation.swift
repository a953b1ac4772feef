import Tables
import Wire

/// Who has which slot of the tables, kept from one configuration to the next: learned addresses, counters and open
/// descriptors go by slot and outlive a change that has nothing to do with them.
public struct SlotAllocation: Sendable, Equatable {
    /// Where a segment meets something else.
    struct AttachmentKey: Hashable {
        /// What the target is.
        enum Kind: UInt8 {
            case endpoint
            /// At the other end of a tunnel.
            case peer
            /// A router's.
            case interface
        }

        var segment: UInt32
        /// Its slot.
        var target: UInt32
        var kind: Kind
    }

    /// Where a router meets a segment, by their slots.
    struct InterfaceKey: Hashable {
        var router: UInt32
        var segment: UInt32
    }

    /// What a network or a router's tunnel is besides its name. One that changes it is another one under the same name.
    struct SegmentIdentity: Hashable {
        var kind: UInt8
        var identifier: UInt32
        /// The provider network that carries it, or the ends of the tunnel.
        var way = ""
        var tpid: UInt16 = 0
    }

    var endpoints = SlotTable<EndpointKey>(lastGeneration: .max)
    var segments = SlotTable<SegmentKey>(lastGeneration: UInt16(UInt8.max))
    var attachments = SlotTable<AttachmentKey>(lastGeneration: UInt16(UInt8.max))
    /// By address, IPv4 as mapped.
    var peers = SlotTable<IPv6Address>(lastGeneration: 0)
    /// Generations of routers and interfaces are those of their segments and attachments.
    var routers = SlotTable<RouterKey>(lastGeneration: 0)
    var interfaces = SlotTable<InterfaceKey>(lastGeneration: 0)
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
            attachments.recover(AttachmentKey(record), generation: UInt16(record.generation))
            if record.kind == AttachmentKind.provider {
                identities[Int(record.segment)]?.tpid = record.vlanTPID
                identities[Int(record.segment)]?.way = snapshot.text(
                    snapshot.endpoints[Int(record.endpoint)].name
                )
            } else if record.carriesPackets {
                identities[Int(record.segment)]?.way = SegmentIdentity.way(
                    record.kind,
                    record.flags,
                    endpoint: snapshot.text(snapshot.endpoints[Int(record.endpoint)].name),
                    peer: snapshot.peers[Int(record.peer)].address
                )
            }
        }
        for i in 0..<Int(snapshot.peerCount) {
            let record = snapshot.peers[i]
            peers.recover(record.inUse != 0 ? record.address : nil, generation: 0)
        }
        for i in 0..<Int(snapshot.routerCount) {
            let record = snapshot.routers[i]
            routers.recover(record.inUse != 0 ? RouterKey(snapshot.text(record.name)) : nil, generation: 0)
        }
        for i in 0..<Int(snapshot.interfaceCount) {
            let record = snapshot.interfaces[i]
            let key = InterfaceKey(router: record.router, segment: record.segment)
            interfaces.recover(record.inUse != 0 ? key : nil, generation: 0)
        }
    }

    public func endpoint(_ key: EndpointKey) -> UInt32? { endpoints[key] }

    public func segment(_ key: SegmentKey) -> UInt32? { segments[key] }

    public func peer(_ address: IPAddress) -> UInt32? { peers[address.mapped] }

    public func router(_ key: RouterKey) -> UInt32? { routers[key] }

    public func interface(router: UInt32, segment: UInt32) -> UInt32? {
        interfaces[InterfaceKey(router: router, segment: segment)]
    }

    public func attachment(segment: UInt32, endpoint: UInt32) -> UInt32? {
        attachments[AttachmentKey(segment: segment, target: endpoint, kind: .endpoint)]
    }

    public func attachment(segment: UInt32, peer: UInt32) -> UInt32? {
        attachments[AttachmentKey(segment: segment, target: peer, kind: .peer)]
    }

    public func attachment(segment: UInt32, interface: UInt32) -> UInt32? {
        attachments[AttachmentKey(segment: segment, target: interface, kind: .interface)]
    }

    /// Gives slots to exactly these networks and tunnels. One that is not what it was under its name gets a new generation: what
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

extension SlotAllocation.AttachmentKey {
    /// That of a row; nil for a free one.
    init?(_ record: AttachmentRecord) {
        guard record.kind != AttachmentKind.none else { return nil }
        if record.isRouter {
            self.init(segment: record.segment, target: record.interface, kind: .interface)
        } else if record.isTunnel || record.carriesPackets {
            self.init(segment: record.segment, target: record.peer, kind: .peer)
        } else {
            self.init(segment: record.segment, target: record.endpoint, kind: .endpoint)
        }
    }
}

extension SlotAllocation.SegmentIdentity {
    /// The ends of a router's tunnel and what its packets look like between them, in words.
    static func way(_ kind: UInt8, _ flags: UInt16, endpoint: String, peer: IPv6Address) -> String {
        "\(kind) \(flags & AttachmentRecord.greKey) \(endpoint) \(peer)"
    }
}
