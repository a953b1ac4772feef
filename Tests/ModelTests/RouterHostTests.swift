import Testing
import Wire

@testable import Model

/// Routers put networks on more hosts than have ports there.
@Suite struct RouterHostTests {
    private func file(hosts: String, networks: String, ports: String, routers: String) -> String {
        """
        sluice: 1
        hosts: {\(hosts)}
        tenants:
          red:
            networks: {\(networks)}
            ports: {\(ports)}
            routers: {\(routers)}
        """
    }

    private let v4 = "h1: {vtep: 192.0.2.1}, h2: {vtep: 192.0.2.2}"
    private let app = "app: {segment: {type: vxlan, id: 1}}"
    private let ports =
        "a: {host: h1, network: app, attach: {netns: a}}, b: {host: h2, network: lan, attach: {netns: b}}"
    private let gw = "gw: {interfaces: {app: 10.0.0.1/24, lan: 10.0.1.1/24}}"

    @Test func providerNetworkThatAHostLacks() {
        let hosts = "h1: {vtep: 192.0.2.1}, h2: {vtep: 192.0.2.2, physical: {p: eth1}}"
        let text = file(
            hosts: hosts,
            networks: "\(app), lan: {segment: {type: flat, physical: p}}",
            ports: ports,
            routers: gw
        )
        let found = problems(text)
        #expect(found.map(\.path) == ["tenants.red.routers.gw.interfaces.lan"], "\(found)")
        #expect(
            found[0].message
                == "router gw is on host h1 too, for port a there, and network lan runs on the provider network p, which host "
                + "h1 does not have; add `physical: {p: DEVICE}` to the host"
        )
        #expect(
            problems(text.replacing("h1: {vtep: 192.0.2.1}", with: "h1: {vtep: 192.0.2.1, physical: {p: eth1}}")) == []
        )
        // A port there has said so itself.
        let both = text.replacing("a: {host: h1, network: app,", with: "a: {host: h1, trunk: {untagged: app, 5: lan},")
        #expect(problems(both).map(\.path) == ["tenants.red.ports.a.host"])
        // And so has the host, if that could not be read.
        let broken = text.replacing("h1: {vtep: 192.0.2.1}", with: "h1: {vtep: 192.0.2.1, physical: {p: a/b}}")
        #expect(problems(broken).map(\.path) == ["hosts.h1.physical.p"])
    }

    @Test func localNetworkOnSeveralHosts() {
        let text = file(hosts: v4, networks: "\(app), lan: {segment: {type: local}}", ports: ports, routers: gw)
        let found = problems(text)
        #expect(found.map(\.path) == ["tenants.red.routers.gw.interfaces.lan"], "\(found)")
        #expect(
            found[0].message
                == "a local network ends at its host, and router gw is on several (h1, h2), which would each have a network lan "
                + "of their own; make its segment `vxlan`, or keep the router's other ports on one host"
        )
        #expect(problems(text.replacing("a: {host: h1", with: "a: {host: h2")) == [])
    }

    @Test func hostWithoutVTEP() {
        let text = file(
            hosts: "h1: {vtep: 192.0.2.1, physical: {p: eth1}}, h2: {physical: {p: eth1}}",
            networks: "\(app), lan: {segment: {type: flat, physical: p}}",
            ports: ports,
            routers: gw
        )
        let found = problems(text)
        #expect(found.map(\.path) == ["tenants.red.routers.gw.interfaces.app"], "\(found)")
        #expect(
            found[0].message
                == "router gw is on host h2 too, for port b there, and network app is a tunnel (vxlan 1) for which host h2 has "
                + "no `vtep`; add `vtep: ADDRESS` to the host"
        )
        let inside = text.replacing(
            "b: {host: h2, network: lan,",
            with: "b: {host: h2, trunk: {untagged: lan, 5: app},"
        )
        #expect(problems(inside).map(\.path) == ["tenants.red.ports.b.host"])
    }

    @Test func hostsWithoutACommonFamily() {
        let text = file(
            hosts: "h1: {vtep: 192.0.2.1}, h2: {vtep: \"2001:db8::2\"}",
            networks: "\(app), lan: {segment: {type: gre, id: 2}}",
            ports: ports,
            routers: gw
        )
        let found = problems(text)
        // Once, whatever the number of networks.
        #expect(found.map(\.path) == ["tenants.red.routers.gw.interfaces.app"], "\(found)")
        #expect(
            found[0].message
                == "router gw is on hosts h1 and h2, one with an IPv4 VTEP only and one with an IPv6 VTEP only, and with it its "
                + "networks; give both a `vtep` of one family"
        )
        #expect(problems(text.replacing("\"2001:db8::2\"", with: "[192.0.2.2, \"2001:db8::2\"]")) == [])
        // Ports in one network have said it themselves.
        let more = text.replacing("b: {host: h2, network: lan,", with: "b: {host: h2, trunk: {untagged: lan, 5: app},")
        #expect(
            problems(more).map(\.path) == ["tenants.red.ports.b.host"]
        )
    }

    @Test func remoteThatAHostCannotReach() {
        let text = file(
            hosts: "h1: {vtep: [192.0.2.1, \"2001:db8::1\"]}, h2: {vtep: 192.0.2.2}",
            networks:
                "app: {segment: {type: vxlan, id: 1}, remotes: \"2001:db8::9\"}, lan: {segment: {type: gre, id: 2}}",
            ports: ports,
            routers: gw
        )
        let found = problems(text)
        #expect(found.map(\.path) == ["tenants.red.routers.gw.interfaces.app"], "\(found)")
        #expect(
            found[0].message
                == "router gw is on host h2 too, for port b there, and network app has the remote 2001:db8::9, which host h2 "
                + "cannot reach without an IPv6 `vtep`"
        )
    }

    /// Packets for a tunnel that begins elsewhere travel by a network of tunnels.
    @Test func tunnelThatOtherHostsCannotReach() {
        let hosts = "h1: {vtep: 192.0.2.1, physical: {p: eth1}}, h2: {vtep: 192.0.2.2, physical: {p: eth1}}"
        let text = file(
            hosts: hosts,
            networks: "\(app), lan: {segment: {type: flat, physical: p}}",
            ports: ports,
            routers:
                "gw: {interfaces: {lan: 10.0.1.1/24}, tunnels: {far: {type: ipip, host: h1, remote: 198.51.100.7}}}"
        )
        let found = problems(text)
        #expect(found.map(\.path) == ["tenants.red.routers.gw.tunnels.far"], "\(found)")
        #expect(
            found[0].message
                == "the tunnel begins on host h1, and router gw is on host h2 too, which would hand its packets on by a network "
                + "of type `vxlan` or `gre`; the router has none, so give it an interface in one"
        )
        #expect(problems(text.replacing("far: {type: ipip, host: h1", with: "far: {type: ipip, host: h2")) == [])
        #expect(problems(text.replacing("lan: 10.0.1.1/24}, t", with: "lan: 10.0.1.1/24, app: 10.0.0.1/24}, t")) == [])
    }

    /// Why a router is on a host, when no port of its own networks is there.
    @Test func reasons() {
        let hosts = "h1: {vtep: 192.0.2.1}, h2: {physical: {p: eth1}}, h3: {vtep: 192.0.2.3}"
        let lan = "lan: {segment: {type: flat, physical: p}}"
        let tunnel =
            "gw: {interfaces: {lan: 10.0.1.1/24, app: 10.0.0.1/24}, tunnels: {far: {type: ipip, host: h3, remote: 198.51.100.7}}}"
        var found = problems(
            file(
                hosts: hosts,
                networks: "\(app), \(lan)",
                ports: "b: {host: h3, network: app, attach: {netns: b}}",
                routers: tunnel
            )
        )
        #expect(
            found.first?.message.hasPrefix("router gw is on host h3 too, for port b there, and") == true,
            "\(found)"
        )
        found = problems(file(hosts: hosts, networks: "\(app), \(lan)", ports: "", routers: tunnel))
        #expect(
            found.first?.message.hasPrefix("router gw is on host h3 too, where its tunnel far begins, and network lan")
                == true,
            "\(found)"
        )
        let chain =
            "gw: {interfaces: {lan: 10.0.1.1/24, mid: 10.0.2.1/24}}, up: {interfaces: {mid: 10.0.2.2/24, app: 10.0.0.1/24}}"
        found = problems(
            file(
                hosts: hosts,
                networks: "\(app), mid: {segment: {type: vxlan, id: 7}}, \(lan)",
                ports: "b: {host: h3, network: app, attach: {netns: b}}",
                routers: chain
            )
        )
        #expect(
            found.first?.message.hasPrefix(
                "router gw is on host h3 too, because a router beside it is, and network lan"
            ) == true,
            "\(found)"
        )
    }

    /// Wherever the VTEP's addresses live.
    @Test func everyUnderlayCarriesTunnels() throws {
        func path(_ underlay: Underlay) throws -> [String] {
            let (root, _, _) = Composer.compose(
                "routers: {gw: {tunnels: {far: {type: ipip, host: h1, remote: 198.51.100.7}}}}"
            )
            let node = try #require(root)
            guard case .mapping(let entries) = node.content else { return [] }
            var loader = Loader(file: "test.yaml")
            loader.hosts = [Host(name: "h1", vteps: [IPAddress("192.0.2.1")!], underlay: underlay)]
            loader.hostNumbers = ["h1": 0]
            loader.tenants = [Tenant(name: "red")]
            loader.networkNumbers = [[:]]
            loader.loadRouters(Fields(path: "tenants.red", place: node.place, entries: entries), of: 0)
            return loader.problems.map { "\($0.path): \($0.message)" }
        }
        #expect(try path(.socket) == [])
        #expect(try path(.device("eth1")) == [] && path(.tap("up0", bridge: "br0")) == [])
    }
}
