"""Moves bytes by TCP and compares every one of them: `transfer.py serve ADDRESS PORT`, `transfer.py call ADDRESS PORT SIZE
up|down…`. iperf3 would not notice a segment cut at the wrong place; this does.

Runs inside a tenant's namespace (or a guest), as a program of its own.
"""

import json
import random
import socket
import sys
import time

CHUNK = 1 << 20
# A prime length: whatever is lost, doubled or swapped shows as a shift.
PATTERN = random.Random(2026).randbytes(8_388_593)
TWICE = PATTERN + PATTERN[:CHUNK]
VIEW = memoryview(TWICE)


def send(connection, size):
    sent = 0
    while sent < size:
        at = sent % len(PATTERN)
        sent += connection.send(VIEW[at:at + min(CHUNK, size - sent)])


def receive(connection, size):
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    got = 0
    while got < size:
        count = connection.recv_into(view, min(CHUNK, size - got))
        if count == 0:
            raise SystemExit(f"the connection ended after {got} of {size} bytes")
        at = got % len(PATTERN)
        # Of bytes, which compare faster than views do.
        if buffer[:count] != TWICE[at:at + count]:
            raise SystemExit(f"the content differs between byte {got} and {got + count}")
        got += count


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serve(address, port):
    with socket.socket(family(address), socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen()
        print("ready", flush=True)
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(60)
                try:
                    order = connection.recv(64, socket.MSG_WAITALL).split()
                    if not order:
                        continue
                    direction, size = order[0], int(order[1])
                    if direction == b"up":
                        receive(connection, size)
                        connection.sendall(b"1")
                    else:
                        send(connection, size)
                        connection.recv(1)
                except (OSError, SystemExit) as error:
                    print(error, flush=True)


def call(address, port, size, directions):
    speeds = {}
    for direction in directions:
        with socket.create_connection((address, port), timeout=30) as connection:
            start = time.monotonic()
            connection.sendall(f"{direction} {size}".encode().ljust(64))
            if direction == "up":
                send(connection, size)
                if connection.recv(1) != b"1":
                    raise SystemExit("the other end did not receive what was sent")
            else:
                receive(connection, size)
                connection.sendall(b"1")
            speeds[direction] = round(size * 8 / (time.monotonic() - start) / 1e9, 3)
    print(json.dumps(speeds))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        call(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
