"""What Sluice promises (issue 4): each row a number, its floor and its goal."""

from . import ratios

PLAIN = ["1 →", "1 ←"]
FOUR = ["4 →", "4 ←"]


class Row:
    """One line of the table. `value(run)` is a Summary, or None when it was not measured."""

    def __init__(self, name, value, floor, goal, unit="", more=True):
        self.name, self.value, self.floor, self.goal, self.unit, self.more = name, value, floor, goal, unit, more

    def verdict(self, median):
        better = (lambda limit: median >= limit) if self.more else (lambda limit: median <= limit)
        if self.goal is None:
            return ""
        return "goal" if better(self.goal) else "floor" if better(self.floor) else "missed"


def ratio(group, metric, ours, theirs, key, kinds=None):
    """Ours ÷ theirs, by round, all kinds together."""

    def value(run):
        found = []
        for kind, row in run.measured(group, metric).items():
            if (kinds is None or kind in kinds) and row.get(ours) and row.get(theirs):
                found += ratios.pairs([each[key] for each in row[ours]], [each[key] for each in row[theirs]])
        return ratios.Summary(found) if found else None

    return value


def alone(case, *keys):
    """A number of a case about Sluice alone."""

    def value(run):
        found = run.alone.get(case)
        return ratios.Summary([float(found[keys[0]])]) if found else None

    return value


def scale(key):
    """Many ÷ one, by round."""

    def value(run):
        found = run.alone.get("state-scale", {}).get(key)
        pairs = [many / one for one, many in found if one] if found else None
        return ratios.Summary(pairs) if pairs else None

    return value


def bulk(ours, theirs, group="tunnel", key="gbits", kinds=PLAIN):
    return ratio(group, "bulk", ours, theirs, key, kinds)


# Required: in the order of issue 4. The ratios of one stream count both directions.
ROWS = [
    Row("VXLAN bulk TCP, uplink TAP, kernel far end ÷ kernel bridge+vxlan at both ends", bulk("upl", "kvx"), 0.65, 0.9),
    Row("VXLAN bulk TCP, UDP sockets, Sluice at both ends ÷ kernel bridge+vxlan", bulk("vxl", "kvx"), 0.35, 0.6),
    Row("TAP to TAP bulk TCP ÷ kernel bridge over veth", bulk("tap", "kbr", "local"), 0.55, 0.75),
    Row("veth to veth bulk TCP ÷ kernel bridge", bulk("vet", "kbr", "local"), 0.6, 0.8),
    Row("TAP to TAP bulk TCP, CPU of all cores per GB ÷ kernel bridge", bulk("tap", "kbr", "local", "cost"), 2.2, 1.6,
        more=False),
    Row("veth to veth bulk TCP, CPU of all cores per GB ÷ kernel bridge", bulk("vet", "kbr", "local", "cost"), 2.2, 1.6,
        more=False),
    Row("TAP to TAP bulk TCP ÷ Open vSwitch, veth", bulk("tap", "ovs", "local"), 10, 20),
    Row("TAP to TAP bulk TCP ÷ Open vSwitch, AF_XDP", bulk("tap", "xdp", "local"), 10, 20),
    Row("veth to veth bulk TCP ÷ Open vSwitch, veth", bulk("vet", "ovs", "local"), 10, 20),
    Row("veth to veth bulk TCP ÷ Open vSwitch, AF_XDP", bulk("vet", "xdp", "local"), 10, 20),
    Row("VXLAN bulk TCP, UDP sockets, both ends ÷ Open vSwitch at both ends", bulk("vxl", "ovx"), 10, 20),
    Row("VXLAN bulk TCP, UDP sockets, kernel far end ÷ Open vSwitch, kernel far end", bulk("vxk", "ovk"), 10, 20),
    Row("VXLAN bulk TCP, uplink TAP, kernel far end ÷ Open vSwitch, kernel far end", bulk("upl", "ovk"), 10, 20),
    Row("GRE bulk TCP, underlay device ÷ Open vSwitch GRE, both ends", bulk("grd", "ogr"), 10, 20),
    Row("GRE bulk TCP, raw sockets ÷ Open vSwitch GRE, both ends", bulk("gre", "ogr"), 10, 20),
    Row("VLAN bulk TCP ÷ Open vSwitch VLAN", bulk("vla", "ovl", "vlan"), 10, 20),
    Row("64-byte frames, TAP, CPU per delivered frame ÷ kernel bridge",
        ratio("local", "frames", "tap", "kbr", "cost", ["64"]), 2.0, 1.0, more=False),
    Row("64-byte frames, veth, CPU per delivered frame ÷ kernel bridge",
        ratio("local", "frames", "vet", "kbr", "cost", ["64"]), 2.0, 1.0, more=False),
    Row("64-byte frames a second, veth ÷ Open vSwitch, veth", ratio("local", "frames", "vet", "ovs", "rate", ["64"]), 1.5, 4),
    Row("64-byte frames a second, veth ÷ Open vSwitch, AF_XDP", ratio("local", "frames", "vet", "xdp", "rate", ["64"]),
        1.5, 4),
    Row("GRE bulk TCP, underlay device ÷ our own VXLAN over UDP", bulk("grd", "vxl"), 0.7, 1.0),
    Row("IPIP bulk TCP, underlay device ÷ our own VXLAN over UDP", bulk("ipd", "vxl"), 0.7, 1.0),
    Row("GRE bulk TCP, raw sockets ÷ our own VXLAN over UDP", bulk("gre", "vxl"), 0.7, 1.0),
    Row("IPIP bulk TCP, raw sockets ÷ our own VXLAN over UDP", bulk("ipi", "vxl"), 0.7, 1.0),
    Row("round trip p50 between two processes, TAP ÷ kernel bridge", ratio("local", "rtt", "tap", "kbr", "p50", ["UDP"]),
        4, 2, more=False),
    Row("round trip p50 between two processes, veth ÷ kernel bridge", ratio("local", "rtt", "vet", "kbr", "p50", ["UDP"]),
        4, 2, more=False),
    Row("round trip p50, ICMP echo, TAP ÷ kernel bridge", ratio("local", "rtt", "tap", "kbr", "p50", ["ICMP"]), 4, 2,
        more=False),
    Row("round trip p50, ICMP echo, veth ÷ kernel bridge", ratio("local", "rtt", "vet", "kbr", "p50", ["ICMP"]), 4, 2,
        more=False),
    Row("cost per frame with 100 000 segments and 1 000 000 MACs ÷ with one", scale("pairs"), 1.5, 1.15, more=False),
    Row("memory for 1 000 000 learned MACs", alone("state-learned", "memory"), 64, 24, "MB", more=False),
    Row("one port changed among 100 000 segments, `apply` to datapath, p99", alone("state-cloud", "p99"), 300, 30, "ms",
        more=False),
    Row("frames lost meanwhile", alone("state-cloud", "lost"), 0, 0, "frames", more=False),
    Row("from a file of 100 000 segments to forwarding", alone("state-cloud", "compile"), 20, 3, "s", more=False),
    Row("idle CPU of both processes", alone("state-resident", "idle"), 0.5, 0.05, "% of a core", more=False),
    Row("resident memory of both processes, two-tenant lab", alone("state-resident", "resident"), 80, 40, "MB", more=False),
]

# Not promised, and worth knowing.
BESIDE = [
    Row("the datapath's own code per frame, 100 000 segments and 1 000 000 MACs ÷ one", scale("code"), None, None, more=False),
    Row("VXLAN bulk TCP, UDP sockets, kernel far end ÷ kernel bridge+vxlan", bulk("vxk", "kvx"), None, None),
    Row("VXLAN bulk TCP, underlay device, kernel far end ÷ kernel bridge+vxlan", bulk("dev", "kvx"), None, None),
    Row("VXLAN bulk TCP, underlay device, Sluice at both ends ÷ kernel bridge+vxlan", bulk("vxd", "kvx"), None, None),
    Row("GRE bulk TCP, underlay device, Sluice at both ends ÷ kernel bridge+vxlan", bulk("grd", "kvx"), None, None),
    Row("IPIP bulk TCP, underlay device, Sluice at both ends ÷ kernel bridge+vxlan", bulk("ipd", "kvx"), None, None),
    Row("TAP to TAP bulk TCP, four streams ÷ kernel bridge over veth", bulk("tap", "kbr", "local", kinds=FOUR), None, None),
    Row("veth to veth bulk TCP, four streams ÷ kernel bridge", bulk("vet", "kbr", "local", kinds=FOUR), None, None),
    Row("TAP to TAP bulk TCP, four streams, CPU of all cores per GB ÷ kernel bridge",
        bulk("tap", "kbr", "local", "cost", FOUR), None, None, more=False),
    Row("veth to veth bulk TCP, four streams, CPU of all cores per GB ÷ kernel bridge",
        bulk("vet", "kbr", "local", "cost", FOUR), None, None, more=False),
    Row("VXLAN bulk TCP, four streams, uplink TAP, kernel far end ÷ kernel bridge+vxlan at both ends",
        bulk("upl", "kvx", kinds=FOUR), None, None),
    Row("VXLAN bulk TCP, four streams, UDP sockets, Sluice at both ends ÷ kernel bridge+vxlan",
        bulk("vxl", "kvx", kinds=FOUR), None, None),
    Row("TAP to TAP bulk TCP, four streams ÷ Open vSwitch, veth", bulk("tap", "ovs", "local", kinds=FOUR), None, None),
    Row("TAP to TAP bulk TCP ÷ Open vSwitch, veth, experimental TSO", bulk("tap", "tso", "local"), None, None),
    Row("veth to veth bulk TCP ÷ Open vSwitch, veth, experimental TSO", bulk("vet", "tso", "local"), None, None),
    Row("TAP to TAP bulk TCP ÷ VDE2", bulk("tap", "vde", "local"), None, None),
    Row("64-byte frames a second, TAP ÷ VDE2", ratio("local", "frames", "tap", "vde", "rate", ["64"]), None, None),
    Row("routed bulk TCP, TAP ÷ kernel router over veth", bulk("rou", "krt", "routed"), None, None),
    Row("routed bulk TCP, veth ÷ kernel router over veth", bulk("rov", "krt", "routed"), None, None),
    Row("VXLAN 64-byte frames a second, both ends ÷ kernel", ratio("tunnel", "frames", "vxl", "kvx", "rate"), None, None),
]
