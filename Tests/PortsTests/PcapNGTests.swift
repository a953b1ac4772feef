import Glibc
import Ports
import Testing

@Suite struct PcapNGTests {
    final class Sink {
        var bytes: [UInt8] = []
        var blocks = 0
    }

    private func sample() -> Sink {
        let sink = Sink()
        var writer = PcapNGWriter(application: "sluice test") { block in
            sink.bytes += block
            sink.blocks += 1
        }
        #expect(writer.addInterface(name: "red/web", description: "TAP") == 0)
        #expect(writer.addInterface(name: "vxlan", snapLength: 96) == 1)
        let frame = TestFrame.udp(Array("hello".utf8))
        frame.withUnsafeBytes {
            writer.writePacket(
                interface: 0,
                time: 1_700_000_000_123_456_789,
                bytes: $0,
                originalLength: $0.count,
                direction: .inbound
            )
            writer.writePacket(
                interface: 1,
                time: 1_700_000_001_000_000_001,
                bytes: UnsafeRawBufferPointer(rebasing: $0[..<30]),
                originalLength: 1_500,
                direction: .outbound,
                comment: "dropped: unknown VNI – 5001"
            )
            writer.writePacket(interface: 1, time: 5, bytes: $0, originalLength: $0.count)
        }
        return sink
    }

    /// Each block is a whole number of words and says its length at both ends.
    @Test func blocksAreWellFormed() {
        let sink = sample()
        #expect(sink.blocks == 6)
        var types: [UInt32] = []
        var at = 0
        sink.bytes.withUnsafeBytes { raw in
            while at + 12 <= raw.count {
                types.append(raw.loadUnaligned(fromByteOffset: at, as: UInt32.self).littleEndian)
                let length = Int(raw.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self).littleEndian)
                #expect(length % 4 == 0 && length >= 12 && at + length <= raw.count)
                guard length >= 12, at + length <= raw.count else { return }
                #expect(raw.loadUnaligned(fromByteOffset: at + length - 4, as: UInt32.self).littleEndian == length)
                at += length
            }
        }
        #expect(at == sink.bytes.count)
        #expect(types == [0x0A0D_0D0A, 1, 1, 6, 6, 6])
    }

    @Test func longCommentsAreCut() {
        let sink = Sink()
        var writer = PcapNGWriter(application: "t") { sink.bytes = Array($0) }
        _ = writer.addInterface(name: "p")
        let comment = String(repeating: "ä", count: 40_000)
        [UInt8](repeating: 0, count: 14).withUnsafeBytes {
            writer.writePacket(interface: 0, time: 0, bytes: $0, originalLength: 14, comment: comment)
        }
        #expect(sink.bytes.count < 66_000 && sink.bytes.count > 65_000)
        #expect(sink.bytes.count % 4 == 0)
    }

    /// Wireshark's own reader agrees. It is among the packages that `make test` installs.
    @Test func tsharkReadsIt() throws {
        try #require(access("/usr/bin/tshark", X_OK) == 0, "tshark is missing: apt-get install tshark")
        let sink = sample()
        var path = Array("/tmp/sluice-pcapng-XXXXXX".utf8CString)
        let fd = mkstemp(&path)
        defer {
            close(fd)
            unlink(path)
        }
        try #require(write(fd, sink.bytes, sink.bytes.count) == sink.bytes.count)
        let name = String(decoding: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let fields = ["frame.time_epoch", "frame.interface_name", "frame.len", "frame.cap_len", "frame.packet_flags"]
        let list = (fields + ["frame.comment", "udp.payload"]).map { "-e \($0)" }.joined(separator: " ")
        let pipe = popen("tshark -r \(name) -T fields -E separator=';' \(list) 2>/dev/null", "r")
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = fread(&buffer, 1, buffer.count, pipe)
            if count == 0 { break }
            text += buffer[..<count]
        }
        #expect(pclose(pipe) == 0)
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
        #expect(
            lines == [
                "1700000000.123456789;red/web;47;47;0x00000001;;68656c6c6f",
                "1700000001.000000001;vxlan;1500;30;0x00000002;dropped: unknown VNI – 5001;",
                "0.000000005;vxlan;47;47;;;68656c6c6f",
            ]
        )
    }
}
