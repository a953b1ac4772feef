"""Runs in the guest of `uml.py`: takes a command as a line of JSON, answers [status, output] as a line of JSON."""

import json
import subprocess
import sys

MARK = "\x01"

print(MARK + "ready", flush=True)
for line in sys.stdin:
    command = json.loads(line)
    if command is None:
        break
    done = subprocess.run(
        command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace")
    print(MARK + json.dumps([done.returncode, done.stdout]), flush=True)
with open("/proc/sysrq-trigger", "w") as trigger:
    trigger.write("o")
