"""Bulk TCP: goodput, and what a gigabyte costs."""

from . import settings, tools
from .processor import Busy

# Name of the measurement → streams, reversed.
KINDS = {"1 →": (1, False), "1 ←": (1, True), "4 →": (4, False), "4 ←": (4, True)}


def measure(contender, kind, baseline):
    """Gbit/s as the receiver counts, and seconds of all cores for a gigabyte (10^9 bytes) of goodput.

    The processors' time is that of the whole run, divided by the bytes of the whole run: the second that iperf3 leaves
    out counts on both sides.
    """
    streams, reverse = KINDS[kind]
    with Busy() as busy:
        report = tools.iperf3(contender.a, contender.b, settings.BULK_SECONDS, streams, reverse)
    end = report["end"]
    received = end["sum_received"]
    gbits = received["bits_per_second"] / 1e9
    total = sum(interval["sum"]["bytes"] for interval in report["intervals"])
    spent = max(0.0, busy.cores - baseline) * busy.seconds
    return {"gbits": gbits, "cost": spent / (total / 1e9), "stolen": busy.stolen,
            "retransmits": end["sum_sent"].get("retransmits", 0)}
