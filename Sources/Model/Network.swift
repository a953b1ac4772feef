import Wire

/// A broadcast domain of one tenant.
public struct Network: Sendable, Equatable {
    public static let defaultAgeing = 300
    /// Seconds that an address may stay learned without being seen.
    public static let ageingRange = 10...36_000
    /// How many addresses a limit may allow.
    public static let macLimitRange = 1...1_048_576
    /// The smallest MTU that IPv4 works with (RFC 791) up to the largest that a length field holds.
    public static let mtuRange = 68...65_535
    /// IPv6 needs this much of every link (RFC 8200 §5).
    public static let minimumIPv6MTU = 1280

    public var tenant: String
    public var name: String
    public var mark: Mark
    public var segment: Segment
    public var segmentMark: Mark
    /// Without host bits; they never overlap.
    public var subnets: [IPPrefix]
    /// In bytes, of the tenant's IP packets; nil is computed from the underlay, see `Topology.mtu`.
    public var mtu: Int?
    public var mtuMark: Mark
    /// Whether the tenant's own VLAN tags pass.
    public var vlanTransparent: Bool
    /// VTEPs outside the file.
    public var remotes: [IPAddress]
    public var learning: Bool
    /// In seconds; the file says `macAge`.
    public var ageing: Int
    public var unknownUnicast: UnknownUnicast
    /// The most addresses that may be learned in this network; nil leaves it to the table.
    public var macLimit: Int?
    public var linkLocal: LinkLocal

    public init(
        tenant: String,
        name: String,
        segment: Segment,
        subnets: [IPPrefix] = [],
        mtu: Int? = nil,
        vlanTransparent: Bool = false,
        remotes: [IPAddress] = [],
        learning: Bool = true,
        ageing: Int = Network.defaultAgeing,
        unknownUnicast: UnknownUnicast = .flood,
        macLimit: Int? = nil,
        linkLocal: LinkLocal = .drop,
        mark: Mark = Mark(),
        segmentMark: Mark = Mark(),
        mtuMark: Mark = Mark()
    ) {
        self.tenant = tenant
        self.name = name
        self.segment = segment
        self.subnets = subnets
        self.mtu = mtu
        self.vlanTransparent = vlanTransparent
        self.remotes = remotes
        self.learning = learning
        self.ageing = ageing
        self.unknownUnicast = unknownUnicast
        self.macLimit = macLimit
        self.linkLocal = linkLocal
        self.mark = mark
        self.segmentMark = segmentMark
        self.mtuMark = mtuMark
    }
}

/// What happens to a unicast frame whose destination nobody knows.
public enum UnknownUnicast: String, Sendable, CaseIterable { case flood, drop }

/// What happens to frames for 01:80:C2:00:00:00 to :0F, which IEEE 802.1Q §8.6.3 keeps on one link.
public enum LinkLocal: String, Sendable, CaseIterable { case drop, forward }

/// The tag in front of a VLAN id.
public enum VLANProtocol: String, Sendable, CaseIterable {
    /// Customer tag, EtherType 0x8100.
    case dot1Q = "802.1Q"
    /// Service tag, EtherType 0x88A8.
    case dot1ad = "802.1ad"
}

/// How a network's frames travel between hosts.
public enum Segment: Sendable, Equatable {
    public static let vlanRange = 1...4094
    /// RFC 7348 has 24 bits; 0 is kept free, since a header that nobody filled in says 0 too.
    public static let vniRange = 1...16_777_215
    public static let vxlanPort: UInt16 = 4789

    /// They do not: the ports of one host only.
    case local
    /// Untagged on a provider network.
    case flat(physical: String)
    /// Tagged on a provider network that many networks share.
    case vlan(physical: String, id: UInt16, protocol: VLANProtocol)
    /// VXLAN (RFC 7348); `port` is the UDP destination port.
    case vxlan(id: UInt32, port: UInt16)
    /// Ethernet in GRE with a key (RFC 2784, RFC 2890).
    case gre(key: UInt32)

    /// Whether frames travel between VTEPs.
    public var isTunnel: Bool {
        switch self {
        case .vxlan, .gre: true
        case .local, .flat, .vlan: false
        }
    }

    /// The provider network that carries it.
    public var physical: String? {
        switch self {
        case .flat(let physical), .vlan(let physical, _, _): physical
        case .local, .vxlan, .gre: nil
        }
    }
}

extension Segment: CustomStringConvertible {
    public var description: String {
        switch self {
        case .local: "local"
        case .flat(let physical): "flat on \(physical)"
        case .vlan(let physical, let id, let `protocol`):
            "vlan \(id) on \(physical)" + (`protocol` == .dot1Q ? "" : " (\(`protocol`.rawValue))")
        case .vxlan(let id, let port): "vxlan \(id)" + (port == Self.vxlanPort ? "" : " (UDP port \(port))")
        case .gre(let key): "gre \(key)"
        }
    }
}
