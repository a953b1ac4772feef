"""Open vSwitch's userspace datapath as the far end, with databases and sockets of its own."""

import os
import shutil
import tempfile

from .shell import run, wait_until
from .namespaces import end_inhabitants


class OpenVSwitch:
    """ovsdb-server and ovs-vswitchd in a namespace. `vsctl` and `appctl` drive it."""

    SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"

    def __init__(self, namespace, *options):
        self.namespace = namespace
        self.directory = tempfile.mkdtemp(prefix="ovs", dir="/run")
        self.environment = {
            name: self.directory for name in ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR")}
        self.database = f"unix:{self.directory}/db.sock"
        file = os.path.join(self.directory, "conf.db")
        self._run("ovsdb-tool", "create", file, self.SCHEMA, namespace=None)
        self._run(
            "ovsdb-server", file, f"--remote=p{self.database}", "--pidfile", "--detach", "--no-chdir",
            f"--unixctl={self.directory}/ovsdb.ctl", "--log-file")
        self._run("ovs-vsctl", f"--db={self.database}", "--no-wait", "init")
        for option in options:
            self.vsctl("--no-wait", "set", "Open_vSwitch", ".", f"other_config:{option}")
        self._run(
            "ovs-vswitchd", self.database, "--pidfile", "--detach", "--no-chdir",
            f"--unixctl={self.directory}/vswitchd.ctl", "--log-file")

    def _run(self, *words, namespace="", **options):
        space = self.namespace if namespace == "" else namespace
        return run(*words, namespace=space, environment=self.environment, **options)

    def vsctl(self, *words):
        return self._run("ovs-vsctl", f"--db={self.database}", "--timeout=20", *words).output

    def appctl(self, *words):
        return self._run("ovs-appctl", "-t", f"{self.directory}/vswitchd.ctl", *words).output

    def add_bridge(self, name):
        self.vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev")

    def log(self):
        with open(os.path.join(self.directory, "ovs-vswitchd.log")) as file:
            return file.read()

    def close(self):
        for control in ("vswitchd", "ovsdb"):
            path = f"{self.directory}/{control}.ctl"
            if os.path.exists(path):
                run("ovs-appctl", "-t", path, "exit", environment=self.environment, check=False)
        try:
            wait_until(
                lambda: not run("ip", "netns", "pids", self.namespace).output.split(), "Open vSwitch to end", 5)
        except AssertionError:
            end_inhabitants(self.namespace)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
