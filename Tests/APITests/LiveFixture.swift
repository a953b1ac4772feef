import Control
import Foundation
import Model
import Tables
import Wire

/// The tables of one host as its datapath would hold them, compiled from a file.
final class LiveFixture: @unchecked Sendable {
    /// Two tenants with the same addresses, a trunk, a provider network, and remote ports over VXLAN and GRE.
    static let file = """
        sluice: 1
        hosts:
          h1: {vtep: 192.0.2.1, physical: {physnet1: eth1}}
          h2: {vtep: 192.0.2.2}
        tenants:
          red:
            networks:
              app: {segment: {type: vxlan, id: 5001}, subnets: [10.0.0.0/24], macLimit: 100}
              data: {segment: {type: gre, id: 77}, vlanTransparent: true}
              lan: {segment: {type: vlan, physical: physnet1, id: 100}}
            ports:
              web: {host: h1, network: app, address: 10.0.0.11/24, mac: "02:00:00:00:00:11", attach: {netns: red-web}}
              db: {host: h2, network: app, address: 10.0.0.12/24, mac: "02:00:00:00:00:12", attach: {netns: red-db}}
              fw: {host: h1, trunk: {untagged: app, 10: data, 20: lan}, mac: "02:00:00:00:00:13", attach: {device: eth3}}
              far: {host: h2, network: data, mac: "02:00:00:00:00:14", attach: {netns: red-far}}
          blue:
            networks:
              app: {segment: {type: vxlan, id: 5002}, subnets: [10.0.0.0/24]}
            ports:
              web: {host: h1, network: app, address: 10.0.0.11/24, mac: "02:00:00:00:00:11", attach: {netns: blue-web}}
              db: {host: h1, network: app, address: 10.0.0.12/24, mac: "02:00:00:00:00:12", attach: {netns: blue-db}}
        """

    let snapshot: Snapshot
    let region: StateRegion
    let allocation: SlotAllocation
    let statuses: [EndpointStatus]
    private let image: UnsafeMutableRawBufferPointer
    private let memory: UnsafeMutableRawPointer

    init(_ file: String = LiveFixture.file, host: String = "h1") throws {
        let topology = try Topology.load(text: file, file: "test.yaml")
        let compiled = try Compiler.compile(
            topology: topology,
            host: host,
            underlayMTU: 1500,
            generation: 7,
            seed: 1,
            allocation: SlotAllocation()
        )
        image = .allocate(byteCount: compiled.image.count, alignment: 64)
        image.copyBytes(from: compiled.image)
        snapshot = try Snapshot(validating: UnsafeRawBufferPointer(image))
        allocation = compiled.allocation
        let capacity = StateCapacity(endpoints: 64, segments: 64, attachments: 256, peers: 16, macBuckets: 256)
        let size = StateRegion.size(capacity)
        memory = .allocate(byteCount: size, alignment: 4096)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        StateRegion.format(memory, capacity, seed: 1)
        region = StateRegion(memory, count: size)!
        region.appliedGeneration = 7
        region.now = 1000
        statuses = compiled.endpoints.map { plan in
            let isMissing = plan.key.description == "red/fw"
            return EndpointStatus(
                slot: plan.slot,
                key: plan.key.description,
                device: plan.medium.description,
                namespace: plan.medium.namespace,
                state: isMissing ? .missing : .up,
                detail: isMissing ? "eth3 does not exist; it is taken up as soon as it does" : "",
                mac: plan.mac?.description,
                mtu: plan.mtu,
                addresses: plan.addresses.map(\.description)
            )
        }
    }

    deinit {
        image.deallocate()
        memory.deallocate()
    }

    var live: LiveTables { LiveTables(snapshot, WorkerStates([region]), endpoints: statuses) }

    func endpoint(_ name: String) -> UInt32 { live.endpoint(named: name)! }
    func segment(_ name: String) -> UInt32 { live.segment(named: name)! }

    func attachment(_ network: String, _ port: String) -> UInt32 {
        allocation.attachment(segment: segment(network), endpoint: endpoint(port))!
    }

    func attachment(_ network: String, peer: String) -> UInt32 {
        allocation.attachment(segment: segment(network), peer: allocation.peer(IPAddress(peer)!)!)!
    }

    /// Lets a station be seen, `age` seconds ago.
    func learn(_ mac: String, at attachment: UInt32, age: UInt32 = 0) {
        _ = region.macs.learn(
            mac: MACAddress(mac)!,
            attachment: attachment,
            now: region.now - age,
            snapshot: snapshot
        )
    }

    /// All of the region's memory, to prove that nothing was written.
    var stateBytes: [UInt8] { Array(UnsafeRawBufferPointer(start: memory, count: StateRegion.size(region.capacity))) }
}

let processFixture = ProcessStatus(
    host: "h1",
    version: "0.0.0",
    config: "test.yaml",
    controlPID: 1,
    datapathPID: 2,
    uptime: 61,
    datapathUptime: 60,
    datapathRestarts: 1
)
