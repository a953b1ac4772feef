extension Network {
    /// The bytes that the segment adds between the tenant's IP packet and the underlay's MTU: outer IP, tunnel headers
    /// and the inner Ethernet header. A VLAN tag costs the underlay nothing: Ethernet allows four bytes more for it.
    public func overhead(outerIPv6: Bool) -> Int {
        let ip = outerIPv6 ? 40 : 20
        let ethernet = 14
        return switch segment {
        case .vxlan: ip + 8 + 8 + ethernet
        case .gre: ip + 4 + 4 + ethernet
        case .local, .flat, .vlan: 0
        }
    }
}
