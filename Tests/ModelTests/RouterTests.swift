import Model
import Testing
import Wire

/// What the file may say about a router, its interfaces and the ports behind them.
@Suite struct RouterTests {
    private static let gw = "tenants.red.routers.gw"
    private static let app = "\(gw).interfaces.app"
    private static let data = "\(gw).interfaces.data"

    @Test func theRoutedFileIsSound() { #expect(problems(routed) == []) }

    @Test(arguments: [
        Row.routed(15, "gw/1:", "tenants.red.routers.gw/1", "`gw/1` cannot be a name"),
        .routed(
            15,
            "gw: []\nother:",
            "tenants.red.routers.gw",
            "a router is a mapping of keys to values, found a list"
        ),
        .routed(16, "macs: 5", "\(gw).macs", "`macs` is not a key of a router; did you mean `mac`?"),
        .routed(16, "networks: [app]", "\(gw).networks", "did you mean `interfaces`?"),
        .routed(16, "gateway: 10.0.0.9", "\(gw).gateway", "did you mean `routes`?"),
        .routed(
            16,
            "nat: true",
            "\(gw).nat",
            "`nat` is not a key of a router; its keys are mac, reversePath, interfaces"
        ),
        .routed(16, "mac: 02-00", "\(gw).mac", "is not a MAC address; write it like"),
        .routed(
            16,
            "mac: \"01:00:00:00:00:01\"",
            "\(gw).mac",
            "a router cannot have the MAC 01:00:00:00:00:01: it is a group"
        ),
        .routed(
            16,
            "mac: \"02:00:00:00:00:12\"",
            "\(gw).mac",
            "02:00:00:00:00:12 is already the MAC of port db (line 13) in network data; give one of them another"
        ),
        .routed(17, "reversePath: on", "\(gw).reversePath", "is `strict` or `loose` or `off`, found `on`"),
        .routed(17, "reversePath: false", "\(gw).reversePath", "is `strict` or `loose` or `off`, found `false`"),
    ])
    func keys(row: Row) { row.check() }

    @Test(arguments: [
        Row.routed(
            20,
            "ap: 10.0.1.1/24",
            "\(gw).interfaces.ap",
            "tenant red has no network `ap`; did you mean `app`?"
        ),
        .routed(
            20,
            "own: 10.0.1.1/24",
            "\(gw).interfaces.own",
            "tenant red has no network `own`, only tenant blue has, and a router never joins another tenant's network"
        ),
        .routed(
            20,
            "blue/app: 10.0.1.1/24",
            "\(gw).interfaces.blue/app",
            "`blue/app` is tenant blue's, and a router never joins another tenant's network"
        ),
        .routed(20, "data: []", data, "the router needs an address in network data, with its prefix length"),
        .routed(20, "data:", data, "an address with its prefix length is expected here, found nothing"),
        .routed(
            20,
            "data: {address: 10.0.1.1/24}",
            data,
            "an address with its prefix length is expected here, found a mapping"
        ),
        .routed(20, "data: 10.0.1.1", data, "`10.0.1.1` lacks its prefix length; write 10.0.1.1/24"),
        .routed(20, "data: 10.0.1.x/24", data, "is not an address with its prefix length"),
        .routed(20, "data: 10.0.1.0/24", data, "10.0.1.0 is the address of the network itself in 10.0.1.0/24"),
        .routed(20, "data: 10.0.1.255/24", data, "10.0.1.255 is the broadcast address in 10.0.1.0/24"),
        .routed(
            20,
            "free: \"fd00:3::/64\"",
            "\(gw).interfaces.free",
            "fd00:3:: is the anycast address of all routers in fd00:3::/64"
        ),
        .routed(
            20,
            "free: 224.0.0.1/24",
            "\(gw).interfaces.free",
            "a router cannot have the address 224.0.0.1: it is a multicast"
        ),
        .routed(20, "free: \"ff02::1/64\"", "\(gw).interfaces.free", "it is a multicast address"),
        .routed(20, "free: 127.0.0.1/8", "\(gw).interfaces.free", "it is a loopback address"),
        .routed(20, "free: \"::1/64\"", "\(gw).interfaces.free", "it is the loopback address"),
        .routed(20, "free: 0.0.0.0/24", "\(gw).interfaces.free", "it is the unspecified address"),
        .routed(
            20,
            "free: \"fe80::1/64\"",
            "\(gw).interfaces.free",
            "fe80::1 is a link-local address, which no packet is ever routed"
        ),
        .routed(20, "free: 169.254.0.1/16", "\(gw).interfaces.free", "169.254.0.1 is a link-local address"),
        .routed(
            20,
            "data: 10.0.2.1/24",
            data,
            "10.0.2.1 lies in no subnet of network data (10.0.1.0/24); change the address"
        ),
        .routed(20, "data: 10.0.1.1/16", data, "has another prefix length than its subnet 10.0.1.0/24"),
        .routed(20, "data: 10.0.1.1/25", data, "write 10.0.1.1/24"),
        .routed(
            20,
            "data: 10.0.1.12/24",
            data,
            "10.0.1.12 is already the address of port db (line 13) in network data; give one of them another"
        ),
        .routed(
            20,
            "free: 10.0.0.2/16",
            "\(gw).interfaces.free",
            "10.0.0.0/16 overlaps 10.0.0.0/24 of network app (line 19); a router has one table"
        ),
        .routed(
            20,
            "data: [10.0.1.1/24, 10.0.1.2/24]",
            "\(data)[1]",
            "10.0.1.0/24 overlaps 10.0.1.0/24 of network data (line 20)"
        ),
        .routed(20, "app: 10.0.0.2/24", app, "`app` stands here a second time, first in line 19"),
    ])
    func interfaces(row: Row) { row.check() }

    @Test(arguments: [
        ("interfaces: [app]", "interfaces are a mapping of networks to the router's addresses in them, like"),
        ("interfaces: app", "like `{app: 10.0.0.1/24}`, found `app`"),
    ])
    func interfacesThatAreNone(text: String, part: String) {
        let found = problems(routed.replacing("interfaces: {app: 10.0.0.1/24}", with: text))
        #expect(found.map(\.path) == ["tenants.blue.routers.gw.interfaces"])
        #expect(found.first?.message.contains(part) == true, "\(found)")
    }

    /// Two routers in one network have neither an address nor a MAC in common.
    @Test func routersBesideEachOther() {
        let more = "gw2: {mac: \"02:00:00:00:00:01\", interfaces: {free: 10.3.0.1/24, data: 10.0.1.1/24}}\ngw:"
        let found = problems(replacing(line: 15, of: routed, more))
        #expect(found.map(\.line) == [17, 21], "\(found)")
        #expect(found.map(\.path) == ["\(Self.gw).mac", Self.data])
        #expect(found[0].message.contains("is already the MAC of router gw2 (line 15) in network data"))
        #expect(found[1].message.contains("10.0.1.1 is already the address of router gw2 (line 15) in network data"))
        // In networks of their own they may look the same.
        #expect(problems(replacing(line: 15, of: routed, more.replacing(", data: 10.0.1.1/24", with: ""))) == [])
    }

    @Test func networkTooNarrowForIPv6() {
        let text = routed.replacing(
            "free: {segment: {type: vxlan, id: 5003}}",
            with: "free: {segment: {type: vxlan, id: 5003}, mtu: 1000}"
        )
        .replacing("data: 10.0.1.1/24", with: "free: \"fd00:3::1/64\"")
        let found = problems(text)
        #expect(found.map(\.path) == ["\(Self.gw).interfaces.free"])
        #expect(found[0].message.contains("IPv6 needs an MTU of 1280 or more (RFC 8200), and network free has 1000"))
    }

    /// A network that is wrong itself is reported itself, and not what is in it.
    @Test func oneMistakeIsReportedOnce() {
        let found = problems(routed.replacing("subnets: [10.0.1.0/24]}", with: "subnets: [10.0.1.7/24]}"))
        #expect(found.map(\.path) == ["tenants.red.networks.data.subnets[0]"], "\(found)")
        // Nothing is concluded from an interface that could not be read.
        Row.routed(19, "app: [10.0.0.1/33, \"fd00::1/64\"]", "\(Self.app)[0]", "is not an address with its prefix")
            .check()
    }

    @Test func values() throws {
        let topology = try load(routed)
        let gw = topology.tenants[0].routers[0]
        func prefix(_ text: String) -> IPPrefix { IPPrefix(text)! }
        func address(_ text: String) -> IPAddress { IPAddress(text)! }
        let expected = Router(
            tenant: "red",
            name: "gw",
            mac: MACAddress("02:00:00:00:00:01")!,
            interfaces: [
                RouterInterface(network: "app", addresses: [prefix("10.0.0.1/24"), prefix("fd00::1/64")]),
                RouterInterface(network: "data", addresses: [prefix("10.0.1.1/24")]),
            ],
            tunnels: [
                RouterTunnel(
                    name: "branch",
                    kind: .ipip,
                    host: "h1",
                    local: address("192.0.2.1"),
                    remote: address("198.51.100.7")
                ),
                RouterTunnel(
                    name: "six",
                    kind: .sit,
                    host: "h1",
                    local: address("192.0.2.1"),
                    remote: address("198.51.100.8"),
                    mtu: 1400,
                    addresses: [prefix("fd00:9::1/64")]
                ),
                RouterTunnel(
                    name: "office",
                    kind: .gre,
                    host: "h2",
                    local: address("192.0.2.2"),
                    remote: address("198.51.100.9"),
                    key: 77,
                    checksum: true
                ),
            ],
            routes: [
                Route(to: prefix("10.9.0.0/16"), action: .forward([.tunnel("branch")])),
                Route(to: prefix("10.8.0.0/16"), action: .forward([.gateway(address("10.0.0.200"))])),
                Route(
                    to: prefix("10.7.0.0/16"),
                    action: .forward([
                        .gateway(address("10.0.0.200")), .gateway(address("10.0.0.201")), .tunnel("office"),
                    ])
                ),
                Route(to: prefix("fd00:8::/32"), action: .forward([.gateway(address("fd00:9::7"))])),
                Route(to: prefix("10.6.0.0/16"), action: .blackhole),
            ],
            reversePath: .loose
        )
        #expect(gw == expected)
        #expect(gw.mark.description == "test.yaml:15:7" && gw.mark.path == Self.gw)
        #expect(gw.interfaces[1].mark.path == Self.data && gw.interfaces[1].mark.line == 20)
        #expect(gw.tunnels[1].mark.path == "\(Self.gw).tunnels.six" && gw.tunnels[1].mtuMark.line == 23)
        #expect(gw.routes[2].mark.description == "test.yaml:28:13" && gw.routes[2].mark.path == "\(Self.gw).routes[2]")

        let blue = try #require(topology.tenant("blue")?.router("gw"))
        #expect(blue.macIsDefault && blue.mac == Router.defaultMAC(tenant: "blue", router: "gw"))
        #expect(blue.mac != Port.defaultMAC(tenant: "blue", port: "gw") && blue.reversePath == .strict)
        #expect(blue.routes[1].to == prefix("0.0.0.0/0"))
        #expect(
            blue.tunnels.map(\.local) == [address("192.0.2.1"), address("192.0.2.1")] && blue.tunnels[1].key == nil
        )
    }

    @Test func nothingSaidIsNothingThere() throws {
        for text in ["gw:", "gw: {}", "gw: {interfaces: , tunnels: {}, routes: ~}", "gw: {routes: []}"] {
            let topology = try load(sound(line: 7, "red:\n  routers:\n    \(text)"))
            #expect(topology.tenants[0].routers == [Router(tenant: "red", name: "gw")])
        }
    }
}

// MARK: Gateways

@Suite struct DefaultGatewayTests {
    private func loaded(_ port: String) throws -> Port {
        let text = replacing(
            line: 12,
            of: routed,
            "web: {host: h1, network: app, \(port), attach: {netns: red-web}}"
        )
        return try load(text).tenants[0].ports[0]
    }

    @Test(arguments: [
        ("address: 10.0.0.11/24", ["10.0.0.1"], true), ("address: \"fd00::11/64\"", ["fd00::1"], true),
        ("addresses: [10.0.0.11/24, \"fd00::11/64\"]", ["10.0.0.1", "fd00::1"], true),
        ("addresses: [10.0.0.11/24, 10.0.0.13/24]", ["10.0.0.1"], true),
        // Explicit ones are kept, none included, and for both families.
        ("address: 10.0.0.11/24, gateway: 10.0.0.254", ["10.0.0.254"], false),
        ("address: 10.0.0.11/24, gateway: none", [], false),
        ("addresses: [10.0.0.11/24, \"fd00::11/64\"], gateway: \"fd00::7\"", ["fd00::7"], false),
        // Too narrow to see the router, or no address at all.
        ("address: 10.0.0.11/32", [], false), ("mtu: 1400", [], false), ("address: \"fe80::5/64\"", [], false),
    ])
    func comeFromTheRouter(port: String, expected: [String], isDefault: Bool) throws {
        let port = try loaded(port)
        #expect(port.gateway.map(\.description) == expected && port.gatewayIsDefault == isDefault)
    }

    @Test func onlyWhenThereIsOne() throws {
        let text = replacing(line: 14, of: routed, "routers:\n  gw2: {interfaces: {app: 10.0.0.2/24}}")
        let ports = try load(text).tenants[0].ports
        // Two in IPv4, one in IPv6; and the other network has one.
        #expect(ports[0].gateway.map(\.description) == ["fd00::1"])
        #expect(ports[1].gateway.map(\.description) == ["10.0.1.1"])
    }

    @Test func onATrunkInTheUntaggedNetwork() throws {
        let port = "fw: {host: h2, trunk: {untagged: app, 10: data}, address: 10.0.0.12/24, attach: {netns: fw}}"
        let ports = try load(replacing(line: 13, of: routed, port)).tenants[0].ports
        #expect(ports[1].gateway.map(\.description) == ["10.0.0.1"] && ports[1].gatewayIsDefault)
        #expect(try load(sound).tenants.flatMap(\.ports).allSatisfy { $0.gateway.isEmpty && !$0.gatewayIsDefault })
    }

    @Test(arguments: ["\"none\"", "[none]", "nothing"])
    func noneIsAWord(text: String) {
        let found = problems(
            sound(
                line: 12,
                "web: {host: h1, network: app, address: 10.0.0.11/24, gateway: \(text), attach: {netns: red-web}}"
            )
        )
        #expect(found.count == 1 && found[0].message.contains("is not an address; write it like"), "\(found)")
    }
}
