import Control
import Glibc
import Netlink
import Ports
import Wire

/// An endpoint whose device exists and whose descriptors are open here.
final class OpenedEndpoint {
    /// What the file says about it now.
    var plan: EndpointPlan
    let kind: PortKind
    /// `PortIO.Flags` for the datapath.
    let flags: UInt32
    /// Ours, kept as long as the endpoint is served: a TAP keeps its carrier even while the datapath is restarted.
    let descriptors: [Int32]
    /// The interface that is watched, and where; nil for sockets. Tenants' namespaces are only followed: `watched` would
    /// keep them alive.
    let interface: LinkFacts?
    let watched: NetworkNamespace?
    let followed: NamespaceIdentity?
    /// Whether everything that arrives at the interface is tenants': no tunnel packet may come from there.
    let isTenants: Bool
    /// What the operator should know beside the state.
    let remark: String

    init(
        plan: EndpointPlan,
        kind: PortKind,
        flags: UInt32 = 0,
        descriptors: [Int32],
        interface: LinkFacts? = nil,
        watched: NetworkNamespace? = nil,
        followed: NamespaceIdentity? = nil,
        isTenants: Bool = false,
        remark: String = ""
    ) {
        self.plan = plan
        self.kind = kind
        self.flags = flags
        self.descriptors = descriptors
        self.interface = interface
        self.watched = watched
        self.followed = followed
        self.isTenants = isTenants
        self.remark = remark
    }

    /// Where the interface is.
    var location: NamespaceIdentity? { watched?.identity ?? followed }

    deinit { descriptors.forEach { close($0) } }
}

extension LinkFacts {
    init(_ link: Link) {
        self.init(
            name: link.name,
            index: UInt32(link.index),
            isUp: link.isUp,
            hasCarrier: link.hasCarrier,
            mtu: link.mtu
        )
    }
}
