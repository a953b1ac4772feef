/// What the running switch knows about an endpoint beyond its tables: the device behind it and how that fares.
public struct EndpointStatus: Codable, Sendable, Equatable {
    /// How the device behind an endpoint is doing.
    public enum State: String, Codable, Sendable, CaseIterable {
        /// Frames flow.
        case up
        /// The device exists but is not up.
        case down
        /// The device is not there; it is taken up again when it comes back.
        case missing
        /// The device is there but the switch could not take it; `detail` says why.
        case failed
    }

    /// The slot in the snapshot.
    public var slot: UInt32
    /// The name in the snapshot: `tenant/port`, a provider network's name, or a tunnel kind with its address.
    public var key: String
    /// The device that frames go through.
    public var device: String
    /// The namespace in which the tenant's end of the device lives; nil is the host's own.
    public var namespace: String?
    public var state: State
    /// A sentence about the state, empty when there is nothing to say.
    public var detail: String
    /// Interface index in the namespace where the switch holds it, or nil.
    public var interfaceIndex: Int?
    public var mac: String?
    /// Largest IP packet in bytes.
    public var mtu: Int?
    /// With prefix length, as configured.
    public var addresses: [String]

    public init(
        slot: UInt32,
        key: String,
        device: String,
        namespace: String? = nil,
        state: State,
        detail: String = "",
        interfaceIndex: Int? = nil,
        mac: String? = nil,
        mtu: Int? = nil,
        addresses: [String] = []
    ) {
        self.slot = slot
        self.key = key
        self.device = device
        self.namespace = namespace
        self.state = state
        self.detail = detail
        self.interfaceIndex = interfaceIndex
        self.mac = mac
        self.mtu = mtu
        self.addresses = addresses
    }
}
