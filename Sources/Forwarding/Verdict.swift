import Rings
import Tables
import Wire

/// Why a frame went no further. Every frame that is not forwarded has exactly one; the datapath counts them per port
/// and per network. `case` names are what `show drops` prints and stay as they are.
public enum DropReason: UInt8, CaseIterable, Sendable {
    // On the way in.
    case portWithoutNetwork = 1
    case noUntaggedNetwork
    case unknownVLAN
    case reservedVLAN
    case taggedOnAccessPort
    case taggedInSegment
    case doubleTagged
    case tooShort
    case tooLong
    case badOffload

    // Out of a tunnel.
    case tunnelFromTenant
    case tunnelHeaderTruncated
    case vxlanNoVNI
    case unknownVNI
    case greHeader
    case greChecksum
    case greProtocol
    case greNoKey
    case unknownKey
    case unknownPeer
    case peerNotInNetwork
    case ecnInvalid

    // What no bridge forwards.
    case invalidSource
    case zeroDestination
    case linkLocal

    // Between the ports of a network.
    case sourceBelongsToAnotherPort
    case hairpin
    case splitHorizon
    case unknownUnicast
    case noReceiver
    case crossesNetworks

    // On the way out, decided by `encapsulate`.
    case exceedsMTU
    case exceedsPathMTU
    case tagWouldEscape

    // On the way out, met by the datapath.
    case queueFull
    case unreachable
    case deviceDown
    case refusedBySystem
    case noTransmitSlot
}

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
        case .greProtocol: "The GRE packet does not carry an Ethernet frame (0x6558)."
        case .greNoKey: "The GRE packet has no key, and every GRE network here has one (RFC 2890)."
        case .unknownKey: "No network here has that GRE key."
        case .unknownPeer: "The tunnel packet comes from an address that is no VTEP of this cloud."
        case .peerNotInNetwork: "The VTEP that sent this has no port in that network."
        case .ecnInvalid:
            "Congestion was signalled on the way to a sender that does not understand it (RFC 6040 §4.2)."
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

/// How a frame ends.
public enum Verdict: UInt8, Sendable {
    case drop, forward, flood
}

/// What is to be done with one frame: the whole of what `decide` found out, so that nobody parses again. Plain integers.
@frozen
public struct Decision: Equatable, Sendable {
    public var verdict: Verdict
    /// The `DropReason`, or 0.
    public var reason: UInt8
    /// The frame's source is to be learned at `ingress`. May be set on a drop: a station whose frame finds nobody has
    /// still shown where it is.
    public var learns: Bool
    /// The content starts, after what is stripped, with a VLAN tag of the tenant's own (vlanTransparent networks).
    public var isTagged: Bool
    /// Bytes of VLAN tags, after the two addresses, that do not leave with the frame: 0, 4 or 8.
    public var strippedTagBytes: UInt8
    /// Priority and drop eligibility (PCP << 1 | DEI) of the first stripped tag, for the tag that is pushed.
    public var priority: UInt8
    /// ECN bits to write into the IP header before the frame leaves, or `keepECN`.
    public var ecn: UInt8
    /// Type of service or traffic class as the frame leaves (after `ecn`); 0 if it is not IP.
    public var tos: UInt8
    /// The target of `forward`, else `noSlot`.
    public var attachment: UInt32
    /// Where it came in, and the segment of that; `noSlot` if it did not get so far.
    public var ingress: UInt32
    public var segment: UInt32
    /// The tenant's Ethernet frame within `Frame.bytes`.
    public var contentOffset: UInt32
    public var contentLength: UInt32
    /// Where the bytes after the EtherType begin, from the content's first byte, tags included.
    public var networkOffset: UInt32
    /// Bytes of the largest IP packet that this frame stands for: a super-frame counts as one of its segments.
    public var packetSize: UInt32
    /// The same for all frames of a flow. Computed only where a tunnel may be the target, else 0.
    public var flowHash: UInt32
    /// What is left to do, counted from the content's first byte, tags not yet stripped. Has been validated.
    public var offload: Offload
    /// Source address of the content.
    public var source: MACAddress
    /// `Event`s that happened: bit `rawValue` of each.
    public var events: UInt64

    /// The value of `ecn` that means: as it is.
    public static let keepECN: UInt8 = 0xFF

    /// A frame of which nothing is known yet.
    @inlinable
    public init(contentLength: Int) {
        verdict = .drop
        reason = 0
        learns = false
        isTagged = false
        strippedTagBytes = 0
        priority = 0
        ecn = Decision.keepECN
        tos = 0
        attachment = noSlot
        ingress = noSlot
        segment = noSlot
        contentOffset = 0
        self.contentLength = UInt32(truncatingIfNeeded: contentLength)
        networkOffset = 0
        packetSize = 0
        flowHash = 0
        offload = .none
        source = .zero
        events = 0
    }

    @inlinable @inline(__always)
    public mutating func note(_ event: Event) { events |= event.bit }
}
