"""Must hold 6: broken, odd and forged packets have the outcome of the standards, and never the switch's end.

The packets are made by scapy and put on the wire of the underlay as the far VTEP's, or sent by a tenant.
"""

import itertools
import os
import random
import struct

import pytest

from support import frames as f
from support.interface import Interface, token
from support.namespaces import address, link, mac_of
from support.topology import network, port, topology

NEAR, FAR = "192.0.2.1", "192.0.2.2"
NEAR6, FAR6 = "2001:db8:2::1", "2001:db8:2::2"
ELSEWHERE = "192.0.2.3"
HOME, GUEST = "02:00:00:00:00:01", "02:00:00:00:00:99"
VNI, KEY, FOREIGN_VNI, FOREIGN_KEY = 5001, 77, 5002, 78


class Wire:
    """The far end of the underlay: packets go on it as they are."""

    def __init__(self, bench):
        self.bench = bench
        bench.hosts("host", "far")
        address("host", "under", f"{NEAR}/24", f"{NEAR6}/64")
        address("far", "under", f"{FAR}/24", f"{FAR6}/64")
        bench.namespaces.make_silent("t-vxlan", "t-gre", "t-blue", "t-blue-gre")
        remotes = [FAR, FAR6]
        self.switch = bench.switch("host", topology(
            {"h1": {"vtep": [NEAR, NEAR6]}},
            {"red": {
                "networks": {"vxlan": network("vxlan", VNI, remotes=remotes), "gre": network("gre", KEY, remotes=remotes)},
                "ports": {
                    "vxlan": port("h1", "t-vxlan", network="vxlan", mac=HOME),
                    "gre": port("h1", "t-gre", network="gre", mac=HOME)}},
             "blue": {
                "networks": {
                    "vxlan": network("vxlan", FOREIGN_VNI, remotes=[ELSEWHERE]),
                    "gre": network("gre", FOREIGN_KEY, remotes=[ELSEWHERE])},
                "ports": {
                    "vxlan": port("h1", "t-blue", network="vxlan", mac=HOME),
                    "gre": port("h1", "t-blue-gre", network="gre", mac=HOME)}}}))
        self.under = bench.keep(Interface("far", "under"))
        self.tenant = {name: bench.keep(Interface(f"t-{name}")) for name in ("vxlan", "gre", "blue", "blue-gre")}
        self.frame = f.Ether(src=mac_of("far", "under"), dst=mac_of("host", "under"))

    def datagram(self, payload, source=FAR, destination=NEAR, checksum=0, **ip):
        """A UDP datagram for the VXLAN port, as bytes of a frame."""
        layer = f.IPv6 if ":" in source else f.IP
        udp = f.UDP(sport=51234, dport=4789) if checksum is None else f.UDP(sport=51234, dport=4789, chksum=checksum)
        return bytes(self.frame / layer(src=source, dst=destination, **ip) / udp / f.Raw(payload))

    def packet(self, payload, source=FAR, destination=NEAR, **ip):
        """An IP packet that carries GRE, as bytes of a frame."""
        if ":" in source:
            return bytes(self.frame / f.IPv6(src=source, dst=destination, nh=47, **ip) / f.Raw(payload))
        return bytes(self.frame / f.IP(src=source, dst=destination, proto=47, **ip) / f.Raw(payload))

    def sentinel(self):
        """Good packets on both tunnels, which must arrive: all that was sent before has been looked at."""
        mark = token()
        self.under.send(self.datagram(f.vxlan(f.data(GUEST, HOME, mark), VNI)))
        self.tenant["vxlan"].wait_for(mark)
        self.under.send(self.packet(f.gre(f.data(GUEST, HOME, mark), KEY)))
        self.tenant["gre"].wait_for(mark)

    def clear(self):
        for each in self.tenant.values():
            each.clear()

    def outcome(self, *packets, mark):
        """Puts packets on the wire; answers the frames with the mark that red got, and the drops of both uplinks."""
        self.clear()
        with self.switch.dropped() as count:
            self.under.send(*packets)
            self.sentinel()
        for name in ("blue", "blue-gre"):
            assert not self.tenant[name].with_token(mark), "it came to the other tenant"
        got = self.tenant["vxlan"].with_token(mark) + self.tenant["gre"].with_token(mark)
        return got, count.counts


@pytest.fixture(scope="module")
def wire(module_bench):
    return Wire(module_bench)


@pytest.fixture(scope="module", autouse=True)
def alive(wire):
    """The same two processes at the end as at the beginning: nothing crashed and was started again."""
    before = wire.switch.pid("control"), wire.switch.pid("datapath")
    yield
    assert (wire.switch.pid("control"), wire.switch.pid("datapath")) == before


def inner(mark, **keys):
    return f.udp(GUEST, HOME, mark, **keys)


# -- VXLAN header


def test_reserved_bits_one_by_one(wire):
    """RFC 7348 §5: ignored on receipt. Here also counted."""
    mark = token()
    frame = inner(mark)
    packets = [f.vxlan(frame, VNI, flags=0x08 | 1 << bit) for bit in range(8) if bit != 3]
    packets += [f.vxlan(frame, VNI, reserved=1 << bit) for bit in range(24)]
    packets += [f.vxlan(frame, VNI, reserved2=1 << bit) for bit in range(8)]
    with wire.switch.happened() as events:
        got, drops = wire.outcome(*map(wire.datagram, packets), mark=mark)
    assert got == [frame] * 39 and drops == {}
    assert events["vxlanReservedBits"] == 39


def test_without_the_i_flag(wire):
    """RFC 7348 §5: no valid network identifier."""
    mark = token()
    packets = [f.vxlan(inner(mark), VNI, flags=flags) for flags in range(256) if not flags & 8]
    got, drops = wire.outcome(*map(wire.datagram, packets), mark=mark)
    assert got == [] and drops == {"vxlanNoVNI": 128}


@pytest.mark.parametrize("vni", [0, 1, VNI - 1, 1 << 23, (1 << 24) - 1])
def test_unknown_vni(wire, vni):
    mark = token()
    got, drops = wire.outcome(wire.datagram(f.vxlan(inner(mark), vni)), mark=mark)
    assert got == [] and drops == {"unknownVNI": 1}


def test_unknown_peer(wire):
    """RFC 7348 §7: whoever can send to the VTEP could speak in any network. Only listed VTEPs may."""
    mark = token()
    for source in ("192.0.2.99", "10.0.0.1", NEAR):
        got, drops = wire.outcome(
            wire.datagram(f.vxlan(inner(mark), VNI), source=source),
            wire.packet(f.gre(inner(mark), KEY), source=source), mark=mark)
        assert got == []
        # A packet from our own address does not get past the kernel.
        assert drops == ({"unknownPeer": 2} if source != NEAR else {}), source


def test_peer_of_another_network(wire):
    """A VTEP that both know, but of which blue's networks have no port."""
    mark = token()
    got, drops = wire.outcome(
        wire.datagram(f.vxlan(inner(mark), FOREIGN_VNI)), wire.packet(f.gre(inner(mark), FOREIGN_KEY)), mark=mark)
    assert got == [] and drops == {"peerNotInNetwork": 2}


@pytest.mark.parametrize("source, destination", [(FAR, NEAR), (FAR6, NEAR6)])
def test_truncation_at_every_byte(wire, source, destination):
    """A datagram that ends anywhere: inside the VXLAN header, inside the Ethernet header, or later, which is a frame."""
    frame = inner(b"0123456789")
    whole = f.vxlan(frame, VNI)
    for length in range(len(whole) + 1):
        wire.clear()
        with wire.switch.dropped() as count:
            # IPv6 needs a checksum or none; scapy computes it for what is there.
            wire.under.send(wire.datagram(
                whole[:length], source, destination, checksum=None if ":" in source else 0))
            wire.sentinel()
        got = [frame for frame in wire.tenant["vxlan"].drain() if b"~" not in frame]
        if length < 8:
            assert (got, count.counts) == ([], {"tunnelHeaderTruncated": 1}), length
        elif length < 8 + 14:
            assert (got, count.counts) == ([], {"tooShort": 1}), length
        else:
            assert (got, count.counts) == ([frame[:length - 8]], {}), length


def test_truncation_inside_inner_tags(wire):
    frame = f.tagged(inner(b"0123456789"), 0, 0)
    whole = f.vxlan(frame, VNI)
    for length in range(8 + 14, 8 + 22):
        with wire.switch.dropped() as count:
            wire.under.send(wire.datagram(whole[:length]))
            wire.sentinel()
        assert count.counts == {"tooShort": 1}, length


def test_trailing_bytes_never_reach_a_tenant(wire):
    """What lies behind the end of the IP packet, or behind the end of the UDP datagram, is not the tenant's."""
    secret = b"behind the end"
    mark = token()
    frame = inner(mark)
    for version in (4, 6):
        source, destination = (FAR, NEAR) if version == 4 else (FAR6, NEAR6)
        udp = wire.datagram(f.vxlan(frame, VNI), source, destination, checksum=None)
        gre = wire.packet(f.gre(frame, KEY), source, destination)
        got, drops = wire.outcome(udp + secret, udp + bytes(30), gre + secret, mark=mark)
        assert got == [frame] * 3 and drops == {}, f"{version}: {[each.hex() for each in got]}"
    # Between the end of the UDP datagram and that of the IP packet.
    ip = f.IP(src=FAR, dst=NEAR)
    payload = f.vxlan(frame, VNI)
    packet = bytes(wire.frame / ip / f.UDP(sport=51234, dport=4789, len=8 + len(payload), chksum=0) / f.Raw(payload + secret))
    got, drops = wire.outcome(packet, mark=mark)
    assert got == [frame] and drops == {}


def test_wrong_lengths_and_checksums(wire):
    """The kernel's IP and UDP refuse these before they are ours; what matters is that no tenant sees them."""
    mark = token()
    payload = f.vxlan(inner(mark), VNI)
    udp = f.UDP(sport=51234, dport=4789, chksum=0)
    bad = [bytes(wire.frame / f.IP(src=FAR, dst=NEAR, chksum=1) / udp / f.Raw(payload))]
    real = 8 + len(payload)
    for length in (0, 7, 8 + 100 + len(payload), 65535):
        bad.append(bytes(
            wire.frame / f.IP(src=FAR, dst=NEAR) / f.UDP(sport=51234, dport=4789, chksum=0, len=length) / f.Raw(payload)))
    for total in (0, 19, 20, 27, 20 + real - 30):
        bad.append(bytes(wire.frame / f.IP(src=FAR, dst=NEAR, len=total) / udp / f.Raw(payload)))
    for ihl in (0, 4, 15):
        bad.append(bytes(wire.frame / f.IP(src=FAR, dst=NEAR, ihl=ihl) / udp / f.Raw(payload)))
    bad.append(wire.datagram(payload, checksum=0x1234))
    bad.append(wire.datagram(payload, FAR6, NEAR6, checksum=0x1234))
    bad += [wire.packet(f.gre(inner(mark), KEY), chksum=1), wire.packet(f.gre(inner(mark), KEY), len=25)]
    got, drops = wire.outcome(*bad, mark=mark)
    # A GRE packet cut to five bytes by its IP length is a truncated header; the rest is the kernel's affair.
    assert got == [] and drops in ({}, {"tunnelHeaderTruncated": 1}), drops


def test_udp_checksums(wire):
    """RFC 7348 §5: zero must be accepted, also over IPv6 (RFC 6935); what is there must be right."""
    mark = token()
    payload = f.vxlan(inner(mark), VNI)
    good = {
        "none": wire.datagram(payload), "right": wire.datagram(payload, checksum=None),
        "right, IPv6": wire.datagram(payload, FAR6, NEAR6, checksum=None),
        "none, IPv6": wire.datagram(payload, FAR6, NEAR6, checksum=0)}
    for name, packet in good.items():
        got, drops = wire.outcome(packet, mark=mark)
        assert got == [inner(mark)] and drops == {}, name


def test_not_for_us_alone(wire):
    """VXLAN to the subnet's broadcast address or to a group is not for a VTEP."""
    mark = token()
    payload = f.vxlan(inner(mark), VNI)
    udp = f.UDP(sport=51234, dport=4789, chksum=0)
    packets = [
        bytes(f.Ether(src=wire.frame.src, dst=ether) / f.IP(src=FAR, dst=destination) / udp / f.Raw(payload))
        for ether in (f.BROADCAST, "01:00:5e:00:00:01", wire.frame.dst)
        for destination in ("192.0.2.255", "255.255.255.255", "224.0.0.1", "192.0.2.77")]
    got, drops = wire.outcome(*packets, mark=mark)
    assert got == [] and drops == {}


def test_fragments_and_a_large_inner_frame(wire):
    """The kernel puts outer fragments together. What comes out has to fit the network all the same."""
    mark = token()
    frame = inner(mark + bytes(1350))
    fragments = _fragments(wire, f.vxlan(frame, VNI), 512)
    got, drops = wire.outcome(*fragments, mark=mark)
    assert got == [frame] and drops == {}
    huge = f.data(GUEST, HOME, mark, length=65_507 - 8 - 8 - 14 - 20)
    got, drops = wire.outcome(*_fragments(wire, f.vxlan(huge, VNI), 1480), mark=mark)
    assert got == [] and drops == {"exceedsMTU": 1}


def _fragments(wire, payload, size):
    from scapy.layers.inet import fragment

    packet = f.IP(src=FAR, dst=NEAR, id=random.getrandbits(16)) / f.UDP(sport=51234, dport=4789, chksum=0) / f.Raw(payload)
    return [bytes(wire.frame / piece) for piece in fragment(packet, size)]


INNER_CASES = [
    ("multicast source", lambda m: f.data("01:00:5e:00:00:01", HOME, m), "invalidSource"),
    ("broadcast source", lambda m: f.data(f.BROADCAST, HOME, m), "invalidSource"),
    ("zero source", lambda m: f.data("00:00:00:00:00:00", HOME, m), "invalidSource"),
    ("zero destination", lambda m: f.data(GUEST, "00:00:00:00:00:00", m), "zeroDestination"),
    ("spanning tree", lambda m: f.data(GUEST, "01:80:c2:00:00:00", m), "linkLocal"),
    ("link layer discovery", lambda m: f.data(GUEST, "01:80:c2:00:00:0e", m), "linkLocal"),
    ("a local port's address as source", lambda m: f.data(HOME, f.BROADCAST, m), "sourceBelongsToAnotherPort"),
    ("a tag", lambda m: f.tagged(f.data(GUEST, HOME, m), 10), "taggedInSegment"),
    ("a service tag", lambda m: f.tagged(f.data(GUEST, HOME, m), (0x88A8, 10)), "taggedInSegment"),
    ("a reserved tag", lambda m: f.tagged(f.data(GUEST, HOME, m), 4095), "reservedVLAN"),
    ("a tag behind a priority", lambda m: f.tagged(f.data(GUEST, HOME, m), 0, 10), "doubleTagged"),
    ("to nobody, not back into the tunnel", lambda m: f.data(GUEST, "02:00:00:00:00:55", m), None),
]


@pytest.mark.parametrize("name, make, reason", INNER_CASES, ids=[case[0].replace(" ", "-") for case in INNER_CASES])
def test_inner_frames(wire, name, make, reason):
    """What no bridge forwards is not forwarded for having come through a tunnel."""
    mark = token()
    frame = make(mark)
    wire.under.clear()
    got, drops = wire.outcome(
        wire.datagram(f.vxlan(frame, VNI)), wire.packet(f.gre(frame, KEY)), mark=mark)
    assert drops == ({reason: 2} if reason else {}) and len(got) == (0 if reason else 2), name
    assert not wire.under.with_token(mark), "it went back into a tunnel"


def test_priority_tags_inside(wire):
    """VLAN id 0 is no VLAN: the tag goes, the frame stays."""
    mark = token()
    frame = inner(mark)
    got, drops = wire.outcome(wire.datagram(f.vxlan(f.tagged(frame, 0xE000), VNI)), mark=mark)
    assert got == [frame] and drops == {}


def test_a_tunnel_inside_a_tunnel(wire):
    """One level deep: what is inside is the tenant's data, whatever it says."""
    mark = token()
    hidden = wire.datagram(f.vxlan(f.data(GUEST, HOME, mark), FOREIGN_VNI), source=ELSEWHERE)
    frame = bytes.fromhex(HOME.replace(":", "")) + bytes.fromhex(GUEST.replace(":", "")) + hidden[12:]
    got, drops = wire.outcome(wire.datagram(f.vxlan(frame, VNI)), mark=mark)
    assert got == [frame] and drops == {}


# -- GRE header


GRE_CASES = [
    ("checksum", lambda frame: f.gre(frame, KEY, with_checksum=True), None),
    ("sequence number", lambda frame: f.gre(frame, KEY, sequence=7), None),
    ("all fields", lambda frame: f.gre(frame, KEY, sequence=7, with_checksum=True), None),
    ("wrong checksum", lambda frame: _flip(f.gre(frame, KEY, with_checksum=True), 4), "greChecksum"),
    ("no key", lambda frame: f.gre(frame), "greNoKey"),
    ("unknown key", lambda frame: f.gre(frame, KEY + 100), "unknownKey"),
    ("key 0", lambda frame: f.gre(frame, 0), "unknownKey"),
    # That would be a router's tunnel, and none has the key.
    ("IPv4 inside", lambda frame: f.gre(frame, KEY, protocol=0x0800), "unknownKey"),
    ("another protocol", lambda frame: f.gre(frame, KEY, protocol=0x88BE), "greProtocol"),
    # RFC 2784 §2.3: bits 1 to 5 that no later RFC gave a meaning must be zero, and so must the version.
    *((f"bit {bit}", lambda frame, bit=bit: f.gre(frame, KEY, flags=0x8000 >> bit), "greHeader") for bit in (1, 4, 5)),
    *((f"version {number}", lambda frame, number=number: f.gre(frame, KEY, flags=number), "greHeader")
      for number in range(1, 8)),
    # Bits 6 to 12 are to be ignored.
    *((f"bit {bit}", lambda frame, bit=bit: f.gre(frame, KEY, flags=0x8000 >> bit), None) for bit in range(6, 13)),
]


def _flip(packet, at):
    return packet[:at] + bytes([packet[at] ^ 1]) + packet[at + 1:]


@pytest.mark.parametrize("name, make, reason", GRE_CASES, ids=[case[0].replace(" ", "-") for case in GRE_CASES])
@pytest.mark.parametrize("source, destination", [(FAR, NEAR), (FAR6, NEAR6)], ids=["ipv4", "ipv6"])
def test_gre(wire, name, make, reason, source, destination):
    mark = token()
    frame = inner(mark)
    with wire.switch.happened() as events:
        got, drops = wire.outcome(wire.packet(make(frame), source, destination), mark=mark)
    assert got == ([] if reason else [frame]) and drops == ({reason: 1} if reason else {}), name
    assert events["greSequenceIgnored"] == (1 if name in ("sequence number", "all fields") else 0)


def test_gre_truncation_at_every_byte(wire):
    frame = inner(b"0123456789")
    whole = f.gre(frame, KEY, sequence=1)
    for length in range(len(whole)):
        wire.clear()
        with wire.switch.dropped() as count:
            wire.under.send(wire.packet(whole[:length]))
            wire.sentinel()
        got = [frame for frame in wire.tenant["gre"].drain() if b"~" not in frame]
        if length < 12:
            assert (got, count.counts) == ([], {"tunnelHeaderTruncated": 1}), length
        elif length < 12 + 14:
            assert (got, count.counts) == ([], {"tooShort": 1}), length
        else:
            assert (got, count.counts) == ([frame[:length - 12]], {}), length


# -- ECN (RFC 6040 §4.2, figure 4)

NOT, ECT1, ECT0, CE = range(4)
DROP = None
FIGURE_4 = {  # inner: outcome by outer, in the order Not-ECT, ECT(1), ECT(0), CE
    NOT: [NOT, NOT, NOT, DROP],
    ECT1: [ECT1, ECT1, ECT1, CE],
    ECT0: [ECT0, ECT1, ECT0, CE],
    CE: [CE, CE, CE, CE],
}
ALARMS = {(NOT, ECT1), (NOT, ECT0), (NOT, CE), (CE, ECT1)}
NOTICES = {(ECT1, ECT0)}


@pytest.mark.parametrize("inside", ["ipv4", "ipv6"])
@pytest.mark.parametrize("outside", ["vxlan4", "vxlan6", "gre4", "gre6"])
def test_ecn_on_the_way_out_of_the_tunnel(wire, outside, inside):
    source, destination = (FAR, NEAR) if outside.endswith("4") else (FAR6, NEAR6)
    pair = ("10.0.0.1", "10.0.0.2") if inside == "ipv4" else ("fd00:a::1", "fd00:a::2")
    dscp = 0x2E << 2
    for inner_ecn, outer_ecn in itertools.product(range(4), range(4)):
        mark = token()
        frame = f.udp(GUEST, HOME, mark, ip=pair, **{"tos" if inside == "ipv4" else "tc": dscp | inner_ecn})
        outer = {"tos" if outside.endswith("4") else "tc": 0x48 | outer_ecn}
        if outside.startswith("vxlan"):
            packet = wire.datagram(f.vxlan(frame, VNI), source, destination, checksum=None, **outer)
        else:
            packet = wire.packet(f.gre(frame, KEY), source, destination, **outer)
        with wire.switch.happened() as events:
            got, drops = wire.outcome(packet, mark=mark)
        cell = f"inner {inner_ecn}, outer {outer_ecn}"
        expected = FIGURE_4[inner_ecn][outer_ecn]
        assert events["ecnAlarm"] == ((inner_ecn, outer_ecn) in ALARMS), cell
        assert events["ecnNotice"] == ((inner_ecn, outer_ecn) in NOTICES), cell
        if expected is DROP:
            assert got == [] and drops == {"ecnInvalid": 1}, cell
            continue
        assert drops == {}, cell
        # Built anew with the expected bits: the rest, and the header checksum, must be as they should.
        wanted = f.udp(GUEST, HOME, mark, ip=pair, **{"tos" if inside == "ipv4" else "tc": dscp | expected})
        assert got == [wanted], cell


@pytest.mark.parametrize("name", ["vxlan", "gre"])
def test_headers_on_the_way_into_the_tunnel(wire, name):
    """DESIGN §6: TTL 64, DF, DSCP 0, ECN copied (RFC 6040 §4.1, normal mode), source port of the flow, clean headers."""
    ports = {}
    for ecn, flow in itertools.product(range(4), range(6)):
        mark = token()
        wire.tenant[name].send(f.udp(HOME, f.BROADCAST, mark, ports=(1000 + flow, 53), tos=0xB8 | ecn))
        packet = f.Ether(wire.under.wait_for(mark))
        ip = packet[f.IP] if f.IP in packet else packet[f.IPv6]
        if ip.version == 4:
            assert (ip.ttl, ip.tos, str(ip.flags), ip.src, ip.dst) == (64, ecn, "DF", NEAR, FAR)
        else:
            assert (ip.hlim, ip.tc, ip.src, ip.dst) == (64, ecn, NEAR6, FAR6)
        if name == "vxlan":
            udp = packet[f.UDP]
            assert udp.dport == 4789 and 49152 <= udp.sport <= 65535
            assert bytes(udp.payload)[:8] == struct.pack("!II", 8 << 24, VNI << 8)
            assert (udp.chksum == 0) == (ip.version == 4)
            assert ports.setdefault(flow, udp.sport) == udp.sport, "a flow has changed its source port"
        else:
            assert bytes(ip.payload)[:8] == struct.pack("!HHI", 0x2000, 0x6558, KEY)
    assert name == "gre" or len(set(ports.values())) > 1, "all flows have one source port"
    mark = token()
    wire.tenant[name].send(f.pad(f.arp(HOME, "10.0.0.2"), 42) + mark)
    packet = f.Ether(wire.under.wait_for(mark))
    assert (packet[f.IP].tos if f.IP in packet else packet[f.IPv6].tc) == 0


# -- What a tenant sends


def test_frames_of_every_length(wire):
    """From the shortest that the kernel lets out to the MTU: intact through the tunnel."""
    longest = link("t-vxlan", "eth0")["mtu"] + 14
    for length in [*range(14, 80), *range(longest - 20, longest + 1)]:
        frame = f.data(HOME, f.BROADCAST, b"", length=0)
        frame = frame[:14] + os.urandom(length - 14)
        wire.under.clear()
        with wire.switch.dropped() as count:
            wire.tenant["vxlan"].send(frame)
            mark = token()
            wire.tenant["vxlan"].send(f.data(HOME, f.BROADCAST, mark))
            wire.under.wait_for(mark)
        found = [each for each in wire.under.drain() if each.endswith(f.vxlan(frame, VNI))]
        # Both VTEPs of the far end get a copy.
        assert len(found) == 2 and count.counts == {}, f"{length}: {len(found)} copies, {count}"


OFFLOADS = [
    # flags, type, header length, size, checksum start, checksum offset
    (1, 0, 0, 0, 0, 0), (1, 0, 0, 0, 14, 65535), (1, 0, 0, 0, 65535, 16), (1, 0, 0, 0, 34, 6), (1, 0, 0, 0, 13, 0),
    (1, 1, 54, 1, 34, 16), (1, 1, 54, 65535, 34, 16), (1, 1, 54, 0, 34, 16), (1, 1, 0, 1000, 34, 16),
    (1, 1, 65535, 1000, 34, 16), (1, 4, 74, 1000, 54, 16), (1, 5, 42, 1000, 34, 6), (1, 5, 42, 1, 34, 6),
    (0, 1, 54, 1000, 34, 16), (1, 3, 42, 1000, 34, 6), (1, 255, 54, 1000, 34, 16), (255, 0, 0, 0, 34, 16),
    (1, 0x81, 54, 1000, 34, 16), (1, 0x21, 54, 1000, 34, 16), (2, 0, 0, 0, 0, 0), (4, 1, 54, 1000, 34, 16),
]


def test_hostile_offload_metadata(wire):
    """What the kernel lets a tenant claim about checksums and segments: forwarded right or refused, never a crash."""
    contents = [
        f.udp(HOME, GUEST, bytes(60)), f.data(HOME, GUEST, bytes(60)), f.tagged(f.udp(HOME, GUEST, bytes(60)), 0),
        bytes(f.Ether(src=HOME, dst=GUEST) / f.IP(src="10.0.0.1", dst="10.0.0.2") / f.TCP() / f.Raw(bytes(9000))),
        bytes(f.Ether(src=HOME, dst=GUEST) / f.IP(src="10.0.0.1", dst="10.0.0.2") / f.UDP() / f.Raw(bytes(60000))),
        bytes(f.Ether(src=HOME, dst=GUEST) / f.IPv6(src="fd00::1", dst="fd00::2") / f.TCP() / f.Raw(bytes(60000))),
        bytes(f.Ether(src=HOME, dst=GUEST, type=0x0800) / f.Raw(b"\x4f" + bytes(200))),
        bytes(f.Ether(src=HOME, dst=GUEST, type=0x86DD) / f.Raw(b"\x60" + bytes(200))),
    ]
    accepted = 0
    for name in ("vxlan", "gre"):
        for frame, offload in itertools.product(contents, OFFLOADS):
            try:
                wire.tenant[name].send_offloaded(frame, *offload)
                accepted += 1
            except OSError:
                pass  # the kernel has refused it
    assert accepted > 20
    wire.sentinel()


def test_a_super_frame_leaves_in_segments(wire):
    """60 KB of TCP handed over whole leave as packets that fit the underlay, each with right checksums."""
    content = random.Random(6).randbytes(60_000)
    frame = bytes(
        f.Ether(src=HOME, dst=f.BROADCAST) / f.IP(src="10.0.0.1", dst="10.0.0.2", flags="DF")
        / f.TCP(sport=1, dport=2, seq=1000, flags="PA", window=100) / f.Raw(content))
    # The checksum that is left to do begins as the sum of the pseudo-header.
    pseudo = f.checksum(struct.pack("!4s4sHH", bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]), 6, 20 + len(content))) ^ 0xFFFF
    frame = frame[:50] + struct.pack("!H", pseudo) + frame[52:]
    for name in ("vxlan", "gre"):
        wire.under.clear()
        wire.tenant[name].send_offloaded(
            frame, flags=1, gso_type=1, header_length=54, gso_size=1360, checksum_start=34, checksum_offset=16)
        mark = token()
        wire.tenant[name].send(f.data(HOME, f.BROADCAST, mark))
        wire.under.wait_for(mark)
        received = bytearray(len(content))
        count = 0
        for outer in wire.under.drain():
            packet = f.Ether(outer)
            if f.IP not in packet or packet[f.IP].dst != FAR:
                continue
            packets = _segments(packet, name)
            for segment in packets:
                if f.TCP not in segment:
                    continue
                assert len(segment[f.IP]) <= 1450
                for layer in (f.IP, f.TCP):
                    given = segment[layer].chksum
                    again = segment.copy()
                    del again[layer].chksum
                    assert f.Ether(bytes(again))[layer].chksum == given, f"{layer.__name__} checksum"
                at = segment[f.TCP].seq - 1000
                payload = bytes(segment[f.TCP].payload)
                received[at:at + len(payload)] = payload
                count += 1
        assert bytes(received) == content and count >= 44, f"{name}: {count} segments"


def _segments(packet, name):
    """The tenant's frames in an outer packet; a veth may hand over many UDP datagrams of one send as one."""
    if name == "gre":
        return [f.Ether(bytes(packet[f.IP].payload)[8:])]
    payload = bytes(packet[f.UDP].payload)
    header = struct.pack("!II", 8 << 24, VNI << 8)
    pieces = [piece for piece in payload.split(header) if piece]
    return [f.Ether(piece) for piece in pieces]


# -- Anything


@pytest.mark.parametrize("seed", [int(os.environ.get("SLUICE_SEED", random.getrandbits(32)))])
def test_noise(wire, seed):
    """Mutations of good packets from all sides."""
    dice = random.Random(seed)
    print(f"seed {seed} (SLUICE_SEED={seed} repeats it)")
    frames = [
        inner(b"x" * 100), f.tagged(inner(b"x"), 0), f.arp(GUEST, "10.0.0.2"),
        bytes(f.Ether(src=GUEST, dst=HOME) / f.IPv6() / f.TCP() / f.Raw(b"x" * 50))]

    def mutate(data):
        data = bytearray(data)
        for _ in range(dice.choice((1, 1, 2, 5))):
            data[dice.randrange(len(data))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
        return bytes(data[:dice.randrange(len(data))] if dice.random() < 0.2 else data)

    before = wire.switch.memory("datapath"), len(os.listdir(f"/proc/{wire.switch.pid('datapath')}/fd"))
    for i in range(4000):
        frame = dice.choice(frames)
        version = dice.choice(((FAR, NEAR), (FAR6, NEAR6)))
        if i % 2:
            wire.under.send(wire.datagram(mutate(f.vxlan(frame, VNI)), *version, checksum=None))
        else:
            wire.under.send(wire.packet(mutate(f.gre(frame, KEY, with_checksum=dice.random() < 0.2)), *version))
        sent = mutate(frame)
        if len(sent) >= 14:
            wire.tenant[dice.choice(("vxlan", "gre"))].send(sent)
        if i % 500 == 0:
            wire.sentinel()
    wire.sentinel()
    after = wire.switch.memory("datapath"), len(os.listdir(f"/proc/{wire.switch.pid('datapath')}/fd"))
    assert after[1] == before[1] and after[0] < before[0] + (8 << 20), f"{before} before, {after} after"
