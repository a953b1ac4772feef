import Wire

/// A place where one tenant's frames enter and leave the switch.
public struct Port: Sendable, Equatable {
    public var tenant: String
    public var name: String
    public var mark: Mark
    public var host: String
    public var membership: Membership
    /// As written, with host bits: `10.0.0.11/24`. On a trunk they belong to the untagged network.
    public var addresses: [IPPrefix]
    public var mac: MACAddress
    /// Whether `mac` was computed from the names because the file gives none.
    public var macIsDefault: Bool
    /// Default routes, at most one of each family; `none` in the file for none.
    public var gateway: [IPAddress]
    /// Whether `gateway` is the network's only router in the port's subnet because the file gives none.
    public var gatewayIsDefault: Bool
    /// In bytes; nil is the network's.
    public var mtu: Int?
    public var attach: Attach
    public var attachMark: Mark

    /// A nil `mac` takes the default one.
    public init(
        tenant: String,
        name: String,
        host: String,
        membership: Membership,
        addresses: [IPPrefix] = [],
        mac: MACAddress? = nil,
        gateway: [IPAddress] = [],
        gatewayIsDefault: Bool = false,
        mtu: Int? = nil,
        attach: Attach,
        mark: Mark = Mark(),
        attachMark: Mark = Mark()
    ) {
        self.tenant = tenant
        self.name = name
        self.host = host
        self.membership = membership
        self.addresses = addresses
        self.mac = mac ?? Port.defaultMAC(tenant: tenant, port: name)
        self.macIsDefault = mac == nil
        self.gateway = gateway
        self.gatewayIsDefault = gatewayIsDefault
        self.mtu = mtu
        self.attach = attach
        self.mark = mark
        self.attachMark = attachMark
    }

    /// A locally administered unicast address that depends on nothing but the two names, so that a port keeps its
    /// address over restarts, hosts and releases: FNV-1a, stirred so that every input bit reaches the low 48.
    public static func defaultMAC(tenant: String, port: String) -> MACAddress {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        for byte in tenant.utf8 { add(byte) }
        add(0)
        for byte in port.utf8 { add(byte) }
        hash = (hash ^ hash >> 33) &* 0xFF51_AFD7_ED55_8CCD
        hash ^= hash >> 33
        return MACAddress(bits: hash & 0xFCFF_FFFF_FFFF | 0x0200_0000_0000)
    }
}

/// The networks that a port is in.
public enum Membership: Sendable, Equatable {
    /// One network, untagged.
    case access(network: String)
    /// Several, told apart by the VLAN tag that the tenant sends.
    case trunk(untagged: String?, tagged: [TaggedNetwork])

    /// The network of untagged frames.
    public var untagged: String? {
        switch self {
        case .access(let network): network
        case .trunk(let untagged, _): untagged
        }
    }

    /// All of them.
    public var networks: [String] {
        switch self {
        case .access(let network): [network]
        case .trunk(let untagged, let tagged): (untagged.map { [$0] } ?? []) + tagged.map(\.network)
        }
    }

    /// The networks behind tags; none on an access port.
    public var tagged: [TaggedNetwork] {
        switch self {
        case .access: []
        case .trunk(_, let tagged): tagged
        }
    }
}

/// One network of a trunk.
public struct TaggedNetwork: Sendable, Equatable {
    /// 1 to 4094, and the port's alone: it need not be the network's own VLAN id.
    public var vid: UInt16
    public var network: String

    public init(vid: UInt16, network: String) {
        self.vid = vid
        self.network = network
    }
}

/// What a port is made of.
public enum Attach: Sendable, Equatable {
    /// The name of a TAP inside a namespace when the file gives none.
    public static let defaultInterface = "eth0"

    /// A TAP that the switch makes, on the host for a VM or moved into a namespace. Never nil in both.
    case tap(name: String?, namespace: String?)
    /// A veth pair that the switch makes; `name` is the tenant's end.
    case veth(name: String, namespace: String?)
    /// An interface that exists already.
    case device(String)

    /// The namespace in which the tenant's interface ends up; nil is the host's own.
    public var namespace: String? {
        switch self {
        case .tap(_, let namespace), .veth(_, let namespace): namespace
        case .device: nil
        }
    }

    /// The name of the tenant's interface there.
    public var interface: String {
        switch self {
        case .tap(let name, _): name ?? Self.defaultInterface
        case .veth(let name, _), .device(let name): name
        }
    }
}

extension Attach: CustomStringConvertible {
    public var description: String {
        let (kind, name): (String, String?) =
            switch self {
            case .tap(let name, _): ("tap", name)
            case .veth(let name, _): ("veth", name)
            case .device(let name): ("device", name)
            }
        let parts = [name.map { "\(kind): \($0)" }, namespace.map { "netns: \($0)" }].compactMap { $0 }
        return "{\(parts.joined(separator: ", "))}"
    }
}
