"""Must hold 11: `sluice lab run FILE -- CMD` inside an unprivileged user namespace, its exit code CMD's."""

import os
import shutil
import subprocess

import pytest

from support.shell import BINARIES, CONFIGS, Finished

TWO_TENANTS = os.path.join(CONFIGS, "two-tenants.yaml")
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]
PEOPLE = {
    "root of a user namespace": ["unshare", "-Urn"],
    "root of a user namespace with its own mounts": ["unshare", "-Urnm"],
    "nobody": NOBODY,
    "nobody, root of a user namespace": [*NOBODY, "unshare", "-Urn"],
}
# Talks to its own, both families of addresses apart from the other tenant's, and ends with a status of its own.
TALK = """
set -e
"$0" lab exec "$SLUICE_LAB_FILE" red/web -- ping -n -q -c 2 -i 0.2 10.0.0.12
"$0" lab exec "$SLUICE_LAB_FILE" blue/web -- ping -n -q -c 2 -i 0.2 10.0.0.12
"$0" lab exec "$SLUICE_LAB_FILE" red/db -- iperf3 -s -1 -D --logfile /dev/null
sleep 0.5
"$0" lab exec "$SLUICE_LAB_FILE" red/web -- iperf3 -n 50M -c 10.0.0.12
exit 23
"""


@pytest.fixture
def home(tmp_path):
    """A directory that everybody may use, with the binaries and the file where everybody may read them."""
    place = f"/run/unprivileged-{os.getpid()}"
    os.makedirs(place)
    os.chmod(place, 0o1777)
    for name in ("sluice", "sluice-datapath"):
        # A link will do where the build directory is open to all, and a copy where it is not.
        shutil.copy(os.path.join(BINARIES, name), place)
    shutil.copy(TWO_TENANTS, place)
    yield place
    shutil.rmtree(place)


def run_as(who, home, *command, timeout=90, **variables):
    if os.geteuid() != 0 or open("/proc/self/uid_map").read().split()[2] == "1":
        if who.startswith("nobody"):
            pytest.skip("only root can become nobody")
    environment = {
        "PATH": os.environ["PATH"], "HOME": home, "TMPDIR": home, "SWIFT_BACKTRACE": "enable=no", **variables}
    done = subprocess.run(
        [*PEOPLE[who], *command], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, cwd=home,
        env=environment)
    return Finished([*PEOPLE[who], *command], done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("who", PEOPLE)
def test_run(home, who):
    sluice, file = f"{home}/sluice", f"{home}/two-tenants.yaml"
    done = run_as(who, home, sluice, "lab", "run", file, "--", "sh", "-c", TALK, sluice)
    assert done.status == 23, done
    assert done.output.count("2 received") == 2, done


@pytest.mark.parametrize("who", PEOPLE)
def test_exit_codes(home, who):
    sluice, file = f"{home}/sluice", f"{home}/two-tenants.yaml"
    assert run_as(who, home, sluice, "lab", "run", file, "--", "true").status == 0
    assert run_as(who, home, sluice, "lab", "run", file, "--", "sh", "-c", "kill -KILL $$").status == 137
    broken = f"{home}/broken.yaml"
    with open(broken, "w") as text:
        text.write("sluice: 1\nhosts: {h1: {vtep: nonsense}}\n")
    refused = run_as(who, home, sluice, "lab", "run", broken, "--", "true")
    assert refused.status == 1 and "broken.yaml:2" in refused.errors, refused


def test_in_a_run_directory_of_its_own(home):
    """SLUICE_RUN_DIR moves everything that a lab writes."""
    where = f"{home}/mine"
    done = run_as(
        "nobody" if os.geteuid() == 0 else "root of a user namespace", home, f"{home}/sluice", "lab", "run",
        f"{home}/two-tenants.yaml", "--", "sh", "-c", 'test -d "$SLUICE_RUN_DIR/labs/two-tenants/h1"', SLUICE_RUN_DIR=where)
    assert done.status == 0, done
    assert not os.path.exists(f"{where}/labs/two-tenants")


def test_every_kind_of_port(home):
    """Also veths, devices and provider networks need no more than a user namespace gives."""
    for name in ("veth", "device", "vlan", "gre", "three-hosts"):
        shutil.copy(os.path.join(CONFIGS, f"{name}.yaml"), home)
    script = 'f=$SLUICE_LAB_FILE; "$0" lab exec "$f" "$1" -- ping -n -q -c 1 -W 5 "$2"'
    for name, port, target in (
        ("veth", "red/web", "10.0.0.12"), ("device", "red/viewer", "10.0.0.11"), ("vlan", "blue/web", "10.0.0.12"),
        ("gre", "blue/web", "10.0.1.12"), ("three-hosts", "blue/web", "10.0.1.12"),
    ):
        done = run_as(
            "nobody" if os.geteuid() == 0 else "root of a user namespace", home, f"{home}/sluice", "lab", "run",
            f"{home}/{name}.yaml", "--", "sh", "-c", script, f"{home}/sluice", port, target)
        assert done.status == 0, done


def test_the_other_commands_say_what_they_need(home):
    """`lab up` would end with its user namespace: without privileges it says so instead of failing half-way."""
    done = run_as("nobody", home, f"{home}/sluice", "lab", "up", f"{home}/two-tenants.yaml")
    assert done.status == 1 and "lab run" in done.errors, done




# Pings through GRE and IP in IP, says what became of the uplink, moves some data.
UPLINK = """
set -e
"$0" lab exec "$SLUICE_LAB_FILE" blue/web -- ping -n -q -c 2 -i 0.2 10.0.0.12
"$0" lab exec "$SLUICE_LAB_FILE" red/web -- ping -n -q -c 2 -i 0.2 10.9.0.10
"$0" show uplinks --host h1
"$0" lab exec "$SLUICE_LAB_FILE" blue/db -- iperf3 -s -1 -D --logfile /dev/null
sleep 0.5
"$0" lab exec "$SLUICE_LAB_FILE" blue/web -- iperf3 -n 50M -c 10.0.0.12
exit 23
"""


def test_without_programs_super_frames_are_cut(home):
    """No program may be put on a device here: what would leave an uplink whole is cut, and `show` says why."""
    shutil.copy(os.path.join(CONFIGS, "underlay-device.yaml"), home)
    done = run_as("nobody, root of a user namespace", home, f"{home}/sluice", "lab", "run",
                  f"{home}/underlay-device.yaml", "--", "sh", "-c", UPLINK, f"{home}/sluice")
    assert done.status == 23, done
    assert "super-frames are cut here" in done.output and "CAP_BPF" in done.output, done
