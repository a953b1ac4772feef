import Testing

@testable import sluice

/// Little-endian pcapng, written by hand from draft-ietf-opsawg-pcapng §4.
private enum Sample {
    static func word(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(value >> (8 * UInt32($0)) & 255) } }

    static func block(_ type: UInt32, _ body: [UInt8]) -> [UInt8] {
        let padded = body + [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
        let length = word(UInt32(padded.count + 12))
        return word(type) + length + padded + length
    }

    static let head =
        block(0x0A0D_0D0A, word(0x1A2B_3C4D) + [1, 0, 0, 0] + [UInt8](repeating: 255, count: 8))
        + block(1, [1, 0, 0, 0] + word(65_535))

    static func packet(_ frame: [UInt8]) -> [UInt8] {
        let padding = [UInt8](repeating: 0, count: (4 - frame.count % 4) % 4)
        // A comment behind the frame.
        let options: [UInt8] = [1, 0, 2, 0, 0x68, 0x69, 0, 0, 0, 0, 0, 0]
        return block(
            6,
            word(0) + word(0) + word(0) + word(UInt32(frame.count)) + word(UInt32(frame.count)) + frame + padding
                + options
        )
    }

    static let frames: [[UInt8]] = [[1, 2, 3], Array(0..<64), [9]]
    static let file = head + frames.flatMap(packet)
}

@Suite struct CaptureFileTests {
    @Test(arguments: [1, 2, 3, 7, 13, 64, 1000])
    func streamsAreCutIntoWholeBlocks(piece: Int) throws {
        var splitter = PcapNGSplitter()
        var seen: [UInt8] = []
        var packets = 0
        var at = 0
        while at < Sample.file.count {
            let end = min(at + piece, Sample.file.count)
            let blocks = try splitter.take(Sample.file[at..<end])
            seen += blocks.bytes
            packets += blocks.packets
            // Whatever was written so far is a file.
            #expect(seen.isEmpty || FrameFile.frames(in: seen)?.count ?? 0 == packets)
            at = end
        }
        #expect(seen == Sample.file && packets == 3)
    }

    @Test func countsStopInTime() throws {
        var splitter = PcapNGSplitter()
        let blocks = try splitter.take(Sample.file, limit: 2)
        #expect(blocks.packets == 2)
        #expect(FrameFile.frames(in: blocks.bytes)?.map(Array.init) == Array(Sample.frames.prefix(2)))
    }

    @Test func otherStreamsAreRefused() {
        for bytes in [
            [UInt8](repeating: 0, count: 12), [UInt8](repeating: 255, count: 12), Array("{\"error\": 1}....".utf8),
        ] {
            var splitter = PcapNGSplitter()
            #expect(throws: PcapNGSplitter.NotPcapNG.self) { try splitter.take(bytes) }
        }
    }

    @Test func framesOfCaptureFiles() {
        #expect(FrameFile.frames(in: Sample.file)?.map(Array.init) == Sample.frames)
        let record = Sample.word(0) + Sample.word(0) + Sample.word(3) + Sample.word(3) + [7, 8, 9]
        let pcap = Sample.word(0xA1B2_C3D4) + [UInt8](repeating: 0, count: 20) + record
        #expect(FrameFile.frames(in: pcap)?.map(Array.init) == [[7, 8, 9]])
        let swapped: [UInt8] =
            [0xA1, 0xB2, 0x3C, 0x4D] + [UInt8](repeating: 0, count: 20) + [
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 5,
            ]
        #expect(FrameFile.frames(in: swapped)?.map(Array.init) == [[5]])
        #expect(FrameFile.frames(in: [UInt8](repeating: 0, count: 64)) == nil)
    }

    /// A file that is cut anywhere gives what is whole and never traps.
    @Test func cutFiles() {
        for count in 0..<Sample.file.count {
            let frames = FrameFile.frames(in: Array(Sample.file[..<count]))?.map(Array.init) ?? []
            #expect(Sample.frames.starts(with: frames))
        }
    }

    /// Nor does one that lies about its lengths.
    @Test func damagedFiles() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var file = Sample.file
            for _ in 0..<3 { file[Int.random(in: 0..<file.count, using: &generator)] = .random(in: 0...255) }
            _ = FrameFile.frames(in: file)
            var splitter = PcapNGSplitter()
            _ = try? splitter.take(file)
        }
    }
}
