import Foundation
import Model
import Testing

/// Files that nobody writes: cut off, endless, deep, or no text at all. The answer is a sentence, never a crash.
@Suite struct HostileTests {
    /// Every key of routers in few words.
    private static let withRouters = """
        sluice: 1
        hosts: {h: {vtep: 1.1.1.1}}
        tenants:
          t:
            networks: {n: {segment: {type: gre, id: 7}}}
            routers:
              r:
                mac: "02:00:00:00:00:01"
                reversePath: off
                interfaces: {n: [10.0.0.1/24, "fd00::1/64"]}
                tunnels:
                  b: {type: ipip, host: h, local: 1.1.1.1, remote: 1.1.1.2}
                  g: {type: gre, host: h, remote: 1.1.1.3, key: 5, checksum: true, mtu: 1400, address: 10.1.0.1/30}
                routes:
                  - {to: 10.9.0.0/16, via: [b, 10.0.0.9]}
                  - {to: default, via: "fd00::9"}
                  - {to: 10.8.0.0/16, type: prohibit}
        """

    /// A prefix of a sound file is sound, or has problems inside its own lines.
    @Test func everyTruncation() throws {
        let folder = ConfigTests.folder
        let texts = [
            sound, Self.withRouters, try String(contentsOf: folder.appending(path: "trunk.yaml"), encoding: .utf8),
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

    @Test func theFileWithRoutersIsSound() { #expect(problems(Self.withRouters) == []) }

    /// One byte replaced by each of a few that mean something to YAML.
    @Test(arguments: [sound, withRouters])
    func everyByteReplaced(text: String) {
        let bytes = Array(text.utf8)
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

    /// 100 000 routes of two routers, every one another: the time grows with the size and no faster.
    @Test func manyRoutes() throws {
        func text(_ count: Int) -> String {
            var text = """
                sluice: 1
                hosts: {h1: {vtep: 192.0.2.1}}
                tenants:
                  red:
                    networks: {app: {segment: {type: vxlan, id: 1}, subnets: 10.0.0.0/16}}
                    ports: {web: {host: h1, network: app, address: 10.0.0.11/16, attach: {netns: web}}}
                    routers:
                      gw:
                        interfaces: {app: 10.0.0.1/16}
                        tunnels: {far: {type: gre, host: h1, remote: 192.0.2.9}}
                        routes:

                """
            for n in 0..<count {
                let hop = n % 3 == 0 ? "far" : "10.0.\(n >> 8 & 127).\(n & 127 | 2)"
                text += "          - {to: \(20 + (n >> 16)).\(n >> 8 & 255).\(n & 255).0/24, via: \(hop)}\n"
            }
            return text
        }
        func timed<Result>(_ body: () throws -> Result) rethrows -> (result: Result, seconds: Double) {
            let start = processorSeconds()
            let result = try body()
            return (result, processorSeconds() - start)
        }
        let fraction = try timed { try load(text(10_000)) }
        let (topology, seconds) = try timed { try load(text(100_000)) }
        print("100000 routes take \(seconds) s of processor time")
        #expect(topology.tenants[0].routers[0].routes.count == 100_000)
        #expect(seconds < fraction.seconds * 40, "a tenth took \(fraction.seconds) s")
        /// All but the first `kept` routes replaced by narrower ones.
        func replaced(_ kept: Int) -> Topology {
            var result = topology
            for index in kept..<100_000 { result.tenants[0].routers[0].routes[index].to.length = 25 }
            return result
        }
        let few = replaced(99_990)
        #expect(Topology.difference(from: topology, to: few).count == 20)
        let many = replaced(10)
        let (changes, compared) = timed { Topology.difference(from: topology, to: many) }
        #expect(
            changes.map(\.description)
                == ["~ tenants.red.routers.gw.routes: 100000 -> 100000 (+99990 -99990)"]
        )
        #expect(compared < seconds, "as long as loading: \(compared) s")
        #expect(topology.warnings(underlayMTU: 1500) == [])
        // All wrong, and each in its line.
        let found = problems(text(20_000).replacing("via: 10.0", with: "via: 10.1"))
        #expect(found.count == 13_333 && found.allSatisfy { $0.message.contains("lies in no prefix") })
        #expect(Set(found.map(\.line)).count == found.count)
    }

    /// 1000 interfaces whose prefixes lie in one another, and as many tunnels with one pair of ends.
    @Test func manyOverlaps() {
        var text = "sluice: 1\nhosts: {h1: {vtep: 192.0.2.1}}\ntenants:\n  red:\n    networks:\n"
        for n in 0..<1000 { text += "      n\(n): {segment: {type: local}}\n" }
        text += "    routers:\n      gw:\n        interfaces:\n"
        for n in 0..<1000 { text += "          n\(n): 10.\(n >> 8).\(n & 255).1/8\n" }
        text += "        tunnels:\n"
        for n in 0..<1000 { text += "          t\(n): {type: ipip, host: h1, remote: 192.0.2.9}\n" }
        let found = problems(text)
        #expect(found.count { $0.message.contains("overlaps 10.0.0.0/8 of network n0 (line 1009)") } == 999)
        #expect(found.count { $0.message.contains("is already tenants.red.routers.gw.tunnels.t0 (line 2010)") } == 999)
        #expect(found.count == 1998, "\(found.prefix(3))")
    }

    /// Of this thread, so that a busy machine does not matter.
    private func processorSeconds() -> Double {
        var now = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }
}
