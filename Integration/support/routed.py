"""Two hosts, two tenants with the same networks, addresses, MACs and routers, and a far side of their own each."""

from .namespaces import address
from .topology import network, port, topology

VTEPS = {"h1": ["192.0.2.1", "2001:db8:2::1"], "h2": ["192.0.2.2", "2001:db8:2::2"]}
# The router's addresses, the same for both tenants.
GATEWAY = {"app": ["10.0.0.1/24", "fd00::1/64"], "data": ["10.0.1.1/24", "fd00:1::1/64"]}
# Port → host, network, number of its address in the network.
PORTS = {"web": ("h1", "app", 11), "cache": ("h2", "app", 12), "db": ("h2", "data", 13), "log": ("h1", "data", 14)}
TENANTS = {"red": 5001, "blue": 6001}


def addresses(name):
    """IPv4 and IPv6 address of a port, whichever tenant's."""
    _, home, number = PORTS[name]
    subnet = list(GATEWAY).index(home)
    return f"10.0.{subnet}.{number}", (f"fd00:{subnet}::{number:x}" if subnet else f"fd00::{number:x}")


def tenant(name, **router):
    """A tenant with two networks, a router between them, and ports on both hosts. `router` adds keys to the router."""
    first = TENANTS[name]
    networks = {
        net: network("vxlan", first + i, subnets=[f"10.0.{i}.0/24", f"fd00:{i}::/64"])
        for i, net in enumerate(GATEWAY)}
    ports = {}
    for number, (each, (host, net, _)) in enumerate(PORTS.items(), 1):
        v4, v6 = addresses(each)
        ports[each] = port(
            host, f"{name}-{each}", network=net, address=[f"{v4}/24", f"{v6}/64"], mac=f"02:00:00:00:00:{number:02x}")
    return {
        "networks": networks, "ports": ports,
        "routers": {"gw": {"mac": "02:00:00:00:00:fe", "interfaces": {**GATEWAY}, **router}}}


def cloud(**tenants):
    """The file for both hosts. Keys of a tenant replace its own."""
    value = {name: tenant(name) for name in TENANTS}
    for name, keys in tenants.items():
        value[name].update(keys)
    return topology({host: {"vtep": vteps} for host, vteps in VTEPS.items()}, value)


def wire(bench, mtu=1500):
    """Namespaces h1 and h2 joined by a cable, with the VTEPs' addresses, and one for each port."""
    bench.hosts("h1", "h2", mtu=mtu)
    for host, vteps in VTEPS.items():
        address(host, "under", f"{vteps[0]}/24", f"{vteps[1]}/64")
    for name in TENANTS:
        bench.namespaces.make(*(f"{name}-{each}" for each in PORTS))

