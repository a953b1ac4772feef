#!/usr/bin/python3
"""Bulk TCP through Sluice beside the kernel's bridge and vxlan, in one run: A B A B …, medians of paired ratios.

Run by `make bench`, in namespaces of its own. Offloads are at their defaults everywhere. Only the ratios mean anything:
both sides of a pair run within seconds of each other on the same cores.
"""

import json
import os
import statistics
import subprocess
import sys
import time

SLUICE = os.path.join(os.environ.get("BUILD", ".build"), "release", "sluice")
ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("SECONDS_EACH", "3"))


def sh(text):
    subprocess.run(["bash", "-ec", text], check=True, stdout=subprocess.DEVNULL)


def goodput(client, server, address):
    """Gbit/s of one TCP stream, as its receiver counts."""
    listener = subprocess.Popen(
        ["ip", "netns", "exec", server, "iperf3", "-s", "-1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for attempt in range(20):
            time.sleep(0.2)
            done = subprocess.run(
                ["ip", "netns", "exec", client, "iperf3", "-J", "-O", "1", "-t", str(SECONDS), "-c", address],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            if done.returncode == 0:
                return json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"] / 1e9
        raise SystemExit(f"iperf3 from {client} to {address} does not work: {done.stdout}")
    finally:
        listener.kill()
        listener.wait()


def kernel_bridge():
    sh("""
    ip netns add kb
    ip -n kb link add bridge0 type bridge; ip -n kb link set bridge0 up
    for i in 1 2; do
        ip netns add kb$i
        ip -n kb link add p$i type veth peer name eth0 netns kb$i
        ip -n kb link set p$i master bridge0 up
        ip -n kb$i addr add 10.1.0.$i/24 dev eth0; ip -n kb$i link set eth0 up
    done""")


def kernel_vxlan():
    sh("""
    ip netns add kvf; ip -n kvf link add bridge0 type bridge; ip -n kvf link set bridge0 up
    for i in 1 2; do
        ip netns add kvh$i; ip netns add kv$i
        ip -n kvf link add u$i type veth peer name under netns kvh$i
        ip -n kvf link set u$i master bridge0 up
        ip -n kvh$i addr add 192.0.2.$i/24 dev under; ip -n kvh$i link set under up
        ip -n kvh$i link add vx type vxlan id 7 local 192.0.2.$i remote 192.0.2.$((3 - i)) dstport 4789 dev under
        ip -n kvh$i link add bridge0 type bridge; ip -n kvh$i link set bridge0 up
        ip -n kvh$i link set vx master bridge0 up
        ip -n kvh$i link add p type veth peer name eth0 netns kv$i; ip -n kvh$i link set p master bridge0 up
        ip -n kv$i link set eth0 mtu 1450; ip -n kv$i addr add 10.1.0.$i/24 dev eth0; ip -n kv$i link set eth0 up
    done""")


def lab(file):
    subprocess.run([SLUICE, "lab", "up", file], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


CASES = [
    ("TAP to TAP ÷ kernel bridge over veth", ("red-a", "red-b", "10.0.0.12"), ("kb1", "kb2", "10.1.0.2")),
    ("VXLAN, UDP sockets, Sluice at both ends ÷ kernel bridge+vxlan", ("red-web", "red-db", "10.0.0.12"),
     ("kv1", "kv2", "10.1.0.2")),
]


def main():
    kernel_bridge()
    kernel_vxlan()
    lab_files = ["Configs/local.yaml", "Configs/two-tenants.yaml"]
    results = []
    for (name, ours, theirs), file in zip(CASES, lab_files):
        lab(file)
        pairs = []
        for number in range(ROUNDS):
            pair = goodput(*ours), goodput(*theirs)
            pairs.append(pair)
            print(f"{name}: round {number + 1} of {ROUNDS}: {pair[0]:.2f} ÷ {pair[1]:.2f} Gbit/s", file=sys.stderr)
        ratios = sorted(a / b for a, b in pairs)
        results.append({"case": name, "median": statistics.median(ratios), "least": ratios[0], "most": ratios[-1],
                        "gbits": [[round(a, 2), round(b, 2)] for a, b in pairs]})
        subprocess.run([SLUICE, "lab", "down", file], check=True, stdout=subprocess.DEVNULL)
    print("| bulk TCP, one stream | median ratio | least – most |\n|---|---|---|")
    for result in results:
        print(f"| {result['case']} | {result['median']:.2f} | {result['least']:.2f} – {result['most']:.2f} |")
    with open("Benchmarks/bulk_tcp.json", "w") as file:
        json.dump(results, file, indent=2, ensure_ascii=False)
        file.write("\n")


main()
