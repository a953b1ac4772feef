import Model
import Tables
import Wire

/// The host's own place in the underlay, where the VTEP's addresses are in the switch.
struct UnderlayPlan {
    /// Of the uplink, into `Compilation.plans`.
    var plan: Int
    /// The UDP port of VXLAN.
    var port: UInt16
    /// The slot of the interface of the underlay's router.
    var interface: UInt32 = noSlot
}

extension Compilation {
    /// The uplink, if a network or a router's tunnel needs one. It carries them all; VXLAN on one UDP port.
    mutating func planUplink(_ udpPorts: Set<UInt16>) throws(CompileError) {
        if udpPorts.isEmpty, anchored.isEmpty, !scope.networks.indices.contains(where: isGRE) { return }
        let port = udpPorts.min() ?? 0
        for number in scope.networks.indices {
            guard case .vxlan(_, let other) = network(number).segment, other != port else { continue }
            throw CompileError(
                .unsupportedUnderlay,
                network(number).segmentMark,
                "host \(host.name) has networks on the UDP ports \(port) and \(other), and an underlay with the VTEP in the "
                    + "switch has one; give the segments one port or make the underlay {mode: socket}"
            )
        }
        underlay = UnderlayPlan(plan: plans.count, port: port)
        switch host.underlay {
        case .socket: break
        case .tap(let tap, let bridge, _, _):
            append(.uplink(tap), .uplink(tap: tap, bridge: bridge), mtu: underlayMTU, host.underlayMark)
            plans[plans.count - 1].mac = uplinkMAC
        case .device(let device, _, _):
            append(.uplink(device), .uplinkDevice(device), mtu: underlayMTU, host.underlayMark)
        }
    }

    private func isGRE(_ number: Int) -> Bool {
        if case .gre = network(number).segment { true } else { false }
    }

    /// The VTEP's Ethernet address: the same on every run, and no other host's.
    private var vtepMAC: MACAddress { Port.defaultMAC(tenant: "host \(host.name)", port: "vtep") }

    /// An uplink TAP has another: a bridge keeps frames for the address of one of its ports to itself. And a high one: a bridge
    /// takes the lowest of its ports' for its own.
    private var uplinkMAC: MACAddress {
        MACAddress(bits: Port.defaultMAC(tenant: "host \(host.name)", port: "uplink").bits | 0xFE00_0000_0000)
    }

    /// The rows of the underlay: a network that has nobody but the uplink and a router, which has the VTEP's addresses and
    /// routes to the peers.
    mutating func writeUnderlay() {
        guard let underlay, let segment = segmentSlots.last, let router = routerSlots.last else { return }
        let endpoint = plans[underlay.plan].slot
        let own = attachmentSlots[attachmentSlots.count - 2]
        let uplink = attachmentSlots[attachmentSlots.count - 1]

        var network = builder.segments[Int(segment)]
        network.kind = SegmentKind.underlay
        network.flags = SegmentRecord.hasRouter
        network.mtu = UInt32(clamping: underlayMTU)
        network.name = builder.string(SegmentKey.underlay.description)
        network.inUse = 1
        builder.segments[Int(segment)] = network

        writeAttachment(own, AttachmentKind.router, segment, noSlot)
        writeAttachment(uplink, AttachmentKind.provider, segment, endpoint)
        for slot in [own, uplink] { builder.attachments[Int(slot)].interface = underlay.interface }
        builder.endpoints[Int(endpoint)].untagged = uplink
        builder.setFlood(segment: segment, to: [uplink])

        writeUnderlayRouter(router)
        writeUnderlayInterface(underlay.interface, router, segment, own)
        builder.tell(segment: segment, mac: vtepMAC, at: own)
        let linkLocal = host.vteps.contains(where: \.isIPv6) ? [IPAddress.v6(IPv6Address(linkLocalOf: vtepMAC))] : []
        for address in host.vteps + linkLocal {
            builder.tell(segment: segment, address: address, mac: vtepMAC, router: own)
        }
        writeUnderlayRoutes(router, underlay.interface, own, host.vteps + linkLocal)
    }

    private mutating func writeUnderlayRouter(_ slot: UInt32) {
        var record = RouterRecord()
        record.mac = vtepMAC.bits
        record.hostMAC = vtepMAC.bits
        record.flags = RouterRecord.designated | RouterRecord.underlay
        record.name = builder.string(RouterKey.underlay.description)
        record.inUse = 1
        builder.routers[Int(slot)] = record
    }

    private mutating func writeUnderlayInterface(_ slot: UInt32, _ router: UInt32, _ segment: UInt32, _ own: UInt32) {
        var record = InterfaceRecord()
        record.router = router
        record.segment = segment
        record.attachment = own
        record.addressStart = UInt32(builder.addresses.count)
        record.addressCount = UInt32(host.vteps.count)
        for prefix in underlayPrefixes {
            builder.addresses.append(InterfaceAddress(prefix.address.mapped, length: prefix.length))
            switch prefix.address {
            case .v4(let address): record.ipv4 = address.bits
            case .v6(let address): record.ipv6 = address
            }
        }
        record.name = builder.string("underlay")
        record.inUse = 1
        builder.interfaces[Int(slot)] = record
    }

    /// The VTEPs with the prefixes in which others are neighbours: everybody, where the file does not say.
    private var underlayPrefixes: [IPPrefix] {
        host.vteps.map { vtep in
            host.underlay.addresses.first { $0.address == vtep } ?? IPPrefix(address: vtep, length: 0)
        }
    }

    private mutating func writeUnderlayRoutes(
        _ router: UInt32,
        _ interface: UInt32,
        _ own: UInt32,
        _ addresses: [IPAddress]
    ) {
        var prefixes: [[RouteRangeBuilder.Prefix]] = [[], []]
        func write(_ prefix: IPPrefix, _ kind: UInt8, _ hopKind: UInt8, gateway: IPAddress? = nil) {
            var hop = NextHopRecord()
            hop.kind = hopKind
            hop.interface = interface
            hop.attachment = own
            if let gateway { hop.gateway = gateway.mapped }
            var route = RouteRecord()
            route.prefix = prefix.address.mapped
            route.length = UInt8(truncatingIfNeeded: prefix.length)
            route.router = router
            route.kind = kind
            route.hopStart = UInt32(builder.hops.count)
            route.hopCount = 1
            prefixes[prefix.address.isIPv6 ? 1 : 0].append(
                .init(prefix.address, length: prefix.length, route: UInt32(builder.routes.count))
            )
            builder.hops.append(hop)
            builder.routes.append(route)
        }
        for gateway in host.underlay.gateways {
            let all = IPPrefix(address: gateway.masked(0), length: 0)
            write(all, RouteKind.static, HopKind.gateway, gateway: gateway)
        }
        for prefix in underlayPrefixes { write(prefix.network, RouteKind.connected, HopKind.connected) }
        for address in addresses {
            write(IPPrefix(address: address, length: address.isIPv6 ? 128 : 32), RouteKind.local, HopKind.local)
        }
        builder.setRoutes(router: router, isIPv6: false, to: prefixes[0])
        builder.setRoutes(router: router, isIPv6: true, to: prefixes[1])
    }
}
