"""Topology files as Python values (JSON is YAML)."""


def topology(hosts, tenants, lab=None):
    """`hosts` and `tenants` as in the file."""
    value = {"sluice": 1, "hosts": hosts, "tenants": tenants}
    if lab:
        value["lab"] = lab
    return value


def network(kind, identifier=None, **keys):
    """A network. Keys of the segment (`physical`, `protocol`, `port`) may be among its own."""
    segment = {"type": kind}
    if identifier is not None:
        segment["id"] = identifier
    for name in ("physical", "protocol", "port"):
        if name in keys:
            segment[name] = keys.pop(name)
    return {"segment": segment, **keys}


def port(host, attach, network=None, trunk=None, address=None, mac=None, **keys):
    """A port. `attach` is a mapping, or the name of a namespace."""
    value = {"host": host, "attach": {"netns": attach} if isinstance(attach, str) else attach}
    if trunk is not None:
        value["trunk"] = trunk
    else:
        value["network"] = network or "net"
    if address is not None:
        value["addresses" if isinstance(address, list) else "address"] = address
    if mac is not None:
        value["mac"] = mac
    return {**value, **keys}
