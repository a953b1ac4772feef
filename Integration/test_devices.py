"""Devices come and go, change and fail; the switch notices, says so, and takes them up again."""

import time

import pytest

from support import frames as f
from support.interface import Interface, token
from support.namespaces import address, cable, ip, link, mac_of
from support.shell import run, wait_until
from support.topology import network, port, topology
from support.traffic import Flood, ping

MAC = {"a": "02:00:00:00:00:01", "device": "02:00:00:00:00:02", "veth": "02:00:00:00:00:03", "lan": "02:00:00:00:00:04"}


def plug(mtu=1500):
    """The device of a tenant's port, with the machine behind it."""
    cable(("host", "eth3"), ("t-device", "eth0"), mtu)
    ip("t-device", f"link set eth0 address {MAC['device']}")
    address("t-device", "eth0", "10.0.0.2/24")


def plug_provider():
    cable(("host", "phys0"), ("far", "phys0"), mtu=1504)


@pytest.fixture
def switch(bench):
    bench.hosts("host", "far")
    bench.namespaces.make("t-a", "t-device", "t-veth", "t-lan")
    plug()
    plug_provider()
    made = bench.switch("host", topology(
        {"h1": {"vtep": "192.0.2.1", "physical": {"phys": "phys0"}}},
        {"red": {
            "networks": {
                "net": network("local", subnets=["10.0.0.0/24"]), "lan": network("vlan", 100, physical="phys")},
            "ports": {
                "a": port("h1", "t-a", address="10.0.0.1/24", mac=MAC["a"]),
                "device": port("h1", {"device": "eth3"}, address="10.0.0.2/24", mac=MAC["device"]),
                "veth": port("h1", {"veth": "eth0", "netns": "t-veth"}, address="10.0.0.3/24", mac=MAC["veth"]),
                "lan": port("h1", "t-lan", network="lan", mac=MAC["lan"])}}}))
    ping("t-a", "10.0.0.2")
    made.flood = Flood("t-a", "10.0.0.3")  # what the others must not notice
    yield made
    result = made.flood.stop() if made.flood else None
    print(result)
    assert result is None or result.lost == 0, "other ports were disturbed"


def become(switch, name, state):
    wait_until(lambda: switch.state(name) == state, lambda: f"{name} to be {state}; it is {switch.state(name)}", 5)
    port = {**switch.ports(), **switch.uplinks()}[name]
    assert state == "up" or port["detail"], "no sentence says what is wrong"
    return port["detail"]


def used(switch):
    """Processor time of the datapath, in hundredths of a second."""
    with open(f"/proc/{switch.pid('datapath')}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def idle(switch):
    """The datapath does not spin on a device that is gone."""
    if switch.flood:
        switch.flood.stop()
        switch.flood = None
    time.sleep(0.2)
    before = used(switch)
    time.sleep(1)
    assert used(switch) - before < 40, "the datapath is busy with nothing"


@pytest.mark.parametrize("target", ["10.0.0.2", "10.0.0.3"])
def test_awake_only_while_there_is_traffic(switch, target):
    """Frames that follow each other closely keep a worker awake; a frame every other millisecond does not, nor does none."""
    run("ping", "-f", "-q", "-c", 5000, target, namespace="t-a")
    time.sleep(0.2)
    before = used(switch)
    time.sleep(1)
    assert used(switch) - before < 25, "the datapath is awake for a ping every 2 ms"
    idle(switch)


def test_device_is_deleted_and_comes_back(switch):
    ip("host", "link delete eth3")
    detail = become(switch, "red/device", "missing")
    assert "eth3" in detail
    assert "eth3" in " ".join(switch.show("status")["troubles"])
    time.sleep(0.3)
    plug()
    become(switch, "red/device", "up")
    ping("t-a", "10.0.0.2")


def test_device_is_replaced_at_once(switch):
    """Deleted and made again between two looks: another device with the same name."""
    for _ in range(3):
        ip("host", "link delete eth3")
        plug()
        wait_until(lambda: ping("t-a", "10.0.0.2", count=1, check=False, patience=1), "the new device to be used", 5)
    become(switch, "red/device", "up")


def test_device_is_renamed(switch):
    ip("host", "link set eth3 down", "link set eth3 name other", "link set other up")
    become(switch, "red/device", "missing")
    ip("host", "link set other down", "link set other name eth3", "link set eth3 up")
    become(switch, "red/device", "up")
    ping("t-a", "10.0.0.2")


def test_device_goes_down_and_up(switch):
    ip("host", "link set eth3 down")
    become(switch, "red/device", "down")
    assert ping("t-a", "10.0.0.2", count=1, check=False, patience=1) == 0
    ip("host", "link set eth3 up")
    become(switch, "red/device", "up")
    ping("t-a", "10.0.0.2")


def test_device_is_deleted_while_it_is_busy(switch):
    flood = Flood("t-a", "10.0.0.2")
    time.sleep(0.2)
    ip("host", "link delete eth3")
    become(switch, "red/device", "missing")
    plug()
    become(switch, "red/device", "up")
    ping("t-a", "10.0.0.2")
    flood.stop()
    assert switch.show("status")["process"]["datapathRestarts"] == 0


def test_the_host_does_not_answer_on_a_device_that_came_back(switch):
    """What keeps the host's own stack off the tenant's device is there again with the device."""
    address("host", "under", "192.0.2.1/24")
    ip("host", "link delete eth3")
    become(switch, "red/device", "missing")
    plug()
    become(switch, "red/device", "up")
    with Interface("t-device") as tenant, Interface("t-a") as other:
        tenant.send(f.arp(MAC["device"], "192.0.2.1", source_ip="10.0.0.2"))
        mark = token()
        tenant.send(f.data(MAC["device"], MAC["a"], mark))
        other.wait_for(mark)
        other.send(f.data(MAC["a"], MAC["device"], mark))
        tenant.wait_for(mark)
        host = bytes.fromhex(mac_of("host", "eth3").replace(":", ""))
        assert not [frame for frame in tenant.drain() if frame[6:12] == host]


def test_mtu_changes(switch):
    ip("host", "link set eth3 mtu 1400")
    wait_until(lambda: switch.port("red/device")["mtu"] == 1400, "the new MTU to be shown", 5)
    ip("host", "link set eth3 mtu 1500")
    wait_until(lambda: switch.port("red/device")["mtu"] == 1500, "the old MTU to be shown", 5)
    ping("t-a", "10.0.0.2", size=1472, whole=True)


def test_super_frames_fit_into_one_send(bench):
    """44 segments of 1450 bytes and their headers are one send by a VXLAN socket; what the user sets later stays."""
    bench.hosts("host")
    bench.namespaces.make("t-tap", "t-veth", "t-local")
    ip("host", "address add 192.0.2.1/24 dev lo", "link set lo up")
    networks = {"net": network("vxlan", 7), "lan": network("local")}
    ports = {"tap": port("h1", "t-tap", network="net"),
             "veth": port("h1", {"veth": "eth0", "netns": "t-veth"}, network="net"),
             "local": port("h1", "t-local", network="lan")}
    file = topology({"h1": {"vtep": "192.0.2.1"}}, {"red": {"networks": networks, "ports": ports}})
    made = bench.switch("host", file)
    most = lambda name: link(name, "eth0")["gso_max_segs"]
    assert (most("t-tap"), most("t-veth"), most("t-local")) == (44, 44, 65535)
    ip("t-tap", "link set eth0 gso_max_segs 30")
    ports["more"] = port("h1", {"tap": "eth1", "netns": "t-local"}, network="net")
    made.apply(topology({"h1": {"vtep": "192.0.2.1"}}, {"red": {"networks": networks, "ports": ports}}))
    assert most("t-tap") == 30


def test_provider_device_is_deleted_and_comes_back(switch):
    ip("host", "link delete phys0")
    become(switch, "phys", "missing")
    plug_provider()
    become(switch, "phys", "up")
    with Interface("far", "phys0") as wire, Interface("t-lan") as tenant:
        mark = token()
        tenant.send(f.data(MAC["lan"], f.BROADCAST, mark))
        assert wire.wait_for(mark)[12:16] == bytes.fromhex("81000064")


@pytest.mark.parametrize("name", ["a", "veth"])
def test_what_the_switch_made_is_deleted(switch, name):
    """A TAP or veth end removed by hand is made again, with everything that it had."""
    if name == "veth":
        switch.flood.stop()
        switch.flood = None
    before = link(f"t-{name}", "eth0")
    if name == "a":
        switch.flood.process.kill()
        switch.flood.process.communicate()
        switch.flood = None
    ip(f"t-{name}", "link delete eth0")
    wait_until(lambda: link(f"t-{name}", "eth0"), "the interface to be made again", 10)
    become(switch, f"red/{name}", "up")
    after = link(f"t-{name}", "eth0")
    assert (after["address"], after["mtu"]) == (before["address"], before["mtu"])
    wait_until(lambda: ping(f"t-{name}", "10.0.0.2", count=1, check=False, patience=1), "the port to work again", 5)


def test_namespace_is_deleted_and_comes_back(switch, bench):
    """F9: the tenant's namespace goes with our interface in it, and another comes by the same name."""
    bench.namespaces.remove("t-lan")
    wait_until(lambda: switch.state("red/lan") in ("missing", "failed"), "the loss to be noticed", 10)
    assert "t-lan" in switch.port("red/lan")["detail"], switch.port("red/lan")
    idle(switch)
    bench.namespaces.make("t-lan")
    wait_until(lambda: switch.state("red/lan") == "up", "the port to be made in the new namespace", 15)
    with Interface("far", "phys0") as wire, Interface("t-lan") as tenant:
        mark = token()
        tenant.send(f.data(MAC["lan"], f.BROADCAST, mark))
        wire.wait_for(mark)


def test_events_are_lost(switch):
    """F7: more link events than the monitor's buffer holds; among them the one that counts."""
    lines = [f"link add junk{i} type veth peer name knuj{i}" for i in range(400)]
    ip("host", *lines)
    pid = switch.kill("control", 19)  # SIGSTOP: it cannot keep up
    ip("host", *(f"link set junk{i} up" for i in range(400)), *(f"link set junk{i} down" for i in range(400)),
       *(f"link set junk{i} up" for i in range(400)), "link delete eth3", *(f"link delete junk{i}" for i in range(400)))
    plug()
    run("kill", "-CONT", pid)
    wait_until(lambda: switch.state("red/device") == "up", "the device to be taken up", 10)
    wait_until(lambda: ping("t-a", "10.0.0.2", count=1, check=False, patience=1), "the new device to be used", 5)


def test_idle_when_devices_are_gone(switch):
    ip("host", "link delete eth3")
    become(switch, "red/device", "missing")
    ip("host", "link delete phys0")
    become(switch, "phys", "missing")
    idle(switch)


def test_underlay_goes_away_and_comes_back(bench):
    """F10: link and address of the VTEP. Dropped and counted meanwhile, and traffic resumes by itself."""
    bench.hosts("host", "far")
    address("host", "under", "192.0.2.1/24")
    address("far", "under", "192.0.2.2/24")
    ip("far", "link add vx0 type vxlan id 5001 local 192.0.2.2 remote 192.0.2.1 dstport 4789",
       "address add 10.0.0.99/24 dev vx0", "link set vx0 up")
    bench.namespaces.make("t-a")
    switch = bench.switch("host", topology(
        {"h1": {"vtep": "192.0.2.1"}},
        {"red": {"networks": {"net": network("vxlan", 5001, remotes=["192.0.2.2"])},
                 "ports": {"a": port("h1", "t-a", address="10.0.0.1/24")}}}))
    ping("t-a", "10.0.0.99")
    for away, back in (("link set under down", "link set under up"),
                       ("address delete 192.0.2.1/24 dev under", "address add 192.0.2.1/24 dev under")):
        with switch.dropped() as count:
            ip("host", away)
            assert ping("t-a", "10.0.0.99", count=2, check=False, patience=1) == 0
        assert count["unreachable"] > 0, count
        ip("host", back)
        wait_until(lambda: ping("t-a", "10.0.0.99", count=1, check=False, patience=1), "traffic to resume", 3)
    assert switch.show("status")["process"]["datapathRestarts"] == 0
