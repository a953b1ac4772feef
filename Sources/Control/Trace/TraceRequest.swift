/// A frame that is to be walked through the live tables, and where it comes in: at a port (or provider device), or out
/// of a tunnel.
public struct TraceRequest: Codable, Sendable, Equatable {
    /// `tenant/port`, a provider network's name, or a router's tunnel, `tenant/router/tunnel`.
    public var port: String?
    /// Address of the remote VTEP that the frame comes from, instead of a port.
    public var vtep: String?
    /// The VXLAN network identifier it comes with.
    public var vni: UInt32?
    /// Or the GRE key.
    public var key: UInt32?
    /// Hexadecimal bytes from the destination MAC on (out of a router's tunnel, from the IP header on), or words as
    /// `FrameText` reads them.
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
        /// The remote VTEP that it goes to, or the far end of a router's tunnel.
        public var peer: String?
        /// The router's tunnel that it goes through, `tenant/router/tunnel`.
        public var tunnel: String?
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
    /// `drop`, `forward`, `flood`; at a router also `answer`, `taken`, `relay` or `hold`.
    public var verdict: String
    /// Why nothing leaves: the reason and its sentence.
    public var reason: String?
    public var sentence: String?
    /// The network or router's tunnel it came in by, if it got that far.
    public var network: String?
    /// The network or router's tunnel that a router sends it into.
    public var target: String?
    public var outputs: [Output]
    /// What goes back to the sender, if anything does.
    public var answer: Output?
}
