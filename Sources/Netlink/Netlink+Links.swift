import CNetlink
import Glibc
import Wire

extension Netlink {
    /// All devices of the namespace, by index.
    public func links() throws(NetlinkError) -> [Link] {
        try dump(
            Int32(RTM_GETLINK),
            family: 0,
            headerSize: MemoryLayout<ifinfomsg>.size,
            "list devices",
            Link.init
        ).sorted { $0.index < $1.index }
    }

    /// The device of that name; nil when there is none.
    public func link(named name: String) throws(NetlinkError) -> Link? {
        try get(index: 0, name: name, object: name)
    }

    /// The device of that index; nil when there is none.
    public func link(index: Int32) throws(NetlinkError) -> Link? {
        try get(index: index, name: nil, object: "index \(index)")
    }

    private func get(index: Int32, name: String?, object: String) throws(NetlinkError) -> Link? {
        var message: OpaquePointer?
        let result = rtnl_link_build_get_request(index, name, &message)
        guard result == 0, let message else { throw NetlinkError("look up", object, errno: EINVAL) }
        var found: Link?
        do {
            try exchange(message, "look up", object) { found = Link($0) ?? found }
        } catch {
            // ERANGE: longer than any device's name.
            if error.errno == ENODEV || error.errno == ERANGE { return nil }
            throw error
        }
        return found
    }

    /// One end of a veth pair that is to be made.
    public struct VethEnd {
        /// 1 to 15 bytes.
        public var name: String
        /// The kernel's random choice when nil.
        public var mac: MACAddress?
        /// In bytes; 1500 when nil.
        public var mtu: Int?
        /// Where the end is put; the socket's own namespace when nil.
        public var namespace: NetworkNamespace?

        public init(
            _ name: String,
            mac: MACAddress? = nil,
            mtu: Int? = nil,
            namespace: NetworkNamespace? = nil
        ) {
            self.name = name
            self.mac = mac
            self.mtu = mtu
            self.namespace = namespace
        }
    }

    /// Makes a veth pair, both ends down, in one step: no name is taken for a moment where it does not belong.
    /// `first` is in this socket's namespace unless it says otherwise.
    public func createVeth(_ first: VethEnd, _ second: VethEnd) throws(NetlinkError) {
        let link = required(rtnl_link_veth_alloc())
        defer { rtnl_link_put(link) }
        // The getter counts a reference of its own.
        let peer = required(rtnl_link_veth_get_peer(link))
        defer { rtnl_link_put(peer) }
        for (object, end) in [(link, first), (peer, second)] {
            try Self.check(name: end.name, "create veth")
            rtnl_link_set_name(object, end.name)
            if let mtu = end.mtu { rtnl_link_set_mtu(object, UInt32(clamping: mtu)) }
            if let mac = end.mac { Self.set(mac, on: object) }
            if let namespace = end.namespace { rtnl_link_set_ns_fd(object, namespace.descriptor) }
        }
        try add(link, "create veth", first.name)
    }

    /// Makes a veth pair: `name` here, `peer` in `peerNamespace` (here when nil). Both ends are down.
    /// Answers this end.
    @discardableResult
    public func createVeth(
        _ name: String,
        mac: MACAddress? = nil,
        peer: String,
        peerMAC: MACAddress? = nil,
        peerNamespace: NetworkNamespace? = nil,
        mtu: Int? = nil
    ) throws(NetlinkError) -> Link {
        try createVeth(
            VethEnd(name, mac: mac, mtu: mtu),
            VethEnd(peer, mac: peerMAC, mtu: mtu, namespace: peerNamespace)
        )
        return try existing(name, "create veth")
    }

    /// Makes a bridge, down, without spanning tree. Without multicast snooping it floods multicast to every port, as
    /// a cable would. Answers it.
    @discardableResult
    public func createBridge(
        _ name: String,
        mac: MACAddress? = nil,
        mtu: Int? = nil,
        multicastSnooping: Bool = true
    ) throws(NetlinkError) -> Link {
        try Self.check(name: name, "create bridge")
        let link = required(rtnl_link_alloc())
        defer { rtnl_link_put(link) }
        rtnl_link_set_name(link, name)
        if let mtu { rtnl_link_set_mtu(link, UInt32(clamping: mtu)) }
        if let mac { Self.set(mac, on: link) }
        // libnl-route 3.7 would write a bridge's kind and cannot write its multicast setting, so both are put here.
        try add(link, "create bridge", name) { message in
            let information = nla_nest_start(message, Int32(IFLA_LINKINFO))
            nla_put_string(message, Int32(IFLA_INFO_KIND), "bridge")
            let data = nla_nest_start(message, Int32(IFLA_INFO_DATA))
            nla_put_u8(message, Int32(IFLA_BR_MCAST_SNOOPING), multicastSnooping ? 1 : 0)
            nla_nest_end(message, data)
            nla_nest_end(message, information)
        }
        return try existing(name, "create bridge")
    }

    /// Removes a device; of a veth pair both ends go.
    public func delete(_ index: Int32) throws(NetlinkError) {
        let link = required(rtnl_link_alloc())
        defer { rtnl_link_put(link) }
        rtnl_link_set_ifindex(link, index)
        var message: OpaquePointer?
        let result = rtnl_link_build_delete_request(link, &message)
        guard result == 0, let message else { throw NetlinkError("delete device", "index \(index)", errno: EINVAL) }
        try perform(message, "delete device", "index \(index)")
    }

    private func add(
        _ link: OpaquePointer,
        _ operation: String,
        _ name: String,
        complete: (OpaquePointer) -> Void = { _ in }
    ) throws(NetlinkError) {
        var message: OpaquePointer?
        let result = rtnl_link_build_add_request(link, Int32(NLM_F_CREATE | NLM_F_EXCL), &message)
        guard result == 0, let message else { throw NetlinkError(operation, name, errno: EINVAL) }
        complete(message)
        try perform(message, operation, name)
    }

    private func existing(_ name: String, _ operation: String) throws(NetlinkError) -> Link {
        guard let link = try link(named: name) else { throw NetlinkError(operation, name, errno: ENODEV) }
        return link
    }

    /// The kernel's rule for names (`dev_valid_name`), told before it says no more than "invalid argument".
    static func check(name: String, _ operation: String) throws(NetlinkError) {
        let allowed = name.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") }
        guard (1...15).contains(name.utf8.count), allowed, name != ".", name != ".." else {
            throw NetlinkError(
                operation,
                "\"\(name)\"",
                errno: EINVAL,
                advice: "A device's name is 1 to 15 bytes without spaces, slashes and colons"
            )
        }
    }

    static func set(_ mac: MACAddress, on link: OpaquePointer) {
        let bytes = (0..<6).map { UInt8(truncatingIfNeeded: mac.bits >> UInt64(40 - 8 * $0)) }
        withNetlinkAddress(bytes, family: AF_LLC) { rtnl_link_set_addr(link, $0) }
    }
}
