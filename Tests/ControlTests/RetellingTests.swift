import Model
import Tables
import Testing
import Wire

@testable import Control

/// A copy of a snapshot with other MACs says what a compiled one says.
@Suite struct RetellingTests {
    private static let text = """
        sluice: 1
        hosts:
          h1: {vtep: 192.0.2.1, physical: {phys: eth1}}
          h2: {vtep: 192.0.2.2, physical: {phys: eth1}}
          h3: {vtep: 192.0.2.3}
        tenants:
          t:
            networks:
              a: {segment: {type: vxlan, id: 1}}
              b: {segment: {type: vlan, physical: phys, id: 2}}
              c: {segment: {type: local}}
              far: {segment: {type: vxlan, id: 4}}
            ports:
        """

    /// Ports here and elsewhere, on one network and on two; what `macs` are, they have.
    private func text(_ macs: [Int]) -> String {
        let ports = macs.enumerated().map { number, mac in
            let network =
                switch number % 5 {
                case 0: "host: h1, network: a, attach: {netns: n\(number)}"
                case 1: "host: h2, network: a, attach: {tap: t\(number)}"
                case 2: "host: h2, trunk: {untagged: b, 7: a}, attach: {tap: t\(number)}"
                case 3: "host: h1, trunk: {9: b, 7: c}, attach: {tap: t\(number)}"
                default: "host: h3, network: far, attach: {tap: t\(number)}"
                }
            return "      p\(number): {\(network), mac: \"\(MACAddress(bits: 0x0200_0000_0000 + UInt64(mac)))\"}"
        }
        return ([Self.text] + ports).joined(separator: "\n") + "\n"
    }

    private func compile(_ topology: Topology, _ generation: UInt64, _ allocation: SlotAllocation) throws -> Compiled {
        try Compiler.compile(
            topology: topology,
            host: "h1",
            underlayMTU: 1500,
            generation: generation,
            seed: 77,
            allocation: allocation
        )
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func patchedIsCompiled(seed: UInt64) throws {
        var random = Random(state: seed)
        var macs = Array(1...60)
        macs.shuffle(using: &random)
        var file = try TopologyFile(text: text(macs), name: "f")
        var compiled = try compile(file.topology, 1, SlotAllocation())
        var image = compiled.image
        for generation in 2...20 as ClosedRange<UInt64> {
            // New ones, and some that change places.
            for _ in 0..<random.below(4) { macs.swapAt(random.below(60), random.below(60)) }
            for _ in 0..<random.below(4) {
                let new = 1 + random.below(200)
                if !macs.contains(new) { macs[random.below(60)] = new }
            }
            let edit = try #require(file.edit(to: text(macs), name: "f"))
            let change = try #require(
                Retelling(
                    edit,
                    generation: generation,
                    allocation: compiled.allocation,
                    endpoints: compiled.endpoints
                )
            )
            file.apply(edit)
            let isChanged = image.withUnsafeMutableBytes { change.patch.apply(to: $0) }
            #expect(isChanged)
            compiled = try compile(file.topology, generation, compiled.allocation)
            #expect(change.endpoints == compiled.endpoints)
            try compare(image, compiled)
        }
    }

    private func compare(_ image: [UInt8], _ compiled: Compiled) throws {
        #expect(image.count == compiled.image.count)
        try image.withUnsafeBytes { patched in
            try compiled.image.withUnsafeBytes { whole in
                let (a, b) = (try Snapshot(validating: patched), try Snapshot(validating: whole))
                defer {
                    a.forget()
                    b.forget()
                }
                #expect(a.generation == b.generation)
                for segment in 0..<a.segmentCount {
                    for mac in 0...260 {
                        let mac = MACAddress(bits: 0x0200_0000_0000 + UInt64(mac))
                        #expect(a.told(segment: segment, mac: mac) == b.told(segment: segment, mac: mac))
                    }
                }
                // Nothing but the generation and the places in the table of told addresses differs.
                let differences = zip(patched, whole).count { $0 != $1 }
                #expect(differences < 2 * 16 * 256)
            }
        }
    }

    @Test func moreThanMACsIsCompiled() throws {
        let file = try TopologyFile(text: text([1, 2, 3]), name: "f")
        let compiled = try compile(file.topology, 1, SlotAllocation())
        for other in [
            text([1, 2, 3, 4]), text([1, 2]), text([1, 2, 3]).replacing("network: a,", with: "network: c,"),
        ] {
            let edit = try #require(file.edit(to: other, name: "f"))
            #expect(
                Retelling(edit, generation: 2, allocation: compiled.allocation, endpoints: compiled.endpoints) == nil
            )
        }
    }

    /// Somebody else has been told by that MAC: not a change that can be.
    @Test func takenMACsAreRefused() throws {
        let file = try TopologyFile(text: text([1, 2, 3]), name: "f")
        var image = try compile(file.topology, 1, SlotAllocation()).image
        let segment = try #require(
            try compile(file.topology, 1, SlotAllocation()).allocation.segment(SegmentKey(tenant: "t", network: "a"))
        )
        func mac(_ number: UInt64) -> MACAddress { MACAddress(bits: 0x0200_0000_0000 + number) }
        let patch = SnapshotPatch(generation: 2, retold: [.init(segment: segment, old: mac(1), new: mac(2))])
        #expect(!image.withUnsafeMutableBytes { patch.apply(to: $0) })
    }
}
