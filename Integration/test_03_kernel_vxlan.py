"""Must hold 3: the far end is the kernel's own vxlan and bridge, everything at its default."""

import pytest

from support.namespaces import address, cable, ip
from support.topology import network, port, topology
from support.traffic import Checksums, datagrams, ping, transfer

GIGABYTE = 1 << 30
SOME = 64 << 20
ATTACHMENTS = ["netns", "veth", "device"]
UNDERLAYS = {"ipv4": ("192.0.2.1", "192.0.2.2", 24), "ipv6": ("2001:db8:2::1", "2001:db8:2::2", 64)}
MTU = {"ipv4": 1450, "ipv6": 1430}
# Ports by kind of attachment, then the machine behind the kernel's bridge; each with both families.
INNER = {"netns": 11, "veth": 12, "device": 13, "far": 99}


def v4(name):
    return f"10.0.0.{INNER[name]}"


def v6(name):
    return f"fd00:a::{INNER[name]}"


@pytest.fixture(scope="module", params=UNDERLAYS)
def lab(request, module_bench):
    """One host with a port of each kind; on the far side vxlan, bridge and a machine on a veth."""
    family = request.param
    bench = module_bench
    near_vtep, far_vtep, length = UNDERLAYS[family]
    host, far, tenant = f"{family}-host", f"{family}-far", f"{family}-far-tenant"
    bench.hosts(host, far)
    address(host, "under", f"{near_vtep}/{length}")
    address(far, "under", f"{far_vtep}/{length}")

    bench.namespaces.make(tenant, *(f"{family}-{kind}" for kind in ATTACHMENTS))
    ip(far, f"link add vx0 type vxlan id 5001 local {far_vtep} remote {near_vtep} dstport 4789", "link add br0 type bridge",
       "link set vx0 master br0 up", "link set br0 up")
    cable((far, "port"), (tenant, "eth0"), silent=False)
    ip(far, "link set port master br0")
    address(tenant, "eth0", f"{v4('far')}/24", f"{v6('far')}/64")

    behind = f"{family}-device"
    cable((host, "eth3"), (behind, "eth0"), silent=False)
    # The interface is not the switch's to configure: whoever owns the machine gives it the network's MTU.
    ip(behind, f"link set eth0 address 02:00:00:00:00:13 mtu {MTU[family]}")
    address(behind, "eth0", f"{v4('device')}/24", f"{v6('device')}/64")
    attach = {
        "netns": {"netns": f"{family}-netns"},
        "veth": {"veth": "eth0", "netns": f"{family}-veth"},
        "device": {"device": "eth3"},
    }
    switch = bench.switch(host, topology(
        {"h1": {"vtep": near_vtep}},
        {"red": {
            "networks": {"net": network(
                "vxlan", 5001, subnets=["10.0.0.0/24", "fd00:a::/64"], remotes=[far_vtep])},
            "ports": {
                kind: port("h1", attach[kind], address=[f"{v4(kind)}/24", f"{v6(kind)}/64"],
                           mac=f"02:00:00:00:00:{INNER[kind]}")
                for kind in ATTACHMENTS},
        }}), name=family)
    switch.family, switch.tenant, switch.spaces = family, tenant, [host, far, tenant]
    # What the kernels say by themselves while the ports are being made, one after the other, is not the matter here.
    switch.before = switch.show("drops")
    return switch


@pytest.mark.parametrize("kind", ATTACHMENTS)
def test_ping(lab, kind):
    space = f"{lab.family}-{kind}"
    for name in (v4, v6):
        ping(space, name("far"))
        ping(lab.tenant, name(kind))


@pytest.mark.parametrize("kind", ["netns", "veth"])
def test_ping_of_the_whole_mtu(lab, kind):
    """The MTU that the switch computed and set is what goes through, to the byte."""
    space = f"{lab.family}-{kind}"
    ping(space, v4("far"), size=MTU[lab.family] - 28, whole=True)
    ping(space, v6("far"), size=MTU[lab.family] - 48, whole=True)
    assert ping(space, v4("far"), size=MTU[lab.family] - 27, whole=True, check=False, patience=1) == 0


@pytest.mark.parametrize("inner", ["ipv4", "ipv6"])
@pytest.mark.parametrize("kind", ATTACHMENTS)
def test_tcp(lab, kind, inner):
    """Offloads as they are, content compared, and no counter of bad checksums moves anywhere."""
    size = GIGABYTE if lab.family == "ipv4" and inner == "ipv4" else SOME
    target = v4("far") if inner == "ipv4" else v6("far")
    space = f"{lab.family}-{kind}"
    with Checksums(space, *lab.spaces):
        speed = transfer(space, lab.tenant, target, size)
    print(f"{kind}, {inner} over {lab.family}: {speed} Gbit/s")
    assert lab.port(f"red/{kind}")["received"]["superFrames"] > 0, "offloads were not used"


@pytest.mark.parametrize("name", [v4, v6])
@pytest.mark.parametrize("kind", ATTACHMENTS)
def test_udp_super_frames(lab, kind, name):
    """What a kernel leaves to be cut arrives as the datagrams that were sent; it says so to a socket alone by their size."""
    here, there = (f"{lab.family}-{kind}", name(kind)), (lab.tenant, name("far"))
    datagrams(here, there)
    datagrams(there, here)


def test_between_ports_of_the_host(lab):
    """The three kinds of attachment among each other, offloads on."""
    for a, b in (("netns", "veth"), ("veth", "device"), ("device", "netns")):
        here, there = f"{lab.family}-{a}", f"{lab.family}-{b}"
        with Checksums(here, there):
            transfer(here, there, v4(b), SOME)
            transfer(here, there, v6(b), SOME)


def test_nothing_was_dropped(lab):
    """After all that traffic no frame had a reason to be dropped but a full queue."""
    known = [(row["name"], row["reason"], row["count"]) for row in lab.before["endpoints"]]
    new = [row for row in lab.show("drops")["endpoints"] if (row["name"], row["reason"], row["count"]) not in known]
    assert {row["reason"] for row in new} <= {"queueFull"}, new
