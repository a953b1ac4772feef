import CLinux
import Rings

/// What an endpoint is made of. The numbers travel between processes.
public enum PortKind: UInt32, Sendable, CaseIterable {
    case none = 0
    /// A TAP with a ten-byte virtio header.
    case tap = 1
    /// A packet socket on a device, with virtio headers.
    case packet = 2
    /// UDP sockets for VXLAN over IPv4 or IPv6.
    case vxlan4 = 3
    case vxlan6 = 4
    /// A raw socket for one IP protocol (GRE, IP in IP) over IPv4 or IPv6.
    case raw4 = 5
    case raw6 = 6
    /// Two rings in memory.
    case memory = 7
    /// A TAP on the underlay, with a 24-byte virtio header that can speak of tunnels.
    case uplink = 8
    /// A packet socket on a device of the underlay.
    case uplinkDevice = 9

    @inline(__always)
    var isTunnel: Bool { self == .vxlan4 || self == .vxlan6 || self == .raw4 || self == .raw6 }

    /// Descriptors that an endpoint of this kind consists of, in the order in which the opening functions return them. The
    /// second of an uplink is its `TunnelMark`, which stays as long as somebody holds it.
    public var descriptorCounts: ClosedRange<Int> {
        switch self {
        case .none, .memory: 0...0
        case .tap, .packet, .raw4, .raw6: 1...1
        case .uplink, .uplinkDevice: 1...2
        case .vxlan4: PortIO.both...PortIO.both
        case .vxlan6: PortIO.one...PortIO.one
        }
    }
}

/// The input and output of one endpoint: plain data, so that a worker holds all of them in one array. It does not own
/// its descriptors; whoever received them closes them with `closeDescriptors`.
public struct PortIO {
    /// Outer source ports that flows are spread over (RFC 7348 §5 asks for entropy).
    public static let transmitSockets = 8
    /// Sockets of VXLAN over IPv6, and over IPv4, where super-frames have sockets of their own.
    static let one = 1 + transmitSockets
    static let both = 1 + 2 * transmitSockets

    public enum Flags {
        /// UDP_SEGMENT does not work here: super-frames go as single datagrams. Set when the kernel says so.
        public static let noUDPSegments: UInt32 = 1
        /// A memory port that does what a socket would: checksums are completed and super-frames cut.
        public static let finishesOffloads: UInt32 = 2
        /// Tunnel packets are handed over as they were sent: segments of TCP are not put together again.
        public static let keepsSegments: UInt32 = 4
        /// The kernel takes no super-frames in tunnels from an uplink (before Linux 6.17): they are cut. Set when the kernel
        /// says so.
        public static let noTunnelSegments: UInt32 = 8
        /// A `TunnelMark` stands in the way: super-frames in GRE and IP in IP may leave an uplink whole, and a device's in
        /// VXLAN over IPv4 too.
        public static let marksTunnels: UInt32 = 16
    }

    public var kind: PortKind = .none
    public var flags: UInt32 = 0
    /// Where frames come from, for epoll; -1 where there is nothing to wait for.
    public var receiveDescriptor: Int32 = -1
    /// Frames to ask for first in a burst: small where super-frames arrive, so that each is dealt with by itself.
    @usableFromInline var receiveBatch: Int32 = Int32(PortIO.firstBatch)
    /// What a packet socket received, if it has a ring.
    var slots: PacketRing?
    /// What a tunnel's socket has lost, as far as it was counted.
    private var countedLosses: UInt32 = 0
    /// The IP protocol of a tunnel's socket: what its packets begin with.
    var ipProtocol: UInt8 = 0
    /// Sockets to send single datagrams by, then those to send super-frames by.
    @usableFromInline var transmit: InlineArray<16, Int32> = .init(repeating: -1)
    @usableFromInline var memoryIn: SPSCRing?
    @usableFromInline var memoryOut: SPSCRing?

    @usableFromInline static let firstBatch = 8

    /// An endpoint that nothing comes from and nothing goes to.
    public init() {}

    /// - Parameters:
    ///   - flags: `PortIO.Flags`.
    ///   - descriptors: as the opening function of that kind returned them.
    ///   - makesRing: whether a packet socket is to have a ring of `PacketRingLayout.size` bytes. One that it has already
    ///     is used in any case, since frames come there.
    /// - Returns: nil if their number is not the one that the kind has, or the kind lives in memory.
    public init?(kind: PortKind, flags: UInt32 = 0, descriptors: UnsafeBufferPointer<Int32>, makesRing: Bool = false) {
        guard kind != .memory, kind.descriptorCounts.contains(descriptors.count), descriptors.allSatisfy({ $0 >= 0 })
        else {
            return nil
        }
        self.kind = kind
        self.flags = flags
        guard let first = descriptors.first else { return }
        receiveDescriptor = first
        if kind.isTunnel { ipProtocol = UInt8(truncatingIfNeeded: max(0, Syscall.socketProtocol(first))) }
        if kind == .vxlan4 || kind == .vxlan6 {
            // What was sent with one call may come as one message (Linux 5.0). Asked for here, by who can take it apart:
            // the socket may be older than this program.
            let joins = flags & Flags.keepsSegments == 0
            _ = Syscall.set(first, LINUX_SOL_UDP, LINUX_UDP_GRO, joins ? 1 : 0)
        }
        // What was lost while nobody read cannot be told from what an earlier datapath has counted.
        if kind.isTunnel { countedLosses = Syscall.socketLosses(first) }
        if kind == .packet { slots = PacketRing(first, makes: makesRing) }
        let count = PortIO.transmitSockets
        for index in 0..<count {
            switch kind {
            case .none, .memory: break
            case .tap, .packet, .raw4, .raw6, .uplink, .uplinkDevice:
                transmit[index] = first
                transmit[count + index] = first
            case .vxlan4:
                transmit[index] = descriptors[1 + index]
                transmit[count + index] = descriptors[1 + count + index]
            case .vxlan6:
                // IPv6 always has a UDP checksum, so one socket can do both.
                transmit[index] = descriptors[1 + index]
                transmit[count + index] = descriptors[1 + index]
            }
        }
    }

    init(reading: SPSCRing, writing: SPSCRing, flags: UInt32) {
        kind = .memory
        self.flags = flags
        memoryIn = reading
        memoryOut = writing
    }

    /// The socket for single datagrams of flow `flow` (0 to 7).
    @inline(__always)
    func datagramSocket(_ flow: Int) -> Int32 { transmit[flow & 7] }

    /// The socket for super-frames of flow `flow` (0 to 7).
    @inline(__always)
    func segmentSocket(_ flow: Int) -> Int32 { transmit[8 &+ (flow & 7)] }

    /// How much came and was not handed over since this was asked before: the worker was too slow, or stopped, and the
    /// kernel had no room. Of a UDP socket it is also datagrams with a wrong checksum: the kernel counts both as one.
    /// Packets that the kernel had put together count as one.
    public mutating func takeLosses() -> UInt32 {
        switch kind {
        case .none, .memory, .tap, .uplink:
            // A TAP's own device counts what its queue has no room for.
            return 0
        case .packet, .uplinkDevice:
            return Syscall.takePacketLosses(receiveDescriptor)
        case .vxlan4, .vxlan6, .raw4, .raw6:
            let losses = Syscall.socketLosses(receiveDescriptor)
            defer { countedLosses = losses }
            return losses &- countedLosses
        }
    }

    /// Whether a packet socket leaves what it receives in a ring.
    public var hasRing: Bool { slots != nil }

    /// Lets go of the ring. Nobody may read from the endpoint any more.
    public func unmapRing() { slots?.unmap() }

    /// Closes everything that the endpoint is made of, each descriptor once.
    public func closeDescriptors() {
        unmapRing()
        if receiveDescriptor >= 0 { Syscall.close(receiveDescriptor) }
        guard kind == .vxlan4 || kind == .vxlan6 else { return }
        for index in 0..<(kind.descriptorCounts.upperBound - 1) { Syscall.close(transmit[index]) }
    }
}
