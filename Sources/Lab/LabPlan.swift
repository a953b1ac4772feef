import Wire

/// Everything that a lab makes, as a value: namespaces, bridges, cables between them, and hosts to start.
///
/// ```
///   LAB-fabric        underlay (bridge)          physnet1 (bridge)
///                      │          │               │         │
///   LAB-h1         underlay0      │              eth1       │          LAB-h2 likewise: the switch runs here
///                                 │                         │
///   red-web            the switch puts its TAPs and veths into the endpoints' namespaces
///   red-db             {device} ports: the lab makes eth0 here, and its other end in the host's namespace
/// ```
///
/// Every link has both ends in namespaces of the lab, so that removing the namespaces removes them all.
public struct LabPlan: Sendable, Equatable {
    public var name: String
    public var namespaces: [Namespace]
    public var bridges: [Bridge]
    public var cables: [Cable]
    public var hosts: [HostPlan]
    public var places: [Place]

    public struct Namespace: Sendable, Equatable {
        public enum Purpose: String, Sendable, Codable { case fabric, host, endpoint }
        public var name: String
        public var purpose: Purpose
    }

    /// A bridge that floods like a cable: no spanning tree, no multicast snooping, no address of its own.
    public struct Bridge: Sendable, Equatable {
        public var name: String
        public var namespace: String
        public var mtu: Int
    }

    /// A veth pair.
    public struct Cable: Sendable, Equatable {
        public var a: End
        public var b: End
    }

    public struct End: Sendable, Equatable {
        public var name: String
        public var namespace: String
        public var mtu: Int
        public var mac: MACAddress?
        public var addresses: [IPPrefix] = []
        public var gateways: [IPAddress] = []
        /// A bridge in the same namespace.
        public var bridge: String?
        /// No IPv6 link-local address, so that the kernel says nothing on it by itself.
        public var isSilent = true
    }

    /// A switch to start.
    public struct HostPlan: Sendable, Equatable {
        public var name: String
        public var namespace: String
        public var underlayMTU: Int
    }

    /// Where a port's tenant end is.
    public struct Place: Sendable, Equatable, Codable {
        public var tenant: String
        public var port: String
        public var host: String
        public var namespace: String
        public var interface: String
        public var addresses: [String]

        /// `tenant/port`.
        public var path: String { "\(tenant)/\(port)" }
    }
}
