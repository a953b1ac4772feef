"""What a frame costs among 100 000 networks and a million addresses, and what it costs with one of each."""

import contextlib
import json
import os
import subprocess

from support.namespaces import Namespaces, ip
from support.shell import BINARIES, run
from support.switch import Switch

from . import processor, settings, tools
from .cloud import TRUNK

MAC = "02:00:00:00:00:01"
RATE = 50_000


def measure():
    """Rounds of pairs, one and many: microseconds of all cores for a frame that the built binaries deliver, and
    nanoseconds of the datapath's own code for a frame, without descriptors."""
    segments, macs = (2_000, 20_000) if settings.QUICK else (100_000, 1_000_000)
    found = {"segments": segments, "macs": macs}
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(_Receiver("one", 1, 1))
        many = stack.enter_context(_Receiver("many", segments, macs))
        found["learned"] = many.learn()
        one.learn()
        rest = processor.Rest(0.2 if settings.QUICK else 3)
        found["load"] = rest.load
        found["pairs"] = [[one.cost(rest.share), many.cost(rest.share)] for _ in range(settings.ROUNDS)]
        found["loss"] = max(one.loss, many.loss)
    program = os.path.join(BINARIES, "sluice-journeys")
    if os.access(program, os.X_OK):
        done = subprocess.run([program, "scale", str(segments), str(macs), str(settings.ROUNDS)], capture_output=True,
                              text=True, check=True, timeout=300)
        found["code"] = [[float(word) for word in line.split()] for line in done.stdout.splitlines()]
    return found


class _Receiver:
    """A switch whose networks have one VTEP elsewhere and one VLAN here, on trunk TAPs; and that VTEP."""

    def __init__(self, name, segments, macs):
        self.name, self.segments, self.macs = name, segments, macs
        self.loss = 0
        self.spaces = Namespaces()

    def __enter__(self):
        host, far = f"{self.name}.h", f"{self.name}.far"
        self.host, self.far = host, far
        self.spaces.make_silent(host, far)
        ip(host, f"link add under type veth peer name under netns {far}", "address add 192.0.2.1/24 dev under",
           "link set under up")
        ip(far, "address add 192.0.2.2/24 dev under", "link set under up")
        lines = ["sluice: 1", "hosts: {h1: {vtep: 192.0.2.1}}", "tenants:", "  red:", "    networks:"]
        lines += [f"      n{i}: {{segment: {{type: vxlan, id: {i + 1}}}, remotes: [192.0.2.2]}}" for i in range(self.segments)]
        lines += ["    ports:"]
        self.trunks = 0
        for first in range(0, self.segments, TRUNK):
            vlans = ", ".join(f"{v + 1}: n{first + v}" for v in range(min(TRUNK, self.segments - first)))
            lines.append(f'      t{self.trunks}: {{host: h1, mac: "{MAC}", trunk: {{{vlans}}}, attach: {{tap: t{self.trunks}}}}}')
            self.trunks += 1
        self.switch = Switch(host, "\n".join(lines) + "\n", f"/run/{host}")
        ip(host, *(f"link set t{i} up" for i in range(self.trunks)))
        return self

    def __exit__(self, *_):
        self.switch.stop()
        self.spaces.close()

    def offer(self, seconds):
        said = run(tools.GENERATOR, "tunnel", "192.0.2.1", self.segments, self.macs, MAC, RATE, seconds, namespace=self.far,
                   timeout=seconds + 30)
        return json.loads(said.output)

    def arrived(self):
        """Frames that came out at the trunks."""
        files = [f"/sys/class/net/t{i}/statistics/rx_packets" for i in range(self.trunks)]
        return sum(map(int, run("cat", *files, namespace=self.host).output.split()))

    def learn(self):
        """Every address speaks until it is known; answers how many are."""
        known = 0
        for _ in range(4):
            self.offer(max(0.2, self.macs / RATE))
            known = self.switch.show("status")["learned"]
            if known >= 0.98 * self.macs:
                return known
        raise AssertionError(f"only {known} of {self.macs} addresses were learned")

    def cost(self, idle):
        """Microseconds of all cores for each delivered frame, sender included."""
        before = self.arrived()
        said = self.offer(4 * settings.TRIAL_SECONDS)
        arrived = self.arrived() - before
        self.loss = max(self.loss, 1 - arrived / said["offered"])
        return max(0.0, said["busy"] - idle * said["seconds"]) / max(1, arrived) * 1e6
