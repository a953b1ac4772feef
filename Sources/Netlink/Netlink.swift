import CNetlink
import Glibc
import Wire

/// One rtnetlink socket: asks and tells the kernel about the devices of one network namespace.
///
/// Requests are synchronous; each is acknowledged, and a refusal is thrown with the kernel's errno and sentence.
/// libnl-3 makes the socket and builds messages, libnl-route-3 fills them. Answers are read here: libnl would fold the
/// errno into its own, coarser codes.
public final class Netlink {
    private let socket: OpaquePointer
    private let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 65536)

    /// A socket in `namespace`, or in the calling thread's own. It stays there wherever it is used from.
    public init(in namespace: NetworkNamespace? = nil) throws(NetlinkError) {
        socket = try Self.openSocket(in: namespace)
        descriptor = nl_socket_get_fd(socket)
    }

    deinit { nl_socket_free(socket) }

    static func openSocket(in namespace: NetworkNamespace?) throws(NetlinkError) -> OpaquePointer {
        let socket = required(nl_socket_alloc())
        do {
            var result: Int32 = 0
            if let namespace {
                try namespace.run { result = nl_connect(socket, NETLINK_ROUTE) }
            } else {
                result = nl_connect(socket, NETLINK_ROUTE)
            }
            guard result == 0 else { throw NetlinkError("open", "netlink socket", errno: errno) }
        } catch {
            nl_socket_free(socket)
            throw error as? NetlinkError ?? NetlinkError("open", "netlink socket", errno: EIO)
        }
        // Errors come with the kernel's sentence and without a copy of the request. Old kernels refuse: no sentence.
        var on: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_CAP_ACK, &on, size)
        setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_EXT_ACK, &on, size)
        return socket
    }

    /// Sends `message`, which it frees, and waits for the acknowledgement.
    func perform(_ message: OpaquePointer, _ operation: String, _ object: String) throws(NetlinkError) {
        try exchange(message, operation, object) { _ in }
    }

    /// As `perform`, with `receive` called for each message of the answer. A dump that changed under the kernel's
    /// feet (NLM_F_DUMP_INTR) is EINTR: the caller starts over.
    func exchange(
        _ message: OpaquePointer,
        _ operation: String,
        _ object: String,
        receive: (Message) -> Void
    ) throws(NetlinkError) {
        defer { nlmsg_free(message) }
        nlmsg_hdr(message).pointee.nlmsg_flags |= UInt16(NLM_F_ACK)
        let sent = nl_send_auto(socket, message)
        guard sent >= 0 else { throw NetlinkError(operation, object, errno: errno) }
        let sequence = nlmsg_hdr(message).pointee.nlmsg_seq
        var interrupted = false
        while true {
            let count = retryingInterrupts { recv(descriptor, &buffer, buffer.count, 0) }
            guard count >= 0 else { throw NetlinkError(operation, object, errno: errno) }
            let verdict: Result<Bool, NetlinkError> = buffer.withUnsafeMutableBytes { bytes in
                var rest = Int32(count)
                var next = bytes.baseAddress?.assumingMemoryBound(to: nlmsghdr.self)
                while let header = next, nlmsg_ok(header, rest) != 0 {
                    next = nlmsg_next(header, &rest)
                    // What is left of an exchange that failed half-way.
                    guard header.pointee.nlmsg_seq == sequence else { continue }
                    if header.pointee.nlmsg_flags & UInt16(NLM_F_DUMP_INTR) != 0 { interrupted = true }
                    switch Int32(header.pointee.nlmsg_type) {
                    case NLMSG_ERROR, NLMSG_DONE:
                        return Self.result(of: header, operation, object)
                    default:
                        receive(Message(header: header))
                    }
                }
                return .success(false)
            }
            if try verdict.get() { break }
        }
        if interrupted { throw NetlinkError(operation, object, errno: EINTR) }
    }

    /// Runs a whole dump again until nothing changed while the kernel wrote it; gives up with EINTR when it never
    /// stops changing.
    func dump<T>(
        _ type: Int32,
        family: UInt8,
        headerSize: Int,
        _ operation: String,
        _ read: (Message) -> T?
    ) throws(NetlinkError) -> [T] {
        for attempt in 1... {
            let message = required(nlmsg_alloc_simple(type, NLM_F_REQUEST | Int32(NLM_F_DUMP)))
            // The fixed part differs by type; its first byte is the family in all of them.
            var header = [UInt8](repeating: 0, count: headerSize)
            header[0] = family
            nlmsg_append(message, &header, headerSize, Int32(NLMSG_ALIGNTO))
            if type == Int32(RTM_GETLINK) {
                nla_put_u32(message, Int32(IFLA_EXT_MASK), UInt32(SLUICE_RTEXT_FILTER_SKIP_STATS))
            }
            var found: [T] = []
            do {
                try exchange(message, operation, "") { if let value = read($0) { found.append(value) } }
                return found
            } catch {
                if error.errno != EINTR || attempt == 100 { throw error }
            }
        }
        preconditionFailure("unreachable: the loop returns or throws")
    }

    private static func result(
        of header: UnsafeMutablePointer<nlmsghdr>,
        _ operation: String,
        _ object: String
    ) -> Result<Bool, NetlinkError> {
        // A dump's end may come without a code.
        let code = Message(header: header).body(as: Int32.self) ?? 0
        if code >= 0 { return .success(true) }
        let detail = sluice_nl_error_text(header).map { String(cString: $0) }
        return .failure(NetlinkError(operation, object, errno: -code, detail: detail))
    }
}
