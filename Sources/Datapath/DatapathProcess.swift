import CLinux
import Glibc
import Ports
import Rings
import Tables

/// The whole of `sluice-datapath`: the workers' threads and the control thread.
///
/// It needs no privilege and opens no device: descriptors come from the control process over the listening socket that
/// it inherits. It ignores hang-ups and interrupts, which are meant for the terminal's owner, and ends on SIGTERM.
public enum DatapathProcess {
    /// `arguments`: `--listen FD --pid-file PATH [--workers N]`. Returns only if it cannot start, with the exit code.
    public static func run(arguments: [String]) -> Int32 {
        guard let (listener, pidFile, workers) = parse(arguments) else {
            complain(
                "usage: sluice-datapath --listen FD --pid-file PATH [--workers N]\n"
                    + "Started by `sluice run`, not by hand.\n"
            )
            return 2
        }
        for ignored in [SIGPIPE, SIGHUP, SIGINT] { signal(ignored, SIG_IGN) }
        // The control process ignores this one while it waits for it by other means, and what is ignored is inherited.
        signal(SIGTERM, SIG_DFL)
        writePID(to: pidFile)
        var mailboxes: [Mailbox] = []
        guard let ends = Exchange.make(workers: workers) else { return refuse() }
        for end in ends {
            guard let mailbox = start(end) else { return refuse() }
            mailboxes.append(mailbox)
        }
        let control = UnsafeMutablePointer<ControlThread>.allocate(capacity: 1)
        control.initialize(to: ControlThread(listener: listener, mailboxes: mailboxes))
        control.pointee.run()
    }

    /// What a worker's thread begins with.
    private struct Start {
        var state: StateRegion
        var epoll: Int32
        var mailbox: Mailbox
        var exchange: Exchange
    }

    /// Starts a worker. Nil when the system refuses.
    private static func start(_ exchange: Exchange) -> Mailbox? {
        let epoll = linux_epoll_create()
        guard let mailbox = Mailbox(), let state = Beginning.state(), epoll >= 0,
            linux_epoll_add(epoll, mailbox.wake, UInt32(LINUX_EPOLLIN), Worker.wakeToken) >= 0,
            exchange.isAlone
                || linux_epoll_add(epoll, exchange.wake, UInt32(LINUX_EPOLLIN), Worker.newsToken) >= 0
        else { return nil }
        let start = UnsafeMutablePointer<Start>.allocate(capacity: 1)
        start.initialize(to: Start(state: state, epoll: epoll, mailbox: mailbox, exchange: exchange))
        var thread = pthread_t()
        let failure = pthread_create(
            &thread,
            nil,
            { argument in
                // Made on its own thread, so that it shares no cache line with another worker.
                let start = argument!.assumingMemoryBound(to: Start.self).pointee
                let worker = UnsafeMutablePointer<Worker>.allocate(capacity: 1)
                worker.initialize(
                    to: Worker(
                        snapshot: Beginning.snapshot(),
                        state: start.state,
                        epoll: start.epoll,
                        mailbox: start.mailbox,
                        exchange: start.exchange
                    )
                )
                worker.pointee.run()
                return nil
            },
            start
        )
        errno = failure
        return failure == 0 ? mailbox : nil
    }

    private static func refuse() -> Int32 {
        let reason = String(cString: strerror(errno))
        complain("sluice-datapath: the system refuses memory, descriptors or threads: \(reason)\n")
        return 1
    }

    /// As many as a file may ask for.
    private static let mostWorkers = 16

    private static func parse(_ arguments: [String]) -> (listener: Int32, pidFile: String, workers: Int)? {
        var listener: Int32?
        var workers: Int? = 1
        var pidFile: String?
        var i = 0
        while i + 1 < arguments.count {
            switch arguments[i] {
            case "--listen": listener = Int32(arguments[i + 1])
            case "--pid-file": pidFile = arguments[i + 1]
            case "--workers": workers = Int(arguments[i + 1])
            default: return nil
            }
            i += 2
        }
        guard i == arguments.count, let listener, let pidFile, let workers, (1...mostWorkers).contains(workers) else {
            return nil
        }
        return (listener, pidFile, workers)
    }

    /// Two lines: the process id and its start time from /proc, so that nobody signals a stranger with a reused id.
    private static func writePID(to path: String) {
        var buffer = [UInt8](repeating: 0, count: 1024)
        let status = open("/proc/self/stat", O_RDONLY | O_CLOEXEC)
        let n = read(status, &buffer, buffer.count)
        close(status)
        // Fields after the command's closing parenthesis start with number 3; the start time is number 22.
        let text = String(decoding: buffer.prefix(max(0, n)), as: UTF8.self)
        let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
        let start = fields.count > 20 ? fields[20] : "0"
        let fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard fd >= 0 else { return complain("sluice-datapath: cannot write \(path)\n") }
        let line = Array("\(getpid())\n\(start)\n".utf8)
        _ = write(fd, line, line.count)
        close(fd)
    }

    private static func complain(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(2, bytes, bytes.count)
    }
}
