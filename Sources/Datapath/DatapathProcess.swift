import CLinux
import Glibc
import Ports
import Rings
import Tables

/// The whole of `sluice-datapath`: one worker thread and the control thread.
///
/// It needs no privilege and opens no device: descriptors come from the control process over the listening socket that
/// it inherits. It ignores hang-ups and interrupts, which are meant for the terminal's owner, and ends on SIGTERM.
public enum DatapathProcess {
    /// `arguments`: `--listen FD --pid-file PATH`. Returns only if it cannot start, with the exit code.
    public static func run(arguments: [String]) -> Int32 {
        guard let (listener, pidFile) = parse(arguments) else {
            complain("usage: sluice-datapath --listen FD --pid-file PATH\nStarted by `sluice run`, not by hand.\n")
            return 2
        }
        for ignored in [SIGPIPE, SIGHUP, SIGINT] { signal(ignored, SIG_IGN) }
        // The control process ignores this one while it waits for it by other means, and what is ignored is inherited.
        signal(SIGTERM, SIG_DFL)
        writePID(to: pidFile)
        let epoll = linux_epoll_create()
        guard let mailbox = Mailbox(), let state = Beginning.state(), epoll >= 0,
            linux_epoll_add(epoll, mailbox.wake, UInt32(LINUX_EPOLLIN), Worker.wakeToken) >= 0
        else {
            complain("sluice-datapath: the system refuses memory or descriptors: \(String(cString: strerror(errno)))\n")
            return 1
        }
        let worker = UnsafeMutablePointer<Worker>.allocate(capacity: 1)
        worker.initialize(to: Worker(snapshot: Beginning.snapshot(), state: state, epoll: epoll, mailbox: mailbox))
        var thread = pthread_t()
        let failure = pthread_create(
            &thread,
            nil,
            { argument in
                argument!.assumingMemoryBound(to: Worker.self).pointee.run()
                return nil
            },
            worker
        )
        guard failure == 0 else {
            complain("sluice-datapath: cannot start a thread: \(String(cString: strerror(failure)))\n")
            return 1
        }
        let control = UnsafeMutablePointer<ControlThread>.allocate(capacity: 1)
        control.initialize(to: ControlThread(listener: listener, mailbox: mailbox))
        control.pointee.run()
    }

    private static func parse(_ arguments: [String]) -> (Int32, String)? {
        var listener: Int32?
        var pidFile: String?
        var i = 0
        while i + 1 < arguments.count {
            switch arguments[i] {
            case "--listen": listener = Int32(arguments[i + 1])
            case "--pid-file": pidFile = arguments[i + 1]
            default: return nil
            }
            i += 2
        }
        guard i == arguments.count, let listener, let pidFile else { return nil }
        return (listener, pidFile)
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
