import Wire

/// What the control process and the datapath say to each other: one fixed record per message of their SOCK_SEQPACKET
/// socket, with descriptors beside it where the kind says so. Both ends come from one build; `version` tells them apart
/// when they do not.
@frozen
public struct Command: Equatable, Sendable {
    public enum Kind {
        /// Control → datapath: first message. Answered with `welcome`, then an `endpoint` for each attached endpoint
        /// (with its descriptors), each `state` and `snapshot` (with theirs) if there are any, and `done`.
        public static let hello: UInt32 = 1
        /// `value` is the process, `wide` the generation that it forwards by, `extra` the number of its workers.
        public static let welcome: UInt32 = 2
        /// Counters and learned addresses of worker `slot` live in this memory (1 descriptor). Only before the first
        /// endpoint. What no worker needs is kept for the next control process.
        public static let state: UInt32 = 3
        /// `slot` is served by these descriptors from now on; `value` is the port kind, `extra` its flags.
        public static let endpoint: UInt32 = 4
        /// `slot` is no longer served. Its descriptors are closed.
        public static let detach: UInt32 = 5
        /// Forward by this snapshot (1 descriptor) of generation `wide`.
        public static let snapshot: UInt32 = 6
        /// Forget learned addresses: of segment `slot`, or of all where it is `UInt32.max`.
        public static let flush: UInt32 = 7
        /// Copy frames into the rings in this memory (1 descriptor): one for each worker, of equal size, in their order.
        /// `slot` is the session, `value` a
        /// `CaptureFilter` kind, `extra` its endpoint or segment, `wide` the longest part of a frame to keep.
        public static let capture: UInt32 = 8
        public static let captureStop: UInt32 = 9
        /// Answered with `done` carrying the same `wide`, when everything said before is in force.
        public static let sync: UInt32 = 10
        public static let done: UInt32 = 11
        /// Datapath → control, at any time: `slot` stopped working with errno `value`.
        public static let endpointFailed: UInt32 = 12
        /// Datapath → control: the command of kind `slot` was refused with errno `value`.
        public static let refused: UInt32 = 13
    }

    public static let protocolVersion: UInt32 = 3
    /// In `wide` of `endpoint`: send there at once, but do not read before the next snapshot.
    public static let untilSnapshot: UInt64 = 1

    public var kind: UInt32
    public var slot: UInt32
    public var value: UInt32
    public var extra: UInt32
    public var wide: UInt64
    public var version: UInt32
    public var reserved: UInt32 = 0

    public init(_ kind: UInt32, slot: UInt32 = 0, value: UInt32 = 0, extra: UInt32 = 0, wide: UInt64 = 0) {
        self.kind = kind
        self.slot = slot
        self.value = value
        self.extra = extra
        self.wide = wide
        self.version = Command.protocolVersion
    }
}

/// Which frames a capture session keeps.
public enum CaptureFilter {
    /// Everything that enters or leaves one endpoint.
    public static let endpoint: UInt32 = 1
    /// Every frame of one segment, once, as its sender meant it; what a router sends into it, as it leaves.
    public static let segment: UInt32 = 2
    /// Every frame that was dropped; of one endpoint unless `extra` is `UInt32.max`.
    public static let drops: UInt32 = 3
    /// Everything that enters or leaves any endpoint.
    public static let all: UInt32 = 4
}

/// The head of a captured frame in a capture ring; the kept bytes follow.
@frozen
public struct CaptureHeader: Sendable {
    /// Nanoseconds since 1970.
    public var time: UInt64
    public var endpoint: UInt32
    public var segment: UInt32
    /// Bytes that follow, and bytes that the frame had.
    public var kept: UInt32
    public var length: UInt32
    /// The drop reason, or 0.
    public var reason: UInt8
    /// 1 for a frame that leaves, 0 for one that enters.
    public var outgoing: UInt8
    /// 1 for a bare IP packet, 0 for an Ethernet frame.
    public var isPacket: UInt16
    public var reserved2: UInt32 = 0

    public init(
        time: UInt64,
        endpoint: UInt32,
        segment: UInt32,
        kept: UInt32,
        length: UInt32,
        reason: UInt8,
        outgoing: UInt8,
        isPacket: Bool
    ) {
        self.time = time
        self.endpoint = endpoint
        self.segment = segment
        self.kept = kept
        self.length = length
        self.reason = reason
        self.outgoing = outgoing
        self.isPacket = isPacket ? 1 : 0
    }
}
