import CLinux
import FoundationEssentials
import Glibc

/// Starts the switches of a lab's hosts, all at once, and waits until each says `ready` on a pipe of its own.
struct HostStarter {
    private struct Waiting {
        var host: LabRecord.Host
        var pid: Int32
        var descriptor: Int32
        var heard = ""
    }

    /// The descriptor that `sluice run --ready-fd` gets.
    private static let readyDescriptor: Int32 = 3
    private var waiting: [Waiting] = []

    /// Starts one switch: `sluice run` in a session of its own, its output in its log. Answers who it is.
    mutating func start(
        _ host: LabRecord.Host,
        underlayMTU: Int,
        record: LabRecord,
        executable: String
    ) throws(LabError) -> ProcessIdentity {
        try Files.makeDirectory(host.directory)
        let log = "\(host.directory)/sluice.log"
        let output = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard output >= 0 else { throw LabError("cannot write", log, errno) }
        defer { close(output) }
        let input = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard input >= 0 else { throw LabError("cannot open", "/dev/null", errno) }
        defer { close(input) }
        var pipe: [Int32] = [-1, -1]
        let piped = linux_pipe(&pipe, Int32(O_CLOEXEC))
        guard piped == 0 else { throw LabError("cannot make", "a pipe", -piped) }
        defer { close(pipe[1]) }

        var environment = ProcessInfo.processInfo.environment
        environment[LabRecord.environmentKey] = record.id
        let spawn = Spawn(
            path: executable,
            arguments: [
                "sluice", "run", "--host", host.name, "--config", record.file, "--netns", host.namespace,
                "--run-dir", host.directory, "--ready-fd", "\(Self.readyDescriptor)", "--underlay-mtu",
                "\(underlayMTU)",
            ],
            environment: environment,
            // The pipe comes last: the log may have the number that the pipe is to get.
            descriptors: [(input, 0), (output, 1), (output, 2), (pipe[1], Self.readyDescriptor)],
            isDetached: true
        )
        switch spawn.start() {
        case .failure(let error):
            close(pipe[0])
            throw LabError("cannot start \(executable) for host", host.name, error.code)
        case .success(let pid):
            waiting.append(Waiting(host: host, pid: pid, descriptor: pipe[0]))
            // Gone already: the pipe says so below, and there is nothing to record.
            return ProcessIdentity(running: pid) ?? ProcessIdentity(pid: pid, startTime: 0)
        }
    }

    /// Waits for all of them. Throws when one ends before it is ready, with the end of its log; when `seconds` pass;
    /// and when a signal comes.
    mutating func waitUntilReady(
        seconds: Double,
        signals: SignalTrap?,
        report: (String) -> Void
    ) throws(LabError) {
        defer { closeAll() }
        let deadline = Clock.now + seconds
        while !waiting.isEmpty {
            if let caught = signals?.next() { throw LabError("interrupted", signal: caught.signal) }
            let left = deadline - Clock.now
            guard left > 0 else {
                let names = waiting.map(\.host.name).joined(separator: ", ")
                throw LabError(
                    "not ready after \(Int(seconds)) s: \(names)\n" + waiting.map { tail(of: $0.host) }.joined()
                )
            }
            var entries = waiting.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
            if let signals { entries.append(pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0)) }
            poll(&entries, nfds_t(entries.count), Int32(min(left * 1000 + 1, 1000)))
            for i in waiting.indices.reversed() where entries[i].revents != 0 { try hear(i, report) }
        }
    }

    private mutating func hear(_ i: Int, _ report: (String) -> Void) throws(LabError) {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(waiting[i].descriptor, &bytes, bytes.count)
        if count < 0, errno == EINTR { return }
        if count > 0 { waiting[i].heard += String(decoding: bytes[..<count], as: UTF8.self) }
        if waiting[i].heard.contains("ready\n") {
            report("host \(waiting[i].host.name) up")
            close(waiting[i].descriptor)
            waiting.remove(at: i)
        } else if count <= 0 {
            let host = waiting[i].host
            throw LabError("host \(host.name) did not start. The end of its log:\n\(tail(of: host))")
        }
    }

    private func tail(of host: LabRecord.Host) -> String {
        let lines = (Files.text("\(host.directory)/sluice.log") ?? "").split(separator: "\n")
        if lines.isEmpty { return "  (\(host.name) wrote nothing)\n" }
        return lines.suffix(15).map { "  \($0)\n" }.joined()
    }

    private mutating func closeAll() {
        for entry in waiting { close(entry.descriptor) }
        waiting = []
    }
}
