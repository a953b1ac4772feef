import Glibc

/// The kernel's refusal of one request, in words that say what to do about it.
public struct NetlinkError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was tried: "create veth", "add address".
    public var operation: String
    /// On what: a device, an address, a namespace.
    public var object: String
    /// The kernel's errno.
    public var errno: Int32
    /// The kernel's own sentence (NETLINK_EXT_ACK), when it gave one.
    public var detail: String?

    /// What to do about it, where the errno alone does not say.
    public var advice: String?

    public init(
        _ operation: String,
        _ object: String,
        errno: Int32,
        detail: String? = nil,
        advice: String? = nil
    ) {
        self.operation = operation
        self.object = object
        self.errno = errno
        self.detail = detail
        self.advice = advice
    }

    public var description: String {
        var text = "cannot \(operation)\(object.isEmpty ? "" : " ")\(object): \(String(cString: strerror(errno)))"
        if let detail { text += " (the kernel says: \(detail))" }
        if let advice = advice ?? usualAdvice { text += ". \(advice)" }
        return text
    }

    private var usualAdvice: String? {
        switch errno {
        case EPERM:
            "Run as root, or inside `unshare -Urn`"
        case EACCES where operation == "add address":
            "Is IPv6 disabled there? See net.ipv6.conf.all.disable_ipv6"
        case EEXIST:
            operation.contains("address") || operation.contains("route")
                ? nil : "Remove it, or choose another name"
        case ENOSPC where operation.contains("namespace"), EUSERS where operation.contains("namespace"):
            "The limit user.max_net_namespaces is reached"
        default:
            nil
        }
    }
}

/// Runs a system call that libnl or the C library reports by -1 and errno, and again when a signal interrupted it.
func retryingInterrupts(_ call: () -> Int) -> Int {
    while true {
        let result = call()
        if result >= 0 || Glibc.errno != EINTR { return result }
    }
}
