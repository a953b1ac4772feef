import CLinux
import CNetlink
import Glibc

/// What happened to the devices of a namespace.
public enum LinkEvent: Hashable, Sendable {
    /// New, or anything about it is different: name, MTU, address, flags, master.
    case changed(Link)
    /// Deleted, or moved to another namespace.
    case removed(index: Int32, name: String)
    /// Addresses were given to the device or taken from it; ask `Netlink.addresses`.
    case addressesChanged(index: Int32)
    /// The kernel had more to tell than the socket's buffer holds and dropped some of it: list all devices again.
    case overrun
}

/// Listens for changes to the devices and addresses of one namespace. Never blocks: poll `descriptor`, then `drain`.
///
/// To miss nothing, open the monitor first and list the devices second; an event may then repeat what the list said.
public final class LinkMonitor {
    private let socket: OpaquePointer
    /// Readable when there is something to drain.
    public let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 65536)

    /// - Parameters:
    ///   - receiveBuffer: bytes the kernel may queue before it drops events; beyond `net.core.rmem_max` only with
    ///     CAP_NET_ADMIN.
    ///   - followsOthers: hears of every other namespace too that has an id in this one (`Netlink.follow`). Such a
    ///     namespace is not kept alive by being listened to, as it would be by a monitor inside.
    public init(
        in namespace: NetworkNamespace? = nil,
        receiveBuffer: Int = 1 << 20,
        followsOthers: Bool = false
    ) throws(NetlinkError) {
        socket = try Netlink.openSocket(in: namespace)
        descriptor = nl_socket_get_fd(socket)
        var size = Int32(clamping: receiveBuffer)
        let length = socklen_t(MemoryLayout<Int32>.size)
        if setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, length) != 0 {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, length)
        }
        for group in [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR] {
            guard nl_socket_add_membership(socket, Int32(group.rawValue)) == 0 else {
                throw NetlinkError("listen for", "device changes", errno: errno)
            }
        }
        if followsOthers {
            var on: Int32 = 1
            guard setsockopt(descriptor, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, length) == 0 else {
                throw NetlinkError("listen for", "device changes in other namespaces", errno: errno)
            }
        }
        guard nl_socket_set_nonblocking(socket) == 0 else {
            throw NetlinkError("listen for", "device changes", errno: errno)
        }
    }

    deinit { nl_socket_free(socket) }

    /// An event, and the id of the namespace it comes from; nil for the monitor's own.
    public struct Located {
        public var namespaceID: Int32?
        public var event: LinkEvent
    }

    /// Everything that was queued, oldest first; empty when nothing was.
    public func drain() -> [LinkEvent] { drainAll().map(\.event) }

    /// The same, with where it happened.
    public func drainAll() -> [Located] {
        var events: [Located] = []
        while true {
            var namespaceID: Int32 = -1
            // The length is the message's own, also where the buffer was too short for it.
            let count = retryingInterrupts {
                buffer.withUnsafeMutableBytes {
                    Int(linux_receive_located(descriptor, $0.baseAddress, $0.count, &namespaceID))
                }
            }
            if count < 0 {
                guard errno == ENOBUFS else { return events }
                events.append(Located(namespaceID: nil, event: .overrun))
                continue
            }
            if count > buffer.count {
                events.append(Located(namespaceID: nil, event: .overrun))
                continue
            }
            buffer.withUnsafeMutableBytes { bytes in
                var rest = Int32(count)
                var next = bytes.baseAddress?.assumingMemoryBound(to: nlmsghdr.self)
                while let header = next, nlmsg_ok(header, rest) != 0 {
                    next = nlmsg_next(header, &rest)
                    if let event = LinkEvent(Message(header: header)) {
                        events.append(Located(namespaceID: namespaceID < 0 ? nil : namespaceID, event: event))
                    }
                }
            }
        }
    }
}

extension LinkEvent {
    init?(_ message: Message) {
        switch message.type {
        case Int32(RTM_NEWLINK):
            guard let link = Link(message) else { return nil }
            self = .changed(link)
        case Int32(RTM_DELLINK):
            guard let link = Link(message) else { return nil }
            self = .removed(index: link.index, name: link.name)
        case Int32(RTM_NEWADDR), Int32(RTM_DELADDR):
            guard let info = message.body(as: ifaddrmsg.self) else { return nil }
            self = .addressesChanged(index: Int32(bitPattern: info.ifa_index))
        default:
            return nil
        }
    }
}
