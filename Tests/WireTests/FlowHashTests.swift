import Testing
import Wire

@Suite struct FlowHashTests {
    private func hash(_ spec: FrameSpec, seed: UInt64 = 99) -> UInt32 { hash(spec.bytes, seed: seed) }

    private func hash(_ bytes: [UInt8], seed: UInt64 = 99) -> UInt32 {
        bytes.withUnsafeBytes {
            FlowHash.hash($0.baseAddress!, ParsedFrame($0.baseAddress!, $0.count), seed: seed)
        }
    }

    @Test func sameForAllFramesOfAFlow() {
        var random = SplitMix(51)
        for _ in 0..<200 {
            var spec = FrameSpec.random(&random, length: 10)
            spec.fragmentField = 0x4000
            let first = hash(spec)
            spec.tos = random.byte()
            spec.ttl = random.byte()
            spec.identification = random.word()
            spec.payload = random.bytes(random.below(100))
            spec.tags = [(EtherType.vlan, random.word())]
            spec.destination = MACAddress(bits: random.next())
            spec.checksum = .partial
            if case .tcp = spec.l4 { spec.l4 = .tcp(sequence: 77, flags: random.byte(), options: random.bytes(8)) }
            #expect(hash(spec) == first)
            #expect(hash(spec, seed: 100) != first)
            spec.ports.1 ^= 1
            #expect(hash(spec) != first)
        }
    }

    /// A datagram hashes as it does inside of a frame: routed and bridged tunnels spread alike.
    @Test func sameWithoutLinkLayer() {
        var random = SplitMix(52)
        for _ in 0..<200 {
            var spec = FrameSpec.random(&random, length: random.below(20))
            let whole = hash(spec)
            spec.isDatagram = true
            let bytes = spec.bytes
            let bare = bytes.withUnsafeBytes {
                FlowHash.hash(
                    $0.baseAddress!,
                    ParsedFrame(datagram: $0.baseAddress!, bytes.count, etherType: spec.etherType),
                    seed: 99
                )
            }
            #expect(bare == whole)
        }
    }

    @Test func fragmentsOfOneDatagramStayTogether() {
        var spec = FrameSpec()
        spec.l4 = .udp
        spec.payload = [UInt8](repeating: 3, count: 64)
        spec.fragmentField = 0x2000
        let first = hash(spec)
        spec.ports = (1, 2)
        #expect(hash(spec) == first)
        spec.fragmentField = 0x2008
        #expect(hash(spec) == first)
        spec.fragmentField = 0x0010
        #expect(hash(spec) == first)
        spec.isIPv6 = true
        spec.sourceAddress = [UInt8](repeating: 1, count: 16)
        spec.destinationAddress = [UInt8](repeating: 2, count: 16)
        spec.extensions = [
            (IPProtocol.fragment, [0, 0, 0, 1, 0, 0, 0, 9]), (IPProtocol.destinationOptions, [0, 0, 1, 4, 0, 0, 0, 0]),
        ]
        let firstOfIPv6 = hash(spec)
        spec.extensions = [(IPProtocol.fragment, [0, 0, 0, 0x41, 0, 0, 0, 9])]
        #expect(hash(spec) == firstOfIPv6)
    }

    /// Flows that differ in little must still spread: none of 64 buckets may stay far from its share.
    @Test func spreads() {
        var counts = [Int](repeating: 0, count: 64)
        var others = counts
        var macs = counts
        var spec = FrameSpec()
        for i in 0..<6_400 {
            spec.ports = (UInt16(1024 + i), 80)
            counts[Int(hash(spec) % 64)] += 1
            var one = spec
            one.ports = (40_000, 80)
            one.sourceAddress = [10, 0, UInt8(i / 256), UInt8(i % 256)]
            others[Int(hash(one) >> 26)] += 1
            macs[Int(hash([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, UInt8(i / 256), UInt8(i % 256), 8, 6]) % 64)] += 1
        }
        for bucket in counts + others + macs { #expect(50...160 ~= bucket) }
    }

    @Test func nonIPFramesHashAddressesAndType() {
        let arp = [UInt8](0..<12) + be(EtherType.arp) + [UInt8](repeating: 1, count: 28)
        var same = arp
        same[20] = 9
        #expect(hash(arp) == hash(same))
        for at in [0, 5, 6, 11, 13] {
            var other = arp
            other[at] ^= 1
            #expect(hash(other) != hash(arp))
        }
    }
}
