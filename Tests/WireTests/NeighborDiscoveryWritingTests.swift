import Testing
import Wire

@Suite struct NeighborDiscoveryWritingTests {
    private let memory = GuardedBytes(capacity: 256)
    private let router = MACAddress("02:00:00:00:00:01")!
    private let host = MACAddress("02:00:00:00:00:0b")!
    private let routerIP = IPv6Address("2001:db8::1")!
    private let hostIP = IPv6Address("2001:db8::b")!
    private let none = IPv6Address("::")!

    private func written(_ body: (UnsafeMutableRawPointer) -> Int) -> [UInt8] {
        let bytes = memory.place([UInt8](repeating: 0xEE, count: NeighborDiscovery.frameLength))
        let length = body(bytes)
        return Array(UnsafeRawBufferPointer(start: bytes, count: length))
    }

    private func parse(_ bytes: [UInt8]) -> NeighborDiscovery {
        bytes.withUnsafeBytes {
            NeighborDiscovery.parse($0.baseAddress!, ParsedFrame($0.baseAddress!, $0.count))
        }
    }

    /// RFC 4861 §4.3 byte for byte, except for the checksum, which is summed up.
    @Test func solicitation() {
        let bytes = written {
            NeighborDiscovery.writeSolicitation(to: $0, senderMAC: router, source: routerIP, target: hostIP)
        }
        let zeros = [UInt8](repeating: 0, count: 10)
        let source = [0x20, 1, 0x0D, 0xB8] + zeros + [0, 1]
        let group = [0xFF, 2] + [UInt8](repeating: 0, count: 9) + [1, 0xFF, 0, 0, 0x0B]
        let target = [0x20, 1, 0x0D, 0xB8] + zeros + [0, 0x0B]
        var message: [UInt8] = [135, 0, 0, 0, 0, 0, 0, 0] + target + [1, 1, 2, 0, 0, 0, 0, 1]
        message.replaceSubrange(2..<4, with: be(~slowSum(source + group + [0, 58, 0, 32] + message)))
        let ethernet: [UInt8] = [0x33, 0x33, 0xFF, 0, 0, 0x0B, 2, 0, 0, 0, 0, 1, 0x86, 0xDD]
        #expect(bytes == ethernet + [0x60, 0, 0, 0, 0, 32, 58, 255] + source + group + message)
        let found = parse(bytes)
        #expect(found.kind == .solicitation && found.linkLayerAddress == router && found.target == hostIP)
    }

    @Test func solicitationsOfOtherKinds() {
        // To see whether it is still there: RFC 4861 §7.3.3.
        let poll = written {
            NeighborDiscovery.writeSolicitation(
                to: $0,
                senderMAC: router,
                source: routerIP,
                target: hostIP,
                targetMAC: host
            )
        }
        #expect(parse(poll).kind == .solicitation && parse(poll).destination == hostIP)
        #expect(poll[..<6] == [2, 0, 0, 0, 0, 0x0B])
        // To see whether it is free: RFC 4862 §5.4.2.
        let detection = written {
            NeighborDiscovery.writeSolicitation(to: $0, senderMAC: router, source: none, target: routerIP)
        }
        #expect(detection.count == NeighborDiscovery.frameLength - 8)
        #expect(parse(detection).isDuplicateDetection && !parse(detection).hasLinkLayerAddress)
    }

    @Test func advertisements() {
        var random = SplitMix(141)
        for _ in 0..<300 {
            let source = IPv6Address(high: random.next() & ~(1 << 63), low: random.next())
            let destination = IPv6Address(high: random.next() & ~(1 << 63), low: random.next())
            let target = IPv6Address(high: random.next() & ~(1 << 63), low: random.next())
            let flags = random.byte()
            let bytes = written {
                NeighborDiscovery.writeAdvertisement(
                    to: $0,
                    senderMAC: router,
                    source: source,
                    target: target,
                    destinationMAC: host,
                    destination: destination,
                    isRouter: flags & 1 != 0,
                    isSolicited: flags & 2 != 0,
                    isOverride: flags & 4 != 0
                )
                return NeighborDiscovery.frameLength
            }
            let found = parse(bytes)
            #expect(found.kind == .advertisement && found.source == source && found.destination == destination)
            #expect(found.target == target && found.linkLayerAddress == router && found.hasLinkLayerAddress)
            #expect(found.isRouter == (flags & 1 != 0) && found.isSolicited == (flags & 2 != 0))
            #expect(found.isOverride == (flags & 4 != 0))
            #expect(bytes[..<12] == [2, 0, 0, 0, 0, 0x0B, 2, 0, 0, 0, 0, 1])
        }
    }

    /// RFC 4861 §7.2.4: to the asker; without one, to all.
    @Test func answers() {
        for source in [hostIP, none] {
            let question = parse(
                written {
                    NeighborDiscovery.writeSolicitation(to: $0, senderMAC: host, source: source, target: routerIP)
                }
            )
            #expect(question.kind == .solicitation)
            let bytes = written {
                NeighborDiscovery.writeAnswer(
                    to: $0,
                    question,
                    senderMAC: router,
                    neighborMAC: host,
                    isRouter: true
                )
                return NeighborDiscovery.frameLength
            }
            let answer = parse(bytes)
            #expect(answer.kind == .advertisement && answer.target == routerIP && answer.source == routerIP)
            #expect(answer.isRouter && answer.isOverride && answer.isSolicited == (source == hostIP))
            #expect(answer.destination == (source == hostIP ? hostIP : .allNodes))
            let mac = source == hostIP ? host : MACAddress("33:33:00:00:00:01")!
            #expect(bytes.withUnsafeBytes { $0.baseAddress!.mac(0) } == mac)
        }
    }
}
