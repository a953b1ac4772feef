import Testing
import Wire

@Suite struct ECNTests {
    /// RFC 6040 §4.2, figure 4: rows are the inner bits (Not-ECT, ECT(0), ECT(1), CE), columns the outer ones in the same
    /// order. D is drop.
    @Test func decapsulationTable() {
        let order = [ECN.notECT, ECN.ect0, ECN.ect1, ECN.ce]
        let rows = ["NNND", "001C", "111C", "CCCC"]
        let alarms = ["-!!!", "----", "-?--", "--!-"]
        for (inner, (row, alarmRow)) in zip(order, zip(rows, alarms)) {
            for (outer, (cell, alarm)) in zip(order, zip(row, alarmRow)) {
                // The other six bits are the DSCP's and have no say.
                for dscp: UInt8 in [0, 0xFC, 0xB8] {
                    let result = ECN.decapsulate(inner: inner | dscp, outer: outer | ~dscp & 0xFC)
                    #expect(result.isDrop == (cell == "D"), "\(inner) in \(outer)")
                    if cell != "D" {
                        let expected = ["N": ECN.notECT, "0": ECN.ect0, "1": ECN.ect1, "C": ECN.ce][cell]
                        #expect(result.ecn == expected, "\(inner) in \(outer)")
                    }
                    let loudness: [Character: ECN.Alarm] = ["-": .none, "?": .unusual, "!": .broken]
                    #expect(result.alarm == loudness[alarm], "\(inner) in \(outer)")
                }
            }
        }
    }

    @Test func normalModeCopies() {
        for tos in UInt8.min...UInt8.max { #expect(ECN.encapsulate(inner: tos) == tos & 3) }
    }

    @Test func setsTheBitsAndNothingElse() {
        var random = SplitMix(11)
        for _ in 0..<400 {
            var spec = FrameSpec.random(&random, length: random.below(60))
            let before = spec.bytes
            let ecn = UInt8(random.below(4))
            spec.tos = spec.tos & 0xFC | ecn
            var frame = before
            frame.withUnsafeMutableBytes { buffer in
                let parsed = ParsedFrame(UnsafeRawPointer(buffer.baseAddress!), buffer.count)
                ECN.set(ecn, frame: buffer.baseAddress!, parsed: parsed)
                let after = ParsedFrame(UnsafeRawPointer(buffer.baseAddress!), buffer.count)
                #expect(after.tos == spec.tos)
            }
            // The slow twin writes the same frame, checksum and all.
            #expect(frame == spec.bytes)
        }
    }

    @Test func leavesOtherFramesAlone() {
        var random = SplitMix(12)
        for type in [EtherType.arp, 0x0026, 0x88B5] {
            let before = random.bytes(12) + be(type) + random.bytes(40)
            var frame = before
            frame.withUnsafeMutableBytes { buffer in
                let parsed = ParsedFrame(UnsafeRawPointer(buffer.baseAddress!), buffer.count)
                ECN.set(ECN.ce, frame: buffer.baseAddress!, parsed: parsed)
            }
            #expect(frame == before)
        }
    }
}
