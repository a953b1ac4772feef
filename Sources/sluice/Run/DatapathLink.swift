import CLinux
import Glibc
import Lab
import Rings
import Tables

/// The control process's end of the datapath's socket, and the datapath process behind it.
final class DatapathLink {
    let socket: Int32
    private(set) var pid: Int32 = 0
    /// What the datapath said on its own while an answer was awaited.
    private var news: [Command] = []
    private var nextToken: UInt64 = 1

    private init(socket: Int32) { self.socket = socket }

    deinit { close(socket) }

    /// What a running datapath hands to a new control process.
    struct Inheritance {
        var endpoints: [(command: Command, fds: [Int32])] = []
        /// By number.
        var states: [UInt32: Int32] = [:]
        var workers = 1
        var snapshot: Int32?
        var generation: UInt64 = 0
    }

    /// How long an answer may take: far longer than any order, shorter than anybody's patience.
    private static let patience: Int32 = 10_000

    // MARK: Finding and starting

    /// Starts a datapath that listens at `path`. The listening socket is made here and inherited, so that it can be
    /// connected to at once.
    static func spawn(path: String, pidFile: String, log: String, workers: Int) throws -> DatapathLink {
        let listener = try listen(at: path)
        defer { close(listener) }
        let program = executable()
        let quiet = open("/dev/null", O_RDONLY | O_CLOEXEC)
        let journal = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        defer {
            close(quiet)
            close(journal)
        }
        // A session of its own, so that it outlives this process and its terminal. The backtracer would hold a crashed
        // datapath's descriptors for seconds.
        var environment = ["SWIFT_BACKTRACE": "enable=no"]
        // A lab finds its processes by this name, also those that no file tells of.
        environment[LabRecord.environmentKey] = getenv(LabRecord.environmentKey).map { String(cString: $0) }
        let spawn = Spawn(
            path: program,
            arguments: [program, "--listen", "3", "--pid-file", pidFile, "--workers", "\(workers)"],
            environment: environment,
            descriptors: [(quiet, 0), (journal, 1), (journal, 2), (listener, 3)],
            isDetached: true,
            closesFrom: 4
        )
        let pid: Int32
        switch spawn.start() {
        case .success(let started): pid = started
        case .failure(let error): throw SystemRefusal("start the datapath", program, errno: error.code)
        }
        let link = try connect(to: path)
        link.pid = pid
        return link
    }

    /// Takes over a datapath that is running already; nil when none listens at `path`.
    static func adopt(path: String, pidFile: String) throws -> (DatapathLink, Inheritance)? {
        guard let link = try? connect(to: path) else { return nil }
        guard link.send(Command(Command.Kind.hello)) else { return nil }
        var inheritance = Inheritance()
        var waited: Int32 = 0
        while true {
            guard let (command, fds) = link.receive(timeout: 250) else {
                // It may have been dying when it was connected to: a killed process listens until the last of its
                // packet sockets is closed, which takes the kernel a while.
                if link.isClosed || !isAlive(pidFile) { return nil }
                waited += 250
                if waited < patience { continue }
                throw SystemRefusal("talk to the running datapath", path, errno: ETIMEDOUT)
            }
            switch command.kind {
            case Command.Kind.welcome:
                link.pid = Int32(truncatingIfNeeded: command.value)
                inheritance.generation = command.wide
                inheritance.workers = max(1, Int(command.extra))
            case Command.Kind.endpoint: inheritance.endpoints.append((command, fds))
            case Command.Kind.state: inheritance.states[command.slot] = fds.first
            case Command.Kind.snapshot: inheritance.snapshot = fds.first
            case Command.Kind.done: return (link, inheritance)
            case Command.Kind.refused:
                throw SystemRefusal("take over the running datapath", "it is of another version", errno: EPROTO)
            default: link.news.append(command)
            }
        }
    }

    private static func listen(at path: String) throws -> Int32 {
        let fd = Glibc.socket(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { throw SystemRefusal("make a socket", path, errno: errno) }
        unlink(path)
        let result = withAddress(path) { bind(fd, $0, $1) }
        guard result == 0, chmod(path, 0o600) == 0, Glibc.listen(fd, 4) == 0 else {
            let error = errno
            close(fd)
            throw SystemRefusal("listen", path, errno: error)
        }
        return fd
    }

    private static func connect(to path: String) throws -> DatapathLink {
        let fd = Glibc.socket(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { throw SystemRefusal("make a socket", path, errno: errno) }
        guard withAddress(path, { Glibc.connect(fd, $0, $1) }) == 0 else {
            let error = errno
            close(fd)
            throw SystemRefusal("connect", path, errno: error)
        }
        return DatapathLink(socket: fd)
    }

    private static func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            errno = ENAMETOOLONG
            return -1
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    /// `sluice-datapath` beside this program.
    private static func executable() -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let n = readlink("/proc/self/exe", &buffer, buffer.count)
        let own = String(decoding: buffer.prefix(max(0, n)), as: UTF8.self)
        let directory = own.lastIndex(of: "/").map { own[...$0] } ?? ""
        return directory + "sluice-datapath"
    }

    // MARK: Talking

    /// False when nobody listens any more.
    @discardableResult
    func send(_ command: Command, fds: [Int32] = []) -> Bool {
        withUnsafeBytes(of: command) { bytes in
            fds.withUnsafeBufferPointer {
                linux_send_descriptors(socket, bytes.baseAddress, bytes.count, $0.baseAddress, $0.count) >= 0
            }
        }
    }

    /// Waits until everything said before is in force. Returns what was refused meanwhile.
    func sync() throws -> [Command] {
        let token = nextToken
        nextToken += 1
        send(Command(Command.Kind.sync, wide: token))
        var refused: [Command] = []
        while true {
            guard let (command, _) = receive(timeout: DatapathLink.patience) else {
                throw SystemRefusal("talk to the datapath", "process \(pid)", errno: EPIPE)
            }
            switch command.kind {
            case Command.Kind.done where command.wide == token: return refused
            case Command.Kind.refused: refused.append(command)
            default: news.append(command)
            }
        }
    }

    /// What the datapath said on its own since the last call; nil when it is gone.
    func drain() -> [Command]? {
        while true {
            var item = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            guard poll(&item, 1, 0) > 0 else { break }
            guard let (command, _) = receive(timeout: 0) else { return nil }
            news.append(command)
        }
        defer { news = [] }
        return news
    }

    /// The next message with its descriptors; nil on end of file or when nothing comes in time (milliseconds).
    private func receive(timeout: Int32) -> (Command, [Int32])? {
        var item = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        guard poll(&item, 1, timeout) > 0 else { return nil }
        var command = Command(0)
        let size = MemoryLayout<Command>.size
        var fds = [Int32](repeating: -1, count: Int(LINUX_MAX_DESCRIPTORS))
        var count = Int(LINUX_MAX_DESCRIPTORS)
        let n = withUnsafeMutableBytes(of: &command) { bytes in
            fds.withUnsafeMutableBufferPointer {
                linux_receive_descriptors(socket, bytes.baseAddress, bytes.count, $0.baseAddress, &count, 0)
            }
        }
        guard n == size else { return nil }
        return (command, Array(fds.prefix(count)))
    }

    /// Whether the process of a pid file runs and is not on its way out (PF_EXITING among the flags of proc(5)).
    private static func isAlive(_ pidFile: String) -> Bool {
        guard let pid = try? RunDirectory.readText(pidFile).split(separator: "\n").first,
            let status = try? RunDirectory.readText("/proc/\(pid)/stat"), let name = status.lastIndex(of: ")")
        else { return false }
        let fields = status[name...].split(separator: " ")
        guard fields.count > 7, let flags = UInt64(fields[7]) else { return false }
        return fields[1] != "Z" && fields[1] != "X" && flags & 4 == 0
    }

    /// Whether the other end is gone.
    private var isClosed: Bool {
        var byte: UInt8 = 0
        let n = recv(socket, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        return n == 0 || n < 0 && errno != EAGAIN
    }

    // MARK: Ending

    /// Takes notice of a datapath that has died, if it was our child. Does not wait: the kernel may need a while to
    /// close its packet sockets.
    func reap() {
        Task.detached { [pid] in
            var status: Int32 = 0
            while waitpid(pid, &status, WNOHANG) == 0 { try? await Task.sleep(for: .milliseconds(50)) }
        }
    }

    /// Kills the datapath process and waits until none of its threads runs any more, so that another can take its place.
    func kill() {
        guard pid > 0 else { return }
        Glibc.kill(pid, SIGKILL)
        var item = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        // Its end of the socket closes with the last thread.
        while poll(&item, 1, 2000) > 0, receive(timeout: 0) != nil {}
        reap()
    }

    /// Ends the datapath process.
    func terminate() {
        guard pid > 0 else { return }
        Glibc.kill(pid, SIGTERM)
        var item = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        // Its end of the socket closes when it is gone.
        while poll(&item, 1, 2000) > 0, receive(timeout: 0) != nil {}
        Glibc.kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }
}
