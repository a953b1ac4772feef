import Forwarding
import Tables
import Wire

// A router of the model: every route is looked at, and every router on the way is asked in turn.

extension Reference {
    /// A prefix and its mask.
    struct Line {
        var high: UInt64
        var low: UInt64
        var highMask: UInt64
        var lowMask: UInt64
        var length: Int
        var isIPv4: Bool

        init(_ prefix: Cloud.Prefix) {
            length = prefix.length
            isIPv4 = !prefix.isIPv6
            let bits = isIPv4 ? 96 + length : length
            high = prefix.address.high
            low = prefix.address.low
            highMask = (0..<64).reduce(0) { $0 | ($1 < bits ? 1 << UInt64(63 - $1) : 0) }
            lowMask = (64..<128).reduce(0) { $0 | ($1 < bits ? 1 << UInt64(127 - $1) : 0) }
        }
    }

    /// Where a packet is on its way through the routers of this host.
    struct Stop {
        /// The interface that it came in by.
        var interface: Int
        var router: Int
        var hop = Cloud.Hop(kind: 0)
        /// The longest prefix.
        var length = 0
        /// The interface of the router that comes next on this host.
        var next: Int?
    }

    /// Why nobody gets a packet, with type and code of RFC 792 and RFC 1812 §5.2.7, and of RFC 4443.
    enum Refusal {
        case noRoute, host, service, port, prohibited, time

        var ipv4: (UInt8, UInt8) {
            switch self {
            case .noRoute: (3, 0)
            case .host: (3, 1)
            case .service: (3, 2)
            case .port: (3, 3)
            case .prohibited: (3, 13)
            case .time: (11, 0)
            }
        }

        var ipv6: (UInt8, UInt8) {
            switch self {
            case .noRoute: (1, 0)
            case .host: (1, 3)
            case .service: (4, 1)
            case .port: (1, 4)
            case .prohibited: (1, 1)
            case .time: (3, 0)
            }
        }
    }

    func route(_ walk: inout Walk, at interface: Int, _ now: UInt32) -> DropReason? {
        if let reason = refuseAtSight(&walk, interface) { return reason }
        let first = walk.content.startIndex
        walk.content = walk.content[..<(first + walk.layers.end)]
        if walk.offload.gsoType == 0 { walk.packet = walk.layers.end - walk.layers.l3 }
        if isChecksumElsewhere(walk) { return .badOffload }
        var interface = interface
        while true {
            var stop = Stop(interface: interface, router: cloud.interfaces[interface].router)
            walk.hops += 1
            if let reason = pass(&walk, &stop, now) { return reason }
            guard let next = stop.next else { return nil }
            // A tenant's routers may lead in a circle.
            if walk.hops == 8 { return .tooManyRouters }
            interface = next
        }
    }

    /// What no router looks at any further.
    private func refuseAtSight(_ walk: inout Walk, _ interface: Int) -> DropReason? {
        let layers = walk.layers
        if layers.type != 0x0800 && layers.type != 0x86DD || walk.isTagged { return .notRoutable }
        switch fault(walk) {
        case .none: break
        case .broken: return .brokenIPHeader
        case .sourceRoute: return .sourceRoute
        case .option(let place):
            if let place {
                // RFC 4443 §3.4: a pointer to the option.
                say(4, 2, place, &walk, Stop(interface: interface, router: cloud.interfaces[interface].router))
            }
            return .refusedByOption
        }
        let (source, destination) = (walk.ends.source, walk.ends.destination)
        if isNobody(source, layers) || isGroup(source, layers) { return .martianSource }
        if isGroup(destination, layers) { return .multicastNotRouted }
        if isNobody(destination, layers) { return .martianDestination }
        if isLinkLocal(source, layers) || isLinkLocal(destination, layers) {
            // Nothing of a link leaves it; but the router is on the link.
            let told = hosts[Host(network: cloud.interfaces[interface].network, address: destination)]
            if layers.version == 4 || told?.router != cloud.interfaces[interface].attachment { return .linkLocalScope }
        }
        return nil
    }

    private func pass(_ walk: inout Walk, _ stop: inout Stop, _ now: UInt32) -> DropReason? {
        guard let route = lookUp(walk.ends.destination, in: stop.router) else {
            return refuse(.noRoute, .noRoute, &walk, stop)
        }
        stop.length = route.prefix.length
        if route.kind != RouteKind.local {
            if let reason = checkWayBack(walk, stop) { return reason }
            if walk.layers.ttl <= walk.hops { return refuse(.hopLimitExceeded, .time, &walk, stop) }
        }
        switch route.kind {
        case RouteKind.blackhole: return .refusedByRoute
        case RouteKind.unreachable: return refuse(.refusedByRoute, .host, &walk, stop)
        case RouteKind.prohibit: return refuse(.refusedByRoute, .prohibited, &walk, stop)
        default:
            stop.hop = route.hops[Int(walk.flow) % route.hops.count]
            if route.hops.count > 1 { walk.judgement.isBalanced = true }
        }
        switch stop.hop.kind {
        case HopKind.local: return deliver(&walk, stop)
        case HopKind.connected:
            if isEdge(walk.ends.destination, stop.length) { return .martianDestination }
            return send(&walk, to: walk.ends.destination, &stop, now)
        case HopKind.gateway: return send(&walk, to: stop.hop.gateway, &stop, now)
        case HopKind.tunnel: return sendIntoTunnel(&walk, stop, now)
        case HopKind.redirect: return redirect(&walk, stop, now)
        default: return refuse(.tunnelOutOfReach, .noRoute, &walk, stop)
        }
    }

    /// The longest prefix that an address lies in: every route is looked at.
    func lookUp(_ address: IPv6Address, in router: Int) -> Cloud.Route? {
        var best: Int?
        var length = -1
        for (i, route) in tables[router].enumerated() {
            if (address.high ^ route.high) & route.highMask != 0 || (address.low ^ route.low) & route.lowMask != 0 {
                continue
            }
            if route.length >= length && route.isIPv4 == isIPv4(address) { (best, length) = (i, route.length) }
        }
        return best.map { cloud.routers[router].routes[$0] }
    }

    /// RFC 3704: the way back to the source leads to where the packet came from, or exists at all.
    private func checkWayBack(_ walk: Walk, _ stop: Stop) -> DropReason? {
        let rule = cloud.routers[stop.router].reversePath
        if rule == .off || walk.isFromSibling { return nil }
        guard let back = lookUp(walk.ends.source, in: stop.router) else { return .reversePath }
        if back.kind == RouteKind.local { return .martianSource }
        // What would be dropped on the way back has none.
        if rule == .loose { return back.hops.isEmpty ? .reversePath : nil }
        return back.hops.contains { $0.interface == stop.interface } ? nil : .reversePath
    }

    /// A network's own address and its broadcast address, where it has them.
    private func isEdge(_ address: IPv6Address, _ length: Int) -> Bool {
        guard isIPv4(address), length < 31 else { return false }
        let hosts = UInt64(1) << UInt64(32 - length)
        let host = address.low & 0xFFFF_FFFF & (hosts - 1)
        return host == 0 || host == hosts - 1
    }
}
