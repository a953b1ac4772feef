"""Routers between the networks of a tenant: present on every host, with a table of their own."""

import json
import re
import time

import pytest

from support import routed
from support.frames import IP, UDP, Ether, IPOption, Raw, udp
from support.interface import Interface, token
from support.namespaces import ip
from support.routed import PORTS, addresses
from support.shell import run, wait_until
from support.traffic import Checksums, Flood, ping, transfer

GIGABYTE = 1 << 30


class World:
    pass


@pytest.fixture(scope="module")
def world(module_bench):
    bench = module_bench
    routed.wire(bench)
    made = World()
    made.bench, made.file = bench, routed.cloud()
    made.h1 = bench.switch("h1", made.file, host="h1")
    made.h2 = bench.switch("h2", made.file, host="h2")
    return made


def apply(world, file):
    for switch in (world.h1, world.h2):
        switch.apply(file)


# -- Ping


@pytest.mark.parametrize("tenant", ["red", "blue"])
@pytest.mark.parametrize("family", [0, 1], ids=["IPv4", "IPv6"])
def test_everybody_reaches_everybody_and_the_gateways(world, tenant, family):
    for here in PORTS:
        for there in PORTS:
            if here != there:
                ping(f"{tenant}-{here}", addresses(there)[family], size=1400)
        for gateway in routed.GATEWAY.values():
            ping(f"{tenant}-{here}", gateway[family].split("/")[0])


def test_one_router_is_one_hop(world):
    """TTL falls by one from h1 to h2: the router of the first host routes, that of the second bridges."""
    for family, option in ((0, "-4"), (1, "-6")):
        done = run("ping", option, "-n", "-c", 1, addresses("db")[family], namespace="red-web")
        assert re.search(r"ttl=63", done.output), done.output
        done = run("tracepath", option, "-n", "-m", 4, addresses("db")[family], namespace="red-web")
        assert re.search(r"1:\s+" + routed.GATEWAY["app"][family].split("/")[0], done.output), done.output
        assert re.search(r"2:\s+" + addresses("db")[family] + r".*reached", done.output), done.output
        assert "pmtu 1450" in done.output, done.output


def test_traffic_crosses_the_underlay_once(world):
    """A routed packet is on the wire once, in the network of its destination, with the router's MAC as source."""
    mark = token()
    with Interface("h2", "under") as under:
        with Interface("red-db", "eth0") as db:
            frame = udp("02:00:00:00:00:01", "02:00:00:00:00:fe", mark, (addresses("web")[0], addresses("db")[0]))
            with Interface("red-web", "eth0") as web:
                web.send(frame)
            arrived = Ether(db.wait_for(mark))
        copies = under.with_token(mark)
        assert len(copies) == 1
        packet = Ether(copies[0])
        assert packet[UDP].dport == 4789
        # scapy knows the port.
        inner = packet[UDP].payload
        assert inner.vni == routed.TENANTS["red"] + 1
        assert inner.payload.src == "02:00:00:00:00:fe" and inner.payload.dst == "02:00:00:00:00:03"
    sent = Ether(frame)
    sent.src, sent.dst = "02:00:00:00:00:fe", "02:00:00:00:00:03"
    sent[IP].ttl -= 1
    sent[IP].chksum = sent[UDP].chksum = None
    expected = bytes(sent)
    assert bytes(arrived)[:len(expected)] == expected


def test_the_gateway_is_asked_on_the_spot(world):
    """ARP and neighbour discovery for the router go no further than the host, and none is needed towards told ports."""
    with Interface("h2", "under") as under, Interface("red-cache", "eth0") as cache:
        ip("red-web", "neighbor flush all")
        ip("red-db", "neighbor flush all")
        ping("red-web", addresses("db")[0])
        ping("red-web", addresses("db")[1])
        time.sleep(0.2)
        frames = [Ether(frame) for frame in under.drain()]
        inner = [frame[UDP].payload.payload for frame in frames if UDP in frame and frame[UDP].dport == 4789]
        assert inner, "nothing crossed the underlay"
        gateways = {"10.0.0.1", "10.0.1.1", "fd00::1", "fd00:1::1"}
        inner += [Ether(frame) for frame in cache.drain()]
        # Stations may ask for each other meanwhile.
        assert not [frame for frame in inner if frame.type == 0x0806 and frame.payload.pdst in gateways]
        assert not [frame for frame in inner if "ND_NS" in frame.summary() and frame.payload.payload.tgt in gateways]


def test_link_local_addresses_of_the_router(world):
    """fe80:: of the router's MAC, in each of its networks."""
    for end in ("web", "db"):
        ping(f"red-{end}", "fe80::ff:fe00:fe%eth0")


# -- TCP


@pytest.mark.parametrize("ends", [("web", "log"), ("web", "db")], ids=["one-host", "two-hosts"])
def test_a_gigabyte_each_way(world, ends):
    client, server = (f"red-{end}" for end in ends)
    with Checksums(client, server):
        for family in (0, 1):
            size = GIGABYTE if family == 0 else GIGABYTE // 8
            print(ends, transfer(client, server, addresses(ends[1])[family], size))


# -- Overlap


def test_each_tenant_has_its_own_far_side(world):
    """Both have 10.9.0.0/16 behind a gateway with the same address; who answers is the tenant's own."""
    bench = world.bench
    ends = {}
    for name in routed.TENANTS:
        bench.namespaces.make(f"{name}-far")
        far = world.file["tenants"][name]
        far["ports"]["far"] = {
            "host": "h2", "network": "data", "attach": {"netns": f"{name}-far"}, "address": "10.0.1.200/24",
            "mac": "02:00:00:00:00:99"}
        far["routers"]["gw"]["routes"] = [{"to": "10.9.0.0/16", "via": "10.0.1.200"}]
    world.file["tenants"]["red"]["routers"]["gw"]["routes"].append({"to": "10.8.0.0/16", "via": "10.0.1.200"})
    apply(world, world.file)
    for name in routed.TENANTS:
        ip(f"{name}-far", "address add 10.9.0.1/16 dev lo", "address add 10.8.0.1/16 dev lo")
        ends[name] = Interface(f"{name}-far", "eth0")
        bench.keep(ends[name])
    for name in routed.TENANTS:
        ping(f"{name}-web", "10.9.0.1")
    ping("red-web", "10.8.0.1")
    # The prefix exists in red only: blue's router says so, and nothing of it is seen in red.
    mark = token()
    for end in ends.values():
        end.clear()
    with world.h1.dropped(network="blue/app") as count:
        done = run("ping", "-n", "-c", 3, "-i", 0.1, "-p", mark[:8].hex(), "10.8.0.1", namespace="blue-web", check=False)
    assert "Destination Net Unreachable" in done.output and "10.0.0.1" in done.output, done.output
    assert count["noRoute"] >= 3, count
    ping("red-web", "10.8.0.1")
    assert not ends["red"].with_token(mark[:8])
    trace = world.h1.trace(
        "--in", "blue/web", "src=02:00:00:00:00:01 dst=02:00:00:00:00:fe ip=10.0.0.11>10.8.0.1 proto=udp dport=9")
    assert trace["reason"] == "noRoute" and "blue/gw has no route to 10.8.0.1" in json.dumps(trace), trace


# -- Neighbours that the file does not know


def test_unknown_neighbours_are_asked_for(world):
    """A second address of a port's machine is in no file: the router asks, the first packets wait, none is lost."""
    ip("red-db", "address add 10.0.1.77/24 dev eth0", "address add fd00:1::77/64 dev eth0 nodad")
    ping("red-log", "10.0.1.77")
    with world.h1.happened() as events:
        assert ping("red-web", "10.0.1.77", count=5) == 5
        assert ping("red-web", "fd00:1::77", count=5) == 5
    assert events["neighborAsked"] >= 2 and events["neighborResolved"] >= 2, events
    known = {(row["network"], row["address"]): row for row in world.h1.show("neighbors", "--limit", 0)["entries"]}
    assert known["red/data", "10.0.1.77"]["mac"] == "02:00:00:00:00:03"
    assert ("blue/data", "10.0.1.77") not in known


def test_who_does_not_answer_is_unreachable(world):
    with world.h1.dropped(port="red/web") as count:
        done = run("ping", "-n", "-c", 5, "-i", 0.5, "-w", 8, "10.0.1.250", namespace="red-web", check=False)
        done6 = run("ping", "-n", "-c", 5, "-i", 0.5, "-w", 8, "fd00:1::250", namespace="red-web", check=False)
    assert "From 10.0.0.1" in done.output and "Destination Host Unreachable" in done.output, done.output
    assert "Address unreachable" in done6.output, done6.output
    assert count["neighborUnresolved"] >= 2, count


# -- What a router refuses


def refused(world, frame, reason, sender="red-web", port="red/web"):
    with world.h1.dropped(port=port) as count, Interface(sender, "eth0") as web:
        web.send(frame)
        wait_until(lambda: count.refresh()[reason] == 1, f"one {reason}: {count}")


def packet(**fields):
    fields = {"src": addresses("web")[0], "dst": addresses("db")[0], **fields}
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:fe") / IP(**fields) / UDP(sport=1, dport=2) / Raw(token())


@pytest.mark.parametrize("reason, fields", [
    ("martianSource", {"src": "127.0.0.1"}),
    ("martianSource", {"src": "0.0.0.0"}),
    ("martianSource", {"src": "224.0.0.1"}),
    ("martianSource", {"src": "10.0.0.1"}),
    ("martianDestination", {"dst": "127.0.0.1"}),
    ("martianDestination", {"dst": "240.0.0.1"}),
    ("martianDestination", {"dst": "255.255.255.255"}),
    ("martianDestination", {"dst": "10.0.1.255"}),
    ("multicastNotRouted", {"dst": "239.1.1.1"}),
    ("reversePath", {"src": "10.0.1.13"}),
    ("reversePath", {"src": "172.16.0.1"}),
    ("brokenIPHeader", {"chksum": 0x1234}),
    ("hopLimitExceeded", {"ttl": 1}),
    ("sourceRoute", {"options": b"\x83\x07\x04\x0a\x00\x01\x0d\x00"}),
], ids=lambda value: value if isinstance(value, str) else "")
def test_refusals(world, reason, fields):
    if "options" in fields:
        fields = {**fields, "options": IPOption(fields["options"])}
    refused(world, bytes(packet(**fields)), reason)


def test_a_burst_of_expired_packets_costs_a_running_flow_nothing(world):
    """10^5 packets with TTL 1: the errors are limited, and a ping through the same router loses nothing."""
    flood = Flood("red-cache", addresses("db")[0])
    frames = [bytes(packet(ttl=1, id=i)) for i in range(1000)]
    with world.h1.happened() as events, world.h1.dropped(port="red/web") as count:
        with Interface("red-web", "eth0") as web:
            for _ in range(100):
                web.send(*frames)
    result = flood.stop()
    print(result, events)
    assert result.lost == 0, result
    assert count["hopLimitExceeded"] > 50_000, count
    assert 0 < events["errorSent"] < 20_000 and events["answerSuppressed"] > 30_000, events


# -- Path MTU


def test_senders_on_a_plain_network_learn_what_fits(world):
    """A tenant that sends 1500 bytes into a VXLAN network of 1450 is told so by the switch, not left in the dark."""
    ip("red-web", "link set eth0 mtu 1500")
    try:
        done = run(
            "ping", "-n", "-c", 3, "-i", 0.2, "-M", "do", "-s", 1472, addresses("cache")[0], namespace="red-web", check=False)
        assert "mtu = 1450" in done.output or "mtu=1450" in done.output, done.output
        route = run("ip", "route", "get", addresses("cache")[0], namespace="red-web").output
        assert "mtu 1450" in route, route
        done = run("tracepath", "-n", "-m", 3, addresses("cache")[1], namespace="red-web")
        assert "pmtu 1450" in done.output, done.output
        # TCP finds its way at once.
        print(transfer("red-web", "red-cache", addresses("cache")[0], 64 << 20))
        # What may be cut is cut: a ping of 3000 bytes without DF.
        ping("red-web", addresses("cache")[0], size=1460)
    finally:
        ip("red-web", "link set eth0 mtu 1450", "route flush cache")


def test_fragments_pass_the_router(world):
    """Fragments of the sender's own, and packets that the router itself has to cut."""
    for family in (0, 1):
        ping("red-web", addresses("db")[family], size=20000)


# -- Crashes


def test_routing_outlives_its_processes(world):
    """Without a control process nothing is lost; with a new datapath routes and resolved neighbours are there again."""
    ip("red-db", "address replace 10.0.1.78/24 dev eth0")
    ping("red-web", "10.0.1.78")
    flood = Flood("red-web", "10.0.1.78")
    world.h1.kill("control")
    time.sleep(0.5)
    world.h1.run()
    result = flood.stop()
    assert result.lost == 0, result
    flood = Flood("red-web", "10.0.1.78")
    old = world.h1.kill("datapath")
    wait_until(lambda: world.h1.pid("datapath") not in (None, old), "another datapath")
    time.sleep(0.5)
    result = flood.stop()
    print(result)
    assert result.longest_gap < 1, result
    ping("red-web", addresses("db")[1])


# -- Changes


def test_a_hundred_thousand_routes_are_replaced_under_traffic(world):
    """No packet meets half a table: nothing is lost while the whole table changes three times."""
    def table(shift):
        return [{"to": f"{20 + i // 65536 + shift}.{i // 256 % 256}.{i % 256}.0/24", "via": "10.0.1.13"}
                for i in range(100_000)]

    router = world.file["tenants"]["red"]["routers"]["gw"]
    before = router.get("routes", [])
    keep = [{"to": "20.0.0.0/8", "via": "10.0.1.13"}]
    ip("red-db", "address add 20.0.0.7/32 dev lo")
    router["routes"] = before + keep
    apply(world, world.file)
    floods = [Flood("red-web", "20.0.0.7"), Flood("red-web", addresses("db")[0])]
    for shift in (0, 40, 0):
        router["routes"] = before + keep + table(shift)
        begun = time.monotonic()
        world.h1.apply(world.file)
        print(f"100 000 routes applied in {time.monotonic() - begun:.2f} s")
    view = world.h1.show("routes", "--router", "red/gw", "--limit", 10)
    assert view["total"] > 100_000 and len(view["routes"]) == 10, view["total"]
    for flood in floods:
        result = flood.stop()
        print(result)
        assert result.lost == 0 and result.duplicates == 0, result
    router["routes"] = before
    apply(world, world.file)
