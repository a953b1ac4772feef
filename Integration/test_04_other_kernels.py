"""Must hold 4: the far end is another Linux kernel (user-mode Linux), or Open vSwitch's userspace datapath."""

import json
import os

import pytest

from support.namespaces import address, cable, ip
from support.ovs import OpenVSwitch
from support.topology import network, port, topology
from support.traffic import PYTHON, TRANSFER, Checksums, Listener, ping, transfer_to_listener
from support.uml import Guest

# Guests, and Open vSwitch's internal ports, are behind TAPs.
pytestmark = pytest.mark.skipif(not os.access("/dev/net/tun", os.W_OK), reason="/dev/net/tun is for root only here")

SOME = 16 << 20
HERE, THERE = ("192.0.2.1", "2001:db8:2::1"), ("192.0.2.2", "2001:db8:2::2")

# Network → (its segment, what makes the guest's end, MTU). Addresses: 10.0.N.1 here, 10.0.N.2 there.
NETWORKS = {
    "gre": (
        network("gre", 77, remotes=[THERE[0]]),
        f"ip link add DEV type gretap local {THERE[0]} remote {HERE[0]} key 77", 1458),
    "gre6": (
        network("gre", 4000000000, remotes=[THERE[1]]),
        f"ip link add DEV type ip6gretap local {THERE[1]} remote {HERE[1]} key 4000000000 encaplimit none", 1438),
    "vxlan": (
        network("vxlan", 5001, remotes=[THERE[0]]),
        f"ip link add DEV type vxlan id 5001 local {THERE[0]} remote {HERE[0]} dstport 4789", 1450),
    "vxlan6": (
        network("vxlan", 16777215, remotes=[THERE[1]]),
        f"ip link add DEV type vxlan id 16777215 local {THERE[1]} remote {HERE[1]} dstport 4789", 1430),
    "vlan": (
        network("vlan", 100, physical="phys"), "ip link add link vec1 name DEV type vlan id 100", 1500),
    "dot1ad": (
        network("vlan", 100, physical="phys", protocol="802.1ad"),
        "ip link add link vec1 name DEV type vlan proto 802.1ad id 100", 1500),
    # Untagged frames on the device that also carries the VLANs.
    "flat": (network("flat", physical="phys"), None, 1500),
}


def addresses(number, end):
    return f"10.0.{number}.{end}", f"fd00:{number}::{end}"


class World:
    pass


@pytest.fixture(scope="module")
def world(module_bench):
    """A host with a port in each network; the guest with the other end of each."""
    bench = module_bench
    bench.hosts("host", "far")
    cable(("host", "phys0"), ("far", "phys0"), mtu=1508)
    address("host", "under", f"{HERE[0]}/24", f"{HERE[1]}/64")
    guest = bench.keep(Guest("far", "under", "phys0"))
    guest.run(
        "sysctl -qw net.ipv6.conf.vec0.disable_ipv6=0;"
        f"ip address add {THERE[0]}/24 dev vec0; ip address add {THERE[1]}/64 dev vec0 nodad")
    networks, ports = {}, {}
    for number, (name, (segment, make, mtu)) in enumerate(NETWORKS.items(), 1):
        here, there = addresses(number, 1), addresses(number, 2)
        networks[name] = {**segment, "subnets": [f"10.0.{number}.0/24", f"fd00:{number}::/64"]}
        ports[name] = port(
            "h1", f"t-{name}", network=name, address=[f"{here[0]}/24", f"{here[1]}/64"],
            mac=f"02:00:00:00:00:{number:02x}")
        bench.namespaces.make(f"t-{name}")
        device = name if make else "vec1"
        if make:
            guest.run(make.replace("DEV", name))
            guest.run(f"ip link set {name} mtu {mtu} up")
        guest.run(
            f"sysctl -qw net.ipv6.conf.{device}.disable_ipv6=0; ip address add {there[0]}/24 dev {device};"
            f"ip address add {there[1]}/64 dev {device} nodad")
    made = World()
    made.bench, made.guest = bench, guest
    made.switch = bench.switch("host", topology(
        {"h1": {"vtep": list(HERE), "physical": {"phys": "phys0"}}}, {"red": {"networks": networks, "ports": ports}}))
    return made


@pytest.mark.parametrize("name", NETWORKS)
def test_ping(world, name):
    number = list(NETWORKS).index(name) + 1
    mtu = NETWORKS[name][2]
    for family, overhead in ((0, 28), (1, 48)):
        here, there = addresses(number, 1)[family], addresses(number, 2)[family]
        ping(f"t-{name}", there)
        world.guest.ping(here)
        # To the byte: nothing was lost to headers, and nothing is fragmented.
        ping(f"t-{name}", there, size=mtu - overhead, whole=True)
        world.guest.ping(here, size=mtu - overhead)


@pytest.mark.parametrize("name", NETWORKS)
def test_tcp(world, name):
    number = list(NETWORKS).index(name) + 1
    with Checksums(f"t-{name}", "host"):
        for family in (0, 1):
            here = addresses(number, 1)[family]
            with Listener(f"t-{name}", here):
                output = world.guest.run(f"{PYTHON} {TRANSFER} call {here} 5900 {SOME} up down")
            print(name, json.loads(output))
    bad = world.guest.run("nstat -a -s -z --json")
    counters = json.loads(bad)["kernel"]
    assert not {key: value for key, value in counters.items() if "CsumErrors" in key and value}, counters


def test_customer_tags_inside_a_service_tag(world):
    """QinQ: the guest stacks 802.1Q on 802.1ad; our tenant, in a transparent network, sees its own tag only."""
    bench, guest = world.bench, world.guest
    guest.run(
        "ip link add link vec1 name outer type vlan proto 802.1ad id 300 && ip link set outer up mtu 1504;"
        "ip link add link outer name inner type vlan id 20 && ip link set inner up mtu 1500;"
        "ip address add 10.0.50.2/24 dev inner")
    # This machine's kernel has no VLAN devices: the tenant's end is a second guest's.
    bench.namespaces.make("t-qinq-far")
    topo = json.load(open(world.switch.file))
    red = topo["tenants"]["red"]
    red["networks"]["qinq"] = network("vlan", 300, physical="phys", protocol="802.1ad", vlanTransparent=True, mtu=1504)
    red["ports"]["qinq"] = port("h1", {"device": "q0"}, network="qinq")
    cable(("host", "q0"), ("t-qinq-far", "q0"), mtu=1508)
    world.switch.apply(topo)
    with Guest("t-qinq-far", "q0") as tenant:
        tenant.run(
            "ip link add link vec0 name c20 type vlan id 20 && ip link set c20 up mtu 1500;"
            "ip address add 10.0.50.1/24 dev c20")
        tenant.ping("10.0.50.2")
        tenant.ping("10.0.50.2", size=1472)
        tenant.run(f"{PYTHON} {TRANSFER} serve 10.0.50.1 5900 >/dev/null 2>&1 &")
        output = guest.run(
            f"for i in 1 2 3 4 5 6 7 8 9; do {PYTHON} {TRANSFER} call 10.0.50.1 5900 {SOME} up down && exit; sleep 0.2;"
            " done; exit 1")
        print("qinq", output)
    del red["networks"]["qinq"], red["ports"]["qinq"]
    world.switch.apply(topo)


# -- Open vSwitch


def open_vswitch(bench, name, *options):
    """An Open vSwitch in `o-far-NAME`, joined to `o-host-NAME` by `under` and `phys0`; a namespace for our port."""
    host, far = bench.hosts(f"o-host-{name}", f"o-far-{name}")
    bench.namespaces.make(f"o-{name}")
    return host, far, bench.keep(OpenVSwitch(far, *options))


def talk(name, far, here, there):
    ping(f"o-{name}", there)
    ping(far, here)
    with Checksums(f"o-{name}", far):
        with Listener(far, there):
            print(name, transfer_to_listener(f"o-{name}", there, SOME))
        with Listener(f"o-{name}", here):
            print(name, transfer_to_listener(far, here, SOME))


def test_open_vswitch_gre(bench):
    host, far, ovs = open_vswitch(bench, "gre")
    address(host, "under", "192.0.2.1/24")
    ovs.add_bridge("br-under")
    ovs.vsctl("add-port", "br-under", "under")
    address(far, "br-under", "192.0.2.2/24")
    ip(far, "link set br-under up")
    ovs.add_bridge("br-int")
    ovs.vsctl("add-port", "br-int", "gre0", "--", "set", "interface", "gre0", "type=gre", "options:remote_ip=192.0.2.1",
              "options:local_ip=192.0.2.2", "options:key=77")
    address(far, "br-int", "10.0.1.2/24")
    ip(far, "link set br-int mtu 1458 up")
    bench.switch(host, topology(
        {"h1": {"vtep": "192.0.2.1"}},
        {"red": {
            "networks": {"net": network("gre", 77, remotes=["192.0.2.2"], subnets=["10.0.1.0/24"])},
            "ports": {"a": port("h1", "o-gre", address="10.0.1.1/24")}}}))
    talk("gre", far, "10.0.1.1", "10.0.1.2")


def test_open_vswitch_vlan(bench):
    # Told to, it reads packet sockets with the metadata of offloads; otherwise no kernel's TCP over a veth survives it.
    host, far, ovs = open_vswitch(bench, "vlan", "userspace-tso-enable=true")
    ovs.add_bridge("br0")
    ovs.vsctl("add-port", "br0", "under")
    ovs.vsctl("add-port", "br0", "v100", "tag=100", "--", "set", "interface", "v100", "type=internal")
    address(far, "v100", "10.0.2.2/24")
    ip(far, "link set v100 up")
    bench.switch(host, topology(
        {"h1": {"physical": {"phys": "under"}}},
        {"red": {
            "networks": {"net": network("vlan", 100, physical="phys", subnets=["10.0.2.0/24"])},
            "ports": {"a": port("h1", "o-vlan", address="10.0.2.1/24")}}}))
    talk("vlan", far, "10.0.2.1", "10.0.2.2")
