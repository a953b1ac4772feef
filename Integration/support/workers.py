"""`SLUICE_WORKERS=2` has every host of every test's topology run with two workers, so that each test is also one of them."""

import copy
import os
import re

WORKERS = int(os.environ.get("SLUICE_WORKERS", "0"))


def with_workers(topology, workers=None):
    """The topology, as Python values or as text, with the number of workers on each host that does not say its own."""
    workers = workers or WORKERS
    if not workers:
        return topology
    if isinstance(topology, str):
        return _in_text(topology, workers)
    changed = copy.deepcopy(topology)
    hosts = changed.get("hosts")
    for host in hosts.values() if isinstance(hosts, dict) else ():
        if isinstance(host, dict):
            host.setdefault("workers", workers)
    return changed


def _in_text(text, workers):
    """Keeps places of everything else: only what stands on the lines of the hosts moves."""
    start = re.search(r"^\"?hosts\"?:", text, re.MULTILINE)
    if not start or "workers:" in text:
        return text
    end = re.compile(r"^\S", re.MULTILINE).search(text, start.end())
    stop = end.start() if end else len(text)
    hosts = re.sub(
        r"(:\s*)\{(?=\s*(\"?(vtep|physical|underlay)\"?:|\}))", rf"\1{{workers: {workers}, ", text[start.end():stop])
    return text[:start.end()] + hosts + text[stop:]
