"""What one can see of a running switch: show, trace, capture and the counters agree with what happens."""

import json
import os
import random
import re
import signal
import subprocess
import time

import pytest

from support import frames as f
from support.interface import Interface, token
from support.lab import Lab
from support.namespaces import address, ip, mac_of
from support.shell import CONFIGS, SLUICE, end, inside, run, start, wait_until
from support.topology import network, port, topology
from support.traffic import Flood, ping

MACS = {name: f"02:00:00:00:00:0{number}" for number, name in enumerate(("a", "b", "trunk", "far"), 1)}


@pytest.fixture(scope="module")
def switch(module_bench):
    bench = module_bench
    bench.hosts("host", "far")
    address("host", "under", "192.0.2.1/24")
    address("far", "under", "192.0.2.2/24")
    ip("far", "link add vx0 type vxlan id 5001 local 192.0.2.2 remote 192.0.2.1 dstport 4789",
       f"link set vx0 address {MACS['far']}", "address add 10.0.0.99/24 dev vx0", "link set vx0 up")
    bench.namespaces.make_silent("t-a", "t-b", "t-trunk", "t-blue")
    made = bench.switch("host", topology(
        {"h1": {"vtep": "192.0.2.1"}},
        {"red": {
            "networks": {
                "net": network("vxlan", 5001, remotes=["192.0.2.2"], subnets=["10.0.0.0/24"]),
                "side": network("local")},
            "ports": {
                "a": port("h1", "t-a", address="10.0.0.1/24", mac=MACS["a"]),
                "b": port("h1", {"veth": "eth0", "netns": "t-b"}, address="10.0.0.2/24", mac=MACS["b"]),
                "trunk": port("h1", "t-trunk", trunk={"untagged": "net", "10": "side"}, mac=MACS["trunk"])}},
         "blue": {
            "networks": {"net": network("local")},
            "ports": {"a": port("h1", "t-blue", mac=MACS["a"])}}}))
    made.interface = {name: bench.keep(Interface(f"t-{name}")) for name in ("a", "b", "trunk", "blue")}
    made.under = bench.keep(Interface("far", "under"))
    ping("t-a", "10.0.0.99")
    return made


# -- show

TABLES = ["status", "ports", "uplinks", "networks", "fdb", "routers", "routes", "neighbors", "tunnels", "counters",
          "drops"]


@pytest.mark.parametrize("what", [None, *TABLES])
def test_show_for_people_and_for_programs(switch, what):
    words = [what] if what else []
    text = switch.sluice("show", *words).output
    assert text.strip()
    value = json.loads(switch.sluice("show", *words, "--json").output)
    assert value is not None
    names = {"ports": "red/a", "networks": "red/net", "tunnels": "192.0.2.2", "fdb": MACS["far"], None: "net",
             "status": "h1", "uplinks": "192.0.2.1", "counters": "red/a"}
    if what in names:
        assert names[what] in text and names[what] in json.dumps(value), text


def test_show_without_a_terminal_has_no_colours(switch):
    assert "\x1b" not in switch.sluice("show").output


def test_the_socket_may_be_named(switch):
    done = run(SLUICE, "show", "status", "--socket", f"{switch.directory}/api.sock")
    assert "h1" in done.output


def test_the_socket_is_for_its_owner(switch):
    done = run("stat", "-c", "%a", f"{switch.directory}/api.sock")
    assert done.output.strip() == "600"


def test_counters_count(switch):
    """Frames and bytes of each port, as many as were sent."""
    before = switch.ports()
    for _ in range(20):
        switch.interface["a"].send(f.data(MACS["a"], MACS["b"], b"counted", length=100))
    switch.interface["a"].send(f.data(MACS["a"], MACS["b"], mark := token()))
    switch.interface["b"].wait_for(mark)
    after = switch.ports()
    assert after["red/a"]["received"]["frames"] - before["red/a"]["received"]["frames"] == 21
    assert after["red/b"]["sent"]["frames"] - before["red/b"]["sent"]["frames"] == 21
    assert after["red/b"]["sent"]["bytes"] - before["red/b"]["sent"]["bytes"] == 20 * 114 + 60
    assert after["blue/a"] == before["blue/a"]


def test_the_fdb_tells_and_learns(switch):
    entries = {(each["network"], each["mac"]): each for each in switch.show("fdb")["entries"]}
    assert entries["red/net", MACS["a"]]["source"] == "told" and entries["red/net", MACS["a"]]["port"] == "red/a"
    assert entries["red/net", MACS["far"]]["source"] == "learned"
    assert entries["red/net", MACS["far"]]["peer"] == "192.0.2.2"
    only = switch.show("fdb", "--network", "blue/net")["entries"]
    assert {each["network"] for each in only} <= {"blue/net"}


def test_asking_under_load_costs_no_frame(switch):
    flood = Flood("t-a", "10.0.0.2")
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        switch.show("ports")
        switch.show("fdb")
        switch.trace("--in", "red/a", f"dst={MACS['b']}", "from=10.0.0.1", "to=10.0.0.2")
    result = flood.stop()
    print(result)
    assert result.lost == 0


def test_one_running_switch_is_found_by_itself():
    """`sluice show` needs no words where there is one switch; with two it asks which."""
    with Lab(os.path.join(CONFIGS, "local.yaml")):
        assert "red/a" in run(SLUICE, "show", "ports").output
    with Lab(os.path.join(CONFIGS, "two-tenants.yaml")):
        unclear = run(SLUICE, "show", "ports", check=False)
        assert unclear.status == 1 and "h1" in unclear.errors and "h2" in unclear.errors, unclear
        assert "red/db" in run(SLUICE, "show", "ports", "--host", "h2").output


# -- trace

CASES = {
    "known": ("red/a", lambda m: f.udp(MACS["a"], MACS["b"], m)),
    "broadcast": ("red/a", lambda m: f.data(MACS["a"], f.BROADCAST, m)),
    "unknown": ("red/a", lambda m: f.data(MACS["a"], "02:00:00:00:00:77", m)),
    "learned": ("red/a", lambda m: f.data(MACS["a"], MACS["far"], m)),
    "tagged": ("red/a", lambda m: f.tagged(f.data(MACS["a"], MACS["b"], m), 10)),
    "priority": ("red/a", lambda m: f.tagged(f.data(MACS["a"], MACS["b"], m), 0xE000)),
    "reserved": ("red/a", lambda m: f.tagged(f.data(MACS["a"], MACS["b"], m), 4095)),
    "forged": ("red/a", lambda m: f.data(MACS["b"], f.BROADCAST, m)),
    "group source": ("red/a", lambda m: f.data("01:00:5e:00:00:01", MACS["b"], m)),
    "link local": ("red/a", lambda m: f.data(MACS["a"], "01:80:c2:00:00:00", m)),
    "to itself": ("red/a", lambda m: f.data(MACS["a"], MACS["a"], m)),
    "trunk": ("red/trunk", lambda m: f.data(MACS["trunk"], MACS["a"], m)),
    "trunk, network without others": ("red/trunk", lambda m: f.tagged(f.data(MACS["trunk"], f.BROADCAST, m), 10)),
    "trunk, other id": ("red/trunk", lambda m: f.tagged(f.data(MACS["trunk"], MACS["a"], m), 11)),
    "alone": ("blue/a", lambda m: f.data(MACS["a"], f.BROADCAST, m)),
}


def really(switch, name, frame, mark):
    """Sends a frame and answers (reason of the drop or None, outputs with the bytes that came there)."""
    interface = switch.interface["blue" if name == "blue/a" else name.split("/")[1]]
    for each in (*switch.interface.values(), switch.under):
        each.clear()
    with switch.dropped(port=name) as count:
        interface.send(frame)
        wait_until(lambda: count.refresh().counts or any(
            each.with_token(mark) for each in (*switch.interface.values(), switch.under) if each is not interface),
            f"what becomes of {name}'s frame")
        time.sleep(0.05)
    outputs = {}
    for other, each in switch.interface.items():
        if each is not interface:
            for found in each.with_token(mark):
                outputs["blue/a" if other == "blue" else f"red/{other}"] = found
    for found in switch.under.with_token(mark):
        outputs["192.0.2.2"] = found[50:]
    reasons = list(count.counts)
    return reasons[0] if reasons else None, outputs


@pytest.mark.parametrize("name", CASES)
def test_trace_tells_what_happens(switch, name):
    """First the story, then the frame itself: the same reason, the same receivers, the same bytes."""
    where, make = CASES[name]
    ping("t-a", "10.0.0.99", count=1)  # the far end is known
    mark = token()
    frame = make(mark)
    told = switch.trace("--in", where, frame.hex())
    reason, outputs = really(switch, where, frame, mark)
    assert (told["verdict"] == "drop") == (reason is not None), (told, reason)
    assert told.get("reason") == reason
    expected = {
        each.get("peer") or each["endpoint"]: bytes.fromhex(each["bytes"]) for each in told["outputs"]
        if not each.get("reason")}
    assert {place: found.hex() for place, found in outputs.items()} == {
        place: _content(found).hex() for place, found in expected.items()}


def _content(found):
    """The tenant's frame in what a trace says would leave: behind the VXLAN header, if there is one."""
    return found[8:] if found[:4] == b"\x08\0\0\0" else found


def test_trace_and_the_datapath_agree_on_random_frames(switch):
    seed = random.getrandbits(32)
    dice = random.Random(seed)
    print(f"seed {seed}")
    addresses = [*MACS.values(), "02:00:00:00:00:77", f.BROADCAST, "01:80:c2:00:00:05", "33:33:00:00:00:01"]
    for _ in range(60):
        mark = token()
        where = dice.choice(("red/a", "red/b", "red/trunk"))
        frame = f.data(dice.choice(addresses), dice.choice(addresses), mark)
        if dice.random() < 0.5:
            frame = f.tagged(frame, *dice.choices([0, 1, 10, 11, 4095, (0x88A8, 10)], k=dice.choice((1, 1, 2))))
        told = switch.trace("--in", where, frame.hex())
        reason, outputs = really(switch, where, frame, mark)
        assert told.get("reason") == reason, f"{f.Ether(frame).summary()}: {told}"
        assert set(outputs) == {
            each.get("peer") or each["endpoint"] for each in told["outputs"] if not each.get("reason")}, told


def test_trace_changes_nothing(switch):
    """It is no frame: nothing is counted, learned or sent."""
    stranger = "02:00:00:00:00:55"
    switch.interface["trunk"].clear()
    before = switch.port("blue/a"), switch.drops(port="blue/a"), switch.drops(network="blue/net"), switch.events()
    for _ in range(5):
        switch.trace("--in", "blue/a", f"src={stranger}", f"dst={f.BROADCAST}", "type=0x88b5")
    assert before == (
        switch.port("blue/a"), switch.drops(port="blue/a"), switch.drops(network="blue/net"), switch.events())
    assert stranger not in json.dumps(switch.show("fdb"))


def test_trace_out_of_a_tunnel(switch):
    told = switch.trace("--from-vtep", "192.0.2.2", "--vni", "5001", f"src={MACS['far']}", f"dst={MACS['a']}",
                        "from=10.0.0.99", "to=10.0.0.1")
    assert told["verdict"] == "forward" and told["outputs"][0]["endpoint"] == "red/a"
    for words, reason in ((("--from-vtep", "192.0.2.2", "--vni", "5002"), "unknownVNI"),
                          (("--from-vtep", "192.0.2.9", "--vni", "5001"), "unknownPeer")):
        told = switch.trace(*words, f"src={MACS['far']}", f"dst={MACS['a']}", "from=10.0.0.99", "to=10.0.0.1")
        assert told["reason"] == reason


def test_trace_for_people(switch):
    done = switch.sluice("trace", "--in", "red/a", f"dst={MACS['b']}", "from=10.0.0.1", "to=10.0.0.2", "proto=tcp", "dport=80")
    assert "red/b" in done.output and "forwarded" in done.output
    dropped = switch.sluice("trace", "--in", "red/a", "vlan=10", f"dst={MACS['b']}", "from=10.0.0.1", "to=10.0.0.2")
    assert "taggedOnAccessPort" in dropped.output
    wrong = switch.sluice("trace", "--in", "red/nobody", f"dst={MACS['b']}", "type=0x88b5", check=False)
    assert wrong.status == 1 and "red/a" in wrong.errors, wrong
    wrong = switch.sluice("trace", "--in", "red/a", "nonsense=1", check=False)
    assert wrong.status == 1 and "nonsense" in wrong.errors, wrong


# -- capture


class Capture:
    """`sluice capture … -w FILE` in the background; `frames()` ends it and reads the file with tshark."""

    FIELDS = ["frame.interface_name", "frame.packet_flags_direction", "frame.comment", "frame.len", "frame.number"]

    def __init__(self, switch, file, *words):
        self.file = str(file)
        self.process = start(
            SLUICE, "capture", "--run-dir", switch.directory, *words, "-w", self.file)
        wait_until(lambda: _size(self.file) > 0, "the capture to begin")

    def frames(self):
        self.process.send_signal(signal.SIGINT)
        output = self.process.communicate(timeout=10)[0]
        assert self.process.returncode == 0, output
        words = [word for field in self.FIELDS for word in ("-e", field)]
        rows = run("tshark", "-r", self.file, "-T", "fields", *words).output.splitlines()
        raw = run("tshark", "-r", self.file, "-T", "jsonraw").output
        data = [bytes.fromhex(each["_source"]["layers"]["frame_raw"][0]) for each in json.loads(raw or "[]")]
        assert len(rows) == len(data)
        return [dict(zip(self.FIELDS, row.split("\t")), data=data) for row, data in zip(rows, data)]


def _size(file):
    return os.path.getsize(file) if os.path.exists(file) else 0


def test_capture_of_a_port(switch, tmp_path):
    """Both directions of it, nothing of others, whole frames, readable by Wireshark."""
    capture = Capture(switch, tmp_path / "port.pcapng", "--port", "red/a")
    here, there, foreign = token(), token(), token()
    switch.interface["a"].send(f.data(MACS["a"], MACS["b"], here))
    switch.interface["b"].send(f.data(MACS["b"], MACS["a"], there))
    switch.interface["b"].send(f.data(MACS["b"], MACS["trunk"], foreign))
    switch.interface["trunk"].wait_for(foreign)
    switch.interface["a"].wait_for(there)
    time.sleep(0.2)
    frames = capture.frames()
    ways = {"in" if each["frame.packet_flags_direction"].endswith("1") else "out": each["data"] for each in frames
            if here in each["data"] or there in each["data"]}
    assert ways == {"in": f.data(MACS["a"], MACS["b"], here), "out": f.data(MACS["b"], MACS["a"], there)}
    assert not any(foreign in each["data"] for each in frames)
    assert {each["frame.interface_name"] for each in frames} == {"red/a"}


def test_capture_of_a_network(switch, tmp_path):
    """Each frame once, wherever it came in, and of no other network."""
    capture = Capture(switch, tmp_path / "network.pcapng", "--network", "red/net")
    marks = {name: token() for name in ("a", "b", "trunk", "blue")}
    for name, mark in marks.items():
        switch.interface[name].send(f.data(MACS.get(name, MACS["a"]), f.BROADCAST, mark))
    from_far = token()
    switch.under.send(_tunnelled(f.data(MACS["far"], f.BROADCAST, from_far)))
    switch.interface["a"].wait_for(from_far)
    switch.interface["a"].wait_for(marks["trunk"])
    time.sleep(0.2)
    frames = capture.frames()
    for name in ("a", "b", "trunk"):
        assert sum(marks[name] in each["data"] for each in frames) == 1, name
    assert [each["data"] for each in frames if from_far in each["data"]] == [f.data(MACS["far"], f.BROADCAST, from_far)]
    assert not any(marks["blue"] in each["data"] for each in frames)


def _tunnelled(frame):
    return bytes(
        f.Ether(src=mac_of("far", "under"), dst=mac_of("host", "under")) / f.IP(src="192.0.2.2", dst="192.0.2.1")
        / f.UDP(sport=50000, dport=4789, chksum=0) / f.Raw(f.vxlan(frame, 5001)))


def test_capture_of_drops(switch, tmp_path):
    """Only what is dropped, each with its reason as a comment."""
    capture = Capture(switch, tmp_path / "drops.pcapng", "--drops")
    here = Capture(switch, tmp_path / "here.pcapng", "--drops", "--port", "red/a")
    passed, tagged, forged, alone = token(), token(), token(), token()
    switch.interface["a"].send(f.tagged(f.data(MACS["a"], MACS["b"], tagged), 10))
    switch.interface["trunk"].send(f.data(MACS["a"], MACS["b"], forged))
    switch.interface["blue"].send(f.data(MACS["a"], f.BROADCAST, alone))
    switch.interface["a"].send(f.data(MACS["a"], MACS["b"], passed))
    switch.interface["b"].wait_for(passed)
    time.sleep(0.2)
    frames = capture.frames()
    reasons = {}
    for mark in (passed, tagged, forged, alone):
        reasons[mark] = [each["frame.comment"] for each in frames if mark in each["data"]]
    assert reasons[passed] == []
    for mark, reason in ((tagged, "taggedOnAccessPort"), (forged, "sourceBelongsToAnotherPort"), (alone, "noReceiver")):
        assert len(reasons[mark]) == 1 and reason in reasons[mark][0], reasons[mark]
    frames = here.frames()
    assert any(tagged in each["data"] for each in frames)
    assert not any(forged in each["data"] or alone in each["data"] for each in frames)


def test_capture_to_a_pipe_and_of_so_many(switch):
    """`-w -` into another program; `-c` ends by itself."""
    reader = subprocess.Popen(
        inside(None, ["tshark", "-r", "-", "-T", "fields", "-e", "frame.len"]), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    writer = start(SLUICE, "capture", "--run-dir", switch.directory, "--port", "red/b", "-c", 3, "-w", "-",
                   stdout=reader.stdin, stderr=subprocess.DEVNULL)
    reader.stdin.close()
    reader.stdin = None
    deadline = time.monotonic() + 10
    while writer.poll() is None and time.monotonic() < deadline:
        switch.interface["a"].send(f.data(MACS["a"], MACS["b"], b"piped", length=70))
        time.sleep(0.02)
    assert writer.poll() == 0
    assert reader.communicate(timeout=20)[0].split() == ["84"] * 3
    end(writer)


def test_a_slow_reader_costs_no_frame(switch):
    """A capture that nobody reads loses copies, not frames."""
    writer = subprocess.Popen(
        [SLUICE, "capture", "--run-dir", switch.directory, "-w", "-"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    flood = Flood("t-a", "10.0.0.2")
    for _ in range(5000):
        switch.interface["b"].send(f.data(MACS["b"], MACS["trunk"], b"much", length=1400))
    result = flood.stop()
    writer.kill()
    writer.communicate()
    print(result)
    assert result.lost == 0
    assert switch.state("red/a") == "up"


def test_top(switch):
    """One picture for a program that reads it."""
    done = run("timeout", "-s", "INT", "3", SLUICE, "top", "--run-dir", switch.directory, check=False)
    assert re.search(r"red", done.output), done
