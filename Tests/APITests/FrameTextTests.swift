import Testing
import Wire

@testable import Control

@Suite struct FrameTextTests {
    private func parsed(_ text: String) throws -> (ParsedFrame, [UInt8]) {
        let bytes = try FrameText.bytes(text, source: MACAddress("02:00:00:00:00:01"))
        return (bytes.withUnsafeBytes { ParsedFrame($0.baseAddress!, $0.count) }, bytes)
    }

    @Test func hexadecimal() throws {
        #expect(
            try FrameText.bytes("ffffffffffff 02:00:00:00:00:01 0806") == [
                255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6,
            ]
        )
        #expect(try FrameText.bytes("0xFF00") == [255, 0])
    }

    @Test(arguments: [
        "tcp", "udp", "icmp", "132", "4", "94",
    ])
    func protocolsOverIPv4(name: String) throws {
        let (frame, bytes) = try parsed(
            "dst=02:00:00:00:00:02 from=10.0.0.1 to=10.0.0.2 proto=\(name) length=33"
                + (name == "tcp" || name == "udp" ? " sport=7 dport=80" : "")
        )
        #expect(frame.isIPv4 && !frame.has(.malformed) && !frame.has(.cutShort))
        #expect(frame.endOffset == bytes.count)
        let isValid = bytes.withUnsafeBytes { Checksum.isValid(ipv4Header: $0.baseAddress! + 14, length: 20) }
        #expect(isValid)
        if name == "tcp" || name == "udp" { #expect(frame.sourcePort == 7 && frame.destinationPort == 80) }
        #expect(transportSum(frame, bytes) == 0)
    }

    @Test(arguments: ["tcp", "udp", "icmpv6"])
    func protocolsOverIPv6(name: String) throws {
        let (frame, bytes) = try parsed("dst=02:00:00:00:00:02 from=fd00::1 to=fd00::2 proto=\(name) length=9 ttl=3")
        #expect(frame.isIPv6 && frame.ttl == 3 && frame.endOffset == bytes.count)
        #expect(transportSum(frame, bytes) == 0)
    }

    /// The checksum over a whole datagram, 0 where it is right or where the protocol has none that we know.
    private func transportSum(_ frame: ParsedFrame, _ bytes: [UInt8]) -> UInt16 {
        bytes.withUnsafeBytes { raw in
            let base = raw.baseAddress!
            let length = frame.endOffset - frame.transportOffset
            let region = Checksum.sum(base + frame.transportOffset, length)
            let ip = base + frame.networkOffset
            switch frame.protocol {
            case IPProtocol.icmp: return Checksum.finish(region)
            case IPProtocol.tcp, IPProtocol.udp, IPProtocol.icmpv6:
                let pseudo =
                    frame.isIPv4
                    ? Checksum.pseudoIPv4(ip, protocol: frame.protocol, length: length)
                    : Checksum.pseudoIPv6(ip, protocol: frame.protocol, length: length)
                return Checksum.finish(region &+ pseudo)
            default: return 0
            }
        }
    }

    @Test func tagsStandOutermostFirst() throws {
        let (frame, _) = try parsed("svlan=100 vlan=20 dst=02:00:00:00:00:02 type=0x88cc length=46")
        #expect(frame.tagCount == 2 && frame.etherType == 0x88CC)
        #expect(frame.outerTagType == EtherType.serviceVLAN && frame.outerTag == 100)
        #expect(frame.innerTagType == EtherType.vlan && frame.innerTag == 20)
        #expect(try parsed("vlan=1,2 dst=02:00:00:00:00:02 type=9").0.innerTag == 2)
    }

    @Test func defaultsComeFromTheAddresses() throws {
        let (arp, bytes) = try parsed("type=arp from=10.0.0.1 to=10.0.0.2")
        #expect(arp.destination == .broadcast && arp.source == MACAddress("02:00:00:00:00:01"))
        #expect(bytes.count == 42)
        #expect(try parsed("ip=10.0.0.1>239.129.2.3").0.destination == MACAddress("01:00:5e:01:02:03"))
        #expect(try parsed("from=fd00::1 to=ff02::1").0.destination == MACAddress("33:33:00:00:00:01"))
        #expect(try parsed("from=10.0.0.1 to=255.255.255.255 dport=67").0.protocol == IPProtocol.udp)
    }

    @Test(arguments: [
        "", "abc", "xyz", "src=1 dst=2", "dst=02:00:00:00:00:02", "from=10.0.0.1 to=10.0.0.2", "from=10.0.0.1 dst=2",
        "dst=02:00:00:00:00:02 from=10.0.0.1 to=fd00::1", "dst=02:00:00:00:00:02 type=ipv6 from=10.0.0.1 to=10.0.0.2",
        "dst=02:00:00:00:00:02 dst=02:00:00:00:00:02 type=5", "dst=02:00:00:00:00:02 type=5 colour=red",
        "dst=02:00:00:00:00:02 type=5 ttl=6", "dst=02:00:00:00:00:02 type=65536", "vlan=4096 type=arp",
        "type=arp from=fd00::1 to=fd00::2", "dst=02:00:00:00:00:02 from=10.0.0.1 to=10.0.0.2 length=65001",
        "dst=02:00:00:00:00:02 ip=10.0.0.1", "dst=02:00:00:00:00:02 type=lldp", "type=nd from=10.0.0.1 to=10.0.0.2",
        "dst=02:00:00:00:00:02 from=10.0.0.1 to=10.0.0.2 proto=udp icmp=8", "icmp 10.0.0.1",
        "dst=02:00:00:00:00:02 from=10.0.0.1 to=10.0.0.2 icmp=ping",
        "dst=02:00:00:00:00:02 from=10.0.0.1 to=10.0.0.2 icmp=3/4/5", "nd 10.0.0.1 > 10.0.0.2",
    ])
    func refusesWithASentence(text: String) {
        #expect(throws: TraceError.self) {
            try FrameText.bytes(text, source: MACAddress("02:00:00:00:00:01"))
        }
    }

    @Test func shortSentences() throws {
        let long = try parsed("dst=02:00:00:00:00:02 from=10.0.0.1 to=10.0.0.2 proto=tcp dport=80").1
        for text in ["tcp 10.0.0.1 > 10.0.0.2", "TCP 10.0.0.1>10.0.0.2", "tcp 10.0.0.1> 10.0.0.2"] {
            #expect(try parsed("\(text) dport=80 dst=02:00:00:00:00:02").1 == long)
        }
        #expect(try parsed("arp 10.0.0.1 > 10.0.0.2").1 == parsed("type=arp from=10.0.0.1 to=10.0.0.2").1)
        let ping = try parsed("icmp fd00::1 > fd00::2 dst=02:00:00:00:00:02").0
        #expect(ping.isIPv6 && ping.protocol == IPProtocol.icmpv6)
    }

    @Test func kindsOfICMP() throws {
        for (text, type, code) in [
            ("", UInt8(8), UInt8(0)), ("icmp=echo-reply", 0, 0), ("icmp=3/4", 3, 4), ("icmp=11", 11, 0),
        ] {
            let (frame, bytes) = try parsed("dst=02:00:00:00:00:02 from=10.0.0.1 to=10.0.0.2 \(text)")
            #expect(bytes[frame.transportOffset] == type && bytes[frame.transportOffset + 1] == code)
            #expect(transportSum(frame, bytes) == 0)
        }
        let (frame, bytes) = try parsed("dst=02:00:00:00:00:02 from=fd00::1 to=fd00::2 proto=icmpv6 icmp=echo-reply")
        #expect(bytes[frame.transportOffset] == 129)
    }

    @Test func solicitations() throws {
        let (frame, bytes) = try parsed("type=nd from=fd00::1 to=fd00::12:3456")
        #expect(frame.destination == MACAddress("33:33:ff:12:34:56") && frame.ttl == 255)
        #expect(transportSum(frame, bytes) == 0)
        let question = bytes.withUnsafeBytes { NeighborDiscovery.parse($0.baseAddress!, frame) }
        #expect(question.kind == .solicitation && IPAddress.v6(question.target) == IPAddress("fd00::12:3456"))
        #expect(try parsed("nd fd00::1 > fd00::12:3456 vlan=7").0.tagCount == 1)
    }

    @Test func whatTheTextLeavesOut() throws {
        var defaults = FrameText.Defaults(source: MACAddress("02:00:00:00:00:01"))
        defaults.destination = { $0 == IPAddress("10.0.0.2") ? MACAddress("02:00:00:00:00:02") : nil }
        let known = try FrameText.bytes("from=10.0.0.1 to=10.0.0.2", defaults)
        #expect(known.prefix(6) == [2, 0, 0, 0, 0, 2])
        #expect(throws: TraceError.self) { try FrameText.bytes("from=10.0.0.1 to=10.0.0.3", defaults) }
        // A packet has no Ethernet header.
        let packet = try FrameText.bytes("from=10.0.0.1 to=10.0.0.2", FrameText.Defaults(isPacket: true))
        #expect(packet == Array(known.dropFirst(14)))
        #expect(FrameSummary.text(packet, isPacket: true) == "IPv4 10.0.0.1 > 10.0.0.2, icmp, 28 bytes")
        for count in 0...packet.count { #expect(!FrameSummary.text(Array(packet[..<count]), isPacket: true).isEmpty) }
        for text in ["src=02:00:00:00:00:01 from=10.0.0.1 to=10.0.0.2", "type=arp from=10.0.0.1 to=10.0.0.2", "vlan=1"]
        {
            #expect(throws: TraceError.self) { try FrameText.bytes(text, FrameText.Defaults(isPacket: true)) }
        }
    }

    @Test func ipipIsTwoProtocols() {
        for name in ["ipip", "IPIP"] {
            do {
                _ = try FrameText.bytes(
                    "src=02:00:00:00:00:01 dst=02:00:00:00:00:02 from=1.1.1.1 to=2.2.2.2 proto=\(name)"
                )
                Issue.record("accepted")
            } catch {
                #expect("\(error)".contains("proto=4") && "\(error)".contains("RFC 2003"))
                #expect("\(error)".contains("proto=94") && "\(error)".contains("KA9Q"))
            }
        }
    }

    @Test func summaries() throws {
        let bytes = try FrameText.bytes(
            "src=02:00:00:00:00:01 dst=02:00:00:00:00:02 vlan=10 from=10.0.0.1 to=10.0.0.2 proto=tcp dport=80"
        )
        #expect(
            FrameSummary.text(bytes)
                == "02:00:00:00:00:01 > 02:00:00:00:00:02, vlan 10, IPv4 10.0.0.1 > 10.0.0.2, tcp 49152 > 80, 58 bytes"
        )
        #expect(
            FrameSummary.text(try FrameText.bytes("src=02:00:00:00:00:01 type=arp from=10.0.0.1 to=10.0.0.2"))
                == "02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, ARP who has 10.0.0.2, says 10.0.0.1, 42 bytes"
        )
        // Whatever it is, there is a line for it.
        for count in 0...bytes.count { #expect(!FrameSummary.text(Array(bytes[..<count])).isEmpty) }
        #expect(FrameSummary.hex([0, 15, 255]) == "000fff")
    }
}
