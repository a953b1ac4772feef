import Model
import Testing
import Wire

/// What the file may say about a router's routes.
@Suite struct RouteTests {
    private static let routes = "tenants.red.routers.gw.routes"
    /// In place of the second route.
    private static func route(_ text: String, _ key: String, _ part: String) -> Row {
        .routed(27, "- {\(text)}", key.isEmpty ? "\(routes)[1]" : "\(routes)[1].\(key)", part)
    }

    @Test(
        arguments: [
            route("via: branch", "", "the route's `to` is missing: the prefix of the packets that take it"),
            route(
                "to: 10.8.0.0/16",
                "",
                "the route leads nowhere: write `via`, a gateway's address or a tunnel's name, or `type: blackhole`"
            ),
            route("to: 10.8.0.0/16, via: branch, type: blackhole", "type", "the route has both `via` and `type`"),
            route("to: 10.8.0.0/16, type: drop", "type", "is `blackhole` or `unreachable` or `prohibit`, found `drop`"),
            route(
                "to: 10.8.0.0/16, via: branch, metric: 5",
                "metric",
                "`metric` is not a key of a route; its keys are to, via, type"
            ),
            route("to: 10.8.0.0/16, via: branch, gw: 5", "gw", "did you mean `via`?"),
            .routed(27, "- 10.8.0.0/16", "\(routes)[1]", "a route is a mapping of keys to values, found `10.8.0.0/16`"),
        ]
    )
    func keys(row: Row) { row.check() }

    @Test func severalMistakesInOneRoute() {
        Row.routed(
            27,
            "- {dst: 10.8.0.0/16, dev: branch}",
            (27, "\(Self.routes)[1]", "leads nowhere"),
            (27, "\(Self.routes)[1]", "`to` is missing"),
            (27, "\(Self.routes)[1].dst", "did you mean `to`?"),
            (27, "\(Self.routes)[1].dev", "did you mean `via`?")
        ).check()
    }

    @Test(arguments: ["routes: {10.8.0.0/16: branch}", "routes: branch", "routes: {to: 10.8.0.0/16, via: branch}"])
    func routesAreAList(text: String) {
        var lines = routed.split(separator: "\n").map(String.init)
        lines[24] = "        \(text)"
        lines.removeSubrange(25..<30)
        let found = problems(lines.joined(separator: "\n"))
        #expect(found.map(\.path) == [Self.routes])
        #expect(
            found[0].message.contains("routes are a list like `[{to: 10.9.0.0/16, via: branch}]`, found"),
            "\(found)"
        )
    }

    @Test(arguments: [
        route(
            "to: 10.8.0.0, via: branch",
            "to",
            "`10.8.0.0` lacks its prefix length; write 10.8.0.0/32 for this address alone"
        ),
        route("to: \"fd00:8::\", via: six", "to", "write fd00:8::/128 for this address alone"),
        route(
            "to: 10.8.0.1/16, via: branch",
            "to",
            "10.8.0.1/16 has bits set behind its prefix length; write 10.8.0.0/16, or 10.8.0.1/32"
        ),
        route("to: \"fd00:8::1/64\", via: six", "to", "write fd00:8::/64, or fd00:8::1/128 for this address alone"),
        route("to: 10.8.0.0/33, via: branch", "to", "is not an address with its prefix length"),
        route("to: all, via: branch", "to", "`all` is not an address with its prefix length"),
        route("to: [10.8.0.0/16], via: branch", "to", "found a list"),
        route(
            "to: 224.0.0.0/4, via: branch",
            "to",
            "224.0.0.0/4 cannot have a route: it is multicast, which this router does not forward"
        ),
        route("to: \"ff00::/8\", via: six", "to", "it is multicast"),
        route("to: 127.0.0.0/8, via: branch", "to", "it is loopback, which stays inside one machine"),
        route("to: \"::1/128\", via: six", "to", "it is the loopback address"),
        route("to: \"::/128\", via: six", "to", "it is the unspecified address"),
        route("to: 0.0.0.0/8, via: branch", "to", "which no packet may be sent to (RFC 1122)"),
        route("to: 255.255.255.255/32, via: branch", "to", "it is the broadcast address"),
        route("to: \"fe80::/10\", type: blackhole", "to", "it is link-local, which stays on one link"),
        route("to: \"::ffff:0:0/96\", via: six", "to", "it is of IPv4 addresses written as IPv6"),
        route(
            "to: 10.9.0.0/16, via: 10.0.0.200",
            "",
            "10.9.0.0/16 has a route already (line 26); remove one of them, or give one route several hops"
        ),
        route("to: 10.0.1.0/24, via: branch", "to", "10.0.1.0/24 is connected: it is that of network data (line 20)"),
        route(
            "to: \"fd00:9::/64\", type: blackhole",
            "to",
            "fd00:9::/64 is connected: it is that of tunnel six (line 23)"
        ),
        route("to: default, via: office", "to", "`default` could be IPv4's or IPv6's here; write 0.0.0.0/0 or ::/0"),
        route("to: default, type: unreachable", "to", "`default` could be IPv4's or IPv6's here"),
        route(
            "to: default, via: [office, branch, six]",
            "via[2]",
            "0.0.0.0/0 cannot go by tunnel six: `sit` carries IPv6 only (protocol 41)"
        ),
    ])
    func prefixes(row: Row) { row.check() }

    @Test(arguments: [
        route(
            "to: 10.8.0.0/16, via: brnch",
            "via",
            "router gw has no tunnel `brnch`; did you mean `branch`?; a gateway is named by its address"
        ),
        route(
            "to: 10.8.0.0/16, via: zzzzzz",
            "via",
            "its tunnels are branch, six, office; a gateway is named by its address"
        ),
        route(
            "to: 10.8.0.0/16, via: []",
            "via",
            "the list is empty; name a gateway or tunnel, or write `type: blackhole`"
        ),
        route(
            "to: 10.8.0.0/16, via: ",
            "via",
            "a gateway's address or a tunnel's name is expected here, found nothing"
        ),
        route("to: 10.8.0.0/16, via: {dev: branch}", "via", "found a mapping"),
        route("to: 10.8.0.0/16, via: [branch, branch]", "via[1]", "branch is in the list already (line 27)"),
        route("to: 10.8.0.0/16, via: [10.0.0.9, office, 10.0.0.9]", "via[2]", "10.0.0.9 is in the list already"),
        route(
            "to: \"fd00:7::/32\", via: branch",
            "via",
            "fd00:7::/32 cannot go by tunnel branch: `ipip` carries IPv4 only (protocol 4); for IPv6 make it `sit` or `gre`"
        ),
        route(
            "to: 10.8.0.0/16, via: six",
            "via",
            "10.8.0.0/16 cannot go by tunnel six: `sit` carries IPv6 only (protocol 41); for IPv4 make it `ipip` or `gre`"
        ),
        route(
            "to: 10.8.0.0/16, via: \"fd00::9\"",
            "via",
            "the gateway fd00::9 is of the other family than 10.8.0.0/16; packets of IPv4 need an IPv4 gateway"
        ),
        route("to: \"fd00:7::/32\", via: 10.0.0.9", "via", "packets of IPv6 need an IPv6 gateway"),
        route("to: 10.8.0.0/16, via: 10.0.0.200/24", "via", "write `10.0.0.200`, without the prefix length"),
        route(
            "to: 10.8.0.0/16, via: 10.0.0.1",
            "via",
            "10.0.0.1 is the router's own address, in network app; a gateway is another machine's"
        ),
        route("to: \"fd00:7::/32\", via: \"fd00:9::1\"", "via", "fd00:9::1 is the router's own address, in tunnel six"),
        route("to: 10.8.0.0/16, via: 10.0.0.255", "via", "10.0.0.255 is the broadcast address in 10.0.0.0/24"),
        route("to: 10.8.0.0/16, via: 10.0.0.0", "via", "10.0.0.0 is the address of the network itself in 10.0.0.0/24"),
        route("to: 10.8.0.0/16, via: 224.0.0.5", "via", "it is a multicast address"),
        route(
            "to: 10.8.0.0/16, via: 10.3.0.9",
            "via",
            "the gateway 10.3.0.9 lies in no prefix that router gw is connected to (10.0.0.0/24, 10.0.1.0/24), so"
        ),
        route(
            "to: \"fd00:7::/32\", via: \"fe80::1\"",
            "via",
            "the gateway fe80::1 lies in no prefix that router gw is connected to (fd00::/64, fd00:9::/64)"
        ),
        route(
            "to: 10.8.0.0/16, via: [\(gateways(65))]",
            "via",
            "65 hops of equal cost are more than the 64 that a route can have"
        ),
    ])
    func hops(row: Row) { row.check() }

    private static func gateways(_ count: Int) -> String {
        (2..<2 + count).map { "10.0.0.\($0)" }.joined(separator: ", ")
    }

    @Test func gatewayOfAFamilyThatTheRouterLacks() {
        let text = routed.replacing(
            "routes: [{to: 10.9.0.0/16, via: branch},",
            with: "routes: [{to: \"fd00::/32\", via: \"fd00::9\"},"
        )
        #expect(problems(text).first?.message.contains("router gw is connected to (none of its family), so") == true)
    }

    @Test func values() throws {
        let text = replacing(
            line: 27,
            of: routed,
            """
            - {to: 0.0.0.0/0, via: [branch, 10.0.1.9]}
            - {to: default, via: [office, "fd00::7"]}
            - {to: 10.0.0.0/25, via: office}
            - {to: 10.0.0.0/8, type: unreachable}
            - {to: 10.0.0.77/32, type: prohibit}
            - {to: 0.0.0.0/1, via: [\(Self.gateways(64))]}
            - {to: "2001:db8::/32", via: six}
            - {to: 169.254.0.0/16, type: blackhole}
            """
        )
        let routes = try load(text).tenants[0].routers[0].routes.dropFirst()
        #expect(
            routes.prefix(5).map { "\($0.to) \($0.action)" } == [
                "0.0.0.0/0 via branch 10.0.1.9", "::/0 via office fd00::7", "10.0.0.0/25 via office",
                "10.0.0.0/8 unreachable", "10.0.0.77/32 prohibit",
            ]
        )
        #expect(
            routes.dropFirst(6).prefix(2).map { "\($0.to) \($0.action)" } == [
                "2001:db8::/32 via six", "169.254.0.0/16 blackhole",
            ]
        )
        guard case .forward(let hops) = routes[routes.startIndex + 5].action else {
            Issue.record("no hops")
            return
        }
        #expect(hops.count == Route.maximumHops)
    }

    /// Nothing is concluded from interfaces and tunnels that could not be read.
    @Test func oneMistakeIsReportedOnce() {
        Row.routed(19, "app: [10.0.0.1/33]", "tenants.red.routers.gw.interfaces.app[0]", "is not an address").check()
        let found = problems(replacing(line: 24, of: routed, "office: {type: gre, host: h2, remote: x}"))
        #expect(found.map(\.path) == ["tenants.red.routers.gw.tunnels.office.remote"], "\(found)")
    }
}
