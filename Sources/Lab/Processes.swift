import CLinux
import Glibc
import Netlink

/// A process that a pid alone does not name: pids are given out again, a pid with its start time is not.
public struct ProcessIdentity: Hashable, Sendable, Codable {
    public var pid: Int32
    /// In clock ticks since boot: field 22 of /proc/PID/stat (proc(5)).
    public var startTime: UInt64

    public init(pid: Int32, startTime: UInt64) {
        self.pid = pid
        self.startTime = startTime
    }

    /// The process that has that pid now; nil when there is none, or only a zombie waiting for its parent.
    public init?(running pid: Int32) {
        guard let fields = Self.status(of: pid), fields.count > 19, fields[0] != "Z", fields[0] != "X",
            let startTime = UInt64(fields[19])
        else { return nil }
        self.init(pid: pid, startTime: startTime)
    }

    /// The two lines of a pid file: decimal pid, start time. A file without the second line is not trusted.
    public init?(pidFile path: String) {
        let lines = Files.text(path)?.split(separator: "\n") ?? []
        guard lines.count >= 2, let pid = Int32(lines[0]), pid > 1, let startTime = UInt64(lines[1]) else { return nil }
        self.init(pid: pid, startTime: startTime)
    }

    /// What a pid file of this process holds.
    public var pidFileText: String { "\(pid)\n\(startTime)\n" }

    public var isRunning: Bool { ProcessIdentity(running: pid) == self }

    /// Sends a signal to this very process; false when it is gone or not ours to signal.
    @discardableResult
    public func send(_ signal: Int32) -> Bool {
        let descriptor = linux_pidfd_open(pid)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        // Whoever the handle means cannot change any more, so this comparison holds until the signal is sent.
        guard isRunning else { return false }
        return linux_pidfd_send_signal(descriptor, signal) == 0
    }

    /// Its name as `ps` shows it; empty when it is gone.
    public var name: String {
        Files.text("/proc/\(pid)/comm").map { String($0.split(separator: "\n").first ?? "") } ?? ""
    }

    /// The fields of /proc/PID/stat after the name, which may itself hold spaces and parentheses.
    private static func status(of pid: Int32) -> [Substring]? {
        guard let text = Files.text("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        return text[text.index(after: end)...].split(separator: " ")
    }

    static func parent(of pid: Int32) -> Int32? {
        status(of: pid).flatMap { $0.count > 1 ? Int32($0[1]) : nil }
    }
}

/// Looking for processes and ending them.
enum Processes {
    static var all: [Int32] { Files.list("/proc").compactMap { Int32($0) } }

    /// This process and those it descends from: `lab exec h1 -- sluice lab down FILE` must not end itself.
    static func ourselves() -> Set<Int32> {
        var pids: Set<Int32> = []
        var next: Int32? = getpid()
        while let pid = next, pid > 0, pids.insert(pid).inserted { next = ProcessIdentity.parent(of: pid) }
        return pids
    }

    /// Processes inside one of these network namespaces.
    static func inside(_ namespaces: Set<NamespaceIdentity>) -> Set<ProcessIdentity> {
        let ours = ourselves()
        return Set(
            all.compactMap { pid in
                guard !ours.contains(pid), let identity = NamespaceIdentity(path: "/proc/\(pid)/ns/net"),
                    namespaces.contains(identity)
                else { return nil }
                return ProcessIdentity(running: pid)
            }
        )
    }

    /// Processes started with this entry (`NAME=VALUE`) in their environment, and their children that kept it.
    static func withEnvironment(_ entry: String) -> Set<ProcessIdentity> {
        let ours = ourselves()
        let wanted = Array(entry.utf8)
        return Set(
            all.compactMap { pid in
                guard !ours.contains(pid), let bytes = Files.read("/proc/\(pid)/environ"),
                    bytes.split(separator: 0).contains(where: { $0.elementsEqual(wanted) })
                else { return nil }
                return ProcessIdentity(running: pid)
            }
        )
    }

    /// Asks with SIGTERM, waits up to `grace` seconds, then does not ask any more. Answers who is still there.
    static func end(_ processes: Set<ProcessIdentity>, grace: Double) -> Set<ProcessIdentity> {
        var left = processes.filter { $0.send(SIGTERM) || $0.isRunning }
        left = wait(for: left, seconds: grace)
        for process in left { process.send(SIGKILL) }
        return wait(for: left, seconds: 2)
    }

    /// Waits until they are gone; answers those that are not.
    static func wait(for processes: Set<ProcessIdentity>, seconds: Double) -> Set<ProcessIdentity> {
        var left = processes
        let deadline = Clock.now + seconds
        while true {
            // Our own children stay as zombies until somebody asks for their status.
            for process in left { waitpid(process.pid, nil, WNOHANG) }
            left = left.filter(\.isRunning)
            if left.isEmpty || Clock.now >= deadline { return left }
            usleep(5000)
        }
    }
}

/// Seconds of the monotonic clock.
enum Clock {
    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
