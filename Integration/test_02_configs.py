"""Must hold 2: every file in Configs/ comes up, and what should talk talks, with the kernel's default offloads."""

import glob
import itertools
import json
import os

import pytest

from support import frames as f
from support.interface import Interface, token
from support.lab import Lab
from support.namespaces import address, cable, ip, mac_of
from support.shell import CONFIGS, SLUICE, run
from support.traffic import Checksums, ping, transfer
from support.uml import Guest

FILES = sorted(glob.glob(os.path.join(CONFIGS, "*.yaml")))
SOME = 24 << 20


def test_there_is_an_example_of_everything():
    """Segment types, port kinds and use cases."""
    text = "".join(open(file).read() for file in FILES)
    for words in ("type: local", "type: flat", "type: vlan", "type: vxlan", "type: gre", "protocol: 802.1ad", "trunk:",
                  "vlanTransparent: true", "remotes:", "{netns:", "{veth:", "{tap:", "{device:", "gateway:", "physical:", "mode: tap",
                  "mode: device"):
        assert words in text, words


@pytest.mark.parametrize("file", FILES, ids=os.path.basename)
def test_check(file):
    """Nothing to complain about, and a first line that says what it is for."""
    done = run(SLUICE, "check", file)
    assert not done.errors, done
    assert open(file).readline().startswith("# ")


@pytest.mark.parametrize("file", FILES, ids=os.path.basename)
def test_up_and_talk(file, namespaces):
    if file.endswith("tap-for-vm.yaml") and not os.access("/dev/net/tun", os.W_OK):
        pytest.skip("/dev/net/tun is for root only here")
    with Lab(file) as lab:
        places = lab.places()
        hosts = json.loads(lab.sluice("status", "--json").output)["hosts"]
        members = {}
        for host in hosts:
            switch = lab.host(host["name"])
            for name, port in switch.ports().items():
                assert port["state"] == "up", f"{name}: {port['detail']}"
                for network in port["networks"]:
                    if network.get("vlan") is None and name in places:
                        members.setdefault(network["network"], []).append(places[name])
        assert members
        for network, ports in members.items():
            talk(network, [each for each in ports if each["addresses"] and each["interface"] != "vm0"])
        special = SPECIAL.get(os.path.basename(file))
        if special:
            special(lab, namespaces)
        for host in hosts:
            drops = lab.host(host["name"]).drops()
            assert set(drops) <= {"queueFull", "noReceiver"} | ALLOWED.get(os.path.basename(file), set()), drops


def talk(network, ports):
    """Everybody pings everybody, in each family; neighbours in the list move some data too."""
    for a, b in itertools.permutations(ports, 2):
        for target in b["addresses"]:
            ping(a["namespace"], target.split("/")[0])
    for a, b in itertools.pairwise(ports):
        for target in b["addresses"]:
            with Checksums(a["namespace"], b["namespace"]):
                speed = transfer(a["namespace"], b["namespace"], target.split("/")[0], SOME)
            print(f"{network}: {a['port']} to {b['port']} {target}: {speed} Gbit/s")


def trunk(lab, _):
    """Tags lead from the firewall's one interface into the other two networks, and back."""
    trunk, data, printer = (Interface(f"red-{name}") for name in ("fw", "db", "printer"))
    source = mac_of("red-fw", "eth0")
    for vid, there, target in ((10, data, "10.0.1.12"), (20, printer, "10.0.2.13")):
        trunk.clear()
        request = f.arp(source, target, source_ip=target.rpartition(".")[0] + ".1")
        trunk.send(f.tagged(request, vid))
        answer = trunk.wait_for(bytes.fromhex(mac_of(there.namespace, "eth0").replace(":", "")))
        assert answer[12:16] == bytes.fromhex(f"8100{vid:04x}") and f.Ether(answer)[f.ARP].psrc == target
    for each in (trunk, data, printer):
        each.close()


def transparent(a, b, *tags):
    """A tenant's tags arrive as they were sent."""

    def check(lab, _):
        near, far = Interface(a), Interface(b)
        for stack in tags:
            mark = token()
            frame = f.tagged(f.data(mac_of(a, "eth0"), mac_of(b, "eth0"), mark), *stack)
            near.send(frame)
            assert far.wait_for(mark) == frame
        near.close()
        far.close()

    return check


def remotes(lab, namespaces):
    """The commands of the file's comment, on a machine that joins the lab's underlay."""
    fabric = f"{lab.name}-fabric"
    namespaces.make("outside")
    cable((fabric, "outside"), ("outside", "eth0"))
    ip(fabric, "link set outside master underlay")
    address("outside", "eth0", "192.0.2.9/24")
    for line in open(lab.file):
        if line.startswith("#   ip "):
            for command in line[1:].split("&&"):
                run(*command.split(), namespace="outside")
    for name in ("web", "db"):
        ping(f"red-{name}", "10.0.0.99")
        transfer(f"red-{name}", "outside", "10.0.0.99", SOME)


def virtual_machine(lab, _):
    """The TAP on the host carries what a bridge or a hypervisor puts on it; here the host's own stack plays the guest."""
    host = f"{lab.name}-h1"
    ip(host, "link set vm0 address 02:00:00:00:00:11", "address add 10.0.0.11/24 dev vm0")
    for target in ("10.0.0.12", "10.0.0.13"):
        ping(host, target)
    ping("red-web", "10.0.0.11")
    with Checksums(host, "red-db"):
        transfer(host, "red-db", "10.0.0.13", SOME)


def routed(*more):
    """Everybody of a tenant reaches everybody through the tenant's router, and the router itself; then `more`."""

    def check(lab, namespaces):
        by_tenant = {}
        for name, place in lab.places().items():
            by_tenant.setdefault(name.split("/")[0], []).append(place)
        for ports in by_tenant.values():
            for a, b in itertools.permutations(ports, 2):
                for target in b["addresses"]:
                    ping(a["namespace"], target.split("/")[0], size=1300, whole=True)
        for each in more:
            each(lab, namespaces)

    return check


def commented(file, word="ip "):
    """The command lines of a file's comment that begin with a word."""
    lines = [line[1:].strip() for line in open(file) if line.startswith("#   ")]
    return [line for line in lines if line.startswith(word)]


def behind_a_gateway(lab, _):
    for line in commented(lab.file, "sluice lab exec"):
        lab.exec(*line.split(f"{os.path.basename(lab.file)} ", 1)[1].replace(" -- ", " ").split())
    ping("red-web", "10.8.0.1")
    done = run("ping", "-n", "-c", 1, "-W", 2, "10.6.0.1", namespace="red-web", check=False)
    assert "Destination Host Unreachable" in done.output, done


def branch(name, number, far, near, edit=lambda line: line):
    """A branch office as the file's comment says: another kernel on the underlay, by the comment's own commands."""

    def check(lab, namespaces):
        if not os.access("/dev/net/tun", os.W_OK):
            pytest.skip("/dev/net/tun is for root only here")
        fabric, outside = f"{lab.name}-fabric", f"outside-{name}"
        namespaces.make(outside)
        cable((fabric, outside), (outside, "eth0"))
        ip(fabric, f"link set {outside} master underlay")
        with Guest(outside, "eth0") as guest:
            guest.run(f"ip address add 192.0.2.{number}/24 dev vec0")
            for line in commented(lab.file):
                guest.run(edit(line))
            for each in near:
                ping(f"{name}-{each}", far)
                ping(f"{name}-{each}", far, size=(1400 if ":" in far else 1422), whole=True)
            guest.ping(lab.places()[f"{name}/{near[0]}"]["addresses"][0].split("/")[0])

    return check


def office(lab, _):
    """Two tenants' routers, an IP-in-IP tunnel between them."""
    for a, target in (("red-web", "10.9.0.10"), ("red-db", "10.9.0.10"), ("branch-desk", "10.0.0.12")):
        ping(a, target)
    with Checksums("red-web", "branch-desk"):
        print(transfer("red-web", "branch-desk", "10.9.0.10", SOME))


SPECIAL = {
    "routed.yaml": routed(behind_a_gateway),
    "ipip-branches.yaml": routed(
        branch("red", 7, "10.9.0.1", ["web", "db"]),
        branch("blue", 8, "10.9.0.1", ["web", "db"], lambda line: line.replace("192.0.2.7", "192.0.2.8"))),
    "ipv6-over-ipv4.yaml": routed(branch("red", 9, "fd00:9::2", ["web", "db"])),
    "trunk.yaml": trunk,
    "dot1ad.yaml": transparent("red-web", "red-db", (10,), (20, 30)),
    "qinq.yaml": transparent("red-a", "red-b", (10,), (10, 20), ((0x88A8, 300), 10), (4094,)),
    "remotes.yaml": remotes,
    "tap-for-vm.yaml": virtual_machine,
    "underlay-device.yaml": office,
}
# Reasons for which a frame is dropped in an example as it should be.
ALLOWED = {
    # Its `unreachable` route.
    "routed.yaml": {"refusedByRoute"},
    # Group frames of kernels that nobody is asked about.
    "static-lab.yaml": {"unknownUnicast"},
    # Group frames of the first host's tenants, before the other hosts are there, or listen: their kernels say so.
    "uplink-tap.yaml": {"neighborUnresolved", "noSuchService"},
    "underlay-device.yaml": {"neighborUnresolved"},
}
