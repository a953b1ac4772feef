import Testing
import Wire

@testable import Ports
@testable import Rings

@Suite struct VirtioHeaderTests {
    private func read(_ header: [UInt8], _ frame: [UInt8]) -> Offload {
        header.withUnsafeBytes { header in
            frame.withUnsafeBytes { VirtioHeader.read(header.baseAddress!, frame: $0.baseAddress!, $0.count) }
        }
    }

    private func written(_ offload: Offload) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xEE, count: 10)
        bytes.withUnsafeMutableBytes { VirtioHeader.write(offload, to: $0.baseAddress!) }
        return bytes
    }

    @Test func fieldsStandWhereTheKernelPutsThem() {
        let offload = Offload(
            flags: 1,
            gsoType: 0x81,
            headerLength: 0x0102,
            gsoSize: 0x0304,
            checksumStart: 0x0506,
            checksumOffset: 0x0708
        )
        #expect(written(offload) == [1, 0x81, 2, 1, 4, 3, 6, 5, 8, 7])
        #expect(written(.none) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        // What only the receiver of a frame may know is not passed on.
        #expect(written(Offload(flags: 3, checksumStart: 34, checksumOffset: 6))[0] == 1)
    }

    @Test func headerLengthIsWorkedOutAnew() {
        let frame = TestFrame.tcp(TestFrame.pattern(4_000), partial: true)
        let header: [UInt8] = [1, 1, 0xFF, 0x0F, 0xA8, 0x05, 34, 0, 16, 0]
        #expect(read(header, frame) == TestFrame.superTCP(0x05A8))
        let udp = TestFrame.udp(TestFrame.pattern(4_000), partial: true)
        #expect(read([1, 5, 0xFF, 0x0F, 0, 2, 34, 0, 6, 0], udp).headerLength == 42)
    }

    @Test func meaninglessFieldsReadAsZero() {
        let frame = TestFrame.udp([1, 2, 3])
        #expect(read([0, 0, 9, 9, 9, 9, 9, 9, 9, 9], frame) == .none)
        #expect(read([2, 0, 9, 9, 9, 9, 9, 9, 9, 9], frame) == Offload(flags: Offload.dataValidFlag))
        #expect(read([0xFC, 0, 0, 0, 0, 0, 0, 0, 0, 0], frame) == .none)
    }

    /// Hostile values come through as they are, so that the pipeline can refuse them by name; none is followed.
    @Test func contradictionsAreLeftForThePipeline() {
        let frame = TestFrame.tcp([1], partial: true)
        let wild = read([1, 1, 54, 0, 1, 0, 0xFF, 0xFF, 0xFF, 0xFF], frame)
        #expect(wild.checksumStart == 0xFFFF && wild.checksumOffset == 0xFFFF && wild.headerLength == 54)
        #expect(read([1, 4, 7, 0, 1, 0, UInt8(frame.count - 13), 0, 16, 0], frame).headerLength == 7)
        #expect(read([0, 3, 7, 0, 1, 0, 0, 0, 0, 0], frame).gsoType == 3)
    }
}
