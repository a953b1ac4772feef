import Testing
import Wire

@Suite struct AddressTextTests {
    @Test func macAddresses() {
        #expect(MACAddress("02:00:00:00:00:01")?.bits == 0x0200_0000_0001)
        #expect(MACAddress("AA-bb-CC-dd-EE-ff")?.description == "aa:bb:cc:dd:ee:ff")
        for text in [
            "", ":", "02:00:00:00:00", "02:00:00:00:00:01:02", "02::00:00:00:00:01", ":02:00:00:00:00:01",
            "2:0:0:0:0:1", "+2:00:00:00:00:01", "0x:00:00:00:00:01", "02 00 00 00 00 01", "0200.0000.0001",
            "02:00:00:00:00:01 ", "02:00:00:00:00:0g", "０２:00:00:00:00:01",
        ] {
            #expect(MACAddress(text) == nil, "\(text)")
        }
        var random = SplitMix(31)
        for _ in 0..<500 {
            let mac = MACAddress(bits: random.next())
            #expect(MACAddress(mac.description) == mac)
        }
        #expect(MACAddress.broadcast.isGroup && !MACAddress.zero.isGroup && MACAddress("01:80:c2:00:00:0e")!.isGroup)
    }

    @Test func ipv4Addresses() {
        #expect(IPv4Address("192.0.2.1")?.bits == 0xC000_0201)
        for text in [
            "", "1.2.3", "1.2.3.4.5", "1..2.3", "256.0.0.1", "010.0.0.1", "1.2.3.+4", "1.2.3.4 ", "0x1.2.3.4",
            "1.2.3.-0",
        ] {
            #expect(IPv4Address(text) == nil, "\(text)")
        }
        var random = SplitMix(32)
        for _ in 0..<500 {
            let address = IPv4Address(bits: UInt32(truncatingIfNeeded: random.next()))
            #expect(IPv4Address(address.description) == address)
        }
    }

    /// Text and its canonical form (RFC 5952 §4 and §5).
    @Test(arguments: [
        ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("0:0:0:0:0:0:0:0", "::"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"), ("::FFFF:c000:0201", "::ffff:192.0.2.1"),
        ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
        ("fe80::0001", "fe80::1"),
    ])
    func ipv6Addresses(text: String, canonical: String) throws {
        let address = try #require(IPv6Address(text))
        #expect(address.description == canonical)
        #expect(IPv6Address(canonical) == address)
    }

    @Test(arguments: [
        "", ":", ":::", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
        ":1:2:3:4:5:6:7", "1:2:3:4:5:6:7:", "12345::", "g::", "::1.2.3", "1.2.3.4", "::1.2.3.4:5", "fe80::1%eth0",
        "::+1",
        "1:2:3:4:5:6:7:1.2.3.4", " ::1", "::1/64",
    ])
    func refusesIPv6(text: String) {
        #expect(IPv6Address(text) == nil)
    }

    @Test func ipv6RoundTrips() {
        var random = SplitMix(33)
        for _ in 0..<1_000 {
            // Groups of zero are what the short form is about.
            var groups = (0..<8).map { _ in random.chance(2) ? 0 : UInt64(random.word()) }
            if random.chance(8) { groups = [0, 0, 0, 0, 0, 0xFFFF, UInt64(random.word()), UInt64(random.word())] }
            let address = IPv6Address(
                high: groups[..<4].reduce(0) { $0 << 16 | $1 },
                low: groups[4...].reduce(0) { $0 << 16 | $1 }
            )
            #expect(IPv6Address(address.description) == address, "\(groups)")
            let long = groups.map { String($0, radix: 16, uppercase: true) }.joined(separator: ":")
            #expect(IPv6Address(long) == address, "\(long)")
        }
    }

    @Test func mappedAddresses() {
        let v4 = IPv4Address("192.0.2.1")!
        #expect(IPv6Address(mapping: v4).mappedIPv4 == v4)
        #expect(IPAddress.v4(v4).mapped.description == "::ffff:192.0.2.1")
        #expect(IPAddress(mapped: IPv6Address(mapping: v4)) == .v4(v4))
        #expect(IPv6Address("::1")!.mappedIPv4 == nil && IPAddress("::1")!.isIPv6)
    }

    @Test func prefixes() throws {
        let prefix = try #require(IPPrefix("10.0.0.11/24"))
        #expect(prefix.description == "10.0.0.11/24" && prefix.network.description == "10.0.0.0/24")
        #expect(prefix.contains(IPAddress("10.0.0.255")!) && !prefix.contains(IPAddress("10.0.1.0")!))
        #expect(!IPPrefix("0.0.0.0/0")!.contains(IPAddress("::")!) && IPPrefix("::/0")!.contains(IPAddress("ff::1")!))
        #expect(prefix.overlaps(IPPrefix("10.0.0.0/8")!) && !prefix.overlaps(IPPrefix("10.0.2.0/23")!))
        #expect(IPPrefix("2001:db8::/33")!.contains(IPAddress("2001:db8:7fff::1")!))
        #expect(!IPPrefix("2001:db8::/33")!.contains(IPAddress("2001:db8:8000::1")!))
        for text in [
            "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08", "/8",
        ] {
            #expect(IPPrefix(text) == nil, "\(text)")
        }
    }

    /// Every length, against shifting bit by bit; lengths that cannot be do not trap.
    @Test func masks() {
        var random = SplitMix(34)
        for length in -2...130 {
            let v4 = IPv4Address(bits: UInt32(truncatingIfNeeded: random.next()))
            var expected = v4.bits
            for bit in 0..<32 where bit < 32 - length { expected &= ~(1 << UInt32(bit)) }
            #expect(IPAddress.v4(v4).masked(length) == .v4(IPv4Address(bits: expected)))
            let v6 = IPv6Address(high: random.next(), low: random.next())
            var halves = [v6.low, v6.high]
            for bit in 0..<128 where bit < 128 - length { halves[bit / 64] &= ~(1 << UInt64(bit % 64)) }
            #expect(IPAddress.v6(v6).masked(length) == .v6(IPv6Address(high: halves[1], low: halves[0])))
        }
    }

    @Test func noTextTraps() {
        var random = SplitMix(35)
        let alphabet = Array("0123456789abcdefF:.:/-+% x")
        for _ in 0..<5_000 {
            let text = String((0..<random.below(24)).map { _ in random.pick(alphabet) })
            _ = MACAddress(text)
            _ = IPPrefix(text)
            if let address = IPAddress(text) { #expect(IPAddress(address.description) == address) }
        }
    }
}
