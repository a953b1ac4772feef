/// What the kernel says about an interface, as far as an endpoint cares.
public struct LinkFacts: Sendable, Equatable {
    public var name: String
    public var index: UInt32
    /// Switched on (`IFF_UP`).
    public var isUp: Bool
    /// The other end of the cable is there too (`IFF_LOWER_UP`).
    public var hasCarrier: Bool
    /// In bytes.
    public var mtu: Int

    public init(name: String, index: UInt32, isUp: Bool, hasCarrier: Bool, mtu: Int) {
        self.name = name
        self.index = index
        self.isUp = isUp
        self.hasCarrier = hasCarrier
        self.mtu = mtu
    }
}

/// Something that happened to an endpoint's device.
public enum DeviceEvent: Sendable, Equatable {
    /// It was opened or made; nil where there is no interface to speak of (sockets) or nobody looked.
    case opened(LinkFacts?)
    /// It could not be opened or made.
    case openFailed(errno: Int32)
    /// It could not be made because its namespace does not exist.
    case namespaceMissing
    /// An interface of the watched namespace is new or different.
    case link(LinkFacts)
    /// An interface of the watched namespace was deleted or moved elsewhere.
    case gone(name: String, index: UInt32)
    /// All interfaces of the watched namespace, after events were lost.
    case resync([LinkFacts])
    /// The datapath could not go on with the descriptor.
    case endpointFailed(errno: Int32)
    /// The time that `DeviceAction.retryAfter` asked for is over.
    case retry
}

/// What is to be done about it.
public enum DeviceAction: Sendable, Equatable {
    /// Take the descriptor from the datapath and close it.
    case detach
    /// Open the device by its name, or make the interface again after removing what may be left of it; answer with
    /// `opened`, `openFailed` or `namespaceMissing`. The index is what the kernel last said, for the log.
    case open(index: UInt32?)
    /// Send `retry` when this time is over.
    case retryAfter(milliseconds: Int)
    /// For the log.
    case mtuChanged(from: Int, to: Int)
    /// For the log.
    case stateChanged(DeviceState)
}

/// How an endpoint's device is.
public enum DeviceState: Sendable, Hashable {
    case working
    /// There is no such interface.
    case missing
    /// There is, but it is switched off.
    case down
    /// Not even its namespace exists.
    case namespaceMissing
    case failed(errno: Int32)
}

extension DeviceState: CustomStringConvertible {
    /// One word, for columns and JSON; `EndpointDevice.text` has the sentence.
    public var description: String {
        switch self {
        case .working: "working"
        case .missing: "missing"
        case .down: "down"
        case .namespaceMissing: "namespace-missing"
        case .failed: "failed"
        }
    }
}
