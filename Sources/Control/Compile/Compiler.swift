import Model
import Tables
import Wire

/// What `Compiler` makes of a topology.
public struct Compiled: Sendable {
    /// The bytes of the snapshot.
    public var image: [UInt8]
    /// To be compiled with next time, once this snapshot is in force.
    public var allocation: SlotAllocation
    /// What has to be open for this snapshot, by slot.
    public var endpoints: [EndpointPlan]
    public var memory: MemoryEstimate
}

/// Turns the operator's file into what one host's datapath forwards by. A pure function: the same arguments give the
/// same bytes.
public enum Compiler {
    /// Compiles the part of `topology` that `host` realises: networks with a port there, the routers that lead to them
    /// with all the networks that those join, told addresses of all their ports on any host, tunnels to the hosts and
    /// `remotes` that share them, and the routers' tunnels that begin here.
    ///
    /// - Parameters:
    ///   - underlayMTU: bytes of an IP packet that the hosts' underlay carries.
    ///   - interfaceIndexes: of endpoints whose interface is in the host's own namespace and belongs to tenants alone:
    ///     tunnel packets that come in there are refused.
    ///   - generation: the snapshot's number, larger than that of any before.
    ///   - seed: secret and random.
    ///   - allocation: of the snapshot in force; a new one if there is none.
    ///   - capacity: of the datapath's state region.
    public static func compile(
        topology: Topology,
        host: String,
        underlayMTU: Int,
        interfaceIndexes: [EndpointKey: UInt32] = [:],
        generation: UInt64,
        seed: UInt64,
        allocation: SlotAllocation,
        capacity: StateCapacity = .standard
    ) throws(CompileError) -> Compiled {
        var work = try Compilation(topology, host: host, underlayMTU: underlayMTU, allocation: allocation)
        try work.planTunnels()
        try work.planEndpoints()
        work.planSegments()
        work.planRouters()
        work.planAttachments()
        try work.check(capacity)
        work.writeEndpoints(interfaceIndexes)
        work.writePeers()
        work.prepareRows()
        try work.writeSegments()
        try work.writeRouters()
        work.writeRoutes()
        work.writeUnderlay()
        let image = work.builder.freeze(generation: generation, seed: seed)
        let rows = StateCapacity(
            endpoints: work.allocation.endpoints.count,
            segments: work.allocation.segments.count,
            attachments: work.allocation.attachments.count,
            peers: work.allocation.peers.count,
            macBuckets: capacity.macBuckets
        )
        return Compiled(
            image: image,
            allocation: work.allocation,
            endpoints: work.finishedPlans(),
            memory: MemoryEstimate(
                snapshot: image.count,
                rows: rows,
                learnable: work.learnable,
                routes: !work.scope.routers.isEmpty,
                workers: work.host.workers,
                rings: work.plans.count { $0.medium.hasReceiveRing },
                capacity: capacity
            )
        )
    }
}

/// One run of the compiler: first everything gets its slot, then the rows are written.
struct Compilation {
    let topology: Topology
    let host: Host
    let scope: Scope
    let underlayMTU: Int
    let mtus: MTUs
    var allocation: SlotAllocation
    var builder = SnapshotBuilder()

    /// By number: ports of the scope, provider networks, VXLAN sockets, GRE sockets, or the uplink.
    var plans: [EndpointPlan] = []
    /// Number of the first plan that is not a port.
    var firstShared: Int { scope.ports.count }
    /// Plan numbers of provider networks.
    var providers: [String: Int] = [:]
    /// Plan numbers of sockets.
    var sockets: [EndpointKey: Int] = [:]

    /// Of the scope's networks, by number, then of `anchored`, then of the underlay.
    var segmentSlots: [UInt32] = []

    var tunnels = TunnelPlan()
    /// By peer number.
    var peerSlots: [UInt32] = []

    /// Tunnels of routers that begin here, in the order of `scope.routers`.
    var anchored: [AnchoredTunnel] = []
    /// Of `scope.routers`, by number, then of the underlay's.
    var routerSlots: [UInt32] = []
    /// Router by router: networks, then tunnels that begin here.
    var interfaces: [InterfacePlan] = []

    /// The host's own place in the underlay, if it has one.
    var underlay: UnderlayPlan?

    /// Attachment slots, network by network: local ports, the provider device, peers. The flood lists, end to end. Then
    /// those of `interfaces`, and two of the underlay.
    var attachmentSlots: [UInt32] = []
    /// Each network's range of `attachmentSlots`.
    var attachmentRanges: [Range<Int>] = []
    /// The most addresses that the networks may learn together.
    var learnable = 0

    init(
        _ topology: Topology,
        host name: String,
        underlayMTU: Int,
        allocation: SlotAllocation
    ) throws(CompileError) {
        self.topology = topology
        self.underlayMTU = underlayMTU
        self.allocation = allocation
        scope = try Scope(topology, host: name)
        host = topology.hosts[scope.here]
        let tenants = Set(scope.networks.map(\.tenant)).sorted().map { topology.tenants[$0] }
        mtus = Topology(hosts: topology.hosts, tenants: tenants).mtus(underlayMTU: underlayMTU)
    }

    func tenant(_ index: Int) -> String { topology.tenants[index].name }

    func network(_ number: Int) -> Network {
        topology.tenants[scope.networks[number].tenant].networks[scope.networks[number].index]
    }

    func port(_ number: Int) -> Port {
        topology.tenants[scope.ports[number].tenant].ports[scope.ports[number].index]
    }

    /// Networks and tunnels of routers get their slots; one whose segment is another than before gets a new generation.
    mutating func planSegments() {
        var keys: [SegmentKey] = []
        var identities: [SlotAllocation.SegmentIdentity] = []
        keys.reserveCapacity(scope.networks.count)
        identities.reserveCapacity(scope.networks.count)
        for number in scope.networks.indices {
            let network = network(number)
            keys.append(
                SegmentKey(tenant: tenant(scope.networks[number].tenant), network: network.name)
            )
            identities.append(network.segment.identity)
        }
        for tunnel in anchored {
            keys.append(key(of: tunnel))
            identities.append(identity(of: tunnel))
        }
        if let underlay {
            keys.append(.underlay)
            identities.append(
                .init(kind: SegmentKind.underlay, identifier: 0, way: plans[underlay.plan].key.description)
            )
        }
        segmentSlots = allocation.assign(segments: keys, identities: identities)
    }

    mutating func planAttachments() {
        var keys: [SlotAllocation.AttachmentKey] = []
        for number in scope.networks.indices {
            let segment = segmentSlots[number]
            let start = keys.count
            for member in scope.members[scope.networks[number].members] where member.port >= 0 {
                keys.append(.init(segment: segment, target: plans[member.port].slot, kind: .endpoint))
            }
            if let physical = network(number).segment.physical, let provider = providers[physical] {
                keys.append(.init(segment: segment, target: plans[provider].slot, kind: .endpoint))
            }
            for peer in tunnels.peers(of: number) {
                keys.append(.init(segment: segment, target: peerSlots[peer], kind: .peer))
            }
            attachmentRanges.append(start..<keys.count)
        }
        for interface in interfaces {
            keys.append(.init(segment: interface.segment, target: interface.slot, kind: .interface))
            if interface.tunnel >= 0 {
                let peer = peerSlots[anchored[interface.tunnel].peer]
                keys.append(.init(segment: interface.segment, target: peer, kind: .peer))
            }
        }
        if let underlay, let segment = segmentSlots.last {
            keys.append(.init(segment: segment, target: underlay.interface, kind: .interface))
            keys.append(.init(segment: segment, target: plans[underlay.plan].slot, kind: .endpoint))
        }
        attachmentSlots = allocation.attachments.assign(keys)
    }

    /// Rows of segments and attachments with nothing but their generations.
    mutating func prepareRows() {
        builder.segments = allocation.segments.generations.map { generation in
            var record = SegmentRecord()
            record.generation = UInt8(truncatingIfNeeded: generation)
            return record
        }
        builder.attachments = allocation.attachments.generations.map { generation in
            var record = AttachmentRecord()
            record.generation = UInt8(truncatingIfNeeded: generation)
            return record
        }
    }

    /// Slots given up by this very change still count: they are free only from the next one on.
    func check(_ capacity: StateCapacity) throws(CompileError) {
        for (what, needed, room) in [
            ("endpoints (ports, provider networks and tunnel sockets)", allocation.endpoints.count, capacity.endpoints),
            ("networks and routers' tunnels", allocation.segments.count, capacity.segments),
            (
                "attachments (a port, provider device, remote VTEP or router in a network)",
                allocation.attachments.count,
                capacity.attachments
            ),
            ("remote VTEPs and far ends of routers' tunnels", allocation.peers.count, capacity.peers),
        ] where needed > room {
            throw CompileError(
                .capacity,
                host.mark,
                "host \(host.name) needs room for \(needed) \(what), counting those that this change gives up, "
                    + "and has room for \(room); move ports to another host, or make the change in two steps"
            )
        }
    }
}

extension Segment {
    var kind: UInt8 {
        switch self {
        case .local: SegmentKind.local
        case .flat: SegmentKind.flat
        case .vlan: SegmentKind.vlan
        case .vxlan: SegmentKind.vxlan
        case .gre: SegmentKind.gre
        }
    }

    /// VLAN id, VNI or GRE key.
    var identifier: UInt32 {
        switch self {
        case .local, .flat: 0
        case .vlan(_, let id, _): UInt32(id)
        case .vxlan(let id, _): id
        case .gre(let key): key
        }
    }

    /// The EtherType of the tag on the provider device; 0 for none.
    var tpid: UInt16 {
        switch self {
        case .vlan(_, _, .dot1Q): EtherType.vlan
        case .vlan(_, _, .dot1ad): EtherType.serviceVLAN
        default: 0
        }
    }

    var identity: SlotAllocation.SegmentIdentity {
        .init(kind: kind, identifier: identifier, way: physical ?? "", tpid: tpid)
    }
}
