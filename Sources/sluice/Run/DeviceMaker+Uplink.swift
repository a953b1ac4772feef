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
            return OpenedEndpoint(
                plan: plan,
                kind: .uplink,
                flags: tap.carriesTunnels ? 0 : PortIO.Flags.noTunnelSegments,
                descriptors: [tap.descriptor],
                interface: LinkFacts(now),
                watched: host,
                remark: tap.carriesTunnels
                    ? "" : "super-frames are cut here: passing them whole through an uplink takes Linux 6.17"
            )
        } catch {
            close(tap.descriptor)
            throw error
        }
    }
}
