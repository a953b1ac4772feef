/// Frames in files: bytes as they are, pcap (any byte order, any time unit) and pcapng.
enum FrameFile {
    /// The frame that `FILE` or `FILE#NUMBER` names, in hexadecimal.
    static func hex(_ name: String) throws -> String {
        var path = name
        var number = 1
        if let sign = name.lastIndex(of: "#"), let told = Int(name[name.index(after: sign)...]), told > 0 {
            path = String(name[..<sign])
            number = told
        }
        let bytes = try FileBytes.read(path)
        let frames = frames(in: bytes) ?? [bytes[...]]
        guard number <= frames.count else {
            throw CommandFailure("\(path) holds \(frames.count) frames; there is no frame \(number) in it.")
        }
        let frame = frames[frames.startIndex + number - 1]
        guard !frame.isEmpty else { throw CommandFailure("frame \(number) of \(path) is empty.") }
        return frame.map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }

    /// The frames of a capture file, or nil for anything else. A file that is cut off gives what is whole.
    static func frames(in bytes: [UInt8]) -> [ArraySlice<UInt8>]? {
        guard bytes.count >= 24 else { return nil }
        let reader = Reader(bytes: bytes, isLittle: true)
        switch reader.word(0) {
        case 0x0A0D_0D0A: return blocks(bytes)
        case 0xA1B2_C3D4, 0xA1B2_3C4D: return records(reader)
        case 0xD4C3_B2A1, 0x4D3C_B2A1: return records(Reader(bytes: bytes, isLittle: false))
        default: return nil
        }
    }

    private struct Reader {
        let bytes: [UInt8]
        let isLittle: Bool

        func word(_ at: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 << 8 | UInt32(bytes[isLittle ? at + 3 - $1 : at + $1]) }
        }
    }

    private static func records(_ reader: Reader) -> [ArraySlice<UInt8>] {
        var frames: [ArraySlice<UInt8>] = []
        var at = 24
        while at + 16 <= reader.bytes.count {
            let length = Int(reader.word(at + 8))
            guard at + 16 + length <= reader.bytes.count else { break }
            frames.append(reader.bytes[(at + 16)..<(at + 16 + length)])
            at += 16 + length
        }
        return frames
    }

    private static func blocks(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        var frames: [ArraySlice<UInt8>] = []
        var reader = Reader(bytes: bytes, isLittle: true)
        var at = 0
        while at + 12 <= bytes.count {
            if reader.word(at) == 0x0A0D_0D0A {
                reader = Reader(bytes: bytes, isLittle: bytes[at + 8] == 0x4D)
            }
            let length = Int(reader.word(at + 4))
            guard length >= 12, length % 4 == 0, at + length <= bytes.count else { break }
            if reader.word(at) == PcapNGSplitter.enhancedPacket, length >= 32 {
                let kept = Int(reader.word(at + 20))
                if 28 + kept <= length - 4 { frames.append(bytes[(at + 28)..<(at + 28 + kept)]) }
            }
            at += length
        }
        return frames
    }
}
