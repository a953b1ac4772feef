import Testing
import Wire

@testable import Ports
@testable import Rings

/// Super-frames inside of tenants' tunnels. What a kernel makes of them is in `PacketSocketTests`; these are the forms
/// that the kernel of a test machine may not know.
@Suite struct NestedTests {
    /// A way to carry a frame or a datagram: the headers behind the outer IP header, and its protocol.
    struct Carrier: CustomTestStringConvertible {
        var testDescription: String
        var number: UInt8
        var header: [UInt8]
        /// 0 for an Ethernet frame, or the EtherType of a datagram.
        var network: UInt16 = 0

        /// A TCP super-frame or super-datagram with unfinished checksum.
        func inner(_ payload: [UInt8]) -> [UInt8] {
            guard network != EtherType.ipv6 else { return TestFrame.tcp6(payload, partial: true) }
            return Array(TestFrame.tcp(payload, partial: true)[(network == 0 ? 0 : 14)...])
        }

        /// Where TCP begins in it.
        var transport: Int { network == EtherType.ipv6 ? 40 : network == 0 ? 34 : 20 }

        func offload(_ size: UInt16, behind outer: Int) -> Offload {
            var offload = TestFrame.superTCP(size, outer + transport - 34)
            if network == EtherType.ipv6 { offload.gsoType = Offload.gsoTCPv6 }
            return offload
        }
    }

    static let carriers: [Carrier] = [
        Carrier(testDescription: "VXLAN", number: 17, header: udp(0) + TestFrame.vxlan),
        Carrier(testDescription: "VXLAN with checksum", number: 17, header: udp(0x1234) + TestFrame.vxlan),
        Carrier(testDescription: "Geneve", number: 17, header: udp(0) + [0, 0, 0x65, 0x58, 0, 0, 7, 0]),
        Carrier(
            testDescription: "Geneve with options",
            number: 17,
            header: udp(0) + [2, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 3, 1, 9, 9, 9, 9]
        ),
        Carrier(testDescription: "GRE", number: 47, header: [0, 0, 0x65, 0x58]),
        Carrier(testDescription: "GRE with key", number: 47, header: TestFrame.gre),
        Carrier(testDescription: "GRE with checksum", number: 47, header: [0x80, 0, 0x65, 0x58, 9, 9, 0, 0]),
        Carrier(testDescription: "IPv4 in GRE", number: 47, header: [0, 0, 8, 0], network: 0x0800),
        Carrier(
            testDescription: "IPv6 in GRE with key",
            number: 47,
            header: [0x20, 0, 0x86, 0xDD, 0, 0, 0, 1],
            network: 0x86DD
        ),
        Carrier(
            testDescription: "IPv4 in GRE with checksum and key",
            number: 47,
            header: [0xA0, 0, 8, 0, 9, 9, 0, 0, 0, 0, 0, 7],
            network: 0x0800
        ),
        Carrier(testDescription: "IPv4 in IP", number: 4, header: [], network: 0x0800),
        Carrier(testDescription: "IPv6 in IP", number: 41, header: [], network: 0x86DD),
    ]

    private static func udp(_ checksum: UInt16) -> [UInt8] {
        TestFrame.be(50_000) + TestFrame.be(6_081) + [0, 0] + TestFrame.be(checksum)
    }

    private static func packet(_ carrier: Carrier, _ inner: [UInt8], isIPv6: Bool, tagged: Bool) -> [UInt8] {
        var frame = TestFrame.ethernet([2, 0, 0, 0, 0, 9])
        let length = carrier.header.count + inner.count
        if isIPv6 {
            frame[12...13] = [0x86, 0xDD]
            frame += [0x60, 0, 0, 0] + TestFrame.be(UInt16(length)) + [carrier.number, 64]
            frame += Array(repeating: 0x20, count: 32)
        } else {
            frame += TestFrame.ipv4((1, 2), carrier.number, length)
        }
        frame += carrier.header + inner
        return tagged ? TestFrame.tag(frame, 100) : frame
    }

    /// The pieces of a frame, or nil if it was refused.
    private static func cut(_ bytes: [UInt8], _ offload: Offload) -> [(bytes: [UInt8], offload: Offload)]? {
        let engine = PortEngine()
        let ring = ReceiveRing()
        var bytes = bytes
        return bytes.withUnsafeMutableBytes { raw in
            let frame = Frame(bytes: raw.baseAddress!, length: raw.count, offload: offload, endpoint: 5)
            guard engine.isNested(frame) else { return nil }
            var used = 0
            guard engine.appendCut(frame, to: ring, at: &used) else { return nil }
            return (0..<ring.count).map {
                let piece = ring[$0].pointee
                return (Array(UnsafeRawBufferPointer(start: piece.bytes, count: piece.length)), piece.offload)
            }
        }
    }

    @Test(arguments: carriers, [false, true])
    func everyPieceIsAPacketOfItsOwn(carrier: Carrier, isIPv6: Bool) throws {
        for tagged in [false, true] {
            let payload = TestFrame.pattern(10_000)
            let inner = carrier.inner(payload)
            let frame = Self.packet(carrier, inner, isIPv6: isIPv6, tagged: tagged)
            let outer = frame.count - inner.count
            let pieces = try #require(Self.cut(frame, carrier.offload(1_300, behind: outer)))
            #expect(pieces.count == 8)
            var data: [UInt8] = []
            for (number, piece) in pieces.enumerated() {
                var bytes = piece.bytes
                let parsed = bytes.withUnsafeBytes { ParsedFrame($0.baseAddress!, $0.count) }
                #expect(parsed.endOffset == bytes.count && parsed.protocol == carrier.number && !parsed.has(.malformed))
                bytes.withUnsafeMutableBytes { raw in
                    let start = UnsafeRawPointer(raw.baseAddress!)
                    let network = start + parsed.networkOffset
                    if !isIPv6 {
                        #expect(Checksum.isValid(ipv4Header: network, length: 20))
                        #expect(network.be16(4) == UInt16(7 + number))
                    }
                    if carrier.number == IPProtocol.gre {
                        let gre = GREHeader.parse(start + parsed.transportOffset, raw.count - parsed.transportOffset)
                        #expect(gre.checksumIsValid(start + parsed.transportOffset, raw.count - parsed.transportOffset))
                    }
                    guard carrier.number == IPProtocol.udp else {
                        #expect(piece.offload == .none)
                        return
                    }
                    let size = raw.count - parsed.transportOffset
                    #expect(Int(start.be16(parsed.transportOffset + 4)) == size)
                    // The outer checksum, where there is one, is left to the next hop.
                    guard carrier.header[7] != 0 else {
                        #expect(piece.offload == .none && start.be16(parsed.transportOffset + 6) == 0)
                        return
                    }
                    #expect(Int(piece.offload.checksumStart) == parsed.transportOffset)
                    #expect(
                        PartialChecksum.complete(
                            raw.baseAddress!,
                            raw.count,
                            start: parsed.transportOffset,
                            offset: 6
                        )
                    )
                    let pseudo =
                        isIPv6
                        ? Checksum.pseudoIPv6(network, protocol: 17, length: size)
                        : Checksum.pseudoIPv4(network, protocol: 17, length: size)
                    #expect(Checksum.fold(Checksum.sum(start + parsed.transportOffset, size, pseudo)) == 0xFFFF)
                }
                let ethernet = Array(repeating: 2, count: 12) + TestFrame.be(carrier.network)
                let content = (carrier.network == 0 ? [] : ethernet) + piece.bytes[outer...]
                #expect(Self.sequence(content) == UInt32(1_000 + number * 1_300))
                data += piece.bytes[(outer + carrier.transport + 20)...]
            }
            #expect(data == payload)
        }
    }

    /// The sequence number of a frame whose lengths and checksums are right.
    private static func sequence(_ frame: [UInt8]) -> UInt32? {
        frame.withUnsafeBytes { raw in
            let bytes = raw.baseAddress!
            let parsed = ParsedFrame(bytes, raw.count)
            guard parsed.has(.transportHeader), !parsed.has(.cutShort), parsed.endOffset == raw.count else {
                return nil
            }
            let network = bytes + parsed.networkOffset
            let length = raw.count - parsed.transportOffset
            let pseudo =
                parsed.isIPv6
                ? Checksum.pseudoIPv6(network, protocol: parsed.protocol, length: length)
                : Checksum.pseudoIPv4(network, protocol: parsed.protocol, length: length)
            let sum = Checksum.fold(Checksum.sum(bytes + parsed.transportOffset, length, pseudo))
            guard sum == 0xFFFF, parsed.isIPv6 || Checksum.isValid(ipv4Header: network, length: 20) else { return nil }
            return bytes.be32(parsed.transportOffset + 4)
        }
    }

    @Test func ordinaryFramesAreLeftAlone() {
        let frame = TestFrame.tcp(TestFrame.pattern(5_000), partial: true)
        #expect(Self.cut(frame, TestFrame.superTCP(1_000)) == nil)
        #expect(Self.cut(TestFrame.udp([1], partial: true), TestFrame.partialUDP()) == nil)
    }

    /// What cannot be cut is refused: sequence numbers or another version of GRE, a protocol that lies about its content, an offload that points elsewhere, a frame
    /// that ends early.
    @Test func contradictionsAreRefused() {
        let inner = TestFrame.tcp(TestFrame.pattern(5_000), partial: true)
        for first in [0x30, 0xB0, 0x21, 0x60] as [UInt8] {
            let header = [first] + TestFrame.gre[1...] + (first == 0x20 ? [] : [0, 0, 0, 0])
            let carrier = Carrier(testDescription: "", number: 47, header: header)
            let frame = Self.packet(carrier, inner, isIPv6: false, tagged: false)
            #expect(Self.cut(frame, TestFrame.superTCP(1_000, frame.count - inner.count)) == nil)
        }
        for number in [IPProtocol.ipv4, IPProtocol.ipv6, 94, 50] {
            for network in [0, 0x0800, 0x86DD] as [UInt16] where number == 94 || number == 50 || network != 0 {
                let carrier = Carrier(testDescription: "", number: number, header: [], network: network)
                let frame = Self.packet(carrier, carrier.inner(TestFrame.pattern(5_000)), isIPv6: false, tagged: false)
                let isRight = (number, network) == (4, 0x0800) || (number, network) == (41, 0x86DD)
                #expect((Self.cut(frame, carrier.offload(1_000, behind: 34)) != nil) == isRight)
            }
        }
        let carrier = Self.carriers[11]
        let ipip = Self.packet(carrier, carrier.inner(TestFrame.pattern(5_000)), isIPv6: false, tagged: false)
        #expect(carrier.number == 41 && Self.cut(ipip, carrier.offload(1_000, behind: 34)) != nil)
        for length in 0..<94 {
            #expect(Self.cut(Array(ipip[..<length]) + [0], carrier.offload(1_000, behind: 34)) == nil)
        }
        let frame = Self.packet(Self.carriers[0], inner, isIPv6: false, tagged: false)
        for shift in [1, 20, 49, 51, 100, 5_000] { #expect(Self.cut(frame, TestFrame.superTCP(1_000, shift)) == nil) }
        for length in 0..<130 { #expect(Self.cut(Array(frame[..<length]) + [0], TestFrame.superTCP(1_000, 50)) == nil) }
        #expect(Self.cut(frame, TestFrame.superTCP(8, 50)) == nil, "hundreds of pieces")
    }
}
