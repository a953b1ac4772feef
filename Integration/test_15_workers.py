"""Several workers: every flow keeps its order, what one worker learns all of them know, and nothing else changes.

`SLUICE_WORKERS=2 make test` runs all tests with two workers on every host; here is what is about workers alone, and a part of
the other files with several.
"""

import json
import os
import subprocess
import time

import pytest

import test_05_isolation
import test_07_crashes
from support import frames as f
from support.interface import Interface, token
from support.namespaces import address, ip
from support.shell import REPOSITORY, SLUICE, run, start, wait_until
from support.topology import network, port, topology
from support.traffic import PYTHON, Flood, ping

# The tests of two other files, with the fixtures below.
from test_05_isolation import (  # noqa: F401
    test_each_refusal_has_its_counter, test_nothing_crosses, test_the_host_never_answers_a_tenant)
from test_07_crashes import (  # noqa: F401
    test_both_are_killed, test_control_hangs, test_control_is_killed_before_it_finished_a_change, test_datapath_dies,
    test_tcp_survives_the_datapath, test_what_was_learned_and_counted_survives_the_datapath)

SEQUENCE = os.path.join(REPOSITORY, "Integration", "support", "sequence.py")
COUNT = 60_000
# Port → (namespace, address, device). Two of each kind; their slots are read by different workers.
PORTS = {name: (f"w-{name}", f"10.0.0.{number}") for number, name in enumerate("abcdef", 1)}
FAR = "10.0.0.99"


@pytest.fixture(scope="module", params=[("vxlan", 2), ("gre", 3)], ids=lambda param: f"{param[0]}-{param[1]}")
def stage(request, tmp_path_factory, nothing_left):
    made = test_05_isolation.Stage(request.param[0], tmp_path_factory.mktemp("workers"), workers=request.param[1])
    assert made.switches["h1"].show("status")["process"]["workers"] == request.param[1]
    yield made
    made.close()


@pytest.fixture
def switch(bench):
    """What the tests of crashes have, with two workers."""
    bench.hosts("host", "far")
    address("host", "under", "192.0.2.1/24")
    address("far", "under", "192.0.2.2/24")
    ip("far", "link add vx0 type vxlan id 5001 local 192.0.2.2 remote 192.0.2.1 dstport 4789",
       f"address add {test_07_crashes.THERE}/24 dev vx0", "link set vx0 up")
    bench.namespaces.make("t-tap", "t-veth")
    made = bench.switch("host", test_07_crashes.cloud(), workers=2)
    ping("t-tap", test_07_crashes.THERE)
    ping("t-veth", test_07_crashes.THERE)
    return made


def cloud(workers, **keys):
    ports = {}
    for number, (name, (space, where)) in enumerate(PORTS.items()):
        attach = {"netns": space} if number % 3 else {"veth": "eth0", "netns": space}
        ports[name] = port("h1", attach, address=f"{where}/24", mac=f"02:00:00:00:00:0{number + 1}")
    red = {"networks": {"net": network("vxlan", 5001, remotes=["192.0.2.2"], subnets=["10.0.0.0/24"], **keys)}, "ports": ports}
    return topology({"h1": {"vtep": "192.0.2.1", **({"workers": workers} if workers else {})}}, {"red": red})


@pytest.fixture
def six(bench):
    """A function that makes a switch with six ports and so many workers; the kernel's vxlan on the far side."""
    def make(workers, **keys):
        bench.hosts("host", "far")
        address("host", "under", "192.0.2.1/24")
        address("far", "under", "192.0.2.2/24")
        ip("far", "link add vx0 type vxlan id 5001 local 192.0.2.2 remote 192.0.2.1 dstport 4789",
           f"address add {FAR}/24 dev vx0", "link set vx0 up")
        bench.namespaces.make_silent(*(space for space, _ in PORTS.values()))
        made = bench.switch("host", cloud(workers, **keys))
        for space, _ in PORTS.values():
            ping(space, FAR)
        return made
    return make


class Receiver:
    def __init__(self, space, where, *ports):
        self.process = start(PYTHON, SEQUENCE, "receive", where, *ports, namespace=space, stdin=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        assert self.process.stdout.readline() == "ready\n", self.process.stderr.read()

    def results(self):
        output, errors = self.process.communicate("\n", timeout=60)
        assert self.process.returncode == 0, errors
        return {result["port"]: result for result in json.loads(output)}


def device_drops(space):
    """Frames that a tenant's own device had no room for on their way to the switch, or took from it in vain."""
    link, = json.loads(run("ip", "-netns", space, "-json", "-statistics", "link", "show", "eth0").output)
    stats = link["stats64"]
    return stats["tx"]["dropped"] + stats["rx"]["dropped"]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_flows_keep_their_order(six, workers):
    """As fast as the senders can, criss-cross and to two places from each port: nothing overtakes, nothing comes twice,
    and what is missing has been counted."""
    switch = six(workers)
    names = list(PORTS)
    flows = []
    for number, name in enumerate(names):
        flows.append((name, names[(number + 1) % len(names)], 6000 + number))
        flows.append((name, names[(number + 2) % len(names)], 7000 + number))
    flows.append(("a", "far", 8000))
    flows.append(("far", "b", 8001))
    places = {**PORTS, "far": ("far", FAR)}
    receivers = {
        name: Receiver(space, where, *(flow[2] for flow in flows if flow[1] == name))
        for name, (space, where) in places.items()}
    # Else a sender's kernel lets its first datagrams wait for an address, and later ones overtake them there.
    for a, b, _ in flows:
        ping(places[a][0], places[b][1], count=1)
    before = {name: device_drops(space) for name, (space, _) in PORTS.items()}
    with switch.dropped() as drops:
        senders = [
            start(PYTHON, SEQUENCE, "send", places[a][1], places[b][1], number, COUNT, namespace=places[a][0])
            for a, b, number in flows]
        for sender in senders:
            assert sender.wait(120) == 0, sender.stdout.read()
    results = {}
    for receiver in receivers.values():
        results.update(receiver.results())
    lost = {name: device_drops(space) - before[name] for name, (space, _) in PORTS.items()}
    # What sockets had no room for is counted once a second.
    time.sleep(2)
    shown = switch.ports()
    unread = sum(port["received"]["failures"] for port in shown.values())
    print(workers, results, lost, unread, drops)
    for a, b, number in flows:
        result = results[number]
        assert result["late"] == 0 and result["twice"] == 0, f"{a} to {b}: {result}"
        # How many get through such a flood is the machine's; these are enough for one to overtake another.
        assert result["count"] > 500, f"{a} to {b}: {result}"
    assert set(drops.counts) <= {"queueFull"}, drops
    inner = [flow for flow in flows if "far" not in flow]
    missing = sum(COUNT - results[number]["count"] - results[number]["overflow"] for _, _, number in inner)
    counted = sum(lost.values()) + unread + drops.total()
    assert missing <= counted, f"{missing} are missing, {counted} of them are accounted for"
    if workers > 1:
        assert switch.show("status")["process"]["workers"] == workers
    assert sum(port["received"]["frames"] for port in shown.values()) >= len(inner) * COUNT - sum(lost.values()) - unread


@pytest.mark.parametrize("workers", [2, 4])
def test_all_workers_know_what_one_learned(six, workers):
    """Behind each port a station that no file tells of: heard once, it is flooded to by nobody."""
    switch = six(workers, unknownUnicast="drop")
    names = list(PORTS)
    doors = {name: Interface(space, "eth0") for name, (space, _) in PORTS.items()}
    try:
        macs = {name: f"02:00:00:00:01:0{number}" for number, name in enumerate(names)}
        for name, door in doors.items():
            door.send(f.data(macs[name], f.BROADCAST, token()))
        wait_until(lambda: {entry["mac"] for entry in switch.show("fdb")["entries"]} >= set(macs.values()), "all to be learned")
        for a in names:
            for b in names:
                if a != b:
                    mark = token()
                    doors[a].send(f.data(macs[a], macs[b], mark))
                    doors[b].wait_for(mark)
                    assert not any(doors[c].with_token(mark) for c in names if c not in (a, b))
        # One of them moves to the next port, and everybody knows.
        mark = token()
        doors["b"].send(f.data(macs["a"], f.BROADCAST, mark))
        doors["a"].wait_for(mark)
        for c in names[2:]:
            mark = token()
            doors[c].send(f.data(macs[c], macs["a"], mark))
            doors["b"].wait_for(mark)
        entries = [entry for entry in switch.show("fdb")["entries"] if entry["mac"] == macs["a"]]
        assert [(entry["port"], entry["source"]) for entry in entries] == [("red/b", "learned")]
        assert switch.events()["reportsLost"] == 0
    finally:
        for door in doors.values():
            door.close()


def test_a_capture_has_the_frames_of_all_workers(six, tmp_path):
    switch = six(4)
    file = tmp_path / "all.pcapng"
    capture = start(SLUICE, "capture", "--run-dir", switch.directory, "-w", file)
    wait_until(lambda: file.exists() and file.stat().st_size > 0, "the capture to begin")
    for space, _ in PORTS.values():
        ping(space, FAR, count=5)
    wait_until(lambda: len(captured(file)) >= 2 * 2 * 5 * len(PORTS), "every frame in the capture")
    capture.send_signal(2)
    capture.wait(10)
    found = captured(file)
    for _, where in PORTS.values():
        assert sum(source == where for _, source in found) == 10, where
    times = [moment for moment, _ in found]
    assert sum(b < a for a, b in zip(times, times[1:])) <= len(times) / 20, "the frames should stand in the order of time"


def captured(file):
    """(time, source) of each echo request and reply, as they came in or went out."""
    done = run("tshark", "-r", file, "-Y", "icmp", "-T", "fields", "-e", "frame.time_epoch", "-e", "ip.src", "-E",
               "occurrence=l", check=False)
    return [(float(line.split()[0]), line.split()[1]) for line in done.output.splitlines()]


def test_the_number_changes_in_a_running_switch(six):
    """It takes a restart of the datapath, which is told before; what was learned and counted stays."""
    switch = six(1)
    doors = [Interface(PORTS[name][0], "eth0") for name in ("a", "b")]
    stray = "02:00:00:00:01:77"
    doors[0].send(f.data(stray, f.BROADCAST, token()))
    wait_until(lambda: stray in {entry["mac"] for entry in switch.show("fdb")["entries"]}, "it to be learned")
    try:
        for workers in (4, 2, 16, 1, 3):
            frames = switch.port("red/a")["received"]["frames"]
            switch.write(cloud(workers))
            said = run(SLUICE, "apply", switch.file, "--dry-run", "--run-dir", switch.directory)
            assert "hosts.h1.workers" in said.text and "restart of the datapath" in said.text, said
            floods = [Flood(PORTS["a"][0], FAR), Flood(PORTS["b"][0], FAR)]
            old = switch.pid("datapath")
            switch.apply()
            results = [flood.stop() for flood in floods]
            print(workers, results)
            assert switch.pid("datapath") not in (None, old)
            assert switch.show("status")["process"]["workers"] == workers
            with open(f"/proc/{switch.pid('datapath')}/status") as file:
                assert f"Threads:\t{workers + 1}\n" in file.read()
            assert max(result.longest_gap for result in results) < 0.2, results
            # Known to every worker, also to those that are new.
            entry, = [entry for entry in switch.show("fdb")["entries"] if entry["mac"] == stray]
            assert entry["port"] == "red/a"
            mark = token()
            doors[1].send(f.data("02:00:00:00:00:02", stray, mark))
            doors[0].wait_for(mark)
            assert switch.port("red/a")["received"]["frames"] >= frames
            assert switch.show("status")["process"]["datapathRestarts"] == 0
        # A successor of the control process finds them as they are.
        switch.kill("control")
        switch.process.wait()
        switch.run()
        assert switch.show("status")["process"]["workers"] == 3
        assert switch.port("red/a")["received"]["frames"] >= frames
        ping(PORTS["a"][0], FAR)
    finally:
        for door in doors:
            door.close()


@pytest.mark.parametrize("words, sentence", [
    ("workers: 0", "the number of workers"), ("workers: 17", "the number of workers"), ("workers: many", "the number of workers"),
    ("threads: 2", "workers"),
])
def test_nonsense_is_refused(tmp_path, words, sentence):
    file = tmp_path / "wrong.yaml"
    file.write_text(f"sluice: 1\nhosts:\n  h1: {{vtep: 192.0.2.1, {words}}}\n")
    done = run(SLUICE, "check", file, check=False)
    assert done.status == 1 and f"{file}:3:" in done.errors and sentence in done.errors, done


def test_check_tells(tmp_path):
    file = tmp_path / "cloud.json"
    file.write_text(json.dumps(cloud(4)))
    four, = json.loads(run(SLUICE, "check", file, "--json").output)["memory"]
    file.write_text(json.dumps(cloud(None)))
    one, = json.loads(run(SLUICE, "check", file, "--json").output)["memory"]
    assert (four["workers"], one["workers"]) == (4, 1)
    assert four["counters"] == 4 * one["counters"] and four["snapshot"] == one["snapshot"]
