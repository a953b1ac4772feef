import Forwarding
import Rings
import Testing
import Wire

/// Every frame cut at every byte, every reserved bit, every value of the bytes that lengths are read from. The frame
/// ends at a page that nobody may touch, and the reference model says what must come of it.
@Suite struct HostileTests {
    /// One arrival of each kind, with every header that is looked at.
    static func specimens(_ s: Sample) -> [Arrival] {
        let tcpOptions = tcp([1, 2, 3, 4, 5], options: 3)
        let extended: [UInt8] =
            [60, 0, 0, 0, 0, 0, 0, 0, 43, 1] + [UInt8](repeating: 0, count: 14) + [44, 0, 0, 0, 0, 0, 0, 0]
        let contents: [[UInt8]] = [
            Row.plain(), Row.plain(tags: [(0x8100, 0x2000)]), Row.plain(tags: [(0x8100, 20), (0x8100, 0)]),
            ethernet(to: Sample.b, from: Sample.a, type: 0x0800, ipv4(protocol: 6, tos: 2, options: 2, tcpOptions)),
            ethernet(
                to: Sample.b,
                from: Sample.a,
                type: 0x0800,
                withPartialChecksum(ipv4(protocol: 17, tos: 2, udp([1])))
            ),
            ethernet(to: Sample.b, from: Sample.a, type: 0x86DD, withPartialChecksum(ipv6(protocol: 6, tcpOptions))),
            ethernet(
                to: Sample.b,
                from: Sample.a,
                type: 0x86DD,
                ipv6(protocol: 0, tos: 1, extended + [6, 0, 0, 0, 0, 0, 0, 0] + tcpOptions)
            ),
            ethernet(
                to: .broadcast,
                from: Sample.a,
                type: 0x0806,
                [0, 1, 8, 0, 6, 4, 0, 1] + Array(repeating: 1, count: 20)
            ),
        ]
        return contents.flatMap { content in
            let layers = Layers(content[...])
            let start = UInt16(max(layers.l4, 34))
            let cut = Offload(
                flags: 1,
                gsoType: layers.version == 6 ? 4 : 1,
                gsoSize: 2,
                checksumStart: start,
                checksumOffset: 16
            )
            return [
                Arrival(endpoint: s.web, bytes: content),
                Arrival(endpoint: s.web, bytes: content, offload: cut),
                Arrival(endpoint: s.trunk, bytes: content),
                Arrival(endpoint: s.provider, bytes: content),
                Arrival(endpoint: s.vxlan, bytes: vxlan(5001, content), outerSource: Sample.h2, outerTOS: 3),
                Arrival(endpoint: s.vxlan, bytes: vxlan(5003, content), outerSource: Sample.h2, outerTOS: 1),
                Arrival(endpoint: s.gre, bytes: gre(77, content), outerSource: Sample.h2, outerTOS: 3),
                Arrival(
                    endpoint: s.gre,
                    bytes: gre(77, flags: 0x8000, sequence: 1, content),
                    outerSource: Sample.h2
                ),
            ]
        }
    }

    @Test func cutAtEveryByte() throws {
        let judge = try Judge()
        for specimen in HostileTests.specimens(judge.sample) {
            for length in 0...specimen.bytes.count {
                var arrival = specimen
                arrival.bytes = Array(specimen.bytes.prefix(length))
                judge.check(arrival, "\(length) bytes of \(specimen)")
            }
        }
    }

    /// Each of the first 100 bytes takes every value.
    @Test func everyValueOfEveryByte() throws {
        let judge = try Judge()
        for specimen in HostileTests.specimens(judge.sample) {
            for place in 0..<min(specimen.bytes.count, 100) {
                // All values where lengths and flags are; elsewhere the corners.
                for value in [0, 1, 2, 4, 5, 8, 15, 16, 17, 44, 51, 63, 64, 127, 128, 129, 240, 254, 255] {
                    var arrival = specimen
                    arrival.bytes[place] = UInt8(value)
                    judge.check(arrival, "byte \(place) is \(value) in \(specimen)")
                }
            }
        }
    }

    /// The same for what routers look at.
    @Test func cutAtEveryByteOnTheWayToARouter() throws {
        let sample = RoutedSample()
        let judge = try Judge(sample.cloud)
        for specimen in sample.specimens {
            for length in 0...specimen.bytes.count {
                var arrival = specimen
                arrival.bytes = Array(specimen.bytes.prefix(length))
                judge.check(arrival, "\(length) bytes of \(specimen)")
            }
        }
    }

    @Test func everyValueOfEveryByteOnTheWayToARouter() throws {
        let sample = RoutedSample()
        let judge = try Judge(sample.cloud)
        for specimen in sample.specimens {
            for place in 0..<min(specimen.bytes.count, 130) {
                for value in [0, 1, 2, 3, 4, 6, 15, 17, 41, 44, 47, 58, 64, 69, 94, 127, 128, 131, 136, 192, 224, 255] {
                    var arrival = specimen
                    arrival.bytes[place] = UInt8(value)
                    judge.check(arrival, "byte \(place) is \(value) in \(specimen)")
                    // What is wrong behind the header of IPv4 is looked at only if that is right.
                    if let mended = RoutedSample.mended(arrival) { judge.check(mended, "\(mended)") }
                }
            }
        }
    }

    @Test func everyReservedBitOfVXLAN() throws {
        let judge = try Judge()
        for bit in 0..<64 {
            let isFlag = bit == 4
            let isVNI = (32..<56).contains(bit)
            var bytes = vxlan(5001, Row.plain(to: .broadcast))
            bytes[bit / 8] ^= UInt8(0x80 >> (bit % 8))
            let arrival = Arrival(endpoint: judge.sample.vxlan, bytes: bytes, outerSource: Sample.h2)
            let decision = judge.check(arrival, "bit \(bit)")
            if isFlag {
                #expect(decision.reason == DropReason.vxlanNoVNI.rawValue)
            } else if !isVNI {
                #expect(decision.verdict == .flood)
                #expect(decision.events == Event.vxlanReservedBits.bit)
            }
        }
    }

    /// Every claim about checksums and segments at the edges of a frame.
    @Test func everyOffloadAtTheEdges() throws {
        let judge = try Judge()
        let contents = [
            ethernet(to: Sample.b, from: Sample.a, type: 0x0800, ipv4(protocol: 6, tcp([1, 2, 3, 4]))),
            ethernet(
                to: Sample.b,
                from: Sample.a,
                tags: [(0x8100, 20)],
                type: 0x86DD,
                ipv6(protocol: 17, udp([1, 2, 3]))
            ),
            Row.plain(),
        ]
        let edges = [0, 1, 13, 14, 18, 34, 38, 54, 58, 59, 60, 61, 62, 63, 78, 79, 80, 0xFF00, 0xFF01, 0xFFFF]
        for content in contents {
            for endpoint in [judge.sample.web, judge.sample.trunk, judge.sample.vxlan] {
                for start in edges {
                    for offset in [0, 2, 6, 16, 20, 0xFFFF] {
                        for kind in [0, 1, 3, 4, 5, 0x80, 0x81, 0x85, 0xFF] {
                            for flags in [0, 1, 2, 3, 0xFF] {
                                var arrival = Arrival(endpoint: endpoint, bytes: content)
                                if endpoint == judge.sample.vxlan {
                                    arrival.bytes = vxlan(5003, content)
                                    arrival.outerSource = Sample.h2
                                }
                                arrival.offload = Offload(
                                    flags: UInt8(flags),
                                    gsoType: UInt8(kind),
                                    headerLength: 0xFFFF,
                                    gsoSize: 1,
                                    checksumStart: UInt16(start),
                                    checksumOffset: UInt16(offset)
                                )
                                judge.check(arrival, "\(arrival)")
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A sample cloud with its reference model.
struct Judge {
    let sample = RuleTests.sample
    let tables: LiveTables
    let reference: Reference
    let memory = FrameMemory()

    init(_ cloud: Cloud = RuleTests.sample.cloud) throws {
        tables = try LiveTables(cloud.compile(), seed: 1)
        reference = Reference(cloud)
    }

    /// Both must agree; gives the decision.
    @discardableResult
    func check(_ arrival: Arrival, _ what: @autoclosure () -> String) -> Decision {
        withExtendedLifetime((tables, memory)) {
            let frame = memory.place(arrival)
            let decision = decide(frame, snapshot: tables.snapshot, taught: tables.state.taught, now: 1)
            applyChanges(frame, decision)
            let copies = decision.targets(tables.snapshot).map { memory.copy(frame, decision, to: $0, tables, now: 1) }
            let judgement = reference.judge(arrival, now: 1, flow: decision.flowHash)
            if let difference = judgement.difference(from: decision) {
                Issue.record("\(what()): \(difference)")
            } else if judgement.copies != copies {
                Issue.record("\(what()): \(copies), expected \(judgement.copies)")
            }
            return decision
        }
    }
}
