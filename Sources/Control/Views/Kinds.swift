import Tables

/// What stands behind an endpoint, in words.
public enum EndpointKindName: String, Codable, Sendable, CaseIterable {
    /// A tenant's port.
    case port
    /// A provider network's device.
    case provider
    /// The UDP socket of VXLAN.
    case vxlan
    /// The raw socket of GRE.
    case gre
    /// The raw socket of another IP protocol: 4, 41 or 94.
    case ip
    /// The TAP or device by which the switch is in the underlay.
    case uplink

    init?(_ kind: UInt8) {
        switch kind {
        case EndpointKind.port: self = .port
        case EndpointKind.provider: self = .provider
        case EndpointKind.vxlan: self = .vxlan
        case EndpointKind.gre: self = .gre
        case EndpointKind.ip: self = .ip
        case EndpointKind.uplink: self = .uplink
        default: return nil
        }
    }
}

/// What carries a network between hosts, in words. Routers' tunnels are no networks.
public enum SegmentKindName: String, Codable, Sendable, CaseIterable {
    case local, flat, vlan, vxlan, gre

    init?(_ kind: UInt8) {
        switch kind {
        case SegmentKind.local: self = .local
        case SegmentKind.flat: self = .flat
        case SegmentKind.vlan: self = .vlan
        case SegmentKind.vxlan: self = .vxlan
        case SegmentKind.gre: self = .gre
        default: return nil
        }
    }
}
