import Tables
import Wire

/// Frames and bytes in one direction, as the switch sees it: `received` came from the device.
public struct TrafficView: Codable, Sendable, Equatable {
    public var frames: UInt64
    public var bytes: UInt64
    /// Frames among these that stand for many segments; nil where that is not counted.
    public var superFrames: UInt64?
    /// Frames that the system refused or lost; nil where that is not counted.
    public var failures: UInt64?

    public init(frames: UInt64, bytes: UInt64, superFrames: UInt64? = nil, failures: UInt64? = nil) {
        self.frames = frames
        self.bytes = bytes
        self.superFrames = superFrames
        self.failures = failures
    }
}

/// One network that an endpoint is in, or a router's tunnel that passes it.
public struct MembershipView: Codable, Sendable, Equatable {
    /// `tenant/network`, or `tenant/router/tunnel`.
    public var network: String
    /// The tag on this endpoint; nil for untagged.
    public var vlan: Int?
    /// `802.1Q` or `802.1ad`; nil for untagged.
    public var tag: String?
}

/// An endpoint: a tenant's port, a provider network's device, or a tunnel socket.
public struct EndpointView: Codable, Sendable, Equatable {
    /// `tenant/port`, the provider network's name, or the tunnel kind with its address.
    public var name: String
    public var kind: EndpointKindName
    /// Nil for what all tenants share.
    public var tenant: String?
    public var networks: [MembershipView]
    public var device: String
    public var namespace: String?
    /// `unknown` while the switch has not looked at the device yet.
    public var state: String
    public var detail: String
    public var mac: String?
    public var mtu: Int
    public var addresses: [String]
    public var received: TrafficView
    public var sent: TrafficView
    /// Frames that came in here and ended in a drop.
    public var drops: UInt64
    /// Addresses learned here.
    public var learned: Int
}

extension LiveTables {
    /// Tenants' ports by name.
    public func ports() -> [EndpointView] { endpoints { $0 == .port } }

    /// Provider devices and tunnel sockets by name.
    public func uplinks() -> [EndpointView] { endpoints { $0 != .port } }

    func endpoints(where wanted: (EndpointKindName) -> Bool) -> [EndpointView] {
        let attachments = attachmentsByEndpoint()
        return endpointSlots.compactMap { slot in
            guard let kind = EndpointKindName(snapshot.endpoints[Int(slot)].kind), wanted(kind) else { return nil }
            return endpoint(slot, kind, attachments[slot] ?? [])
        }.sorted { $0.name < $1.name }
    }

    private func endpoint(_ slot: UInt32, _ kind: EndpointKindName, _ attachments: [UInt32]) -> EndpointView {
        let row = snapshot.endpoints[Int(slot)]
        let status = statuses[slot]
        let counters = states.counters(endpoint: slot)
        let isTunnel = kind != .port && kind != .provider
        // An uplink's own place is no network of anybody.
        var networks = attachments.map { snapshot.attachments[Int($0)] }
            .filter { snapshot.segments[Int($0.segment)].kind != SegmentKind.underlay }.map(membership)
        if isTunnel {
            // One attachment for each peer of a network: name the network once.
            var seen: Set<String> = []
            networks = networks.filter { seen.insert($0.network).inserted }
        }
        networks.sort { ($0.vlan ?? -1, $0.network) < ($1.vlan ?? -1, $1.network) }
        return EndpointView(
            name: snapshot.text(row.name),
            kind: kind,
            tenant: row.tenant == 0 ? nil : snapshot.text(row.tenant),
            networks: networks,
            device: status?.device ?? snapshot.text(row.device),
            namespace: status?.namespace,
            state: status?.state.rawValue ?? "unknown",
            detail: status?.detail ?? "",
            mac: status?.mac,
            mtu: status?.mtu ?? Int(row.mtu),
            addresses: status?.addresses ?? [],
            received: TrafficView(
                frames: counters.receivedFrames,
                bytes: counters.receivedBytes,
                superFrames: counters.receivedSuperFrames,
                failures: counters.receiveFailures
            ),
            sent: TrafficView(
                frames: counters.sentFrames,
                bytes: counters.sentBytes,
                superFrames: counters.sentSuperFrames,
                failures: counters.sendFailures
            ),
            drops: (1..<StateRegion.reasons).reduce(0) { $0 &+ endpointDrops(slot, $1) },
            learned: attachments.reduce(0) { $0 + learned(attachment: $1) }
        )
    }

    private func membership(_ row: AttachmentRecord) -> MembershipView {
        MembershipView(
            network: name(segment: row.segment),
            vlan: row.vlanTPID == 0 ? nil : Int(row.vlanID),
            tag: row.vlanTPID == 0 ? nil : row.vlanTPID == EtherType.vlan ? "802.1Q" : "802.1ad"
        )
    }

    /// The addresses that the file names as being behind an attachment.
    func toldMACs(at attachment: UInt32) -> [MACAddress] {
        var macs: [MACAddress] = []
        snapshot.toldIndex.forEach { entry in
            if entry.value == attachment { macs.append(MACAddress(bits: entry.key)) }
        }
        return macs.sorted()
    }

    func endpointDrops(_ slot: UInt32, _ reason: Int) -> UInt64 {
        states.drops(endpoint: slot, reason)
    }

    func segmentDrops(_ slot: UInt32, _ reason: Int) -> UInt64 {
        states.drops(segment: slot, reason)
    }

    func learned(attachment: UInt32) -> Int {
        guard Int(attachment) < states.capacity.attachments else { return 0 }
        return states.learned(
            attachment: attachment,
            generation: snapshot.attachments[Int(attachment)].generation
        )
    }
}
