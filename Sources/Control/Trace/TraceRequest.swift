/// A frame that is to be walked through the live tables, and where it comes in: at a port (or provider device), or out
/// of a tunnel.
public struct TraceRequest: Codable, Sendable, Equatable {
    /// `tenant/port`, or a provider network's name.
    public var port: String?
    /// Address of the remote VTEP that the frame comes from, instead of a port.
    public var vtep: String?
    /// The VXLAN network identifier it comes with.
    public var vni: UInt32?
    /// Or the GRE key.
    public var key: UInt32?
    /// Hexadecimal bytes from the destination MAC on, or words as `FrameText` reads them.
    public var frame: String

    public init(port: String, frame: String) {
        self.port = port
        self.frame = frame
    }

    public init(vtep: String, vni: UInt32? = nil, key: UInt32? = nil, frame: String) {
        self.vtep = vtep
        self.vni = vni
        self.key = key
        self.frame = frame
    }
}

/// What becomes of a frame, stage by stage.
public struct TraceView: Codable, Sendable, Equatable {
    public struct Line: Codable, Sendable, Equatable {
        public var stage: String
        public var text: String
    }

    /// A copy of the frame on its way out, or why that copy goes no further.
    public struct Output: Codable, Sendable, Equatable {
        /// The endpoint that it leaves by.
        public var endpoint: String
        public var kind: EndpointKindName
        /// The remote VTEP that it goes to.
        public var peer: String?
        /// The drop reason of this copy and its sentence.
        public var reason: String?
        public var sentence: String?
        /// The frame as it arrives there, without a tunnel header.
        public var summary: String
        /// The bytes that leave, from the tunnel header on, in hexadecimal; empty for a dropped copy.
        public var bytes: String
    }

    /// The frame as it came in.
    public var summary: String
    public var lines: [Line]
    /// `drop`, `forward` or `flood`.
    public var verdict: String
    /// Why nothing leaves: the reason and its sentence.
    public var reason: String?
    public var sentence: String?
    /// The network it belongs to, if it got that far.
    public var network: String?
    public var outputs: [Output]
}
