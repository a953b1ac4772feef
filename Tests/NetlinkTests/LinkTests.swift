import Glibc
import Netlink
import Testing
import Wire

@Suite struct LinkTests {
    @Test func aFreshNamespaceHasALoopbackThatIsUp() throws {
        let bench = try Bench()
        let links = try bench.netlink.links()
        // Kernels with built-in tunnels put their fallback devices (sit0, …) into every namespace.
        let loopback = try #require(links.first)
        #expect(loopback.name == "lo" && loopback.index == 1 && loopback.isLoopback && loopback.isUp)
        #expect(loopback.mtu == 65536 && loopback.mac == .zero && loopback.peer == nil)
    }

    @Test func vethWithItsPeerInAnotherNamespace() throws {
        let near = try Bench()
        let far = try Bench()
        let mac = try #require(MACAddress("02:00:00:00:00:0a"))
        let peerMAC = try #require(MACAddress("02:00:00:00:00:0b"))
        let link = try near.netlink.createVeth(
            "db0",
            mac: mac,
            peer: "eth0",
            peerMAC: peerMAC,
            peerNamespace: far.namespace,
            mtu: 1400
        )
        #expect(link.name == "db0" && link.mac == mac && link.mtu == 1400 && link.kind == "veth")
        #expect(!link.isUp && !link.hasCarrier)
        let peer = try #require(try far.netlink.link(named: "eth0"))
        #expect(peer.mac == peerMAC && peer.mtu == 1400 && peer.kind == "veth")
        #expect(link.peer?.index == peer.index && peer.peer?.index == link.index)
        #expect(link.peer?.namespaceID != nil, "the peer is elsewhere")
        #expect(try near.netlink.link(named: "eth0") == nil)

        try near.netlink.setUp(link.index)
        #expect(try near.netlink.link(index: link.index)?.hasCarrier == false, "the far end is still down")
        try far.netlink.setUp(peer.index)
        #expect(try near.netlink.link(index: link.index)?.hasCarrier == true)

        try near.netlink.delete(link.index)
        #expect(try far.netlink.link(named: "eth0") == nil, "both ends of a pair go together")
    }

    @Test func bothEndsElsewhere() throws {
        let here = try Bench()
        let a = try Bench()
        let b = try Bench()
        try here.netlink.createVeth(
            Netlink.VethEnd("left", mtu: 1508, namespace: a.namespace),
            Netlink.VethEnd("right", mtu: 1400, namespace: b.namespace)
        )
        #expect(try here.netlink.link(named: "left") == nil)
        #expect(try a.netlink.link(named: "left")?.mtu == 1508)
        #expect(try b.netlink.link(named: "right")?.mtu == 1400)
    }

    @Test func changes() throws {
        let bench = try Bench()
        let index = try bench.netlink.createVeth("a", peer: "b").index
        let mac = try #require(MACAddress("06:01:02:03:04:05"))
        try bench.netlink.setMTU(9000, index)
        try bench.netlink.setMAC(mac, index)
        try bench.netlink.rename(index, to: "renamed")
        try bench.netlink.setTransmitQueueLength(77, index)
        try bench.netlink.setGSOMaximum(bytes: 32000, index)
        try bench.netlink.setGSOMaximum(segments: 44, index)
        let link = try #require(try bench.netlink.link(named: "renamed"))
        #expect(link.index == index && link.mtu == 9000 && link.mac == mac && link.transmitQueueLength == 77)

        try bench.netlink.setUp(index)
        try bench.netlink.setDown(index)
        #expect(try bench.netlink.link(index: index)?.isUp == false)
    }

    @Test func withoutAddressGenerationADeviceComesUpSilent() throws {
        let bench = try Bench()
        let index = try bench.netlink.createVeth("a", peer: "b").index
        let other = try bench.index("b")
        try bench.netlink.setIPv6AddressGeneration(.none, index)
        try bench.netlink.setUp(index)
        try bench.netlink.setUp(other)
        // The kernel adds them a moment after the carrier comes.
        for _ in 0..<200 where try bench.netlink.addresses(other).isEmpty { usleep(10_000) }
        #expect(try bench.netlink.addresses(other).count == 1, "fe80::/64, from its address")
        #expect(try bench.netlink.addresses(index) == [])
    }

    @Test func bridgeAndItsPorts() throws {
        let bench = try Bench()
        let bridge = try bench.netlink.createBridge("br", mtu: 1450)
        #expect(bridge.kind == "bridge" && bridge.mtu == 1450)
        let port = try bench.netlink.createVeth("port", peer: "end").index
        try bench.netlink.setMaster(bridge.index, port)
        #expect(try bench.netlink.link(index: port)?.master == bridge.index)
        try bench.netlink.setMaster(nil, port)
        #expect(try bench.netlink.link(index: port)?.master == nil)
    }

    @Test func movingToAnotherNamespace() throws {
        let near = try Bench()
        let far = try Bench()
        let index = try near.netlink.createVeth("a", peer: "b").index
        try near.netlink.setNamespace(far.namespace, index, renamingTo: "arrived")
        #expect(try near.netlink.link(named: "a") == nil)
        #expect(try far.netlink.link(named: "arrived")?.kind == "veth")
    }

    @Test func refusalsSayWhatAndWhy() throws {
        let bench = try Bench()
        try bench.netlink.createVeth("a", peer: "b")
        let taken = try #require(throws: NetlinkError.self) { try bench.netlink.createVeth("a", peer: "c") }
        #expect(taken.errno == EEXIST && taken.operation == "create veth" && taken.object == "a")
        #expect("\(taken)".hasPrefix("cannot create veth a: File exists"))
        let long = try #require(throws: NetlinkError.self) {
            try bench.netlink.createVeth("sixteen-bytes-ab", peer: "c")
        }
        #expect("\(long)".contains("1 to 15 bytes"))
        let missing = try #require(throws: NetlinkError.self) { try bench.netlink.setUp(4711) }
        #expect(missing.errno == ENODEV)
        let small = try #require(throws: NetlinkError.self) { try bench.netlink.setMTU(10, bench.index("a")) }
        #expect(small.errno == EINVAL && small.detail != nil, "the kernel's own sentence: \(small)")
        #expect(try bench.netlink.link(named: "this-name-is-longer-than-fifteen") == nil)
        #expect(
            "\(NetlinkError("create veth", "db0", errno: EPERM))".hasSuffix("Run as root, or inside `unshare -Urn`")
        )
    }

    @Test func aDumpOfManyDevicesIsWhole() throws {
        let bench = try Bench()
        let before = try bench.netlink.links().count
        for i in 0..<100 { try bench.netlink.createVeth("a\(i)", peer: "b\(i)") }
        let names = Set(try bench.netlink.links().map(\.name))
        #expect(names.count == before + 200)
        for i in 0..<100 { #expect(names.contains("a\(i)") && names.contains("b\(i)")) }
    }
}
