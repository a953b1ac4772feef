"""Frames, built with scapy: an implementation of the formats that shares nothing with Sluice."""

import logging
import struct

logging.getLogger("scapy").setLevel(logging.ERROR)

from scapy.config import conf  # noqa: E402

conf.verb = 0

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption  # noqa: E402
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6  # noqa: E402
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether, GRE  # noqa: E402
from scapy.layers.vxlan import VXLAN  # noqa: E402
from scapy.packet import Raw  # noqa: E402
from scapy.utils import checksum  # noqa: E402

BROADCAST = "ff:ff:ff:ff:ff:ff"
ETHERNET_IN_GRE = 0x6558

__all__ = [
    "ARP", "BROADCAST", "Dot1AD", "Dot1Q", "ETHERNET_IN_GRE", "Ether", "GRE", "ICMP", "ICMPv6EchoRequest", "ICMPv6ND_NS",
    "ICMPv6NDOptSrcLLAddr", "IP", "IPOption", "IPv6", "Raw", "TCP", "UDP", "VXLAN", "arp", "checksum", "data", "gre", "pad", "tagged",
    "udp", "vxlan",
]


def data(source, destination, token, ethertype=0x88B5, length=46):
    """A frame of an EtherType for local experiments (IEEE 802, 9.2.4), with the token as its content."""
    return bytes(Ether(src=source, dst=destination, type=ethertype) / Raw(pad(token, length)))


def udp(source, destination, token, ip=("10.0.0.1", "10.0.0.2"), ports=(4000, 4001), **fields):
    layer = IPv6 if ":" in ip[0] else IP
    return bytes(
        Ether(src=source, dst=destination) / layer(src=ip[0], dst=ip[1], **fields)
        / UDP(sport=ports[0], dport=ports[1]) / Raw(token))


def arp(source, target_ip, source_ip="10.0.0.1", destination=BROADCAST):
    return bytes(Ether(src=source, dst=destination) / ARP(hwsrc=source, psrc=source_ip, pdst=target_ip))


def pad(payload, length):
    return payload + bytes(max(0, length - len(payload)))


def tagged(frame, *tags):
    """The frame with VLAN tags, outermost first: an id, or (type, id)."""
    words = b"".join(
        struct.pack("!HH", *(tag if isinstance(tag, tuple) else (0x8100, tag))) for tag in tags)
    return frame[:12] + words + frame[12:]


def vxlan(inner, vni, flags=0x08, reserved=0, reserved2=0):
    """A VXLAN header and what is in it (RFC 7348 §5)."""
    return struct.pack("!II", flags << 24 | reserved, vni << 8 | reserved2) + inner


def gre(inner, key=None, protocol=ETHERNET_IN_GRE, flags=0, sequence=None, with_checksum=False):
    """A GRE header and what is in it (RFC 2784, RFC 2890). `flags` are added to those that the fields ask for."""
    flags |= 0x2000 if key is not None else 0
    flags |= 0x1000 if sequence is not None else 0
    flags |= 0x8000 if with_checksum else 0
    rest = b"" if key is None else struct.pack("!I", key)
    rest += b"" if sequence is None else struct.pack("!I", sequence)
    head = struct.pack("!HH", flags, protocol)
    if not with_checksum:
        return head + rest + inner
    body = head + bytes(4) + rest + inner
    return head + struct.pack("!HH", checksum(body), 0) + rest + inner
