"""Fixtures that every integration test has. The session runs in a world of its own, see `support/world.py`."""

import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from support import shell, world  # noqa: E402
from support.namespaces import Namespaces, cable  # noqa: E402
from support.switch import Switch  # noqa: E402


def pytest_configure(config):
    # Whoever starts us in the background has interrupts ignored, and programs inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "only_on(*values): run for these values of a parameter only")
    if not os.environ.get("SLUICE_WORLD"):
        # pytest has its own files in place of standard output by now.
        config.pluginmanager.getplugin("capturemanager").stop_global_capturing()
        world.enter(config.invocation_params.args)


def pytest_collection_modifyitems(items):
    """`@pytest.mark.only_on(…)`: a test that makes sense for some values of its parameters only."""
    def fits(item):
        mark = item.get_closest_marker("only_on")
        return not mark or any(value in mark.args for value in item.callspec.params.values())

    items[:] = [item for item in items if fits(item)]


def pytest_sessionstart(session):
    for binary in (shell.SLUICE, shell.DATAPATH):
        if not os.access(binary, os.X_OK):
            pytest.exit(f"{binary} is not there: build it with `make` (BUILD=… names another build directory)", 2)
    # What crashes has to end at once without help from here.
    os.environ.pop("SWIFT_BACKTRACE", None)
    os.environ.setdefault("SLUICE_RUN_DIR", "/run/sluice")
    session.residue = world.residue()


def pytest_sessionfinish(session, exitstatus):
    left = world.difference(session.residue, world.residue()) if hasattr(session, "residue") else []
    if left:
        print("\nThe session left something behind:\n  " + "\n  ".join(left))
        session.exitstatus = 1


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call":
        item.failed = report.failed
        if report.failed:
            # What the switches of this test had to say.
            for value in item.funcargs.values():
                if isinstance(value, Switch):
                    report.sections.append((f"log of {value.host}", value.logged()))


@pytest.fixture(scope="module", autouse=True)
def nothing_left():
    """Whatever a file of tests makes, it removes. Fixtures of a module that make something depend on this one, so that
    they are closed before it looks."""
    before = world.residue()
    yield
    left = world.difference(before, world.residue())
    assert not left, "left behind:\n  " + "\n  ".join(left)


@pytest.fixture
def namespaces():
    made = Namespaces()
    yield made
    made.close()


class Bench:
    """A host namespace with a switch in it, an underlay cable to a far namespace, and whatever else a test needs."""

    def __init__(self, directory):
        self.directory = directory
        self.namespaces = Namespaces()
        self.switches = []
        self.closers = []

    def hosts(self, near="host", far="far", mtu=1500, **_):
        """Two namespaces joined by a cable: `under` in the first, `under` in the second."""
        self.namespaces.make(near, far)
        cable((near, "under"), (far, "under"), mtu)
        return near, far

    def switch(self, namespace, topology, name=None, **options):
        directory = os.path.join(self.directory, name or f"switch{len(self.switches)}")
        made = Switch(namespace, topology, directory, **options)
        self.switches.append(made)
        return made

    def keep(self, closable):
        """Closes it with the bench; answers it."""
        self.closers.append(closable)
        return closable

    def close(self):
        trouble = []
        for each in reversed(self.closers):
            each.close()
        for switch in reversed(self.switches):
            try:
                switch.stop()
            except AssertionError as error:
                trouble.append(str(error))
        self.namespaces.close()
        assert not trouble, "\n".join(trouble)


@pytest.fixture
def bench(tmp_path):
    made = Bench(str(tmp_path))
    yield made
    made.close()


@pytest.fixture(scope="module")
def module_bench(tmp_path_factory, nothing_left):
    made = Bench(str(tmp_path_factory.mktemp("bench")))
    yield made
    made.close()
