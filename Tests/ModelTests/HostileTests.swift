import Foundation
import Model
import Testing

/// Files that nobody writes: cut off, endless, deep, or no text at all. The answer is a sentence, never a crash.
@Suite struct HostileTests {
    /// A prefix of a sound file is sound, or has problems inside its own lines.
    @Test func everyTruncation() throws {
        let folder = ConfigTests.folder
        let texts = [
            sound, try String(contentsOf: folder.appending(path: "trunk.yaml"), encoding: .utf8),
            #"{"sluice": 1, "hosts": {"h1": {"vtep": "192.0.2.1"}}, "tenants": {"red": {"networks": {"app": {}}}}}"#,
        ]
        for text in texts {
            let bytes = Array(text.utf8)
            for count in 0...bytes.count {
                let prefix = String(decoding: bytes[..<count], as: UTF8.self)
                let lines = prefix.utf8.count { $0 == UInt8(ascii: "\n") } + 1
                for problem in problems(prefix) {
                    #expect((1...lines).contains(problem.line), "\(count): \(problem)")
                    #expect(!problem.message.isEmpty)
                }
            }
        }
    }

    /// One byte replaced by each of a few that mean something to YAML.
    @Test func everyByteReplaced() {
        let bytes = Array(sound.utf8)
        for index in bytes.indices {
            for replacement in "{}[]:,-?*&!|>'\"%@`#\t\n\0".utf8 where Int(replacement) % 3 == index % 3 {
                var damaged = bytes
                damaged[index] = replacement
                for problem in problems(String(decoding: damaged, as: UTF8.self)) { #expect(problem.line > 0) }
            }
        }
    }

    private static let deep: [String: String] = [
        "lists": "b: " + String(repeating: "[", count: 100_000),
        "mappings": "b: " + String(repeating: "{a: ", count: 100_000),
        "block lists": String(repeating: "- ", count: 100_000),
        "block mappings": (0..<1500).map { String(repeating: " ", count: $0) + "a:\n" }.joined(),
        "keys": String(repeating: "? ", count: 100_000),
        "one too many": "b: " + String(repeating: "[", count: 65) + String(repeating: "]", count: 65),
        "aliases": "a0: &a0 [x]\n" + (1..<100).map { "a\($0): &a\($0) [*a\($0 - 1)]\n" }.joined(),
    ]

    @Test(arguments: deep.keys.sorted())
    func tooDeep(name: String) throws {
        let text = try #require(Self.deep[name])
        let found = problems((text.hasPrefix("-") || text.hasPrefix("?") ? "" : "sluice: 1\n") + text)
        #expect(found.map { $0.message.hasPrefix("the nesting is deeper than 64 levels") } == [true], "\(found)")
    }

    @Test func atTheLimitOfDepth() {
        let found = problems("sluice: 1\na: " + String(repeating: "[", count: 63) + String(repeating: "]", count: 63))
        #expect(found.map(\.message) == ["`a` is not a key of the file; its keys are sluice, hosts, tenants, lab"])
    }

    /// Each line says the one before nine times; written out it would be 9^40 values.
    @Test(arguments: ["[", "{"])
    func aliasesThatExplode(bracket: String) {
        var text = "sluice: 1\na0: &a0 x\n"
        for level in 1...40 {
            let items = (0..<9).map { bracket == "[" ? "*a\(level - 1)" : "k\($0): *a\(level - 1)" }
            text += "a\(level): &a\(level) \(bracket)\(items.joined(separator: ", "))\(bracket == "[" ? "]" : "}")\n"
        }
        let found = problems(text)
        #expect(found.contains { $0.message.contains("has more than 20000000 values") })
        // As a key such a value is refused before anybody compares it with others.
        #expect(
            problems("sluice: 1\na: &a [x, y]\n? *a\n: 1\n").contains {
                $0.message.contains("a key must be plain text")
            }
        )
    }

    @Test func notText() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "sluice-\(UUID().uuidString).yaml").path()
        defer { try? FileManager.default.removeItem(atPath: path) }
        func failure(_ bytes: [UInt8]) throws -> [Problem] {
            try Data(bytes).write(to: URL(filePath: path))
            do throws(TopologyError) {
                _ = try Topology.read(path: path)
                return []
            } catch { return error.problems }
        }
        var found = try failure(Array("sluice: 1\nhosts: {ä".utf8) + [0xFF, 0xFE])
        #expect(found.map(\.description) == ["\(path):2:10: this byte is not UTF-8; save the file as UTF-8"])
        found = try failure([])
        #expect(found.map(\.description) == ["\(path):1:1: the file is empty; it begins with `sluice: 1`"])
        #expect(try failure(Array("\u{FEFF}sluice: 1\r\nhosts: {h1: {}}\r\n".utf8)) == [])
        #expect(try failure(Array((0..<65536).map { UInt8(truncatingIfNeeded: $0 &* 167) })).count == 1)
    }

    @Test(arguments: [("/nonexistent/topology.yaml", "No such file or directory"), ("/", "Is a directory")])
    func filesThatCannotBeRead(path: String, part: String) {
        do throws(TopologyError) {
            _ = try Topology.read(path: path)
            Issue.record("read")
        } catch {
            #expect(error.description.hasPrefix("\(path): cannot be "))
            #expect(error.description.contains(part))
        }
    }

    /// 50 000 networks with 50 000 ports: the time grows with the size and no faster.
    @Test func aLargeFile() throws {
        func text(_ tenants: Int) -> String {
            var text = "sluice: 1\nhosts:\n  h1: {vtep: 192.0.2.1}\n  h2: {vtep: 192.0.2.2}\ntenants:\n"
            for tenant in 0..<tenants {
                text += "  t\(tenant):\n    networks:\n"
                for n in 0..<50 {
                    text +=
                        "      n\(n): {segment: {type: vxlan, id: \(tenant * 50 + n + 1)}, subnets: [10.0.\(n).0/24]}\n"
                }
                text += "    ports:\n"
                for n in 0..<50 {
                    text += "      p\(n): {host: h\(n % 2 + 1), network: n\(n), address: 10.0.\(n).5/24, "
                    text += "attach: {netns: t\(tenant)-p\(n)}}\n"
                }
            }
            return text
        }
        func timed(_ text: String) throws -> (topology: Topology, seconds: Double) {
            let start = processorSeconds()
            let topology = try load(text)
            return (topology, processorSeconds() - start)
        }
        let (_, fraction) = try timed(text(100))
        let large = text(1000)
        let (topology, seconds) = try timed(large)
        print("\(large.utf8.count) bytes with 50000 networks and 50000 ports take \(seconds) s of processor time")
        #expect(topology.tenants.count == 1000 && topology.tenants[999].ports.count == 50)
        #expect(seconds < fraction * 40, "a tenth took \(fraction) s")
        var changed = topology
        changed.tenants[500].networks[7].mtu = 1400
        #expect(Topology.difference(from: topology, to: changed).map(\.path) == ["tenants.t500.networks.n7.mtu"])
        #expect(topology.warnings(underlayMTU: 1500) == [])
    }

    /// Of this thread, so that a busy machine does not matter.
    private func processorSeconds() -> Double {
        var now = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }
}
