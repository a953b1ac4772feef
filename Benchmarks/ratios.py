"""Ratios of pairs that were measured within seconds of each other, and how sure one may be of their median."""

import random
import statistics


class Summary:
    """Some numbers: median, extremes, and a 95 % interval of the median."""

    def __init__(self, values):
        self.values = sorted(values)
        self.median = statistics.median(self.values)
        self.least, self.most = self.values[0], self.values[-1]
        self.low, self.high = interval(self.values)

    def json(self):
        return {name: _rounded(getattr(self, name)) for name in ("median", "least", "most", "low", "high")} | {
            "count": len(self.values)}


def _rounded(value):
    return float(f"{value:.4g}")


def pairs(ours, theirs):
    """The ratio of each round, of two lists by round."""
    return [a / b for a, b in zip(ours, theirs) if b]


def interval(values, draws=2000):
    """Bootstrap: the medians of random draws from these values, without the outermost 2.5 % on either side. The same
    values give the same answer."""
    chance = random.Random(7)
    medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(draws))
    return medians[int(0.025 * draws)], medians[int(0.975 * draws) - 1]
