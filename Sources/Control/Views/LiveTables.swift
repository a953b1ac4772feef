import Tables
import Wire

/// The tables of a running switch as somebody who asks sees them: the snapshot in force, the live counters and learned
/// addresses, and what is known about the devices. Every view is a pure function of these; nothing here writes.
public struct LiveTables {
    public let snapshot: Snapshot
    public let states: WorkerStates
    let statuses: [UInt32: EndpointStatus]

    public init(_ snapshot: Snapshot, _ states: WorkerStates, endpoints: [EndpointStatus] = []) {
        self.snapshot = snapshot
        self.states = states
        statuses = Dictionary(endpoints.map { ($0.slot, $0) }, uniquingKeysWith: { first, _ in first })
    }

    // MARK: Rows in use

    /// Slots of endpoints that are in use and have counters.
    var endpointSlots: [UInt32] {
        (0..<min(snapshot.endpointCount, UInt32(clamping: states.capacity.endpoints))).filter {
            snapshot.endpoints[Int($0)].kind != EndpointKind.none
        }
    }

    var segmentSlots: [UInt32] {
        (0..<min(snapshot.segmentCount, UInt32(clamping: states.capacity.segments))).filter {
            snapshot.segments[Int($0)].inUse != 0
        }
    }

    var peerSlots: [UInt32] {
        (0..<min(snapshot.peerCount, UInt32(clamping: states.capacity.peers))).filter {
            snapshot.peers[Int($0)].inUse != 0
        }
    }

    /// Tenants' routers.
    var routerSlots: [UInt32] {
        (0..<snapshot.routerCount).filter {
            snapshot.routers[Int($0)].inUse != 0 && !snapshot.routers[Int($0)].isUnderlay
        }
    }

    /// Attachments in use of every endpoint, in slot order.
    func attachmentsByEndpoint() -> [UInt32: [UInt32]] {
        group(by: \.endpoint)
    }

    func attachmentsBySegment() -> [UInt32: [UInt32]] {
        group(by: \.segment)
    }

    private func group(by key: KeyPath<AttachmentRecord, UInt32>) -> [UInt32: [UInt32]] {
        var groups: [UInt32: [UInt32]] = [:]
        for slot in 0..<snapshot.attachmentCount {
            let row = snapshot.attachments[Int(slot)]
            if row.kind != AttachmentKind.none { groups[row[keyPath: key], default: []].append(slot) }
        }
        return groups
    }

    // MARK: Names

    func name(endpoint: UInt32) -> String {
        guard endpoint < snapshot.endpointCount else { return "" }
        return snapshot.text(snapshot.endpoints[Int(endpoint)].name)
    }

    func name(segment: UInt32) -> String {
        guard segment < snapshot.segmentCount else { return "" }
        return snapshot.text(snapshot.segments[Int(segment)].name)
    }

    func name(router: UInt32) -> String {
        guard router < snapshot.routerCount else { return "" }
        return snapshot.text(snapshot.routers[Int(router)].name)
    }

    /// The router that has an interface.
    func name(routerOf interface: UInt32) -> String {
        guard interface < snapshot.interfaceCount else { return "" }
        return name(router: snapshot.interfaces[Int(interface)].router)
    }

    /// The host of the file that has the address, or the address itself.
    func name(peer: UInt32) -> String {
        guard peer < snapshot.peerCount else { return "" }
        let name = snapshot.peers[Int(peer)].name
        return name == 0 ? address(peer: peer) : snapshot.text(name)
    }

    func address(peer: UInt32) -> String {
        guard peer < snapshot.peerCount else { return "" }
        return IPAddress(mapped: snapshot.peers[Int(peer)].address).description
    }

    /// The slot of the endpoint called `name` (`tenant/port`, or a provider network's or tunnel's name).
    public func endpoint(named name: String) -> UInt32? { endpointSlots.first { self.name(endpoint: $0) == name } }

    /// The slot of the router called `tenant/router`.
    public func router(named name: String) -> UInt32? { routerSlots.first { self.name(router: $0) == name } }

    /// The slot of the network called `tenant/network`, or of the router's tunnel called `tenant/router/tunnel`.
    public func segment(named name: String) -> UInt32? { segmentSlots.first { self.name(segment: $0) == name } }

    /// Names that a wrong name may have meant: those that contain it, or all if none does, at most eight.
    func candidates(for name: String, among names: [String]) -> String {
        let close = names.filter { $0.contains(name) || name.contains($0) }
        let shown = (close.isEmpty ? names : close).sorted()
        return shown.prefix(8).joined(separator: ", ") + (shown.count > 8 ? ", …" : "")
    }
}

/// A name that nothing in the tables has.
public struct UnknownName: Error, Sendable, Equatable, CustomStringConvertible {
    public var kind: String
    public var name: String
    /// What there is instead, or empty.
    public var candidates: String

    public init(kind: String, name: String, candidates: String) {
        self.kind = kind
        self.name = name
        self.candidates = candidates
    }

    public var description: String {
        let sentence = "there is no \(kind) called \(name)"
        return candidates.isEmpty ? "\(sentence); there is none at all" : "\(sentence); there is \(candidates)"
    }
}

extension LiveTables {
    /// As `endpoint(named:)`, but throws `UnknownName`.
    public func requireEndpoint(_ name: String) throws -> UInt32 {
        if let slot = endpoint(named: name) { return slot }
        throw UnknownName(
            kind: "port",
            name: name,
            candidates: candidates(for: name, among: endpointSlots.map { self.name(endpoint: $0) })
        )
    }

    /// As `router(named:)`, but throws `UnknownName`.
    public func requireRouter(_ name: String) throws -> UInt32 {
        if let slot = router(named: name) { return slot }
        throw UnknownName(
            kind: "router",
            name: name,
            candidates: candidates(for: name, among: routerSlots.map { self.name(router: $0) })
        )
    }

    /// As `segment(named:)`, but throws `UnknownName`.
    public func requireSegment(_ name: String) throws -> UInt32 {
        if let slot = segment(named: name) { return slot }
        throw UnknownName(
            kind: "network",
            name: name,
            candidates: candidates(for: name, among: segmentSlots.map { self.name(segment: $0) })
        )
    }
}
