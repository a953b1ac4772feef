import Foundation
import Glibc

/// Files that a command reads whole.
enum FileBytes {
    /// What the switch takes.
    static let most = 64 << 20

    /// The bytes of the file at `path`, or of standard input for `-`. Throws `CommandFailure`.
    static func read(_ path: String) throws -> [UInt8] {
        let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path) }
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        var bytes: [UInt8] = []
        var status = stat()
        // A regular file goes straight to its place; the byte more tells its end from a file that has grown.
        var piece = fstat(descriptor, &status) == 0 && isRegular(status) ? min(Int(status.st_size), most) + 1 : 1 << 18
        while true {
            let part = try [UInt8](unsafeUninitializedCapacity: piece) { space, filled in
                filled = try fill(space, from: descriptor, path)
            }
            if bytes.isEmpty { bytes = part } else { bytes += part }
            guard bytes.count <= most else {
                throw CommandFailure("\(path) is larger than \(most >> 20) MiB, which is no file for this.")
            }
            if part.count < piece { return bytes }
            piece = 1 << 18
        }
    }

    private static func isRegular(_ status: stat) -> Bool { status.st_mode & S_IFMT == S_IFREG }

    /// Reads until `space` is full or nothing more comes. Returns how many bytes it was.
    private static func fill(_ space: UnsafeMutableBufferPointer<UInt8>, from descriptor: Int32, _ path: String) throws
        -> Int
    {
        var filled = 0
        while filled < space.count, let start = space.baseAddress {
            let count = Glibc.read(descriptor, start + filled, space.count - filled)
            if count == 0 { break }
            if count > 0 { filled += count } else if errno != EINTR { throw failure(path) }
        }
        return filled
    }

    private static func failure(_ path: String) -> CommandFailure {
        CommandFailure("cannot read \(path): \(String(cString: strerror(errno)))")
    }
}

/// Values as JSON for `--json`.
enum JSONText {
    static func of(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
