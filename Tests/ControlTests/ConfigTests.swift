import Control
import Foundation
import Model
import Tables
import Testing

/// Every example compiles for every host.
struct ConfigTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Configs")
        .standardizedFileURL

    static var files: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".yaml") }.sorted()
    }

    @Test(arguments: files)
    func compiles(file: String) throws {
        let path = Self.folder.appending(path: file).path
        let topology = try Topology.load(text: String(contentsOfFile: path, encoding: .utf8), file: file)
        for host in topology.hosts {
            let compiled = try compile(topology, host.name, underlayMTU: topology.lab?.mtu ?? 1500)
            let mapped = try Mapped(compiled.image)
            let ports = topology.tenants.flatMap(\.ports).filter { $0.host == host.name }
            let names = Names(mapped.snapshot)
            for port in ports { #expect(names.endpoints["\(port.tenant)/\(port.name)"] != nil) }
            #expect(compiled.endpoints.count == names.endpoints.count)
            #expect(compiled.endpoints.filter { $0.key.tenant != nil }.count == ports.count)
            #expect(SlotAllocation(recoveredFrom: mapped.snapshot) == compiled.allocation)
        }
    }
}
