"""Numbered datagrams: `sequence.py receive ADDRESS PORT…` and `sequence.py send SOURCE ADDRESS PORT COUNT`.

The receiver says `ready`, and after a line on standard input, for each port, how many came, how many of them after a later
one, how many twice, and how many its socket had no room for (SO_RXQ_OVFL). Runs inside a tenant's namespace.
"""

import json
import select
import socket
import struct
import sys
import time

SO_RCVBUFFORCE, SO_RXQ_OVFL = 33, 40
NUMBER = struct.Struct("!Q")


def receive(address, ports):
    doors = {}
    for port in ports:
        door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        door.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        door.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        door.bind((address, port))
        door.setblocking(False)
        doors[door] = {"port": port, "count": 0, "late": 0, "twice": 0, "overflow": 0, "last": -1, "seen": bytearray()}
    print("ready", flush=True)
    stopping = None
    while True:
        ready = select.select([*doors, *([] if stopping else [sys.stdin])], [], [], 0.1)[0]
        if sys.stdin in ready:
            stopping = time.monotonic()
            ready.remove(sys.stdin)
        if stopping and not ready and time.monotonic() > stopping + 0.3:
            break
        for door in ready:
            drain(door, doors[door])
    for result in doors.values():
        del result["seen"]
    print(json.dumps(list(doors.values())), flush=True)


def drain(door, result):
    seen = result["seen"]
    for _ in range(4096):
        try:
            data, ancillary, _, _ = door.recvmsg(64, 64)
        except BlockingIOError:
            return
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == SO_RXQ_OVFL:
                result["overflow"] = struct.unpack("=I", value)[0]
        number, = NUMBER.unpack_from(data)
        if number >= len(seen):
            seen.extend(bytes(number + 1 - len(seen) + 65536))
        result["twice"] += seen[number]
        seen[number] = 1
        result["late"] += number < result["last"]
        result["last"] = max(number, result["last"])
        result["count"] += 1


def send(source, address, port, count):
    door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    door.bind((source, 0))
    door.connect((address, port))
    for number in range(count):
        while True:
            try:
                door.send(NUMBER.pack(number))
                break
            except (BlockingIOError, ConnectionRefusedError):
                continue
            except OSError as error:  # ENOBUFS: its own device is full
                if error.errno != 105:
                    raise


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        receive(sys.argv[2], [int(port) for port in sys.argv[3:]])
    else:
        send(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
