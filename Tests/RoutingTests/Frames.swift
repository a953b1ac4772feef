import Forwarding
import TestCloud
import Testing

// Frames between the ports of either tenant and its router.

extension Ending {
    /// Dropped, and `web` is told by the router: what is to fit in future, `mtu`, or what
    /// else stands in the word behind the checksum.
    static func refuses(_ reason: DropReason, _ type: Int, _ code: Int, mtu field: Int = 0, _ packet: [UInt8]) -> Ending
    {
        let isIPv6 = packet[0] >> 4 == 6
        let error = icmpError(
            type,
            code,
            field,
            from: isIPv6 ? gateway6 : gateway4,
            to: isIPv6 ? web6 : web4,
            about: packet
        )
        return .drop(reason, .port("red/web", toWeb(error)))
    }
}

/// A tunnel of `red/gw` and what is behind it.
struct Way: CustomTestStringConvertible, Sendable {
    var name: String
    var door: Door
    var end: String
    /// A source behind it and one inside, of the family that it carries.
    var remote: String
    var local: String
    /// The tunnel's header, if it has one.
    var wrap: @Sendable ([UInt8]) -> [UInt8] = { $0 }

    var testDescription: String { name + (remote.contains(":") ? " with IPv6" : " with IPv4") }

    /// As it leaves by the tunnel; the checksum of a GRE header is the port's to compute.
    func sent(tos: UInt8 = 0, _ packet: [UInt8]) -> Sent {
        var bytes = wrap(packet)
        if name == "gre" { bytes.replaceSubrange(4..<6, with: [0, 0]) }
        return .tunnel("red/gw", name, end, tos: tos, bytes)
    }

    static let all = [
        Way(name: "ipip", door: .raw(4), end: Names.ipipEnd(0), remote: "10.9.0.5", local: web4),
        Way(name: "ipip6", door: .raw6(4), end: Names.ipip6End(0), remote: "10.6.0.5", local: web4),
        Way(name: "sit", door: .raw(41), end: Names.sitEnd(0), remote: "2001:db8:9::5", local: web6),
        Way(name: "sit6", door: .raw6(41), end: Names.sit6End(0), remote: "2001:db8:6::5", local: web6),
        Way(name: "plain", door: .gre, end: Names.greEnd(0), remote: "10.7.0.5", local: web4) { gre($0) },
        Way(name: "gre", door: .gre, end: Names.greEnd(0), remote: "10.8.0.5", local: web4, wrap: keyed),
        Way(name: "gre", door: .gre, end: Names.greEnd(0), remote: "2001:db8:8::5", local: web6, wrap: keyed),
        Way(name: "gre6", door: .gre6, end: Names.gre6End(0), remote: "10.5.0.5", local: web4) { gre($0) },
        Way(name: "gre6", door: .gre6, end: Names.gre6End(0), remote: "2001:db8:5::5", local: web6) { gre($0) },
    ]

    var isIPv6: Bool { remote.contains(":") }

    /// Protocol 4, 41 or 47 on the wire.
    var isGRE: Bool { door == .gre || door == .gre6 }
}

@Sendable private func keyed(_ packet: [UInt8]) -> [UInt8] { gre(key: 9, flags: 0x8000, packet) }

/// A packet of either family.
func packet(from source: String, to destination: String, ttl: Int = 64, tos: Int = 0, _ payload: [UInt8] = [9, 8, 7])
    -> [UInt8]
{
    source.contains(":")
        ? ipv6(from: source, to: destination, hopLimit: ttl, tos: tos, payload)
        : ipv4(from: source, to: destination, ttl: ttl, tos: tos, payload)
}
