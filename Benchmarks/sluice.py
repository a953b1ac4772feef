"""Sluice, as a user has it: `sluice run` with a file, no options, no pinning, no `ethtool`."""

import os
import shutil
import tempfile

from support.namespaces import ip
from support.shell import SLUICE, run
from support.switch import Switch
from support.topology import network, port, topology

from .contender import Contender, End
from .kernel import kernel_far_end
from .settings import Unavailable

VTEPS = {"h1": "192.0.2.1", "h2": "192.0.2.2"}


class SluiceContender(Contender):
    """What all of them share: switches in run directories of their own."""

    def __init__(self):
        super().__init__()
        self.switches = []
        self.directory = tempfile.mkdtemp(prefix="sluice", dir="/run")

    def switch(self, namespace, file, host="h1"):
        """Starts the switch of a host, after asking whether this version can do what the file says."""
        directory = os.path.join(self.directory, host)
        os.makedirs(directory)
        path = os.path.join(directory, "check.json")
        made = Switch.__new__(Switch)
        made.file, made.workers = path, None
        made.write(file)
        verdict = run(SLUICE, "check", path, check=False)
        if verdict.status != 0:
            # "file:line:column: path: sentence". Anything else that is wrong with the file is our mistake.
            assert "not supported" in verdict.errors, verdict
            sentences = {line.split(": ", 2)[-1].split(";")[0] for line in verdict.errors.splitlines() if line}
            raise Unavailable("Sluice says: " + ", ".join(sorted(sentences)))
        made = Switch(namespace, file, directory, host)
        self.switches.append(made)
        return made

    def pids(self):
        return [pid for pid in (switch.pid("datapath") for switch in self.switches) if pid]

    def release(self):
        for switch in self.switches:
            switch.stop()
        self.switches = []
        shutil.rmtree(self.directory, ignore_errors=True)


def attached(kind, end):
    """The `attach` of a port whose machine is `end`."""
    return {kind: "eth0", "netns": end.namespace}


class SluiceLocal(SluiceContender):
    """Two ports of one network on one host."""

    attach = "tap"

    def build(self):
        host, one, two = self.space("sw", "a", "b")
        self.a, self.b = End(one, "10.1.0.1"), End(two, "10.1.0.2")
        self.switch(host, topology({"h1": {}}, {"red": {
            "networks": {"net": network("local", subnets=["10.1.0.0/24"])},
            "ports": {name: port("h1", attached(self.attach, end), address=f"{end.address}/24")
                      for name, end in (("a", self.a), ("b", self.b))},
        }}))


class SluiceTAP(SluiceLocal):
    key, title = "tap", "Sluice, TAP to TAP"


class SluiceVeth(SluiceLocal):
    key, title, attach = "vet", "Sluice, veth to veth", "veth"


class SluiceHosts(SluiceContender):
    """Two hosts with a port each, joined by a cable; `segment` says how the network crosses it."""

    segment = ("vxlan", 7)
    underlay = None

    def build(self):
        one, two, a, b = self.space("h1", "h2", "a", "b")
        self.a, self.b = End(a, "10.1.0.1"), End(b, "10.1.0.2")
        provider = self.segment[0] == "vlan"
        bare = provider or self.underlay
        self.join(*((host, "eth1", None if bare else VTEPS[name]) for host, name in ((one, "h1"), (two, "h2"))))
        kind, identifier = self.segment
        keys = {"physical": "physnet1"} if provider else {}
        file = topology(
            {name: {"physical": {"physnet1": "eth1"}} if provider else described(name, self.underlay) for name in VTEPS},
            {"red": {
                "networks": {"net": network(kind, identifier, subnets=["10.1.0.0/24"], **keys)},
                "ports": {name: port(host, attached("tap", end), address=f"{end.address}/24")
                          for name, host, end in (("a", "h1", self.a), ("b", "h2", self.b))},
            }})
        self.switch(one, file, "h1")
        self.switch(two, file, "h2")


DEVICE = {"mode": "device", "device": "eth1"}


def described(name, underlay):
    """A host of the file."""
    return {"vtep": VTEPS[name], **({"underlay": underlay} if underlay else {})}


class SluiceVXLAN(SluiceHosts):
    key, title = "vxl", "Sluice VXLAN, UDP sockets, at both ends, TAP"


class SluiceGRE(SluiceHosts):
    key, title, segment = "gre", "Sluice GRE at both ends, TAP", ("gre", 7)


class SluiceVXLANDevice(SluiceHosts):
    key, title, underlay = "vxd", "Sluice VXLAN, underlay device, at both ends, TAP", DEVICE


class SluiceGREDevice(SluiceHosts):
    key, title, segment, underlay = "grd", "Sluice GRE, underlay device, at both ends, TAP", ("gre", 7), DEVICE


class SluiceVLAN(SluiceHosts):
    key, title, segment = "vla", "Sluice, VLAN 100 on a provider network, TAP", ("vlan", 100)


class SluiceKernel(SluiceContender):
    """One host is Sluice's, the other end of the tunnel is the kernel's."""

    key, title = "vxk", "Sluice VXLAN, UDP sockets, kernel far end, TAP"
    underlay = None

    def build(self):
        one, two, a, b = self.space("h1", "h2", "a", "b")
        self.a, self.b = End(a, "10.1.0.1"), End(b, "10.1.0.2")
        self.underlay_to(one, two)
        kernel_far_end(self, two, self.b, VTEPS["h2"], VTEPS["h1"])
        self.switch(one, topology({"h1": described("h1", self.underlay)}, {"red": {
            "networks": {"net": network("vxlan", 7, subnets=["10.1.0.0/24"], remotes=[VTEPS["h2"]])},
            "ports": {"a": port("h1", attached("tap", self.a), address=f"{self.a.address}/24")},
        }}))

    def underlay_to(self, one, two):
        self.join((one, "under", VTEPS["h1"]), (two, "under", VTEPS["h2"]))


class SluiceUplink(SluiceKernel):
    """The VTEP lives in the switch, on a TAP that the host bridges."""

    key, title = "upl", "Sluice VXLAN, uplink TAP, kernel far end, TAP"
    underlay = {"mode": "tap", "tap": "uplink0", "bridge": "br0"}

    def underlay_to(self, one, two):
        self.join((one, "under", None), (two, "under", VTEPS["h2"]))
        ip(one, "link add br0 type bridge", "link set under master br0", "link set br0 up")


class SluiceRouted(SluiceContender):
    """A tenant's router between two networks of one host."""

    key, title, attach = "rou", "Sluice, routed on one host, TAP", "tap"

    def build(self):
        host, one, two = self.space("sw", "a", "b")
        self.a, self.b = End(one, "10.1.0.2"), End(two, "10.1.1.2")
        self.switch(host, topology({"h1": {}}, {"red": {
            "networks": {f"n{i}": network("local", subnets=[f"10.1.{i}.0/24"]) for i in range(2)},
            "ports": {name: port("h1", attached(self.attach, end), f"n{i}", address=f"{end.address}/24",
                                 gateway=f"10.1.{i}.1")
                      for i, (name, end) in enumerate((("a", self.a), ("b", self.b)))},
            "routers": {"gw": {"interfaces": {f"n{i}": f"10.1.{i}.1/24" for i in range(2)}}},
        }}))


class SluiceRoutedVeth(SluiceRouted):
    key, title, attach = "rov", "Sluice, routed on one host, veth", "veth"


class SluiceIPIP(SluiceContender):
    """Two hosts, a router on each, IP in IP between them."""

    key, title = "ipi", "Sluice IPIP between routers at both ends, TAP"
    tunnel = {"type": "ipip"}
    underlay = None

    def build(self):
        one, two, a, b = self.space("h1", "h2", "a", "b")
        bare = self.underlay is not None
        self.join((one, "eth1", None if bare else VTEPS["h1"]), (two, "eth1", None if bare else VTEPS["h2"]))
        self.a, self.b = End(a, "10.1.0.2"), End(b, "10.1.1.2")
        for i, (space, end) in enumerate(((one, self.a), (two, self.b))):
            host, other = f"h{i + 1}", f"h{2 - i}"
            self.switch(space, topology({host: described(host, self.underlay)}, {"red": {
                "networks": {"net": network("local", subnets=[f"10.1.{i}.0/24"], mtu=1450)},
                "ports": {"p": port(host, attached("tap", end), address=f"{end.address}/24", gateway=f"10.1.{i}.1")},
                "routers": {"gw": {
                    "interfaces": {"net": f"10.1.{i}.1/24"},
                    "tunnels": {"far": {**self.tunnel, "host": host, "local": VTEPS[host], "remote": VTEPS[other]}},
                    "routes": [{"to": f"10.1.{1 - i}.0/24", "via": "far"}],
                }},
            }}), host)


class SluiceIPIPDevice(SluiceIPIP):
    key, title, underlay = "ipd", "Sluice IPIP, underlay device, at both ends, TAP", DEVICE


class SluiceDevice(SluiceKernel):
    """The VTEP lives in the switch, on the underlay's own device."""

    key, title = "dev", "Sluice VXLAN, underlay device, kernel far end, TAP"
    underlay = {"mode": "device", "device": "under"}

    def underlay_to(self, one, two):
        self.join((one, "under", None), (two, "under", VTEPS["h2"]))
