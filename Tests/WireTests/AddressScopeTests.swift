import Testing
import Wire

@Suite struct AddressScopeTests {
    /// RFC 1812 §5.3.7, RFC 6890 §2.2.2: address, martian as source, martian as destination.
    @Test(arguments: [
        ("0.0.0.0", true, true), ("0.255.255.255", true, true), ("1.0.0.0", false, false), ("10.0.0.1", false, false),
        ("126.255.255.255", false, false), ("127.0.0.1", true, true), ("127.255.255.255", true, true),
        ("128.0.0.0", false, false), ("169.254.0.1", false, false), ("223.255.255.255", false, false),
        ("224.0.0.0", true, false), ("239.255.255.255", true, false), ("240.0.0.0", true, true),
        ("255.255.255.254", true, true), ("255.255.255.255", true, true),
    ])
    func martiansOfIPv4(text: String, source: Bool, destination: Bool) throws {
        let address = try #require(IPv4Address(text))
        #expect(address.isMartianSource == source && address.isMartianDestination == destination)
        #expect(address.isMulticast == (source && !destination))
        #expect(address.isLinkLocal == text.hasPrefix("169.254.") && address.isLoopback == text.hasPrefix("127."))
    }

    /// RFC 4291 §2.5 and §2.7, RFC 4213 §3.6, RFC 6890 §2.2.3.
    @Test(arguments: [
        ("::", true, true), ("::1", true, true), ("::2", true, true), ("::192.0.2.1", true, true),
        ("::ffff:192.0.2.1", true, true), ("::fffe:192.0.2.1", false, false), ("::1:0:0:1", false, false),
        ("64:ff9b::1", false, false), ("2001:db8::1", false, false), ("fe80::1", false, false),
        ("feff::1", false, false), ("ff00::", true, false), ("ff02::1", true, false), ("ffff::1", true, false),
        ("fd00::1", false, false),
    ])
    func martiansOfIPv6(text: String, source: Bool, destination: Bool) throws {
        let address = try #require(IPv6Address(text))
        #expect(address.isMartianSource == source && address.isMartianDestination == destination)
        #expect(address.isMulticast == (source && !destination) && address.isUnspecified == (text == "::"))
    }

    /// RFC 4007 §9: what no router forwards.
    @Test func scopes() throws {
        for (text, linkLocal, confined) in [
            ("fe80::1", true, true), ("febf:ffff::", true, true), ("fec0::1", false, false), ("fe7f::1", false, false),
            ("ff01::1", false, true), ("ff02::2", false, true), ("ff12::1", false, true), ("ff00::1", false, true),
            ("ff03::1", false, false), ("ff05::2", false, false), ("ff0e::1", false, false),
            ("2001:db8::1", false, false),
        ] {
            let address = try #require(IPv6Address(text))
            #expect(address.isLinkLocal == linkLocal && address.isConfinedToLink == confined, "\(text)")
        }
        #expect(!IPv4Address("169.253.255.255")!.isLinkLocal && !IPv4Address("169.255.0.0")!.isLinkLocal)
    }

    /// The examples of RFC 4291 §2.7.1 and appendix A, RFC 2464 §5 and §7.
    @Test func derivedAddresses() {
        #expect(IPv6Address("4037::01:800:200e:8c6c")!.solicitedNode == IPv6Address("ff02::1:ff0e:8c6c"))
        #expect(MACAddress(multicast: IPv6Address("ff02::1:ff0e:8c6c")!) == MACAddress("33:33:ff:0e:8c:6c"))
        #expect(MACAddress(multicast: .allNodes) == MACAddress("33:33:00:00:00:01"))
        #expect(IPv6Address.allNodes == IPv6Address("ff02::1"))
        #expect(IPv6Address(linkLocalOf: MACAddress("34:56:78:9a:bc:de")!) == IPv6Address("fe80::3656:78ff:fe9a:bcde"))
        #expect(IPv6Address(linkLocalOf: MACAddress("02:00:00:00:00:12")!) == IPv6Address("fe80::ff:fe00:12"))
        #expect(IPv6Address("ff02::1:ff00:0")!.isSolicitedNode && IPv6Address("ff02::1:ffff:ffff")!.isSolicitedNode)
        for text in ["ff02::1:fe00:0", "ff02::1", "ff02::2:ff00:0", "ff03::1:ff00:1", "ff02:1::1:ff00:1"] {
            #expect(!IPv6Address(text)!.isSolicitedNode, "\(text)")
        }
        var random = SplitMix(95)
        for _ in 0..<200 {
            let address = IPv6Address(high: random.next(), low: random.next())
            #expect(address.solicitedNode.isSolicitedNode && address.solicitedNode.isConfinedToLink)
            #expect(MACAddress(multicast: address).isGroup)
        }
        #expect(!MACAddress.zero.isUnicast && !MACAddress.broadcast.isUnicast && MACAddress(bits: 1).isUnicast)
    }
}
