import CLinux
import Glibc

/// Turns readable descriptors into elements of a stream, on a thread of its own. A descriptor reports once and is then
/// silent until it is armed again, so that a slow consumer is never flooded.
final class EventPump: Sendable {
    let events: AsyncStream<Int32>
    private let continuation: AsyncStream<Int32>.Continuation
    private let epoll: Int32

    init() throws {
        let epoll = linux_epoll_create()
        guard epoll >= 0 else { throw SystemRefusal("wait for events", "epoll", errno: -epoll) }
        self.epoll = epoll
        let (events, continuation) = AsyncStream.makeStream(of: Int32.self)
        self.events = events
        self.continuation = continuation
        let thread = Thread { EventPump.pump(epoll, continuation) }
        guard thread.start() else { throw SystemRefusal("start a thread", "event pump", errno: EAGAIN) }
    }

    func watch(_ fd: Int32) { change(EPOLL_CTL_ADD, fd) }

    func arm(_ fd: Int32) { change(EPOLL_CTL_MOD, fd) }

    /// Must come before the descriptor is closed.
    func forget(_ fd: Int32) { change(EPOLL_CTL_DEL, fd) }

    /// Hands over something that did not come from a descriptor; negative, so that it is told apart.
    func post(_ event: Int32) { continuation.yield(event) }

    private func change(_ operation: Int32, _ fd: Int32) {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | EPOLLONESHOT.rawValue
        event.data.fd = fd
        _ = epoll_ctl(epoll, operation, fd, &event)
    }

    private static func pump(_ epoll: Int32, _ continuation: AsyncStream<Int32>.Continuation) {
        var ready = [epoll_event](repeating: epoll_event(), count: 64)
        while true {
            let n = epoll_wait(epoll, &ready, Int32(ready.count), -1)
            guard n >= 0 || errno == EINTR else { return continuation.finish() }
            for i in 0..<max(0, Int(n)) { continuation.yield(ready[i].data.fd) }
        }
    }
}

/// A detached POSIX thread.
private struct Thread {
    private final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    private let box: Box

    init(_ body: @escaping @Sendable () -> Void) { box = Box(body) }

    func start() -> Bool {
        var thread = pthread_t()
        let made = pthread_create(
            &thread,
            nil,
            { argument in
                Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
                return nil
            },
            Unmanaged.passRetained(box).toOpaque()
        )
        if made == 0 { pthread_detach(thread) }
        return made == 0
    }
}
