import Model
import Testing
import Wire

/// What the file may say about a router's tunnels.
@Suite struct RouterTunnelTests {
    private static let tunnels = "tenants.red.routers.gw.tunnels"
    private static let path = "\(tunnels).office"
    /// In place of the GRE tunnel.
    private static func office(_ text: String, _ key: String, _ part: String) -> Row {
        .routed(24, "office: {\(text)}", key.isEmpty ? path : "\(path).\(key)", part)
    }
    private static let gre = "type: gre, host: h2, remote: 198.51.100.9"

    @Test(arguments: [
        office(
            "host: h2, remote: 198.51.100.9",
            "",
            "the tunnel's `type` is missing; it is ipip (for IPv4), sit (for IPv6) or gre"
        ),
        office("type: gre, remote: 198.51.100.9", "", "the tunnel's `host` is missing: the machine on which it begins"),
        office(
            "type: gre, host: h2",
            "",
            "the tunnel's `remote` is missing: the address of the machine at its other end"
        ),
        office("\(gre), peer: 1", "peer", "`peer` is not a key of a tunnel; did you mean `remote`?"),
        office("\(gre), ttl: 64", "ttl", "`ttl` is not a key of a tunnel; its keys are type, host, local, remote"),
        office("type: gre, host: h3, remote: 198.51.100.9", "host", "there is no host `h3`; did you mean `h1`?"),
        office("type: ipp, host: h2, remote: 198.51.100.9", "type", "is `ipip` or `sit` or `gre`, found `ipp`"),
        office("type: [gre], host: h2, remote: 198.51.100.9", "type", "found a list"),
        .routed(24, "office: gre", path, "a tunnel is a mapping of keys to values, found `gre`"),
        .routed(
            24,
            "of/fice: {\(gre)}",
            (24, "\(tunnels).of/fice", "`of/fice` cannot be a name"),
            (28, "\(routes)[2].via[2]", "has no tunnel")
        ),
        .routed(
            24,
            "10.0.0.7: {\(gre)}\noffice: {\(gre), key: 77}",
            "\(tunnels).10.0.0.7",
            "a tunnel called `10.0.0.7` could not be told from an address behind `via`; begin its name with a letter"
        ),
        .routed(24, "1.5: {\(gre)}\noffice: {\(gre), key: 77}", "\(tunnels).1.5", "begin its name with a letter"),
        .routed(24, "six: {\(gre)}\noffice: {\(gre), key: 77}", "\(tunnels).six", "a second time, first in line 23"),
    ])
    func keys(row: Row) { row.check() }

    private static let routes = "tenants.red.routers.gw.routes"

    @Test(arguments: [
        ("94", "protocol 94 is KA9Q's IPIP, which nobody else speaks; write `ipip`, which is protocol 4 (RFC 2003)"),
        ("4", "`4` is called `ipip` here: IPv4 packets, IP protocol 4 (RFC 2003)"),
        ("ipencap", "`ipencap` is called `ipip` here"), ("ip-in-ip", "`ip-in-ip` is called `ipip` here"),
        ("IPinIP", "`ipinip` is called `ipip` here"),
        ("41", "`41` is called `sit` here: IPv6 packets, IP protocol 41 (RFC 4213)"),
        ("6in4", "`6in4` is called `sit` here"), ("47", "`47` is called `gre` here: IP protocol 47 (RFC 2784)"),
        ("ipip6", "`ipip6` is IPv4 in IPv6; write `ipip` with an IPv6 `remote`"),
        ("ip6ip6", "`ip6ip6` is IPv6 in IPv6; write `sit` with an IPv6 `remote`"),
        ("ip6tnl", "write `ipip` (for IPv4) or `sit` (for IPv6) with an IPv6 `remote`"),
        ("ip6gre", "`ip6gre` is GRE over IPv6; write `gre` with an IPv6 `remote`"),
        (
            "gretap",
            "`gretap` carries Ethernet frames, not packets; a network does that, with `segment: {type: gre, id: KEY}`"
        ),
        ("vxlan", "a network does that, with `segment: {type: vxlan, id: VNI}`"),
    ])
    func otherNamesOfTypes(type: String, part: String) {
        Self.office("type: \(type), host: h2, remote: 198.51.100.9", "type", part).check()
    }

    @Test(arguments: [
        office(
            "type: gre, host: h2, remote: 198.51.100.9/24",
            "remote",
            "write `198.51.100.9`, without the prefix length"
        ),
        office("type: gre, host: h2, remote: far", "remote", "`far` is not an address"),
        office("type: gre, host: h2, remote: 224.0.0.5", "remote", "cannot be 224.0.0.5: it is a multicast address"),
        office("type: gre, host: h2, remote: 127.0.0.1", "remote", "it is a loopback address"),
        office("type: gre, host: h2, remote: 255.255.255.255", "remote", "it is the broadcast address"),
        office("type: gre, host: h2, remote: 0.0.0.0", "remote", "it is the unspecified address"),
        office("type: gre, host: h2, remote: \"fe80::1\"", "remote", "fe80::1 is a link-local address"),
        office("type: gre, host: h2, remote: 169.254.0.5", "remote", "169.254.0.5 is a link-local address"),
        office(
            "type: gre, host: h2, remote: 192.0.2.2",
            "remote",
            "192.0.2.2 is a VTEP of host h2, on which the tunnel begins"
        ),
        office("type: gre, host: h2, remote: \"2001:db8::2\"", "remote", "2001:db8::2 is a VTEP of host h2"),
        office(
            "type: gre, host: h1, remote: \"2001:db8::9\"",
            "host",
            "host h1 has no IPv6 `vtep` from which the tunnel could reach 2001:db8::9; add one to the host"
        ),
        office(
            "\(gre), local: 192.0.2.1",
            "local",
            "192.0.2.1 is no VTEP of host h2; write 192.0.2.2, or leave `local` out"
        ),
        office(
            "\(gre), local: \"2001:db8::2\"",
            "local",
            "2001:db8::2 and the remote 198.51.100.9 are of different families; write 192.0.2.2"
        ),
        office("\(gre), local: here", "local", "`here` is not an address"),
        office("\(gre), local: 224.0.0.1", "local", "it is a multicast address"),
    ])
    func ends(row: Row) { row.check() }

    @Test(arguments: [
        office("\(gre), key: -1", "key", "the GRE key `-1` is out of range; it goes from 0 to 4294967295"),
        office("\(gre), key: 4294967296", "key", "is out of range; it goes from 0 to 4294967295"),
        office("\(gre), key: red", "key", "the GRE key is a whole number from 0 to 4294967295"),
        office("\(gre), checksum: yes", "checksum", "`checksum` is `true` or `false`, found `yes`"),
        office(
            "type: ipip, host: h2, remote: 198.51.100.9, key: 5",
            "key",
            "`key` has no meaning for a tunnel of type `ipip`, which carries no key; remove it, or make the tunnel `gre`"
        ),
        office(
            "type: ipip, host: h2, remote: 198.51.100.9, checksum: false",
            "checksum",
            "`checksum` has no meaning for a tunnel of type `ipip`, which carries no checksum of its own"
        ),
        office("\(gre), mtu: 67", "mtu", "the MTU `67` is out of range; it goes from 68 to 65535"),
        office("\(gre), mtu: 65536", "mtu", "from 68 to 65535"),
        office(
            "\(gre), mtu: 1279, address: \"fd00:5::1/64\"",
            "mtu",
            "the tunnel carries IPv6, which needs an MTU of 1280 or more (RFC 8200), found 1279"
        ),
        office(
            "\(gre), address: 10.5.0.1/24, addresses: []",
            "addresses",
            "the tunnel has both `address` and `addresses`"
        ),
        office("\(gre), address: 10.5.0.1", "address", "`10.5.0.1` lacks its prefix length"),
        office(
            "\(gre), address: 10.5.0.0/24",
            "address",
            "10.5.0.0 is the address of the network itself in 10.5.0.0/24"
        ),
        office("\(gre), addresses: [10.5.0.1/24, \"fe80::1/64\"]", "addresses[1]", "fe80::1 is a link-local address"),
        office("\(gre), address: 10.0.1.9/24", "address", "10.0.1.0/24 overlaps 10.0.1.0/24 of network data (line 20)"),
        office(
            "\(gre), address: \"fd00:9:0:0:1::1/80\"",
            "address",
            "fd00:9:0:0:1::/80 overlaps fd00:9::/64 of tunnel six (line 23)"
        ),
        office("\(gre), address: 224.0.0.1/24", "address", "a router cannot have the address 224.0.0.1"),
        .routed(
            22,
            "branch: {type: ipip, host: h1, remote: 198.51.100.7, address: \"fd00:5::1/64\"}",
            "\(tunnels).branch.address",
            "fd00:5::1/64 cannot be on this tunnel: `ipip` carries IPv4 only (protocol 4); for IPv6 make it `sit` or `gre`"
        ),
        .routed(
            23,
            "six: {type: sit, host: h1, remote: 198.51.100.8, addresses: [\"fd00:9::1/64\", 10.5.0.1/24]}",
            "\(tunnels).six.addresses[1]",
            "10.5.0.1/24 cannot be on this tunnel: `sit` carries IPv6 only (protocol 41); for IPv4 make it `ipip` or `gre`"
        ),
        .routed(
            23,
            "six: {type: sit, host: h1, remote: 198.51.100.8, address: \"fd00:9::1/64\", mtu: 1000}",
            "\(tunnels).six.mtu",
            "the tunnel carries IPv6, which needs an MTU of 1280 or more (RFC 8200), found 1000"
        ),
    ])
    func values(row: Row) { row.check() }

    /// GRE that carries IPv4 only may be as narrow as IPv4 allows, until an IPv6 route leads into it.
    @Test func narrowGRE() {
        let narrow = replacing(line: 24, of: routed, "office: {\(Self.gre), mtu: 600}")
        #expect(problems(narrow) == [])
        let found = problems(replacing(line: 29, of: narrow, "- {to: \"fd00:8::/32\", via: [office, \"fd00:9::7\"]}"))
        #expect(found.map(\.path) == ["\(Self.path).mtu"], "\(found)")
    }

    /// Two tunnels with one pair of ends, in one router, two tenants, or two ways of writing it.
    @Test(arguments: [
        (
            "branch: {type: ipip, host: h1, remote: 198.51.100.7}",
            "ipip from 192.0.2.1 to 198.51.100.7 is already \(tunnels).branch (line 22) and "
                + "tenants.blue.routers.gw.tunnels.branch wants it too: IPIP carries no key, so nothing would tell their packets "
                + "apart; take another remote, or make both `gre` with a `key` each"
        ),
        (
            "branch: {type: ipip, host: h1, remote: 198.51.100.17}\nb: {type: sit, host: h1, remote: 198.51.100.8}",
            "IPv6 in IP carries no key, so nothing would tell their packets apart; take another remote"
        ),
        (
            "branch: {type: ipip, host: h1, remote: 198.51.100.17}\nb: {type: gre, host: h2, remote: 198.51.100.9, key: 77}",
            "with one key, 77, nothing would tell their packets apart; give one of them another"
        ),
    ])
    func sameEnds(text: String, part: String) {
        let found = problems(replacing(line: 41, of: routed, text))
        #expect(found.count == 1 && found[0].message.contains(part), "\(found)")
        #expect(found.first?.line == 41 + text.count { $0 == "\n" })
    }

    @Test func sameEndsWithoutKeys() {
        let found = problems(replacing(line: 42, of: routed, "a: {\(Self.gre)}\noffice: {\(Self.gre), checksum: true}"))
        #expect(found.map(\.line) == [43], "\(found)")
        #expect(
            found[0].message.contains("without a key nothing would tell their packets apart; give one of them a `key`")
        )
    }

    /// Another remote, another host, another kind, another key: each is enough. No key is not key 0.
    @Test(arguments: [
        "b: {type: ipip, host: h2, remote: 198.51.100.7}", "b: {type: sit, host: h1, remote: 198.51.100.7}",
        "b: {type: gre, host: h1, remote: 198.51.100.7}", "b: {type: gre, host: h2, remote: 198.51.100.9, key: 78}",
        "b: {type: gre, host: h2, remote: 198.51.100.9}",
        "b: {type: gre, host: h2, remote: 198.51.100.9}\nc: {type: gre, host: h2, remote: 198.51.100.9, key: 0}",
    ])
    func endsThatDiffer(text: String) {
        #expect(problems(replacing(line: 24, of: routed, text + "\noffice: {\(Self.gre), key: 77}")) == [])
    }

    @Test func overIPv6() throws {
        let text =
            "office: {type: gre, host: h2, remote: \"2001:db8::9\", key: 0xFFFFFFFF, mtu: 65535, addresses: [10.5.0.1/30, \"fd00:5::1/126\"]}"
        let tunnel = try load(replacing(line: 24, of: routed, text)).tenants[0].routers[0].tunnels[2]
        #expect(tunnel.local == IPAddress("2001:db8::2") && tunnel.key == .max && tunnel.mtu == 65535)
        #expect(tunnel.addresses.map(\.description) == ["10.5.0.1/30", "fd00:5::1/126"] && tunnel.overhead == 48)
    }

    /// Of a host or tunnel that is wrong itself, nothing else is said.
    @Test func oneMistakeIsReportedOnce() {
        let found = problems(replacing(line: 4, of: routed, "h2: {vtep: [192.0.2.2, \"2001:db8::x\"]}"))
        #expect(found.map(\.path) == ["hosts.h2.vtep[1]"], "\(found)")
        Row.routed(
            22,
            "branch: {type: ipip, host: h1, remote: x}",
            "\(Self.tunnels).branch.remote",
            "is not an address"
        ).check()
        Row.routed(
            23,
            "six: {type: sit, host: h1, remote: 198.51.100.8, address: \"fd00:9::/64\"}",
            "\(Self.tunnels).six.address",
            "anycast"
        ).check()
    }
}
