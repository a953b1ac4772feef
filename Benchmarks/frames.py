"""Frames a second that get through, and what one costs: a search for the highest rate at which at most 0.5 % are lost."""

import time

from . import settings, tools
from .processor import GENERATOR

# 64 bytes, and CSIT's IMIX_v4_1 (353 bytes on average).
SIZES = {"64": "64", "imix": "64x28,570x16,1518x4"}
FIRST, MOST = 40_000, 8_000_000


class Trial:
    """What became of the frames of one attempt."""

    def __init__(self, contender, sizes, rate, seconds):
        sink = contender.b
        before = sink.counter("rx_packets")
        said = tools.offer(contender.a, sink, sizes, rate, seconds, GENERATOR)
        after = _settled(sink)
        self.offered, self.seconds = said["offered"], said["seconds"]
        self.arrived = min(after - before, self.offered)
        self.busy, self.stolen = said["busy"], said["stolen"]
        self.rate = self.arrived / self.seconds
        self.loss = 1 - self.arrived / self.offered
        # Whoever forwards in the sender's own context slows it down instead of losing frames.
        self.kept_pace = self.offered / self.seconds > 0.95 * rate

    @property
    def holds(self):
        return self.loss <= settings.LOSS


def _settled(sink):
    """The sink's counter once it no longer moves."""
    last = sink.counter("rx_packets")
    while True:
        time.sleep(0.03)
        now = sink.counter("rx_packets")
        if now == last:
            return now
        last = now


def _holds(contender, sizes, rate):
    """A trial that holds; or, when two did not, the better one: a machine's hiccup is not the switch's loss."""
    first = Trial(contender, sizes, rate, settings.TRIAL_SECONDS)
    if first.holds:
        return first
    second = Trial(contender, sizes, rate, settings.TRIAL_SECONDS)
    return second if second.loss < first.loss else first


def search(contender, sizes, guess=None):
    """The trial with the highest rate that holds, to within `settings.WIDTH`. `guess` is an earlier answer."""
    rate, step = (guess, 1.25) if guess else (FIRST, 2)
    best = low = high = None
    while rate < MOST:
        trial = _holds(contender, sizes, rate)
        if trial.holds:
            best, low = trial if best is None or trial.rate > best.rate else best, rate
            if not trial.kept_pace:
                break  # no faster sender here
        else:
            high = rate
        if low is None:
            rate /= step
            if rate < 100:
                return trial
        elif high is None:
            rate *= step
        elif high / low < 1 + settings.WIDTH:
            break
        else:
            rate = (high * low) ** 0.5
    return best


def measure(contender, size, baseline, guess=None):
    """Frames a second, and microseconds of all cores for each that arrived, at the rate that was found."""
    with contender.pinned():
        found = search(contender, SIZES[size], guess)
        # Once more at that rate, for longer: this is what is written down.
        for _ in range(6):
            final = Trial(contender, SIZES[size], found.rate, 2 * settings.TRIAL_SECONDS)
            if final.holds:
                break
            found.rate *= 1 - settings.WIDTH
    cost = max(0.0, final.busy - baseline * final.seconds) / max(1, final.arrived)
    return {"rate": final.rate, "loss": final.loss, "cost": cost * 1e6,
            "stolen": final.stolen / final.seconds, "senderBound": not found.kept_pace}


def calibrate(contender):
    """How fast the generator is when nothing forwards: over a bare cable, what arrives at the other end is dropped there."""
    trial = None
    rate = 400_000
    while rate < MOST:
        trial = Trial(contender, SIZES["64"], rate, settings.TRIAL_SECONDS)
        if not trial.kept_pace:
            break
        rate *= 1.5
    return {"rate": trial.rate, "loss": trial.loss, "cost": trial.busy / max(1, trial.arrived) * 1e6}
