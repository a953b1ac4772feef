"""Who is measured beside whom, and how."""

from . import bulk, frames, roundtrip, settings
from .kernel import KernelBridge, KernelRouter, KernelVXLAN
from .openvswitch import OVSGRE, OVSTSO, OVSVLAN, OVSVXLAN, OVSXDP, OVSLocal, OVSVXLANKernel
from .sluice import (SluiceDevice, SluiceGRE, SluiceGREDevice, SluiceIPIP, SluiceIPIPDevice, SluiceKernel, SluiceRouted,
                     SluiceRoutedVeth, SluiceTAP, SluiceUplink, SluiceVeth, SluiceVLAN, SluiceVXLAN, SluiceVXLANDevice)
from .vde import VDE

# The first of each group is what the table compares the others with, unless it is not there.
GROUPS = {
    "local": [KernelBridge, SluiceTAP, SluiceVeth, OVSLocal, OVSXDP, OVSTSO, VDE],
    "tunnel": [KernelVXLAN, SluiceVXLAN, SluiceVXLANDevice, SluiceKernel, SluiceUplink, SluiceDevice, SluiceGRE,
               SluiceGREDevice, SluiceIPIP, SluiceIPIPDevice, OVSVXLAN, OVSVXLANKernel, OVSGRE],
    "vlan": [OVSVLAN, SluiceVLAN],
    "routed": [KernelRouter, SluiceRouted, SluiceRoutedVeth],
}

TITLES = {
    "local": "Two machines on one host",
    "tunnel": "Two hosts, a tunnel between them",
    "vlan": "Two hosts, a provider network between them",
    "routed": "Two networks, a router between them",
}


class Metric:
    """A way to measure: its name, its unit, the kinds it comes in, and who does it."""

    def __init__(self, name, title, kinds, measure, seconds, values, leave_out=()):
        self.name, self.title, self.kinds, self.measure, self.seconds = name, title, kinds, measure, seconds
        # What is told of it: key of a result → unit, and whether more is better.
        self.values = values
        self.leave_out = set(leave_out)

    def does(self, contender):
        return contender.key not in self.leave_out


BULK = {"gbits": ("Gbit/s", True), "cost": ("CPU s/GB", False)}
FRAMES = {"rate": ("frames/s", True), "cost": ("CPU µs/frame", False)}
TRIP = {"p50": ("µs p50", False), "p99": ("µs p99", False)}


def metrics(group):
    """The metrics of a group. Frames with an EtherType that nobody routes are for bridges only."""
    per_bulk, per_search = max(1, settings.BULK_SECONDS) + (0.1 if settings.QUICK else 1.3), 9 * settings.TRIAL_SECONDS + 1
    kinds = list(bulk.KINDS)[:1] if settings.QUICK else list(bulk.KINDS)
    made = [Metric("bulk", "bulk TCP", kinds, bulk.measure, per_bulk, BULK)]
    if group in ("local", "tunnel"):
        sizes = ["64", "imix"] if group == "local" else ["64"]
        made.append(Metric("frames", "frames at 0.5 % loss", sizes, frames.measure, per_search, FRAMES, ["ipi", "ipd"]))
    if group != "vlan":
        made.append(Metric("rtt", "round trip", list(roundtrip.PORTS), roundtrip.measure, settings.TRIP_SECONDS + 0.2, TRIP))
    return made
