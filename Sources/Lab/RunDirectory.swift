import FoundationEssentials
import Glibc

/// Where running switches and labs keep their sockets, logs, pid files and records.
///
/// ```
/// BASE/labs/LAB/record.json        what the lab made
/// BASE/labs/LAB/HOST/              one switch: sockets, sluice.log, control.pid, datapath.pid
/// ```
public struct RunDirectory: Sendable, Hashable {
    public var base: String
    /// Names of sockets that the switches make below a host's directory are at most this long.
    static let longestSocketName = 20
    /// `sockaddr_un` has 108 bytes; some clients count fewer.
    static let longestSocketPath = 100

    public init(base: String) { self.base = base }

    /// `$SLUICE_RUN_DIR`, else /run/sluice where we may write, else `$XDG_RUNTIME_DIR/sluice`, else /tmp/sluice-UID.
    /// Makes nothing.
    public static func standard(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> RunDirectory {
        if let given = environment["SLUICE_RUN_DIR"], !given.isEmpty {
            return RunDirectory(base: Files.absolute(given))
        }
        if isUsable("/run/sluice") { return RunDirectory(base: "/run/sluice") }
        if let runtime = environment["XDG_RUNTIME_DIR"], runtime.hasPrefix("/"), isUsable("\(runtime)/sluice") {
            return RunDirectory(base: "\(runtime)/sluice")
        }
        return RunDirectory(base: lastResort)
    }

    private static var lastResort: String { "/tmp/sluice-\(getuid())" }

    /// Makes the base. Everyone may write to /tmp, so somebody else's directory of our name is refused there.
    func make() throws(LabError) {
        try Files.makeDirectory(base, mode: base == "/run/sluice" ? 0o755 : 0o700)
        var status = stat()
        guard base == Self.lastResort else { return }
        guard lstat(base, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == getuid() else {
            throw LabError("cannot use \(base): it belongs to someone else. Set SLUICE_RUN_DIR to a directory of yours")
        }
    }

    /// A lab's directory.
    public func lab(_ lab: String) -> String { "\(base)/labs/\(lab)" }

    /// A host's directory: where its switch keeps its sockets.
    public func host(_ host: String, lab: String) -> String {
        "\(self.lab(lab))/\(LabNames.shortened(host, to: LabNames.longest))"
    }

    func record(_ lab: String) -> String { "\(self.lab(lab))/record.json" }

    /// The labs that have a directory here.
    public var labs: [String] { Files.list("\(base)/labs").sorted() }

    /// Refuses a base that is too long for sockets below it.
    func check(lab: String, hosts: [String]) throws(LabError) {
        for host in hosts {
            let length = self.host(host, lab: lab).utf8.count + 1 + Self.longestSocketName
            guard length < Self.longestSocketPath else {
                throw LabError(
                    "\(base) is too long for the sockets below it (\(length) bytes, at most "
                        + "\(Self.longestSocketPath - 1)). Set SLUICE_RUN_DIR to a shorter path"
                )
            }
        }
    }

    /// Whether we may write there, or make it.
    private static func isUsable(_ path: String) -> Bool {
        if access(path, W_OK | X_OK) == 0 { return true }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/") else { return false }
        return access(String(path[..<slash]), W_OK | X_OK) == 0
    }
}

/// Holds a lab's directory against a second `up` or `down` at the same time. Ends with the process, however it ends.
final class LabLock {
    private let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Locks the directory, which it makes when `create` is set; nil when there is none. Waits up to `patience`
    /// seconds for whoever holds it.
    static func take(_ path: String, create: Bool, patience: Double = 0) throws(LabError) -> LabLock? {
        let deadline = Clock.now + patience
        while true {
            if create { try Files.makeDirectory(path) }
            let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard descriptor >= 0 else {
                if errno == ENOENT { if create { continue } else { return nil } }
                throw LabError("cannot open", path, errno)
            }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                close(descriptor)
                if Clock.now < deadline {
                    usleep(20_000)
                    continue
                }
                throw LabError("another `sluice lab` is at work on \(path); wait for it, or end it first")
            }
            // The one who held it before may have removed the directory; the lock then says nothing.
            var locked = stat()
            var named = stat()
            if fstat(descriptor, &locked) == 0, stat(path, &named) == 0, locked.st_ino == named.st_ino,
                locked.st_dev == named.st_dev
            {
                return LabLock(descriptor)
            }
            close(descriptor)
        }
    }
}
