"""Tunnels of routers: IPIP, SIT and GRE between a tenant's router and another Linux kernel, two tenants side by side with
one prefix, and what must not come out of a tunnel."""

import json
import os
import re

import pytest

from support.frames import GRE, ICMP, IP, UDP, Ether, IPv6, Raw, gre, pad  # noqa: F401
from support.interface import Interface, token
from support.namespaces import address, ip, mac_of, set_sysctl
from support.shell import run, wait_until
from support.topology import network, port, topology
from support.traffic import PYTHON, TRANSFER, Checksums, Listener, ping
from support.uml import Guest

GIGABYTE = 1 << 30
HERE, THERE = ("192.0.2.1", "2001:db8:2::1"), ("192.0.2.2", "2001:db8:2::2")
MAC = "02:00:00:00:00:fe"

# Name → tunnel in the file, what makes the guest's end of it, families inside, bytes in front of the packet.
TUNNELS = {
    "ipip": ({"type": "ipip", "remote": THERE[0]}, f"type ipip local {THERE[0]} remote {HERE[0]} ttl 64", (4,), 20),
    "sit": ({"type": "sit", "remote": THERE[0]}, f"type sit local {THERE[0]} remote {HERE[0]} ttl 64", (6,), 20),
    "gre": ({"type": "gre", "remote": THERE[0]}, f"type gre local {THERE[0]} remote {HERE[0]} ttl 64", (4, 6), 24),
    "keyed": (
        {"type": "gre", "remote": THERE[0], "key": 77},
        f"type gre local {THERE[0]} remote {HERE[0]} key 77 ttl 64", (4, 6), 28),
    "summed": (
        {"type": "gre", "remote": THERE[0], "key": 4000000000, "checksum": True},
        f"type gre local {THERE[0]} remote {HERE[0]} key 4000000000 csum ttl 64", (4, 6), 32),
    "ipip6": (
        {"type": "ipip", "remote": THERE[1]},
        f"type ip6tnl mode ipip6 local {THERE[1]} remote {HERE[1]} encaplimit none", (4,), 40),
    "ip6ip6": (
        {"type": "sit", "remote": THERE[1]},
        f"type ip6tnl mode ip6ip6 local {THERE[1]} remote {HERE[1]} encaplimit none", (6,), 40),
    "gre6": (
        {"type": "gre", "remote": THERE[1], "key": 5},
        f"type ip6gre local {THERE[1]} remote {HERE[1]} key 5 encaplimit none", (4, 6), 48),
}
CASES = [(name, family) for name, (_, _, families, _) in TUNNELS.items() for family in families]


def far(name, family):
    """The address behind the guest's end of a tunnel."""
    number = list(TUNNELS).index(name) + 1
    return f"10.9.{number}.1" if family == 4 else f"fd09:{number}::1"


def near(family):
    return "10.0.0.11" if family == 4 else "fd00::11"


class World:
    pass


@pytest.fixture(scope="module")
def world(module_bench):
    if not os.access("/dev/net/tun", os.W_OK):
        pytest.skip("/dev/net/tun is for root only here")
    bench = module_bench
    bench.hosts("host", "far")
    address("host", "under", f"{HERE[0]}/24", f"{HERE[1]}/64")
    guest = bench.keep(Guest("far", "under"))
    guest.run(
        "sysctl -qw net.ipv6.conf.vec0.disable_ipv6=0;"
        f"ip address add {THERE[0]}/24 dev vec0; ip address add {THERE[1]}/64 dev vec0 nodad")
    tunnels, routes = {}, []
    for name, (tunnel, make, families, _) in TUNNELS.items():
        tunnels[name] = {**tunnel, "host": "h1"}
        guest.run(f"ip link add t-{name} {make} && ip link set t-{name} up")
        for family in families:
            bits = 24 if family == 4 else 64
            routes.append({"to": f"{far(name, family)[:-1]}0/{bits}" if family == 4 else f"{far(name, family)[:-1]}/64",
                           "via": name})
            guest.run(f"ip address add {far(name, family)}/{32 if family == 4 else 128} dev lo")
    bench.namespaces.make("red-web", "red-two")
    made = World()
    made.bench, made.guest = bench, guest
    made.file = topology({"h1": {"vtep": list(HERE)}}, {"red": {
        "networks": {
            "app": network("local", subnets=["10.0.0.0/24", "fd00::/64"]),
            "two": network("local", subnets=["10.0.1.0/24", "fd00:1::/64"])},
        "ports": {
            "web": port("h1", "red-web", network="app", address=["10.0.0.11/24", "fd00::11/64"], mac="02:00:00:00:00:01"),
            "two": port("h1", {"veth": "v0", "netns": "red-two"}, network="two",
                        address=["10.0.1.11/24", "fd00:1::11/64"], mac="02:00:00:00:00:02")},
        "routers": {"gw": {
            "mac": MAC, "interfaces": {"app": ["10.0.0.1/24", "fd00::1/64"], "two": ["10.0.1.1/24", "fd00:1::1/64"]},
            "tunnels": tunnels, "routes": routes}}}})
    made.switch = bench.switch("host", made.file)
    return made


def back(world, name, family):
    """The guest's routes to the tenant, by one tunnel at a time: it has one table only."""
    option = "-6" if family == 6 else "-4"
    for prefix in (("10.0.0.0/24", "10.0.1.0/24") if family == 4 else ("fd00::/64", "fd00:1::/64")):
        source = far(name, family)
        world.guest.run(f"ip {option} route replace {prefix} dev t-{name} src {source}")


@pytest.mark.parametrize("name, family", CASES)
def test_ping_to_the_byte(world, name, family):
    back(world, name, family)
    mtu = 1500 - TUNNELS[name][3]
    overhead = 28 if family == 4 else 48
    for end in ("red-web", "red-two"):
        ping(end, far(name, family))
        ping(end, far(name, family), size=mtu - overhead, whole=True)
    world.guest.ping(near(family))
    world.guest.ping(near(family), size=mtu - overhead)


@pytest.mark.parametrize("name, family", CASES)
def test_the_path_mtu_is_told(world, name, family):
    back(world, name, family)
    mtu = 1500 - TUNNELS[name][3]
    option = "-4" if family == 4 else "-6"
    ip("red-web", "route flush cache")
    done = run("tracepath", option, "-n", "-m", 5, far(name, family), namespace="red-web")
    assert f"pmtu {mtu}" in done.output and "reached" in done.output, done.output
    done = run("ping", "-n", "-c", 1, "-M", "do", "-s", 1472 if family == 4 else 1452, far(name, family),
               namespace="red-two", check=False)
    assert re.search(rf"mtu ?= ?{mtu}", done.output), done.output


@pytest.mark.parametrize("name, family", CASES)
def test_tcp_each_way(world, name, family):
    """A gigabyte each way by IPIP, SIT and GRE, something less by the others."""
    back(world, name, family)
    size = GIGABYTE if name in ("ipip", "sit", "gre") and family == TUNNELS[name][2][0] else 32 << 20
    with Checksums("red-web", "host"), Listener("red-web", near(family)):
        output = world.guest.run(
            f"{PYTHON} {TRANSFER} call {near(family)} 5900 {size} up down", patience=400)
    print(name, family, json.loads(output))
    counters = json.loads(world.guest.run("nstat -a -s -z --json"))["kernel"]
    assert not {key: value for key, value in counters.items() if "CsumErrors" in key and value}, counters


# -- On the wire


class Wire:
    """A far end made of frames: the namespace `far` speaks for itself, and there is no guest."""


@pytest.fixture
def wire(bench):
    """Tenants red and blue with one prefix, and a branch of their own each; the far ends are scapy's."""
    bench.namespaces.make_silent("host", "far")
    from support.namespaces import cable
    cable(("host", "under"), ("far", "under"))
    address("host", "under", "192.0.2.1/24", "2001:db8:2::1/64")
    address("far", "under", "192.0.2.7/24", "192.0.2.8/24", "192.0.2.66/24", "2001:db8:2::7/64", "2001:db8:2::8/64")
    set_sysctl("far", "net/ipv4/icmp_ratelimit", 0)
    tenants = {}
    for number, (name, remote) in enumerate({"red": 7, "blue": 8}.items()):
        bench.namespaces.make_silent(f"{name}-web")
        tenants[name] = {
            "networks": {"app": network("local", subnets=["10.0.0.0/24"])},
            "ports": {"web": port("h1", f"{name}-web", network="app", address="10.0.0.11/24", mac="02:00:00:00:00:01")},
            "routers": {"gw": {
                "mac": MAC, "interfaces": {"app": ["10.0.0.1/24", "fd00::1/64"]},
                "tunnels": {
                    "branch": {"type": "ipip", "host": "h1", "remote": f"192.0.2.{remote}"},
                    "six": {"type": "sit", "host": "h1", "remote": f"192.0.2.{remote}"},
                    "plain": {"type": "gre", "host": "h1", "remote": f"192.0.2.{remote}", "key": 5}},
                "routes": [
                    {"to": "10.9.0.0/16", "via": "branch"}, {"to": "fd09::/16", "via": "six"},
                    {"to": "10.10.0.0/16", "via": "plain"}]}}}
    made = Wire()
    made.bench = bench
    made.switch = bench.switch("host", topology({"h1": {"vtep": ["192.0.2.1", "2001:db8:2::1"]}}, tenants))
    made.under = bench.keep(Interface("far", "under"))
    made.ends = {name: bench.keep(Interface(f"{name}-web", "eth0")) for name in tenants}
    made.source, made.target = mac_of("far", "under"), mac_of("host", "under")
    return made


def inner(mark, source="10.0.0.11", destination="10.9.0.1", ttl=64, **fields):
    return IP(src=source, dst=destination, ttl=ttl, flags="DF", id=0, **fields) / UDP(sport=1, dport=2) / Raw(mark)


def outer(wire, payload, protocol=4, source="192.0.2.7"):
    return bytes(Ether(src=wire.source, dst=wire.target) / IP(src=source, dst="192.0.2.1", proto=protocol) / Raw(payload))


@pytest.mark.parametrize("name, remote", [("red", "192.0.2.7"), ("blue", "192.0.2.8")])
def test_byte_exact_out(wire, name, remote):
    mark = token()
    packet = inner(mark, tos=0xB9)
    wire.ends[name].send(bytes(Ether(src="02:00:00:00:00:01", dst=MAC) / packet))
    seen = Ether(wire.under.wait_for(mark))
    packet.ttl = 63
    assert (seen[IP].src, seen[IP].dst, seen[IP].proto, seen[IP].ttl) == ("192.0.2.1", remote, 4, 64)
    # DSCP of our own, ECN of the packet, no fragments.
    assert seen[IP].tos == 0x01 and seen[IP].flags == "DF"
    assert bytes(seen[IP].payload) == bytes(IP(bytes(packet))), "what is inside differs"
    other = "blue" if name == "red" else "red"
    assert not wire.ends[other].with_token(mark)


@pytest.mark.parametrize("name, remote", [("red", "192.0.2.7"), ("blue", "192.0.2.8")])
def test_byte_exact_in(wire, name, remote):
    mark = token()
    packet = inner(mark, "10.9.0.1", "10.0.0.11")
    # What stands behind the end of the packet is nobody's.
    wire.under.send(outer(wire, bytes(packet), source=remote) + b"trailer!")
    seen = wire.ends[name].wait_for(mark)
    packet.ttl = 63
    expected = bytes(Ether(src=MAC, dst="02:00:00:00:00:01", type=0x0800)) + bytes(IP(bytes(packet)))
    packet = IP(bytes(packet))
    packet.chksum = None
    expected = bytes(Ether(src=MAC, dst="02:00:00:00:00:01", type=0x0800) / IP(bytes(packet)))
    assert seen == expected
    other = "blue" if name == "red" else "red"
    assert not wire.ends[other].with_token(mark)


REFUSED = {
    "ka9qIPIP": dict(protocol=94),
    "protocol41WithoutIPv6": dict(protocol=41),
    "unknownPeer": dict(source="192.0.2.66"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_protocols_and_peers(wire, reason):
    """94 is not 4, 41 carries no IPv4, and nobody else may speak: dropped with a reason, not answered."""
    mark, after = token(), token()
    wire.under.clear()
    with wire.switch.dropped() as count:
        wire.under.send(outer(wire, bytes(inner(mark, "10.9.0.1", "10.0.0.11")), **REFUSED[reason]))
        wire.under.send(outer(wire, bytes(inner(after, "10.9.0.1", "10.0.0.11"))))
        wire.ends["red"].wait_for(after)
    assert count[reason] == 1, count
    for end in wire.ends.values():
        assert not end.with_token(mark)
    # Nothing comes back: neither a reflection nor an error.
    assert not [frame for frame in wire.under.drain() if frame[12:14] == b"\x08\x00"], wire.under.frames
    shown = wire.switch.show("drops")
    rows = [row for row in shown["endpoints"] if row["reason"] == reason]
    assert rows and rows[0]["sentence"]
    if reason == "ka9qIPIP":
        assert "protocol 4" in rows[0]["sentence"] and "94" in rows[0]["sentence"]


def test_protocol_4_with_ipv6_inside(wire):
    mark, after = token(), token()
    with wire.switch.dropped() as count:
        wire.under.send(outer(wire, bytes(IPv6(src="fd09::1", dst="fd00::11") / UDP() / Raw(mark))))
        wire.under.send(outer(wire, bytes(inner(after, "10.9.0.1", "10.0.0.11"))))
        wire.ends["red"].wait_for(after)
    assert count["protocol4WithoutIPv4"] == 1, count


@pytest.mark.parametrize("reason, packet", {
    "spoofed": ("reversePath", lambda mark: inner(mark, "10.10.0.1", "10.0.0.11")),
    "inside": ("reversePath", lambda mark: inner(mark, "10.0.0.12", "10.0.0.11")),
    "ours": ("martianSource", lambda mark: inner(mark, "10.0.0.1", "10.0.0.11")),
    "martian": ("martianSource", lambda mark: inner(mark, "127.0.0.1", "10.0.0.11")),
    "nested": ("nestedTunnel", lambda mark: IP(src="192.0.2.7", dst="192.0.2.1", proto=4) / inner(mark)),
    "expired": ("hopLimitExceeded", lambda mark: inner(mark, "10.9.0.1", "10.0.0.11", ttl=1)),
    "no route": ("noRoute", lambda mark: inner(mark, "10.9.0.1", "10.200.0.1")),
}.values(), ids=["spoofed", "inside", "ours", "martian", "nested", "expired", "no-route"])
def test_what_must_not_come_out(wire, reason, packet):
    mark, after = token(), token()
    wire.under.clear()
    with wire.switch.dropped() as count:
        wire.under.send(outer(wire, bytes(packet(mark))))
        wire.under.send(outer(wire, bytes(inner(after, "10.9.0.1", "10.0.0.11"))))
        wire.ends["red"].wait_for(after)
    assert count[reason] == 1 and count.total() == 1, count
    for end in wire.ends.values():
        assert not end.with_token(mark)
    answers = [Ether(frame) for frame in wire.under.drain() if frame[12:14] == b"\x08\x00"]
    if reason in ("hopLimitExceeded", "noRoute"):
        # The sender is told, through the tunnel that it came by.
        assert len(answers) == 1 and answers[0][IP].proto == 4 and answers[0][IP].dst == "192.0.2.7"
        assert answers[0][IP].payload[ICMP].type == (11 if reason == "hopLimitExceeded" else 3)
        assert answers[0][IP].payload.src == "10.0.0.1" and answers[0][IP].payload.dst == "10.9.0.1"
    else:
        assert not answers, answers


def test_a_loop_is_cut(wire):
    """Packets for the far end itself, and from it, are not put into the tunnel that leads there."""
    mark = token()
    file = json.load(open(wire.switch.file))
    file["tenants"]["red"]["routers"]["gw"]["routes"].append({"to": "192.0.2.0/24", "via": "branch"})
    wire.switch.apply(file)
    with wire.switch.dropped(port="red/web") as count:
        wire.ends["red"].send(bytes(Ether(src="02:00:00:00:00:01", dst=MAC) / inner(mark, destination="192.0.2.7")))
        wait_until(lambda: count.refresh()["tunnelLoop"] == 1, f"a loop: {count}")
    assert not wire.under.with_token(mark)


def test_two_packet_routes_of_one_kind_are_refused(wire):
    file = json.load(open(wire.switch.file))
    file["tenants"]["blue"]["routers"]["gw"]["tunnels"]["branch"]["remote"] = "192.0.2.7"
    done = wire.switch.apply(file, check=False)
    assert done.status == 1 and "key" in done.output and "branch" in done.output, done


def test_capture_on_a_tunnel(wire, tmp_path):
    from scapy.utils import PcapNgReader
    mark = token()
    path = str(tmp_path / "branch.pcapng")
    from support.shell import end, start, SLUICE
    process = start(SLUICE, "capture", "--network", "red/gw/branch", "-w", path, "--run-dir", wire.switch.directory)
    wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > 0, "the capture to begin")
    wire.ends["red"].send(bytes(Ether(src="02:00:00:00:00:01", dst=MAC) / inner(token())))
    wire.under.send(outer(wire, bytes(inner(mark, "10.9.0.1", "10.0.0.11"))))
    wire.ends["red"].wait_for(mark)
    wait_until(lambda: mark in open(path, "rb").read(), "the packet in the file")
    end(process)
    packets = [packet for packet in PcapNgReader(path)]
    assert any(IP in packet and packet[IP].src == "10.9.0.1" for packet in packets)


def test_show_says_what_a_tunnel_is(wire):
    rows = {row["name"]: row for row in wire.switch.show("tunnels") if row.get("router")}
    assert rows["red/gw/branch"]["peer"] == "192.0.2.7" and rows["blue/gw/branch"]["peer"] == "192.0.2.8"
    routes = wire.switch.show("routes", "--router", "blue/gw")
    text = json.dumps(routes)
    assert "10.9.0.0/16" in text and "branch" in text and "red" not in text


# -- Path MTU of the underlay


def test_the_underlays_path_mtu_reaches_the_tenant(bench):
    """A router on the way passes 1400 bytes: its message is verified by the kernel, kept, and passed on to the sender."""
    from support.namespaces import cable
    bench.namespaces.make("host", "middle", "branch", "red-web", "red-l2")
    cable(("host", "under"), ("middle", "a"))
    cable(("middle", "b"), ("branch", "under"), mtu=1400)
    address("host", "under", "192.0.2.1/24")
    address("middle", "a", "192.0.2.254/24")
    address("middle", "b", "198.51.100.254/24")
    address("branch", "under", "198.51.100.7/24")
    set_sysctl("middle", "net/ipv4/ip_forward", 1)
    ip("host", "route add 198.51.100.0/24 via 192.0.2.254")
    ip("branch", "route add 192.0.2.0/24 via 198.51.100.254")
    switch = bench.switch("host", topology({"h1": {"vtep": "192.0.2.1"}}, {"red": {
        "networks": {
            "app": network("local", subnets=["10.0.0.0/24"]),
            "l2": network("vxlan", 5001, subnets=["10.1.0.0/24"], remotes=["198.51.100.7"])},
        "ports": {
            "web": port("h1", "red-web", network="app", address="10.0.0.11/24", gateway="10.0.0.1"),
            "l2": port("h1", "red-l2", network="l2", address="10.1.0.11/24")},
        "routers": {"gw": {
            "interfaces": {"app": "10.0.0.1/24"},
            "tunnels": {"branch": {"type": "ipip", "host": "h1", "remote": "198.51.100.7"}},
            "routes": [{"to": "10.9.0.0/16", "via": "branch"}]}}}}))
    for namespace, target, sizes in (("red-web", "10.9.0.1", 1380), ("red-l2", "10.1.0.2", 1350)):
        if namespace == "red-l2":
            ip(namespace, "neighbor add 10.1.0.2 lladdr 02:00:00:00:00:22 dev eth0 nud permanent")
            # Where the station is: a frame from the other end teaches it.
            with Interface("branch", "under") as far:
                from support.frames import vxlan
                frame = Ether(src="02:00:00:00:00:22", dst="ff:ff:ff:ff:ff:ff", type=0x88B5) / Raw(bytes(46))
                packet = Ether(src=mac_of("branch", "under"), dst=mac_of("middle", "b")) / IP(
                    src="198.51.100.7", dst="192.0.2.1") / UDP(sport=50000, dport=4789, chksum=0) / Raw(
                        vxlan(bytes(frame), 5001))
                far.send(bytes(packet))
        def told():
            done = run("ping", "-n", "-c", 1, "-W", 1, "-M", "do", "-s", 1400, target, namespace=namespace, check=False)
            return re.search(rf"mtu ?= ?{sizes}\b", done.output)
        wait_until(told, f"{namespace} to learn {sizes}", patience=10)
    assert switch.events()["pathMTULearned"] >= 1
    paths = {row["peer"]: row for row in switch.show("tunnels")}
    assert "1400" in json.dumps(paths["198.51.100.7"])
