import Netlink
import Testing
import Wire

@Suite struct LinkMonitorTests {
    @Test func tellsOfEachChange() throws {
        let bench = try Bench()
        let monitor = try LinkMonitor(in: bench.namespace)
        #expect(monitor.drain() == [])

        let index = try bench.netlink.createVeth("a", peer: "b").index
        let other = try bench.index("b")
        var seen = events(of: monitor) { $0.count >= 2 }
        #expect(seen.contains { if case .changed(let link) = $0 { link.name == "a" && !link.isUp } else { false } })

        try bench.netlink.setMTU(1300, index)
        seen = events(of: monitor) { !$0.isEmpty }
        #expect(
            seen.contains { if case .changed(let link) = $0 { link.index == index && link.mtu == 1300 } else { false } }
        )

        try bench.netlink.setUp(index)
        try bench.netlink.setUp(other)
        seen = events(of: monitor) { $0.contains { if case .changed(let l) = $0 { l.hasCarrier } else { false } } }
        #expect(seen.contains { if case .changed(let link) = $0 { link.index == index && link.isUp } else { false } })

        try bench.netlink.setDown(other)
        seen = events(of: monitor) {
            $0.contains { if case .changed(let l) = $0 { l.index == index && !l.hasCarrier } else { false } }
        }
        #expect(
            seen.contains {
                if case .changed(let l) = $0 { l.index == index && l.isUp && !l.hasCarrier } else { false }
            },
            "the near end stays up and loses its carrier"
        )

        try bench.netlink.addAddress(IPPrefix(address: .v4(IPv4Address(bits: 0x0A00_0001)), length: 24), index)
        seen = events(of: monitor) { $0.contains(.addressesChanged(index: index)) }
        #expect(seen.contains(.addressesChanged(index: index)))

        try bench.netlink.delete(index)
        seen = events(of: monitor) { $0.count { if case .removed = $0 { true } else { false } } == 2 }
        #expect(seen.contains(.removed(index: index, name: "a")))
        #expect(seen.contains(.removed(index: other, name: "b")))
    }

    @Test func leavingABridgeIsNoRemoval() throws {
        let bench = try Bench()
        let bridge = try bench.netlink.createBridge("br").index
        let port = try bench.netlink.createVeth("a", peer: "b").index
        try bench.netlink.setMaster(bridge, port)
        let monitor = try LinkMonitor(in: bench.namespace)
        try bench.netlink.setMaster(nil, port)
        let seen = events(of: monitor) {
            $0.contains { if case .changed(let l) = $0 { l.index == port && l.master == nil } else { false } }
        }
        #expect(!seen.isEmpty)
        #expect(!seen.contains(.removed(index: port, name: "a")))
    }

    @Test func movingAwayIsARemoval() throws {
        let bench = try Bench()
        let elsewhere = try Bench()
        let index = try bench.netlink.createVeth("a", peer: "b").index
        let monitor = try LinkMonitor(in: bench.namespace)
        try bench.netlink.setNamespace(elsewhere.namespace, index)
        let seen = events(of: monitor) { $0.contains(.removed(index: index, name: "a")) }
        #expect(seen.contains(.removed(index: index, name: "a")))
    }

    @Test func overrunIsToldAndAListPutsItRight() throws {
        let bench = try Bench()
        let monitor = try LinkMonitor(in: bench.namespace, receiveBuffer: 1)
        for i in 0..<150 { try bench.netlink.createVeth("a\(i)", peer: "b\(i)") }
        let seen = events(of: monitor) { $0.contains(.overrun) }
        #expect(seen.contains(.overrun))
        #expect(Set(try bench.netlink.links().map(\.name)).count >= 300)
        // It goes on afterwards.
        _ = monitor.drain()
        try bench.netlink.delete(try bench.index("a0"))
        let later = events(of: monitor) { $0.count >= 2 }
        #expect(later.contains { if case .removed(_, "a0") = $0 { true } else { false } })
    }
}
