import CNetlink
import Glibc
import Wire

/// A route of the main table.
public struct Route: Hashable, Sendable {
    /// Length 0 is the default route.
    public var destination: IPPrefix
    /// Nil when the destination is on the link.
    public var gateway: IPAddress?
    public var index: Int32

    public init(to destination: IPPrefix, via gateway: IPAddress? = nil, index: Int32) {
        self.destination = destination
        self.gateway = gateway
        self.index = index
    }
}

extension Netlink {
    /// EEXIST when there is such a route already.
    public func addRoute(_ route: Route) throws(NetlinkError) {
        try change(route, "add route") { rtnl_route_build_add_request($0, Int32(NLM_F_CREATE | NLM_F_EXCL), $1) }
    }

    /// ESRCH when there is no such route.
    public func removeRoute(_ route: Route) throws(NetlinkError) {
        try change(route, "remove route") { rtnl_route_build_del_request($0, 0, $1) }
    }

    /// Makes `gateway` the default route of its family, instead of the one there was.
    public func replaceDefaultRoute(via gateway: IPAddress, _ index: Int32) throws(NetlinkError) {
        let everything = IPPrefix(address: gateway, length: 0).network
        try change(Route(to: everything, via: gateway, index: index), "replace route") {
            rtnl_route_build_add_request($0, Int32(NLM_F_CREATE | NLM_F_REPLACE), $1)
        }
    }

    /// The unicast routes of the main table, of both families; multipath routes only by their first hop.
    public func routes() throws(NetlinkError) -> [Route] {
        let size = MemoryLayout<rtmsg>.size
        return try dump(Int32(RTM_GETROUTE), family: 0, headerSize: size, "list routes") { message in
            guard let info = message.body(as: rtmsg.self), info.rtm_table == UInt8(RT_TABLE_MAIN.rawValue),
                info.rtm_type == UInt8(RTN_UNICAST), info.rtm_family == AF_INET || info.rtm_family == AF_INET6,
                let index = message.attribute(Int(RTA_OIF.rawValue), after: size)?.load(as: Int32.self)
            else { return nil }
            let zero: IPAddress =
                info.rtm_family == AF_INET6 ? .v6(IPv6Address(high: 0, low: 0)) : .v4(IPv4Address(bits: 0))
            let destination = message.attribute(Int(RTA_DST.rawValue), after: size)?.address ?? zero
            return Route(
                to: IPPrefix(address: destination, length: Int(info.rtm_dst_len)),
                via: message.attribute(Int(RTA_GATEWAY.rawValue), after: size)?.address,
                index: index
            )
        }
    }

    private func change(
        _ value: Route,
        _ operation: String,
        _ build: (OpaquePointer, UnsafeMutablePointer<OpaquePointer?>) -> Int32
    ) throws(NetlinkError) {
        let object =
            value.destination.description + (value.gateway.map { " via \($0)" } ?? "") + " on index \(value.index)"
        let route = required(rtnl_route_alloc())
        defer { rtnl_route_put(route) }
        let destination = value.destination.network
        let family = destination.address.family
        withNetlinkAddress(destination.address.bytes, family: family, prefixLength: destination.length) {
            _ = rtnl_route_set_dst(route, $0)
        }
        rtnl_route_set_family(route, UInt8(family))
        let hop = required(rtnl_route_nh_alloc())
        rtnl_route_nh_set_ifindex(hop, value.index)
        if let gateway = value.gateway {
            withNetlinkAddress(gateway.bytes, family: gateway.family) { rtnl_route_nh_set_gateway(hop, $0) }
        }
        // The route owns the hop from here on.
        rtnl_route_add_nexthop(route, hop)
        var message: OpaquePointer?
        guard build(route, &message) == 0, let message else { throw NetlinkError(operation, object, errno: EINVAL) }
        try perform(message, operation, object)
    }
}
