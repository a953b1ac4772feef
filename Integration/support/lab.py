"""`sluice lab` as a user drives it."""

import json
import os
import tempfile

from .shell import SLUICE, run
from .switch import Hosted
from .workers import WORKERS, with_workers

RUN_DIRECTORY = os.environ.get("SLUICE_RUN_DIR", "/run/sluice")


def _changed(name):
    """A copy of the file with `SLUICE_WORKERS` on each host. It stays for as long as the world does."""
    with open(name) as file:
        text = file.read()
    text = json.dumps(with_workers(json.loads(text)), indent=1) if text.startswith("{") else with_workers(text)
    copy = os.path.join(tempfile.mkdtemp(prefix="workers-"), os.path.basename(name))
    with open(copy, "w") as file:
        file.write(text)
    return copy


class Lab:
    """A topology file brought up as a lab. `with Lab(file) as lab:` takes it down again."""

    def __init__(self, file):
        self.file = _changed(str(file)) if WORKERS else str(file)
        self.name = os.path.splitext(os.path.basename(self.file))[0]

    def sluice(self, verb, *words, check=True, **options):
        return run(SLUICE, "lab", verb, self.file, *words, check=check, **options)

    def up(self, **options):
        return self.sluice("up", **options)

    def down(self, **options):
        return self.sluice("down", **options)

    def status(self, **options):
        return self.sluice("status", **options)

    def exec(self, where, *command, **options):
        return self.sluice("exec", where, "--", *command, **options)

    def places(self):
        """Where the ports live: name → {namespace, interface, addresses, host, …}."""
        ports = json.loads(self.sluice("status", "--json").output)["ports"]
        return {f"{port['tenant']}/{port['port']}": port for port in ports}

    def host(self, name):
        return Hosted(os.path.join(RUN_DIRECTORY, "labs", self.name, name))

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, *_):
        self.down()
