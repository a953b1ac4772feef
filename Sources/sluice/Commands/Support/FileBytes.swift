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
        // Else tens of megabytes would be copied again each time that they have doubled.
        if fstat(descriptor, &status) == 0 { bytes.reserveCapacity(max(0, min(Int(status.st_size), most)) + 1) }
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw failure(path)
            }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= most else {
                throw CommandFailure("\(path) is larger than \(most >> 20) MiB, which is no file for this.")
            }
        }
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
