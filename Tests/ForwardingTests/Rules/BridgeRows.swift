import Forwarding
import Rings
import Wire

// Who gets a frame: told, learned, unknown and group addresses.

extension Row {
    static func bridgeRows(_ s: Sample) -> [Row] {
        typealias S = Sample
        let plain = Row.plain()
        let broadcast = Row.plain(to: .broadcast)
        func at(_ endpoint: Int, _ bytes: [UInt8]) -> Arrival { Arrival(endpoint: endpoint, bytes: bytes) }
        func encapsulated(_ bytes: [UInt8], _ attachment: Int, _ peer: IPv6Address) -> Copy {
            Copy(attachment: attachment, bytes: vxlan(5001, bytes), destination: peer, destinationPort: 4789)
        }
        func everybody(_ bytes: [UInt8]) -> [Copy] {
            [
                Copy(attachment: s.atDB, bytes: bytes), Copy(attachment: s.atTrunkApp, bytes: bytes),
                encapsulated(bytes, s.atH2, S.h2), encapsulated(bytes, s.atH3, S.h3), encapsulated(bytes, s.atH6, S.h6),
            ]
        }
        func fromTunnel(_ bytes: [UInt8]) -> Arrival {
            Arrival(endpoint: s.vxlan, bytes: vxlan(5001, bytes), outerSource: S.h2)
        }
        return [
            Row(name: "broadcast", arrival: at(s.web, broadcast), expected: .flood(everybody(broadcast)), learns: true),
            Row(name: "unknown unicast", arrival: at(s.web, plain), expected: .flood(everybody(plain))),
            Row(
                name: "a group address is never looked up",
                arrival: at(s.web, broadcast),
                told: [(s.app, .broadcast, s.atDB)],
                expected: .flood(everybody(broadcast))
            ),
            Row(
                name: "split horizon: out of a tunnel, into no tunnel",
                arrival: fromTunnel(broadcast),
                expected: .flood([
                    Copy(attachment: s.atWeb, bytes: broadcast), Copy(attachment: s.atDB, bytes: broadcast),
                    Copy(attachment: s.atTrunkApp, bytes: broadcast),
                ]),
                learns: true
            ),
            Row(
                name: "split horizon for a known address",
                arrival: fromTunnel(plain),
                seen: [(S.b, s.atH3)],
                expected: .drop(.splitHorizon),
                learns: true
            ),
            Row(
                name: "told",
                arrival: at(s.web, plain),
                told: [(s.app, S.b, s.atH2)],
                expected: .forward(encapsulated(plain, s.atH2, S.h2))
            ),
            Row(
                name: "told beats learned",
                arrival: at(s.web, plain),
                told: [(s.app, S.b, s.atDB)],
                seen: [(S.b, s.atH2)],
                expected: .forward(Copy(attachment: s.atDB, bytes: plain))
            ),
            Row(
                name: "learned",
                arrival: at(s.web, plain),
                seen: [(S.b, s.atDB)],
                expected: .forward(Copy(attachment: s.atDB, bytes: plain))
            ),
            Row(
                name: "learned 299 seconds ago",
                arrival: at(s.web, plain),
                seen: [(S.b, s.atDB)],
                later: 299,
                expected: .forward(Copy(attachment: s.atDB, bytes: plain))
            ),
            Row(
                name: "learned 300 seconds ago",
                arrival: at(s.web, plain),
                seen: [(S.b, s.atDB)],
                later: 300,
                expected: .flood(everybody(plain))
            ),
            Row(
                name: "learned in another network with the same address",
                arrival: at(s.web, plain),
                seen: [(S.b, s.atBlueWeb)],
                expected: .flood(everybody(plain))
            ),
            Row(
                name: "told in another network with the same address",
                arrival: at(s.web, plain),
                told: [(s.blueApp, S.b, s.atBlueWeb)],
                expected: .flood(everybody(plain))
            ),
            Row(
                name: "back to where it came from",
                arrival: at(s.web, plain),
                seen: [(S.b, s.atWeb)],
                expected: .drop(.hairpin),
                learns: true
            ),
            Row(
                name: "a source that the file puts here is not learned",
                arrival: at(s.web, plain),
                told: [(s.app, S.a, s.atWeb), (s.app, S.b, s.atDB)],
                expected: .forward(Copy(attachment: s.atDB, bytes: plain)),
                learns: false
            ),
            Row(
                name: "a source that the file puts elsewhere",
                arrival: at(s.web, plain),
                told: [(s.app, S.a, s.atDB)],
                expected: .drop(.sourceBelongsToAnotherPort),
                learns: false
            ),
            Row(
                name: "a local address as source out of a tunnel",
                arrival: fromTunnel(plain),
                told: [(s.app, S.a, s.atDB)],
                expected: .drop(.sourceBelongsToAnotherPort),
                learns: false
            ),
            Row(
                name: "the same address in another network is nobody's here",
                arrival: at(s.web, plain),
                told: [(s.blueApp, S.a, s.atBlueWeb), (s.app, S.b, s.atDB)],
                expected: .forward(Copy(attachment: s.atDB, bytes: plain)),
                learns: true
            ),
            Row(
                name: "unknown unicast where it is dropped",
                arrival: at(s.quiet1, plain),
                expected: .drop(.unknownUnicast),
                learns: false
            ),
            Row(
                name: "a network that does not learn",
                arrival: at(s.quiet1, plain),
                told: [(s.quiet, S.b, s.atQuiet2)],
                expected: .forward(Copy(attachment: s.atQuiet2, bytes: plain)),
                learns: false
            ),
            Row(
                name: "alone in the network",
                arrival: at(s.loner, broadcast),
                expected: .drop(.noReceiver),
                learns: true
            ),
            Row(
                name: "tables that point into another network",
                arrival: at(s.web, plain),
                told: [(s.app, S.b, s.atBlueWeb)],
                expected: .drop(.crossesNetworks)
            ),
        ]
    }
}
