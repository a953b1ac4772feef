import Testing
import Wire

@Suite struct CoalescingTests {
    /// A frame that a sender's kernel may cut and a receiver's put together again.
    static func spec(_ random: inout SplitMix, length: Int) -> FrameSpec {
        var spec = FrameSpec.random(&random, length: length)
        spec.prefix = random.bytes(random.pick([0, 8, 8, 12]))
        spec.isDatagram = random.chance(4)
        if spec.isDatagram { spec.tags = [] }
        spec.options = []
        spec.extensions = []
        spec.checksum = .partial
        let options = random.bytes(4 * random.pick([0, 3, 3, 5, 10]))
        let flags = random.pick([0x10, 0x18, 0x11, 0x19, 0x50, 0x58] as [UInt8])
        let sequence = UInt32(random.pick([1, 0xFFFF_FF00, random.below(1 << 32)]))
        spec.l4 = .tcp(sequence: sequence, flags: flags, options: options)
        return spec
    }

    struct Result: Equatable {
        var frames: [[UInt8]] = []
        var merged: [Int] = []
    }

    /// Puts segments together as an endpoint does: where the next one cannot be appended, a new frame begins with it.
    /// They lie one behind the other, or each in memory of its own.
    static func coalesce(
        _ segments: [[UInt8]],
        _ spec: FrameSpec,
        together: Bool = true,
        capacity: Int = 67_584,
        checksPlaces: Bool = true
    ) -> Result {
        var result = Result()
        // Every region ends at a guard.
        let stride = together ? 0 : max(capacity, segments.map(\.count).max() ?? 0)
        let total = segments.reduce(0) { $0 + $1.count }
        let sizes = together ? [total] : segments.map { _ in stride }
        let memory = sizes.map { GuardedBytes(capacity: max($0, 1)) }
        // An array is let go of after its last use, be there pointers into its elements' memory or not.
        defer { withExtendedLifetime(memory) {} }
        var starts: [UnsafeMutableRawPointer] = []
        if together {
            var at = memory[0].place(segments.flatMap { $0 })
            for segment in segments {
                starts.append(at)
                at += segment.count
            }
        } else {
            for (segment, memory) in zip(segments, memory) {
                starts.append(memory.place(segment + [UInt8](repeating: 0xEE, count: stride - segment.count)))
            }
        }
        var current: Coalescing?
        var room = 0
        func end() {
            guard let frame = current else { return }
            frame.finish()
            result.frames.append(Array(UnsafeRawBufferPointer(start: frame.bytes, count: frame.length)))
            result.merged.append(frame.count)
            if frame.count > 1, checksPlaces {
                #expect(frame.checksumStart == spec.transportOffset && frame.payloadOffset == spec.payloadOffset)
                #expect(frame.gsoType == (spec.isIPv6 ? SegmentationKind.tcpv6 : SegmentationKind.tcpv4))
            }
        }
        for (index, segment) in segments.enumerated() {
            if current?.append(starts[index], segment.count, capacity: room) == true { continue }
            end()
            room = min(capacity, together ? total - (starts[index] - starts[0]) : stride)
            current = Coalescing(
                starts[index],
                segment.count,
                prefixLength: spec.prefix.count,
                networkType: spec.isDatagram ? spec.etherType : 0
            )
        }
        end()
        return result
    }

    /// What was cut comes out as it was, with the flags that the last segment had.
    @Test(arguments: [true, false])
    func undoesSegmentation(together: Bool) {
        var random = SplitMix(171)
        for round in 0..<300 {
            let length = round % 20 == 0 ? 30_000 + random.below(34_000) : 1 + random.below(6_000)
            let spec = Self.spec(&random, length: length)
            let size = random.pick([1448, 1398, 536, 8 + random.below(2_000), length + 1])
            let segments = spec.slowSegments(size: size, ecn: false)
            let result = Self.coalesce(segments, spec, together: together)
            var whole = spec
            if segments.count == 1 { whole.checksum = .complete }
            #expect(result.merged == [segments.count], "round \(round)")
            #expect(result.frames == [whole.bytes] as [[UInt8]], "round \(round)")
        }
    }

    /// A bit that differs anywhere, in the first segment or in the second, keeps them apart and stays as it is.
    @Test func everyBitCounts() {
        var random = SplitMix(172)
        for isIPv6 in [false, true] {
            for fragmentField in [0, 0x4000] as [UInt16] {
                var spec = Self.spec(&random, length: 96)
                spec.isIPv6 = isIPv6
                spec.sourceAddress = random.bytes(isIPv6 ? 16 : 4)
                spec.destinationAddress = random.bytes(isIPv6 ? 16 : 4)
                spec.fragmentField = fragmentField
                let segments = spec.slowSegments(size: 48, ecn: false)
                #expect(Self.coalesce(segments, spec).merged == [2])
                for which in 0..<2 {
                    for bit in 0..<8 * segments[which].count {
                        var changed = segments
                        changed[which][bit / 8] ^= 1 << UInt8(bit % 8)
                        let result = Self.coalesce(changed, spec)
                        if result.frames != changed { Issue.record("segment \(which), bit \(bit)") }
                    }
                }
            }
        }
    }

    /// Changes that leave every checksum right: what a segment is may not be guessed from them.
    @Test func onlyTheNextSegmentIsAppended() {
        var random = SplitMix(173)
        var spec = Self.spec(&random, length: 3_000)
        spec.isIPv6 = false
        spec.sourceAddress = [1, 2, 3, 4]
        spec.destinationAddress = [5, 6, 7, 8]
        spec.fragmentField = 0x4000
        spec.l4 = .tcp(sequence: 5, flags: 0x10, options: [1, 1, 1, 1])
        func segment(_ change: (inout FrameSpec) -> Void) -> [UInt8] {
            var next = spec
            next.checksum = .complete
            next.payload = Array(spec.payload[1_000..<2_000])
            next.identification &+= 1
            next.l4 = .tcp(sequence: 1_005, flags: 0x10, options: [1, 1, 1, 1])
            change(&next)
            return next.bytes
        }
        func merges(_ change: @escaping (inout FrameSpec) -> Void) -> Bool {
            let first = spec.slowSegments(size: 1_000, ecn: false)[0]
            return Self.coalesce([first, segment(change)], spec).merged == [2]
        }
        #expect(merges { _ in })
        #expect(merges { $0.identification = 77 })
        #expect(merges { $0.payload = Array($0.payload[..<1]) })
        #expect(merges { $0.l4 = .tcp(sequence: 1_005, flags: 0x18, options: [1, 1, 1, 1]) })
        #expect(merges { $0.l4 = .tcp(sequence: 1_005, flags: 0x11, options: [1, 1, 1, 1]) })
        for flags in [0x00, 0x12, 0x14, 0x30, 0x50, 0x90, 0xD0] as [UInt8] {
            #expect(!merges { $0.l4 = .tcp(sequence: 1_005, flags: flags, options: [1, 1, 1, 1]) })
        }
        for sequence in [5, 1_004, 1_006, 2_005] as [UInt32] {
            #expect(!merges { $0.l4 = .tcp(sequence: sequence, flags: 0x10, options: [1, 1, 1, 1]) })
        }
        #expect(!merges { $0.l4 = .tcp(sequence: 1_005, flags: 0x10, options: [1, 1, 1, 2]) })
        #expect(!merges { $0.l4 = .tcp(sequence: 1_005, flags: 0x10, options: []) })
        #expect(!merges { $0.l4 = .udp })
        #expect(!merges { $0.payload.append(1) })
        #expect(!merges { $0.payload = [] })
        #expect(!merges { $0.ports.0 ^= 1 })
        #expect(!merges { $0.ports.1 ^= 1 })
        #expect(!merges { $0.tos ^= 1 })
        #expect(!merges { $0.ttl -= 1 })
        #expect(!merges { $0.sourceAddress[0] ^= 1 })
        #expect(!merges { $0.destinationAddress[3] ^= 1 })
        #expect(!merges { $0.fragmentField = 0 })
        #expect(!merges { $0.fragmentField = 0x6000 })
        #expect(!merges { $0.source = MACAddress(bits: 3) })
        #expect(!merges { $0.destination = MACAddress(bits: 3) })
        #expect(!merges { $0.prefix = $0.prefix.isEmpty ? [1] : $0.prefix.map { $0 ^ 1 } })
        #expect(!merges { $0.padding = [0] })
        #expect(!merges { $0.checksum = .partial })
        spec.fragmentField = 0
        #expect(merges { _ in })
        #expect(!merges { $0.identification = 77 })
    }

    /// No more than there is room for, nor than an IP header can say.
    @Test func endsWhereThereIsNoRoom() {
        var random = SplitMix(174)
        var spec = Self.spec(&random, length: 5_000)
        let segments = spec.slowSegments(size: 1_000, ecn: false)
        for capacity in [segments[0].count, segments[0].count + 999, segments[0].count + 1_000] {
            let merged = Self.coalesce(segments, spec, together: false, capacity: capacity).merged
            #expect(merged == (capacity == segments[0].count + 1_000 ? [2, 2, 1] : [1, 1, 1, 1, 1]))
        }
        for isIPv6 in [false, true] {
            spec = Self.spec(&random, length: 0)
            spec.isIPv6 = isIPv6
            spec.sourceAddress = random.bytes(isIPv6 ? 16 : 4)
            spec.destinationAddress = random.bytes(isIPv6 ? 16 : 4)
            spec.l4 = .tcp(sequence: 1, flags: 0x10, options: [])
            // 65 535 bytes of IP in all, and one more.
            for (extra, merged) in [(0, [33]), (1, [32, 1])] as [(Int, [Int])] {
                spec.payload = random.bytes(65_535 - (isIPv6 ? 60 : 40) + extra)
                var last = spec
                last.payload = Array(spec.payload[64_000...])
                last.checksum = .complete
                last.identification &+= 32
                last.l4 = .tcp(sequence: 64_001, flags: 0x10, options: [])
                var first = spec
                first.payload = Array(spec.payload[..<64_000])
                let result = Self.coalesce(first.slowSegments(size: 2_000, ecn: false) + [last.bytes], spec)
                #expect(result.merged == merged)
            }
        }
    }

    /// Segments of two flows in turn, and what is no TCP at all: everything comes out in its order, whole.
    @Test func whatDoesNotBelongTogetherStaysApart() {
        var random = SplitMix(175)
        for _ in 0..<100 {
            let spec = Self.spec(&random, length: 1 + random.below(3_000))
            var other = spec
            other.ports.0 ^= 1
            let size = 100 + random.below(1_500)
            let a = spec.slowSegments(size: size, ecn: false)
            let b = other.slowSegments(size: size, ecn: false)
            let mixed = zip(a, b).flatMap { [$0.0, $0.1] }
            #expect(Self.coalesce(mixed, spec) == Result(frames: mixed, merged: mixed.map { _ in 1 }))
            let junk = (0..<5).map { _ in random.bytes(1 + random.below(100)) }
            #expect(Self.coalesce(junk, spec) == Result(frames: junk, merged: [1, 1, 1, 1, 1]))
            let cut = a.map { Array($0.dropLast(1 + random.below($0.count - 1))) }
            #expect(Self.coalesce(cut, spec).frames == cut)
        }
    }
}
