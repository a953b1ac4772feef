"""Raw frames on one interface: sent as they are, and captured as they were on the wire."""

import os
import select
import socket
import struct
import time

from .namespaces import entered
from .shell import PATIENCE

SOL_PACKET, PACKET_AUXDATA, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 8, 15, 23
ETH_P_ALL = 0x0003
SO_RCVBUFFORCE = 33
VLAN_VALID, TPID_VALID = 1 << 4, 1 << 6
LARGEST = 70_000


class Interface:
    """An interface in a namespace, seen through packet sockets.

    Captures what arrives on it (not what is sent from it), from the moment it is made. The kernel takes VLAN tags out
    of frames that cross a veth and tells them beside the frame; they are put back here.
    """

    def __init__(self, namespace, device="eth0"):
        self.namespace, self.device = namespace, device
        self.frames = []
        with entered(namespace):
            self.receiver = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self.sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.offloader = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            self.receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        except PermissionError:  # a world without privileges
            self.receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.receiver.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.receiver.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.offloader.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        self.receiver.setblocking(False)
        with entered(namespace):
            self.receiver.bind((device, ETH_P_ALL))
            self.sender.bind((device, 0))
            self.offloader.bind((device, 0))
        self.clear()

    def close(self):
        for each in (self.receiver, self.sender, self.offloader):
            each.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __repr__(self):
        return f"{self.namespace}:{self.device}"

    # -- sending

    def send(self, *frames):
        for frame in frames:
            self.sender.send(bytes(frame))

    def send_offloaded(self, frame, flags=0, gso_type=0, header_length=0, gso_size=0, checksum_start=0,
                       checksum_offset=0):
        """Sends a frame with a virtio-net header: a checksum or segmentation that is left to do."""
        header = struct.pack(
            "<BBHHHH", flags, gso_type, header_length, gso_size, checksum_start, checksum_offset)
        self.offloader.send(header + bytes(frame))

    # -- receiving

    def drain(self):
        """Takes over all that has arrived; answers all that arrived since `clear`."""
        while True:
            try:
                data, ancillary, _, _ = self.receiver.recvmsg(LARGEST, 64)
            except BlockingIOError:
                return self.frames
            except OSError as error:
                if error.errno == 100:  # ENETDOWN, told once when the interface goes down
                    continue
                raise
            self.frames.append(_with_tag(data, ancillary))

    def clear(self):
        self.drain()
        self.frames = []

    def wait_for(self, token, patience=PATIENCE):
        """Waits for a frame that contains `token` and answers it."""
        deadline = time.monotonic() + patience
        seen = 0
        while True:
            frames = self.drain()
            for frame in frames[seen:]:
                if token in frame:
                    return frame
            seen = len(frames)
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(
                    f"{self!r}: no frame with {token!r} in {patience:g} s; there were\n" + describe(frames))
            select.select([self.receiver], [], [], left)

    def with_token(self, token):
        """The frames that have arrived and contain `token`, wherever in the frame."""
        return [frame for frame in self.drain() if token in frame]


def _with_tag(data, ancillary):
    for level, kind, value in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tag, tpid = struct.unpack("IIIHHHH", value[:20])
            if status & VLAN_VALID:
                type_ = tpid if status & TPID_VALID else 0x8100
                return data[:12] + struct.pack("!HH", type_, tag) + data[12:]
    return data


def token(length=12):
    """Bytes that no other frame contains."""
    return b"~" + os.urandom(length)


def describe(frames):
    """Frames in one line each, for the message of a failed assertion."""
    from scapy.layers.l2 import Ether

    if not frames:
        return "  (none)"
    lines = [f"  {len(frame):5} bytes  {Ether(frame).summary()}" for frame in frames[-20:]]
    return "\n".join(lines)
