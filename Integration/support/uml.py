"""A second Linux kernel as the far end: user-mode Linux, with the devices that this machine's kernel may lack.

Boots in about three seconds from the host's own file system (read-only). Its network devices are TAPs on bridges with
interfaces of a namespace, so that the host's kernel does for it what it cannot do itself (segment UDP, for one).
"""

import json
import os
import select
import shutil
import subprocess
import tempfile
import time

from .namespaces import ip, link, set_sysctl
from .shell import REPOSITORY, inside

MODULES = ["ipv6", "ip_gre", "ip6_gre", "ipip", "sit", "ip6_tunnel", "8021q", "vxlan", "bridge", "veth"]

# The program is read first, in case the repository is below a directory that the guest covers.
_INIT = """#!/bin/sh
program=$(cat {guest})
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmpfs /run; mkdir /run/tmp; export TMPDIR=/run/tmp
mkdir -p /run/netns /run/m/lib/modules; ln -s /usr/lib/uml/modules/$(uname -r) /run/m/lib/modules/
for module in {modules}; do modprobe -d /run/m $module; done
ip link set lo up
stty raw -echo
exec /usr/bin/python3 -u -c "$program"
"""


class Guest:
    """A running guest. `run` runs a command line in it by its shell."""

    def __init__(self, namespace, *devices, memory="160M"):
        """`devices` are interfaces of the namespace; they become vec0, vec1, … in the guest."""
        # The path of its sockets must be short.
        self.directory = tempfile.mkdtemp(prefix="uml", dir="/run")
        guest = os.path.join(REPOSITORY, "Integration", "support", "guest.py")
        init = os.path.join(self.directory, "init")
        with open(init, "w") as file:
            file.write(_INIT.format(modules=" ".join(MODULES), guest=guest))
        os.chmod(init, 0o755)
        self._plug(namespace, devices)
        # Without `gro` it throws away the super-frames that the TAP brings it.
        vectors = [
            f"vec{i}:transport=tap,ifname=vec{i},depth=128,gro=1,mtu={link(namespace, device)['mtu']}"
            for i, device in enumerate(devices)]
        self.errors = open(os.path.join(self.directory, "errors"), "w+")
        self.process = subprocess.Popen(
            inside(namespace, [
                "linux.uml", f"mem={memory}", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}",
                "con0=fd:0,fd:1", "con=null", "quiet", f"uml_dir={self.directory}", *vectors]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, bufsize=0)
        self.buffer = b""
        self.number = 0
        try:
            assert self._line(60) == b"ready"
        except BaseException:
            self.close()
            raise
        for i in range(len(devices)):
            self.run(f"sysctl -qw net.ipv6.conf.vec{i}.disable_ipv6=1; ip link set vec{i} up")

    @staticmethod
    def _plug(namespace, devices):
        for i, device in enumerate(devices):
            for name in (f"plug{i}", f"vec{i}"):
                # Neither end has a say in what the guest and the switch talk about.
                ip(namespace, f"tuntap add {name} mode tap" if name.startswith("vec") else
                   f"link add {name} type bridge mcast_snooping 0")
                set_sysctl(namespace, f"net/ipv6/conf/{name}/disable_ipv6", 1)
            mtu = link(namespace, device)["mtu"]
            ip(namespace, f"link set vec{i} mtu {mtu} master plug{i} up", f"link set {device} master plug{i} up",
               f"link set plug{i} up")

    def _line(self, patience):
        """The next line that the guest's program wrote; the kernel's own are passed over."""
        deadline = time.monotonic() + patience
        while True:
            line, newline, rest = self.buffer.partition(b"\n")
            if newline:
                self.buffer = rest
                if line.startswith(b"\x01"):
                    return line[1:].rstrip(b"\r")
                continue
            left = deadline - time.monotonic()
            readable = select.select([self.process.stdout], [], [], max(0, left))[0]
            assert readable, f"the guest said nothing for {patience} s; before: {line!r}"
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                self.errors.seek(0)
                raise AssertionError(f"the guest ended: {line!r}\n{self.errors.read()[-2000:]}")
            self.buffer += data

    def run(self, command, check=True, patience=60):
        """Runs a command line; answers its output."""
        self.number += 1
        self.process.stdin.write(json.dumps([self.number, command]).encode() + b"\n")
        number = 0
        while number != self.number:  # the answer to an earlier one may come late
            number, status, output = json.loads(self._line(patience))
        if check:
            assert status == 0, f"in the guest, `{command}` ended with {status}:\n{output}"
        return output

    def ping(self, target, count=2, size=None, check=True):
        words = f"ping -n -q -c {count} -i 0.05 -W 5" + (f" -s {size} -M do" if size is not None else "")
        output = self.run(f"{words} {target}", check=False)
        if check:
            assert f"{count} received" in output, output
        return output

    def close(self):
        try:
            if self.process.poll() is None:
                self.process.stdin.write(b"null\n")
                self.process.wait(10)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.errors.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
