import Rings
import Tables
import Wire

// Tunnels of routers. They carry IP packets, and one that is taken out is where a packet is that came in by an interface
// of the router.

/// A packet of IP protocol 4, 41 or 94: there is no header between the outer and the inner one.
@inline(__always)
func decapsulateIP<R: Recorder>(
    _ frame: Frame,
    _ protocol: UInt8,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ recorder: inout R
) -> DropReason? {
    if snapshot.isTenantInterface(frame.outerInterface) { return .tunnelFromTenant }
    return enterIP(frame.endpoint, `protocol`, at: 0, &journey, snapshot, &recorder)
}

/// The same where the inner header stands `start` bytes behind the first.
@inline(__always)
func enterIP<R: Recorder>(
    _ way: UInt32,
    _ protocol: UInt8,
    at start: Int,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ recorder: inout R
) -> DropReason? {
    if `protocol` == IPProtocol.ka9qIPIP { return .ka9qIPIP }
    guard Int(journey.decision.contentLength) > start else { return .tunnelHeaderTruncated }
    let version = journey.content.byte(start) &>> 4
    if `protocol` == IPProtocol.ipv4 {
        guard version == 4 else { return .protocol4WithoutIPv4 }
        journey.decision.networkType = EtherType.ipv4
    } else {
        guard version == 6 else { return .protocol41WithoutIPv6 }
        journey.decision.networkType = EtherType.ipv6
    }
    recorder.note("decapsulate", "IP protocol \(`protocol`) from \(describeAddress(journey.outerSource))")
    journey.remove(tunnelHeader: start)
    return enterRoutedTunnel(way, key: 0, hasKey: false, &journey, snapshot)
}

/// An IP packet in GRE, whose header has been read and is `length` bytes long.
@inline(__always)
func decapsulatePacket<R: Recorder>(
    _ way: UInt32,
    _ header: GREHeader,
    at start: Int,
    _ journey: inout Journey,
    _ snapshot: Snapshot,
    _ recorder: inout R
) -> DropReason? {
    recorder.note(
        "decapsulate",
        "IP in GRE\(header.hasKey ? ", key \(header.key)," : "") from \(describeAddress(journey.outerSource))"
    )
    journey.remove(tunnelHeader: start + header.length)
    journey.decision.networkType = header.protocolType
    return enterRoutedTunnel(way, key: header.key, hasKey: header.hasKey, &journey, snapshot)
}

/// A tunnel has one far end: what comes from elsewhere is nobody's (RFC 4213 §3.6).
@inline(__always)
private func enterRoutedTunnel(
    _ way: UInt32,
    key: UInt32,
    hasKey: Bool,
    _ journey: inout Journey,
    _ snapshot: Snapshot
) -> DropReason? {
    let peer = snapshot.peer(journey.outerSource)
    guard peer != noSlot else { return .unknownPeer }
    let attachment = snapshot.tunnel(
        endpoint: way,
        peer: peer,
        key: hasKey ? key : 0,
        hasKey: hasKey
    )
    guard attachment != noSlot else { return hasKey ? .unknownKey : .unknownPeer }
    journey.enter(attachment, snapshot)
    return nil
}

/// Whether a packet out of a tunnel is a packet of that very tunnel again: between the same two ends, of a protocol that
/// carries packets. Such a one is not taken out again, and nobody else could mean it (CVE-2020-10136).
@inline(__always)
func isNestedTunnel(_ journey: Journey) -> Bool {
    let parsed = journey.parsed
    guard journey.decision.networkType != 0, parsed.isIP else { return false }
    switch parsed.protocol {
    case IPProtocol.ipv4, IPProtocol.ipv6, IPProtocol.gre, IPProtocol.ka9qIPIP: break
    default: return false
    }
    let header = journey.content
    let source = parsed.isIPv4 ? IPv6Address(mapping: header.ipv4(12)) : header.ipv6(8)
    return source == journey.outerSource
}
