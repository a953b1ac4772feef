import CLinux
import Glibc
import Ports
import Rings
import Tables

/// What the control thread asks of the worker, one thing at a time.
struct Order {
    var command: Command
    /// For `endpoint`: how to read and write it.
    var port = PortIO()
    /// For `snapshot`, `state`, `capture`: the thing itself, in memory of the control thread.
    var pointer: UnsafeMutableRawPointer?
    /// For `capture`: bytes of memory there.
    var size = 0
}

/// The one place where the control thread and a worker meet: a single order and its answer. The control thread waits
/// for the answer, the worker never waits: it looks here only when `wake` says so, between two bursts.
///
/// The worker's own news (an endpoint that failed) goes the other way through a pipe of whole `Command` records; when
/// nobody reads it the news is dropped, never the loop blocked.
struct Mailbox {
    let order: UnsafeMutablePointer<Order>
    /// 0 for success, else a negative errno.
    let answer: UnsafeMutablePointer<Int32>
    let wake: Int32
    let answered: Int32
    let newsRead: Int32
    let newsWrite: Int32

    init?() {
        order = .allocate(capacity: 1)
        order.initialize(to: Order(command: Command(0)))
        answer = .allocate(capacity: 1)
        answer.initialize(to: 0)
        wake = linux_eventfd()
        answered = linux_eventfd()
        var ends: [Int32] = [-1, -1]
        let made = linux_pipe(&ends, O_CLOEXEC | O_NONBLOCK)
        (newsRead, newsWrite) = (ends[0], ends[1])
        guard wake >= 0, answered >= 0, made == 0 else { return nil }
    }

    var descriptors: [Int32] { [wake, answered, newsRead, newsWrite] }

    /// Control thread: hands over an order and waits until it is carried out. The event descriptors are the memory
    /// barriers.
    func perform(_ new: Order) -> Int32 {
        order.pointee = new
        _ = linux_eventfd_signal(wake)
        var item = pollfd(fd: answered, events: Int16(POLLIN), revents: 0)
        while linux_eventfd_clear(answered) < 0 { poll(&item, 1, -1) }
        return answer.pointee
    }

    /// Worker: the order is done.
    func reply(_ result: Int32) {
        answer.pointee = result
        _ = linux_eventfd_signal(answered)
    }

    /// Worker: something happened that the control process should know.
    func tell(_ news: Command) {
        withUnsafeBytes(of: news) { _ = linux_write(newsWrite, $0.baseAddress, $0.count) }
    }
}
