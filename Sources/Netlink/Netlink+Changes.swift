import CNetlink
import Glibc
import Wire

// Changes to one device, named by its index: a name may be taken over by another device at any moment.
extension Netlink {
    public func setUp(_ index: Int32) throws(NetlinkError) {
        try change(index, "set up", "index \(index)") { rtnl_link_set_flags($0, Link.upFlag) }
    }

    public func setDown(_ index: Int32) throws(NetlinkError) {
        try change(index, "set down", "index \(index)") { rtnl_link_unset_flags($0, Link.upFlag) }
    }

    /// In bytes, without the Ethernet header.
    public func setMTU(_ mtu: Int, _ index: Int32) throws(NetlinkError) {
        try change(index, "set MTU \(mtu) on", "index \(index)") { rtnl_link_set_mtu($0, UInt32(clamping: mtu)) }
    }

    public func setMAC(_ mac: MACAddress, _ index: Int32) throws(NetlinkError) {
        try change(index, "set address \(mac) on", "index \(index)") { Self.set(mac, on: $0) }
    }

    /// Moves the device; it arrives down and without addresses. With `name` it gets that name on arrival.
    public func setNamespace(
        _ namespace: NetworkNamespace,
        _ index: Int32,
        renamingTo name: String? = nil
    ) throws(NetlinkError) {
        if let name { try Self.check(name: name, "move device to another namespace as") }
        try change(index, "move to another namespace", "index \(index)") { link in
            rtnl_link_set_ns_fd(link, namespace.descriptor)
            if let name { rtnl_link_set_name(link, name) }
        }
    }

    /// Kernels before 6.2 want the device down.
    public func rename(_ index: Int32, to name: String) throws(NetlinkError) {
        try Self.check(name: name, "rename device to")
        try change(index, "rename device to", name) { rtnl_link_set_name($0, name) }
    }

    /// Puts the device into a bridge or bond; takes it out when nil.
    public func setMaster(_ master: Int32?, _ index: Int32) throws(NetlinkError) {
        try change(index, "set master of", "index \(index)") { rtnl_link_set_master($0, master ?? 0) }
    }

    /// In packets.
    public func setTransmitQueueLength(_ length: Int, _ index: Int32) throws(NetlinkError) {
        try change(index, "set queue length of", "index \(index)") {
            rtnl_link_set_txqlen($0, UInt32(clamping: length))
        }
    }

    /// How the kernel makes IPv6 link-local addresses.
    public enum IPv6AddressGeneration: UInt8, Sendable {
        /// From the MAC address (the default).
        case eui64 = 0
        /// Not at all: the device sends nothing by itself when it comes up.
        case none = 1
    }

    public func setIPv6AddressGeneration(_ mode: IPv6AddressGeneration, _ index: Int32) throws(NetlinkError) {
        try change(index, "set IPv6 address generation of", "index \(index)") {
            rtnl_link_inet6_set_addr_gen_mode($0, mode.rawValue)
        }
    }

    /// The largest super-frames that the stack builds for this device: bytes (nil: as it is), and segments in one.
    /// libnl-route 3.7 reads these and cannot write them.
    public func setGSOMaximum(bytes: Int? = nil, segments: Int = 65535, _ index: Int32) throws(NetlinkError) {
        let message = required(nlmsg_alloc_simple(Int32(RTM_NEWLINK), NLM_F_REQUEST))
        var info = ifinfomsg()
        info.ifi_index = index
        nlmsg_append(message, &info, MemoryLayout<ifinfomsg>.size, Int32(NLMSG_ALIGNTO))
        if let bytes { nla_put_u32(message, Int32(IFLA_GSO_MAX_SIZE), UInt32(clamping: bytes)) }
        nla_put_u32(message, Int32(IFLA_GSO_MAX_SEGS), UInt32(clamping: segments))
        try perform(message, "set GSO maximum of", "index \(index)")
    }

    private func change(
        _ index: Int32,
        _ operation: String,
        _ object: String,
        _ fill: (OpaquePointer) -> Void
    ) throws(NetlinkError) {
        let original = required(rtnl_link_alloc())
        defer { rtnl_link_put(original) }
        rtnl_link_set_ifindex(original, index)
        let changes = required(rtnl_link_alloc())
        defer { rtnl_link_put(changes) }
        fill(changes)
        var message: OpaquePointer?
        let result = rtnl_link_build_change_request(original, changes, 0, &message)
        guard result == 0, let message else { throw NetlinkError(operation, object, errno: EINVAL) }
        try perform(message, operation, object)
    }
}
