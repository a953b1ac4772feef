import CLinux
import Glibc
import Netlink
import Testing

/// A network namespace of the test's own, gone with it.
struct Bench {
    let namespace: NetworkNamespace
    let netlink: Netlink

    /// Without privileges this throws, and the test fails with the sentence that says how to get them.
    init() throws {
        namespace = try .anonymous()
        netlink = try Netlink(in: namespace)
    }

    func index(_ name: String) throws -> Int32 { try #require(try netlink.link(named: name)).index }
}

/// Waits until `monitor` has told all that `isEnough` asks for, for at most two seconds.
func events(of monitor: LinkMonitor, until isEnough: ([LinkEvent]) -> Bool) -> [LinkEvent] {
    var all: [LinkEvent] = []
    for _ in 0..<200 {
        all += monitor.drain()
        if isEnough(all) { break }
        var descriptor = pollfd(fd: monitor.descriptor, events: Int16(POLLIN), revents: 0)
        poll(&descriptor, 1, 10)
    }
    return all
}

/// Runs `body` on a thread with a mount namespace of its own and an empty /run, so that names made there are seen by
/// nobody else and vanish with the thread.
func withPrivateRun(_ body: @escaping @Sendable () throws -> Void) throws {
    final class Outcome: @unchecked Sendable {
        var error: (any Error)?
        let body: @Sendable () throws -> Void
        init(_ body: @escaping @Sendable () throws -> Void) { self.body = body }

        func run() {
            do {
                try check(linux_unshare(Int32(LINUX_CLONE_NEWNS)), "unshare the mount namespace")
                try check(
                    linux_mount("none", "/", nil, UInt(LINUX_MS_REC | LINUX_MS_PRIVATE), nil),
                    "make mounts private"
                )
                try check(linux_mount("tmpfs", "/run", "tmpfs", 0, nil), "mount a tmpfs on /run")
                try body()
            } catch {
                self.error = error
            }
        }

        private func check(_ result: Int32, _ operation: String) throws {
            guard result == 0 else { throw NetlinkError(operation, "", errno: -result) }
        }
    }
    let outcome = Outcome(body)
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(outcome)
    let result = pthread_create(
        &thread,
        nil,
        { raw in
            Unmanaged<Outcome>.fromOpaque(raw!).takeRetainedValue().run()
            return nil
        },
        argument.toOpaque()
    )
    try #require(result == 0)
    pthread_join(thread, nil)
    if let error = outcome.error { throw error }
}
