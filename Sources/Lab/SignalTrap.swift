import CLinux
import Glibc

/// Where the handler writes; -1 without a trap. A plain integer, so that the handler touches nothing that could lock.
nonisolated(unsafe) private var trapDescriptor: Int32 = -1

/// Turns signals into bytes on a pipe, so that a lab is taken down in order and not in a handler. Handlers are the
/// process's, whatever threads there are. One at a time; the old handlers come back with `stop` or at the end.
public final class SignalTrap {
    /// One caught signal.
    public struct Caught: Hashable, Sendable {
        public var signal: Int32
        /// Sent with kill(2), and to us alone perhaps; a terminal's ^C reaches everyone in the foreground by itself.
        public var isFromProcess: Bool
    }

    /// Readable when a signal came.
    public let descriptor: Int32
    private let writer: Int32
    private var previous: [(signal: Int32, action: sigaction)] = []

    /// Catches SIGINT, SIGTERM, SIGHUP and SIGQUIT, except those that the caller's parent chose to ignore (nohup),
    /// and SIGCHLD, so that `wait` ends when a child does.
    public init() throws(LabError) {
        var ends: [Int32] = [-1, -1]
        let result = linux_pipe(&ends, Int32(O_CLOEXEC | O_NONBLOCK))
        guard result == 0 else { throw LabError("cannot make", "a pipe", -result) }
        descriptor = ends[0]
        writer = ends[1]
        trapDescriptor = writer
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD] {
            var old = sigaction()
            sigaction(signal, nil, &old)
            if signal != SIGCHLD, isIgnored(old) { continue }
            var action = sigaction()
            action.sa_flags = SA_SIGINFO | SA_RESTART
            action.__sigaction_handler.sa_sigaction = { signal, information, _ in
                let code = errno
                var bytes = (UInt8(truncatingIfNeeded: signal), UInt8((information?.pointee.si_code ?? 0) <= 0 ? 1 : 0))
                _ = write(trapDescriptor, &bytes, 2)
                errno = code
            }
            sigaction(signal, &action, nil)
            previous.append((signal, old))
        }
    }

    deinit { stop() }

    /// Puts the old handlers back.
    public func stop() {
        guard !previous.isEmpty else { return }
        for (signal, action) in previous {
            var action = action
            sigaction(signal, &action, nil)
        }
        previous = []
        trapDescriptor = -1
        close(descriptor)
        close(writer)
    }

    /// The next signal that asks us to end, without waiting.
    public func next() -> Caught? {
        var bytes: (UInt8, UInt8) = (0, 0)
        while read(descriptor, &bytes, 2) == 2 {
            if Int32(bytes.0) != SIGCHLD { return Caught(signal: Int32(bytes.0), isFromProcess: bytes.1 == 1) }
        }
        return nil
    }

    /// Waits until a signal comes, SIGCHLD included, or the time is over (milliseconds, -1: for ever).
    public func wait(milliseconds: Int32) {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        poll(&entry, 1, milliseconds)
    }
}

private func isIgnored(_ action: sigaction) -> Bool {
    unsafeBitCast(action.__sigaction_handler.sa_handler, to: UInt.self) == 1
}
