import Forwarding
import Rings
import Wire

// What comes in by ports and provider devices: tags, lengths, addresses, offloads.

extension Row {
    private typealias S = Sample

    /// A small frame of a type that nothing looks into.
    static func plain(
        to: MACAddress = Sample.b,
        from: MACAddress = Sample.a,
        tags: [(Int, Int)] = [],
        _ count: Int = 46
    ) -> [UInt8] {
        ethernet(to: to, from: from, tags: tags, type: 0x9999, [UInt8](repeating: 0x5A, count: count))
    }

    static func portRows(_ s: Sample) -> [Row] {
        let plain = Row.plain()
        let knowsB: [(mac: MACAddress, attachment: Int)] = [(S.b, s.atDB)]
        func at(_ endpoint: Int, _ bytes: [UInt8]) -> Arrival { Arrival(endpoint: endpoint, bytes: bytes) }
        func lan(_ tags: [(Int, Int)]) -> [UInt8] { Row.plain(tags: tags) }
        let toLAN: [(mac: MACAddress, attachment: Int)] = [(S.b, s.atLAN)]
        return [
            Row(name: "an unused endpoint", arrival: at(0, plain), expected: .drop(.portWithoutNetwork)),
            Row(name: "an endpoint that is not there", arrival: at(500, plain), expected: .drop(.portWithoutNetwork)),
            Row(name: "a port without network", arrival: at(s.bare, plain), expected: .drop(.portWithoutNetwork)),
            Row(
                name: "untagged on a trunk without an untagged network",
                arrival: at(s.taggedTrunk, plain),
                expected: .drop(.noUntaggedNetwork)
            ),
            Row(
                name: "13 bytes",
                arrival: at(s.web, Array(plain.prefix(13))),
                expected: .drop(.tooShort)
            ),
            Row(
                name: "14 bytes are a frame",
                arrival: at(s.web, Array(plain.prefix(14))),
                seen: knowsB,
                expected: .forward(Copy(attachment: s.atDB, bytes: Array(plain.prefix(14))))
            ),
            Row(
                name: "a tag without a type behind it",
                arrival: at(s.trunk, Array(lan([(0x8100, 20)]).prefix(17))),
                expected: .drop(.tooShort)
            ),
            Row(
                name: "longer than any packet",
                arrival: at(s.web, Row.plain(65_544)),
                expected: .drop(.tooLong)
            ),
            Row(
                name: "port to port, nothing changes",
                arrival: at(s.web, plain),
                seen: knowsB,
                expected: .forward(Copy(attachment: s.atDB, bytes: plain)),
                learns: true
            ),

            // IEEE 802.1Q.
            Row(
                name: "tagged on an access port",
                arrival: at(s.lanPort, lan([(0x8100, 100)])),
                expected: .drop(.taggedOnAccessPort)
            ),
            Row(
                name: "S-tagged on an access port",
                arrival: at(s.lanPort, lan([(0x88A8, 100)])),
                expected: .drop(.taggedOnAccessPort)
            ),
            Row(
                name: "VLAN id 0 counts as untagged, and its priority goes along",
                arrival: at(s.lanPort, Row.plain(tags: [(0x8100, 0xB000)])),
                seen: [(S.b, s.atLANProvider)],
                expected: .forward(
                    Copy(attachment: s.atLANProvider, bytes: Row.plain(tags: [(0x8100, 0xB000 | 100)]))
                )
            ),
            Row(
                name: "VLAN id 0 on an access port leaves without its tag",
                arrival: at(s.web, Row.plain(tags: [(0x8100, 0)])),
                seen: knowsB,
                expected: .forward(Copy(attachment: s.atDB, bytes: plain))
            ),
            Row(
                name: "VLAN id 0 on a trunk is its untagged network",
                arrival: at(s.trunk, Row.plain(tags: [(0x8100, 0xE000)])),
                seen: knowsB,
                expected: .forward(Copy(attachment: s.atDB, bytes: plain))
            ),
            Row(
                name: "VLAN id 4095 on a trunk",
                arrival: at(s.trunk, lan([(0x8100, 0xFFF)])),
                expected: .drop(.reservedVLAN)
            ),
            Row(
                name: "VLAN id 4095 on an access port",
                arrival: at(s.web, lan([(0x8100, 0xFFF)])),
                expected: .drop(.reservedVLAN)
            ),
            Row(
                name: "VLAN id 4095 behind the network's tag, also where tags are content",
                arrival: at(s.provider, lan([(0x88A8, 300), (0x8100, 0xFFF)])),
                expected: .drop(.reservedVLAN)
            ),
            Row(
                name: "an unknown VLAN on a trunk",
                arrival: at(s.trunk, lan([(0x8100, 11)])),
                expected: .drop(.unknownVLAN)
            ),
            Row(
                name: "the right VLAN id with the wrong tag type",
                arrival: at(s.provider, lan([(0x88A8, 100)])),
                expected: .drop(.unknownVLAN)
            ),
            Row(
                name: "an old tag type",
                arrival: at(s.provider, lan([(0x9100, 100)])),
                expected: .drop(.unknownVLAN)
            ),
            Row(
                name: "trunk to access port: the tag stays behind",
                arrival: at(s.trunk, lan([(0x8100, 0x6000 | 20)])),
                seen: toLAN,
                expected: .forward(Copy(attachment: s.atLAN, bytes: plain))
            ),
            Row(
                name: "trunk to provider: one tag for the other, same priority",
                arrival: at(s.trunk, lan([(0x8100, 0xF000 | 20)])),
                seen: [(S.b, s.atLANProvider)],
                expected: .forward(Copy(attachment: s.atLANProvider, bytes: lan([(0x8100, 0xF000 | 100)])))
            ),
            Row(
                name: "access port to provider: tag pushed with priority 0",
                arrival: at(s.lanPort, plain),
                seen: [(S.b, s.atLANProvider)],
                expected: .forward(Copy(attachment: s.atLANProvider, bytes: lan([(0x8100, 100)])))
            ),
            Row(
                name: "flat network on the provider device: no tag",
                arrival: at(s.provider, plain),
                seen: [(S.b, s.atFlat)],
                expected: .forward(Copy(attachment: s.atFlat, bytes: plain))
            ),
            Row(
                name: "a second tag behind the network's",
                arrival: at(s.trunk, lan([(0x8100, 20), (0x8100, 30)])),
                expected: .drop(.doubleTagged)
            ),
            Row(
                name: "VLAN hopping: priority tag in front of another network's tag",
                arrival: at(s.trunk, lan([(0x8100, 0), (0x8100, 20)])),
                expected: .drop(.doubleTagged)
            ),
            Row(
                name: "a priority tag behind the network's goes too",
                arrival: at(s.trunk, lan([(0x8100, 20), (0x8100, 0xE000)])),
                seen: toLAN,
                expected: .forward(Copy(attachment: s.atLAN, bytes: plain))
            ),
            Row(
                name: "three tags",
                arrival: at(s.trunk, lan([(0x8100, 20), (0x8100, 0), (0x8100, 0)])),
                expected: .drop(.doubleTagged)
            ),
            Row(
                name: "vlanTransparent: an access port's tag is content",
                arrival: at(s.qinqPort, lan([(0x8100, 0x2000 | 42)])),
                seen: [(S.b, s.atQinqProvider)],
                expected: .forward(
                    Copy(attachment: s.atQinqProvider, bytes: lan([(0x88A8, 300), (0x8100, 0x2000 | 42)]))
                )
            ),
            Row(
                name: "vlanTransparent: the tenant's tag arrives as it was sent",
                arrival: at(s.provider, lan([(0x88A8, 0x2000 | 300), (0x8100, 42)])),
                seen: [(S.b, s.atQinq)],
                expected: .forward(Copy(attachment: s.atQinq, bytes: lan([(0x8100, 42)])))
            ),
            Row(
                name: "a tenant's tag may not choose the network on a trunk's untagged side",
                arrival: at(s.clearPort, lan([(0x8100, 10)])),
                seen: [(S.b, s.atClearTrunk)],
                expected: .forward(Copy(attachment: s.atClearTrunk, reason: .tagWouldEscape))
            ),

            // Addresses.
            Row(
                name: "multicast source",
                arrival: at(s.web, Row.plain(from: MACAddress(bits: 0x0100_5E00_0001))),
                expected: .drop(.invalidSource),
                learns: false
            ),
            Row(
                name: "broadcast source",
                arrival: at(s.web, Row.plain(from: .broadcast)),
                expected: .drop(.invalidSource),
                learns: false
            ),
            Row(
                name: "zero source",
                arrival: at(s.web, Row.plain(from: .zero)),
                expected: .drop(.invalidSource),
                learns: false
            ),
            Row(
                name: "zero destination",
                arrival: at(s.web, Row.plain(to: .zero)),
                expected: .drop(.zeroDestination)
            ),
            Row(
                name: "spanning tree",
                arrival: at(s.web, Row.plain(to: MACAddress(bits: 0x0180_C200_0000))),
                expected: .drop(.linkLocal),
                learns: false
            ),
            Row(
                name: "LLDP",
                arrival: at(s.web, Row.plain(to: MACAddress(bits: 0x0180_C200_000E))),
                expected: .drop(.linkLocal)
            ),
            Row(
                name: "01:80:c2:00:00:10 is an ordinary group",
                arrival: at(s.quiet1, Row.plain(to: MACAddress(bits: 0x0180_C200_0010))),
                expected: .flood([
                    Copy(attachment: s.atQuiet2, bytes: Row.plain(to: MACAddress(bits: 0x0180_C200_0010))),
                    Copy(
                        attachment: s.atTaggedQuiet,
                        bytes: Row.plain(to: MACAddress(bits: 0x0180_C200_0010), tags: [(0x8100, 10)])
                    ),
                ])
            ),
            Row(
                name: "linkLocal: forward",
                arrival: at(s.link1, Row.plain(to: MACAddress(bits: 0x0180_C200_0003))),
                expected: .flood([
                    Copy(attachment: s.atLink2, bytes: Row.plain(to: MACAddress(bits: 0x0180_C200_0003)))
                ])
            ),
        ]
    }
}
