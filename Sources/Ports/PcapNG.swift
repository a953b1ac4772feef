// The capture file format of Wireshark and tcpdump (draft-ietf-opsawg-pcapng), as much of it as a switch has to say:
// one section, an interface for each endpoint, and for each frame its time, direction and a comment.
//
// A block is a type, its total length, a body, options and the total length again, all padded to 32 bits. Everything is
// little endian here, which the byte-order magic in the first block tells the reader.

/// Writes a pcapng stream piece by piece into a sink: a file, a pipe, an array.
public struct PcapNGWriter {
    /// Which way a frame went, as seen from the switch.
    public enum Direction: UInt32, Sendable {
        case unknown = 0
        case inbound = 1
        case outbound = 2
    }

    private enum Block {
        static let section: UInt32 = 0x0A0D_0D0A
        static let interface: UInt32 = 1
        static let packet: UInt32 = 6
    }

    private enum Option {
        static let end: UInt16 = 0
        static let comment: UInt16 = 1
        static let sectionApplication: UInt16 = 4
        static let interfaceName: UInt16 = 2
        static let interfaceDescription: UInt16 = 3
        static let interfaceTimeResolution: UInt16 = 9
        static let packetFlags: UInt16 = 2
    }

    /// What the bytes of an interface begin with (https://www.tcpdump.org/linktypes.html).
    public enum LinkType: UInt16, Sendable {
        case ethernet = 1
        /// An IPv4 or IPv6 header.
        case raw = 101
    }

    private let sink: (UnsafeRawBufferPointer) -> Void
    private var block: [UInt8] = []

    /// Interfaces described so far; the next one gets this number.
    public private(set) var interfaceCount: UInt32 = 0

    /// Begins the stream.
    ///
    /// - Parameters:
    ///   - application: the program that writes, for the reader's information.
    ///   - sink: gets whole blocks, in order.
    public init(application: String, sink: @escaping (UnsafeRawBufferPointer) -> Void) {
        self.sink = sink
        begin(Block.section)
        append(UInt32(0x1A2B_3C4D))
        append(UInt16(1))
        append(UInt16(0))
        // The length of the section is not known in advance.
        append(UInt64.max)
        append(Option.sectionApplication, Array(application.utf8))
        append(Option.end, [])
        finish()
    }

    /// Describes an interface with times in nanoseconds.
    ///
    /// - Parameter snapLength: the longest part of a frame that is kept, 0 for all of it.
    /// - Returns: its number.
    public mutating func addInterface(
        name: String,
        description: String = "",
        snapLength: UInt32 = 0,
        linkType: LinkType = .ethernet
    ) -> UInt32 {
        begin(Block.interface)
        append(linkType.rawValue)
        append(UInt16(0))
        append(snapLength)
        append(Option.interfaceName, Array(name.utf8))
        if !description.isEmpty { append(Option.interfaceDescription, Array(description.utf8)) }
        append(Option.interfaceTimeResolution, [9])
        append(Option.end, [])
        finish()
        interfaceCount += 1
        return interfaceCount - 1
    }

    /// Writes one frame.
    ///
    /// - Parameters:
    ///   - interface: as `addInterface` numbered it.
    ///   - time: nanoseconds since 1970.
    ///   - bytes: what was kept of the frame.
    ///   - originalLength: what it had.
    ///   - comment: shown with the frame; why it was dropped, say.
    public mutating func writePacket(
        interface: UInt32,
        time: UInt64,
        bytes: UnsafeRawBufferPointer,
        originalLength: Int,
        direction: Direction = .unknown,
        comment: String = ""
    ) {
        begin(Block.packet)
        append(interface)
        append(UInt32(truncatingIfNeeded: time >> 32))
        append(UInt32(truncatingIfNeeded: time))
        append(UInt32(truncatingIfNeeded: bytes.count))
        append(UInt32(truncatingIfNeeded: max(originalLength, bytes.count)))
        block.append(contentsOf: bytes)
        pad()
        if direction != .unknown || !comment.isEmpty {
            if direction != .unknown {
                append(Option.packetFlags)
                append(UInt16(4))
                append(direction.rawValue)
            }
            if !comment.isEmpty { append(Option.comment, Array(comment.utf8)) }
            append(Option.end, [])
        }
        finish()
    }

    // MARK: - Blocks

    private mutating func begin(_ type: UInt32) {
        block.removeAll(keepingCapacity: true)
        append(type)
        append(UInt32(0))
    }

    private mutating func finish() {
        let length = UInt32(truncatingIfNeeded: block.count + 4)
        append(length)
        withUnsafeBytes(of: length.littleEndian) { block.replaceSubrange(4..<8, with: $0) }
        block.withUnsafeBytes(sink)
    }

    private mutating func append<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { block.append(contentsOf: $0) }
    }

    /// An option's length has 16 bits: what is longer is cut, at the end of a character.
    private mutating func append(_ code: UInt16, _ value: [UInt8]) {
        var count = min(value.count, 0xFFFC)
        while count < value.count, count > 0, value[count] & 0xC0 == 0x80 { count -= 1 }
        append(code)
        append(UInt16(truncatingIfNeeded: count))
        block.append(contentsOf: value[..<count])
        pad()
    }

    private mutating func pad() {
        while block.count & 3 != 0 { block.append(0) }
    }
}
