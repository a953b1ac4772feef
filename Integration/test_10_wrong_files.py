"""Must hold 10: a wrong file is refused with file, line, path and a sentence, exit code 1; a running switch keeps its state."""

import json
import re

import pytest

from support.namespaces import cable, link
from support.shell import SLUICE, run
from support.topology import network, port, topology
from support.traffic import ping

GOOD = """\
sluice: 1
hosts:
  h1: {vtep: 192.0.2.1, physical: {physnet1: eth1}}
tenants:
  red:
    networks:
      app: {segment: {type: vxlan, id: 5001}, subnets: [10.0.0.0/24]}
      lan: {segment: {type: vlan, physical: physnet1, id: 100}}
    ports:
      web: {host: h1, network: app, address: 10.0.0.11/24, attach: {netns: red-web}}
  blue:
    networks:
      data: {segment: {type: gre, id: 7}}
    ports:
      db: {host: h1, network: data, attach: {netns: blue-db}}
"""

# What is wrong: (text to replace, replacement, line, path in the file, words of the sentence).
WRONG = {
    "unknown key": ("subnets:", "subnetz:", 7, "tenants.red.networks.app.subnetz", ["subnetz", "subnets"]),
    "unknown key at the top": ("tenants:", "tenant:", 4, "tenant", ["tenants"]),
    "two networks with one VNI": (
        "{type: gre, id: 7}", "{type: vxlan, id: 5001}", 13, "tenants.blue.networks.data.segment", ["5001", "red"]),
    "VLAN 4095": ("id: 100", "id: 4095", 8, "tenants.red.networks.lan.segment.id", ["4095", "reserved"]),
    "VLAN 5000": ("id: 100", "id: 5000", 8, "tenants.red.networks.lan.segment.id", ["4094"]),
    "address outside the subnet": (
        "10.0.0.11/24", "10.0.9.11/24", 10, "tenants.red.ports.web.address", ["10.0.9.11", "10.0.0.0/24"]),
    "network of another tenant": ("network: data", "network: app", 15, "tenants.blue.ports.db.network", ["red"]),
    "network that nobody has": ("network: data", "network: dota", 15, "tenants.blue.ports.db.network", ["data"]),
    "host that nobody knows": ("host: h1, network: data", "host: h9, network: data", 15, "tenants.blue.ports.db.host", ["h9"]),
    "duplicate name": ("  blue:", "  red:", 11, "tenants.red", ["red", "line 5"]),
    "wrong version": ("sluice: 1", "sluice: 2", 1, "sluice", ["1"]),
    "provider network that no host has": (
        "physical: physnet1, id", "physical: physnet9, id", 8, "tenants.red.networks.lan.segment.physical", ["physnet9"]),
    "negative VNI": ("id: 5001", "id: -1", 7, "tenants.red.networks.app.segment.id", ["-1"]),
    "VNI beyond 24 bits": ("id: 5001", "id: 16777216", 7, "tenants.red.networks.app.segment.id", ["16777215"]),
    "YAML syntax": ("{host: h1, network: app,", "{host: h1, network: app,,", 10, None, []),
    "YAML indentation": ("  red:", " red:", 11, None, ["indentation"]),
    "tab": ("  red:", "\tred:", 5, None, []),
    "a list where a mapping belongs": ("ports:\n      web:", "ports:\n      - web:", 10, "tenants.red.ports", ["mapping"]),
}


def wrong_text(name):
    old, new, *_ = WRONG[name]
    assert GOOD.count(old) >= 1, name
    return GOOD.replace(old, new, 1)


def judge(done, file, name):
    """The refusal is told as file, line, path and a sentence."""
    _, _, line, path, words = WRONG[name]
    assert done.status == 1, done
    found = [text for text in done.errors.splitlines() if re.match(rf"(sluice: )?{re.escape(file)}:{line}:", text)]
    assert found, f"no message for line {line}: {done}"
    message = " ".join(found)
    assert path is None or f"{path}:" in message, message
    for word in words:
        assert word in message, f"{word!r} is not in {message!r}"
    assert len(message.split()) > 4, message


def test_the_good_file(tmp_path):
    file = tmp_path / "good.yaml"
    file.write_text(GOOD)
    done = run(SLUICE, "check", file)
    assert "5001" in done.output


@pytest.mark.parametrize("name", WRONG)
def test_check(tmp_path, name):
    file = tmp_path / "wrong.yaml"
    file.write_text(wrong_text(name))
    judge(run(SLUICE, "check", file, check=False), str(file), name)


def test_lab_up_and_run_refuse_it_too(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text(wrong_text("VLAN 4095"))
    judge(run(SLUICE, "lab", "up", file, check=False), str(file), "VLAN 4095")
    judge(run(SLUICE, "lab", "run", file, "--", "true", check=False), str(file), "VLAN 4095")
    judge(run(SLUICE, "run", "--host", "h1", "--config", file, "--run-dir", tmp_path / "run", check=False), str(file),
          "VLAN 4095")


def test_a_file_that_is_not_there(tmp_path):
    done = run(SLUICE, "check", tmp_path / "none.yaml", check=False)
    assert done.status == 1 and "none.yaml" in done.errors, done
    done = run(SLUICE, "check", check=False)
    assert done.status == 2, done


@pytest.fixture(scope="module")
def switch(module_bench):
    bench = module_bench
    bench.hosts("host", "far")
    cable(("host", "eth1"), ("far", "eth1"))
    bench.namespaces.make("t-a", "t-b", "t-c")
    made = bench.switch("host", cloud())
    return made


def cloud(**changes):
    red = {
        "networks": {"net": network("local", subnets=["10.0.0.0/24"])},
        "ports": {
            "a": port("h1", "t-a", address="10.0.0.1/24"),
            "b": port("h1", "t-b", address="10.0.0.2/24"),
        },
    }
    red["ports"].update(changes.get("ports", {}))
    red["networks"].update(changes.get("networks", {}))
    return topology({"h1": {"vtep": "192.0.2.1", "physical": changes.get("physical", {"physnet1": "eth1"})}}, {"red": red})


def state(switch):
    """What must not change when a file is refused."""
    ports = [{key: value for key, value in each.items() if key not in ("received", "sent", "drops", "learned")}
             for each in switch.show("ports")]
    status = switch.show("status")
    return ports, switch.show("networks"), status["generation"], status["appliedGeneration"]


@pytest.mark.parametrize("name", WRONG)
def test_a_running_switch_keeps_its_state(switch, name):
    before = state(switch)
    done = switch.apply(wrong_text(name), check=False)
    judge(done, switch.file, name)
    assert state(switch) == before
    ping("t-a", "10.0.0.2")


@pytest.mark.parametrize("what, change, place", [
    ("a device that is not there", {"ports": {"c": port("h1", {"device": "eth7"})}}, "tenants.red.ports.c"),
    ("a namespace that is not there", {"ports": {"c": port("h1", "t-nowhere")}}, "tenants.red.ports.c"),
    ("an interface that is there already", {"ports": {"c": port("h1", {"tap": "lo", "netns": "t-c"})}},
     "tenants.red.ports.c"),
    ("a provider device that is not there",
     {"physical": {"physnet1": "eth9"}, "networks": {"lan": network("vlan", 5, physical="physnet1")},
      "ports": {"c": port("h1", "t-c", network="lan")}}, "physnet1"),
])
def test_what_the_system_refuses(switch, what, change, place):
    """Right by itself, impossible here: told with the place in the file, and nothing is applied by half."""
    before = state(switch)
    links = link("t-c", "eth0")
    done = switch.apply(cloud(**change), check=False)
    assert done.status == 1, f"{what}: {done}"
    assert re.search(rf"{re.escape(switch.file)}:\d+:.*{place}", done.errors), done
    assert state(switch) == before
    assert link("t-c", "eth0") == links, "something was made and left"
    ping("t-a", "10.0.0.2")


def test_dry_run_says_what_would_change_and_changes_nothing(switch):
    before = state(switch)
    changed = cloud(ports={"c": port("h1", "t-c", address="10.0.0.3/24")})
    changed["tenants"]["red"]["networks"]["net"]["mtu"] = 1400
    del changed["tenants"]["red"]["ports"]["b"]
    done = switch.apply(changed, "--dry-run")
    assert state(switch) == before and link("t-c", "eth0") is None
    assert "1400" in done.output
    for sign, name in (("+", "red.ports.c"), ("-", "red.ports.b"), ("~", "red.networks.net.mtu")):
        assert any(line.startswith(sign) and name in line for line in done.output.splitlines()), done.output
    told = json.loads(switch.apply(changed, "--dry-run", "--json").output)
    assert told["applied"] is False and len(told["changes"]) >= 3
    applied = json.loads(switch.apply(changed, "--json").output)
    assert applied["applied"] is True and applied["changes"] == told["changes"]
    ping("t-a", "10.0.0.3")
    assert link("t-b", "eth0") is None and link("t-a", "eth0")["mtu"] == 1400
    again = json.loads(switch.apply(changed, "--json").output)
    assert again["changes"] == []
    switch.apply(cloud())
    ping("t-a", "10.0.0.2")
    assert link("t-c", "eth0") is None


def test_changes_do_not_disturb_what_stays(switch):
    """Ports that a change does not touch lose no frame while others come and go."""
    from support.traffic import Flood

    flood = Flood("t-a", "10.0.0.2")
    for _ in range(5):
        switch.apply(cloud(ports={"c": port("h1", "t-c", address="10.0.0.3/24")}))
        ping("t-c", "10.0.0.1", count=1)
        switch.apply(cloud())
    result = flood.stop()
    print(result)
    assert result.lost == 0


def test_usage_errors():
    for words in (["nonsense"], ["apply"], ["show", "nonsense"], ["lab", "up"], ["trace", "--in", "red/a"], ["run"]):
        done = run(SLUICE, *words, check=False)
        assert done.status == 2 and done.errors.strip(), done
    done = run(SLUICE, "show", "--run-dir", "/nowhere", check=False)
    assert done.status == 1 and done.errors.strip(), done
