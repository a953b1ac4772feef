import Testing
import Wire

/// Streams with noise of every kind in them: whatever was put together, cut again, is what came.
@Suite struct CoalescingStreamTests {
    /// The frames that would leave the next hop if it had to cut what was put together; nil if it could not.
    private func cutAgain(_ result: CoalescingTests.Result, of frames: [[UInt8]], _ spec: FrameSpec) -> [[UInt8]]? {
        var again: [[UInt8]] = []
        var at = 0
        for (bytes, count) in zip(result.frames, result.merged) {
            defer { at += count }
            if count == 1 {
                again.append(bytes)
                continue
            }
            // All of a run have the headers of the first, whose payload says how it is cut.
            let prefix = spec.prefix.count
            let parsed = frames[at].withUnsafeBytes { buffer in
                let start = buffer.baseAddress! + prefix
                return spec.isDatagram
                    ? ParsedFrame(datagram: start, buffer.count - prefix, etherType: spec.etherType)
                    : ParsedFrame(start, buffer.count - prefix)
            }
            var frame = SuperFrame(spec, size: frames[at].count - prefix - parsed.payloadOffset)
            frame.bytes = bytes
            frame.gsoType = parsed.isIPv6 ? SegmentationKind.tcpv6 : SegmentationKind.tcpv4
            frame.checksumStart = prefix + parsed.transportOffset
            frame.checksumOffset = 16
            guard let segments = frame.segments() else { return nil }
            again += segments
        }
        return again
    }

    /// The property that everything rests on, one wrong bit included: nothing is repaired on the way.
    @Test func nothingIsChanged() {
        var random = SplitMix(181)
        var merged = 0
        for round in 0..<1_500 {
            let first = CoalescingTests.spec(&random, length: 0)
            var frames: [[UInt8]] = []
            for _ in 0..<(1 + random.below(3)) {
                var spec = random.chance(2) ? first : CoalescingTests.spec(&random, length: 0)
                spec.prefix = first.prefix
                spec.isDatagram = first.isDatagram
                spec.isIPv6 = first.isIPv6
                spec.sourceAddress = first.sourceAddress
                spec.destinationAddress = first.destinationAddress
                if spec.isDatagram { spec.tags = [] }
                spec.payload = random.bytes(1 + random.below(2_000))
                frames += spec.slowSegments(size: 1 + random.below(400), ecn: false)
            }
            for _ in 0..<random.below(4) {
                let i = random.below(frames.count)
                switch random.below(6) {
                case 0: frames[i].removeLast(random.below(frames[i].count - first.prefix.count))
                case 1: frames[i] += random.bytes(1 + random.below(8))
                case 2: frames.swapAt(i, random.below(frames.count))
                case 3: frames.insert(frames[i], at: random.below(frames.count))
                default: frames[i][random.below(frames[i].count)] ^= 1 << UInt8(random.below(8))
                }
            }
            let result = put(frames, first)
            #expect(result.merged.reduce(0, +) == frames.count)
            merged += result.merged.count { $0 > 1 }
            if cutAgain(result, of: frames, first) != frames { Issue.record("round \(round): \(result.merged)") }
        }
        #expect(merged > 1_000)
    }

    private func put(_ frames: [[UInt8]], _ spec: FrameSpec) -> CoalescingTests.Result {
        // The twin's offsets are those of one of the flows only: what is compared there is compared here by cutting.
        CoalescingTests.coalesce(frames, spec, checksPlaces: false)
    }

    /// What is too small to be cut again is not put together: 8 bytes, as `SegmentationPlan` has it.
    @Test func smallSegments() {
        var spec = FrameSpec()
        spec.payload = [UInt8](repeating: 7, count: 70)
        for size in 1..<12 {
            let frames = spec.slowSegments(size: size, ecn: false)
            let merged = CoalescingTests.coalesce(frames, spec).merged
            #expect(
                merged == (size < SegmentationPlan.minimumTCPSize ? frames.map { _ in 1 } : [frames.count]),
                "\(size)"
            )
        }
    }

    /// Fields of TCP that the twin has no name for, with a right checksum: acknowledgment, reserved bits, window, urgent
    /// pointer.
    @Test func otherFieldsOfTCP() {
        var spec = FrameSpec()
        spec.payload = [UInt8](repeating: 5, count: 120)
        let frames = spec.slowSegments(size: 60, ecn: false)
        #expect(CoalescingTests.coalesce(frames, spec).merged == [2])
        let tcp = spec.transportOffset
        for bit in 0..<160 {
            let at = bit / 8
            // The sequence number, the flags and the checksum have tests of their own.
            if (4..<8).contains(at) || at == 13 || (16..<18).contains(at) { continue }
            var bytes = frames[1]
            bytes[tcp + at] ^= 1 << UInt8(bit % 8)
            bytes.withUnsafeMutableBytes {
                let start = $0.baseAddress!
                start.set16(tcp + 16, 0)
                let pseudo = Checksum.pseudoIPv4(start + 14, protocol: IPProtocol.tcp, length: 80)
                let sum = Checksum.sum(UnsafeRawPointer(start) + tcp, 80, pseudo)
                start.set16(tcp + 16, Checksum.finishTransport(sum))
            }
            #expect(CoalescingTests.coalesce([frames[0], bytes], spec).merged == [1, 1], "bit \(bit)")
        }
    }
}
