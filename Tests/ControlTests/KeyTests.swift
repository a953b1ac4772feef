import Control
import Testing
import Wire

struct KeyTests {
    @Test(arguments: [
        (EndpointKey.port(tenant: "red", name: "web"), "red/web"),
        (.provider("physnet1"), "physnet1"),
        (.vxlan(address: address("192.0.2.1"), port: 4789), "vxlan 192.0.2.1:4789"),
        (.vxlan(address: address("2001:db8::1"), port: 8472), "vxlan [2001:db8::1]:8472"),
        (.gre(address: address("192.0.2.1")), "gre 192.0.2.1"),
        (.gre(address: address("2001:db8::1")), "gre 2001:db8::1"),
        (.ip(address: address("192.0.2.1"), .ipip), "ipip 192.0.2.1"),
        (.ip(address: address("2001:db8::1"), .sit), "sit 2001:db8::1"),
        (.ip(address: address("192.0.2.1"), .ka9q), "ka9q 192.0.2.1"),
    ])
    func keysReadBack(key: EndpointKey, text: String) {
        #expect(key.description == text)
        #expect(EndpointKey(text) == key)
    }

    @Test(arguments: [
        "", "vxlan 192.0.2.1", "vxlan 192.0.2.1:70000", "vxlan x:4789", "gre ", "gre 300.0.0.1", "foo bar",
        "ipip ", "ipip x", "sit ", "protocol4 192.0.2.1", "foo 192.0.2.1",
    ])
    func otherTextIsNoKey(text: String) {
        #expect(EndpointKey(text) == nil)
    }

    @Test func tunnelsBelongToNobody() {
        #expect(EndpointKey.port(tenant: "red", name: "web").tenant == "red")
        #expect(EndpointKey.provider("physnet1").tenant == nil)
        #expect(EndpointKey.gre(address: address("192.0.2.1")).tenant == nil)
    }

    @Test func protocolsAreNumbers() {
        #expect(EncapsulationProtocol.ipip.rawValue == IPProtocol.ipv4)
        #expect(EncapsulationProtocol.sit.rawValue == IPProtocol.ipv6)
        #expect(EncapsulationProtocol.ka9q.rawValue == IPProtocol.ka9qIPIP)
    }

    @Test func tunnelsAreKeysOfSegments() {
        let key = SegmentKey(tenant: "red", router: "gw", tunnel: "branch")
        #expect(key.description == "red/gw/branch" && SegmentKey("red/gw/branch") == key)
        #expect(key != SegmentKey(tenant: "red", network: "branch"))
        #expect(RouterKey("red/gw") == RouterKey(tenant: "red", router: "gw") && RouterKey("red") == nil)
    }

    @Test func mediaReadBack() {
        let web = EndpointKey.port(tenant: "red", name: "web")
        let own = EndpointMedium.ownEnd(tenant: "red", port: "web")
        let wire = EndpointKey.provider("physnet1")
        let vxlan = EndpointKey.vxlan(address: address("192.0.2.1"), port: 4789)
        let gre = EndpointKey.gre(address: address("2001:db8::1"))
        let ipip = EndpointKey.ip(address: address("192.0.2.1"), .ipip)
        let cases: [(EndpointMedium, EndpointKey, String)] = [
            (.tap(name: "eth0", namespace: "red-web"), web, "tap eth0 netns red-web"),
            (.tap(name: "vm0", namespace: nil), web, "tap vm0"),
            (.veth(name: "db0", namespace: "red-db", ownEnd: own), web, "veth db0 netns red-db"),
            (.veth(name: "db0", namespace: nil, ownEnd: own), web, "veth db0"),
            (.device("eth3"), web, "device eth3"),
            (.provider(device: "eth1"), wire, "device eth1"),
            (.vxlan(address: address("192.0.2.1"), port: 4789), vxlan, "socket"),
            (.gre(address: address("2001:db8::1")), gre, "socket"),
            (.ip(address: address("192.0.2.1"), .ipip), ipip, "socket"),
        ]
        for (medium, key, text) in cases {
            #expect(medium.description == text)
            #expect(EndpointMedium(text, key: key) == medium)
        }
        for text in ["", "tap", "tap ", "veth x ns y", "tap x netns ", "device ", "socket", "bridge br0"] {
            #expect(EndpointMedium(text, key: web) == nil, "\(text)")
        }
    }

    @Test func ownEndsAreStableAndShort() {
        #expect(EndpointMedium.ownEnd(tenant: "red", port: "web") == EndpointMedium.ownEnd(tenant: "red", port: "web"))
        var names: Set<String> = []
        for tenant in 0..<40 {
            for port in 0..<50 { names.insert(EndpointMedium.ownEnd(tenant: "t\(tenant)", port: "p\(port)")) }
        }
        names.insert(EndpointMedium.ownEnd(tenant: "a", port: "bc"))
        names.insert(EndpointMedium.ownEnd(tenant: "ab", port: "c"))
        #expect(names.count == 2002)
        #expect(names.allSatisfy { $0.utf8.count == 15 && $0.hasPrefix("sl") })
    }
}
