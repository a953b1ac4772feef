"""A file of 100 000 networks, of which every one has a port here and a port on one of 1 000 other hosts."""

import json

TRUNK = 4000  # VLANs of one trunk port


class Cloud:
    """As text that one can change in one place: the MAC of one remote port."""

    NETWORK, HOST = "net", "h1"
    REMOTES = 1000

    def __init__(self, segments, machines=None):
        """`machines`: two namespaces with a port each in a network of their own, to see that frames flow."""
        self.segments = segments
        remotes = min(self.REMOTES, segments)
        hosts = {"h1": {"vtep": "192.0.2.1"}}
        for i in range(remotes):
            hosts[f"r{i}"] = {"vtep": f"198.18.{i // 250}.{i % 250 + 1}"}
        networks = {f"n{i}": {"segment": {"type": "vxlan", "id": i + 1}} for i in range(segments)}
        ports = {}
        for i in range(segments):
            ports[f"p{i}"] = {"host": f"r{i % remotes}", "network": f"n{i}", "address": "10.0.0.12/24",
                              "mac": self.mac(i), "attach": {"netns": f"x{i}"}}
        # Each network is really present: on a trunk port, under a VLAN id.
        for first in range(0, segments, TRUNK):
            name = f"t{first // TRUNK}"
            vlans = range(min(TRUNK, segments - first))
            ports[name] = {"host": "h1", "trunk": {str(v + 1): f"n{first + v}" for v in vlans}, "attach": {"tap": name}}
        if machines:
            networks["flow"] = {"segment": {"type": "local"}}
            for name, end in machines.items():
                ports[name] = {"host": "h1", "network": "flow", "address": f"{end.address}/24",
                               "attach": {"tap": "eth0", "netns": end.namespace}}
        # A line for each, as a person would write it.
        lines = ["sluice: 1", "hosts:"]
        lines += [f"  {name}: {json.dumps(value)}" for name, value in hosts.items()]
        lines += ["tenants:", "  red:", "    networks:"]
        lines += [f"      {name}: {json.dumps(value)}" for name, value in networks.items()]
        lines += ["    ports:"]
        lines += [f"      {name}: {json.dumps(value)}" for name, value in ports.items()]
        self.text = "\n".join(lines) + "\n"

    @staticmethod
    def mac(number, generation=0):
        return "02:%02x:%02x:%02x:%02x:%02x" % (generation, number >> 24, number >> 16 & 255, number >> 8 & 255, number & 255)

    def changed(self, number, generation):
        """The same file, with another MAC for port `pNUMBER`."""
        old, new = self.mac(number), self.mac(number, generation)
        assert self.text.count(f'"{old}"') == 1
        return self.text.replace(f'"{old}"', f'"{new}"')
