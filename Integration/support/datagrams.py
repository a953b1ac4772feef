"""UDP super-frames: `datagrams.py send SOURCE ADDRESS PORT COUNT SIZE` has the kernel make COUNT datagrams of SIZE bytes out of
few calls (UDP_SEGMENT), `datagrams.py receive ADDRESS PORT COUNT SIZE` compares what arrives, and says in JSON how many
datagrams were right, wrong, and out of order.
"""

import json
import socket
import struct
import sys
import time

UDP_SEGMENT, SO_RCVBUFFORCE = 103, 33
TOGETHER = 30


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def datagram(number, size):
    return struct.pack("!Q", number) + bytes((number + i) % 251 for i in range(size - 8))


def receive(address, port, count, size):
    door = socket.socket(family(address), socket.SOCK_DGRAM)
    door.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    door.bind((address, port))
    door.settimeout(3)
    print("ready", flush=True)
    right = wrong = late = 0
    last = -1
    while right + wrong < count:
        try:
            data = door.recv(65536)
        except TimeoutError:
            break
        number, = struct.unpack_from("!Q", data.ljust(8, b"\0"))
        if data == datagram(number, size):
            right += 1
        else:
            wrong += 1
        late += number < last
        last = max(last, number)
    print(json.dumps({"right": right, "wrong": wrong, "late": late}))


def send(source, address, port, count, size):
    door = socket.socket(family(address), socket.SOCK_DGRAM)
    door.bind((source, 0))
    door.connect((address, port))
    door.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
    for first in range(0, count, TOGETHER):
        door.send(b"".join(datagram(number, size) for number in range(first, min(first + TOGETHER, count))))
        time.sleep(0.002)


if __name__ == "__main__":
    words = [int(word) if word.isdecimal() else word for word in sys.argv[2:]]
    {"send": send, "receive": receive}[sys.argv[1]](*words)
