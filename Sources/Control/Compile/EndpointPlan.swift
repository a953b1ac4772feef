import Model
import Wire

/// One endpoint as it should be: what to open or make, in which slot, and how to set it up.
public struct EndpointPlan: Sendable, Equatable {
    public var slot: UInt32
    public var generation: UInt16
    public var key: EndpointKey
    public var medium: EndpointMedium
    /// What to set on an interface that the switch makes. A TAP that is left on the host gets none: its address is that
    /// of whoever owns it.
    public var mac: MACAddress?
    /// In bytes. Set on an interface that the switch makes; expected of any other. A trunk gets the least of its
    /// networks', while its row in the snapshot has the most: what it may receive is what any of them carries.
    public var mtu: Int
    /// To be set on the interface; empty on interfaces that the switch does not make and on a TAP left on the host.
    public var addresses: [IPPrefix]
    /// Default routes to be set, at most one of each family.
    public var gateways: [IPAddress]
    /// One of its networks leaves by the host's VXLAN sockets.
    public var usesVXLANSocket: Bool
    /// The place in the file that asks for it.
    public var mark: Mark

    public init(
        slot: UInt32,
        generation: UInt16,
        key: EndpointKey,
        medium: EndpointMedium,
        mac: MACAddress? = nil,
        mtu: Int,
        addresses: [IPPrefix] = [],
        gateways: [IPAddress] = [],
        usesVXLANSocket: Bool = false,
        mark: Mark = Mark()
    ) {
        self.slot = slot
        self.generation = generation
        self.key = key
        self.medium = medium
        self.mac = mac
        self.mtu = mtu
        self.addresses = addresses
        self.gateways = gateways
        self.usesVXLANSocket = usesVXLANSocket
        self.mark = mark
    }

    /// Most segments of a super-frame that fit, each behind a VXLAN header, into one send with UDP_SEGMENT, which takes
    /// 65 507 bytes. A super-frame of one segment more costs a second send. Nil where it does not matter, or where so few
    /// would fit that a connection with smaller segments would suffer.
    public var superFrameSegments: Int? {
        let segment = mtu + HeaderLength.ethernet + HeaderLength.vxlan
        guard usesVXLANSocket, mtu > 0, 65_507 / segment >= 4 else { return nil }
        return 65_507 / segment
    }
}
