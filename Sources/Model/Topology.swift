import Wire

/// The operator's file as a value: the whole cloud, of which each switch realises the part of its own host.
///
/// A topology that came from `load` has passed every check: names resolve, segments are unique, addresses fit.
/// One that was put together by hand has not.
public struct Topology: Sendable, Equatable {
    public var hosts: [Host]
    public var tenants: [Tenant]
    public var lab: LabSettings?

    public init(hosts: [Host] = [], tenants: [Tenant] = [], lab: LabSettings? = nil) {
        self.hosts = hosts
        self.tenants = tenants
        self.lab = lab
    }
}

/// A machine that runs a switch.
public struct Host: Sendable, Equatable {
    public var name: String
    public var mark: Mark
    /// The addresses that tunnels start and end on, at most one of each family. A pair of hosts talks IPv4 when both
    /// have it, IPv6 otherwise.
    public var vteps: [IPAddress]
    /// The provider networks that reach this host.
    public var physical: [Physical]
    public var underlay: Underlay
    public var underlayMark = Mark()
    /// Threads that forward; a flow has one of them.
    public var workers: Int
    public var workersMark = Mark()

    /// More than this wait for each other's caches.
    public static let workersRange = 1...16

    public init(
        name: String,
        vteps: [IPAddress] = [],
        physical: [Physical] = [],
        underlay: Underlay = .socket,
        workers: Int = 1,
        mark: Mark = Mark()
    ) {
        self.name = name
        self.vteps = vteps
        self.physical = physical
        self.underlay = underlay
        self.workers = workers
        self.mark = mark
    }

    /// The VTEP of one family.
    public func vtep(ipv6: Bool) -> IPAddress? { vteps.first { $0.isIPv6 == ipv6 } }

    /// The device on which this host meets a provider network.
    public func device(of physical: String) -> String? { self.physical.first { $0.name == physical }?.device }
}

/// A provider network on one host: its name in the file and the device that leads there.
public struct Physical: Sendable, Equatable {
    public var name: String
    public var device: String
    public var mark: Mark

    public init(name: String, device: String, mark: Mark = Mark()) {
        self.name = name
        self.device = device
        self.mark = mark
    }
}

/// How a host's tunnels reach the other hosts.
public enum Underlay: Sendable, Equatable {
    /// UDP and raw sockets in the host's namespace.
    case socket
    /// The VTEP's addresses live in the switch, behind an uplink TAP on a bridge of the host. `addresses` are VTEPs with the
    /// prefix in which the others are neighbours, one per family; without one everybody is a neighbour. `gateways` lead
    /// to the rest.
    case tap(String, bridge: String, addresses: [IPPrefix] = [], gateways: [IPAddress] = [])
    /// The same on a NIC or veth end that the switch has for itself.
    case device(String, addresses: [IPPrefix] = [], gateways: [IPAddress] = [])

    /// Whether the VTEP's addresses live in the switch.
    public var isUplink: Bool { self != .socket }

    /// The interface of the host that is the switch's alone.
    public var interface: String? {
        switch self {
        case .socket: nil
        case .tap(let name, _, _, _), .device(let name, _, _): name
        }
    }

    /// VTEPs in the switch with the prefix in which the others are neighbours.
    public var addresses: [IPPrefix] {
        switch self {
        case .socket: []
        case .tap(_, _, let addresses, _), .device(_, let addresses, _): addresses
        }
    }

    /// Who leads from there to the rest.
    public var gateways: [IPAddress] {
        switch self {
        case .socket: []
        case .tap(_, _, _, let gateways), .device(_, _, let gateways): gateways
        }
    }
}

extension Underlay: CustomStringConvertible {
    public var description: String {
        switch self {
        case .socket: "socket"
        case .tap(let tap, let bridge, _, _): "tap \(tap) on bridge \(bridge)" + place
        case .device(let device, _, _): "device \(device)" + place
        }
    }

    private var place: String {
        addresses.map { " as \($0)" }.joined() + gateways.map { " via \($0)" }.joined()
    }
}

/// How the hosts are joined when the file is brought up as a lab.
public struct LabSettings: Sendable, Equatable {
    public static let defaultMTU = 1500

    /// The subnets in which the hosts' VTEPs lie; none leaves the hosts apart. The file gives one or a list.
    public var underlays: [IPPrefix]
    /// The MTU of the underlay, in bytes.
    public var mtu: Int
    public var mark: Mark

    public init(underlays: [IPPrefix] = [], mtu: Int = LabSettings.defaultMTU, mark: Mark = Mark()) {
        self.underlays = underlays
        self.mtu = mtu
        self.mark = mark
    }
}

/// Someone with networks of their own. Names, addresses, MACs and VLAN ids mean nothing outside the tenant.
public struct Tenant: Sendable, Equatable {
    public var name: String
    public var mark: Mark
    public var networks: [Network]
    public var ports: [Port]
    public var routers: [Router]

    public init(
        name: String,
        networks: [Network] = [],
        ports: [Port] = [],
        routers: [Router] = [],
        mark: Mark = Mark()
    ) {
        self.name = name
        self.networks = networks
        self.ports = ports
        self.routers = routers
        self.mark = mark
    }
}
