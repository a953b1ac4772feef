"""Running programs, here and in namespaces, and waiting for things to become true."""

import os
import subprocess
import time

from .world import REPOSITORY

BINARIES = os.path.abspath(os.path.join(REPOSITORY, os.environ.get("BUILD", ".build"), "release"))
SLUICE = os.path.join(BINARIES, "sluice")
DATAPATH = os.path.join(BINARIES, "sluice-datapath")
CONFIGS = os.path.join(REPOSITORY, "Configs")

# Waits end early when what they wait for happens; this only says when to give up.
PATIENCE = float(os.environ.get("SLUICE_PATIENCE", "10"))


class Finished:
    """The end of a program: status, output and errors as text."""

    def __init__(self, command, status, output, errors):
        self.command, self.status, self.output, self.errors = command, status, output, errors

    @property
    def text(self):
        return self.output + self.errors

    def __repr__(self):
        command = self.command if isinstance(self.command, str) else " ".join(self.command)
        return f"`{command}` ended with {self.status}\n--- output\n{self.output}\n--- errors\n{self.errors}"


def inside(namespace, command):
    """The command line that runs `command` in a network namespace."""
    return ["ip", "netns", "exec", namespace, *command] if namespace else list(command)


def run(*command, namespace=None, check=True, timeout=60, text=None, environment=None, directory=None):
    """Runs a program to its end. Fails the test when its status is not 0, unless `check` is off."""
    line = inside(namespace, [str(word) for word in command])
    try:
        done = subprocess.run(
            line, capture_output=True, text=True, errors="replace", timeout=timeout, cwd=directory,
            env={**os.environ, **(environment or {})},
            **({"stdin": subprocess.DEVNULL} if text is None else {"input": text}))
    except subprocess.TimeoutExpired as late:
        partly = [(part or b"").decode(errors="replace") for part in (late.stdout, late.stderr)]
        raise AssertionError(f"not done after {timeout} s: {Finished(line, None, *partly)}") from None
    finished = Finished(line, done.returncode, done.stdout, done.stderr)
    if check:
        assert finished.status == 0, finished
    return finished


def start(*command, namespace=None, **options):
    """Starts a program in the background; the caller ends it (see `end`)."""
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.STDOUT)
    return subprocess.Popen(inside(namespace, [str(word) for word in command]), text=True, **options)


def end(process, patience=5):
    """Ends a program that `start` started and answers what it printed."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.communicate(timeout=patience)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]


def wait_until(condition, what, patience=PATIENCE, pause=0.02):
    """Waits until `condition()` answers something true and answers that. `what` completes "waited for …"."""
    deadline = time.monotonic() + patience
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience:g} s in vain for {what() if callable(what) else what}")
        time.sleep(pause)
