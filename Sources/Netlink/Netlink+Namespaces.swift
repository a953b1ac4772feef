import CNetlink
import Glibc

extension Netlink {
    /// Gives another namespace an id in this socket's own, if it has none, so that a monitor here that `followsOthers`
    /// hears of it. The id goes when the namespace does (rtnetlink(7), RTM_NEWNSID; `net/core/net_namespace.c`).
    public func follow(_ namespace: NetworkNamespace) throws(NetlinkError) -> Int32 {
        if let known = try namespaceID(namespace) { return known }
        try perform(
            request(rtmNewID, namespace, newID: true),
            "give an id to",
            namespace.name ?? "a network namespace"
        )
        guard let id = try namespaceID(namespace) else {
            throw NetlinkError("give an id to", namespace.name ?? "a network namespace", errno: ENOENT)
        }
        return id
    }

    /// <linux/rtnetlink.h> and <linux/net_namespace.h>.
    private var rtmNewID: Int32 { 88 }
    private var rtmGetID: Int32 { 90 }
    private var attributeID: Int32 { 1 }
    private var attributeDescriptor: Int32 { 3 }

    private func namespaceID(_ namespace: NetworkNamespace) throws(NetlinkError) -> Int32? {
        var id: Int32?
        try exchange(
            request(rtmGetID, namespace, newID: false),
            "ask for the id of",
            namespace.name ?? "a network namespace"
        ) { id = $0.attribute(1, after: MemoryLayout<rtgenmsg>.size)?.load(as: Int32.self) }
        return id.flatMap { $0 < 0 ? nil : $0 }
    }

    private func request(_ type: Int32, _ namespace: NetworkNamespace, newID: Bool) -> OpaquePointer {
        let message = required(nlmsg_alloc_simple(type, 0))
        var family = rtgenmsg()
        nlmsg_append(message, &family, MemoryLayout<rtgenmsg>.size, Int32(NLMSG_ALIGNTO))
        nla_put_u32(message, attributeDescriptor, UInt32(bitPattern: namespace.descriptor))
        if newID { nla_put_s32(message, attributeID, -1) }
        return message
    }
}
