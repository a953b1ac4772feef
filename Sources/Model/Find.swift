extension Topology {
    public func host(_ name: String) -> Host? { hosts.first { $0.name == name } }

    public func tenant(_ name: String) -> Tenant? { tenants.first { $0.name == name } }

    /// The ports that somebody at a command line means by `TENANT.PORT`, `TENANT/PORT` or, when only one tenant has it,
    /// `PORT`. More than one is for the caller to ask about.
    public func ports(called reference: String) -> [Port] {
        var short: [Port] = []
        for tenant in tenants {
            for port in tenant.ports {
                if reference == "\(tenant.name).\(port.name)" || reference == "\(tenant.name)/\(port.name)" {
                    return [port]
                }
                if reference == port.name { short.append(port) }
            }
        }
        return short
    }
}

extension Tenant {
    public func network(_ name: String) -> Network? { networks.first { $0.name == name } }

    public func port(_ name: String) -> Port? { ports.first { $0.name == name } }

    public func router(_ name: String) -> Router? { routers.first { $0.name == name } }
}
