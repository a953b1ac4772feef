"""Must hold 1: `make lab`, and labs that leave nothing behind, however they end."""

import os
import shutil
import signal
import subprocess
import time

import pytest

from support import world
from support.lab import Lab
from support.shell import BINARIES, CONFIGS, SLUICE, run, start, wait_until

TWO_TENANTS = os.path.join(CONFIGS, "two-tenants.yaml")


@pytest.fixture
def residue():
    """What is there before must be there after, and nothing else. Gives a function that waits for it and asserts it."""
    before = world.residue()

    def check():
        try:
            wait_until(lambda: not world.difference(before, world.residue()), "everything to be as before", 5)
        except AssertionError:
            raise AssertionError("left behind:\n" + "\n".join(world.difference(before, world.residue()))) from None

    yield check
    run(SLUICE, "lab", "down", TWO_TENANTS, check=False)
    check()


def make_lab(**options):
    return start(
        "make", "--no-print-directory", "lab", f"BUILD={os.path.dirname(BINARIES)}", cwd=world.REPOSITORY,
        env={**os.environ, "MAKEFLAGS": ""}, **options)


@pytest.mark.skipif(not shutil.which("swift"), reason="make lab builds first")
def test_make_lab(residue):
    process = make_lab()
    output = process.communicate(timeout=300)[0]
    print(output)
    assert process.returncode == 0, output
    for tenant in ("red", "blue"):
        lines = [line for line in output.splitlines() if line.startswith(tenant)]
        assert any("ping" in line and "ms" in line for line in lines), output
        assert any("TCP" in line and "bit/s" in line for line in lines), output
    assert output.count("refused") >= 2, "the attempts that must fail are not shown"
    residue()


@pytest.mark.skipif(not shutil.which("swift"), reason="make lab builds first")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_make_lab_is_interrupted(residue, number):
    process = make_lab(start_new_session=True)
    wait_until(
        lambda: process.poll() is not None or any("sluice-datapath" in line for line in world.processes().values()),
        "the lab to stand", 60)
    assert process.poll() is None, process.communicate()[0]
    time.sleep(0.2)
    os.killpg(process.pid, number)
    process.communicate(timeout=60)
    assert process.returncode != 0
    Lab(TWO_TENANTS).down()
    residue()


def test_up_and_down(residue):
    lab = Lab(TWO_TENANTS)
    done = lab.up()
    for name in ("h1", "h2", "red", "blue", "10.0.0.11"):
        assert name in done.output, done
    status = lab.status()
    assert "h1" in status.output
    again = lab.up(check=False)
    assert again.status == 1 and "down" in again.errors, again
    lab.exec("red/web", "ping", "-c", "1", "10.0.0.12")
    lab.exec("h1", "ping", "-c", "1", "192.0.2.2")
    failing = lab.exec("red/db", "sh", "-c", "exit 7", check=False)
    assert failing.status == 7
    lab.down()
    residue()
    assert lab.status(check=False).status == 1
    lab.down()  # once more is no error


@pytest.mark.parametrize("pause", [0.002, 0.01, 0.02, 0.04, 0.06, 0.08, 0.12, 0.2, 0.4])
def test_up_is_killed_half_way(residue, pause):
    process = start(SLUICE, "lab", "up", TWO_TENANTS)
    time.sleep(pause)
    process.kill()
    process.communicate()
    Lab(TWO_TENANTS).down()
    residue()


@pytest.mark.parametrize("pause", [0.05, 0.1, 0.2])
def test_up_again_after_it_was_killed(residue, pause):
    """Whoever just tries again gets a lab."""
    process = start(SLUICE, "lab", "up", TWO_TENANTS)
    time.sleep(pause)
    process.kill()
    process.communicate()
    lab = Lab(TWO_TENANTS)
    if lab.status(check=False).status == 0:
        lab.down()
    lab.up()
    lab.exec("blue/web", "ping", "-c", "1", "10.0.0.12")
    lab.down()
    residue()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("pause", [0.03, 0.1, 0.2])
def test_up_is_interrupted(residue, number, pause):
    """It takes down by itself what it had made."""
    process = start(SLUICE, "lab", "up", TWO_TENANTS)
    time.sleep(pause)
    process.send_signal(number)
    output = process.communicate(timeout=30)[0]
    if process.returncode == 0:  # it was done already
        Lab(TWO_TENANTS).down()
    residue()
    assert "rash" not in output, output


@pytest.mark.parametrize("pause", [0.005, 0.02, 0.05])
def test_down_is_killed_half_way(residue, pause):
    lab = Lab(TWO_TENANTS)
    lab.up()
    process = start(SLUICE, "lab", "down", TWO_TENANTS)
    time.sleep(pause)
    process.kill()
    process.communicate()
    lab.down()
    residue()


def test_down_after_everything_was_killed(residue):
    """A crash of all processes, and a user who removed some of it by hand."""
    lab = Lab(TWO_TENANTS)
    lab.up()
    for host in ("h1", "h2"):
        lab.host(host).kill("control")
        lab.host(host).kill("datapath")
    run("ip", "netns", "delete", "red-web")
    assert lab.status(check=False).status == 1
    lab.down()
    residue()


def test_down_ends_what_runs_in_the_lab(residue):
    lab = Lab(TWO_TENANTS)
    lab.up()
    process = start("sleep", "1000", namespace="red-web")
    done = lab.down()
    assert "sleep" in done.text
    process.wait(10)
    residue()


def test_down_leaves_alone_what_is_not_ours(residue, namespaces):
    """Names that somebody else has are refused, not taken; what is foreign survives."""
    namespaces.make("red-web")
    lab = Lab(TWO_TENANTS)
    done = lab.up(check=False)
    assert done.status == 1 and "red-web" in done.errors, done
    lab.down()
    assert os.path.exists("/run/netns/red-web")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_run_is_ended(residue, number):
    process = subprocess.Popen(
        [SLUICE, "lab", "run", TWO_TENANTS, "--", "sleep", "1000"], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: any(line == "sleep 1000" for line in world.processes().values()), "the command to run")
    process.send_signal(number)
    if number == signal.SIGINT:  # what ^C means is the command's affair; sent to us alone it is passed on
        pass
    process.wait(20)
    assert process.returncode != 0
    if number == signal.SIGKILL:
        for pid, line in world.processes().items():
            if line == "sleep 1000":
                os.kill(pid, signal.SIGKILL)
        Lab(TWO_TENANTS).down()
    residue()


def test_exit_codes_of_run(residue):
    def status(*command):
        return run(SLUICE, "lab", "run", "--quiet", TWO_TENANTS, "--", *command, check=False).status

    assert status("true") == 0
    assert status("sh", "-c", "exit 42") == 42
    assert status("sh", "-c", "kill -TERM $$") == 128 + signal.SIGTERM
    assert status("/does/not/exist") == 127
    assert status("sh", "-c", 'sluice=$0; "$sluice" lab exec "$SLUICE_LAB_FILE" red/web -- ping -c 1 10.0.0.12', SLUICE) == 0
    residue()


def test_two_labs_at_once(residue, tmp_path):
    """Two files with different names of everything stand side by side."""
    other = tmp_path / "other.yaml"
    with open(TWO_TENANTS) as file:
        other.write_text(file.read().replace("netns: red-", "netns: other-red-").replace("netns: blue-", "netns: other-blue-"))
    with Lab(TWO_TENANTS) as first, Lab(other) as second:
        first.exec("red/web", "ping", "-c", "1", "10.0.0.12")
        second.exec("red/web", "ping", "-c", "1", "10.0.0.12")
    residue()


def test_help():
    assert "sluice lab up" in run(SLUICE, "--help").output
    assert "up" in run(SLUICE, "lab", "--help").output
