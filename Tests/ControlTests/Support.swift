import Control
import Model
import Tables
import Testing
import Wire

/// A snapshot in memory of its own, as the datapath maps it.
final class Mapped {
    let base: UnsafeMutableRawPointer
    let snapshot: Snapshot

    init(_ image: [UInt8]) throws {
        let copy = UnsafeMutableRawPointer.allocate(byteCount: image.count, alignment: 16)
        image.withUnsafeBytes { copy.copyMemory(from: $0.baseAddress!, byteCount: image.count) }
        base = copy
        snapshot = try Snapshot(validating: UnsafeRawBufferPointer(start: copy, count: image.count))
    }

    // Its memory is never given back: the snapshot is a view that keeps nothing alive, and this object's life may end with
    // its last use, which is before the view's.
}

/// Reproducible randomness (SplitMix64); failing tests print the seed.
struct Random: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
}

func address(_ text: String) -> IPAddress { IPAddress(text)! }

func prefix(_ text: String) -> IPPrefix { IPPrefix(text)! }

func mac(_ text: String) -> MACAddress { MACAddress(text)! }

/// An access port in a namespace of its own.
func port(
    _ tenant: String,
    _ name: String,
    on host: String,
    in network: String,
    mac: MACAddress? = nil,
    attach: Attach? = nil
) -> Port {
    Port(
        tenant: tenant,
        name: name,
        host: host,
        membership: .access(network: network),
        mac: mac,
        attach: attach ?? .tap(name: nil, namespace: "\(tenant)-\(name)")
    )
}

/// Two tenants who have everything in common but the segment: names, addresses, MACs.
func twins() -> Topology {
    func tenant(_ name: String, _ vni: UInt32, _ vlan: UInt16) -> Tenant {
        Tenant(
            name: name,
            networks: [
                Network(tenant: name, name: "app", segment: .vxlan(id: vni, port: 4789)),
                Network(tenant: name, name: "lan", segment: .vlan(physical: "physnet1", id: vlan, protocol: .dot1Q)),
            ],
            ports: [
                port(name, "web", on: "h1", in: "app", mac: mac("02:00:00:00:00:01")),
                port(name, "db", on: "h2", in: "app", mac: mac("02:00:00:00:00:02")),
                port(name, "desk", on: "h1", in: "lan", mac: mac("02:00:00:00:00:01")),
                port(name, "printer", on: "h2", in: "lan", mac: mac("02:00:00:00:00:02")),
            ]
        )
    }
    return Topology(
        hosts: [
            Host(name: "h1", vteps: [address("192.0.2.1")], physical: [Physical(name: "physnet1", device: "eth1")]),
            Host(name: "h2", vteps: [address("192.0.2.2")], physical: [Physical(name: "physnet1", device: "eth7")]),
        ],
        tenants: [tenant("red", 5001, 100), tenant("blue", 5002, 200)]
    )
}

func compile(
    _ topology: Topology,
    _ host: String = "h1",
    generation: UInt64 = 1,
    from allocation: SlotAllocation = SlotAllocation(),
    underlayMTU: Int = 1500,
    indexes: [EndpointKey: UInt32] = [:],
    capacity: StateCapacity = .standard
) throws -> Compiled {
    try Compiler.compile(
        topology: topology,
        host: host,
        underlayMTU: underlayMTU,
        interfaceIndexes: indexes,
        generation: generation,
        seed: 0x5EED,
        allocation: allocation,
        capacity: capacity
    )
}

/// Slots by the names in the snapshot.
struct Names {
    var endpoints: [String: UInt32] = [:]
    var segments: [String: UInt32] = [:]

    init(_ snapshot: Snapshot) {
        for i in 0..<snapshot.endpointCount where snapshot.endpoints[Int(i)].kind != EndpointKind.none {
            endpoints[snapshot.text(snapshot.endpoints[Int(i)].name)] = i
        }
        for i in 0..<snapshot.segmentCount where snapshot.segments[Int(i)].inUse != 0 {
            segments[snapshot.text(snapshot.segments[Int(i)].name)] = i
        }
    }
}

extension Snapshot {
    /// `red/web`, `red/fw 10`, `physnet1 0x8100/100`, `vxlan 192.0.2.1:4789 to 192.0.2.2`: where an attachment leads.
    func place(_ attachment: UInt32) -> String {
        let row = attachments[Int(attachment)]
        if row.isRouter { return "router \(self.text(routers[Int(interfaces[Int(row.interface)].router)].name))" }
        var text = self.text(endpoints[Int(row.endpoint)].name)
        if row.isTunnel || row.carriesPackets { text += " to \(IPAddress(mapped: peers[Int(row.peer)].address))" }
        if row.vlanTPID != 0 { text += " 0x\(String(row.vlanTPID, radix: 16))/\(row.vlanID)" }
        return text
    }

    func flood(_ segment: UInt32) -> [String] {
        let row = segments[Int(segment)]
        return (0..<row.floodCount).map { place(flood[Int(row.floodStart + $0)]) }
    }
}
