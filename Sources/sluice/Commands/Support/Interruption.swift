import Dispatch
import Glibc

/// Runs `body` until it is done or somebody interrupts (Ctrl-C, `kill`, the terminal closing): then its task is
/// cancelled, so that it can end what it writes cleanly. A second interruption ends the process at once.
func untilInterrupted(_ body: @escaping @Sendable () async throws -> Void) async throws {
    let task = Task { try await body() }
    let queue = DispatchQueue(label: "signals")
    var sources: [any DispatchSourceSignal] = []
    for number in [SIGINT, SIGTERM, SIGHUP] {
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
        source.setEventHandler {
            if task.isCancelled { _exit(128 + number) }
            task.cancel()
        }
        source.resume()
        sources.append(source)
    }
    defer { for source in sources { source.cancel() } }
    try await task.value
}
