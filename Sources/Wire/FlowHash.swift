/// A number per flow: the same for all frames of one flow, in one direction. It picks the outer source port of VXLAN
/// (RFC 7348 §5), so that the underlay spreads flows over paths and never reorders one.
public enum FlowHash {
    /// Hashes addresses, protocol and ports of IP; both MACs and the type of anything else. Ports are left out for every
    /// fragment, the first one included: all fragments of a datagram take one path. VLAN tags, flow labels, DSCP and
    /// anything else that may change within a flow have no say.
    ///
    /// - Parameters:
    ///   - frame: the bytes that `parsed` was read from.
    ///   - seed: secret, since tenants choose what is hashed.
    @inlinable
    public static func hash(_ frame: UnsafeRawPointer, _ parsed: ParsedFrame, seed: UInt64) -> UInt32 {
        let bits: UInt64
        if parsed.isIPv4 {
            let header = frame + parsed.networkOffset
            bits = KeyedHash.mix(header.be64(12), upper(parsed), seed: seed)
        } else if parsed.isIPv6 {
            let header = frame + parsed.networkOffset
            let source = KeyedHash.mix(header.be64(8), header.be64(16), seed: seed)
            let both = KeyedHash.mix(header.be64(24), header.be64(32) ^ source, seed: seed)
            bits = KeyedHash.mix(both, upper(parsed), seed: seed)
        } else {
            let types = UInt64(parsed.etherType) &<< 48
            bits = KeyedHash.mix(parsed.source.bits | types, parsed.destination.bits, seed: seed)
        }
        return UInt32(truncatingIfNeeded: bits ^ bits &>> 32)
    }

    /// Protocol and ports of what IP carries.
    @inlinable @inline(__always)
    static func upper(_ parsed: ParsedFrame) -> UInt64 {
        // A later IPv6 fragment may not show the protocol that the first one does: its extension headers may differ.
        if parsed.has(.fragment) { return parsed.isIPv6 ? 0 : UInt64(parsed.protocol) &<< 32 }
        return UInt64(parsed.protocol) &<< 32 | UInt64(parsed.sourcePort) &<< 16 | UInt64(parsed.destinationPort)
    }
}
