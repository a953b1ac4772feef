"""The VTEP's address in the switch, on an uplink TAP or a device: against the kernel's vxlan, against frames made by hand,
and among Sluice hosts of all modes."""

import time

import pytest

from support import frames as f
from support.interface import Interface, token
from support.namespaces import address, cable, ip, mac_of, set_sysctl
from support.shell import run, wait_until
from support.topology import network, port, topology
from support.traffic import Checksums, datagrams, ping, transfer

SOME = 64 << 20
VTEPS = {"ipv4": ("192.0.2.1", "192.0.2.2", 24), "ipv6": ("2001:db8:2::1", "2001:db8:2::2", 64)}
MTU = {"ipv4": 1450, "ipv6": 1430}
UPLINK = {"tap": {"mode": "tap", "tap": "uplink0", "bridge": "br0"}, "device": {"mode": "device", "device": "under"}}
NAME = {"tap": "uplink uplink0", "device": "uplink under"}
WEB, FAR = "02:00:00:00:00:11", "02:00:00:00:00:99"


def bridge(space, device="under"):
    """A bridge as an operator makes it, with the underlay's device in it and no address."""
    ip(space, "link add name br0 type bridge mcast_snooping 0", f"link set {device} master br0", "link set br0 up")
    for family in ("ip", "ip6", "arp"):
        # Where bridges have netfilter, it would keep broken packets from us and put fragments together.
        try:
            set_sysctl(space, f"net/bridge/bridge-nf-call-{family}tables", 0)
        except FileNotFoundError:
            break


def underlay(mode, space):
    """Makes what the mode needs, and says what the file says."""
    if mode == "tap":
        bridge(space)
    return UPLINK[mode]


# -- the kernel's vxlan as far end


@pytest.fixture(scope="module", params=[(mode, family) for mode in UPLINK for family in VTEPS], ids="-".join)
def kernel(request, module_bench):
    mode, family = request.param
    bench = module_bench
    near_vtep, far_vtep, length = VTEPS[family]
    host, far, web = f"{mode[0]}{family}-host", f"{mode[0]}{family}-far", f"{mode[0]}{family}-web"
    bench.hosts(host, far)
    bench.namespaces.make(web)
    address(far, "under", f"{far_vtep}/{length}")
    ip(far, f"link add vx0 type vxlan id 5001 local {far_vtep} remote {near_vtep} dstport 4789",
       f"link set vx0 address {FAR} up")
    address(far, "vx0", "10.0.0.99/24", "fd00:a::99/64")
    switch = bench.switch(host, topology(
        {"h1": {"vtep": near_vtep, "underlay": underlay(mode, host)}},
        {"red": {
            "networks": {"net": network("vxlan", 5001, subnets=["10.0.0.0/24", "fd00:a::/64"], remotes=[far_vtep])},
            "ports": {"web": port("h1", {"netns": web}, address=["10.0.0.11/24", "fd00:a::11/64"], mac=WEB)},
        }}), name=f"{mode}-{family}")
    switch.mode, switch.family, switch.web, switch.far, switch.vtep = mode, family, web, far, near_vtep
    return switch


def uplink(switch):
    return switch.uplinks()[NAME[switch.mode]]


def test_ping(kernel):
    for target in ("10.0.0.99", "fd00:a::99"):
        ping(kernel.web, target)
    for target in ("10.0.0.11", "fd00:a::11"):
        ping(kernel.far, target)
    mtu = MTU[kernel.family]
    ping(kernel.web, "10.0.0.99", size=mtu - 28, whole=True)
    assert ping(kernel.web, "10.0.0.99", size=mtu - 27, whole=True, check=False, patience=1) == 0


@pytest.mark.parametrize("target", ["10.0.0.99", "fd00:a::99"])
def test_super_frames_cross_whole(kernel, target):
    """TCP both ways with its content compared; what crosses the uplink is as large as what the tenant's kernel makes."""
    before = uplink(kernel)
    with Checksums(kernel.web, kernel.far):
        transfer(kernel.web, kernel.far, target, SOME)
    after = uplink(kernel)
    for way in ("sent", "received"):
        count = {key: after[way][key] - before[way][key] for key in ("frames", "bytes", "superFrames", "failures")}
        assert_whole(way, count)
        # Of the bytes, not of the frames: acknowledgements are small.
        assert count["bytes"] / count["superFrames"] > 10_000, (way, count)
        assert count["bytes"] >= SOME
    assert kernel.state(NAME[kernel.mode]) == "up"


def assert_whole(way, count):
    assert count["superFrames"] > 0, f"{way}: super-frames do not stay whole: {count}"
    # A device's queue may have had no room for a few when the machine was busy.
    assert count["failures"] <= (count["superFrames"] / 100 if way == "received" else 0), (way, count)


@pytest.mark.parametrize("target, source", [("10.0.0.99", "10.0.0.11"), ("fd00:a::99", "fd00:a::11")])
def test_udp_super_frames_cross_whole(kernel, target, source):
    """The same for datagrams that a tenant's kernel is to cut (UDP_SEGMENT), both ways, each compared."""
    near, far = (kernel.web, source), (kernel.far, target)
    for way, sender, receiver in (("sent", near, far), ("received", far, near)):
        before = uplink(kernel)[way]
        datagrams(sender, receiver)
        after = uplink(kernel)[way]
        # Thirty datagrams each.
        assert after["superFrames"] - before["superFrames"] == 20, (before, after)


def test_the_far_interface_sees_them_whole(kernel):
    """What arrives at the far end's device are frames longer than its MTU."""
    with Interface(kernel.far, "under") as wire:
        transfer(kernel.web, kernel.far, "10.0.0.99", 8 << 20, direction="up")
        sizes = sorted(map(len, wire.drain()))
    assert sizes and sizes[-1] > 30_000, sizes[-10:]


def test_the_vtep_answers(kernel):
    ping(kernel.far, kernel.vtep)
    ping(kernel.far, kernel.vtep, size=1400)
    # It is nobody's address on the host.
    assert kernel.vtep not in kernel_addresses(kernel)


def kernel_addresses(switch):
    return run("ip", "address", namespace=switch.namespace).output


def test_a_restarted_datapath_keeps_the_uplink(kernel):
    kernel.kill("datapath")
    wait_until(lambda: kernel.pid("datapath"), "another datapath")
    ping(kernel.web, "10.0.0.99")
    device = UPLINK[kernel.mode].get("tap", "under")
    before = mac_of(kernel.namespace, device)
    kernel.kill("control")
    ping(kernel.web, "10.0.0.99")
    kernel.run()
    ping(kernel.web, "10.0.0.99")
    assert mac_of(kernel.namespace, device) == before
    transfer(kernel.web, kernel.far, "10.0.0.99", 16 << 20)
    assert uplink(kernel)["sent"]["failures"] == 0


# -- byte by byte


@pytest.fixture(params=UPLINK)
def wire(request, bench):
    """The far end of the underlay's cable is this test's own."""
    host, far = bench.hosts()
    made = underlay(request.param, host)
    bench.namespaces.make("web")
    switch = bench.switch(host, topology(
        {"h1": {"vtep": "192.0.2.1", "underlay": {
            **made, "address": "192.0.2.1/24", "gateway": "192.0.2.254"}}},
        {"red": {
            "networks": {"net": network("vxlan", 5001, remotes=["192.0.2.2", "198.51.100.9"])},
            "ports": {"web": port("h1", {"netns": "web"}, mac=WEB)},
        }}))
    switch.mode = request.param
    switch.wire = bench.keep(Interface(far, "under"))
    switch.tenant = bench.keep(Interface("web"))
    switch.near = mac_of(far, "under")
    # The switch asks for its peers and the gateway by itself.
    for peer in ("192.0.2.2", "192.0.2.254"):
        question = asked(switch, peer)
        switch.vtep = f.Ether(question).src
        answer = f.Ether(src=switch.near, dst=switch.vtep) / f.ARP(
            op=2, hwsrc=switch.near, psrc=peer, hwdst=switch.vtep, pdst="192.0.2.1")
        switch.wire.send(bytes(answer))
    return switch


def asked(switch, target):
    """The ARP request for an address, once it is there."""
    def find():
        for frame in switch.wire.drain():
            packet = f.Ether(frame)
            if packet.haslayer(f.ARP) and packet[f.ARP].op == 1 and packet[f.ARP].pdst == target:
                return frame
        return None

    wait_until(find, f"a question for {target}")
    return find()


def outer(switch, inner, source="192.0.2.2", destination="192.0.2.1", mac=None, port=4789, vni=5001, **fields):
    """An outer frame; the UDP checksum is scapy's unless it is given."""
    udp = {key: fields.pop(key) for key in ("chksum", "len") if key in fields}
    return bytes(
        f.Ether(src=switch.near, dst=mac or switch.vtep) / f.IP(src=source, dst=destination, flags="DF", **fields)
        / f.UDP(sport=50000, dport=port, **udp) / f.Raw(f.vxlan(inner, vni)))


def test_frames_leave_as_the_book_says(wire):
    mark = token()
    frame = f.data(WEB, f.BROADCAST, mark)
    wire.wire.clear()
    wire.tenant.send(frame)
    wire.wire.wait_for(mark)
    wait_until(lambda: len(wire.wire.with_token(mark)) == 2, "a copy for each VTEP")
    for got, peer in zip(wire.wire.with_token(mark), ("192.0.2.2", "198.51.100.9")):
        sent = f.Ether(got)
        source_port = sent[f.UDP].sport
        assert source_port >= 49152
        # The one behind the gateway goes to the gateway, who has the same address here.
        expected = f.Ether(src=wire.vtep, dst=wire.near) / f.IP(
            src="192.0.2.1", dst=peer, id=0, flags="DF", ttl=64) / f.UDP(
                sport=source_port, dport=4789, chksum=0) / f.Raw(f.vxlan(frame, 5001))
        assert got == bytes(expected)


def test_frames_arrive_as_they_were_sent(wire):
    for fields in ({}, {"chksum": 0}, {"tos": 0}):
        mark = token()
        frame = f.data(FAR, f.BROADCAST, mark)
        wire.wire.send(outer(wire, frame, **fields))
        assert wire.tenant.wait_for(mark) == frame
    # Padding behind the datagram stays outside, and a tag that only has a priority is none.
    mark = token()
    frame = f.data(FAR, f.BROADCAST, mark)
    wire.wire.send(f.tagged(outer(wire, frame) + b"secret" * 3, 0x6000))
    assert wire.tenant.wait_for(mark) == frame


def test_hostile_frames_end_with_a_reason(wire):
    """None reaches the tenant, none is answered, and each is counted under its name."""
    frame = f.data(FAR, f.BROADCAST, b"hostile!")
    size = 16 + len(frame)
    rows = [
        ("outerChecksum", outer(wire, frame, chksum=0x1234)),
        ("tunnelHeaderTruncated", outer(wire, frame, len=size + 1, chksum=0)),
        ("tunnelHeaderTruncated", outer(wire, frame, len=7, chksum=0)),
        ("tunnelHeaderTruncated", outer(wire, frame, len=15, chksum=0)),
        ("outerFragment", outer(wire, frame, frag=3)),
        ("brokenIPHeader", outer(wire, frame, chksum=0).replace(b"\x40\x11", b"\x41\x11", 1)),
        ("brokenIPHeader", outer(wire, frame, chksum=0)[:-5]),
        ("unknownPeer", outer(wire, frame, source="192.0.2.66")),
        ("unknownVNI", outer(wire, frame, vni=5002)),
        ("notRoutable", outer(wire, frame, destination="192.0.2.77")),
        ("notRoutable", outer(wire, frame, destination="8.8.8.8")),
        ("noReceiver", outer(wire, frame, mac=f.BROADCAST)),
        ("taggedOnAccessPort", f.tagged(outer(wire, frame), 7)),
        ("noSuchService", outer(wire, frame, options=[f.IPOption(b"\x94\x04\x00\x00")])),
    ]
    for reason, hostile in rows:
        wire.wire.clear()
        mark = token()
        with wire.dropped(port=NAME[wire.mode]) as count:
            wire.wire.send(hostile)
            wire.wire.send(outer(wire, f.data(FAR, f.BROADCAST, mark)))
            wire.tenant.wait_for(mark)
            wait_until(lambda: count.refresh()[reason] == 1, lambda: f"{reason} to be counted in {count}: {hostile!r}")
        assert not wire.tenant.with_token(b"hostile!"), reason
        assert not [each for each in wire.wire.drain() if f.Ether(each).haslayer(f.ICMP)], reason


def test_a_tenant_cannot_speak_as_a_peer(wire):
    """A tunnel packet from a tenant's port, addressed to the VTEP as the underlay would: bridged like anything else."""
    mark = token()
    inner = f.data(FAR, f.BROADCAST, b"forged!!")
    forged = bytes(
        f.Ether(src=WEB, dst=wire.vtep) / f.IP(src="192.0.2.2", dst="192.0.2.1")
        / f.UDP(sport=50000, dport=4789) / f.Raw(f.vxlan(inner, 5001) + mark))
    wire.wire.clear()
    wire.tenant.send(forged)
    # It leaves inside of a tunnel packet, to everybody, since nobody knows that address there.
    assert f.vxlan(forged, 5001) in wire.wire.wait_for(mark)
    assert not wire.tenant.with_token(b"forged!!")


def test_arp_and_icmp_of_the_vtep(wire):
    question = f.Ether(src=wire.near, dst=f.BROADCAST) / f.ARP(
        hwsrc=wire.near, psrc="192.0.2.2", pdst="192.0.2.1")
    wire.wire.clear()
    wire.wire.send(bytes(question))
    wait_until(lambda: any(
        f.Ether(each).haslayer(f.ARP) and f.Ether(each)[f.ARP].op == 2 and f.Ether(each)[f.ARP].hwsrc == wire.vtep
        for each in wire.wire.drain()), "an ARP reply")
    mark = token()
    wire.wire.send(bytes(
        f.Ether(src=wire.near, dst=wire.vtep) / f.IP(src="192.0.2.2", dst="192.0.2.1") / f.ICMP(id=7) / f.Raw(mark)))
    answer = f.Ether(wire.wire.wait_for(mark))
    assert answer[f.ICMP].type == 0 and answer[f.IP].src == "192.0.2.1" and answer.dst == wire.near


def quoted(switch, mtu, peer="192.0.2.2", source="192.0.2.1", port=4789):
    packet = f.IP(src=source, dst=peer, flags="DF") / f.UDP(sport=50000, dport=port) / f.Raw(bytes(32))
    return bytes(
        f.Ether(src=switch.near, dst=switch.vtep) / f.IP(src="192.0.2.254", dst="192.0.2.1")
        / f.ICMP(type=3, code=4, nexthopmtu=mtu) / f.Raw(bytes(packet)[:28]))


def test_path_mtu(wire):
    """What the underlay's routers say about our packets reaches the tenant, who sends smaller ones; lies do not."""
    def big():
        return bytes(
            f.Ether(src=WEB, dst=FAR) / f.IP(src="10.0.0.1", dst="10.0.0.2", flags="DF")
            / f.UDP(sport=4000, dport=4001) / f.Raw(bytes(1340)))

    # The far station speaks first, so that it is known where it is.
    mark = token()
    wire.wire.send(outer(wire, f.data(FAR, f.BROADCAST, mark)))
    wire.tenant.wait_for(mark)
    with wire.happened() as events:
        for lie in (quoted(wire, 500), quoted(wire, 1400, source="192.0.2.9"), quoted(wire, 1400, port=4790),
                    quoted(wire, 1400, peer="192.0.2.99")):
            wire.wire.send(lie)
        ping_mark = token()
        wire.wire.send(bytes(f.Ether(src=wire.near, dst=wire.vtep) / f.IP(src="192.0.2.2", dst="192.0.2.1")
                             / f.ICMP() / f.Raw(ping_mark)))
        wire.wire.wait_for(ping_mark)
    assert events["pathMTULearned"] == 0
    wire.tenant.clear()
    wire.tenant.send(big())
    wire.wire.wait_for(bytes(1340))
    with wire.happened() as events:
        wire.wire.send(quoted(wire, 1400))
        wait_until(lambda: events.refresh()["pathMTULearned"] == 1, "the path MTU to be learned")
    wire.tenant.send(big())

    def told():
        for each in wire.tenant.drain():
            packet = f.Ether(each)
            if packet.haslayer(f.ICMP) and packet[f.ICMP].type == 3 and packet[f.ICMP].code == 4:
                return packet[f.ICMP].nexthopmtu
        return None

    wait_until(told, "fragmentation needed")
    assert told() == 1350


# -- hosts of all modes


HOSTS = {1: "tap", 2: "tap", 3: None, 4: "device", 5: "device"}
SEGMENTS = {"vxlan": ("vxlan", 5001), "gre": ("gre", 5001)}


@pytest.fixture(scope="module", params=SEGMENTS)
def cloud(request, module_bench, tmp_path_factory):
    """Five hosts on one wire: two with uplink TAPs, one on sockets, two with devices."""
    bench = type(module_bench)(str(tmp_path_factory.mktemp(request.param)))
    bench.namespaces.make("fabric", *(f"m{i}" for i in HOSTS), *(f"t{i}" for i in HOSTS))
    ip("fabric", "link add name wire type bridge mcast_snooping 0", "link set wire up")
    hosts, ports = {}, {}
    for i, mode in HOSTS.items():
        cable((f"m{i}", "under"), ("fabric", f"to{i}"))
        ip("fabric", f"link set to{i} master wire")
        hosts[f"h{i}"] = {"vtep": f"192.0.2.{i}"}
        if mode:
            hosts[f"h{i}"]["underlay"] = underlay(mode, f"m{i}")
        else:
            address(f"m{i}", "under", f"192.0.2.{i}/24")
        ports[f"p{i}"] = port(f"h{i}", {"netns": f"t{i}"}, address=f"10.0.0.{i}/24")
    text = topology(hosts, {"red": {
        "networks": {"net": network(*SEGMENTS[request.param], subnets=["10.0.0.0/24"])}, "ports": ports}})
    made = [bench.switch(f"m{i}", text, name=f"{request.param}{i}", host=f"h{i}") for i in HOSTS]
    for i, mode in HOSTS.items():
        made[i - 1].mode = mode
    yield made
    bench.close()


def test_everybody_reaches_everybody(cloud):
    for a in HOSTS:
        for b in HOSTS:
            if a != b:
                ping(f"t{a}", f"10.0.0.{b}")
    ping("m3", "192.0.2.1")


@pytest.mark.parametrize("ends", [(1, 2), (1, 3), (3, 2), (4, 5), (4, 1), (3, 4)])
def test_tcp_between_modes(cloud, ends):
    a, b = ends
    with Checksums(f"t{a}", f"t{b}"):
        transfer(f"t{a}", f"t{b}", f"10.0.0.{b}", SOME)
    if HOSTS[a] and HOSTS[b]:
        for switch in (cloud[a - 1], cloud[b - 1]):
            for way in ("sent", "received"):
                assert_whole(way, uplink(switch)[way])


@pytest.mark.parametrize("ends", [(1, 2), (1, 3), (3, 2), (4, 5), (4, 1), (3, 4)])
def test_udp_between_modes(cloud, ends):
    a, b = ((f"t{i}", f"10.0.0.{i}") for i in ends)
    datagrams(a, b)
    datagrams(b, a)


def test_a_change_under_traffic(cloud):
    """Neighbours that answered a while ago are asked again before they are forgotten: nothing is lost meanwhile."""
    lost = cloud[0].drops(port="red/p1").get("neighborUnresolved", 0)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        ping("t1", "10.0.0.2", count=1)
    assert cloud[0].drops(port="red/p1").get("neighborUnresolved", 0) == lost


def test_without_a_bridge_there_is_a_sentence(bench):
    bench.namespaces.make("alone", "web")
    switch = bench.switch("alone", topology(
        {"h1": {"vtep": "192.0.2.1", "underlay": UPLINK["tap"]}},
        {"red": {"networks": {"net": network("vxlan", 5001)}, "ports": {"web": port("h1", {"netns": "web"})}}}),
        wait=False)
    wait_until(lambda: switch.process.poll() is not None, "the switch to give up")
    assert "ip link add name br0 type bridge" in switch.logged()


def test_a_device_of_the_host_is_not_taken(bench):
    host, _ = bench.hosts()
    bench.namespaces.make("web")
    address(host, "under", "192.0.2.1/24")
    switch = bench.switch(host, topology(
        {"h1": {"vtep": "192.0.2.1", "underlay": UPLINK["device"]}},
        {"red": {"networks": {"net": network("vxlan", 5001)}, "ports": {"web": port("h1", {"netns": "web"})}}}),
        wait=False)
    wait_until(lambda: switch.process.poll() is not None, "the switch to give up")
    assert "The host uses it itself" in switch.logged()
