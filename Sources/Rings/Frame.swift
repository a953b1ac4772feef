import Wire

/// One frame in a buffer, with what its ingress knows about it. `bytes` points at the first byte that the ingress saw:
/// the Ethernet header on a port, the VXLAN or GRE header on the underlay. VLAN tags stand in the frame: ports whose
/// kernel takes them out put them back.
@frozen
public struct Frame {
    public var bytes: UnsafeMutableRawPointer
    /// Bytes present from `bytes`.
    public var length: Int
    public var offload: Offload
    /// The endpoint slot it came in by.
    public var endpoint: UInt32
    /// The outer source and destination of a tunnel packet, IPv4 as mapped address; zero on ports.
    public var outerSource: IPv6Address
    /// The outer type of service or traffic class (DSCP and ECN), for RFC 6040.
    public var outerTOS: UInt8
    /// Interface index on which the host received a tunnel packet.
    public var outerInterface: UInt32

    @inlinable
    public init(
        bytes: UnsafeMutableRawPointer,
        length: Int,
        offload: Offload = .none,
        endpoint: UInt32,
        outerSource: IPv6Address = IPv6Address(high: 0, low: 0),
        outerTOS: UInt8 = 0,
        outerInterface: UInt32 = 0
    ) {
        self.bytes = bytes
        self.length = length
        self.offload = offload
        self.endpoint = endpoint
        self.outerSource = outerSource
        self.outerTOS = outerTOS
        self.outerInterface = outerInterface
    }
}
