import Control
import Glibc
import Netlink
import Ports

extension DeviceMaker {
    /// Makes the TAP by which the switch is in the underlay and puts it into the host's bridge. The kernel has nothing to say
    /// on it: addresses and neighbours are the switch's.
    func openUplink(_ plan: EndpointPlan, _ name: String, _ bridge: String) throws -> OpenedEndpoint {
        let netlink = try Netlink(in: host)
        try outwaitLeftover(name, plan, netlink)
        guard let master = try netlink.link(named: bridge), master.kind == "bridge" else {
            throw NetlinkError(
                "find bridge",
                bridge,
                errno: ENODEV,
                advice: "The uplink \(name) needs it, with the host's device in it: ip link add name \(bridge) type "
                    + "bridge && ip link set DEVICE master \(bridge) && ip link set \(bridge) up"
            )
        }
        if try netlink.link(named: name) != nil {
            throw NetlinkError("create TAP", name, errno: EEXIST, detail: "an interface of that name exists")
        }
        let tap = try host.run { try TAP.openUplink(name: name) }
        do {
            guard let link = try netlink.link(named: tap.name) else {
                throw NetlinkError("find TAP", name, errno: ENODEV)
            }
            try netlink.setTransmitQueueLength(2000, link.index)
            // A kernel without IPv6 has nothing to silence.
            try? netlink.setIPv6AddressGeneration(.none, link.index)
            if let mac = plan.mac { try netlink.setMAC(mac, link.index) }
            // Before it is in the bridge, which would take over a smaller one.
            try netlink.setMTU(plan.mtu, link.index)
            try netlink.setMaster(master.index, link.index)
            try netlink.setUp(link.index)
            let now = try netlink.link(index: link.index) ?? link
            let (mark, remark) = markTunnels(link.index, .ingress)
            return OpenedEndpoint(
                plan: plan,
                kind: .uplink,
                flags: (tap.carriesTunnels ? 0 : PortIO.Flags.noTunnelSegments)
                    | (mark.isEmpty ? 0 : PortIO.Flags.marksTunnels),
                descriptors: [tap.descriptor] + mark,
                interface: LinkFacts(now),
                watched: host,
                remark: tap.carriesTunnels
                    ? remark : "super-frames are cut here: passing them whole through an uplink takes Linux 6.17"
            )
        } catch {
            close(tap.descriptor)
            throw error
        }
    }

    /// Takes a device of the host for the underlay. Nothing of the host's may be on it: whatever arrives is the switch's, and
    /// is kept from the host's own stack.
    func openUplinkDevice(_ plan: EndpointPlan, _ name: String) throws -> OpenedEndpoint {
        let netlink = try Netlink(in: host)
        guard let link = try netlink.link(named: name) else {
            throw NetlinkError("find device", name, errno: ENODEV, detail: "no interface of that name exists")
        }
        guard !isUsedByHost(link, netlink) else {
            throw NetlinkError(
                "take device",
                name,
                errno: EBUSY,
                advice: "The host uses it itself: it has an address, or a bridge or another device has it. Remove that "
                    + "or put the device into a bridge and write `underlay: {mode: tap, tap: uplink0, bridge: BRIDGE}`."
            )
        }
        try? netlink.setIPv6AddressGeneration(.none, link.index)
        try netlink.setUp(link.index)
        try IngressGuard.install(on: name, in: host)
        do {
            let socket = try host.run { try PacketSocket.open(interfaceIndex: link.index) }
            let (mark, remark) = markTunnels(link.index, .egress)
            return OpenedEndpoint(
                plan: plan,
                kind: .uplinkDevice,
                flags: mark.isEmpty ? 0 : PortIO.Flags.marksTunnels,
                descriptors: [socket] + mark,
                interface: LinkFacts(try netlink.link(index: link.index) ?? link),
                watched: host,
                remark: remark
            )
        } catch {
            IngressGuard.remove(from: name, in: host)
            throw error
        }
    }

    /// Has the kernel know tunnels on an uplink. Where it may not, super-frames are cut.
    private func markTunnels(_ index: Int32, _ place: TunnelMark.Place) -> (descriptors: [Int32], remark: String) {
        do {
            return ([try host.run { try TunnelMark.attach(interfaceIndex: index, place) }], "")
        } catch {
            let carried = place == .egress ? "super-frames" : "super-frames in GRE and IP in IP"
            return ([], "\(carried) are cut here: \(error)")
        }
    }
}
