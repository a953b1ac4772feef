import Wire

/// A tenant's router: one table of routes, present on every host that has a port in one of its networks.
public struct Router: Sendable, Equatable {
    public var tenant: String
    public var name: String
    public var mark: Mark
    /// The address that the router has in all its networks on every host.
    public var mac: MACAddress
    /// Whether `mac` was computed from the names because the file gives none.
    public var macIsDefault: Bool
    public var interfaces: [RouterInterface]
    public var tunnels: [RouterTunnel]
    public var routes: [Route]
    public var reversePath: ReversePath

    /// A nil `mac` takes the default one.
    public init(
        tenant: String,
        name: String,
        mac: MACAddress? = nil,
        interfaces: [RouterInterface] = [],
        tunnels: [RouterTunnel] = [],
        routes: [Route] = [],
        reversePath: ReversePath = .strict,
        mark: Mark = Mark()
    ) {
        self.tenant = tenant
        self.name = name
        self.mac = mac ?? Router.defaultMAC(tenant: tenant, router: name)
        self.macIsDefault = mac == nil
        self.interfaces = interfaces
        self.tunnels = tunnels
        self.routes = routes
        self.reversePath = reversePath
        self.mark = mark
    }

    /// As of a port, from the two names; a port of the same name has another one.
    public static func defaultMAC(tenant: String, router: String) -> MACAddress {
        Port.defaultMAC(tenant: tenant, port: "router/\(router)")
    }
}

/// What a router asks of a packet's source address (RFC 3704).
public enum ReversePath: String, Sendable, CaseIterable {
    /// A route back must lead out by the interface that the packet came in by.
    case strict
    /// There must be a route back.
    case loose
    case off
}

/// A router's place in a network.
public struct RouterInterface: Sendable, Equatable {
    public var network: String
    /// With host bits, at least one: `10.0.0.1/24`.
    public var addresses: [IPPrefix]
    public var mark: Mark

    public init(network: String, addresses: [IPPrefix], mark: Mark = Mark()) {
        self.network = network
        self.addresses = addresses
        self.mark = mark
    }
}

/// A point-to-point tunnel that carries IP packets to a machine outside the file.
public struct RouterTunnel: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        /// IPv4 packets, IP protocol 4 (RFC 2003; over IPv6, RFC 2473).
        case ipip
        /// IPv6 packets, IP protocol 41 (RFC 4213; over IPv6, RFC 2473).
        case sit
        /// Both, in GRE (RFC 2784, RFC 2890).
        case gre

        /// Whether packets of a family can travel by it.
        public func carries(ipv6: Bool) -> Bool {
            switch self {
            case .ipip: !ipv6
            case .sit: ipv6
            case .gre: true
            }
        }
    }

    public var name: String
    public var kind: Kind
    /// The host on whose underlay it begins. It serves the router's networks on every host.
    public var host: String
    /// The host's VTEP of the remote's family.
    public var local: IPAddress
    public var remote: IPAddress
    /// GRE only; none is another tunnel than key 0.
    public var key: UInt32?
    /// GRE only: whether packets carry a checksum.
    public var checksum: Bool
    /// In bytes, of the packets inside; nil is computed from the underlay.
    public var mtu: Int?
    /// The router's own addresses on the tunnel; none makes it unnumbered.
    public var addresses: [IPPrefix]
    public var mark: Mark
    public var mtuMark: Mark

    public init(
        name: String,
        kind: Kind,
        host: String,
        local: IPAddress,
        remote: IPAddress,
        key: UInt32? = nil,
        checksum: Bool = false,
        mtu: Int? = nil,
        addresses: [IPPrefix] = [],
        mark: Mark = Mark(),
        mtuMark: Mark = Mark()
    ) {
        self.name = name
        self.kind = kind
        self.host = host
        self.local = local
        self.remote = remote
        self.key = key
        self.checksum = checksum
        self.mtu = mtu
        self.addresses = addresses
        self.mark = mark
        self.mtuMark = mtuMark
    }

    /// Bytes in front of the packet: outer IP header and GRE header.
    public var overhead: Int {
        let gre = kind == .gre ? 4 + (checksum ? 4 : 0) + (key == nil ? 0 : 4) : 0
        return (remote.isIPv6 ? 40 : 20) + gre
    }

    /// Whether packets of a family can travel by it.
    public func carries(ipv6: Bool) -> Bool { kind.carries(ipv6: ipv6) }
}

/// Where packets for a prefix go.
public struct Route: Sendable, Equatable {
    /// How many hops of equal cost a route may have.
    public static let maximumHops = 64

    public enum Action: Sendable, Equatable {
        /// To one of these, chosen by flow when there are several.
        case forward([Hop])
        /// Dropped without a word.
        case blackhole
        /// Dropped; the sender is told that the network cannot be reached.
        case unreachable
        /// Dropped; the sender is told that it is not allowed to.
        case prohibit
    }

    public enum Hop: Sendable, Equatable {
        /// A machine in one of the router's networks, or behind a numbered tunnel.
        case gateway(IPAddress)
        /// One of the router's tunnels, by name.
        case tunnel(String)
    }

    /// Without host bits.
    public var to: IPPrefix
    public var action: Action
    public var mark: Mark

    public init(to: IPPrefix, action: Action, mark: Mark = Mark()) {
        self.to = to
        self.action = action
        self.mark = mark
    }
}
