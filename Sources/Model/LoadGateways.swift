import Wire

extension Loader {
    /// Ports that say nothing about a gateway get the router of their subnet, when there is one and no second.
    mutating func setGateways(of tenant: Int) {
        for index in tenants[tenant].ports.indices where tenants[tenant].ports[index].gatewayIsDefault {
            let gateway = routers(for: tenants[tenant].ports[index], of: tenant)
            tenants[tenant].ports[index].gateway = gateway
            tenants[tenant].ports[index].gatewayIsDefault = !gateway.isEmpty
        }
    }

    /// The only address of a router that is as near to the port as the port is to it, of each family.
    private func routers(for port: Port, of tenant: Int) -> [IPAddress] {
        guard !routedNetworks.isEmpty, let home = port.membership.untagged.flatMap({ networkNumbers[tenant][$0] }),
            let routers = routedNetworks[home]
        else { return [] }
        return [false, true].compactMap { ipv6 in
            let own = port.addresses.filter { $0.address.isIPv6 == ipv6 && !$0.address.isLinkLocalIPv6 }
            let near = routers.filter { router in
                own.contains { $0.contains(router.address) && router.contains($0.address) }
            }
            return near.count == 1 ? near[0].address : nil
        }
    }
}
