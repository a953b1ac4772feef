import CLinux

/// How the frames of one endpoint's queue ended. Every frame is counted once, a super-frame as one frame however many
/// packets it becomes; it failed if one of them did.
public struct TransmitResult: Sendable {
    /// Frames that left, and their bytes as the tenant sees them.
    public var frames: UInt32 = 0
    public var bytes: UInt64 = 0
    /// Of `frames`, those that left whole or were cut here.
    public var superFrames: UInt32 = 0
    /// The socket's or the device's queue is full.
    public var queueFull: UInt32 = 0
    /// Longer than the way there allows.
    public var tooBig: UInt32 = 0
    /// No route, no neighbour, forbidden by the host, or an ICMP error said so.
    public var unreachable: UInt32 = 0
    /// The device is down or gone.
    public var down: UInt32 = 0
    /// The kernel (or the endpoint, before it) finds the frame or its offloads inconsistent.
    public var refused: UInt32 = 0
    public var other: UInt32 = 0
    /// errno of the last failure.
    public var lastError: Int32 = 0

    public init() {}

    public var failures: UInt32 { queueFull &+ tooBig &+ unreachable &+ down &+ refused &+ other }

    @inline(__always)
    mutating func succeed(_ length: Int, isSuperFrame: Bool) {
        frames &+= 1
        bytes &+= UInt64(truncatingIfNeeded: length)
        if isSuperFrame { superFrames &+= 1 }
    }

    /// Counts one frame that failed with the errno `error`.
    mutating func fail(_ error: Int32) {
        lastError = error
        switch error {
        case EAGAIN, ENOBUFS, ENOMEM: queueFull &+= 1
        case EMSGSIZE: tooBig &+= 1
        case ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EHOSTDOWN, ECONNREFUSED, EACCES, EPERM: unreachable &+= 1
        case EIO, ENETDOWN, ENXIO, ENODEV, EBADFD, EBADF: down &+= 1
        case EINVAL, EAFNOSUPPORT, EDESTADDRREQ, EFAULT: refused &+= 1
        default: other &+= 1
        }
    }
}
