import Glibc
import Synchronization

/// The path of the API's socket, from making to removal.
///
/// A socket is bound in a directory that only its owner can enter, gets its mode there, and is moved to its place when
/// it is complete: there is no moment in which somebody else can connect, and a socket that a killed switch left behind
/// is replaced by the same step. One that still answers is left alone.
final class SocketFile: Sendable {
    /// `sockaddr_un` holds 107 bytes and a zero; the staging directory needs some.
    static let longest = 100

    let path: String
    private let directory: String
    /// The socket that was put at `path`.
    private let published = Mutex<ino_t?>(nil)
    var stagedPath: String { directory + "/s" }

    /// Prepares the staging directory beside `path`.
    init(path: String) throws(ServiceError) {
        guard path.utf8.count <= Self.longest else {
            throw ServiceError(
                .failed,
                "the path of the control socket is too long: \(path) has \(path.utf8.count) bytes.",
                advice: "Choose a run directory that leaves it \(Self.longest) bytes or less."
            )
        }
        guard !Self.answers(path) else {
            throw ServiceError(
                .refused,
                "another switch answers at \(path).",
                advice: "Stop it first, or give this one another host name or run directory."
            )
        }
        let parent = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        var template = Array("\(parent.isEmpty ? "." : parent)/.aXXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw ServiceError(
                .failed,
                "cannot make the control socket \(path): \(String(cString: strerror(errno))).",
                advice: "Its directory must exist and be writable."
            )
        }
        self.path = path
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Moves the bound socket to its place.
    func publish() throws(ServiceError) {
        let staged = Self.inode(stagedPath)
        guard chmod(stagedPath, 0o600) == 0, rename(stagedPath, path) == 0 else {
            throw ServiceError(
                .failed,
                "cannot put the control socket at \(path): \(String(cString: strerror(errno))).",
                advice: "Its directory must be writable."
            )
        }
        published.withLock { $0 = staged }
        rmdir(directory)
    }

    /// Removes whatever is left, unless another switch has taken the place. Whether anybody answers there would not tell:
    /// our own socket may still be closing.
    func remove() {
        unlink(stagedPath)
        rmdir(directory)
        if let ours = published.withLock({ $0 }), Self.inode(path) == ours { unlink(path) }
    }

    private static func inode(_ path: String) -> ino_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_ino : nil
    }

    /// Whether somebody accepts connections at `path`.
    private static func answers(_ path: String) -> Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }
}
