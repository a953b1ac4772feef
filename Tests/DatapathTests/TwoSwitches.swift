import Datapath
import Ports
import Rings
import Tables
import Wire

/// A snapshot in memory of its own, never given back.
final class OwnedSnapshot {
    let snapshot: Snapshot

    init(_ image: [UInt8]) throws {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: image.count, alignment: 16)
        memory.copyBytes(from: image)
        snapshot = try Snapshot(validating: UnsafeRawBufferPointer(memory))
    }
}

/// A state region in memory of its own, never given back.
final class OwnedState {
    let region: StateRegion

    init(macBuckets: Int = 256) {
        let capacity = StateCapacity(endpoints: 32, segments: 32, attachments: 128, peers: 8, macBuckets: macBuckets)
        let size = StateRegion.size(capacity)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 4096)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        StateRegion.format(memory, capacity, seed: 0x5EED)
        region = StateRegion(memory, count: size)!
    }
}

/// One switch in memory: ports of red and blue, all with the same addresses, and a VXLAN endpoint towards one peer.
///
/// Endpoint 0 and 1 are red's ports, 2 and 3 blue's, 4 the tunnel. Segment 0 is red's, segment 1 blue's.
final class MemorySwitch {
    static let tunnel: UInt32 = 4
    private(set) var snapshots: [OwnedSnapshot] = []
    let states: [OwnedState]
    let crew: Crew
    private let ports: UnsafeMutablePointer<MemoryPort>

    /// - Parameters:
    ///   - spare: attachments that nobody has: with many of them the tables are larger than caches.
    ///   - trunk: endpoint 1 is a trunk whose VLAN 7 is blue's; without a tag it is red's still.
    init(
        address: IPv4Address,
        peer: IPv4Address,
        spare: Int = 0,
        trunk: Bool = false,
        workers: Int = Crew.usual,
        macBuckets: Int = 256
    ) throws {
        let snapshot = try MemorySwitch.tables(peer: peer, spare: spare, trunk: trunk)
        snapshots = [snapshot]
        states = (0..<workers).map { _ in OwnedState(macBuckets: macBuckets) }
        crew = Crew(snapshot.snapshot, states.map(\.region), now: 100)
        ports = .allocate(capacity: 5)
        for slot in 0..<5 {
            (ports + slot).initialize(to: MemoryPort(finishesOffloads: slot == Int(MemorySwitch.tunnel)))
            crew.attach(ports[slot].io, slot: UInt32(slot))
        }
    }

    /// The switch's tables. Red's segment may have another owner than before.
    static func tables(
        peer: IPv4Address,
        generation: UInt64 = 1,
        redGeneration: UInt8 = 0,
        ageing: UInt32 = 300,
        spare: Int = 0,
        trunk: Bool = false
    ) throws -> OwnedSnapshot {
        var builder = SnapshotBuilder()
        var row = PeerRecord()
        row.address = IPv6Address(mapping: peer)
        row.pathMTU = 1500
        row.inUse = 1
        builder.peers = [row]
        builder.mapPeer(row.address, to: 0)
        for slot in 0..<5 as Range<UInt32> {
            var endpoint = EndpointRecord()
            endpoint.kind = slot == MemorySwitch.tunnel ? EndpointKind.vxlan : EndpointKind.port
            endpoint.mtu = slot == MemorySwitch.tunnel ? 1500 : 1450
            endpoint.untagged = slot == MemorySwitch.tunnel ? noSlot : slot
            endpoint.port = UInt32(vxlanPort)
            builder.endpoints.append(endpoint)
        }
        for slot in 0..<4 as Range<UInt32> {
            builder.attachments.append(MemorySwitch.attachment(AttachmentKind.port, slot, slot / 2, noSlot))
        }
        for tenant in 0..<2 as Range<UInt32> {
            var segment = SegmentRecord()
            segment.kind = SegmentKind.vxlan
            segment.flags = SegmentRecord.learning
            segment.mtu = 1450
            segment.identifier = 5001 + tenant
            segment.ageing = ageing
            segment.generation = tenant == 0 ? redGeneration : 0
            segment.inUse = 1
            builder.segments.append(segment)
            builder.attachments.append(
                MemorySwitch.attachment(AttachmentKind.vxlan, MemorySwitch.tunnel, tenant, 0)
            )
            builder.mapIdentifier(endpoint: MemorySwitch.tunnel, identifier: 5001 + tenant, to: tenant)
            builder.mapMember(segment: tenant, peer: 0, to: 4 + tenant)
        }
        builder.setFlood(segment: 0, to: [0, 1, 4])
        builder.setFlood(segment: 1, to: [2, 3, 5])
        if trunk {
            builder.endpoints[1].flags = EndpointRecord.vlanAware
            var row = MemorySwitch.attachment(AttachmentKind.port, 1, 1, noSlot)
            row.vlanTPID = EtherType.vlan
            row.vlanID = 7
            builder.attachments.append(row)
            builder.mapVLAN(endpoint: 1, tpid: EtherType.vlan, vid: 7, to: 6)
            builder.setFlood(segment: 1, to: [2, 3, 5, 6])
        }
        builder.attachments += Array(repeating: AttachmentRecord(), count: spare)
        return try OwnedSnapshot(builder.freeze(generation: generation, seed: 7))
    }

    deinit {
        ports.deinitialize(count: 5)
        ports.deallocate()
    }

    /// Forwards by other tables; only one of the workers, if it is named.
    func use(_ next: OwnedSnapshot, by number: Int? = nil) {
        snapshots.append(next)
        crew.use(next.snapshot, by: number)
    }

    private static func attachment(
        _ kind: UInt8,
        _ endpoint: UInt32,
        _ segment: UInt32,
        _ peer: UInt32
    ) -> AttachmentRecord {
        var row = AttachmentRecord()
        row.kind = kind
        row.endpoint = endpoint
        row.segment = segment
        row.peer = peer
        return row
    }

    func inject(_ frame: [UInt8], at slot: UInt32, offload: Offload = .none) -> Bool {
        ports[Int(slot)].inject(frame, offload: offload)
    }

    /// Without an array.
    func injectRaw(_ bytes: UnsafeRawBufferPointer, _ slot: UInt32) -> Bool { ports[Int(slot)].inject(bytes) }

    func injectTunnelled(_ frame: [UInt8], from source: IPv4Address, tos: UInt8 = 0) -> Bool {
        ports[Int(MemorySwitch.tunnel)].inject(
            frame,
            outerSource: IPv6Address(mapping: source),
            outerTOS: tos
        )
    }

    func turn(_ slot: UInt32) { crew.turn(slot) }

    func advance(to second: UInt32) { crew.advance(toMilliseconds: second &* 1000) }

    func take(_ slot: UInt32) -> MemoryFrame? { ports[Int(slot)].take() }

    /// Throws away what went out, without making arrays of it.
    func discard(_ slot: UInt32) { ports[Int(slot)].discard() }

    func drops(_ slot: UInt32, _ reason: UInt8) -> UInt64 {
        crew.drops(slot, reason)
    }
}

/// An Ethernet frame of `length` bytes with an EtherType nobody knows.
func frame(to destination: UInt64, from source: UInt64, type: UInt16 = 0x88B5, length: Int = 60) -> [UInt8] {
    var bytes: [UInt8] = []
    for mac in [destination, source] {
        for i in (0..<6).reversed() { bytes.append(UInt8(truncatingIfNeeded: mac >> UInt64(8 * i))) }
    }
    bytes += [UInt8(type >> 8), UInt8(type & 0xFF)]
    bytes += (0..<max(0, length - 14)).map { UInt8(truncatingIfNeeded: $0) }
    return bytes
}
