import CNetlink
import Wire

/// What the kernel says about one device.
public struct Link: Hashable, Sendable {
    /// The other end of a veth, or the device below.
    public struct Peer: Hashable, Sendable {
        public var index: Int32
        /// The kernel's id of the peer's namespace as seen from this one; nil when it is this one.
        public var namespaceID: Int32?

        public init(index: Int32, namespaceID: Int32?) {
            self.index = index
            self.namespaceID = namespaceID
        }
    }

    public var index: Int32
    public var name: String
    /// Zero for devices without an Ethernet address.
    public var mac: MACAddress
    /// In bytes, without the Ethernet header.
    public var mtu: Int
    /// `IFF_*` (netdevice(7)).
    public var flags: UInt32
    /// "veth", "tun", "bridge", "vxlan"…; empty for hardware and loopback.
    public var kind: String
    /// The bridge or bond that holds it.
    public var master: Int32?
    public var peer: Peer?
    public var transmitQueueLength: Int

    /// `IFF_UP`.
    static let upFlag: UInt32 = 0x1

    /// Switched on by the administrator (`IFF_UP`).
    public var isUp: Bool { flags & Self.upFlag != 0 }
    /// The layer below is there (`IFF_LOWER_UP`): a cable, a veth's other end up, a TAP's owner.
    public var hasCarrier: Bool { flags & 0x10000 != 0 }
    public var isLoopback: Bool { flags & 0x8 != 0 }

    public init(
        index: Int32,
        name: String,
        mac: MACAddress = .zero,
        mtu: Int = 1500,
        flags: UInt32 = 0,
        kind: String = "",
        master: Int32? = nil,
        peer: Peer? = nil,
        transmitQueueLength: Int = 1000
    ) {
        self.index = index
        self.name = name
        self.mac = mac
        self.mtu = mtu
        self.flags = flags
        self.kind = kind
        self.master = master
        self.peer = peer
        self.transmitQueueLength = transmitQueueLength
    }

    /// Reads RTM_NEWLINK or RTM_DELLINK. Nil for other messages and for those of one family only: a bridge tells of
    /// its ports by AF_BRIDGE messages, where "deleted" means "left the bridge".
    init?(_ message: Message) {
        guard let info = message.body(as: ifinfomsg.self), info.ifi_family == 0 else { return nil }
        let size = MemoryLayout<ifinfomsg>.size
        func attribute(_ type: Int) -> Attribute? { message.attribute(type, after: size) }
        self.init(
            index: info.ifi_index,
            name: attribute(Int(IFLA_IFNAME))?.text ?? "",
            mac: attribute(Int(IFLA_ADDRESS))?.mac ?? .zero,
            mtu: Int(attribute(Int(IFLA_MTU))?.load(as: UInt32.self) ?? 0),
            flags: info.ifi_flags,
            kind: attribute(Int(IFLA_LINKINFO))?.nested(Int(IFLA_INFO_KIND))?.text ?? "",
            master: attribute(Int(IFLA_MASTER))?.load(as: Int32.self),
            transmitQueueLength: Int(attribute(Int(IFLA_TXQLEN))?.load(as: UInt32.self) ?? 0)
        )
        if let below = attribute(Int(IFLA_LINK))?.load(as: Int32.self), below != 0 {
            let namespace = attribute(Int(IFLA_LINK_NETNSID))?.load(as: Int32.self)
            peer = Peer(index: below, namespaceID: namespace.flatMap { $0 < 0 ? nil : $0 })
        }
    }
}
