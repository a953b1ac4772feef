import Rings
import Tables
import Wire

/// How a frame ends.
public enum Verdict: UInt8, Sendable {
    case drop
    /// To one attachment.
    case forward
    /// To everybody else in the segment.
    case flood
    /// The router answers it and it goes no further.
    case answer
    /// The router has taken note of it and it goes no further.
    case taken
    /// The router has taken note of it, and the other hosts of the router are to hear it too.
    case relay
    /// It waits for the address of its next hop.
    case hold
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
    /// Where it came in, and the segment of that; `noSlot` if it did not get so far. A packet that a router originated
    /// came in by the router.
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
    /// The content is a bare IP packet of this EtherType (it came out of a router's tunnel); 0 is an Ethernet frame.
    public var networkType: UInt16
    /// What a router changes; nothing if `routing.hops` is 0 and `routing.isReframed` is not set.
    public var routing: Routing
    /// What a router says to the sender, besides or instead of forwarding.
    public var answer: Answer
    /// What a router learns or wants to know.
    public var neighbor: NeighborNews
    /// Largest IP packet of the fragments that the packet is to be cut into, or 0.
    public var fragmentMTU: UInt32
    /// Of news of kind `pathMTU`: bytes of an IP packet.
    public var pathMTU: UInt32
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
        networkType = 0
        routing = Routing()
        answer = Answer()
        neighbor = NeighborNews()
        fragmentMTU = 0
        pathMTU = 0
        source = .zero
        events = 0
    }

    /// Something is to be done besides sending copies.
    @inlinable @inline(__always)
    public var wantsAttention: Bool { neighbor.kind | answer.kind != 0 && neighbor.kind != NeighborNews.Kind.resolve }

    @inlinable @inline(__always)
    public mutating func note(_ event: Event) { events |= event.bit }
}
