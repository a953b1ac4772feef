"""The kernel's own bridge, vxlan and routing, at their defaults."""

from support.namespaces import ip

from .contender import Contender, End, forwards


class KernelBridge(Contender):
    key, title = "kbr", "kernel bridge, veth"

    def build(self):
        host, one, two = self.space("sw", "a", "b")
        ip(host, "link add bridge0 type bridge", "link set bridge0 up")
        self.a, self.b = End(one, "10.1.0.1"), End(two, "10.1.0.2")
        for number, end in enumerate((self.a, self.b)):
            self.cable(host, f"p{number}", end)
            ip(host, f"link set p{number} master bridge0")


def kernel_far_end(contender, host, end, vtep, remote, mtu=1450):
    """A host whose bridge has a vxlan device and a machine: what stands at the other end of a tunnel that is not ours."""
    ip(host, f"link add vx0 type vxlan id 7 local {vtep} remote {remote} dstport 4789",
       "link add bridge0 type bridge", "link set vx0 master bridge0 up", "link set bridge0 up")
    contender.cable(host, "p", end, mtu)
    ip(host, "link set p master bridge0")


class KernelVXLAN(Contender):
    key, title = "kvx", "kernel bridge + vxlan at both ends, veth"

    def build(self):
        one, two, a, b = self.space("h1", "h2", "a", "b")
        self.join((one, "under", "192.0.2.1"), (two, "under", "192.0.2.2"))
        self.a, self.b = End(a, "10.1.0.1"), End(b, "10.1.0.2")
        kernel_far_end(self, one, self.a, "192.0.2.1", "192.0.2.2")
        kernel_far_end(self, two, self.b, "192.0.2.2", "192.0.2.1")


class KernelRouter(Contender):
    key, title = "krt", "kernel router, veth"

    def build(self):
        host, one, two = self.space("rt", "a", "b")
        self.a, self.b = End(one, "10.1.0.2"), End(two, "10.1.1.2")
        for number, end in enumerate((self.a, self.b)):
            self.cable(host, f"p{number}", end)
            ip(host, f"address add 10.1.{number}.1/24 dev p{number}")
            ip(end.namespace, f"route add default via 10.1.{number}.1")
        forwards(host)
