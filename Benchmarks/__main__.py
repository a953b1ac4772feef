"""`make bench`: everything in one run. `CASES=local-bulk,rtt` runs what has one of these words in its name."""

import os
import platform
import subprocess
import sys
import time

from . import alone, frames, plot, processor, report, settings, tools
from .contender import Contender, End
from .groups import GROUPS
from .interleaved import Group, say
from .settings import Unavailable


class Run:
    """What was measured, and on what."""

    def __init__(self):
        self.groups, self.titles, self.alone, self.skipped = {}, {}, {}, []
        self.settings = {"rounds": settings.ROUNDS, "bulkSeconds": settings.BULK_SECONDS, "loss": settings.LOSS,
                         "quick": settings.QUICK, "cases": settings.CASES}
        self.machine = {"kernel": platform.release(), "cores": processor.CORES, "processor": _processor(),
                        "versions": _versions(), "date": time.strftime("%Y-%m-%d")}

    def measured(self, group, metric):
        return self.groups.get(group, {}).get(metric, {})

    def machine_lines(self):
        machine = self.machine
        lines = [f"{machine['cores']} cores ({machine['processor']}), Linux {machine['kernel']}, "
                 + ", ".join(f"{name} {version}" for name, version in machine["versions"].items()) + ". "
                 f"{settings.ROUNDS} round{'s' * (settings.ROUNDS != 1)}."]
        found = self.alone.get("state-scale")
        loads = dict(machine.get("busyAtRest", {}), **({"scale": found["load"]} if found else {}))
        if "calibration" in machine:
            null = machine["calibration"]
            lines[0] += (f" The generator alone, over a bare cable: {report.number(null['rate'])} frames a second, "
                         f"{null['cost']:.2f} µs of CPU each.")
        if loads:
            lines[0] += f" Busy at rest: at most {max(loads.values()):.3f} cores."
            if max(loads.values()) > processor.NOISE:
                lines.append("\n**The machine was not quiet; times of the processors mean nothing, ratios little.**")
        return lines


def _processor():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())


def _versions():
    """Versions of the Debian packages that are measured or measure."""
    names = {"openvswitch-switch": "Open vSwitch", "vde2": "VDE2", "iperf3": "iperf3"}
    try:
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *names], capture_output=True, text=True)
    except FileNotFoundError:
        return {}
    return {names[line.split()[0]]: line.split()[1] for line in done.stdout.splitlines() if len(line.split()) == 2}


class Null(Contender):
    """A cable."""

    key, title = "nul", "bare cable"

    def build(self):
        one, two = self.space("a", "b")
        self.a, self.b = End(one, "10.1.0.1"), End(two, "10.1.0.2")
        self.cable(two, "eth0", self.a)
        self.configure(self.b)


def calibrate(run):
    """The generator has to be faster than what it measures."""
    null = Null()
    null.up()
    try:
        run.machine["calibration"] = found = frames.calibrate(null)
    finally:
        null.down()
    say(f"== The generator alone: {found['rate']:,.0f} frames/s, {found['cost']:.2f} CPU µs/frame, loss {found['loss']:.2%}")


def main():
    began = time.monotonic()
    tools.compile_all()
    run = Run()
    groups = [Group(name) for name in GROUPS]
    groups = [group for group in groups if group.metrics]
    singles = {name: case for name, case in alone.CASES.items() if settings.wanted(name)}
    if not groups and not singles:
        names = [f"{name}-{metric.name}" for name in GROUPS for metric in Group.all_metrics(name)] + list(alone.CASES)
        sys.exit("CASES names none of: " + " ".join(names))
    seconds = sum(group.estimate() for group in groups) + (0 if settings.QUICK else sum(s for _, s, _ in singles.values()))
    say(f"This takes about {seconds / 60:.0f} minutes." if seconds > 90 else "This takes a minute or two.")
    if any(metric.name == "frames" for group in groups for metric in group.metrics):
        calibrate(run)
    for group in groups:
        group.run()
        run.groups[group.name], run.titles[group.name] = group.results, group.titles
        run.skipped += group.skipped
        run.machine.setdefault("busyAtRest", {}).update({group.name: load for load in group.loads})
    for name, (measure, _, title) in singles.items():
        started = time.monotonic()
        try:
            run.alone[name] = measure()
            told = ", ".join(f"{key} {value:.4g}" for key, value in run.alone[name].items() if isinstance(value, (int, float)))
            say(f"== {title}: {told}  ({time.monotonic() - started:.1f} s)")
        except Unavailable as reason:
            run.skipped.append({"group": "alone", "title": title, "what": name, "why": str(reason), "failed": False})
            say(f"== {title}: skipped: {reason}")
        except (AssertionError, subprocess.CalledProcessError) as failure:
            run.skipped.append({"group": "alone", "title": title, "what": name, "why": settings.brief(failure),
                                "failed": True})
            say(f"== {title}: FAILED: {failure}")
    report.write(run, settings.RESULTS)
    plot.write(run, settings.RESULTS)
    print("\n".join(report.required(run)))
    say(f"{time.monotonic() - began:.0f} s. Results are in {os.path.relpath(settings.RESULTS)}: RESULTS.md, results.json, results.svg.")
    sys.exit(verdict(run))


def verdict(run):
    """Nothing fails by being slow. What failed to run, or lost a frame where none may be lost, does."""
    problems = [f"{each['title']}, {each['what']}: {each['why']}" for each in run.skipped if each["failed"]]
    lost = run.alone.get("state-cloud", {})
    if lost.get("lost") or lost.get("twice"):
        problems.append(f"{lost['lost']} frames were lost and {lost['twice']} came twice while a port was changed")
    for group, result in run.groups.items():
        for metric, table in result.items():
            for kind, row in table.items():
                problems += [f"{group} {metric} {kind}: {contender} has no numbers" for contender, found in row.items()
                             if len(found) != settings.ROUNDS]
    for problem in problems:
        say(f"PROBLEM: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    main()
