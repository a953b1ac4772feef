"""The world that the tests run in, and what is in it: processes, namespaces, interfaces, mounts.

`.ci/world` gives the session network, mount and process namespaces of its own, so that names cannot clash with anything
on the machine, nothing outlives the session, and what a test leaves behind is plain to see.
"""

import os
import subprocess
import sys

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def enter(arguments):
    """Starts this program again inside a world, unless it is there already. Does not return when it does."""
    if os.environ.get("SLUICE_WORLD"):
        return
    world = os.path.join(REPOSITORY, ".ci", "world")
    os.execv(world, [world, sys.executable, "-m", "pytest", *arguments])


def _process(pid):
    with open(f"/proc/{pid}/stat") as file:
        state = file.read().rpartition(")")[2].split()[0]
    if state in "ZX":
        return None
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().replace(b"\0", b" ").decode(errors="replace").strip()


def processes():
    """Command lines of living processes by process id."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            line = _process(entry)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if line:
            found[int(entry)] = line
    return found


def residue():
    """What a user would look at to see whether anything was left: comparable before and after."""

    def words(*command):
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return sorted(line.split()[0].split("@")[0].rstrip(":") for line in output.splitlines() if line.strip())

    with open("/proc/self/mounts") as file:
        mounts = sorted(line.split()[1] for line in file)
    runs = []
    for base in ("/run/sluice", os.environ.get("SLUICE_RUN_DIR", "/run/sluice")):
        for directory, _, files in os.walk(base):
            runs += [os.path.join(directory, name) for name in files]
    return {
        "namespaces": words("ip", "netns"),
        "interfaces": words("ip", "-brief", "link"),
        "mounts": [mount for mount in mounts if not mount.startswith("/run/netns")],
        "processes": sorted(f"{pid} {line}" for pid, line in processes().items() if not line.startswith("ip ")),
        "files": sorted(set(runs)),
    }


def difference(before, after):
    """The difference between two residues as lines of text, empty if there is none."""
    lines = []
    for kind in before:
        lines += [f"{kind}: {item} was left" for item in after[kind] if item not in before[kind]]
        lines += [f"{kind}: {item} is gone" for item in before[kind] if item not in after[kind]]
    return lines
