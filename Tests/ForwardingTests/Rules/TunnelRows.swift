import Forwarding
import Rings
import Wire

// What comes in by VXLAN and GRE.

extension Row {
    static func tunnelRows(_ s: Sample) -> [Row] {
        typealias S = Sample
        let plain = Row.plain()
        let delivered = Expected.forward(Copy(attachment: s.atDB, bytes: plain))
        let deliveredData = Expected.forward(Copy(attachment: s.atData, bytes: plain))
        let knowsB: [(mac: MACAddress, attachment: Int)] = [(S.b, s.atDB), (S.b, s.atData)]
        func vx(_ bytes: [UInt8], from peer: IPv6Address = S.h2, interface: UInt32 = 2) -> Arrival {
            Arrival(endpoint: s.vxlan, bytes: bytes, outerSource: peer, outerInterface: interface)
        }
        func gr(_ bytes: [UInt8], from peer: IPv6Address = S.h2, interface: UInt32 = 2) -> Arrival {
            Arrival(endpoint: s.gre, bytes: bytes, outerSource: peer, outerInterface: interface)
        }
        return [
            Row(name: "VXLAN", arrival: vx(vxlan(5001, plain)), seen: knowsB, expected: delivered, learns: true),
            Row(
                name: "VXLAN from an IPv6 VTEP",
                arrival: vx(vxlan(5001, plain), from: S.h6),
                seen: knowsB,
                expected: delivered
            ),
            Row(
                name: "VXLAN in by a tenant's port",
                arrival: vx(vxlan(5001, plain), interface: S.tenantInterface),
                expected: .drop(.tunnelFromTenant)
            ),
            Row(
                name: "7 bytes of VXLAN",
                arrival: vx(Array(vxlan(5001, plain).prefix(7))),
                expected: .drop(.tunnelHeaderTruncated)
            ),
            Row(name: "no bytes of VXLAN", arrival: vx([]), expected: .drop(.tunnelHeaderTruncated)),
            Row(
                name: "VXLAN without the I flag",
                arrival: vx(vxlan(5001, flags: 0, plain)),
                expected: .drop(.vxlanNoVNI)
            ),
            Row(
                name: "VXLAN with every reserved bit",
                arrival: vx(vxlan(5001, flags: 0xFFFF_FFFF, reserved: 0xFF, plain)),
                seen: knowsB,
                expected: delivered
            ),
            Row(name: "unknown VNI", arrival: vx(vxlan(5004, plain)), expected: .drop(.unknownVNI)),
            Row(name: "a GRE key is no VNI", arrival: vx(vxlan(77, plain)), expected: .drop(.unknownVNI)),
            Row(
                name: "unknown VTEP",
                arrival: vx(vxlan(5001, plain), from: S.stranger),
                expected: .drop(.unknownPeer)
            ),
            Row(
                name: "a VTEP without a port in the network",
                arrival: vx(vxlan(5002, plain), from: S.h3),
                expected: .drop(.peerNotInNetwork)
            ),
            Row(
                name: "13 bytes inside VXLAN",
                arrival: vx(vxlan(5001, Array(plain.prefix(13)))),
                expected: .drop(.tooShort)
            ),
            Row(name: "nothing inside VXLAN", arrival: vx(vxlan(5001, [])), expected: .drop(.tooShort)),
            Row(
                name: "tagged inside VXLAN",
                arrival: vx(vxlan(5001, Row.plain(tags: [(0x8100, 20)]))),
                expected: .drop(.taggedInSegment)
            ),
            Row(
                name: "VLAN id 0 inside VXLAN counts as untagged",
                arrival: vx(vxlan(5001, Row.plain(tags: [(0x8100, 0xE000)]))),
                seen: knowsB,
                expected: delivered
            ),
            Row(
                name: "tagged inside VXLAN, vlanTransparent",
                arrival: vx(vxlan(5003, Row.plain(tags: [(0x8100, 20)]))),
                seen: [(S.b, s.atClear)],
                expected: .forward(Copy(attachment: s.atClear, bytes: Row.plain(tags: [(0x8100, 20)])))
            ),
            Row(
                name: "multicast source inside VXLAN",
                arrival: vx(vxlan(5001, Row.plain(from: .broadcast))),
                expected: .drop(.invalidSource),
                learns: false
            ),
            Row(
                name: "congestion, and the sender does not understand it",
                arrival: Arrival(
                    endpoint: s.vxlan,
                    bytes: vxlan(5001, ethernet(to: S.b, from: S.a, type: 0x0800, ipv4(protocol: 1, [0, 0]))),
                    outerSource: S.h2,
                    outerTOS: 3
                ),
                expected: .drop(.ecnInvalid),
                learns: false
            ),
            Row(
                name: "congestion around a frame that is not IP",
                arrival: Arrival(endpoint: s.vxlan, bytes: vxlan(5001, plain), outerSource: S.h2, outerTOS: 3),
                seen: knowsB,
                expected: delivered
            ),

            Row(name: "GRE", arrival: gr(gre(77, plain)), seen: knowsB, expected: deliveredData, learns: true),
            Row(
                name: "GRE with checksum and sequence number",
                arrival: gr(gre(77, flags: 0x8000, sequence: 9, plain)),
                seen: knowsB,
                expected: deliveredData
            ),
            Row(
                name: "GRE with reserved bits 6 to 12",
                arrival: gr(gre(77, flags: 0x03F8, plain)),
                seen: knowsB,
                expected: deliveredData
            ),
            Row(
                name: "GRE in by a tenant's port",
                arrival: gr(gre(77, plain), interface: S.tenantInterface),
                expected: .drop(.tunnelFromTenant)
            ),
            Row(
                name: "7 bytes of keyed GRE",
                arrival: gr(Array(gre(77, plain).prefix(7))),
                expected: .drop(.tunnelHeaderTruncated)
            ),
            Row(
                name: "GRE with a wrong checksum",
                arrival: gr(gre(77, flags: 0x8000, plain).dropLast() + [0]),
                expected: .drop(.greChecksum)
            ),
            Row(
                name: "GRE with routing",
                arrival: gr(gre(77, flags: 0x4000, plain)),
                expected: .drop(.greHeader)
            ),
            Row(name: "GRE version 1", arrival: gr(gre(77, flags: 1, plain)), expected: .drop(.greHeader)),
            Row(name: "ARP in GRE", arrival: gr(gre(77, type: 0x0806, plain)), expected: .drop(.greProtocol)),
            Row(
                name: "IP in GRE with the key of a network",
                arrival: gr(gre(77, type: 0x0800, ipv4(protocol: 1, []))),
                expected: .drop(.unknownKey)
            ),
            Row(
                name: "IP in GRE without a key, and no such tunnel",
                arrival: gr(gre(nil, type: 0x0800, ipv4(protocol: 1, []))),
                expected: .drop(.unknownPeer)
            ),
            Row(name: "GRE without a key", arrival: gr(gre(nil, plain)), expected: .drop(.greNoKey)),
            Row(name: "unknown GRE key", arrival: gr(gre(78, plain)), expected: .drop(.unknownKey)),
            Row(name: "a VNI is no GRE key", arrival: gr(gre(5001, plain)), expected: .drop(.unknownKey)),
            Row(name: "GRE key 0 is not no key", arrival: gr(gre(0, plain)), expected: .drop(.unknownKey)),
            Row(
                name: "GRE from an unknown VTEP",
                arrival: gr(gre(77, plain), from: S.stranger),
                expected: .drop(.unknownPeer)
            ),
            Row(
                name: "GRE from a VTEP without a port in the network",
                arrival: gr(gre(77, plain), from: S.h3),
                expected: .drop(.peerNotInNetwork)
            ),
        ]
    }

    /// Frames into tunnels: headers, sizes, ECN.
    static func encapsulationRows(_ s: Sample) -> [Row] {
        typealias S = Sample
        let plain = Row.plain()
        func packet(_ length: Int, tos: Int = 0, fragment: Int = 0) -> [UInt8] {
            let payload = [UInt8](repeating: 1, count: length - 20)
            let packet = ipv4(protocol: 17, tos: tos, fragment: fragment, payload)
            return ethernet(to: S.b, from: S.a, type: 0x0800, packet)
        }
        func big(_ length: Int) -> [UInt8] {
            ethernet(to: S.b, from: S.a, type: 0x86DD, ipv6(protocol: 17, [UInt8](repeating: 1, count: length - 40)))
        }
        let uncut = 0x4000
        let many = [UInt8](repeating: 1, count: 1300)
        let far = IPv6Address(mapping: IPv4Address(bits: 0x0A00_0002))
        let far6 = IPv6Address(high: 0x2001_0DB8 << 32, low: 2)
        func cut(_ bytes: [UInt8], _ attachment: Int, _ peer: IPv6Address, mtu: UInt32) -> Expected {
            let copy = Copy(attachment: attachment, bytes: vxlan(5001, bytes), destination: peer, destinationPort: 4789)
            return .cut(copy, mtu: mtu)
        }
        func web(_ bytes: [UInt8]) -> Arrival { Arrival(endpoint: s.web, bytes: bytes) }
        func toPeer(_ bytes: [UInt8], _ attachment: Int, _ peer: IPv6Address, tos: UInt8 = 0) -> Expected {
            .forward(
                Copy(
                    attachment: attachment,
                    bytes: vxlan(5001, bytes),
                    destination: peer,
                    destinationPort: 4789,
                    tos: tos
                )
            )
        }
        return [
            Row(name: "into VXLAN", arrival: web(plain), seen: [(S.b, s.atH2)], expected: toPeer(plain, s.atH2, S.h2)),
            Row(
                name: "into VXLAN to an IPv6 VTEP",
                arrival: web(plain),
                seen: [(S.b, s.atH6)],
                expected: toPeer(plain, s.atH6, S.h6)
            ),
            Row(
                name: "into VXLAN, priority tag removed",
                arrival: web(Row.plain(tags: [(0x8100, 0x6000)])),
                seen: [(S.b, s.atH2)],
                expected: toPeer(plain, s.atH2, S.h2)
            ),
            Row(
                name: "into VXLAN with the tenant's tag",
                arrival: Arrival(endpoint: s.clearPort, bytes: Row.plain(tags: [(0x8100, 20)])),
                seen: [(S.b, s.atClearH2)],
                expected: .forward(
                    Copy(
                        attachment: s.atClearH2,
                        bytes: vxlan(5003, Row.plain(tags: [(0x8100, 20)])),
                        destination: S.h2,
                        destinationPort: 4789
                    )
                )
            ),
            Row(
                name: "into GRE",
                arrival: Arrival(endpoint: s.dataPort, bytes: plain),
                seen: [(S.b, s.atDataH2)],
                expected: .forward(Copy(attachment: s.atDataH2, bytes: gre(77, plain), destination: S.h2))
            ),
            Row(
                name: "trunk into GRE",
                arrival: Arrival(endpoint: s.trunk, bytes: Row.plain(tags: [(0x8100, 10)])),
                seen: [(S.b, s.atDataH2)],
                expected: .forward(Copy(attachment: s.atDataH2, bytes: gre(77, plain), destination: S.h2))
            ),
            Row(
                name: "ECN goes outside, DSCP does not",
                arrival: web(packet(60, tos: 0xB9)),
                seen: [(S.b, s.atH2)],
                expected: toPeer(packet(60, tos: 0xB9), s.atH2, S.h2, tos: 1)
            ),
            Row(
                name: "CE goes outside (normal mode)",
                arrival: web(packet(60, tos: 3)),
                seen: [(S.b, s.atH2)],
                expected: toPeer(packet(60, tos: 3), s.atH2, S.h2, tos: 3)
            ),
            Row(
                name: "a packet of the network's MTU",
                arrival: web(packet(1450)),
                seen: [(S.b, s.atH2)],
                expected: toPeer(packet(1450), s.atH2, S.h2)
            ),
            Row(
                name: "one byte more, which may be cut",
                arrival: web(packet(1451)),
                seen: [(S.b, s.atH2)],
                expected: cut(packet(1451), s.atH2, S.h2, mtu: 1450),
                learns: true
            ),
            Row(
                name: "one byte more, which may not be cut: the switch answers for the destination",
                arrival: web(packet(1451, fragment: uncut)),
                seen: [(S.b, s.atH2)],
                expected: .refuse(.exceedsMTU, Said(error: 3, 4, 1450, source: far)),
                learns: true
            ),
            Row(
                name: "one byte more of IPv6",
                arrival: web(big(1451)),
                seen: [(S.b, s.atH2)],
                expected: .refuse(.exceedsMTU, Said(error: 2, 0, 1450, source: far6))
            ),
            Row(
                name: "one byte more of nothing that can be told",
                arrival: web(Row.plain(1451)),
                seen: [(S.b, s.atH2)],
                expected: .drop(.exceedsMTU)
            ),
            Row(
                name: "as much as the way to the VTEP carries",
                arrival: web(packet(1350)),
                seen: [(S.b, s.atH3)],
                expected: toPeer(packet(1350), s.atH3, S.h3)
            ),
            Row(
                name: "one byte more than that",
                arrival: web(packet(1351)),
                seen: [(S.b, s.atH3)],
                expected: cut(packet(1351), s.atH3, S.h3, mtu: 1350)
            ),
            Row(
                name: "one byte more than that, which may not be cut",
                arrival: web(packet(1351, fragment: uncut)),
                seen: [(S.b, s.atH3)],
                expected: .refuse(.exceedsPathMTU, Said(error: 3, 4, 1350, source: far))
            ),
            Row(
                name: "flooded, each copy is judged alone and nobody is told",
                arrival: web(packet(1351, fragment: uncut)),
                expected: .flood([
                    Copy(attachment: s.atDB, bytes: packet(1351, fragment: uncut)),
                    Copy(attachment: s.atTrunkApp, bytes: packet(1351, fragment: uncut)),
                    Copy(
                        attachment: s.atH2,
                        bytes: vxlan(5001, packet(1351, fragment: uncut)),
                        destination: S.h2,
                        destinationPort: 4789
                    ),
                    Copy(attachment: s.atH3, reason: .exceedsPathMTU),
                    Copy(
                        attachment: s.atH6,
                        bytes: vxlan(5001, packet(1351, fragment: uncut)),
                        destination: S.h6,
                        destinationPort: 4789
                    ),
                ])
            ),
            Row(
                name: "larger than the network's MTU, but only from port to port",
                arrival: web(packet(1500)),
                seen: [(S.b, s.atDB)],
                expected: .forward(Copy(attachment: s.atDB, bytes: packet(1500)))
            ),
            Row(
                name: "larger than the receiving port's MTU",
                arrival: Arrival(endpoint: s.lanPort, bytes: packet(1001, fragment: uncut)),
                seen: [(S.b, s.atSmall)],
                expected: .refuse(.exceedsMTU, Said(error: 3, 4, 1000, source: far))
            ),
            Row(
                name: "larger than the provider device's MTU",
                arrival: Arrival(endpoint: s.lanPort, bytes: packet(1501, fragment: uncut)),
                seen: [(S.b, s.atLANProvider)],
                expected: .refuse(.exceedsMTU, Said(error: 3, 4, 1500, source: far))
            ),
            Row(
                name: "too large for the port, but IPv6 never hears of less than 1280",
                arrival: Arrival(
                    endpoint: s.provider,
                    bytes: ethernet(to: S.b, from: S.a, tags: [(0x8100, 100)], type: 0x86DD, ipv6(protocol: 59, many))
                ),
                seen: [(S.b, s.atSmall)],
                expected: .refuse(.exceedsMTU, Said(error: 2, 0, 1280, source: far6))
            ),
        ]
    }
}
