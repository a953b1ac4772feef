import Model
import Testing
import Wire

@Suite struct PortTests {
    private static let web = "tenants.red.ports.web"
    private static func web(_ text: String, attach: String = "{netns: red-web}") -> String {
        "web: {\(text), attach: \(attach)}"
    }
    private static func app(_ text: String) -> String { web("host: h1, network: app, \(text)") }
    private static func attached(_ attach: String) -> String { web("host: h1, network: app", attach: attach) }

    @Test(arguments: [
        Row(12, web("network: app"), web, "the port's `host` is missing"),
        Row(12, web("host: h3, network: app"), "\(web).host", "there is no host `h3`; did you mean `h1`?"),
        Row(12, web("host: h1"), web, "the port's `network` is missing"),
        Row(
            12,
            web("host: h1, network: web"),
            "\(web).network",
            "tenant red has no network `web`; its networks are app, lan"
        ),
        Row(12, web("host: h1, network: ap"), "\(web).network", "did you mean `app`?"),
        Row(
            12,
            web("host: h1, network: own"),
            "\(web).network",
            "tenant red has no network `own`, only tenant blue has, and a port never joins another tenant's network"
        ),
        Row(
            12,
            web("host: h1, network: blue/app"),
            "\(web).network",
            "`blue/app` is tenant blue's, and a port never joins another tenant's network"
        ),
        Row(12, web("host: h1, network: red/app"), "\(web).network", "tenant red has no network `red/app`"),
        Row(
            12,
            web("host: h1, network: [app]"),
            "\(web).network",
            "the name of a network is expected here, found a list"
        ),
        Row(12, web("host: h2, network: lan"), "\(web).host", "add `physical: {physnet1: DEVICE}` to the host"),
        Row(12, web("host: h1, network: app, trunk: {10: lan}"), "\(web).trunk", "both a `network` and a `trunk`"),
        Row(
            12,
            web("host: h1, networks: [app, lan]"),
            (12, web, "is missing"),
            (12, "\(web).networks", "did you mean `trunk`?")
        ),
        Row(12, web("host: h1, trunk: [app]"), "\(web).trunk", "a trunk is a mapping like"),
        Row(12, web("host: h1, trunk: {}"), "\(web).trunk", "a trunk is a mapping like"),
        Row(
            12,
            web("host: h1, trunk: {0: app}"),
            "\(web).trunk.0",
            "out of range; it goes from 1 to 4094; for untagged"
        ),
        Row(12, web("host: h1, trunk: {4095: app}"), "\(web).trunk.4095", "from 1 to 4094"),
        Row(12, web("host: h1, trunk: {010: app}"), "\(web).trunk.010", "neither `untagged` nor a VLAN id"),
        Row(12, web("host: h1, trunk: {untaged: app}"), "\(web).trunk.untaged", "did you mean `untagged`?"),
        Row(12, web("host: h1, trunk: {10: lan, 10: app}"), "\(web).trunk.10", "a second time"),
        Row(12, web("host: h1, trunk: {10: lan, 11: lan}"), "\(web).trunk.11", "network lan is in the trunk already"),
        Row(12, web("host: h1, trunk: {untagged: app, 11: app}"), "\(web).trunk.11", "is in the trunk already"),
        Row(12, web("host: h1, trunk: {10: own}"), "\(web).trunk.10", "another tenant's network"),
        Row(
            12,
            app("securityGroups: [web]"),
            "\(web).securityGroups",
            "is not supported by this version of Sluice yet"
        ),
        Row(12, app("portSecurity: true"), "\(web).portSecurity", "is not supported by this version of Sluice yet"),
        Row(
            12,
            app("allowedAddresses: []"),
            "\(web).allowedAddresses",
            "is not supported by this version of Sluice yet"
        ),
        Row(
            12,
            app("adress: 10.0.0.11/24"),
            "\(web).adress",
            "`adress` is not a key of a port; did you mean `address`?"
        ),
    ])
    func references(row: Row) { row.check() }

    @Test(arguments: [
        Row(
            12,
            app("address: 10.0.1.11/24"),
            "\(web).address",
            "10.0.1.11 lies in no subnet of network app (10.0.0.0/24, fd00::/64)"
        ),
        Row(12, app("address: 10.0.0.11"), "\(web).address", "lacks its prefix length; write 10.0.0.11/24"),
        Row(12, app("address: 10.9.0.11"), "\(web).address", "lacks its prefix length"),
        Row(12, app("address: 10.0.0.0/24"), "\(web).address", "is the address of the network itself in 10.0.0.0/24"),
        Row(12, app("address: 10.0.0.255/24"), "\(web).address", "is the broadcast address in 10.0.0.0/24"),
        Row(12, app("address: 10.0.0.255/16"), "\(web).address", "is the broadcast address in 10.0.0.0/24"),
        Row(12, app("address: 10.0.0.x/24"), "\(web).address", "is not an address with its prefix length"),
        Row(12, app("address: 127.0.0.1/8"), "\(web).address", "loopback"),
        Row(12, app("address: \"::ffff:10.0.0.5/120\""), "\(web).address", "written as IPv6; write 10.0.0.5"),
        Row(12, app("address: 10.0.0.5/24, addresses: []"), "\(web).addresses", "both `address` and `addresses`"),
        Row(
            12,
            app("addresses: [10.0.0.5/24, 10.0.0.5/24]"),
            "\(web).addresses[1]",
            "is already the address of port web (line 12)"
        ),
        Row(
            13,
            "fw: {host: h1, trunk: {untagged: app, 10: lan}, address: 10.0.0.11/24, attach: {tap: fw0}}",
            "tenants.red.ports.fw.address",
            "10.0.0.11 is already the address of port web (line 12) in network app"
        ),
        Row(
            13,
            "fw: {host: h1, trunk: {10: lan}, address: 10.0.0.12/24, attach: {tap: fw0}}",
            "tenants.red.ports.fw.address",
            "a trunk without an untagged network"
        ),
        Row(12, app("mac: 02-00-00-00-00"), "\(web).mac", "is not a MAC address; write it like 02:00:00:00:00:12"),
        Row(12, app("mac: \"+2:00:00:00:00:01\""), "\(web).mac", "is not a MAC address"),
        Row(12, app("mac: \"01:00:5e:00:00:01\""), "\(web).mac", "it is a group address"),
        Row(12, app("mac: \"00:00:00:00:00:00\""), "\(web).mac", "it is all zeros"),
        Row(
            12,
            app("mac: \"02:00:00:00:00:12\""),
            (13, "tenants.red.ports.fw.mac", "is already the MAC of port web (line 12) in network app")
        ),
        Row(
            12,
            app("gateway: 10.0.0.1"),
            "\(web).gateway",
            "has no IPv4 address from which it could reach the gateway"
        ),
        Row(
            12,
            app("address: 10.0.0.5/24, gateway: 10.0.1.1"),
            "\(web).gateway",
            "outside the port's subnet (10.0.0.0/24)"
        ),
        Row(12, app("address: 10.0.0.5/24, gateway: 10.0.0.5"), "\(web).gateway", "is the port's own address"),
        Row(12, app("address: 10.0.0.5/24, gateway: 10.0.0.255"), "\(web).gateway", "is the broadcast address"),
        Row(12, app("address: 10.0.0.5/24, gateway: \"fd00::1\""), "\(web).gateway", "has no IPv6 address"),
        Row(
            12,
            app("address: 10.0.0.5/24, gateway: [10.0.0.1, 10.0.0.2]"),
            "\(web).gateway[1]",
            "the second IPv4 gateway"
        ),
        Row(12, app("address: 10.0.0.5/24, gateway: 10.0.0.1/24"), "\(web).gateway", "without the prefix length"),
        Row(12, app("mtu: 65536"), "\(web).mtu", "from 68 to 65535"),
        Row(12, app("address: \"fd00::5/64\", mtu: 1000"), "\(web).mtu", "needs an MTU of 1280 or more"),
    ])
    func addresses(row: Row) { row.check() }

    @Test(arguments: [
        Row(12, "web: {host: h1, network: app}", web, "the port's `attach` is missing"),
        Row(12, attached("{}"), "\(web).attach", "the attachment is empty"),
        Row(12, attached("red-web"), "\(web).attach", "an attachment is a mapping of keys to values, found `red-web`"),
        Row(12, attached("{namespace: red-web}"), "\(web).attach.namespace", "did you mean `netns`?"),
        Row(12, attached("{tap: a, veth: b}"), "\(web).attach", "found `tap` and `veth`"),
        Row(12, attached("{device: eth3, netns: x}"), "\(web).attach.netns", "an existing device stays where it is"),
        Row(12, attached("{tap: abcdefghijklmnop}"), "\(web).attach.tap", "1 to 15 ASCII characters"),
        Row(12, attached("{tap: \"a b\"}"), "\(web).attach.tap", "cannot be the name of an interface"),
        Row(12, attached("{tap: \"a\\nb\"}"), "\(web).attach.tap", "`a\\nb` cannot be the name of an interface"),
        Row(12, attached("{tap: \"a\\0b\"}"), "\(web).attach.tap", "`a\\0b` cannot be the name of an interface"),
        Row(12, attached("{tap: \"tap%d\"}"), "\(web).attach.tap", "cannot be the name of an interface"),
        Row(12, attached("{veth: ..}"), "\(web).attach.veth", "cannot be the name of an interface"),
        Row(12, attached("{device: lo}"), "\(web).attach.device", "cannot be the name of an interface"),
        Row(12, attached("{tap: }"), "\(web).attach.tap", "found nothing"),
        Row(12, attached("{netns: a/b}"), "\(web).attach.netns", "cannot be the name of a network namespace"),
        Row(12, attached("{netns: ..}"), "\(web).attach.netns", "cannot be the name of a network namespace"),
        Row(12, attached("{netns: \(String(repeating: "n", count: 65))}"), "\(web).attach.netns", "1 to 64 ASCII"),
        Row(
            12,
            attached("{netns: blue-web}"),
            (
                19, "tenants.blue.ports.web.attach",
                "the interface `eth0` in namespace blue-web is already used by \(web).attach (line 12)"
            )
        ),
        Row(12, attached("{device: eth1}"), "\(web).attach", "already used by hosts.h1.physical.physnet1 (line 4)"),
        Row(
            12,
            attached("{tap: fw0}"),
            (13, "tenants.red.ports.fw.attach", "the interface `fw0` on host h1 is already used")
        ),
    ])
    func attachments(row: Row) { row.check() }

    @Test func tunnelsNeedVTEPs() {
        let row = Row(
            4,
            "h1: {physical: {physnet1: eth1}}",
            (12, "\(Self.web).host", "is a tunnel (vxlan 5001) and host h1 has no `vtep`"),
            (13, "tenants.red.ports.fw.host", "has no `vtep`")
        )
        row.check()
    }

    @Test func hostsOfANetworkNeedACommonFamily() {
        let text = """
            sluice: 1
            hosts:
              h1: {vtep: 192.0.2.1}
              h2: {vtep: [192.0.2.2, "2001:db8::2"]}
              h3: {vtep: "2001:db8::3"}
            tenants:
              red:
                networks: {app: {segment: {type: gre, id: 1}}}
                ports:
                  a: {host: h1, network: app, attach: {netns: a}}
                  b: {host: h2, network: app, attach: {netns: b}}
                  c: {host: h3, network: app, attach: {netns: c}}
            """
        let found = problems(text)
        #expect(found.map(\.line) == [12], "\(found)")
        #expect(found.first?.message.contains("hosts h1 and h3 are both in network app") == true)
        #expect(problems(text.replacing("c: {host: h3", with: "c: {host: h2")) == [])
        #expect(problems(text.replacing("a: {host: h1", with: "a: {host: h2")) == [])
    }

    @Test func oneMistakeIsReportedOnce() {
        // The network is wrong, its ports are not; the host is wrong, and so nothing is concluded from what it lacks.
        Row(9, "app: {segment: {type: vxlan, id: none}}", "tenants.red.networks.app.segment.id", "a whole number")
            .check()
        Row(4, "h1: {vtep: 192.0.2.1, physical: {physnet1: a/b}}", "hosts.h1.physical.physnet1", "interface").check()
    }

    @Test func everyMistakeIsReportedInTheOrderOfLines() {
        let found = problems(
            """
            sluice: 1
            tenants:
              red:
                ports:
                  web: {host: h9, network: app, adress: 1, attach: {netns: a/b}}
                networks:
                  app: {segment: {type: vxlan, id: 0}, mtu: 1}
            hosts: {h1: {vtep: nowhere}}
            """
        )
        #expect(found.map(\.line) == [5, 5, 5, 7, 7, 8], "\(found)")
        #expect(found.map(\.column).prefix(3) == [19, 37, 64], "\(found)")
        #expect(
            found[0].description
                == "test.yaml:5:19: tenants.red.ports.web.host: there is no host `h9`; did you mean `h1`?"
        )
    }

    @Test func manySuggestionsAreNotFree() {
        var text = "sluice: 1\nhosts: {h1: {}}\ntenants:\n  red:\n    networks:\n"
        for n in 0..<2000 { text += "      n\(n): {segment: {type: local}}\n" }
        text += "    ports:\n"
        for n in 0..<2000 { text += "      p\(n): {host: h1, network: m\(n), attach: {netns: p\(n)}}\n" }
        let found = problems(text)
        #expect(found.count == 2000)
        #expect(found.last?.message == "tenant red has no network `m1999`")
    }
}

// MARK: Values

@Suite struct PortValueTests {
    private func port(_ text: String) throws -> Port {
        try load(sound(line: 12, "web: {\(text)}")).tenants[0].ports[0]
    }

    @Test func defaults() throws {
        let port = try port("host: h1, network: app, attach: {netns: n}")
        #expect(
            port
                == Port(
                    tenant: "red",
                    name: "web",
                    host: "h1",
                    membership: .access(network: "app"),
                    attach: .tap(name: nil, namespace: "n")
                )
        )
        #expect(port.macIsDefault && port.addresses.isEmpty && port.gateway.isEmpty && port.mtu == nil)
        #expect(port.attach.interface == "eth0" && port.attach.namespace == "n")
        #expect(port.mark.description == "test.yaml:12:7" && port.mark.path == "tenants.red.ports.web")
        #expect(
            port.attachMark.description == "test.yaml:12:45" && port.attachMark.path == "tenants.red.ports.web.attach"
        )
        #expect(port.attachMark.problem("no").description == "test.yaml:12:45: tenants.red.ports.web.attach: no")
    }

    @Test(arguments: [
        ("{netns: n}", Attach.tap(name: nil, namespace: "n"), "eth0", "n" as String?),
        ("{tap: t, netns: n}", .tap(name: "t", namespace: "n"), "t", "n"),
        ("{tap: t}", .tap(name: "t", namespace: nil), "t", nil),
        ("{veth: v, netns: n}", .veth(name: "v", namespace: "n"), "v", "n"),
        ("{veth: v}", .veth(name: "v", namespace: nil), "v", nil), ("{device: d}", .device("d"), "d", nil),
    ])
    func attachments(text: String, attach: Attach, interface: String, namespace: String?) throws {
        let port = try port("host: h1, network: app, attach: \(text)")
        #expect(port.attach == attach && attach.interface == interface && attach.namespace == namespace)
        #expect(attach.description == text)
    }

    @Test func addresses() throws {
        let port = try port(
            "host: h1, network: app, addresses: [10.0.0.11/24, \"fd00::11/64\", \"fe80::11/64\"], "
                + "gateway: [\"fe80::1\", 10.0.0.1], mac: 02-00-00-00-00-AB, mtu: 1300, attach: {netns: n}"
        )
        #expect(port.addresses.map(\.description) == ["10.0.0.11/24", "fd00::11/64", "fe80::11/64"])
        #expect(port.gateway.map(\.description) == ["fe80::1", "10.0.0.1"])
        #expect(port.mac == MACAddress(bits: 0x0200_0000_00AB) && !port.macIsDefault && port.mtu == 1300)
    }

    @Test func trunks() throws {
        let port = try load(sound).tenants[0].ports[1]
        #expect(port.membership == .trunk(untagged: "app", tagged: [TaggedNetwork(vid: 10, network: "lan")]))
        #expect(port.membership.untagged == "app" && port.membership.networks == ["app", "lan"])
    }

    /// Point-to-point subnets have no network and broadcast address (RFC 3021).
    @Test(arguments: ["10.1.0.0/31", "10.1.0.1/31", "10.1.0.7/32", "fd01::/64"])
    func narrowSubnets(prefix: String) throws {
        let subnet = try #require(IPPrefix(prefix)).network
        var text = sound(line: 9, "app: {segment: {type: local}, subnets: [\"\(subnet)\"]}")
        text = text.replacing(
            "address: 10.0.0.11/24, attach: {netns: red",
            with: "address: \"\(prefix)\", attach: {netns: red"
        )
        #expect(problems(text) == [])
    }

    @Test func sameNamesOnDifferentHostsAndNamespaces() {
        let text = """
            sluice: 1
            hosts: {h1: {}, h2: {}}
            tenants:
              red:
                networks: {app: {segment: {type: local}}}
                ports:
                  a: {host: h1, network: app, attach: {device: eth3}}
                  b: {host: h2, network: app, attach: {device: eth3}}
                  c: {host: h1, network: app, attach: {tap: eth3, netns: c}}
                  d: {host: h1, network: app, attach: {tap: eth4, netns: c}}
            """
        #expect(problems(text) == [])
    }

    /// The numbers are part of the contract: a port keeps its MAC over releases.
    @Test func defaultMACsAreStable() {
        let mac = Port.defaultMAC(tenant: "red", port: "web")
        #expect(mac.bits & 0x0300_0000_0000 == 0x0200_0000_0000)
        #expect(mac.description == "f6:1b:68:ac:fe:98")
        #expect(Port.defaultMAC(tenant: "re", port: "dweb") != mac)
        var seen: Set<MACAddress> = []
        for tenant in 0..<200 {
            for port in 0..<200 {
                let mac = Port.defaultMAC(tenant: "t\(tenant)", port: "p\(port)")
                #expect(mac.bits >> 40 & 3 == 2)
                seen.insert(mac)
            }
        }
        #expect(seen.count == 40_000)
    }
}
