import Forwarding
import Rings
import Wire

// Work that the sender left to do: taken along, moved with the headers, or refused.

extension Row {
    static func offloadRows(_ s: Sample) -> [Row] {
        typealias S = Sample
        let payload = [UInt8](repeating: 7, count: 4000)
        func frame(_ packet: [UInt8], tags: [(Int, Int)] = []) -> [UInt8] {
            ethernet(to: S.b, from: S.a, tags: tags, type: packet[0] >> 4 == 6 ? 0x86DD : 0x0800, packet)
        }
        let tcp4 = withPartialChecksum(ipv4(protocol: 6, tcp(payload)))
        let tcp6 = withPartialChecksum(ipv6(protocol: 6, tcp(payload)))
        let udp4 = withPartialChecksum(ipv4(protocol: 17, udp(payload)))
        let small = withPartialChecksum(ipv4(protocol: 6, tcp([1, 2, 3])))
        func sum(_ start: Int, _ offset: Int = 16) -> Offload {
            Offload(flags: 1, checksumStart: UInt16(start), checksumOffset: UInt16(offset))
        }
        func cut(_ kind: Int, _ size: Int, _ start: Int, _ offset: Int = 16, headers: Int = 0) -> Offload {
            var offload = sum(start, offset)
            offload.gsoType = UInt8(kind)
            offload.gsoSize = UInt16(size)
            offload.headerLength = UInt16(headers)
            return offload
        }
        let knowsB: [(mac: MACAddress, attachment: Int)] = [(S.b, s.atDB), (S.b, s.atLANProvider)]
        func row(
            _ name: String,
            _ bytes: [UInt8],
            _ given: Offload,
            at endpoint: Int? = nil,
            to attachment: Int? = nil,
            out: [UInt8]? = nil,
            becomes: Offload
        ) -> Row {
            Row(
                name: name,
                arrival: Arrival(endpoint: endpoint ?? s.web, bytes: bytes, offload: given),
                seen: knowsB,
                expected: .forward(Copy(attachment: attachment ?? s.atDB, bytes: out ?? bytes, offload: becomes))
            )
        }
        func refused(_ name: String, _ bytes: [UInt8], _ given: Offload) -> Row {
            Row(
                name: name,
                arrival: Arrival(endpoint: s.web, bytes: bytes, offload: given),
                expected: .drop(.badOffload),
                learns: false
            )
        }
        let whole = frame(tcp4)
        var kept = Offload.none
        kept.flags = 2
        return [
            row("a checksum to finish", frame(small), sum(34), becomes: sum(34)),
            row("a checksum that the kernel has seen", frame(small), kept, becomes: kept),
            row("TCP over IPv4", whole, cut(1, 1448, 34, headers: 9), becomes: cut(1, 1448, 34, headers: 54)),
            row("TCP with CWR", whole, cut(0x81, 1448, 34), becomes: cut(0x81, 1448, 34, headers: 54)),
            row("TCP over IPv6", frame(tcp6), cut(4, 1428, 54), becomes: cut(4, 1428, 54, headers: 74)),
            row("UDP", frame(udp4), cut(5, 1000, 34, 6), becomes: cut(5, 1000, 34, 6, headers: 42)),
            row("one segment's worth is an ordinary frame", frame(small), cut(1, 1448, 34), becomes: sum(34)),
            row(
                "a pushed tag moves the checksum",
                whole,
                cut(1, 1400, 34),
                at: s.lanPort,
                to: s.atLANProvider,
                out: frame(tcp4, tags: [(0x8100, 100)]),
                becomes: cut(1, 1400, 38, headers: 58)
            ),
            row(
                "a removed tag moves the checksum",
                frame(small, tags: [(0x8100, 0)]),
                sum(38),
                out: frame(small),
                becomes: sum(34)
            ),
            Row(
                name: "a super-frame into VXLAN counts by its segments",
                arrival: Arrival(endpoint: s.web, bytes: whole, offload: cut(1, 1410, 34)),
                seen: [(S.b, s.atH2)],
                expected: .forward(
                    Copy(
                        attachment: s.atH2,
                        bytes: vxlan(5001, whole),
                        offload: cut(1, 1410, 42, headers: 62),
                        destination: S.h2,
                        destinationPort: 4789
                    )
                )
            ),
            Row(
                name: "segments larger than the network's MTU become smaller",
                arrival: Arrival(endpoint: s.web, bytes: whole, offload: cut(1, 1411, 34)),
                seen: [(S.b, s.atH2)],
                expected: .forward(
                    Copy(
                        attachment: s.atH2,
                        bytes: vxlan(5001, whole),
                        offload: cut(1, 1410, 42, headers: 62),
                        destination: S.h2,
                        destinationPort: 4789
                    )
                )
            ),
            Row(
                name: "segments larger than the network's MTU that may not be cut",
                arrival: Arrival(endpoint: s.web, bytes: frame(tcp6), offload: cut(4, 1391, 54)),
                seen: [(S.b, s.atH2)],
                expected: .refuse(
                    .exceedsMTU,
                    Said(error: 2, 0, 1450, source: IPv6Address(high: 0x2001_0DB8 << 32, low: 2))
                )
            ),
            Row(
                name: "datagrams larger than the network's MTU",
                arrival: Arrival(endpoint: s.web, bytes: frame(udp4), offload: cut(5, 1430, 34, 6)),
                seen: [(S.b, s.atH2)],
                expected: .drop(.exceedsMTU)
            ),
            Row(
                name: "a kernel VTEP's unfinished checksum",
                arrival: Arrival(endpoint: s.vxlan, bytes: vxlan(5001, frame(small)), outerSource: S.h2),
                seen: knowsB,
                expected: .forward(Copy(attachment: s.atDB, bytes: frame(small), offload: sum(34)))
            ),
            Row(
                name: "a kernel VTEP's super-frame",
                arrival: Arrival(endpoint: s.vxlan, bytes: vxlan(5001, whole), outerSource: S.h2),
                seen: knowsB,
                expected: .forward(Copy(attachment: s.atDB, bytes: whole, offload: cut(1, 1410, 34, headers: 54)))
            ),
            Row(
                name: "a kernel GRE end's super-frame over IPv6",
                arrival: Arrival(endpoint: s.gre, bytes: gre(77, frame(tcp6)), outerSource: S.h2),
                seen: [(S.b, s.atData)],
                expected: .forward(
                    Copy(attachment: s.atData, bytes: frame(tcp6), offload: cut(4, 1398, 54, headers: 74))
                )
            ),
            Row(
                name: "padding behind an unfinished checksum goes",
                arrival: Arrival(endpoint: s.vxlan, bytes: vxlan(5001, frame(small) + [9, 9, 9]), outerSource: S.h2),
                seen: knowsB,
                expected: .forward(Copy(attachment: s.atDB, bytes: frame(small), offload: sum(34)))
            ),

            refused(
                "segmentation without checksum",
                whole,
                {
                    var offload = cut(1, 1448, 34)
                    offload.flags = 0
                    return offload
                }()
            ),
            refused("segments of 0 bytes", whole, cut(1, 0, 34)),
            refused("segments of 0 bytes of nothing", frame(ipv4(protocol: 6, tcp([]))), cut(1, 0, 34)),
            refused("segments of 1 byte", whole, cut(1, 1, 34)),
            refused("unknown segmentation", whole, cut(255, 1448, 34)),
            refused("UDP fragmentation", frame(udp4), cut(3, 1448, 34, 6)),
            refused("only the ECN flag", whole, cut(0x80, 1448, 34)),
            refused("UDP with the ECN flag", frame(udp4), cut(0x85, 1448, 34, 6)),
            refused("TCP over IPv6 said of IPv4", whole, cut(4, 1448, 34)),
            refused("TCP said of UDP", frame(udp4), cut(1, 1448, 34, 6)),
            refused("UDP said of TCP", whole, cut(5, 1448, 34)),
            refused("segmentation of ARP", Row.plain(), cut(1, 1448, 34)),
            refused(
                "segmentation of a fragment",
                frame(ipv4(protocol: 6, fragment: 0x2000, tcp(payload))),
                cut(1, 1448, 34)
            ),
            refused("a checksum elsewhere than TCP's", whole, cut(1, 1448, 35)),
            refused("a checksum field elsewhere than TCP's", whole, cut(1, 1448, 34, 6)),
            refused("bytes behind the segments", whole + [0], cut(1, 1448, 34)),
            refused("a packet longer than the frame", Array(whole.dropLast()), cut(1, 1448, 34)),
            refused("a checksum inside the Ethernet header", frame(small), sum(13)),
            refused("a checksum that starts behind the frame", frame(small), sum(frame(small).count)),
            refused("a checksum field half behind the frame", frame(small), sum(34, frame(small).count - 35)),
            refused("a checksum field far away", frame(small), sum(34, 65_535)),
            refused("a checksum too far back to be moved", Row.plain(65_500), sum(0xFF01, 0)),
        ]
    }
}
