import Model
import Testing

@Suite struct HostTests {
    @Test(arguments: [
        Row(2, "lab: {underley: 192.0.2.0/24}", "lab.underley", "did you mean `underlay`?"),
        Row(2, "lab: {underlay: 192.0.2.1}", "lab.underlay", "lacks its prefix length"),
        Row(2, "lab: {underlay: 192.0.2.7/24}", "lab.underlay", "the subnet is 192.0.2.0/24"),
        Row(2, "lab: {underlay: [192.0.2.0/24, 192.0.0.0/16]}", "lab.underlay[1]", "overlaps 192.0.2.0/24"),
        Row(2, "lab: {mtu: 70000}", "lab.mtu", "out of range; it goes from 68 to 65535"),
        Row(
            2,
            "lab: {underlay: [192.0.2.0/24, \"2001:db8::/64\"], mtu: 1000}",
            "lab.mtu",
            "an IPv6 underlay needs an MTU of 1280 or more"
        ),
        Row(2, "lab: 5", "lab", "the lab is a mapping of keys to values, found `5`"),
        Row(2, "labs: {}", "labs", "`labs` is not a key of the file; did you mean `lab`?"),
    ])
    func lab(row: Row) { row.check() }

    @Test(arguments: [
        Row(5, "h2: {vteps: 192.0.2.2}", "hosts.h2.vteps", "did you mean `vtep`?"),
        Row(5, "h2: {vtep: 192.0.2.256}", "hosts.h2.vtep", "is not an address; write it like 192.0.2.1"),
        Row(5, "h2: {vtep: 192.0.2.2/24}", "hosts.h2.vtep", "write `192.0.2.2`, without the prefix length"),
        Row(5, "h2: {vtep: 192.0.2.1}", "hosts.h2.vtep", "is already the VTEP of host h1 (line 4)"),
        Row(5, "h2: {vtep: [192.0.2.2, 192.0.2.3]}", "hosts.h2.vtep[1]", "the second IPv4 VTEP after 192.0.2.2"),
        Row(5, "h2: {vtep: 192.0.3.2}", "hosts.h2.vtep", "outside lab.underlay (192.0.2.0/24)"),
        Row(5, "h2: {vtep: 192.0.2.255}", "hosts.h2.vtep", "is the broadcast address in 192.0.2.0/24"),
        Row(5, "h2: {vtep: 224.0.0.1}", "hosts.h2.vtep", "it is a multicast address"),
        Row(5, "h2: {vtep: 0.0.0.0}", "hosts.h2.vtep", "it is the unspecified address"),
        Row(5, "h2: {vtep: 127.0.0.1}", "hosts.h2.vtep", "it is a loopback address"),
        Row(5, "h2: {vtep: \"::1\"}", "hosts.h2.vtep", "it is the loopback address"),
        Row(5, "h2: {vtep: \"ff02::1\"}", "hosts.h2.vtep", "it is a multicast address"),
        Row(5, "h2: {vtep: \"::ffff:192.0.2.2\"}", "hosts.h2.vtep", "written as IPv6; write 192.0.2.2"),
        Row(5, "h2: {vtep: \"fe80::1\"}", "hosts.h2.vtep", "link-local"),
        Row(5, "h2: {vtep: }", "hosts.h2.vtep", "is expected here, found nothing"),
        Row(5, "h2: {vtep: {a: 1}}", "hosts.h2.vtep", "is expected here, found a mapping"),
        Row(5, "h2: [192.0.2.2]", "hosts.h2", "a host is a mapping of keys to values, found a list"),
        Row(5, "h2: {physical: {p/1: eth1}, vtep: 192.0.2.2}", "hosts.h2.physical.p/1", "cannot be a name"),
        Row(
            4,
            "h1: {vtep: 192.0.2.1, physical: {physnet1: eth1, physnet2: eth1}}",
            "hosts.h1.physical.physnet2",
            "already used by hosts.h1.physical.physnet1 (line 4)"
        ),
        Row(
            4,
            "h1: {vtep: 192.0.2.1, physical: {physnet1: a/b}}",
            "hosts.h1.physical.physnet1",
            "`a/b` cannot be the name of an interface"
        ),
        Row(
            5,
            "h2: {vtep: 192.0.2.2, workers: 0}",
            "hosts.h2.workers",
            "the number of workers `0` is out of range; it goes from 1 to 16"
        ),
        Row(5, "h2: {vtep: 192.0.2.2, workers: 17}", "hosts.h2.workers", "1 to 16"),
        Row(5, "h2: {vtep: 192.0.2.2, workers: all}", "hosts.h2.workers", "the number of workers"),
        Row(5, "h2: {vtep: 192.0.2.2, threads: 2}", "hosts.h2.threads", "workers"),
        Row(5, "h2: {vtep: 192.0.2.2, underlay: {mode: socket, tap: t}}", "hosts.h2.underlay.tap", "has no meaning"),
        Row(
            5,
            "h2: {vtep: 192.0.2.2, underlay: {mode: tap, tap: up0}}",
            "hosts.h2.underlay",
            "the mode `tap` needs `bridge`"
        ),
        Row(
            5,
            "h2: {vtep: 192.0.2.2, underlay: {mode: tap, tap: up0, bridge: up0}}",
            "hosts.h2.underlay.tap",
            "give it another name"
        ),
        Row(
            5,
            "h2: {vtep: 192.0.2.2, physical: {physnet1: up0}, underlay: {mode: tap, tap: up0, bridge: br0}}",
            "hosts.h2.underlay.tap",
            "is already used by hosts.h2.physical.physnet1"
        ),
        Row(
            5,
            "h2: {vtep: 192.0.2.2, underlay: {mode: tap, tap: up0, bridge: br0, address: 192.0.2.2}}",
            "hosts.h2.underlay.address",
            "lacks its prefix length"
        ),
        Row(
            5,
            "h2: {vtep: 192.0.2.2, underlay: {mode: tap, tap: up0, bridge: br0, address: 192.0.2.9/24}}",
            "hosts.h2.underlay.address",
            "192.0.2.9 is not a VTEP of host h2, which has 192.0.2.2"
        ),
        Row(
            5,
            "h2: {vtep: 192.0.2.2, underlay: {mode: tap, tap: up0, bridge: br0, gateway: 192.0.2.254}}",
            "hosts.h2.underlay.gateway",
            "give the VTEP with its prefix length"
        ),
        Row(
            5,
            "h2: {vtep: 192.0.2.2, underlay: {mode: tap, tap: u, bridge: b, address: 192.0.2.2/24, gateway: 192.0.3.1}}",
            "hosts.h2.underlay.gateway",
            "lies outside of 192.0.2.0/24"
        ),
        Row(
            5,
            "h2: {vtep: 192.0.2.2, underlay: {mode: tap, tap: u, bridge: b, address: 192.0.2.2/24, gateway: 192.0.2.2}}",
            "hosts.h2.underlay.gateway",
            "is the VTEP itself"
        ),
        Row(
            5,
            "h2: {vtep: 192.0.2.2, underlay: {mode: tap, tap: u, bridge: b, addresses: 192.0.2.2/24}}",
            "hosts.h2.underlay.addresses",
            "did you mean `address`?"
        ),
        Row(
            5,
            "h2: {vtep: 192.0.2.2, underlay: {mode: device, device: eth0, bridge: br0}}",
            "hosts.h2.underlay.bridge",
            "`bridge` has no meaning when the mode is `device`; remove it"
        ),
        Row(
            5,
            "h2: {vtep: 192.0.2.2, underlay: {mode: bus}}",
            "hosts.h2.underlay.mode",
            "`socket` or `tap` or `device`"
        ),
        Row(5, "h2: {vtep: 192.0.2.2, underlay: {}}", "hosts.h2.underlay", "`mode` is missing"),
    ])
    func hosts(row: Row) {
        // A port of blue is on h2, so a mistake in h2 must not be blamed on it as well.
        row.check()
    }

    @Test func anUplinkIsReadWhole() throws {
        let topology = try load(
            """
            sluice: 1
            hosts:
              h1: {vtep: [192.0.2.1, "2001:db8::1"], underlay: {mode: tap, tap: up0, bridge: br0}}
              h2:
                vtep: [192.0.2.2, "2001:db8::2"]
                underlay: {mode: tap, tap: up0, bridge: br0, address: [192.0.2.2/24, "2001:db8::2/64"],
                  gateway: [192.0.2.254, "fe80::1"]}

            """
        )
        #expect(topology.hosts[0].underlay == .tap("up0", bridge: "br0"))
        guard case .tap(_, _, let addresses, let gateways) = topology.hosts[1].underlay else {
            Issue.record("h2 has no uplink")
            return
        }
        #expect(addresses.map(\.description) == ["192.0.2.2/24", "2001:db8::2/64"])
        #expect(gateways.map(\.description) == ["192.0.2.254", "fe80::1"])
        #expect(
            "\(topology.hosts[1].underlay)"
                == "tap up0 on bridge br0 as 192.0.2.2/24 as 2001:db8::2/64 via 192.0.2.254 via fe80::1"
        )
    }

    @Test func aHostNeedsNothing() throws {
        let topology = try load("sluice: 1\nhosts:\n  h1:\n  h2: {}\n")
        #expect(topology.hosts == [Host(name: "h1"), Host(name: "h2")])
        #expect(topology.hosts[1].mark.description == "test.yaml:4:3")
        #expect(topology.lab == nil && topology.tenants.isEmpty)
    }

    @Test func bothFamilies() throws {
        let topology = try load(
            """
            sluice: 1
            lab: {underlay: [192.0.2.0/24, "2001:db8::/64"], mtu: 9000}
            hosts:
              h1: {vtep: ["2001:db8::1", 192.0.2.1], physical: {a: eth1, b: eth2}, underlay: {mode: socket}}
            """
        )
        let host = topology.hosts[0]
        #expect(host.vtep(ipv6: false)?.description == "192.0.2.1")
        #expect(host.vtep(ipv6: true)?.description == "2001:db8::1")
        #expect(host.device(of: "b") == "eth2" && host.device(of: "c") == nil)
        #expect(host.physical[1].mark.path == "hosts.h1.physical.b")
        #expect(topology.lab?.mtu == 9000 && topology.lab?.underlays.count == 2)
    }

    @Test(arguments: ["", "-a", ".a", "a b", "a/b", "a\\nb", "a\\0", "ä", String(repeating: "a", count: 64)])
    func names(name: String) {
        let found = problems("sluice: 1\nhosts: {\"\(name)\": {}}\ntenants: {\"\(name)\": {}}\n")
        #expect(found.map(\.line) == [2, 3])
        #expect(found.allSatisfy { $0.message.contains("cannot be a name") && !$0.description.contains("\0") })
        #expect(
            problems("sluice: 1\nhosts: {A.b_c-9: {}, no: {}, 5: {}, \(String(repeating: "a", count: 63)): {}}") == []
        )
    }
}
