"""Open vSwitch with its userspace datapath, tuned as its documentation says.

- veth ports: the machines at the ends have `ethtool -K eth0 tx off` (the documentation's own tests do that too), since
  the userspace datapath of 3.1 does not complete checksums by default.
- AF_XDP ports: `pmd-cpu-mask` gives the polling thread the last core (howto "Open vSwitch with AF_XDP").
- Userspace TSO (`userspace-tso-enable`, off by default, called experimental): offloads stay on; it has no tunnels.
- Tunnels: integration bridge and physical bridge with the VTEP's address, as in "Connecting VMs Using Tunnels (Userspace)".
"""

import contextlib
import shutil

from support.namespaces import ip
from support.ovs import OpenVSwitch
from support.shell import run

from .contender import Contender, End, no_offload
from .kernel import kernel_far_end
from .processor import CORES
from .settings import Unavailable

PMD = f"pmd-cpu-mask={1 << (CORES - 1):#x}"


class OVSContender(Contender):
    """What all of them share: instances, and that they are stopped while others are measured."""

    port_type = None
    must_work = False
    options = ()

    def __init__(self):
        super().__init__()
        self.instances = []

    def start(self, namespace):
        if not shutil.which("ovs-vswitchd"):
            raise Unavailable("Open vSwitch is not installed (openvswitch-switch)")
        instance = OpenVSwitch(namespace, *self.options)
        self.instances.append(instance)
        return instance

    def port(self, instance, bridge, name, *settings):
        """Adds a port and sees that Open vSwitch could open it."""
        words = [*(["type=" + self.port_type] if self.port_type and not settings else []), *settings]
        instance.vsctl("add-port", bridge, name, *(["--", "set", "interface", name, *words] if words else []))
        error = instance.vsctl("get", "interface", name, "error").strip()
        if error not in ("[]", '""'):
            raise Unavailable(f"Open vSwitch cannot open a port of type {self.port_type or 'system'}: {error}")

    def pids(self):
        found = []
        for instance in self.instances:
            try:
                with open(f"{instance.directory}/ovs-vswitchd.pid") as file:
                    found.append(int(file.read()))
            except FileNotFoundError:
                pass
        return found

    def never_sleeps(self):
        return True

    def pinned(self):
        """Polling threads are placed by `pmd-cpu-mask`."""
        return contextlib.nullcontext() if self.port_type == "afxdp" else super().pinned()

    def release(self):
        for instance in self.instances:
            instance.close()
        self.instances = []


class OVSLocal(OVSContender):
    key, title = "ovs", "Open vSwitch userspace, veth ports"
    tags = ()

    def build(self):
        host, one, two = self.space("sw", "a", "b")
        self.a, self.b = End(one, "10.1.0.1"), End(two, "10.1.0.2")
        for number, end in enumerate((self.a, self.b)):
            self.cable(host, f"p{number}", end)
            if not any("tso" in option for option in self.options):
                no_offload(end)
        instance = self.start(host)
        instance.add_bridge("br0")
        ip(host, "link set br0 up")
        for number in range(2):
            self.port(instance, "br0", f"p{number}")


class OVSXDP(OVSLocal):
    key, title = "xdp", "Open vSwitch userspace, AF_XDP ports, polling thread"
    port_type, options = "afxdp", (PMD,)


class OVSTSO(OVSLocal):
    key, title = "tso", "Open vSwitch userspace, veth ports, experimental TSO"
    options = ("userspace-tso-enable=true",)


class OVSTunnel(OVSContender):
    """Open vSwitch at one end, or at both; tunnels by `kind`."""

    kind = "vxlan"
    both = True

    def build(self):
        one, two, a, b = self.space("h1", "h2", "a", "b")
        self.join((one, "under", None), (two, "under", None))
        self.a, self.b = End(a, "10.1.0.1"), End(b, "10.1.0.2")
        self.end(one, self.a, "192.0.2.1", "192.0.2.2")
        if self.both:
            self.end(two, self.b, "192.0.2.2", "192.0.2.1")
        else:
            ip(two, "address add 192.0.2.2/24 dev under")
            kernel_far_end(self, two, self.b, "192.0.2.2", "192.0.2.1")
            # Its checksums, too, would arrive incomplete and be dropped.
            run("ethtool", "-K", "under", "tx", "off", namespace=two)
            no_offload(self.b)
        # Its tunnels send nothing before somebody has resolved the neighbour.
        for host, remote in ((one, "192.0.2.2"), (two, "192.0.2.1")):
            run("ping", "-n", "-q", "-c", "2", "-i", "0.2", "-W", "1", remote, namespace=host, check=False)

    def end(self, host, end, vtep, remote):
        self.cable(host, "p", end, 1450 if self.kind == "vxlan" else 1458)
        no_offload(end)
        instance = self.start(host)
        instance.add_bridge("br-phy")
        mac = run("cat", "/sys/class/net/under/address", namespace=host).output.strip()
        instance.vsctl("set", "bridge", "br-phy", f"other_config:hwaddr={mac}")
        self.port(instance, "br-phy", "under")
        ip(host, f"address add {vtep}/24 dev br-phy", "link set br-phy up")
        instance.add_bridge("br-int")
        self.port(instance, "br-int", "p")
        self.port(instance, "br-int", "tunnel0", f"type={self.kind}", f"options:remote_ip={remote}", "options:key=7")


class OVSVXLAN(OVSTunnel):
    key, title = "ovx", "Open vSwitch userspace VXLAN at both ends, veth"


class OVSVXLANKernel(OVSTunnel):
    key, title = "ovk", "Open vSwitch userspace VXLAN, kernel far end"
    both = False


class OVSGRE(OVSTunnel):
    key, title = "ogr", "Open vSwitch userspace GRE at both ends, veth"
    kind = "gre"


class OVSVLAN(OVSContender):
    """Access ports of VLAN 100, and a trunk between the hosts."""

    key, title = "ovl", "Open vSwitch userspace, VLAN 100, veth"

    def build(self):
        one, two, a, b = self.space("h1", "h2", "a", "b")
        self.join((one, "under", None), (two, "under", None))
        self.a, self.b = End(a, "10.1.0.1"), End(b, "10.1.0.2")
        for host, end in ((one, self.a), (two, self.b)):
            self.cable(host, "p", end)
            no_offload(end)
            instance = self.start(host)
            instance.add_bridge("br0")
            self.port(instance, "br0", "under")
            self.port(instance, "br0", "p")
            instance.vsctl("set", "port", "p", "tag=100")


