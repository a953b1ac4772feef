import Control
import Glibc
import Model
import Netlink
import Ports
import Wire

/// Makes, configures and removes the devices of one host. The only place where the control process changes interfaces.
///
/// Our ends of veth pairs live in a namespace of their own that has no addresses: the host's own IP stack must never
/// see, let alone answer, a tenant's frame.
final class DeviceMaker {
    let host: NetworkNamespace
    let quiet: NetworkNamespace
    let follower: NamespaceFollower

    init(host: NetworkNamespace) throws {
        self.host = host
        quiet = try NetworkNamespace.anonymous()
        follower = try NamespaceFollower(home: quiet)
    }

    /// Opens what the plan asks for. Throws `NetlinkError`, `PortError` or `SystemRefusal`; nothing is left behind then.
    func open(_ plan: EndpointPlan) throws -> OpenedEndpoint {
        switch plan.medium {
        case .tap(let name, let namespace): try openTAP(plan, name, namespace)
        case .veth(let name, let namespace, let ownEnd): try openVeth(plan, name, namespace, ownEnd)
        case .device(let name): try openDevice(plan, name)
        case .provider(let name): try openDevice(plan, name)
        case .vxlan(let address, let port):
            OpenedEndpoint(
                plan: plan,
                kind: address.isIPv6 ? .vxlan6 : .vxlan4,
                descriptors: try host.run { try VXLANSocket.open(address: address, port: port) }
            )
        case .gre(let address): try openRaw(plan, address, IPProtocol.gre)
        case .ip(let address, let kind): try openRaw(plan, address, kind.rawValue)
        case .uplink(let tap, let bridge): try openUplink(plan, tap, bridge)
        case .uplinkDevice(let name): try openUplinkDevice(plan, name)
        }
    }

    // MARK: Opening

    private func openRaw(_ plan: EndpointPlan, _ address: IPAddress, _ number: UInt8) throws -> OpenedEndpoint {
        OpenedEndpoint(
            plan: plan,
            kind: address.isIPv6 ? .raw6 : .raw4,
            descriptors: [try host.run { try RawSocket.open(address: address, protocol: number) }]
        )
    }

    private func place(_ namespace: String?) throws -> NetworkNamespace {
        try namespace.map { try NetworkNamespace(named: $0) } ?? host
    }

    /// Makes a TAP where it is to be. One for a namespace is made in the quiet one and moved: its descriptor then belongs
    /// to the quiet namespace and does not keep the tenant's alive.
    private func openTAP(_ plan: EndpointPlan, _ name: String, _ namespace: String?) throws -> OpenedEndpoint {
        let place = try place(namespace)
        let there = try Netlink(in: place)
        try outwaitLeftover(name, plan, there)
        if try there.link(named: name) != nil {
            throw NetlinkError("create TAP", name, errno: EEXIST, detail: "an interface of that name exists")
        }
        let tap: TAP.Opened
        do {
            tap = try makeTAP(plan, name, namespace)
        } catch let error as PortError where [EACCES, EPERM, ENOENT].contains(error.code) && namespace != nil {
            // An unprivileged user may be kept from /dev/net/tun; a veth pair serves a namespace just as well.
            guard case .port(let tenant, let port) = plan.key else { throw error }
            let ownEnd = EndpointMedium.ownEnd(tenant: tenant, port: port)
            let remark = "a veth pair: this user may not open /dev/net/tun"
            return try openVeth(plan, name, namespace, ownEnd, remark: remark)
        }
        do {
            if namespace != nil { try move(tap.name, to: place, renamingTo: name) }
            guard let link = try there.link(named: name) else { throw NetlinkError("find TAP", name, errno: ENODEV) }
            try there.setTransmitQueueLength(2000, link.index)
            try configure(there, link.index, plan, [.mac, .mtu, .addresses, .gateways])
            let now = try there.link(index: link.index) ?? link
            let isOurs = place.identity == host.identity
            if !isOurs { try follower.follow(place) }
            return OpenedEndpoint(
                plan: plan,
                kind: .tap,
                descriptors: [tap.descriptor],
                interface: LinkFacts(now),
                watched: isOurs ? place : nil,
                followed: place.identity,
                isTenants: isOurs
            )
        } catch {
            close(tap.descriptor)
            throw error
        }
    }

    private func makeTAP(_ plan: EndpointPlan, _ name: String, _ namespace: String?) throws -> TAP.Opened {
        guard namespace != nil, case .port(let tenant, let port) = plan.key else {
            return try host.run { try TAP.open(name: name) }
        }
        let passing = EndpointMedium.ownEnd(tenant: tenant, port: port)
        return try quiet.run { try TAP.open(name: passing) }
    }

    private func move(_ name: String, to place: NetworkNamespace, renamingTo new: String) throws {
        let here = try Netlink(in: quiet)
        guard let link = try here.link(named: name) else { throw NetlinkError("find TAP", name, errno: ENODEV) }
        try here.setNamespace(place, link.index, renamingTo: new)
    }

    private func openVeth(
        _ plan: EndpointPlan,
        _ name: String,
        _ namespace: String?,
        _ ownEnd: String,
        remark: String = ""
    ) throws -> OpenedEndpoint {
        let theirs = try place(namespace)
        let ours = quiet
        let inside = try Netlink(in: ours)
        let outside = try Netlink(in: theirs)
        try outwaitLeftover(name, plan, outside)
        try outside.createVeth(
            .init(name, mac: plan.mac, mtu: plan.mtu, namespace: theirs),
            .init(ownEnd, mtu: plan.mtu, namespace: ours)
        )
        guard let far = try outside.link(named: name) else { throw NetlinkError("find veth", name, errno: ENODEV) }
        do {
            guard let near = try inside.link(named: ownEnd) else {
                throw NetlinkError("find veth", ownEnd, errno: ENODEV)
            }
            try inside.setIPv6AddressGeneration(.none, near.index)
            try inside.setUp(near.index)
            try configure(outside, far.index, plan, [.mtu, .addresses, .gateways])
            let socket = try ours.run { try PacketSocket.open(interfaceIndex: near.index) }
            let now = try inside.link(index: near.index) ?? near
            return OpenedEndpoint(
                plan: plan,
                kind: .packet,
                descriptors: [socket],
                interface: LinkFacts(now),
                watched: ours,
                remark: remark
            )
        } catch {
            try? outside.delete(far.index)
            throw error
        }
    }

    /// When a whole switch was killed, the kernel takes a moment to remove the interfaces that it had made. What has the
    /// port's name and address, and is of a kind that we make, is such a leftover.
    func outwaitLeftover(_ name: String, _ plan: EndpointPlan, _ netlink: Netlink) throws {
        for _ in 0..<100 {
            guard let link = try netlink.link(named: name), link.mac == plan.mac, ["tun", "veth"].contains(link.kind)
            else { return }
            usleep(20_000)
        }
    }

    /// Takes an existing device of the host. What arrives there is tenants' and must not reach the host's own stack,
    /// which would answer ARP and pings and take forged tunnel packets; unless the host uses the device itself.
    private func openDevice(_ plan: EndpointPlan, _ name: String) throws -> OpenedEndpoint {
        let netlink = try Netlink(in: host)
        guard let link = try netlink.link(named: name) else {
            throw NetlinkError("find device", name, errno: ENODEV, detail: "no interface of that name exists")
        }
        try netlink.setUp(link.index)
        let isTenants = !isUsedByHost(plan, link, netlink)
        var remark = isTenants ? "" : "the host uses this device itself: tenants on it can reach the host"
        if isTenants {
            do {
                try IngressGuard.install(on: name, in: host)
            } catch {
                remark = "the host's own stack also receives from this device: \(error)"
            }
        }
        let socket = try host.run { try PacketSocket.open(interfaceIndex: link.index) }
        let now = try netlink.link(index: link.index) ?? link
        return OpenedEndpoint(
            plan: plan,
            kind: .packet,
            descriptors: [socket],
            interface: LinkFacts(now),
            watched: host,
            isTenants: isTenants,
            remark: remark
        )
    }

    /// A tenant's own device never is. A provider network's is when the host has an address on it, or a bridge, bond or
    /// VLAN device on top of it.
    func isUsedByHost(_ plan: EndpointPlan, _ link: Link, _ netlink: Netlink) -> Bool {
        guard case .provider = plan.key else { return false }
        return isUsedByHost(link, netlink)
    }

    /// Whether the host has an address on a device, or another device on top of it.
    func isUsedByHost(_ link: Link, _ netlink: Netlink) -> Bool {
        let linkLocal = IPPrefix(address: .v6(IPv6Address(high: 0xFE80 << 48, low: 0)), length: 10)
        let addresses = (try? netlink.addresses(link.index)) ?? []
        let links = (try? netlink.links()) ?? []
        return link.master != nil || addresses.contains { !linkLocal.contains($0.address) }
            || links.contains { $0.kind != "veth" && $0.peer?.index == link.index && $0.peer?.namespaceID == nil }
    }

    // MARK: Changing and removing

    /// Sets what changed on an interface that is ours.
    func reconfigure(
        _ opened: OpenedEndpoint,
        to plan: EndpointPlan,
        _ changes: EndpointChanges,
        from old: ObservedEndpoint
    ) throws {
        guard plan.medium.isMade, let name = plan.medium.interface else { return }
        let netlink = try Netlink(in: try place(plan.medium.namespace))
        guard let link = try netlink.link(named: name) else { throw NetlinkError("find", name, errno: ENODEV) }
        if changes.contains(.addresses), let addresses = old.addresses {
            for gone in addresses where !plan.addresses.contains(gone) { try? netlink.removeAddress(gone, link.index) }
        }
        try configure(netlink, link.index, plan, changes)
        if changes.contains(.mtu), opened.kind == .packet, let near = opened.interface, let place = opened.watched {
            try Netlink(in: place).setMTU(plan.mtu, Int32(near.index))
        }
    }

    private func configure(_ netlink: Netlink, _ index: Int32, _ plan: EndpointPlan, _ changes: EndpointChanges) throws
    {
        // Even to set the address that it has makes the kernel forget its neighbours, and the packet on its way to one is lost.
        if changes.contains(.mac), let mac = plan.mac, try netlink.link(index: index)?.mac != mac {
            try netlink.setMAC(mac, index)
        }
        if changes.contains(.mtu) {
            try netlink.setMTU(plan.mtu, index)
            // Makes sends cheaper, no more: a kernel that does not know it goes without.
            if let segments = plan.superFrameSegments { try? netlink.setGSOMaximum(segments: segments, index) }
        }
        try netlink.setUp(index)
        if changes.contains(.addresses) {
            let present = Set(try netlink.addresses(index))
            for address in plan.addresses where !present.contains(address) { try netlink.addAddress(address, index) }
        }
        if changes.contains(.gateways) || changes.contains(.addresses) {
            for gateway in plan.gateways { try netlink.replaceDefaultRoute(via: gateway, index) }
        }
    }

    /// Removes what `open` made. A TAP goes with its last descriptor; a veth must be deleted; an existing device is only
    /// given back.
    func remove(_ medium: EndpointMedium, madeAsVeth: Bool) {
        switch medium {
        case .veth(let name, let namespace, _): deleteLink(name, namespace)
        case .tap(let name, let namespace): if madeAsVeth { deleteLink(name, namespace) }
        case .device(let name), .provider(let name), .uplinkDevice(let name):
            IngressGuard.remove(from: name, in: host)
        case .vxlan, .gre, .ip, .uplink: break
        }
    }

    private func deleteLink(_ name: String, _ namespace: String?) {
        guard let place = try? place(namespace), let netlink = try? Netlink(in: place),
            let link = try? netlink.link(named: name), link.kind == "veth"
        else { return }
        try? netlink.delete(link.index)
    }

    /// The MTU of the bridge that an uplink is to be put into, or of the device that is one; nil when there is none.
    func underlayMTU(device: String) -> Int? { try? Netlink(in: host).link(named: device)?.mtu }

    /// The MTU of the interface that holds an underlay address; nil when none does.
    func underlayMTU(_ addresses: [IPAddress]) -> Int? {
        guard let netlink = try? Netlink(in: host), let links = try? netlink.links(),
            let all = try? netlink.addresses()
        else { return nil }
        let holders = Set(all.filter { addresses.contains($0.prefix.address) }.map(\.index))
        return links.filter { holders.contains($0.index) }.map(\.mtu).min()
    }
}
