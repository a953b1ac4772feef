"""Network namespaces of the tests' own, and the cables between them."""

import ctypes
import json
import os
import signal

from .shell import run, wait_until

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_HOME = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class entered:
    """`with entered(name):` what this thread opens belongs to that namespace."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        if self.name is None:
            return
        descriptor = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(descriptor)
        finally:
            os.close(descriptor)

    def __exit__(self, *_):
        _setns(_HOME)


def _setns(descriptor):
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Namespaces:
    """Makes namespaces and removes them, with everything that runs in them."""

    def __init__(self):
        self.names = []

    def make(self, *names):
        for name in names:
            run("ip", "netns", "add", name)
            self.names.append(name)
            ip(name, "link set lo up")
        return names[0] if len(names) == 1 else names

    def make_silent(self, *names):
        """Namespaces in which no interface speaks IPv6: a test sees its own frames and no others."""
        self.make(*names)
        for name in names:
            set_sysctl(name, "net/ipv6/conf/default/disable_ipv6", 1)

    def remove(self, name):
        self.names.remove(name)
        end_inhabitants(name)
        run("ip", "netns", "delete", name)

    def close(self):
        for name in reversed(list(self.names)):
            if os.path.exists(f"/run/netns/{name}"):
                self.remove(name)


def end_inhabitants(name):
    """Kills what runs in a namespace and waits until it is gone."""

    def inhabitants():
        found = run("ip", "netns", "pids", name, check=False).output.split()
        return [int(pid) for pid in found if int(pid) != os.getpid()]

    for pid in inhabitants():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    wait_until(lambda: not inhabitants(), f"the processes in {name} to end")


def ip(namespace, *lines):
    """Runs lines of `ip` in a namespace, all at once."""
    words = ["ip"] + (["-netns", namespace] if namespace else [])
    run(*words, "-batch", "-", text="\n".join(lines) + "\n")


def cable(a, b, mtu=1500, silent=True):
    """A veth pair from (namespace, device) to (namespace, device), both up.

    A silent end has no IPv6 at all: the kernel says nothing on it by itself, and the tests see only their own frames.
    """
    (space_a, name_a), (space_b, name_b) = a, b
    there = f" netns {space_b}" if space_b else ""
    ip(space_a, f"link add {name_a} mtu {mtu} type veth peer name {name_b} mtu {mtu}{there}")
    for space, name in (a, b):
        if silent:
            set_sysctl(space, f"net/ipv6/conf/{name}/disable_ipv6", 1)
        ip(space, f"link set {name} up")


def address(namespace, device, *prefixes):
    """Gives a device addresses, IPv6 ones without duplicate detection, so that they work at once."""
    if any(":" in prefix for prefix in prefixes):
        set_sysctl(namespace, f"net/ipv6/conf/{device}/disable_ipv6", 0)
    ip(namespace, *(f"address add {prefix} dev {device}{' nodad' if ':' in prefix else ''}" for prefix in prefixes))


def set_sysctl(namespace, name, value):
    """Sets a kernel parameter of a network namespace."""
    with entered(namespace), open(f"/proc/sys/{name}", "w") as file:
        file.write(str(value))


def mac_of(namespace, device):
    """The MAC of a device, as text."""
    return link(namespace, device)["address"]


def link(namespace, device):
    """What `ip` says about a device; None when there is none."""
    words = ["ip"] + (["-netns", namespace] if namespace else [])
    done = run(*words, "-json", "-details", "address", "show", "dev", device, check=False)
    return json.loads(done.output)[0] if done.status == 0 else None
