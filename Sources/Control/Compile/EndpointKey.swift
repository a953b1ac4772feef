import Model
import Tables
import Wire

/// IP protocols that a raw socket other than GRE's receives. In /etc/protocols, `ipip` is KA9Q's: numbers are what counts.
public enum EncapsulationProtocol: UInt8, Sendable, CaseIterable {
    /// IPv4 in IP (RFC 2003).
    case ipip = 4
    /// IPv6 in IP (RFC 4213, RFC 2473).
    case sit = 41
    /// KA9Q's IP within IP. It is heard so that its packets are counted, and never sent.
    case ka9q = 94

    var name: String { "\(self)" }
}

/// What an endpoint slot is given to: the name under which an endpoint is known from one configuration to the next.
public enum EndpointKey: Hashable, Sendable {
    case port(tenant: String, name: String)
    /// A provider network.
    case provider(String)
    /// One of the host's VTEP addresses, with the UDP port.
    case vxlan(address: IPAddress, port: UInt16)
    case gre(address: IPAddress)
    /// The same for packets of another IP protocol.
    case ip(address: IPAddress, EncapsulationProtocol)
    /// The TAP or device by which the switch itself is in the underlay.
    case uplink(String)

    /// The key that a snapshot's row was compiled from; nil for a free slot and for a name that is none.
    public init?(record: EndpointRecord, in snapshot: Snapshot) {
        let name = snapshot.text(record.name)
        switch record.kind {
        case EndpointKind.port: self.init(port: name)
        case EndpointKind.provider: self = .provider(name)
        case EndpointKind.vxlan, EndpointKind.gre, EndpointKind.ip, EndpointKind.uplink: self.init(tunnel: name)
        default: return nil
        }
    }

    /// Nil for endpoints that many tenants share.
    public var tenant: String? {
        if case .port(let tenant, _) = self { tenant } else { nil }
    }

    private init?(port text: String) {
        guard let slash = text.firstIndex(of: "/") else { return nil }
        self = .port(tenant: String(text[..<slash]), name: String(text[text.index(after: slash)...]))
    }

    private init?(tunnel text: String) {
        if text.hasPrefix("uplink "), text.utf8.count > 7 {
            self = .uplink(String(text.dropFirst(7)))
        } else if text.hasPrefix("gre ") {
            guard let address = IPAddress(String(text.dropFirst(4))) else { return nil }
            self = .gre(address: address)
        } else if text.hasPrefix("vxlan "), let colon = text.lastIndex(of: ":") {
            var host = text[..<colon].dropFirst(6)
            if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
            guard let address = IPAddress(String(host)), let port = UInt16(text[text.index(after: colon)...]) else {
                return nil
            }
            self = .vxlan(address: address, port: port)
        } else {
            let word = text.prefix { $0 != " " }
            guard let kind = EncapsulationProtocol.allCases.first(where: { $0.name == word }),
                let address = IPAddress(String(text.dropFirst(word.count + 1)))
            else { return nil }
            self = .ip(address: address, kind)
        }
    }
}

extension EndpointKey: CustomStringConvertible, LosslessStringConvertible {
    /// Reads `description` back. Names of tenants hold no slash and those of provider networks no space, as the file
    /// demands.
    public init?(_ text: String) {
        if text.contains(" ") {
            self.init(tunnel: text)
        } else if text.contains("/") {
            self.init(port: text)
        } else if !text.isEmpty {
            self = .provider(text)
        } else {
            return nil
        }
    }

    /// `red/web`, `physnet1`, `vxlan 192.0.2.1:4789`, `vxlan [2001:db8::1]:4789`, `gre 192.0.2.1`, `ipip 192.0.2.1`
    /// (protocol 4), `sit 192.0.2.1` (41), `ka9q 192.0.2.1` (94), `uplink up0`.
    public var description: String {
        switch self {
        case .port(let tenant, let name): "\(tenant)/\(name)"
        case .provider(let name): name
        case .vxlan(let address, let port): address.isIPv6 ? "vxlan [\(address)]:\(port)" : "vxlan \(address):\(port)"
        case .gre(let address): "gre \(address)"
        case .ip(let address, let kind): "\(kind.name) \(address)"
        case .uplink(let name): "uplink \(name)"
        }
    }
}

/// What a segment slot is given to: a network, or a router's tunnel.
public struct SegmentKey: Hashable, Sendable {
    public var tenant: String
    /// The network, or `router/tunnel`.
    public var network: String

    public init(tenant: String, network: String) {
        self.tenant = tenant
        self.network = network
    }

    /// That of the underlay behind an uplink. No tenant has the empty name.
    public static let underlay = SegmentKey(tenant: "", network: "underlay")

    public init(tenant: String, router: String, tunnel: String) {
        self.init(tenant: tenant, network: "\(router)/\(tunnel)")
    }
}

extension SegmentKey: CustomStringConvertible, LosslessStringConvertible {
    public init?(_ text: String) {
        guard let slash = text.firstIndex(of: "/") else { return nil }
        self.init(tenant: String(text[..<slash]), network: String(text[text.index(after: slash)...]))
    }

    public var description: String { "\(tenant)/\(network)" }
}

/// What a router slot is given to.
public struct RouterKey: Hashable, Sendable {
    public var tenant: String
    public var router: String

    /// That of the underlay's.
    public static let underlay = RouterKey(tenant: "", router: "underlay")

    public init(tenant: String, router: String) {
        self.tenant = tenant
        self.router = router
    }
}

extension RouterKey: CustomStringConvertible, LosslessStringConvertible {
    public init?(_ text: String) {
        guard let slash = text.firstIndex(of: "/") else { return nil }
        self.init(tenant: String(text[..<slash]), router: String(text[text.index(after: slash)...]))
    }

    public var description: String { "\(tenant)/\(router)" }
}
