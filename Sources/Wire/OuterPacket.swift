/// Where things are in a frame that holds one whole IP packet with nothing unusual about its headers: what stands in front of
/// a tunnel packet where the switch is itself a station of the underlay.
@frozen
public struct OuterPacket: Equatable, Sendable {
    public let isIPv6: Bool
    /// The protocol or next header.
    public let `protocol`: UInt8
    /// From the first byte of the Ethernet header: the IP header, what follows it, and where its packet ends.
    public let network: Int
    public let transport: Int
    public let end: Int

    /// Nil if the frame is no unfragmented IP packet without options that is all there, or its header's checksum is wrong. A
    /// tag that only has a priority is none.
    @inlinable @inline(__always)
    public init?(_ bytes: UnsafeRawPointer, _ count: Int) {
        guard count >= HeaderLength.ethernet &+ HeaderLength.vlanTag else { return nil }
        let isTagged = bytes.be16(12) == EtherType.vlan && bytes.be16(14) & 0xFFF == 0
        let network = HeaderLength.ethernet &+ (isTagged ? HeaderLength.vlanTag : 0)
        let header = bytes + network
        let present = count &- network
        switch bytes.be16(network &- 2) {
        case EtherType.ipv4:
            guard present >= HeaderLength.ipv4, header.byte(0) == 0x45, header.be16(6) & 0x3FFF == 0,
                Checksum.isValid(ipv4Header: header, length: HeaderLength.ipv4)
            else { return nil }
            isIPv6 = false
            `protocol` = header.byte(9)
            transport = network &+ HeaderLength.ipv4
            end = network &+ Int(header.be16(2))
        case EtherType.ipv6:
            guard present >= HeaderLength.ipv6, header.byte(0) &>> 4 == 6 else { return nil }
            isIPv6 = true
            `protocol` = header.byte(6)
            transport = network &+ HeaderLength.ipv6
            end = transport &+ Int(header.be16(4))
        default: return nil
        }
        guard transport <= end, end <= count else { return nil }
        self.network = network
    }

    /// IPv4 as mapped address.
    @inlinable @inline(__always)
    public func source(_ bytes: UnsafeRawPointer) -> IPv6Address {
        isIPv6 ? bytes.ipv6(network &+ 8) : IPv6Address(mapping: bytes.ipv4(network &+ 12))
    }

    @inlinable @inline(__always)
    public func destination(_ bytes: UnsafeRawPointer) -> IPv6Address {
        isIPv6 ? bytes.ipv6(network &+ 24) : IPv6Address(mapping: bytes.ipv4(network &+ 16))
    }

    /// Type of service or traffic class.
    @inlinable @inline(__always)
    public func tos(_ bytes: UnsafeRawPointer) -> UInt8 {
        isIPv6 ? UInt8(truncatingIfNeeded: bytes.be16(network) &>> 4) : bytes.byte(network &+ 1)
    }
}
