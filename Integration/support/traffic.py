"""Ping and TCP between namespaces, and what the kernels thought of them."""

import json
import os
import re
import time

from .shell import REPOSITORY, Finished, end, run, start, wait_until
from .namespaces import entered

PYTHON = "/usr/bin/python3"
TRANSFER = os.path.join(REPOSITORY, "Integration", "support", "transfer.py")
DATAGRAMS = os.path.join(REPOSITORY, "Integration", "support", "datagrams.py")


def ping(namespace, target, count=2, size=None, whole=False, check=True, patience=5):
    """Pings and answers the number of replies. `whole` forbids fragments. All must come, unless `check` is off."""
    words = ["ping", "-n", "-q", "-c", count, "-i", "0.05", "-W", patience]
    if size is not None:
        words += ["-s", size]
    if whole:
        words += ["-M", "do"]
    done = run(*words, target, namespace=namespace, check=False, timeout=60)
    match = re.search(r"(\d+) received", done.output)
    received = int(match.group(1)) if match else 0
    if check:
        assert received == count, f"from {namespace} to {target}: {done}"
    return received


def no_ping(namespace, target):
    """Asserts that nobody answers."""
    assert ping(namespace, target, count=2, check=False, patience=1) == 0, f"{namespace} reaches {target}"


class Flood:
    """A ping every 2 ms, to see gaps by."""

    def __init__(self, namespace, target, interval=0.002):
        self.interval = interval
        self.process = start("ping", "-n", "-D", "-i", interval, "-W", 1, target, namespace=namespace)
        time.sleep(0.1)  # it has begun

    def stop(self):
        """Ends it and answers what became of it."""
        self.process.send_signal(2)
        output = self.process.communicate(timeout=10)[0]
        replies = [(float(moment), int(number), float(took) / 1000) for moment, number, took in re.findall(
            r"^\[([\d.]+)\] \d+ bytes from.* icmp_seq=(\d+).* time=([\d.]+) ms", output, re.MULTILINE)]
        assert len(replies) > 1, f"ping said:\n{output[-2000:]}"
        numbers = {number for _, number, _ in replies}
        # What was on its way when the ping was ended is not lost.
        sent = max(numbers)
        gaps = [self.gap(before, after) for before, after in zip(replies, replies[1:])]
        return FloodResult(sent, len(numbers), max(gaps), len(replies) - len(numbers))

    def gap(self, before, after):
        """For how long nothing came, though it was asked for. At such intervals ping spins and yields, and now and then
        it is given no processor for 100 ms: the next number is then answered at once, and nothing was missing."""
        between = after[0] - before[0]
        return between if after[1] != before[1] + 1 else min(between, self.interval + after[2])


class FloodResult:
    def __init__(self, sent, received, longest_gap, duplicates):
        self.sent, self.received, self.longest_gap, self.duplicates = sent, received, longest_gap, duplicates

    @property
    def lost(self):
        return self.sent - self.received

    def __repr__(self):
        return f"{self.sent} sent, {self.lost} lost, {self.duplicates} twice, longest gap {self.longest_gap * 1000:.1f} ms"


class Listener:
    """The receiving end of TCP transfers. Compares every byte with what the sender must have sent."""

    def __init__(self, namespace, address, port=5900):
        self.address, self.port = address, port
        self.process = start(PYTHON, TRANSFER, "serve", address, port, namespace=namespace)
        assert self.process.stdout.readline() == "ready\n", self.process.stdout.read()

    def close(self):
        end(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def transfer(client, server, address, size, direction="both", port=5900, timeout=120):
    """Moves `size` bytes by TCP from the client's namespace to the server's (`up`), back (`down`), or one after the
    other (`both`), and verifies the content. Answers Gbit/s by direction."""
    with Listener(server, address, port):
        return transfer_to_listener(client, address, size, direction, port, timeout)


def transfer_to_listener(client, address, size, direction="both", port=5900, timeout=120):
    directions = ["up", "down"] if direction == "both" else [direction]
    done = run(PYTHON, TRANSFER, "call", address, port, size, *directions, namespace=client, timeout=timeout)
    return json.loads(done.output)


class Checksums:
    """`with Checksums(namespace, …):` no counter of bad checksums moves in there."""

    def __init__(self, *namespaces):
        self.namespaces = namespaces

    @staticmethod
    def read(namespace):
        counters = json.loads(run("nstat", "-a", "-s", "-z", "--json", namespace=namespace).output)["kernel"]
        return {name: int(value) for name, value in counters.items() if "CsumErrors" in name}

    def __enter__(self):
        self.before = {namespace: self.read(namespace) for namespace in self.namespaces}
        assert all("TcpInCsumErrors" in counters for counters in self.before.values())
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            after = {namespace: self.read(namespace) for namespace in self.namespaces}
            assert after == self.before, f"bad checksums: {self.before} before, {after} after"


def datagrams(sender, receiver):
    """Sends 600 datagrams in 20 super-frames from one (namespace, address) to another."""
    with Checksums(sender[0], receiver[0]):
        there = start(PYTHON, DATAGRAMS, "receive", receiver[1], 7100, 600, 1200, namespace=receiver[0])
        assert there.stdout.readline() == "ready\n"
        run(PYTHON, DATAGRAMS, "send", sender[1], receiver[1], 7100, 600, 1200, namespace=sender[0])
        result = json.loads(there.communicate(timeout=30)[0])
    assert result == {"right": 600, "wrong": 0, "late": 0}, (sender, receiver, result)


__all__ = [
    "Checksums", "Finished", "Flood", "Listener", "datagrams", "entered", "no_ping", "ping", "transfer", "transfer_to_listener",
    "wait_until",
]
