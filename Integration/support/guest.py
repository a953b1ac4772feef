"""Runs in the guest of `uml.py`: takes [number, command] as a line of JSON, answers
[number, status, output] as a line of JSON."""

import json
import subprocess
import sys

MARK = "\x01"

print(MARK + "ready", flush=True)
for line in sys.stdin:
    request = json.loads(line)
    if request is None:
        break
    number, command = request
    done = subprocess.run(
        ["sh", "-e", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace")
    print(MARK + json.dumps([number, done.returncode, done.stdout]), flush=True)
with open("/proc/sysrq-trigger", "w") as trigger:
    trigger.write("o")
