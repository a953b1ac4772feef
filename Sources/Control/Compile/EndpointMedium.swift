import Model
import Wire

/// What an endpoint's frames come from and go to.
public enum EndpointMedium: Hashable, Sendable {
    /// A TAP that is made; without a namespace it stays on the host, for a VM.
    case tap(name: String, namespace: String?)
    /// A veth pair that is made: `name` is the tenant's end, `ownEnd` the switch's, in the host's namespace.
    case veth(name: String, namespace: String?, ownEnd: String)
    /// An interface of the host that exists already.
    case device(String)
    /// The device that leads to a provider network.
    case provider(device: String)
    case vxlan(address: IPAddress, port: UInt16)
    case gre(address: IPAddress)
    case ip(address: IPAddress, EncapsulationProtocol)
    /// A TAP that is made and put into a bridge of the host.
    case uplink(tap: String, bridge: String)
    /// A device of the underlay that the switch has for itself.
    case uplinkDevice(String)

    init(_ attach: Attach, tenant: String, port: String) {
        switch attach {
        case .tap(_, let namespace): self = .tap(name: attach.interface, namespace: namespace)
        case .veth(let name, let namespace):
            self = .veth(name: name, namespace: namespace, ownEnd: Self.ownEnd(tenant: tenant, port: port))
        case .device(let name): self = .device(name)
        }
    }

    /// Whether its packet socket has a receive ring.
    var hasReceiveRing: Bool {
        switch self {
        case .veth, .device, .provider: true
        case .tap, .vxlan, .gre, .ip, .uplink, .uplinkDevice: false
        }
    }

    /// Reads `description` back, with what only the key knows.
    public init?(_ text: String, key: EndpointKey) {
        let kind = text.prefix { $0 != " " }
        let rest = text.dropFirst(kind.count + 1)
        switch (kind, key) {
        case ("tap", .port):
            guard let place = Place(rest) else { return nil }
            self = .tap(name: place.name, namespace: place.namespace)
        case ("veth", .port(let tenant, let port)):
            guard let place = Place(rest) else { return nil }
            self = .veth(
                name: place.name,
                namespace: place.namespace,
                ownEnd: Self.ownEnd(tenant: tenant, port: port)
            )
        case ("device", .port) where !rest.isEmpty: self = .device(String(rest))
        case ("device", .provider) where !rest.isEmpty: self = .provider(device: String(rest))
        case ("uplink", .uplink(let tap)):
            guard rest.hasPrefix("\(tap) on "), rest.count > tap.count + 4 else { return nil }
            self = .uplink(tap: tap, bridge: String(rest.dropFirst(tap.count + 4)))
        case ("device", .uplink(let name)) where rest == name: self = .uplinkDevice(name)
        case ("socket", .vxlan(let address, let port)): self = .vxlan(address: address, port: port)
        case ("socket", .gre(let address)): self = .gre(address: address)
        case ("socket", .ip(let address, let kind)): self = .ip(address: address, kind)
        default: return nil
        }
    }

    private struct Place {
        var name: String
        var namespace: String?

        /// `NAME` or `NAME netns NAMESPACE`. The kernel allows no spaces in interface names.
        init?(_ text: Substring) {
            name = String(text.prefix { $0 != " " })
            guard !name.isEmpty else { return nil }
            let rest = text.dropFirst(name.count)
            guard !rest.isEmpty else { return }
            guard rest.hasPrefix(" netns "), rest.count > 7 else { return nil }
            namespace = String(rest.dropFirst(7))
        }
    }

    /// The name of the switch's end of a port's veth pair: the same on every run, and short enough for an interface
    /// (15 bytes). 64 bits of hash in base 32, so that no two ports of a host will ever share one.
    public static func ownEnd(tenant: String, port: String) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        for byte in tenant.utf8 { add(byte) }
        add(0)
        for byte in port.utf8 { add(byte) }
        hash = (hash ^ hash >> 32) &* 0xD6E8_FEB8_6659_FD93
        hash ^= hash >> 32
        let digits = Array("0123456789abcdefghijklmnopqrstuv")
        var name = "sl"
        for i in 0..<13 { name.append(digits[Int(hash >> UInt64(5 * i) & 31)]) }
        return name
    }

    /// Whether the switch makes the interface, sets it up and removes it. Anything else is left as it was found.
    public var isMade: Bool {
        switch self {
        case .tap, .veth, .uplink: true
        case .device, .provider, .uplinkDevice, .vxlan, .gre, .ip: false
        }
    }

    /// The tenant's interface, or the device; nil for sockets.
    public var interface: String? {
        switch self {
        case .tap(let name, _), .veth(let name, _, _), .device(let name), .provider(let name),
            .uplink(let name, _), .uplinkDevice(let name):
            name
        case .vxlan, .gre, .ip: nil
        }
    }

    /// Where `interface` is; nil is the host's own namespace.
    public var namespace: String? {
        switch self {
        case .tap(_, let namespace), .veth(_, let namespace, _): namespace
        case .device, .provider, .vxlan, .gre, .ip, .uplink, .uplinkDevice: nil
        }
    }

    /// Things of which there is one, so that no two endpoints may have them at the same time.
    enum Claim: Hashable {
        case interface(String, namespace: String?)
        case socket(EndpointKey)
    }

    var claims: [Claim] {
        switch self {
        case .tap(let name, let namespace): [.interface(name, namespace: namespace)]
        case .veth(let name, let namespace, let ownEnd):
            [.interface(name, namespace: namespace), .interface(ownEnd, namespace: nil)]
        case .device(let name), .provider(let name), .uplink(let name, _), .uplinkDevice(let name):
            [.interface(name, namespace: nil)]
        case .vxlan(let address, let port): [.socket(.vxlan(address: address, port: port))]
        case .gre(let address): [.socket(.gre(address: address))]
        case .ip(let address, let kind): [.socket(.ip(address: address, kind))]
        }
    }
}

extension EndpointMedium: CustomStringConvertible {
    /// `tap eth0 netns red-web`, `tap vm0`, `veth db0 netns red-db`, `device eth3`, `uplink up0 on br0`, `socket`.
    public var description: String {
        switch self {
        case .tap(let name, let namespace): "tap \(name)" + (namespace.map { " netns \($0)" } ?? "")
        case .veth(let name, let namespace, _): "veth \(name)" + (namespace.map { " netns \($0)" } ?? "")
        case .device(let name), .provider(let name), .uplinkDevice(let name): "device \(name)"
        case .uplink(let tap, let bridge): "uplink \(tap) on \(bridge)"
        case .vxlan, .gre, .ip: "socket"
        }
    }
}
