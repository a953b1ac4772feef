"""One group: everything stands, and each round measures everybody once, there and back: A B C, C B A, A B C …"""

import contextlib
import sys
import time

from . import processor, settings, tools
from .groups import GROUPS, TITLES, metrics


def say(text):
    print(text, file=sys.stderr, flush=True)


class Group:
    """Runs the wanted metrics of a group. `results[metric][kind][contender]` is a list, one entry a round."""

    def __init__(self, name):
        self.name = name
        self.metrics = [metric for metric in self.all_metrics(name) if settings.wanted(f"{name}-{metric.name}")]
        self.results = {}
        self.skipped = []
        self.titles = {}
        self.loads = []

    @staticmethod
    def all_metrics(name):
        return metrics(name)

    def estimate(self):
        """Seconds, more or less."""
        return 6 + settings.ROUNDS * sum(
            metric.seconds * len(metric.kinds) * sum(metric.does(each) for each in GROUPS[self.name])
            for metric in self.metrics)

    def run(self):
        if not self.metrics:
            return
        say(f"== {TITLES[self.name]}")
        with contextlib.ExitStack() as stack:
            standing = []
            for kind in GROUPS[self.name]:
                if settings.ONLY and kind.key not in settings.ONLY:
                    continue
                contender = kind()
                try:
                    contender.up()
                except settings.Unavailable as reason:
                    self.skip(contender, "all", str(reason))
                    continue
                except AssertionError as failure:
                    self.skip(contender, "all", f"could not be set up: {settings.brief(failure)}", failed=True)
                    continue
                stack.callback(contender.down)
                standing.append(contender)
                self.titles[contender.key] = contender.title
            servers = {each.key: stack.enter_context(tools.Server(each.b)) for each in standing}
            assert servers or not standing
            time.sleep(0 if settings.QUICK else 1)
            rest = processor.Rest(0.3 if settings.QUICK else 3)
            self.idle = rest.share
            self.loads.append(rest.load)
            say(f"   with {len(standing)} networks standing and nobody talking, {rest.load:.3f} cores are busy"
                + ("" if rest.quiet else ": NOT QUIET, times of the processors mean nothing"))
            for metric in self.metrics:
                self.measure(metric, [each for each in standing if metric.does(each)])

    def measure(self, metric, contenders):
        table = self.results[metric.name] = {kind: {each.key: [] for each in contenders} for kind in metric.kinds}
        for number in range(settings.ROUNDS):
            for kind in metric.kinds:
                for contender in contenders if number % 2 == 0 else contenders[::-1]:
                    if contender.key in table[kind]:
                        self.once(metric, kind, contender, table[kind], number)

    def once(self, metric, kind, contender, row, number):
        """One measurement; what fails is left out from then on, with a sentence."""
        began = time.monotonic()
        try:
            contender.resume()
            try:
                more = {}
                if metric.name == "frames" and row[contender.key]:
                    more["guess"] = row[contender.key][-1]["rate"]
                result = metric.measure(contender, kind, self.idle, **more)
            finally:
                contender.pause()
        except AssertionError as failure:
            del row[contender.key]
            self.skip(contender, f"{metric.name} {kind}", settings.brief(failure), failed=True)
            return
        row[contender.key].append(result)
        told = ", ".join(f"{result[key]:,.4g} {unit}" for key, (unit, _) in metric.values.items())
        say(f"   {self.name} {metric.name} {kind}, round {number + 1} of {settings.ROUNDS}: {contender.title}: {told}"
            f"  ({time.monotonic() - began:.1f} s)")

    def skip(self, contender, what, why, failed=False):
        self.skipped.append(
            {"group": self.name, "contender": contender.key, "title": contender.title, "what": what, "why": why,
             "failed": failed and contender.must_work})
        say(f"   {'FAILED' if failed else 'skipped'}: {contender.title}, {what}: {why}")


