import Model
import Tables
import Wire

@testable import Control

/// Two tenants on three hosts whose routers have everything in common but the segments and the tunnels' far ends. The
/// tunnels begin on h1; h3 has no ports.
func routed() throws -> Topology {
    func tenant(_ name: String, _ number: Int) -> String {
        """
          \(name):
            networks:
              app: {segment: {type: vxlan, id: 500\(number)}, subnets: [10.0.0.0/24, 2001:db8:a::/64]}
              data: {segment: {type: gre, id: 7\(number)}, subnets: [10.0.1.0/24]}
              lan: {segment: {type: vlan, physical: physnet1, id: 10\(number)}, subnets: [10.0.2.0/24]}
              other: {segment: {type: vxlan, id: 600\(number)}}
            ports:
              web: {host: h1, network: app, addresses: [10.0.0.11/24, "2001:db8:a::11/64"], attach: {netns: \(name)-web}}
              db: {host: h2, network: data, address: 10.0.1.12/24, mac: "02:00:00:00:00:12", attach: {netns: \(name)-db}}
              box: {host: h2, network: data, address: 10.0.1.13/24, attach: {device: \(name)-box}}
              fw: {host: h2, trunk: {untagged: app, 10: data}, address: 10.0.0.13/24, mac: "02:00:00:00:00:13",
                attach: {tap: \(name)-fw}}
              far: {host: h3, network: other, attach: {netns: \(name)-far}}
            routers:
              gw:
                mac: "02:00:00:00:00:01"
                interfaces: {app: [10.0.0.1/24, "2001:db8:a::1/64"], data: 10.0.1.1/24, lan: 10.0.2.1/24}
                tunnels:
                  branch: {type: ipip, host: h1, local: 192.0.2.1, remote: 198.51.100.\(number)}
                  six: {type: sit, host: h1, remote: 198.51.100.\(number)}
                  office: {type: gre, host: h1, remote: 198.51.100.9, key: \(number), checksum: true, address: 10.255.0.1/30}
                routes:
                  - {to: 10.9.0.0/16, via: branch}
                  - {to: 10.8.0.0/16, via: 10.0.1.200}
                  - {to: 10.7.0.0/16, via: [10.0.0.200, branch, 10.255.0.2]}
                  - {to: 10.9.9.0/24, type: blackhole}
                  - {to: 10.9.9.9/32, type: prohibit}
                  - {to: "2001:db8:b::/48", via: six}
                  - {to: default, via: 10.255.0.2}

        """
    }
    return try Topology.load(
        text: """
            sluice: 1
            hosts:
              h1: {vtep: 192.0.2.1, physical: {physnet1: eth1}}
              h2: {vtep: 192.0.2.2, physical: {physnet1: eth7}}
              h3: {vtep: 192.0.2.3}
            tenants:

            """ + tenant("red", 1) + tenant("blue", 2),
        file: "routed.yaml"
    )
}

extension Snapshot {
    func router(_ name: String) -> UInt32? {
        (0..<routerCount).first { routers[Int($0)].inUse != 0 && text(routers[Int($0)].name) == name }
    }

    func interface(_ router: String, _ name: String) -> UInt32? {
        (0..<interfaceCount).first {
            let row = interfaces[Int($0)]
            return row.inUse != 0 && text(routers[Int(row.router)].name) == router && text(row.name) == name
        }
    }

    /// The route that a router takes to an address, in words.
    func route(_ router: String, _ address: String) -> String {
        guard let slot = self.router(router) else { return "no router" }
        let found =
            switch IPAddress(address)! {
            case .v4(let a): route(router: slot, a)
            case .v6(let a): route(router: slot, a)
            }
        guard found != noSlot else { return "no route" }
        let row = routes[Int(found)]
        switch row.kind {
        case RouteKind.blackhole: return "blackhole"
        case RouteKind.unreachable: return "unreachable"
        case RouteKind.prohibit: return "prohibit"
        default: return (0..<row.hopCount).map { hop(row.hopStart + $0) }.joined(separator: ", ")
        }
    }

    private func hop(_ number: UInt32) -> String {
        let row = hops[Int(number)]
        let out = row.interface == noSlot ? "" : " " + text(interfaces[Int(row.interface)].name)
        switch row.kind {
        case HopKind.local: return "local\(out)"
        case HopKind.connected: return "connected\(out)"
        case HopKind.gateway: return "via \(IPAddress(mapped: row.gateway))\(out)"
        case HopKind.tunnel: return "tunnel\(out) \(place(row.attachment))"
        case HopKind.redirect: return "redirect \(text(row.name)) \(place(row.attachment))"
        default: return "nowhere"
        }
    }

    /// `02:…:12` for a port's address, `router gw` for a router's; nil for an address that nobody told.
    func neighbor(_ segment: String, _ address: String) -> String? {
        guard let slot = Names(self).segments[segment] else { return nil }
        let found = neighbor(segment: slot, IPAddress(address)!.mapped)
        guard found != noSlot else { return nil }
        let row = neighbors[Int(found)]
        guard row.router != noSlot else { return MACAddress(bits: row.mac).description }
        return text(routers[Int(interfaces[Int(attachments[Int(row.router)].interface)].router)].name)
    }
}
