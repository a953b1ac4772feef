import Netlink

/// Hears of the devices in tenants' namespaces without being in them: a socket or descriptor of ours inside would keep
/// a namespace alive that its owner has deleted, with our TAP in it.
final class NamespaceFollower {
    private let monitor: LinkMonitor
    private let netlink: Netlink
    private var identities: [Int32: NamespaceIdentity] = [:]

    /// Listens from `home`, where namespaces are given ids.
    init(home: NetworkNamespace) throws {
        monitor = try LinkMonitor(in: home, followsOthers: true)
        netlink = try Netlink(in: home)
    }

    var descriptor: Int32 { monitor.descriptor }

    func follow(_ namespace: NetworkNamespace) throws {
        identities[try netlink.follow(namespace)] = namespace.identity
    }

    /// What happened, and in which of the followed namespaces; nil where events were lost and it may be any of them.
    func drain() -> [(NamespaceIdentity?, LinkEvent)] {
        monitor.drainAll().compactMap { item in
            if item.event == .overrun { return (nil, .overrun) }
            guard let identity = item.namespaceID.flatMap({ identities[$0] }) else { return nil }
            return (identity, item.event)
        }
    }
}
