import Tables
import Wire

// What a trace says about routers. Only called when somebody reads it.

extension Snapshot {
    func describe(router: UInt32) -> String { "router \(text(routers[Int(router)].name))" }

    /// The header that a router's tunnel pushes.
    func describeTunnel(_ place: AttachmentRecord) -> String {
        switch place.kind {
        case AttachmentKind.ipip: return "IPv4 in IP, protocol 4,"
        case AttachmentKind.sit: return "IPv6 in IP, protocol 41,"
        default:
            guard place.flags & AttachmentRecord.greKey != 0 else { return "IP in GRE" }
            return "IP in GRE key \(segments[Int(place.segment)].identifier)"
        }
    }

    /// A route as it stands in a table, with all its ways.
    func describe(route: RouteRecord) -> String {
        var prefix = "\(describeAddress(route.prefix))/\(route.length)"
        switch route.kind {
        case RouteKind.local: return "\(describeAddress(route.prefix)) is the router's own"
        case RouteKind.connected: prefix += " connected"
        case RouteKind.static: prefix += " static"
        case RouteKind.blackhole: return "\(prefix) blackhole"
        case RouteKind.unreachable: return "\(prefix) unreachable"
        case RouteKind.prohibit: return "\(prefix) prohibited"
        default: break
        }
        let ways = (0..<Int(route.hopCount)).map { describe(hop: hops[Int(route.hopStart) + $0]) }
        return prefix + " " + ways.joined(separator: ", ")
    }

    private func describe(hop: NextHopRecord) -> String {
        let interface = hop.interface < interfaceCount ? text(interfaces[Int(hop.interface)].name) : ""
        switch hop.kind {
        case HopKind.connected: return "in \(interface)"
        case HopKind.gateway: return "via \(describeAddress(hop.gateway)) in \(interface)"
        case HopKind.tunnel: return "via tunnel \(interface)"
        case HopKind.redirect: return "via tunnel \(text(hop.name)) of another host"
        default: return "out of reach"
        }
    }
}

/// What is said to a sender.
func describe(_ answer: Answer) -> String {
    let from = "from \(describeAddress(answer.source))"
    switch answer.kind {
    case Answer.Kind.arpReply: return "ARP reply for \(describeAddress(answer.source))"
    case Answer.Kind.neighborAdvertisement: return "neighbour advertisement for \(describeAddress(answer.source))"
    case Answer.Kind.echoReply: return "echo reply \(from)"
    default: break
    }
    let isIPv4 = answer.source.mappedIPv4 != nil
    let what =
        switch (isIPv4, answer.type, answer.code) {
        case (true, ICMP.unreachable, ICMP.fragmentationNeeded): "fragmentation needed, MTU \(answer.parameter)"
        case (false, ICMPv6.packetTooBig, _): "packet too big, MTU \(answer.parameter)"
        case (true, ICMP.timeExceeded, _), (false, ICMPv6.timeExceeded, _): "time exceeded"
        case (true, ICMP.unreachable, ICMP.networkUnreachable), (false, ICMPv6.unreachable, ICMPv6.noRoute):
            "network unreachable"
        case (true, ICMP.unreachable, ICMP.hostUnreachable), (false, ICMPv6.unreachable, ICMPv6.addressUnreachable):
            "host unreachable"
        case (true, ICMP.unreachable, ICMP.portUnreachable), (false, ICMPv6.unreachable, ICMPv6.portUnreachable):
            "port unreachable"
        case (true, ICMP.unreachable, ICMP.protocolUnreachable): "protocol unreachable"
        case (_, _, ICMP.administrativelyProhibited), (false, ICMPv6.unreachable, ICMPv6.administrativelyProhibited):
            "prohibited"
        default: "type \(answer.type) code \(answer.code)"
        }
    return "ICMP\(isIPv4 ? "" : "v6") \(what), \(from)"
}
