"""Time of the processors, and who may run where."""

import os
import time

# With more cores than this busy before anything is measured, the machine is not ours.
NOISE = 0.1
_TICKS = os.sysconf("SC_CLK_TCK")
CORES = os.sysconf("SC_NPROCESSORS_ONLN")

# For frames: the generator has the first core, and with it what receives; what forwards has the others.
GENERATOR = 0
FORWARDERS = set(range(1, CORES)) or {0}


def _idle():
    """Seconds that all cores together were idle, and that were stolen from them. The kernel counts idle time by the
    clock, not by ticks (with NO_HZ), so what is left is exact to the 10 ms in which it is printed."""
    with open("/proc/stat") as file:
        fields = [int(word) / _TICKS for word in file.readline().split()[1:9]]
    return fields[3] + fields[4], fields[7]


class Busy:
    """`with Busy() as busy:` afterwards `busy.cores` is how many cores were busy on average, and `busy.stolen` the share
    of time that the machine itself did not get."""

    def __enter__(self):
        self.began = time.monotonic()
        self.idle, self.steal = _idle()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.began
        idle, steal = _idle()
        self.stolen = (steal - self.steal) / self.seconds / CORES
        self.cores = max(0.0, CORES - (idle - self.idle) / self.seconds - (steal - self.steal) / self.seconds)


class Rest:
    """How many cores are busy when nothing is measured: `load`. `share` is what to take off a measurement: the load, or
    nothing when it is somebody else's, who may be gone the next moment."""

    def __init__(self, seconds):
        with Busy() as busy:
            time.sleep(seconds)
        self.load = busy.cores
        self.quiet = self.load <= NOISE
        self.share = self.load if self.quiet else 0.0


def process_seconds(pid):
    """Processor time of a process so far, to the nanosecond: its CPU-time clock (see clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


class Pinned:
    """`with Pinned(pids, cores):` all threads of processes run on these cores only, and afterwards where they did."""

    def __init__(self, pids, cores):
        self.pids, self.cores, self.before = pids, cores, {}

    def __enter__(self):
        for pid in self.pids:
            for thread in map(int, os.listdir(f"/proc/{pid}/task")):
                try:
                    self.before[thread] = os.sched_getaffinity(thread)
                    os.sched_setaffinity(thread, self.cores)
                except ProcessLookupError:
                    pass

    def __exit__(self, *_):
        for thread, cores in self.before.items():
            try:
                os.sched_setaffinity(thread, cores)
            except ProcessLookupError:
                pass


def share_of_memory(pid):
    """Proportional resident memory in bytes: what is shared counts by its sharers."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    raise AssertionError(f"the kernel does not tell the memory of {pid}")
