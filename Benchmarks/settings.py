"""What a run is told from outside, and where things are."""

import os

from support.shell import BINARIES
from support.world import REPOSITORY

HERE = os.path.join(REPOSITORY, "Benchmarks")

# `QUICK=1` is a smoke test: every case runs and gives numbers, which mean nothing.
QUICK = os.environ.get("QUICK", "") not in ("", "0")
# Words: a case runs when one of them is a part of its name. Empty: all.
CASES = [word for word in os.environ.get("CASES", "").replace(",", " ").split() if word]

# Keys of contenders, as in results.json: the others are left out.
ONLY = [word for word in os.environ.get("ONLY", "").replace(",", " ").split() if word]

ROUNDS = int(os.environ.get("ROUNDS", "1" if QUICK else "7"))
# Seconds of each measurement: bulk TCP, round trips, and one trial of the search for a rate.
BULK_SECONDS = float(os.environ.get("SECONDS_EACH", "0.4" if QUICK else "2"))
TRIP_SECONDS = 0.2 if QUICK else 1.0
TRIAL_SECONDS = 0.1 if QUICK else 0.5
# A rate holds when at most this share of the frames is lost (RFC 9971 calls it the loss ratio of a goal).
LOSS = 0.005
# The search ends when the rates that hold and do not hold are this close.
WIDTH = 0.5 if QUICK else 0.04

# A run of everything is what the repository keeps; a part of it, or a smoke test, stays in the build directory.
SCRATCH = os.path.join(os.path.dirname(BINARIES), "bench")
RESULTS = os.environ.get("RESULTS") or (SCRATCH if QUICK or CASES or ONLY else HERE)


def wanted(name):
    """Whether a case of this name was asked for."""
    return not CASES or any(word in name for word in CASES)


class Unavailable(Exception):
    """Something that cannot be measured here and now; says why, in a sentence."""


def brief(failure):
    """A failure in one line."""
    lines = [line.strip() for line in str(failure).splitlines()]
    return " ".join(line for line in lines if line and not line.startswith("---"))[:300]
