import Rings
import Tables
import Wire

/// A way of a frame through the switch, and how it is counted.
struct Journey {
    let name: String
    /// Ports by key, see `Bench.port`.
    let comesIn: String
    let goesOut: String
    let frame: [UInt8]
    let offload: Offload
    /// Of what comes in by a tunnel: who sent it.
    let from: IPv6Address
    /// Copies that go out at `goesOut`; 0 where the frame must end.
    let copies: UInt64
    /// Frames that come in together.
    let burst: Int

    init(
        _ name: String,
        _ comesIn: String,
        _ goesOut: String,
        _ frame: [UInt8],
        offload: Offload = .none,
        from: IPv6Address = IPv6Address(high: 0, low: 0),
        copies: UInt64 = 1
    ) {
        self.name = name
        self.comesIn = comesIn
        self.goesOut = goesOut
        self.frame = frame
        self.offload = offload
        self.from = from
        self.copies = copies
        burst = offload.isSuperFrame ? 1 : 32
    }
}

enum Journeys {
    static let topology = """
        sluice: 1
        hosts:
          h1: {vtep: 192.0.2.1, physical: {physnet1: eth1}}
          h2: {vtep: 192.0.2.2, physical: {physnet1: eth1}}
        tenants:
          red:
            networks:
              near: {segment: {type: local}}
              far: {segment: {type: vxlan, id: 5001}}
              wide: {segment: {type: gre, id: 77}}
              wire: {segment: {type: vlan, physical: physnet1, id: 100}}
              left: {segment: {type: local}, subnets: [10.1.0.0/24]}
              right: {segment: {type: local}, subnets: [10.1.1.0/24]}
            ports:
              a: {host: h1, network: near, mac: "02:00:00:00:00:0a", attach: {netns: a}}
              b: {host: h1, network: near, mac: "02:00:00:00:00:0b", attach: {netns: b}}
              c: {host: h1, network: near, mac: "02:00:00:00:00:0c", attach: {netns: c}}
              far: {host: h1, network: far, mac: "02:00:00:00:00:0a", attach: {netns: d}}
              far2: {host: h2, network: far, mac: "02:00:00:00:00:0b", attach: {netns: e}}
              wide: {host: h1, network: wide, mac: "02:00:00:00:00:0a", attach: {netns: f}}
              wide2: {host: h2, network: wide, mac: "02:00:00:00:00:0b", attach: {netns: g}}
              wire: {host: h1, network: wire, mac: "02:00:00:00:00:0a", attach: {netns: i}}
              wire2: {host: h2, network: wire, mac: "02:00:00:00:00:0b", attach: {netns: j}}
              left: {host: h1, network: left, mac: "02:00:00:00:00:0a", address: 10.1.0.11/24, attach: {netns: k}}
              right: {host: h1, network: right, mac: "02:00:00:00:00:0b", address: 10.1.1.11/24, attach: {netns: l}}
            routers:
              gw:
                mac: "02:00:00:00:00:01"
                interfaces: {left: 10.1.0.1/24, right: 10.1.1.1/24}
                tunnels: {branch: {type: ipip, host: h1, remote: 192.0.2.7}}
                routes: [{to: 10.9.0.0/16, via: branch}]
        """

    static let tunnel = "vxlan 192.0.2.1:4789"
    static let branch = "ipip 192.0.2.1"
    static let a: UInt64 = 0x0200_0000_000A
    static let b: UInt64 = 0x0200_0000_000B
    /// Behind port `b`, in no file: learned.
    static let learned: UInt64 = 0x0200_0000_0099
    static let everybody: UInt64 = 0xFFFF_FFFF_FFFF
    static let router: UInt64 = 0x0200_0000_0001
    static let left: UInt32 = 0x0A01_000B
    static let right: UInt32 = 0x0A01_010B
    /// Behind the tunnel to the branch.
    static let beyond: UInt32 = 0x0A09_0001
    static let far = IPv6Address(mapping: IPv4Address(bits: 0xC000_0207))
    static let peer = IPv6Address(mapping: IPv4Address(bits: 0xC000_0202))

    static var all: [Journey] {
        let known = frame(to: b, from: a)
        let back = frame(to: a, from: b)
        let (large, offload) = superFrame(to: b, from: a, segments: 40)
        let reply = Array(packet(to: 0, from: 0, left, beyond).dropFirst(14))
        let tagged = frame(to: a, from: b, vlan: 100, length: 64)
        return [
            Journey("bridge", "red/a", "red/b", known),
            Journey("bridge to a learned address", "red/a", "red/b", frame(to: learned, from: a)),
            Journey("flood to two ports", "red/a", "red/c", frame(to: everybody, from: a)),
            Journey("refuse a multicast source", "red/a", "red/b", frame(to: b, from: 0x0100_0000_0001), copies: 0),
            Journey("encapsulate in VXLAN", "red/far", tunnel, known),
            Journey("decapsulate VXLAN", tunnel, "red/far", vxlan(5001, back), from: peer),
            Journey("encapsulate in GRE", "red/wide", "gre 192.0.2.1", known),
            Journey("decapsulate GRE", "gre 192.0.2.1", "red/wide", gre(77, back), from: peer),
            Journey("tag", "red/wire", "physnet1", known),
            Journey("untag", "physnet1", "red/wire", tagged),
            Journey("route", "red/left", "red/right", packet(to: router, from: a, right, left)),
            Journey("route into IPIP", "red/left", branch, packet(to: router, from: a, beyond, left)),
            Journey("route out of IPIP", branch, "red/left", reply, from: far),
            Journey("bridge a super-frame of 40 segments", "red/a", "red/b", large, offload: offload),
            Journey("cut a super-frame of 40 segments into VXLAN", "red/far", tunnel, large, offload: offload),
        ]
    }

    /// Takes every journey `bursts` times inside of `measuredTurn` and says how many frames that were. Ends with an error
    /// when a frame did not go where it belongs.
    static func run(bursts: Int) throws {
        let capacity = StateCapacity(endpoints: 64, segments: 64, attachments: 256, peers: 16, macBuckets: 4096)
        for journey in all {
            // A bench for each: none depends on which came before.
            let bench = try Bench(topology, capacity: capacity, ringBytes: 1 << 19)
            let comesIn = bench.port(journey.comesIn)
            let goesOut = bench.port(journey.goesOut)
            teach(bench)
            func burst(_ turn: (Int) -> Void) {
                for _ in 0..<journey.burst {
                    let fits = bench.inject(journey.frame, at: comesIn, offload: journey.offload, from: journey.from)
                    precondition(fits, "\(journey.name): the frames do not fit")
                }
                turn(comesIn)
                bench.discardAll()
            }
            for _ in 0..<4 { burst(bench.turn) }
            let before = bench.sent(goesOut)
            for _ in 0..<bursts { burst(bench.measuredTurn) }
            let frames = UInt64(bursts * journey.burst)
            guard bench.sent(goesOut) - before == frames * journey.copies else {
                throw WrongWay(journey.name, bench.sent(goesOut) - before, frames * journey.copies)
            }
            journeyEnds()
            print(frames, journey.name)
        }
    }

    private static func teach(_ bench: Bench) {
        let fits = bench.inject(frame(to: everybody, from: learned), at: bench.port("red/b"), from: peer)
        precondition(fits)
        bench.turn(bench.port("red/b"))
        bench.discardAll()
    }

    /// Where callgrind writes down what it counted: `.ci/check-instructions` knows the name.
    @inline(never)
    private static func journeyEnds() { ended += 1 }
    private nonisolated(unsafe) static var ended = 0
}

struct WrongWay: Error, CustomStringConvertible {
    let description: String

    init(_ name: String, _ found: UInt64, _ wanted: UInt64) {
        description = "\(name): \(found) frames went out, not \(wanted)"
    }
}
