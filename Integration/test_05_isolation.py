"""Must hold 5: tenants with the same addresses, MACs and VLAN ids never meet, on any transport.

On each transport two hosts carry two tenants that are equal in everything but the id of their networks. One sends every
kind of frame that it can think of from every kind of port; nothing of it may arrive at the other. That nothing arrives is
known only when something sent after it has: each look is behind a sentinel.
"""

import itertools
import json
import struct

import pytest

from support import frames as f
from support.interface import Interface, token
from support.lab import Lab
from support.namespaces import link, mac_of
from support.topology import network, port, topology
from support.workers import with_workers

RED, BLUE = "red", "blue"
VTEPS = {"h1": "192.0.2.1", "h2": "192.0.2.2"}
# The same for both tenants: port → (host, number).
PORTS = {"tap": ("h1", 1), "veth": ("h1", 2), "device": ("h1", 3), "remote": ("h2", 4), "trunk": ("h2", 5)}
SENDERS = list(PORTS)
UNKNOWN = "02:00:00:00:00:77"

# Transport → the two networks of a tenant: `net` with everything, `other` behind VLAN 10 of the trunk.
TRANSPORTS = {
    "vxlan": lambda n: (network("vxlan", 5001 + n), network("vxlan", 6001 + n)),
    "gre": lambda n: (network("gre", 1 + n), network("gre", 101 + n)),
    "vlan": lambda n: (network("vlan", 100 + n, physical="physnet1"), network("vlan", 10 + n, physical="physnet1")),
    "dot1ad": lambda n: (
        network("vlan", 100 + n, physical="physnet1", protocol="802.1ad"),
        network("vlan", 100 + n, physical="physnet1")),
    "qinq": lambda n: (
        network("vlan", 100 + n, physical="physnet1", protocol="802.1ad", vlanTransparent=True, mtu=1496),
        network("vlan", 200 + n, physical="physnet1", protocol="802.1ad")),
    "flat": lambda n: (network("flat", physical=f"physnet{1 + n}"), network("vxlan", 6001 + n)),
}


def mac(name):
    return f"02:00:00:00:00:0{PORTS[name][1]}"


def address(name):
    return f"10.0.0.{PORTS[name][1]}"


def cloud(transport):
    tenants = {}
    for number, tenant in enumerate((RED, BLUE)):
        net, other = TRANSPORTS[transport](number)
        ports = {}
        for name, (host, _) in PORTS.items():
            attach = {"netns": f"{tenant}-{name}"}
            where = {"network": "net"}
            if name == "veth":
                attach["veth"] = "eth0"
            elif name == "device":
                attach = {"device": f"dev-{tenant}"}
            elif name == "trunk":
                where = {"trunk": {"untagged": "net", "10": "other"}}
            ports[name] = port(host, attach, address=f"{address(name)}/24", mac=mac(name), **where)
        ports["behind"] = port("h1", f"{tenant}-behind", network="other", mac=mac("tap"))
        tenants[tenant] = {"networks": {"net": {**net, "subnets": ["10.0.0.0/24"]}, "other": other}, "ports": ports}
    physical = {"physnet1": "eth1", "physnet2": "eth2"}
    hosts = {host: {"vtep": vtep, "physical": physical} for host, vtep in VTEPS.items()}
    return topology(hosts, tenants, lab={"underlay": "192.0.2.0/24"})


class Stage:
    """The lab of one transport, with all tenants' interfaces and the wires between the hosts under watch."""

    def __init__(self, transport, directory, workers=None):
        self.transport = transport
        file = directory / f"isolation-{transport}.yaml"
        file.write_text(json.dumps(with_workers(cloud(transport), workers), indent=1))
        self.lab = Lab(file)
        self.lab.up()
        try:
            self.switches = {host: self.lab.host(host) for host in VTEPS}
            self.tenants = {
                tenant: {name: Interface(f"{tenant}-{name}") for name in [*PORTS, "behind"]} for tenant in (RED, BLUE)}
            fabric = f"{self.lab.name}-fabric"
            self.wires = [
                Interface(fabric, name) for name in ("h1", "h2", "physnet1-h1", "physnet1-h2", "physnet2-h1",
                                                     "physnet2-h2") if link(fabric, name)]
            assert len(self.wires) >= 2
            self.host_space = f"{self.lab.name}-h1"
            # Of all that the hosts' own stacks might take a frame for them by.
            self.host_macs = {
                each["address"] for space in (f"{self.lab.name}-h1", f"{self.lab.name}-h2")
                for name in ("dev-red", "dev-blue", "underlay0", "eth1", "eth2") if (each := link(space, name))}
        except BaseException:
            self.lab.down()
            raise

    def everything(self):
        return [*self.tenants[RED].values(), *self.tenants[BLUE].values(), *self.wires]

    def clear(self):
        for each in self.everything():
            each.clear()

    def sentinel(self, tenant, sender):
        """A broadcast that everybody else in the tenant's network must get, before anybody looks at what came."""
        mark = token()
        ports = self.tenants[tenant]
        ports[sender].send(f.data(mac(sender), f.BROADCAST, mark))
        for name in PORTS:
            if name != sender:
                ports[name].wait_for(mark)

    def close(self):
        for each in self.everything():
            each.close()
        self.lab.down()


@pytest.fixture(scope="module", params=TRANSPORTS)
def stage(request, tmp_path_factory, nothing_left):
    made = Stage(request.param, tmp_path_factory.mktemp("isolation"))
    yield made
    made.close()


def destinations(sender, host_macs):
    yield from (mac(name) for name in PORTS if name != sender)
    yield from (UNKNOWN, f.BROADCAST, "01:00:5e:00:00:fb", "33:33:00:00:00:01", "01:80:c2:00:00:0e", *sorted(host_macs))


def contents(source, target, mark):
    """Frames of all sorts to one destination, each with the mark in it."""
    yield f.udp(source, target, mark)
    yield f.udp(source, target, mark, ip=("fd00:a::1", "fd00:a::2"))
    yield f.udp(source, target, mark, ip=("10.0.0.1", "224.0.0.251"))
    yield f.data(source, target, mark)
    yield f.data(source, target, mark, ethertype=0x0026)  # IEEE 802.3 with a length
    yield f.pad(f.arp(source, "10.0.0.4", destination=target), 46) + mark
    yield from tunnels(source, target, mark)


def tunnels(source, target, mark):
    """Packets for the VTEPs' own tunnel ports, as if the other tenant's network had sent them."""
    hidden = f.udp("02:00:00:00:00:99", f.BROADCAST, mark)
    for vtep in VTEPS.values():
        for outer_source in ("10.0.0.1", *VTEPS.values()):
            for vni in (5001, 5002, 6001, 6002):
                yield bytes(
                    f.Ether(src=source, dst=target) / f.IP(src=outer_source, dst=vtep)
                    / f.UDP(sport=50000, dport=4789, chksum=0) / f.Raw(f.vxlan(hidden, vni)))
            for key in (1, 2):
                yield bytes(
                    f.Ether(src=source, dst=target) / f.IP(src=outer_source, dst=vtep, proto=47)
                    / f.Raw(f.gre(hidden, key)))


S, C = 0x88A8, 0x8100
TAGS = [
    (), (0,), (1,), (2,), (10,), (11,), (100,), (101,), (200,), (201,), (4094,), (4095,),
    ((S, 0),), ((S, 10),), ((S, 100),), ((S, 101),), ((S, 4095),), ((0x9100, 10),),
    (10, 10), (10, 11), (1, 101), (0, 101), (0, 0, 101), (101, 10), ((S, 100), 10), ((S, 101), 10), ((S, 10), (S, 101)),
    (10, 10, 10), (4095, 101), (101, 4095),
]


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("tenant, other", [(RED, BLUE), (BLUE, RED)])
def test_nothing_crosses(stage, tenant, other, sender):
    mark = token()
    stage.clear()
    interface = stage.tenants[tenant][sender]
    sent = 0
    for target in destinations(sender, stage.host_macs):
        for content in contents(mac(sender), target, mark):
            # Every tag on the plain kinds of frames; on tunnel packets only some, of which there are many.
            tags = TAGS if len(content) < 90 else TAGS[::7]
            for each in tags:
                interface.send(f.tagged(content, *each))
                sent += 1
            # As fast as a queue allows, not faster: what is lost proves nothing.
            if sent % 400 < len(tags):
                stage.sentinel(tenant, sender)
    stage.sentinel(tenant, sender)
    for name in ("tap", "remote"):
        stage.sentinel(other, name)

    strangers = {name: port.with_token(mark) for name, port in stage.tenants[other].items()}
    assert not any(strangers.values()), {
        name: [frame[:64].hex() for frame in found[:3]] for name, found in strangers.items() if found}
    seen = {name: len(port.with_token(mark)) for name, port in stage.tenants[tenant].items()}
    assert sum(count > 0 for name, count in seen.items() if name not in (sender, "behind")) == len(PORTS) - 1, (
        f"of {sent} frames too few came to their own tenant: {seen}")
    for wire in stage.wires:
        for frame in wire.with_token(mark):
            assert owner(stage.transport, wire, frame) == tenant, f"{wire!r} carries {frame[:80].hex()}"


def owner(transport, wire, frame):
    """Whose frame this is on the wire between the hosts, by its outer headers alone."""
    ethertype, = struct.unpack_from("!H", frame, 12)
    if wire.device.startswith("physnet"):
        if transport == "flat":
            return RED if wire.device.startswith("physnet1") else BLUE
        tag = struct.unpack_from("!H", frame, 14)[0] & 0xFFF
        wanted = {"vlan": {C: (100, 10)}, "dot1ad": {S: (100,), C: (100,)}, "qinq": {S: (100, 200)}}[transport]
        for number, tenant in enumerate((RED, BLUE)):
            if tag in [each + number for each in wanted.get(ethertype, ())]:
                return tenant
        return None
    if ethertype != 0x0800:
        return None
    if frame[23] == 17 and struct.unpack_from("!H", frame, 36)[0] == 4789:
        identifier = struct.unpack_from("!I", frame, 46)[0] >> 8
        return {5001: RED, 6001: RED, 5002: BLUE, 6002: BLUE}.get(identifier)
    if frame[23] == 47:
        return {1: RED, 101: RED, 2: BLUE, 102: BLUE}.get(struct.unpack_from("!I", frame, 38)[0])
    return None


def test_the_trunk_leads_to_its_own_networks(stage):
    """VLAN 10 of both tenants' trunks: the same id, and each in its own network."""
    for tenant, other in ((RED, BLUE), (BLUE, RED)):
        mark = token()
        stage.clear()
        stage.tenants[tenant]["trunk"].send(f.tagged(f.data(mac("trunk"), f.BROADCAST, mark), 10))
        found = stage.tenants[tenant]["behind"].wait_for(mark)
        assert struct.unpack_from("!H", found, 12)[0] == 0x88B5, "the tag should end at the trunk"
        back = token()
        stage.tenants[tenant]["behind"].send(f.data(mac("tap"), f.BROADCAST, back))
        found = stage.tenants[tenant]["trunk"].wait_for(back)
        assert found[12:16] == bytes.fromhex("8100000a")
        stage.sentinel(other, "tap")
        for port in stage.tenants[other].values():
            assert not port.with_token(mark) and not port.with_token(back)


@pytest.mark.parametrize("sender", ["tap", "veth", "device"])
def test_the_host_never_answers_a_tenant(stage, sender):
    """The host's own IP stack has addresses and sees the device. It is nobody's neighbour."""
    near = link(stage.host_space, "dev-red")
    local = [entry["local"] for entry in near["addr_info"] if entry["family"] == "inet6"]
    interface = stage.tenants[RED][sender]
    source = mac(sender)
    stage.clear()
    targets = [*stage.host_macs, f.BROADCAST]
    for vtep in VTEPS.values():
        interface.send(f.arp(source, vtep, source_ip=address(sender)))
        interface.send(f.arp(source, vtep, source_ip="192.0.2.77"))
        interface.send(f.arp(source, vtep, source_ip="0.0.0.0"))
        for target in targets:
            for content in (f.ICMP(), f.UDP(dport=9), f.UDP(dport=4789), f.TCP(dport=22, flags="S")):
                for source_ip in (address(sender), "192.0.2.77"):
                    interface.send(bytes(
                        f.Ether(src=source, dst=target) / f.IP(src=source_ip, dst=vtep) / content / f.Raw(b"hello")))
    for target in [*local, "ff02::1", "fe80::1"]:
        for outer in targets:
            interface.send(bytes(
                f.Ether(src=source, dst=outer) / f.IPv6(src="fe80::77", dst=target) / f.ICMPv6EchoRequest()))
        interface.send(bytes(
            f.Ether(src=source, dst="33:33:ff:00:00:01") / f.IPv6(src="fe80::77", dst="ff02::1:ff00:1", hlim=255)
            / f.ICMPv6ND_NS(tgt=target) / f.ICMPv6NDOptSrcLLAddr(lladdr=source)))
    stage.sentinel(RED, "remote" if sender != "remote" else "tap")
    stage.sentinel(RED, sender)
    stage.sentinel(RED, "remote")
    hosts = [bytes.fromhex(each.replace(":", "")) for each in stage.host_macs]
    answers = [
        frame for frame in interface.drain()
        if frame[6:12] in hosts
        or f.Ether(frame).haslayer(f.ARP) and f.Ether(frame)[f.ARP].psrc in VTEPS.values()
        or f.Ether(frame).haslayer(f.IP) and f.Ether(frame)[f.IP].src in VTEPS.values()]
    assert not answers, [f.Ether(answer).summary() for answer in answers]


# -- Each refusal has its counter. The rows are (port, frame, reason), the reason None for what arrives.


def refusals():
    peer, own = mac("remote"), mac("tap")
    plain = f.data(own, peer, b"plain")
    group = f.data(own, f.BROADCAST, b"group")
    yield from (("tap", f.tagged(plain, vid), "taggedOnAccessPort") for vid in (1, 2, 10, 101, 4094))
    yield from (("tap", f.tagged(group, (S, vid)), "taggedOnAccessPort") for vid in (1, 101, 4094))
    yield "tap", f.tagged(plain, 4095), "reservedVLAN"
    yield "tap", f.tagged(plain, (S, 4095)), "reservedVLAN"
    yield "tap", f.tagged(plain, 0, 10), "doubleTagged"
    yield "tap", f.tagged(plain, 10, 10), "taggedOnAccessPort"
    yield "tap", f.tagged(plain, 0), None
    yield "tap", f.tagged(group, (S, 0)), None
    yield "tap", plain, None
    for source in ("ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "01:00:5e:00:00:01", "33:33:00:00:00:01"):
        yield "tap", f.data(source, peer, b"source"), "invalidSource"
    yield "tap", f.data(own, "00:00:00:00:00:00", b"zero"), "zeroDestination"
    yield from (("tap", f.data(own, f"01:80:c2:00:00:{last:02x}", b"link"), "linkLocal") for last in range(16))
    yield "tap", f.data(own, "01:80:c2:00:00:10", b"group"), None
    yield from (("tap", f.data(mac(name), peer, b"forged"), "sourceBelongsToAnotherPort") for name in SENDERS[1:])
    yield "tap", f.data(own, own, b"self"), "hairpin"
    trunk = f.data(mac("trunk"), f.BROADCAST, b"trunk")
    yield from (("trunk", f.tagged(trunk, vid), "unknownVLAN") for vid in (1, 2, 11, 101, 4094))
    yield "trunk", f.tagged(trunk, (S, 10)), "unknownVLAN"
    yield "trunk", f.tagged(trunk, 4095), "reservedVLAN"
    yield "trunk", f.tagged(trunk, 10, 10), "doubleTagged"
    yield "trunk", f.tagged(trunk, 10, 4095), "reservedVLAN"
    yield "trunk", f.tagged(trunk, 0), None
    yield "trunk", trunk, None


# What a port refuses does not depend on the way between the hosts.
@pytest.mark.only_on("vxlan", "flat")
@pytest.mark.parametrize("kind", ["tap", "veth", "device", "trunk"])
def test_each_refusal_has_its_counter(stage, kind):
    """On every kind of port the same frames have the same ends: the kernel hands tags over in two ways."""
    switch = stage.switches[PORTS[kind][0]]
    own, tap = mac(kind), mac("tap")

    def local(frame):
        """The frame as if it were this port's own."""
        swap = {bytes.fromhex(a.replace(":", "")): bytes.fromhex(b.replace(":", "")) for a, b in ((tap, own), (own, tap))}
        return swap.get(frame[:6], frame[:6]) + swap.get(frame[6:12], frame[6:12]) + frame[12:]

    for on, frame, reason in refusals():
        if (on == "trunk") != (kind == "trunk"):
            continue
        mark = token()
        frame = (local(frame) if kind not in ("tap", "trunk") else frame) + mark
        stage.clear()
        with switch.dropped(port=f"red/{kind}") as count:
            for _ in range(3):
                stage.tenants[RED][kind].send(frame)
            stage.sentinel(RED, kind)
        assert count.counts == ({reason: 3} if reason else {}), f"{f.Ether(frame).summary()}: {count}, not {reason}"
        receivers = sum(len(port.with_token(mark)) >= 3 for port in stage.tenants[RED].values())
        assert (receivers > 0) == (reason is None), f"{f.Ether(frame).summary()} came to {receivers}"
        for port in stage.tenants[BLUE].values():
            assert not port.with_token(mark)


@pytest.mark.only_on("vlan", "dot1ad", "qinq")
def test_other_vlans_on_the_wire_reach_nobody(stage):
    """Whatever else is on the provider's wire: other ids, other tag types, no tag."""
    fabric, switch = f"{stage.lab.name}-fabric", stage.switches["h2"]
    wire = next(each for each in stage.wires if each.device == "physnet1-h2")
    valid = {"vlan": C, "dot1ad": S, "qinq": S}[stage.transport]
    frame = f.data("02:00:00:00:00:66", f.BROADCAST, b"")
    cases = [((), "noUntaggedNetwork"), ((0,), "noUntaggedNetwork"), ((4095,), "reservedVLAN"), ((3000,), "unknownVLAN")]
    cases += [(((S if valid == C else C, 3001),), "unknownVLAN"), (((S, 4095),), "reservedVLAN")]
    for tags, reason in cases:
        mark = token()
        stage.clear()
        with switch.dropped(port="physnet1") as count:
            wire.send(f.tagged(frame, *tags) + mark)
            stage.sentinel(RED, "tap")
        assert count.counts == {reason: 1}, f"{fabric}, tags {tags}: {count}, not {reason}"
        for port in itertools.chain(*(each.values() for each in stage.tenants.values())):
            assert not port.with_token(mark)
