import Glibc
import Netlink
import Testing
import Wire

@Suite struct AddressTests {
    private func prefix(_ text: String) throws -> IPPrefix { try #require(IPPrefix(text)) }
    private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    @Test func addressesOfBothFamiliesComeAndGo() throws {
        let bench = try Bench()
        let index = try bench.netlink.createVeth("a", peer: "b").index
        try bench.netlink.setIPv6AddressGeneration(.none, index)
        let v4 = try prefix("10.0.0.11/24")
        let v6 = try prefix("2001:db8::11/64")
        try bench.netlink.addAddress(v4, index)
        try bench.netlink.addAddress(v6, index)
        #expect(Set(try bench.netlink.addresses(index)) == [v4, v6])
        #expect(try bench.netlink.addresses(1) == [prefix("127.0.0.1/8"), prefix("::1/128")])
        let again = try #require(throws: NetlinkError.self) { try bench.netlink.addAddress(v4, index) }
        #expect(again.errno == EEXIST)
        try bench.netlink.removeAddress(v4, index)
        #expect(try bench.netlink.addresses(index) == [v6])
        let gone = try #require(throws: NetlinkError.self) { try bench.netlink.removeAddress(v4, index) }
        #expect(gone.errno == EADDRNOTAVAIL)
    }

    /// With duplicate address detection a bind to the address would fail for about a second.
    @Test func anIPv6AddressIsUsableAtOnce() throws {
        let bench = try Bench()
        let index = try bench.netlink.createVeth("a", peer: "b").index
        try bench.netlink.setUp(index)
        try bench.netlink.setUp(try bench.index("b"))
        try bench.netlink.addAddress(try prefix("2001:db8::11/64"), index)
        let result = try bench.namespace.run {
            let socket = socket(AF_INET6, Int32(SOCK_DGRAM.rawValue), 0)
            defer { close(socket) }
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            inet_pton(AF_INET6, "2001:db8::11", &name.sin6_addr)
            return withUnsafePointer(to: &name) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        }
        #expect(result == 0)
    }

    @Test func routes() throws {
        let bench = try Bench()
        let index = try bench.netlink.createVeth("a", peer: "b").index
        try bench.netlink.setUp(index)
        try bench.netlink.setUp(try bench.index("b"))
        try bench.netlink.addAddress(try prefix("10.0.0.11/24"), index)
        try bench.netlink.addAddress(try prefix("2001:db8::11/64"), index)
        try bench.netlink.replaceDefaultRoute(via: try address("10.0.0.1"), index)
        try bench.netlink.replaceDefaultRoute(via: try address("10.0.0.2"), index)
        try bench.netlink.replaceDefaultRoute(via: try address("2001:db8::1"), index)
        let branch = Route(to: try prefix("10.9.0.0/16"), via: try address("10.0.0.200"), index: index)
        let onLink = Route(to: try prefix("10.8.0.0/16"), index: index)
        try bench.netlink.addRoute(branch)
        try bench.netlink.addRoute(onLink)
        let routes = Set(try bench.netlink.routes())
        let defaults = routes.filter { $0.destination.length == 0 }
        #expect(
            defaults == [
                Route(to: try prefix("0.0.0.0/0"), via: try address("10.0.0.2"), index: index),
                Route(to: try prefix("::/0"), via: try address("2001:db8::1"), index: index),
            ]
        )
        #expect(routes.contains(branch) && routes.contains(onLink))
        let twice = try #require(throws: NetlinkError.self) { try bench.netlink.addRoute(branch) }
        #expect(twice.errno == EEXIST && "\(twice)".contains("10.9.0.0/16 via 10.0.0.200"))
        try bench.netlink.removeRoute(branch)
        #expect(try !bench.netlink.routes().contains(branch))
    }
}
