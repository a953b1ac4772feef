import Tables

/// Things worth counting that are not drops. `Decision.events` carries those that `decide` saw; the datapath adds what
/// came of learning.
public enum Event: UInt8, CaseIterable, Sendable {
    case vxlanReservedBits = 1
    case greSequenceIgnored
    case ecnAlarm
    case ecnNotice
    case partialChecksumFound
    case superFrameFound
    case macLearned
    case macMoved
    case macEvicted
    case macLimitReached
    case fragmented
    case arpAnswered
    case echoAnswered
    case errorSent
    case answerSuppressed
    case neighborAsked
    case neighborResolved
    case neighborFailed
    case pathMTULearned
    case reportsLost

    /// Its bit in `Decision.events`.
    @inlinable @inline(__always)
    public var bit: UInt64 { 1 << UInt64(rawValue) }

    /// What became of an address, if it is worth counting.
    @inlinable @inline(__always)
    public init?(_ lesson: MACTable.Lesson) {
        switch lesson {
        case .refreshed: return nil
        case .learned: self = .macLearned
        case .moved: self = .macMoved
        case .evictedAnother: self = .macEvicted
        case .limitReached: self = .macLimitReached
        }
    }

    public var name: String { String(describing: self) }

    /// What happened.
    public var sentence: String {
        switch self {
        case .vxlanReservedBits: "Reserved bits of a VXLAN header were set; they are ignored (RFC 7348 §5)."
        case .greSequenceIgnored: "A GRE packet had a sequence number; order is not enforced (RFC 2890 §2.2)."
        case .ecnAlarm:
            "Inner and outer ECN bits do not go together: a broken or forged tunnel ingress (RFC 6040 §4.2)."
        case .ecnNotice: "Inner and outer ECN bits met that no known sender uses together (RFC 6040 §4.2)."
        case .partialChecksumFound: "A kernel VTEP left the checksum inside a tunnel packet for us to finish."
        case .superFrameFound: "A kernel VTEP left a TCP stream inside a tunnel packet for us to segment."
        case .macLearned: "A new address was learned."
        case .macMoved: "A learned address appeared at another port."
        case .macEvicted: "An address was learned in place of another: its part of the table was full."
        case .fragmented: "An IPv4 packet that was too large for its way, and might be cut, was cut."
        case .arpAnswered: "A router was asked for the address of one of its interfaces, and answered."
        case .echoAnswered: "A router was pinged, and answered."
        case .errorSent: "A sender was told by ICMP why its packet went no further."
        case .answerSuppressed: "An answer was not sent: a router answers no more often than its rates allow."
        case .neighborAsked: "A router asked who has an address (ARP, neighbour discovery)."
        case .neighborResolved: "An address for which packets waited was answered for."
        case .neighborFailed: "Nobody answered for an address for which packets waited."
        case .pathMTULearned: "A router of the underlay told that the way to a peer carries smaller packets."
        case .reportsLost: "A worker learned something and could not tell the others at once; they hear it later."
        case .macLimitReached: "An address was not learned: the network holds as many as it may."
        }
    }
}
