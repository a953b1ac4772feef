extension DropReason {
    /// The name by which counters and `trace` call it.
    public var name: String { String(describing: self) }

    /// Whether a target was already chosen: the frame may have reached others.
    public var isEgress: Bool { rawValue >= DropReason.exceedsMTU.rawValue }

    /// What happened, and where to look.
    public var sentence: String {
        switch self {
        case .portWithoutNetwork: "The port is not in any network, so it carries nothing."
        case .noUntaggedNetwork: "The frame has no VLAN tag and the port has no network for untagged frames."
        case .unknownVLAN: "No network of this port has that VLAN id with that tag type."
        case .reservedVLAN: "VLAN id 4095 is reserved and never forwarded (IEEE 802.1Q)."
        case .taggedOnAccessPort:
            "An access port takes untagged frames only. Use a trunk, or make the network vlanTransparent."
        case .taggedInSegment:
            "The frame inside the tunnel has a VLAN tag, and the network is not vlanTransparent (RFC 7348 §6.1)."
        case .doubleTagged: "A second VLAN tag stands behind the one of the network, which is not vlanTransparent."
        case .tooShort: "The frame ends inside its Ethernet header or VLAN tag."
        case .tooLong: "The frame is longer than any IP packet with its headers can be."
        case .badOffload: "The checksum or segmentation that the sender left to do does not fit the frame."
        case .tunnelFromTenant:
            "A tunnel packet came in by a tenant's own port: tunnels start and end on the underlay only."
        case .tunnelHeaderTruncated: "The packet ends inside the tunnel header."
        case .vxlanNoVNI: "The I flag of the VXLAN header is off: the packet names no network (RFC 7348 §5)."
        case .unknownVNI: "No network here has that VXLAN network identifier."
        case .greHeader: "The GRE header asks for routing or another version than 0 (RFC 2784 §2.3)."
        case .greChecksum: "The GRE checksum is wrong."
        case .greProtocol: "The GRE packet carries neither an Ethernet frame (0x6558) nor an IP packet."
        case .greNoKey: "The GRE packet has no key, and every GRE network here has one (RFC 2890)."
        case .unknownKey: "No network here has that GRE key."
        case .unknownPeer: "The tunnel packet comes from an address that is no VTEP of this cloud."
        case .peerNotInNetwork: "The VTEP that sent this has no port in that network."
        case .ecnInvalid:
            "Congestion was signalled on the way to a sender that does not understand it (RFC 6040 §4.2)."
        case .outerFragment:
            "A fragment came to the VTEP: tunnel packets are not fragmented (RFC 7348 §4.3), and nothing is put together here."
        case .outerChecksum: "The outer UDP checksum of the tunnel packet is wrong."
        case .ka9qIPIP:
            "The packet is of IP protocol 94, KA9Q's IP within IP. IP in IP (RFC 2003) is protocol 4: correct the sender."
        case .protocol4WithoutIPv4:
            "The packet is of IP protocol 4, which carries IPv4 (RFC 2003), and carries something else: IPv6 is 41's."
        case .protocol41WithoutIPv6:
            "The packet is of IP protocol 41, which carries IPv6 (RFC 4213), and carries something else: IPv4 is "
                + "protocol 4's."
        case .nestedTunnel:
            "The packet inside the tunnel is a tunnel packet between the same two ends: one level is taken off."
        case .notDesignated:
            "The frame is for the router and comes from outside of the file; another host answers to those."
        case .notRoutable: "The frame is for the router but carries no IP packet, or has a VLAN tag of the tenant's."
        case .brokenARP: "The ARP packet is not one for IPv4 over Ethernet (RFC 826)."
        case .brokenNeighborDiscovery:
            "The neighbour discovery message is not valid: hop limit, checksum, length or addresses (RFC 4861 §7.1)."
        case .brokenIPHeader:
            "The IP header is broken: version, length or checksum (RFC 1812 §5.2.2, RFC 8200 §3)."
        case .sourceRoute: "The packet has a source route, which routers here do not follow (RFC 7126, RFC 5095)."
        case .refusedByOption: "An IP option says that who does not know it must drop the packet (RFC 8200 §4.2)."
        case .martianSource: "No packet on a network can have that source address (RFC 1812 §5.3.7)."
        case .martianDestination:
            "No packet can be routed to that destination: broadcast, loopback or reserved (RFC 1812 §5.3.7, RFC 2644)."
        case .multicastNotRouted: "Multicast stays within its network: the router does not pass it on."
        case .linkLocalScope: "Link-local addresses stay on their link (RFC 4291 §2.5.6)."
        case .reversePath:
            "The way back to the source does not lead where the packet came from (RFC 3704): a spoofed source. "
                + "The router can be told otherwise: reversePath: loose."
        case .hopLimitExceeded: "The packet has passed as many routers as it may (TTL or hop limit)."
        case .noRoute: "The router has no route to the destination."
        case .refusedByRoute: "The route to the destination is one that drops: blackhole, unreachable or prohibit."
        case .tunnelOutOfReach:
            "The route leads to another host, and no tunnelled network of the router reaches that host from here."
        case .neighborUnresolved: "Nobody in the network answers for the next hop's address (ARP, neighbour discovery)."
        case .tooManyUnresolved: "Too many packets wait already for addresses in that network to be resolved."
        case .noSuchService: "The packet is for the router itself, which offers no such service."
        case .answerSuppressed: "The router answers no more often than its rates allow."
        case .redirectLoop:
            "A packet that another host passed on for its tunnel has no tunnel here: the hosts disagree."
        case .tooManyRouters: "The packet went from router to router on this host more often than it may."
        case .tunnelLoop:
            "The packet would go back into the tunnel that it came out of, or is from or for an end of it: it would go "
                + "round and round (RFC 2003 §3.2, RFC 4443 §3.1)."
        case .invalidSource: "A multicast, broadcast or zero address cannot be the source of a frame."
        case .zeroDestination: "The destination address is zero."
        case .linkLocal:
            "01:80:c2:00:00:00 to 0f concern one link only. The network can forward them: linkLocal: forward."
        case .sourceBelongsToAnotherPort: "The source address is another port's, according to the file."
        case .hairpin: "The destination is where the frame came from."
        case .splitHorizon: "A frame out of a tunnel never goes into a tunnel: its sender reaches that VTEP itself."
        case .unknownUnicast: "Nobody knows the destination, and the network drops what it does not know."
        case .noReceiver: "Nobody else is in the network."
        case .crossesNetworks: "The tables name a port of another network: a fault in Sluice, please report it."
        case .exceedsMTU: "The packet is larger than the network or the port it would leave by can carry."
        case .exceedsPathMTU: "The encapsulated packet is larger than the way to the remote VTEP can carry."
        case .tagWouldEscape:
            "The frame's own VLAN tag would choose another network on the trunk or device that it would leave by."
        case .queueFull: "The receiver does not take its frames fast enough."
        case .unreachable: "The host has no route to the remote VTEP."
        case .deviceDown: "The device that the frame would leave by is down or gone."
        case .refusedBySystem: "The kernel refused the frame."
        case .noTransmitSlot: "More frames wait for transmission than the switch has room for."
        }
    }
}
