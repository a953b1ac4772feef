import Tables
import Wire

/// A cloud as a few lines: hosts, networks, ports and routers by name. Each host's tables are compiled from it in the
/// plainest way, so that tests of forwarding need neither files nor the compiler of the control process.
package struct TestCloud: Sendable {
    /// The prefix of underlay addresses: host 1 is 192.0.2.1 and 2001:db8:0:ffff::1.
    package static func underlay(_ host: Int, isIPv6: Bool = false) -> String {
        isIPv6 ? "2001:db8:0:ffff::\(host)" : "192.0.2.\(host)"
    }

    package enum Carrier: Equatable, Sendable {
        case local, vlan(UInt16), vxlan(UInt32), gre(UInt32)
    }

    package struct Network: Sendable {
        /// `tenant/network`, as all names here.
        package var name: String
        package var carrier: Carrier
        package var mtu: Int
        /// Tunnels go over IPv6.
        package var overIPv6 = false
        package var learns = true
        package var dropsUnknown = false
        package var isTransparent = false

        package init(_ name: String, _ carrier: Carrier, mtu: Int, overIPv6: Bool = false) {
            self.name = name
            self.carrier = carrier
            self.mtu = mtu
            self.overIPv6 = overIPv6
        }
    }

    package struct Port: Sendable {
        package var name: String
        /// From 1.
        package var host: Int
        package var network: String
        package var mac: String
        package var addresses: [String]
        package var mtu: Int
        /// The file knows its MAC and addresses.
        package var isTold: Bool

        package init(
            _ name: String,
            host: Int,
            _ network: String,
            mac: String,
            _ addresses: [String],
            mtu: Int,
            isTold: Bool = true
        ) {
            self.name = name
            self.host = host
            self.network = network
            self.mac = mac
            self.addresses = addresses
            self.mtu = mtu
            self.isTold = isTold
        }
    }

    package enum TunnelKind: Equatable, Sendable {
        case ipip, sit
        case gre(key: UInt32?, checksum: Bool)
    }

    package struct Tunnel: Sendable {
        package var name: String
        package var kind: TunnelKind
        /// Where it begins.
        package var host: Int
        package var remote: String
        package var mtu: Int
        /// With prefix lengths.
        package var addresses: [String]

        package init(
            _ name: String,
            _ kind: TunnelKind,
            host: Int = 1,
            to remote: String,
            mtu: Int,
            _ addresses: [String] = []
        ) {
            self.name = name
            self.kind = kind
            self.host = host
            self.remote = remote
            self.mtu = mtu
            self.addresses = addresses
        }
    }

    package enum Via: Hashable, Sendable {
        case gateway(String), tunnel(String)
        case blackhole, unreachable, prohibit
    }

    package struct Router: Sendable {
        package var name: String
        package var mac: String
        /// The addresses have prefix lengths.
        package var interfaces: [(network: String, addresses: [String])]
        package var tunnels: [Tunnel] = []
        package var routes: [(to: String, via: [Via])] = []
        /// `RouterRecord.strictReversePath`, `looseReversePath` or 0.
        package var reversePath = RouterRecord.strictReversePath

        package init(_ name: String, mac: String, _ interfaces: [(network: String, addresses: [String])]) {
            self.name = name
            self.mac = mac
            self.interfaces = interfaces
        }
    }

    package var hosts = 2
    package var networks: [Network] = []
    package var ports: [Port] = []
    package var routers: [Router] = []
    /// Largest packet on the way to any peer.
    package var pathMTU = 1500

    package init() {}

    package func network(_ name: String) -> Network { networks[index(of: name)] }

    package func index(of network: String) -> Int {
        guard let i = networks.firstIndex(where: { $0.name == network }) else {
            preconditionFailure("there is no network \(network)")
        }
        return i
    }

    /// Changes one of the routers.
    package mutating func change(_ router: String, _ body: (inout Router) -> Void) {
        for i in routers.indices where routers[i].name == router { body(&routers[i]) }
    }
}

/// What frames come in and go out by.
package enum Door: Hashable, Sendable, CustomStringConvertible {
    case port(String)
    case provider
    case vxlan, vxlan6, gre, gre6
    /// Of an IP protocol.
    case raw(Int), raw6(Int)

    package var description: String {
        switch self {
        case .port(let name): name
        case .provider: "provider"
        case .vxlan: "VXLAN"
        case .vxlan6: "VXLAN over IPv6"
        case .gre: "GRE"
        case .gre6: "GRE over IPv6"
        case .raw(let number): "protocol \(number)"
        case .raw6(let number): "protocol \(number) over IPv6"
        }
    }

    package var isIPv6: Bool {
        switch self {
        case .vxlan6, .gre6, .raw6: true
        default: false
        }
    }

    package static let tunnels: [Door] = [
        .vxlan, .vxlan6, .gre, .gre6, .raw(4), .raw6(4), .raw(41), .raw6(41), .raw(94), .raw6(94),
    ]
}

/// Where a network meets something.
package enum Place: Hashable, Sendable {
    case port(String)
    case provider(network: String)
    case vtep(host: Int, network: String)
    case router(String, String)
    /// The far end of a router's tunnel.
    case tunnel(String, String)
}
