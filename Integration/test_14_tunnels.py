"""Tunnels of routers against frames made by scapy: every byte on the wire, two tenants side by side with one prefix, and
what must not come out of a tunnel."""

import json
import os
import re

import pytest
from scapy.utils import PcapNgReader

from support.frames import ICMP, IP, UDP, Ether, IPv6, Raw, gre, vxlan
from support.interface import Interface, token
from support.namespaces import address, cable, ip, mac_of, set_sysctl
from support.shell import SLUICE, end, run, start, wait_until
from support.topology import network, port, topology

MAC = "02:00:00:00:00:fe"


class Wire:
    """A far end made of frames: the namespace `far` speaks for itself, and there is no guest."""


@pytest.fixture
def wire(bench):
    """Tenants red and blue with one prefix, and a branch of their own each; the far ends are scapy's."""
    bench.namespaces.make_silent("host", "far")
    cable(("host", "under"), ("far", "under"))
    address("host", "under", "192.0.2.1/24", "2001:db8:2::1/64")
    address("far", "under", "192.0.2.7/24", "192.0.2.8/24", "192.0.2.66/24", "2001:db8:2::7/64", "2001:db8:2::8/64")
    set_sysctl("far", "net/ipv4/icmp_ratelimit", 0)
    tenants = {}
    for number, (name, remote) in enumerate({"red": 7, "blue": 8}.items()):
        bench.namespaces.make_silent(f"{name}-web")
        tenants[name] = {
            "networks": {"app": network("local", subnets=["10.0.0.0/24", "fd00::/64"])},
            "ports": {"web": port("h1", f"{name}-web", network="app", address="10.0.0.11/24", mac="02:00:00:00:00:01")},
            "routers": {"gw": {
                "mac": MAC, "interfaces": {"app": ["10.0.0.1/24", "fd00::1/64"]},
                "tunnels": {
                    "branch": {"type": "ipip", "host": "h1", "remote": f"192.0.2.{remote}"},
                    "six": {"type": "sit", "host": "h1", "remote": f"192.0.2.{remote}"},
                    "plain": {"type": "gre", "host": "h1", "remote": f"192.0.2.{remote}", "key": 5},
                    "summed": {
                        "type": "gre", "host": "h1", "remote": f"192.0.2.{remote}", "key": 6, "checksum": True}},
                "routes": [
                    {"to": "10.9.0.0/16", "via": "branch"}, {"to": "fd09::/16", "via": "six"},
                    {"to": "10.10.0.0/16", "via": "plain"}, {"to": "10.11.0.0/16", "via": "summed"}]}}}
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


@pytest.mark.parametrize("number, key, flags", [(10, 5, 0x2000), (11, 6, 0xA000)], ids=["key", "key-and-checksum"])
def test_gre_byte_exact(wire, number, key, flags):
    mark = token(length=13)
    packet = inner(mark, destination=f"10.{number}.0.1")
    wire.ends["red"].send(bytes(Ether(src="02:00:00:00:00:01", dst=MAC) / packet))
    seen = Ether(wire.under.wait_for(mark))
    packet.ttl = 63
    content = bytes(IP(bytes(packet)))
    expected = gre(content, key=key, protocol=0x0800, with_checksum=flags & 0x8000 != 0)
    assert seen[IP].proto == 47 and bytes(seen[IP].payload) == expected
    # And back, with a wrong checksum once.
    back, wrong = token(length=13), token(length=13)
    answer = bytes(inner(back, f"10.{number}.0.1", "10.0.0.11"))
    forged = gre(bytes(inner(wrong, f"10.{number}.0.1", "10.0.0.11")), key=key, protocol=0x0800, with_checksum=True)
    with wire.switch.dropped() as count:
        wire.under.send(outer(wire, forged[:5] + bytes([forged[5] ^ 1]) + forged[6:], protocol=47))
        wire.under.send(outer(wire, gre(answer, key=key, protocol=0x0800, with_checksum=flags & 0x8000 != 0), protocol=47))
        wire.ends["red"].wait_for(back)
    assert count["greChecksum"] == 1 and not wire.ends["red"].with_token(wrong)


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
    assert not wire.under.with_token(mark)
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
    answers = [Ether(frame) for frame in wire.under.with_token(mark)]
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
    assert done.status == 1 and "carries no key" in done.errors and "red" in done.errors, done


def test_capture_on_a_tunnel(wire, tmp_path):
    """Both ways, each packet once, and no Ethernet header around it."""
    sent, mark = token(), token()
    path = str(tmp_path / "branch.pcapng")
    process = start(SLUICE, "capture", "--network", "red/gw/branch", "-w", path, "--run-dir", wire.switch.directory)
    wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > 0, "the capture to begin")
    wire.ends["red"].send(bytes(Ether(src="02:00:00:00:00:01", dst=MAC) / inner(sent)))
    wire.under.send(outer(wire, bytes(inner(mark, "10.9.0.1", "10.0.0.11"))))
    wire.ends["red"].wait_for(mark)
    wait_until(lambda: mark in open(path, "rb").read() and sent in open(path, "rb").read(), "both packets in the file")
    end(process)
    packets = [packet for packet in PcapNgReader(path)]
    for what, source in ((sent, "10.0.0.11"), (mark, "10.9.0.1")):
        # What the tenant refuses comes back inside an ICMP error.
        found = [packet for packet in packets if what in bytes(packet) and packet.proto == 17]
        assert len(found) == 1 and found[0].__class__ is IP and found[0].src == source, packets


def test_trace_out_of_a_tunnel(wire):
    view = wire.switch.trace("--in", "red/gw/branch", "udp 10.9.0.1 > 10.0.0.11 dport=53")
    assert view["network"] == "red/gw/branch" and view["target"] == "red/app", view
    assert [output["endpoint"] for output in view["outputs"]] == ["red/web"]
    spoofed = wire.switch.trace("--in", "red/gw/branch", "udp 10.0.0.99 > 10.0.0.11")
    assert spoofed["verdict"] == "drop" and spoofed["reason"] == "reversePath", spoofed


def test_show_says_what_a_tunnel_is(wire):
    rows = {row["name"]: row for row in wire.switch.show("tunnels") if row.get("router")}
    assert rows["red/gw/branch"]["peer"] == "192.0.2.7" and rows["blue/gw/branch"]["peer"] == "192.0.2.8"
    routes = wire.switch.show("routes", "--router", "blue/gw")
    text = json.dumps(routes)
    assert "10.9.0.0/16" in text and "branch" in text and "red" not in text


# -- Path MTU of the underlay


def test_the_underlays_path_mtu_reaches_the_tenant(bench):
    """A router on the way passes 1400 bytes: its message is verified by the kernel, kept, and passed on to the sender."""
    bench.namespaces.make("host", "middle", "branch", "red-web", "red-l2")
    cable(("host", "under"), ("middle", "near"))
    cable(("middle", "beyond"), ("branch", "under"), mtu=1400)
    address("host", "under", "192.0.2.1/24")
    address("middle", "near", "192.0.2.254/24")
    address("middle", "beyond", "198.51.100.254/24")
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
                frame = Ether(src="02:00:00:00:00:22", dst="ff:ff:ff:ff:ff:ff", type=0x88B5) / Raw(bytes(46))
                packet = Ether(src=mac_of("branch", "under"), dst=mac_of("middle", "beyond")) / IP(
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
