"""A switch under test: `sluice run` in a host namespace that the test made itself, with far ends that are not Sluice."""

import json
import os
import signal
import subprocess

from .shell import SLUICE, run, start, wait_until
from .workers import with_workers


class Questions:
    """What one may ask a running switch, given its run directory."""

    directory: str

    def sluice(self, *words, check=True, **options):
        return run(SLUICE, *words, "--run-dir", self.directory, check=check, **options)

    def show(self, what, *words):
        """`sluice show WHAT --json`, as Python values."""
        return json.loads(self.sluice("show", what, "--json", *words).output)

    def ports(self):
        return {port["name"]: port for port in self.show("ports")}

    def uplinks(self):
        return {uplink["name"]: uplink for uplink in self.show("uplinks")}

    def port(self, name):
        return self.ports()[name]

    def state(self, name):
        return {**self.uplinks(), **self.ports()}[name]["state"]

    def drops(self, port=None, network=None):
        """Counts of dropped frames by reason, at one port (or uplink), in one network, or at all ports together."""
        view = self.show("drops")
        counts = {}
        for row in view["networks"] if network else view["endpoints"]:
            if row["name"] == (network or port or row["name"]):
                counts[row["reason"]] = counts.get(row["reason"], 0) + row["count"]
        return counts

    def dropped(self, **where):
        """`with switch.dropped() as count:` afterwards `count["reason"]` is how many were dropped for it inside."""
        return _Difference(lambda: self.drops(**where))

    def events(self):
        """Counts of what is worth counting and not a drop, by name."""
        return {event["name"]: event["count"] for event in self.show("counters")["events"]}

    def happened(self):
        return _Difference(self.events)

    def trace(self, *words, check=True):
        return json.loads(self.sluice("trace", "--json", *words, check=check).output)

    def pid(self, which):
        """The process id of `control` or `datapath`, or None."""
        try:
            with open(os.path.join(self.directory, f"{which}.pid")) as file:
                pid = int(file.read().split()[0])
            os.kill(pid, 0)
            with open(f"/proc/{pid}/stat") as file:
                return None if file.read().rpartition(")")[2].split()[0] in "ZX" else pid
        except (FileNotFoundError, ProcessLookupError, IndexError, ValueError):
            return None

    def kill(self, which, number=signal.SIGKILL):
        """Sends a signal to `control` or `datapath`; answers the process id."""
        pid = self.pid(which)
        assert pid, f"there is no {which} process of {self.directory}"
        os.kill(pid, number)
        return pid

    def memory(self, which):
        """Resident memory in bytes."""
        with open(f"/proc/{self.pid(which)}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class _Difference:
    def __init__(self, read):
        self.read = read
        self.counts = {}

    def __enter__(self):
        self.before = self.read()
        return self

    def __exit__(self, *_):
        self.refresh()

    def refresh(self):
        after = self.read()
        self.counts = {
            name: count - self.before.get(name, 0) for name, count in after.items() if count != self.before.get(name, 0)}
        return self

    def __getitem__(self, name):
        return self.counts.get(name, 0)

    def total(self):
        return sum(self.counts.values())

    def __repr__(self):
        return repr(self.counts)


class Switch(Questions):
    """`sluice run` for one host of a topology."""

    def __init__(self, namespace, topology, directory, host="h1", underlay_mtu=1500, wait=True, workers=None):
        self.namespace, self.host, self.directory = namespace, host, str(directory)
        os.makedirs(self.directory, exist_ok=True)
        self.file = os.path.join(self.directory, "topology.yaml")
        self.log = os.path.join(self.directory, "sluice.log")
        self.underlay_mtu, self.workers = underlay_mtu, workers
        self.write(topology)
        self.process = None
        self.run(wait)

    def write(self, topology):
        """The topology, as text or as Python values (JSON is YAML)."""
        topology = with_workers(topology, self.workers)
        with open(self.file, "w") as file:
            file.write(topology if isinstance(topology, str) else json.dumps(topology, indent=1))

    def run(self, wait=True):
        """Starts the control process, and with it the datapath if there is none to take over."""
        reader, writer = os.pipe()
        with open(self.log, "a") as log:
            self.process = start(
                SLUICE, "run", "--host", self.host, "--config", self.file, "--netns", self.namespace, "--run-dir",
                self.directory, "--ready-fd", writer, "--underlay-mtu", self.underlay_mtu,
                pass_fds=[writer], stdout=log, stderr=subprocess.STDOUT)
        os.close(writer)
        with os.fdopen(reader) as ready:
            if wait:
                assert ready.readline() == "ready\n", f"the switch did not start:\n{self.logged()}"

    def logged(self):
        with open(self.log) as file:
            return file.read()[-6000:]

    def apply(self, topology=None, *words, check=True):
        if topology is not None:
            self.write(topology)
        return self.sluice("apply", self.file, *words, check=check)

    def stop(self):
        """Ends both processes as an operator would, and makes sure of it."""
        control, datapath = self.pid("control"), self.pid("datapath")
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"the switch did not end within 5 s of SIGTERM:\n{self.logged()}") from None
        for pid in (control, datapath):
            if pid:
                wait_until(lambda pid=pid: not os.path.exists(f"/proc/{pid}"), f"process {pid} to end", pause=0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Hosted(Questions):
    """A switch that a lab runs."""

    def __init__(self, directory):
        self.directory = directory
