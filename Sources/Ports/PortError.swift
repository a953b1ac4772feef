import CLinux
import Glibc

/// Why an endpoint cannot be opened: what was being done to what, the system's answer, and what to do about it.
public struct PortError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was attempted: "create the TAP", "bind the VXLAN socket".
    public var operation: String
    /// The device or address that it was attempted on.
    public var object: String
    /// The errno.
    public var code: Int32
    /// What the operator can do; empty where nothing better than the system's words is known.
    public var advice: String

    public init(operation: String, object: String, code: Int32, advice: String = "") {
        self.operation = operation
        self.object = object
        self.code = code
        self.advice = advice
    }

    public var description: String {
        let reason = "cannot \(operation) \(object): \(String(cString: strerror(code)))"
        return advice.isEmpty ? reason : "\(reason). \(advice)"
    }
}

/// A descriptor while an endpoint is put together: closed again if a later step fails.
struct OpenDescriptor: ~Copyable {
    let value: Int32

    init(_ value: Int32) { self.value = value }

    deinit { Syscall.close(value) }

    /// Hands the descriptor to the caller.
    consuming func release() -> Int32 {
        let value = value
        discard self
        return value
    }
}

/// Runs the steps of one opening and names the one that failed.
struct OpeningSteps {
    let object: String
    let advise: (Int32) -> String

    /// - Parameter result: a count, a descriptor or a negative errno.
    @discardableResult
    func check(_ result: Int32, _ operation: String) throws(PortError) -> Int32 {
        guard result < 0 else { return result }
        throw PortError(operation: operation, object: object, code: -result, advice: advise(-result))
    }

    func set(_ fd: Int32, _ level: Int, _ name: Int, _ value: Int32, _ what: String) throws(PortError) {
        try check(Syscall.set(fd, level, name, value), what)
    }

    /// Makes a socket's buffers large: beyond the host's limit with CAP_NET_ADMIN, up to it without. They are limits,
    /// not reservations.
    func enlargeBuffers(_ fd: Int32, receive: Int32?, send: Int32?) {
        if let receive, Syscall.set(fd, LINUX_SOL_SOCKET, LINUX_SO_RCVBUFFORCE, receive) < 0 {
            _ = Syscall.set(fd, LINUX_SOL_SOCKET, LINUX_SO_RCVBUF, receive)
        }
        if let send, Syscall.set(fd, LINUX_SOL_SOCKET, LINUX_SO_SNDBUFFORCE, send) < 0 {
            _ = Syscall.set(fd, LINUX_SOL_SOCKET, LINUX_SO_SNDBUF, send)
        }
    }
}

/// What a socket may hold before it drops: a hundred super-frames in, half as many out.
enum SocketBuffer {
    static let receive: Int32 = 8 << 20
    static let send: Int32 = 4 << 20
    /// Some dozen ICMP messages.
    static let errors: Int32 = 64 << 10
}
