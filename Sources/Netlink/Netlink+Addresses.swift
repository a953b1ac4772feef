import CNetlink
import Glibc
import Wire

extension Netlink {
    /// Gives the device an address. IPv6 addresses skip duplicate address detection, so that they can be used at
    /// once. EEXIST when it has the address already.
    public func addAddress(_ prefix: IPPrefix, _ index: Int32) throws(NetlinkError) {
        try change(prefix, index, "add address") { rtnl_addr_build_add_request($0, Int32(NLM_F_EXCL), $1) }
    }

    /// EADDRNOTAVAIL when the device does not have it.
    public func removeAddress(_ prefix: IPPrefix, _ index: Int32) throws(NetlinkError) {
        try change(prefix, index, "remove address") { rtnl_addr_build_delete_request($0, 0, $1) }
    }

    /// The device's addresses of both families, link-local ones included.
    public func addresses(_ index: Int32) throws(NetlinkError) -> [IPPrefix] {
        try addresses().filter { $0.index == index }.map(\.prefix)
    }

    /// The same of all devices, with their indexes.
    public func addresses() throws(NetlinkError) -> [(index: Int32, prefix: IPPrefix)] {
        let size = MemoryLayout<ifaddrmsg>.size
        return try dump(Int32(RTM_GETADDR), family: 0, headerSize: size, "list addresses") { message in
            guard let info = message.body(as: ifaddrmsg.self) else { return nil }
            // On point-to-point devices IFA_ADDRESS is the far end; ours is IFA_LOCAL where there is one.
            let attribute =
                message.attribute(Int(IFA_LOCAL), after: size) ?? message.attribute(Int(IFA_ADDRESS), after: size)
            guard let address = attribute?.address else { return nil }
            let prefix = IPPrefix(address: address, length: Int(info.ifa_prefixlen))
            return (Int32(bitPattern: info.ifa_index), prefix)
        }
    }

    private func change(
        _ prefix: IPPrefix,
        _ index: Int32,
        _ operation: String,
        _ build: (OpaquePointer, UnsafeMutablePointer<OpaquePointer?>) -> Int32
    ) throws(NetlinkError) {
        let object = "\(prefix) on index \(index)"
        let address = required(rtnl_addr_alloc())
        defer { rtnl_addr_put(address) }
        rtnl_addr_set_ifindex(address, index)
        withNetlinkAddress(prefix.address.bytes, family: prefix.address.family, prefixLength: prefix.length) {
            _ = rtnl_addr_set_local(address, $0)
        }
        if prefix.address.isIPv6 { rtnl_addr_set_flags(address, UInt32(IFA_F_NODAD)) }
        var message: OpaquePointer?
        guard build(address, &message) == 0, let message else { throw NetlinkError(operation, object, errno: EINVAL) }
        try perform(message, operation, object)
    }
}
