"""What is measured: a network between two machines, made by Sluice or by one of its peers."""

import os
import signal

from support.namespaces import Namespaces, ip, mac_of, set_sysctl
from support.shell import run

from . import processor


class End:
    """A machine at one end: a namespace with one interface, `eth0`, and an address."""

    def __init__(self, namespace, address):
        self.namespace, self.address, self.device = namespace, address, "eth0"

    @property
    def mac(self):
        return mac_of(self.namespace, self.device)

    def counter(self, name):
        """An interface counter, as `ip -s` shows it."""
        done = run("cat", f"/sys/class/net/{self.device}/statistics/{name}", namespace=self.namespace)
        return int(done.output)


class Contender:
    """One thing to measure. Built by `up`, which gives it two ends; all contenders of a group stand at the same time,
    and those that are not being measured are paused, because some of them never sleep."""

    key = ""
    title = ""
    # Whether the run fails when it does not work. Other people's programs may have a bad day.
    must_work = True

    def __init__(self):
        self.spaces = Namespaces()
        self.a = self.b = None

    # -- for subclasses

    def build(self):
        """Makes everything, `self.a` and `self.b` included. Raises Unavailable when it cannot work here."""
        raise NotImplementedError

    def pids(self):
        """Processes that forward."""
        return []

    def never_sleeps(self):
        """Whether it has to be stopped while others are measured."""
        return False

    def release(self):
        """Ends what `build` started, before the namespaces go."""

    # -- for measurements

    def up(self):
        try:
            self.build()
            self.greet()
            self.pause()
        except BaseException:
            self.down()
            raise

    def down(self):
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)
        self.release()
        self.spaces.close()

    def pause(self):
        if self.never_sleeps():
            for pid in self.pids():
                os.kill(pid, signal.SIGSTOP)

    def resume(self):
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)
        self.greet()

    def greet(self):
        """Both ends speak once, so that everybody has learned who is where, and it works."""
        last = None
        for _ in range(25):
            last = run("ping", "-n", "-q", "-c", "2", "-i", "0.01", "-W", "1", self.b.address, namespace=self.a.namespace,
                       check=False)
            if last.status == 0:
                return
        raise AssertionError(f"{self.title}: the two ends do not reach each other\n{last}")

    def pinned(self):
        """`with contender.pinned():` what forwards stays off the generator's core."""
        return processor.Pinned(self.pids(), processor.FORWARDERS)

    # -- for building

    def space(self, *names):
        """Makes namespaces of this contender's own, in which the kernel says nothing by itself."""
        full = [self.name(name) for name in names]
        self.spaces.make_silent(*full)
        return full[0] if len(full) == 1 else full

    def name(self, word):
        return f"{self.key}.{word}"

    def cable(self, host, device, end, mtu=1500):
        """A veth pair from a device in `host` to the `eth0` of an end, which gets its address."""
        ip(host, f"link add {device} mtu {mtu} type veth peer name eth0 mtu {mtu} netns {end.namespace}",
           f"link set {device} up")
        self.configure(end, mtu)

    @staticmethod
    def configure(end, mtu=1500, length=24):
        ip(end.namespace, f"link set eth0 mtu {mtu} up", f"address add {end.address}/{length} dev eth0")

    @staticmethod
    def join(one, other, mtu=1500):
        """The underlay of two hosts: a cable between (namespace, device, address or None) and the same."""
        ip(one[0], f"link add {one[1]} mtu {mtu} type veth peer name {other[1]} mtu {mtu} netns {other[0]}")
        for host, device, address in (one, other):
            ip(host, f"link set {device} up", *([f"address add {address}/24 dev {device}"] if address else []))


def no_offload(end):
    """`ethtool -K eth0 tx off`, which peers ask of their users."""
    run("ethtool", "-K", end.device, "tx", "off", namespace=end.namespace)


def forwards(namespace):
    """Makes the kernel of a namespace a router."""
    set_sysctl(namespace, "net/ipv4/ip_forward", 1)
