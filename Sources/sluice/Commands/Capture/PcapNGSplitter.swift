/// Cuts a stream of pcapng into whole blocks, so that a capture that is interrupted ends as a valid file.
struct PcapNGSplitter {
    static let enhancedPacket: UInt32 = 6
    /// No block that a switch writes is longer.
    static let longestBlock = 1 << 20

    /// What `take` has found complete.
    struct Blocks {
        var bytes: [UInt8] = []
        /// Frames in it.
        var packets = 0
    }

    struct NotPcapNG: Error {}

    private var rest: [UInt8] = []

    /// Adds a piece of the stream and gives the whole blocks that are there now, with at most `limit` packets.
    mutating func take(_ piece: some Sequence<UInt8>, limit: Int = .max) throws -> Blocks {
        rest += piece
        var found = Blocks()
        var at = 0
        while found.packets < limit, at + 12 <= rest.count {
            let length = Int(word(at + 4))
            guard length >= 12, length % 4 == 0, length <= Self.longestBlock else { throw NotPcapNG() }
            guard at + length <= rest.count else { break }
            if word(at) == Self.enhancedPacket { found.packets += 1 }
            at += length
        }
        found.bytes = Array(rest[..<at])
        rest.removeFirst(at)
        return found
    }

    /// Switches write in little-endian order.
    private func word(_ at: Int) -> UInt32 {
        UInt32(rest[at]) | UInt32(rest[at + 1]) << 8 | UInt32(rest[at + 2]) << 16 | UInt32(rest[at + 3]) << 24
    }
}
