import CLinux
import Glibc

/// Which namespace it is, whatever path or descriptor it was reached by.
public struct NamespaceIdentity: Hashable, Sendable, Codable {
    /// `st_dev` of the nsfs file.
    public var device: UInt64
    /// `st_ino` of the nsfs file; `/proc/PID/ns/net` shows it.
    public var inode: UInt64

    public init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }

    init?(descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        self.init(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    /// The namespace behind a path such as `/run/netns/red` or `/proc/7/ns/net`; nil when there is none.
    public init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }
}

/// An open network namespace. It lives at least as long as this object.
///
/// Network namespaces belong to threads, so `run` is synchronous: the body runs on the calling thread, which is back
/// where it was when `run` returns.
public final class NetworkNamespace: Sendable {
    /// The descriptor of the namespace; closed with the object.
    public let descriptor: Int32
    /// The name or path it was opened by; nil for the current and for anonymous ones.
    public let name: String?
    /// Which namespace it is.
    public let identity: NamespaceIdentity

    private static let ofThisThread = "/proc/thread-self/ns/net"

    init(descriptor: Int32, name: String?) {
        self.descriptor = descriptor
        self.name = name
        // fstat of an open descriptor fails only when we closed it ourselves.
        self.identity = NamespaceIdentity(descriptor: descriptor)!
    }

    deinit { close(descriptor) }

    /// Opens `/run/netns/NAME`, or the file itself when `name` is an absolute path such as `/proc/7/ns/net`.
    public convenience init(named name: String) throws(NetlinkError) {
        let descriptor = try Self.open(try Self.path(of: name), for: "network namespace \(name)")
        guard linux_namespace_type(descriptor) == Int32(LINUX_CLONE_NEWNET) else {
            close(descriptor)
            throw NetlinkError("open", "network namespace \(name)", errno: EINVAL, advice: "That file is none")
        }
        self.init(descriptor: descriptor, name: name)
    }

    /// The calling thread's own.
    public static func current() throws(NetlinkError) -> NetworkNamespace {
        NetworkNamespace(descriptor: try open(ofThisThread, for: "the current network namespace"), name: nil)
    }

    /// A fresh one without a name, with its loopback up; the kernel takes it down, and all devices in it, when the
    /// last descriptor and process have left it.
    public static func anonymous() throws(NetlinkError) -> NetworkNamespace {
        try fresh { () throws(NetlinkError) in
            NetworkNamespace(descriptor: try open(ofThisThread, for: "the new network namespace"), name: nil)
        }
    }

    /// Runs `body` inside. Stops the process when the thread cannot come back: carrying on elsewhere would be worse.
    public func run<T>(_ body: () throws -> T) throws -> T {
        let home = try Self.home()
        let result = linux_setns(descriptor, Int32(LINUX_CLONE_NEWNET))
        guard result == 0 else { throw NetlinkError("enter namespace", name ?? "", errno: -result) }
        defer { home.enterOrStop() }
        return try body()
    }

    /// Runs `body` with the calling thread in a new namespace, and brings the thread back.
    static func fresh<T>(_ body: () throws(NetlinkError) -> T) throws(NetlinkError) -> T {
        let home = try home()
        let result = linux_unshare(Int32(LINUX_CLONE_NEWNET))
        guard result == 0 else { throw NetlinkError("create network namespace", "", errno: -result) }
        defer { home.enterOrStop() }
        let loopback = try Netlink()
        try loopback.setUp(1)
        return try body()
    }

    /// The current namespace, after a proof that this thread may enter it again: in a user namespace that does not
    /// own it, leaving would be for good.
    private static func home() throws(NetlinkError) -> NetworkNamespace {
        let home = try current()
        let result = linux_setns(home.descriptor, Int32(LINUX_CLONE_NEWNET))
        guard result == 0 else {
            throw NetlinkError("leave the current network namespace and come back", "", errno: -result)
        }
        return home
    }

    private func enterOrStop() {
        let result = linux_setns(descriptor, Int32(LINUX_CLONE_NEWNET))
        precondition(result == 0, "cannot return to the network namespace this thread came from: errno \(-result)")
    }

    static func open(_ path: String, for object: String) throws(NetlinkError) -> Int32 {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw NetlinkError("open", object, errno: errno) }
        return descriptor
    }
}
