"""The programs that offer traffic and measure it: iperf3, and two of our own, compiled here."""

import json
import os
import subprocess

from support.shell import end, run, start, wait_until

from .settings import HERE, SCRATCH

GENERATOR = os.path.join(SCRATCH, "generator")
PINGPONG = os.path.join(SCRATCH, "pingpong")


def compile_all():
    os.makedirs(SCRATCH, exist_ok=True)
    for program in (GENERATOR, PINGPONG):
        source = os.path.join(HERE, os.path.basename(program) + ".c")
        if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
            run("cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, source)


class Server:
    """`iperf3 -s` at one end, for as long as a group lives."""

    def __init__(self, machine):
        self.machine, self.process = machine, None

    def __enter__(self):
        self.process = start("iperf3", "-s", namespace=self.machine.namespace, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        # Port 5201, as /proc/net/tcp6 writes it.
        wait_until(lambda: ":1451 " in run("cat", "/proc/net/tcp", "/proc/net/tcp6",
                                           namespace=self.machine.namespace, check=False).output, "iperf3 to listen")
        return self

    def __exit__(self, *_):
        end(self.process)


def iperf3(client, server, seconds, streams, reverse):
    """What `iperf3 -J` says. The first second does not count."""
    words = ["iperf3", "-J", "-c", server.address, "-t", f"{max(1, round(seconds))}", "-P", streams]
    if seconds >= 1:
        words += ["-O", "1"]
    if reverse:
        words += ["-R"]
    done = run(*words, namespace=client.namespace, check=False, timeout=seconds + 30)
    assert done.status == 0, done
    return json.loads(done.output)


def offer(sender, receiver, sizes, rate, seconds, core=-1, sources=1):
    """Offers frames and answers what the generator says of it."""
    done = run(GENERATOR, "send", sender.device, receiver.mac, sender.mac, sizes, f"{rate:.0f}", seconds, core, sources,
               namespace=sender.namespace, timeout=seconds + 30)
    return json.loads(done.output)


class Flow:
    """`with Flow(sender, receiver, rate) as flow:` frames all the while; afterwards `flow.lost`, `flow.twice`,
    `flow.late` and `flow.frames`."""

    def __init__(self, sender, receiver, rate, sizes="64"):
        self.sender, self.receiver, self.rate, self.sizes = sender, receiver, rate, sizes

    def __enter__(self):
        self.counter = start(GENERATOR, "count", self.receiver.device, namespace=self.receiver.namespace)
        assert self.counter.stdout.readline() == "ready\n"
        self.source = start(
            GENERATOR, "send", self.sender.device, self.receiver.mac, self.sender.mac, self.sizes, self.rate, 0,
            namespace=self.sender.namespace)
        return self

    def __exit__(self, *_):
        sent = json.loads(end(self.source))
        seen = json.loads(end(self.counter))
        self.frames, self.twice, self.late = seen["frames"], seen["twice"], seen["late"]
        # What did not arrive at all, also at the very beginning and end.
        self.lost = sent["offered"] - (seen["frames"] - seen["twice"])
        self.overflowed = seen["overflowed"]
