import Model
import Testing

/// A sound file. Rows of the tests replace one of its lines, so their line numbers are these.
let sound = """
    sluice: 1
    lab: {underlay: 192.0.2.0/24}
    hosts:
      h1: {vtep: 192.0.2.1, physical: {physnet1: eth1}}
      h2: {vtep: 192.0.2.2}
    tenants:
      red:
        networks:
          app: {segment: {type: vxlan, id: 5001}, subnets: [10.0.0.0/24, "fd00::/64"]}
          lan: {segment: {type: vlan, physical: physnet1, id: 100}}
        ports:
          web: {host: h1, network: app, address: 10.0.0.11/24, attach: {netns: red-web}}
          fw: {host: h1, trunk: {untagged: app, 10: lan}, mac: "02:00:00:00:00:12", attach: {tap: fw0}}
      blue:
        networks:
          app: {segment: {type: vxlan, id: 5002}, subnets: [10.0.0.0/24]}
          own: {segment: {type: local}, subnets: [10.0.5.0/24]}
        ports:
          web: {host: h2, network: app, address: 10.0.0.11/24, attach: {netns: blue-web}}
    """

/// A sound file with routers. The lines that rows replace are routers' only.
let routed = """
    sluice: 1
    hosts:
      h1: {vtep: 192.0.2.1, physical: {physnet1: eth1}}
      h2: {vtep: [192.0.2.2, "2001:db8::2"]}
    tenants:
      red:
        networks:
          app: {segment: {type: vxlan, id: 5001}, subnets: [10.0.0.0/24, "fd00::/64"]}
          data: {segment: {type: gre, id: 77}, subnets: [10.0.1.0/24]}
          free: {segment: {type: vxlan, id: 5003}}
        ports:
          web: {host: h1, network: app, addresses: [10.0.0.11/24, "fd00::11/64"], attach: {netns: red-web}}
          db: {host: h2, network: data, address: 10.0.1.12/24, mac: "02:00:00:00:00:12", attach: {netns: red-db}}
        routers:
          gw:
            mac: "02:00:00:00:00:01"
            reversePath: loose
            interfaces:
              app: [10.0.0.1/24, "fd00::1/64"]
              data: 10.0.1.1/24
            tunnels:
              branch: {type: ipip, host: h1, local: 192.0.2.1, remote: 198.51.100.7}
              six: {type: sit, host: h1, remote: 198.51.100.8, address: "fd00:9::1/64", mtu: 1400}
              office: {type: gre, host: h2, remote: 198.51.100.9, key: 77, checksum: true}
            routes:
              - {to: 10.9.0.0/16, via: branch}
              - {to: 10.8.0.0/16, via: 10.0.0.200}
              - {to: 10.7.0.0/16, via: [10.0.0.200, 10.0.0.201, office]}
              - {to: "fd00:8::/32", via: "fd00:9::7"}
              - {to: 10.6.0.0/16, type: blackhole}
      blue:
        networks:
          app: {segment: {type: vxlan, id: 5002}, subnets: [10.0.0.0/24]}
          own: {segment: {type: local}}
        ports:
          web: {host: h1, network: app, address: 10.0.0.11/24, attach: {netns: blue-web}}
        routers:
          gw:
            interfaces: {app: 10.0.0.1/24}
            tunnels:
              branch: {type: ipip, host: h1, remote: 198.51.100.17}
              office: {type: gre, host: h1, remote: 198.51.100.9}
            routes: [{to: 10.9.0.0/16, via: branch}, {to: default, via: [branch, office]}]
    """

/// The sound file with one line (from 1) replaced by others.
func sound(line: Int, _ text: String) -> String { replacing(line: line, of: sound, text) }

func replacing(line: Int, of base: String, _ text: String) -> String {
    var lines = base.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let indentation = lines[line - 1].prefix { $0 == " " }
    lines[line - 1] = text.split(separator: "\n", omittingEmptySubsequences: false)
        .map { indentation + $0 }.joined(separator: "\n")
    return lines.joined(separator: "\n")
}

func problems(_ text: String) -> [Problem] {
    do throws(TopologyError) {
        _ = try Topology.load(text: text, file: "test.yaml")
        return []
    } catch {
        return error.problems
    }
}

func load(_ text: String) throws -> Topology { try Topology.load(text: text, file: "test.yaml") }

/// A line of the sound file, what stands there instead, and what must be said about it.
struct Row: Sendable, CustomTestStringConvertible {
    var line: Int
    var text: String
    /// Line, path and a part of the sentence of every problem, in order.
    var expected: [(line: Int, path: String, part: String)]
    var base = sound

    init(_ line: Int, _ text: String, _ path: String, _ part: String) {
        self.init(line, text, (line, path, part))
    }

    init(_ line: Int, _ text: String, _ expected: (line: Int, path: String, part: String)...) {
        self.line = line
        self.text = text
        self.expected = expected
    }

    /// The same in the file with routers.
    static func routed(_ line: Int, _ text: String, _ path: String, _ part: String) -> Row {
        routed(line, text, (line, path, part))
    }

    static func routed(_ line: Int, _ text: String, _ expected: (line: Int, path: String, part: String)...) -> Row {
        var row = Row(line, text)
        row.expected = expected
        row.base = ModelTests.routed
        return row
    }

    var testDescription: String { "line \(line): \(text)" }

    func check() {
        let found = problems(replacing(line: line, of: base, text))
        #expect(found.count == expected.count, "\(text)\n\(found.map(\.description).joined(separator: "\n"))")
        for (problem, expected) in zip(found, expected) {
            #expect(problem.line == expected.line, "\(problem)")
            #expect(problem.path == expected.path, "\(problem)")
            #expect(problem.message.contains(expected.part), "\(problem)")
            #expect(problem.column > 0)
        }
    }
}
