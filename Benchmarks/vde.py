"""VDE2's switch with two TAPs."""

import os
import shutil
import tempfile

from support.namespaces import ip
from support.shell import end, start, wait_until

from .contender import Contender, End
from .settings import Unavailable


class VDE(Contender):
    key, title = "vde", "VDE2, TAPs"
    must_work = False

    def __init__(self):
        super().__init__()
        self.process = self.directory = None

    def build(self):
        if not shutil.which("vde_switch"):
            raise Unavailable("VDE2 is not installed (vde2)")
        host, one, two = self.space("sw", "a", "b")
        self.a, self.b = End(one, "10.1.0.1"), End(two, "10.1.0.2")
        self.directory = tempfile.mkdtemp(prefix="vde", dir="/run")
        # It makes the TAPs itself. Without -daemon it reads commands from its standard input and ends when that does.
        self.process = start(
            "vde_switch", "-s", os.path.join(self.directory, "control"), "-t", "vdetap0", "-t", "vdetap1", "-d",
            "-p", os.path.join(self.directory, "pid"), namespace=host)
        wait_until(lambda: os.path.exists(os.path.join(self.directory, "pid")), "vde_switch to start")
        for number, machine in enumerate((self.a, self.b)):
            ip(host, f"link set vdetap{number} netns {machine.namespace} name eth0")
            self.configure(machine)

    def pids(self):
        try:
            with open(os.path.join(self.directory or "/nonexistent", "pid")) as file:
                return [int(file.read())]
        except FileNotFoundError:
            return []

    def release(self):
        for pid in self.pids():
            os.kill(pid, 15)
        if self.process:
            end(self.process)
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)
