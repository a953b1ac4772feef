import Glibc

/// Where one switch keeps its sockets, process ids and the file that is in force.
struct RunDirectory {
    let path: String

    /// Makes the directory, for its owner only.
    init(path: String) throws {
        self.path = path
        var made = ""
        for part in path.split(separator: "/", omittingEmptySubsequences: true) {
            made += (made.isEmpty && !path.hasPrefix("/") ? "" : "/") + part
            if mkdir(made, 0o755) != 0, errno != EEXIST {
                throw CommandFailure("cannot make the run directory \(path): \(String(cString: strerror(errno)))")
            }
        }
        chmod(path, 0o700)
    }

    /// One control process for a run directory.
    struct Lock {
        fileprivate let fd: Int32

        func release() { close(fd) }
    }

    func lock() throws -> Lock {
        let fd = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard fd >= 0 else {
            throw CommandFailure("cannot open \(path)/lock: \(String(cString: strerror(errno)))")
        }
        guard flock(fd, LOCK_EX | LOCK_NB) == 0 else {
            close(fd)
            throw CommandFailure("another `sluice run` uses \(path); end it first, or give another --run-dir")
        }
        return Lock(fd: fd)
    }

    /// Process id and start time, as in `/proc/PID/stat`.
    func writeControlPID() throws {
        let status = try RunDirectory.readText("/proc/self/stat")
        let fields = status[(status.lastIndex(of: ")") ?? status.startIndex)...].split(separator: " ")
        let text = "\(getpid())\n\(fields.count > 20 ? fields[20] : "0")\n"
        let fd = open("\(path)/control.pid", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard fd >= 0, write(fd, text, text.utf8.count) == text.utf8.count else {
            throw CommandFailure("cannot write \(path)/control.pid: \(String(cString: strerror(errno)))")
        }
        close(fd)
    }

    func removeIfEmpty() {
        for name in ["lock", "datapath.log"] { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    static func readText(_ path: String) throws -> String {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { throw CommandFailure("\(path): cannot be read: \(String(cString: strerror(errno)))") }
        defer { close(fd) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let n = read(fd, &chunk, chunk.count)
            guard n >= 0 else {
                throw CommandFailure("\(path): cannot be read: \(String(cString: strerror(errno)))")
            }
            if n == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk.prefix(n)
        }
    }
}
