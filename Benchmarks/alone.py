"""What is about Sluice alone: memory, rest, and a state of 100 000 networks. No ratios, but numbers with limits."""

import os
import shutil
import statistics
import tempfile
import time

from support.lab import Lab
from support.namespaces import Namespaces, ip
from support.shell import CONFIGS
from support.switch import Switch
from support.topology import network, port, topology

from . import processor, scale, settings, tools
from .cloud import Cloud
from .contender import End

MEGABYTE = 1e6


def resident():
    """Proportional resident memory of both processes of a host of the two-tenant lab, in MB, and what they do while
    nothing happens: their processor time in percent of a core."""
    seconds = 1 if settings.QUICK else 10
    with Lab(os.path.join(CONFIGS, "two-tenants.yaml")) as lab:
        host = lab.host("h1")
        pids = {which: host.pid(which) for which in ("control", "datapath")}
        # Neighbours, multicast listeners: new machines talk for a while.
        time.sleep(0.5 if settings.QUICK else 5)
        before = {which: processor.process_seconds(pid) for which, pid in pids.items()}
        time.sleep(seconds)
        spent = {which: processor.process_seconds(pid) - before[which] for which, pid in pids.items()}
        memory = {which: processor.share_of_memory(pid) for which, pid in pids.items()}
    return {"idle": 100 * sum(spent.values()) / seconds, "idleOf": {which: 100 * t / seconds for which, t in spent.items()},
            "resident": sum(memory.values()) / MEGABYTE,
            "residentOf": {which: size / MEGABYTE for which, size in memory.items()}}


class _Machines:
    """A host and two machines, each in a namespace."""

    def __enter__(self):
        self.spaces = Namespaces()
        self.directory = tempfile.mkdtemp(prefix="alone", dir="/run")
        self.spaces.make_silent("host", "one", "two")
        self.a, self.b = End("one", "10.1.0.1"), End("two", "10.1.0.2")
        self.switch = None
        return self

    def start(self, file):
        self.switch = Switch("host", file, self.directory)
        return self.switch

    def __exit__(self, *_):
        if self.switch:
            self.switch.stop()
        self.spaces.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def learned():
    """What a million learned addresses take: growth of both processes' memory."""
    count = 20_000 if settings.QUICK else 1_000_000
    with _Machines() as world:
        switch = world.start(topology({"h1": {}}, {"red": {
            "networks": {"net": network("local", subnets=["10.1.0.0/24"])},
            "ports": {name: port("h1", {"tap": "eth0", "netns": end.namespace}, address=f"{end.address}/24")
                      for name, end in (("a", world.a), ("b", world.b))}}}))
        pids = [switch.pid(which) for which in ("control", "datapath")]
        # What a first frame and a first question take is not about addresses.
        tools.offer(world.a, world.b, "64", 1000, 0.2)
        switch.show("status")
        before = sum(map(processor.share_of_memory, pids))
        known = passes = 0
        # A frame that is lost teaches nothing, so again.
        while known < 0.98 * count and passes < 5:
            passes += 1
            tools.offer(world.a, world.b, "64", 100_000, count / 100_000, sources=count)
            known = switch.show("status")["learned"]
        after = sum(map(processor.share_of_memory, pids))
    return {"learned": known, "memory": (after - before) / MEGABYTE, "wanted": count}


def cloud():
    """100 000 networks: from the file to forwarding; then one port changes, again and again, while frames flow."""
    segments = 2_000 if settings.QUICK else 100_000
    changes, patience = (2, 10) if settings.QUICK else (100, 240)
    with _Machines() as world:
        ip("host", "address add 192.0.2.1/24 dev lo")
        file = Cloud(segments, {"a": world.a, "b": world.b})
        began = time.monotonic()
        switch = world.start(file.text)
        compiled = time.monotonic() - began
        assert switch.show("status")["networks"] == segments + 1
        times = []
        # Few enough that the TAP's queue of 500 frames outlasts a hiccup of the machine.
        waiting = world.a.counter("tx_dropped")
        with tools.Flow(world.a, world.b, rate=1_000 if settings.QUICK else 5_000) as flow:
            time.sleep(0.2)
            began = time.monotonic()
            for number in range(1, changes + 1):
                before = switch.show("status")["appliedGeneration"]
                switch.write(file.changed(segments // 2, number))
                asked = time.monotonic()
                switch.apply()
                times.append(time.monotonic() - asked)
                assert switch.show("status")["appliedGeneration"] > before, "the datapath forwards by the old state"
                if time.monotonic() - began > patience:
                    break
        # Where they were lost: in the TAP's queue, because nobody read it for too long, or in the switch.
        waiting = world.a.counter("tx_dropped") - waiting
        drops = switch.drops()
        memory = {which: processor.share_of_memory(switch.pid(which)) / MEGABYTE for which in ("control", "datapath")}
    times.sort()
    return {"segments": segments, "compile": compiled, "changes": len(times), "p50": 1e3 * statistics.median(times),
            "p99": 1e3 * times[min(len(times) - 1, int(len(times) * 0.99))], "lost": flow.lost, "twice": flow.twice,
            "late": flow.late, "frames": flow.frames, "overflowed": flow.overflowed,
            "lostInQueue": waiting, "drops": drops,
            "memoryOf": memory}


# Name → what measures it, and about how many seconds that takes.
CASES = {"state-resident": (resident, 18, "two-tenant lab at rest"),
         "state-learned": (learned, 30, "a million learned addresses"),
         "state-cloud": (cloud, 280, "a state of 100 000 networks"),
         "state-scale": (scale.measure, 90, "a frame among 100 000 networks and a million addresses")}

