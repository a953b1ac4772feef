// Explicit congestion notification across tunnels (RFC 3168 for the bits, RFC 6040 for tunnels, RFC 9601 for tunnels
// with a shim such as VXLAN and GRE: the whole of RFC 6040 applies to them).

/// The two ECN bits of a type of service or traffic class byte.
public enum ECN {
    public static let notECT: UInt8 = 0
    public static let ect1: UInt8 = 1
    public static let ect0: UInt8 = 2
    /// Congestion experienced.
    public static let ce: UInt8 = 3
    /// Where the bits are in the byte; the other six are the DSCP (RFC 2474).
    public static let mask: UInt8 = 3

    /// How loudly a combination of inner and outer bits asks to be noticed (RFC 6040 §4.2).
    public enum Alarm: UInt8, Sendable {
        /// Ordinary.
        case none
        /// Not used at present by any known sender: may be logged.
        case unusual
        /// A sign of a broken tunnel ingress or of tampering: should be logged, at a limited rate.
        case broken
    }

    /// What a tunnel egress does with a packet.
    @frozen
    public struct Decapsulation: Equatable, Sendable {
        /// The bits that the inner header leaves with; meaningless if `isDrop`.
        public var ecn: UInt8
        /// Congestion was signalled to a sender that would not understand it: the packet is the signal.
        public var isDrop: Bool
        public var alarm: Alarm

        @inlinable
        public init(ecn: UInt8, isDrop: Bool = false, alarm: Alarm = .none) {
            self.ecn = ecn
            self.isDrop = isDrop
            self.alarm = alarm
        }
    }

    /// The outer bits of a tunnel packet in normal mode: those of the inner header, CE included (RFC 6040 §4.1). The
    /// DSCP is never copied. Takes a whole byte or two bits.
    @inlinable @inline(__always)
    public static func encapsulate(inner: UInt8) -> UInt8 { inner & mask }

    /// The table of RFC 6040 §4.2, figure 4. Takes whole bytes or two bits of each.
    @inlinable @inline(__always)
    public static func decapsulate(inner: UInt8, outer: UInt8) -> Decapsulation {
        let inner = inner & mask
        let outer = outer & mask
        if outer == notECT || inner == outer { return Decapsulation(ecn: inner) }
        if inner == notECT { return Decapsulation(ecn: notECT, isDrop: outer == ce, alarm: .broken) }
        if outer == ce { return Decapsulation(ecn: ce) }
        if inner == ce { return Decapsulation(ecn: ce, alarm: outer == ect1 ? .broken : .none) }
        return Decapsulation(ecn: ect1, alarm: inner == ect1 ? .unusual : .none)
    }

    /// Sets the ECN bits of the IP header at `header`, and puts the checksum of IPv4 right without reading the rest.
    /// Nothing but the first 12 bytes of IPv4 or the first 2 of IPv6 is touched; they must be there.
    @inlinable @inline(__always)
    public static func set(_ ecn: UInt8, header: UnsafeMutableRawPointer, isIPv6: Bool) {
        let first = UnsafeRawPointer(header).be16(0)
        // The traffic class of IPv6 stands four bits further to the left than the byte of IPv4.
        let shift: UInt16 = isIPv6 ? 4 : 0
        let changed = first & ~(3 &<< shift) | UInt16(ecn & mask) &<< shift
        if changed == first { return }
        header.set16(0, changed)
        if !isIPv6 { header.set16(10, Checksum.updated(UnsafeRawPointer(header).be16(10), from: first, to: changed)) }
    }

    /// Sets the ECN bits of the IP header of a parsed frame; a frame without one is left alone.
    @inlinable @inline(__always)
    public static func set(_ ecn: UInt8, frame: UnsafeMutableRawPointer, parsed: ParsedFrame) {
        if parsed.isIP { set(ecn, header: frame + parsed.networkOffset, isIPv6: parsed.isIPv6) }
    }
}
