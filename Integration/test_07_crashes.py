"""Must hold 7: the control process may die, hang and come back without a frame lost; the datapath is back in 100 ms."""

import json
import os
import signal
import statistics
import subprocess
import time

import pytest

from support import frames as f
from support.interface import Interface, token
from support.namespaces import address, ip, link, mac_of
from support.shell import SLUICE, end, run, start, wait_until
from support.topology import network, port, topology
from support.traffic import PYTHON, TRANSFER, Flood, Listener, ping

HUNDRED_MILLISECONDS = 0.100
HERE, THERE = "10.0.0.1", "10.0.0.99"
# Frames: more than any socket has room for.
FLOOD = 60_000


def cloud(mtu=None):
    red = {
        "networks": {"net": network("vxlan", 5001, remotes=["192.0.2.2"], subnets=["10.0.0.0/24"])},
        "ports": {
            "tap": port("h1", "t-tap", address=f"{HERE}/24", mac="02:00:00:00:00:01"),
            "veth": port("h1", {"veth": "eth0", "netns": "t-veth"}, address="10.0.0.2/24", mac="02:00:00:00:00:02"),
        },
    }
    if mtu:
        red["networks"]["net"]["mtu"] = mtu
    return topology({"h1": {"vtep": "192.0.2.1"}}, {"red": red})


@pytest.fixture
def switch(bench):
    """A host with two ports; the kernel's vxlan on the far side."""
    bench.hosts("host", "far")
    address("host", "under", "192.0.2.1/24")
    address("far", "under", "192.0.2.2/24")
    ip("far", "link add vx0 type vxlan id 5001 local 192.0.2.2 remote 192.0.2.1 dstport 4789",
       f"address add {THERE}/24 dev vx0", "link set vx0 up")
    bench.namespaces.make("t-tap", "t-veth")
    made = bench.switch("host", cloud())
    ping("t-tap", THERE)
    ping("t-veth", THERE)
    return made


class Load:
    """A ping every 2 ms from each port and a TCP transfer, for as long as it lasts."""

    def __init__(self):
        self.floods = [Flood("t-tap", THERE), Flood("t-veth", THERE)]
        self.listener = Listener("far", THERE)
        self.client = start(
            PYTHON, "-c", "import sys, time; sys.path.insert(0, sys.argv[1]); import transfer, threading\n"
            "stop = threading.Event(); threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()\n"
            "while not stop.is_set(): transfer.call(sys.argv[2], 5900, 20 << 20, ['up', 'down'])\n",
            os.path.dirname(TRANSFER), THERE, namespace="t-tap", stdin=subprocess.PIPE)
        time.sleep(0.3)

    def stop(self):
        self.client.stdin.close()
        self.client.stdin = None
        output = self.client.communicate(timeout=60)[0]
        assert self.client.returncode == 0 and output.count("up") > 0, f"the TCP transfer failed: {output}"
        self.listener.close()
        results = [flood.stop() for flood in self.floods]
        print(*results, sep="\n")
        return results


def test_control_is_killed(switch):
    """SIGKILL, and later a new control process: no frame is lost, none comes twice, and forwarding goes on as it was."""
    datapath = switch.pid("datapath")
    monitors = [start("ip", "monitor", "neigh", namespace=space) for space in ("t-tap", "t-veth")]
    load = Load()
    for _ in range(3):
        switch.kill("control")
        switch.process.wait()
        time.sleep(0.5)
        assert switch.pid("datapath") == datapath, "the datapath died with the control process"
        switch.run()
        assert switch.pid("datapath") == datapath, "the datapath was replaced, not taken over"
        time.sleep(0.3)
    results = load.stop()
    # A kernel that forgets a neighbour loses what is on its way to it at that moment.
    for monitor in monitors:
        assert "Deleted" not in end(monitor)
    assert [result.lost for result in results] == [0, 0]
    assert [result.duplicates for result in results] == [0, 0]
    # The new one is in charge.
    assert switch.port("red/tap")["state"] == "up"
    assert any(entry["source"] == "learned" for entry in switch.show("fdb")["entries"]), "what was learned is forgotten"
    switch.apply(cloud(mtu=1400))
    assert link("t-tap", "eth0")["mtu"] == 1400
    ping("t-tap", THERE)


def test_control_is_killed_before_it_finished_a_change(switch):
    """Killed at any moment of an apply, the next one brings the switch to one of the two states, whole."""
    flood = Flood("t-veth", THERE)
    for pause in (0, 0.002, 0.005, 0.01, 0.02, 0.04):
        mtu = 1300 + int(pause * 1000)
        switch.write(cloud(mtu=mtu))
        applying = start(SLUICE, "apply", switch.file, "--run-dir", switch.directory)
        time.sleep(pause)
        switch.kill("control")
        switch.process.wait()
        end(applying)
        switch.run()
        switch.apply(cloud(mtu=mtu))
        assert link("t-tap", "eth0")["mtu"] == mtu
        ping("t-tap", THERE)
    result = flood.stop()
    print(result)
    assert result.lost == 0


def test_control_hangs(switch):
    """SIGSTOP: the datapath does not wait for anybody."""
    load = Load()
    switch.kill("control", signal.SIGSTOP)
    time.sleep(2)
    results = load.stop()
    switch.kill("control", signal.SIGCONT)
    assert [result.lost for result in results] == [0, 0]
    assert switch.port("red/tap")["state"] == "up"


@pytest.mark.parametrize("number, rounds", [(signal.SIGKILL, 5), (signal.SIGILL, 3), (signal.SIGSEGV, 1)])
def test_datapath_dies(switch, number, rounds):
    """SIGKILL, and the end that a Swift trap comes to: forwarding again within 100 ms, TAPs with address and carrier.

    No more rounds than five: who dies more often in ten seconds is started again more slowly.
    """
    before = {name: link(name, "eth0") for name in ("t-tap", "t-veth")}
    gaps = []
    for _ in range(rounds):
        floods = [Flood("t-tap", THERE), Flood("t-veth", THERE)]
        carrier = CarrierWatch("t-tap")
        time.sleep(0.3)
        old = switch.kill("datapath", number)
        wait_until(lambda: switch.pid("datapath") not in (None, old), "another datapath")
        time.sleep(0.3)
        results = [flood.stop() for flood in floods]
        assert carrier.stop() == [], "the TAP lost its carrier"
        gaps += [result.longest_gap for result in results]
    print(f"gaps in ms: {sorted(round(gap * 1000, 1) for gap in gaps)}, median {statistics.median(gaps) * 1000:.1f}")
    after = {name: link(name, "eth0") for name in before}
    for name in before:
        keys = ("ifindex", "address", "mtu", "operstate")
        assert {key: before[name][key] for key in keys} == {key: after[name][key] for key in keys}
        assert [a["local"] for a in before[name]["addr_info"]] == [a["local"] for a in after[name]["addr_info"]]
    assert max(gaps) < HUNDRED_MILLISECONDS, gaps
    assert switch.show("status")["process"]["datapathRestarts"] >= rounds


class CarrierWatch:
    """Notes every change of a namespace's links."""

    def __init__(self, namespace):
        self.process = start("ip", "monitor", "link", namespace=namespace)
        time.sleep(0.1)

    def stop(self):
        return [line for line in end(self.process).splitlines() if "NO-CARRIER" in line or "DOWN" in line]


def test_tcp_survives_the_datapath(switch):
    """A connection that is being used when the datapath dies goes on and loses no byte."""
    with Listener("far", THERE):
        client = start(PYTHON, TRANSFER, "call", THERE, 5900, 600 << 20, "up", "down", namespace="t-tap")
        for _ in range(3):
            time.sleep(0.4)
            if client.poll() is None:
                old = switch.kill("datapath")
                wait_until(lambda: switch.pid("datapath") not in (None, old), "another datapath")
        assert client.wait(60) == 0, client.communicate()[0]
        print(client.communicate()[0])


def test_what_was_learned_and_counted_survives_the_datapath(switch):
    learned = [entry for entry in switch.show("fdb")["entries"] if entry["source"] == "learned"]
    frames = switch.port("red/tap")["received"]["frames"]
    assert learned and frames
    old = switch.kill("datapath")
    wait_until(lambda: switch.pid("datapath") not in (None, old), "another datapath")
    assert {entry["mac"] for entry in learned} <= {entry["mac"] for entry in switch.show("fdb")["entries"]}
    assert switch.port("red/tap")["received"]["frames"] >= frames
    ping("t-tap", THERE)


def test_what_a_sleeping_datapath_has_no_room_for_is_counted(bench):
    """SIGSTOP under a flood on each kind of socket: afterwards every frame is either received or counted as lost."""
    bench.hosts("host", "far")
    address("host", "under", "192.0.2.1/24")
    address("far", "under", "192.0.2.2/24")
    bench.namespaces.make_silent("t-veth", "t-tap")
    switch = bench.switch("host", topology({"h1": {"vtep": "192.0.2.1"}}, {"red": {
        "networks": {
            "net": network("vxlan", 5001, remotes=["192.0.2.2"], unknownUnicast="drop"),
            "other": network("gre", 77, remotes=["192.0.2.2"], unknownUnicast="drop")},
        "ports": {
            "veth": port("h1", {"veth": "eth0", "netns": "t-veth"}),
            "other": port("h1", "t-tap", network="other")}}}))
    inner = f.data("02:00:00:00:00:11", "02:00:00:00:00:77", token())

    def packet(protocol):
        return f.Ether(dst=mac_of("host", "under")) / f.IP(src="192.0.2.2", dst="192.0.2.1", proto=protocol)

    frames = {
        "red/veth": inner,
        "vxlan": bytes(packet(17) / f.UDP(sport=50000, dport=4789, chksum=0) / f.Raw(f.vxlan(inner, 5001))),
        "gre": bytes(packet(47) / f.Raw(f.gre(inner, 77)))}

    def received(name):
        port, = (port for full, port in {**switch.ports(), **switch.uplinks()}.items() if name in full)
        return port["received"]["frames"], port["received"]["failures"]

    def refused(door):
        """Frames that the door's own device could not pass on: a busy processor's queue between two namespaces."""
        line, = json.loads(run("ip", "-netns", door.namespace, "-json", "-statistics", "link", "show", door.device).output)
        return line["stats64"]["tx"]["dropped"]

    with Interface("t-veth") as veth, Interface("far", "under") as under:
        before = {name: received(name) for name in frames}
        offered = {}
        switch.kill("datapath", signal.SIGSTOP)
        for name, frame in frames.items():
            door = veth if name == "red/veth" else under
            earlier = refused(door)
            door.send(*[frame] * FLOOD)
            offered[name] = FLOOD - (refused(door) - earlier)
        switch.kill("datapath", signal.SIGCONT)
        for name, count in offered.items():
            def news():
                return [after - earlier for after, earlier in zip(received(name), before[name])]

            wait_until(lambda: sum(news()) >= count, lambda: f"{count} at {name} to be accounted for; it is {news()}", 10)
            print(name, count, news())
            assert news()[1] > 0 and sum(news()) <= count + 20, (name, count, news())


def test_datapath_dies_again_and_again(switch):
    """Whatever kills it each time: the control process neither gives up nor spins, and the switch comes back."""
    control = switch.pid("control")
    for _ in range(8):
        old = wait_until(lambda: switch.pid("datapath"), "a datapath")
        switch.kill("datapath", signal.SIGILL)
        wait_until(lambda old=old: switch.pid("datapath") != old, "its end", pause=0.002)
    wait_until(lambda: ping("t-tap", THERE, count=1, check=False, patience=1), "the switch to be back", 5)
    assert switch.pid("control") == control
    assert switch.port("red/tap")["state"] == "up"


def test_both_are_killed(switch):
    """After a crash of everything, a start makes everything anew, on top of whatever was left."""
    switch.kill("control", signal.SIGSTOP)
    switch.kill("datapath")
    switch.kill("control")
    switch.process.wait()
    switch.run()
    ping("t-tap", THERE)
    ping("t-veth", THERE)


def test_both_end_on_sigterm_and_leave_nothing(switch):
    control, datapath = switch.pid("control"), switch.pid("datapath")
    switch.stop()
    for pid in (control, datapath):
        assert not os.path.exists(f"/proc/{pid}")
    assert link("t-tap", "eth0") is None and link("t-veth", "eth0") is None
    left = set(os.listdir(switch.directory)) - {"topology.yaml", "sluice.log", "datapath.log"}
    assert not left, f"{left} is left in the run directory"


def test_a_second_control_process_is_refused(switch):
    """Two masters of one datapath would undo each other's work."""
    second = run(SLUICE, "run", "--host", "h1", "--config", switch.file, "--netns", "host", "--run-dir", switch.directory,
                 check=False, timeout=10)
    assert second.status == 1 and second.errors.strip(), second
    ping("t-tap", THERE)
