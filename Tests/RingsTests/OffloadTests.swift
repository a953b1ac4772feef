import Rings
import Testing

@Suite struct OffloadTests {
    @Test func shiftingMovesOnlyWhatCounts() {
        let plain = Offload.none.shifted(50)
        #expect(plain == .none)
        let checksum = Offload(flags: Offload.needsChecksumFlag, checksumStart: 34, checksumOffset: 16)
        #expect(checksum.shifted(4).checksumStart == 38)
        #expect(checksum.shifted(4).checksumOffset == 16)
        #expect(checksum.shifted(4).shifted(-4) == checksum)
        let whole = Offload(
            flags: Offload.needsChecksumFlag,
            gsoType: Offload.gsoTCPv4 | Offload.gsoECNFlag,
            headerLength: 54,
            gsoSize: 1448,
            checksumStart: 34,
            checksumOffset: 16
        )
        #expect(whole.shifted(50).headerLength == 104 && whole.shifted(50).checksumStart == 84)
        #expect(whole.isSuperFrame && whole.gsoKind == Offload.gsoTCPv4)
    }
}
