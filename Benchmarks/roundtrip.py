"""Round trips of a small datagram: between two processes that wait, or answered by the far kernel."""

import contextlib
import json

from support.shell import end, run, start

from . import settings
from .tools import PINGPONG

# Kind → port; 0 stands for ICMP echo.
PORTS = {"UDP": 7007, "ICMP": 0}
BYTES = 64


@contextlib.contextmanager
def _answering(machine, port):
    process = start(PINGPONG, "answer", machine.address, port, namespace=machine.namespace)
    try:
        assert process.stdout.readline() == "ready\n", "pingpong does not listen"
        yield
    finally:
        end(process)


def measure(contender, kind, baseline):
    """Percentiles in microseconds."""
    port, there = PORTS[kind], contender.b
    with _answering(there, port) if port else contextlib.nullcontext():
        done = run(PINGPONG, "ask", there.address, port, settings.TRIP_SECONDS, BYTES, namespace=contender.a.namespace)
    return json.loads(done.output)
