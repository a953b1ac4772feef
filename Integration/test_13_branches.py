"""Tunnels of routers: IPIP, SIT and GRE between a tenant's router and another Linux kernel, over every underlay mode."""

import json
import os
import re

import pytest

from support.namespaces import address, ip
from support.shell import run
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
        f"type ip6tnl mode any local {THERE[1]} remote {HERE[1]} encaplimit none", (4,), 40),
    "ip6ip6": (
        # The kernel has one device for both.
        {"type": "sit", "remote": THERE[1]}, None, (6,), 40),
    "gre6": (
        {"type": "gre", "remote": THERE[1], "key": 5},
        f"type ip6gre local {THERE[1]} remote {HERE[1]} key 5 encaplimit none", (4, 6), 48),
}
CASES = [(name, family) for name, (_, _, families, _) in TUNNELS.items() for family in families]


def far(name, family):
    """The address behind the guest's end of a tunnel."""
    number = list(TUNNELS).index(name) + 1
    return f"10.9.{number}.1" if family == 4 else f"fd09:{number}::1"


def device(name):
    """The guest's end of a tunnel."""
    return "t-ipip6" if name == "ip6ip6" else f"t-{name}"


def near(family):
    return "10.0.0.11" if family == 4 else "fd00::11"


UNDERLAYS = {
    "socket": None,
    "tap": {"mode": "tap", "tap": "uplink0", "bridge": "br0"},
    "device": {"mode": "device", "device": "under"},
}


class World:
    pass


@pytest.fixture(scope="module", params=UNDERLAYS)
def world(request, module_bench, tmp_path_factory):
    if not os.access("/dev/net/tun", os.W_OK):
        pytest.skip("/dev/net/tun is for root only here")
    bench = type(module_bench)(str(tmp_path_factory.mktemp(request.param)))
    host = {"vtep": list(HERE)}
    bench.hosts("host", "far")
    if request.param == "socket":
        address("host", "under", f"{HERE[0]}/24", f"{HERE[1]}/64")
    else:
        host["underlay"] = UNDERLAYS[request.param]
    if request.param == "tap":
        ip("host", "link add name br0 type bridge mcast_snooping 0", "link set under master br0", "link set br0 up")
    guest = bench.keep(Guest("far", "under"))
    guest.run(
        "sysctl -qw net.ipv6.conf.vec0.disable_ipv6=0;"
        f"ip address add {THERE[0]}/24 dev vec0; ip address add {THERE[1]}/64 dev vec0 nodad")
    tunnels, routes = {}, []
    for name, (tunnel, make, families, _) in TUNNELS.items():
        tunnels[name] = {**tunnel, "host": "h1"}
        if make:
            guest.run(f"ip link add {device(name)} {make} && ip link set {device(name)} up")
        for family in families:
            bits = 24 if family == 4 else 64
            routes.append({"to": f"{far(name, family)[:-1]}0/{bits}" if family == 4 else f"{far(name, family)[:-1]}/64",
                           "via": name})
            guest.run(f"ip address add {far(name, family)}/{32 if family == 4 else 128} dev lo")
    bench.namespaces.make("red-web", "red-two")
    made = World()
    made.bench, made.guest, made.mode = bench, guest, request.param
    made.file = topology({"h1": host}, {"red": {
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
    yield made
    bench.close()


def back(world, name, family):
    """The guest's routes to the tenant, by one tunnel at a time: it has one table only."""
    option = "-6" if family == 6 else "-4"
    for prefix in (("10.0.0.0/24", "10.0.1.0/24") if family == 4 else ("fd00::/64", "fd00:1::/64")):
        source = far(name, family)
        world.guest.run(f"ip {option} route replace {prefix} dev {device(name)} src {source}")


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
    """A gigabyte each way by IPIP, SIT and GRE on sockets, something less by the others."""
    back(world, name, family)
    long = world.mode == "socket" and name in ("ipip", "sit", "gre") and family == TUNNELS[name][2][0]
    size = GIGABYTE if long else 32 << 20
    with Checksums("red-web", "host"), Listener("red-web", near(family)):
        output = world.guest.run(
            f"{PYTHON} {TRANSFER} call {near(family)} 5900 {size} up down", patience=400)
    print(name, family, json.loads(output))
    counters = json.loads(world.guest.run("nstat -a -s -z --json"))["kernel"]
    assert not {key: value for key, value in counters.items() if "CsumErrors" in key and value}, counters
