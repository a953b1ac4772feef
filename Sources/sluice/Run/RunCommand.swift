import API
import ArgumentParser
import CLinux
import Client
import Control
import Dispatch
import Foundation
import Glibc
import Logging
import Model
import Synchronization
import Wire

/// `sluice run`: the switch of one host, in the foreground.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run the switch of one host, in the foreground.",
        discussion: """
            Makes the host's part of the file real, forwards its frames, and serves the other commands on a socket in \
            the run directory. SIGINT and SIGTERM end the switch and remove what it made; SIGHUP reads the file again. \
            If this process is killed the frames still flow: started again with the same run directory it takes over \
            the running datapath, with the configuration that was applied last.

            Example: sluice run --host h1 --config cloud.yaml
            """
    )

    @Option(help: "The host of the file that this machine is.")
    var host: String

    @Option(help: "The file that describes the cloud.")
    var config: String

    @Option(help: "The network namespace that plays the host, a name or a path; default: the current one.")
    var netns: String?

    @Option(help: "The directory for sockets and process ids; default: HOST under the base directory.")
    var runDir: String?

    @Option(help: "A descriptor to write `ready` to when every port is up.")
    var readyFd: Int32?

    @Option(help: "The MTU of the underlay in bytes; default: that of the device with the VTEP's address.")
    var underlayMtu: Int?

    mutating func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        var logger = Logger(label: "sluice") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .notice
        if let level = getenv("SLUICE_LOG").map({ String(cString: $0) }).flatMap(Logger.Level.init(rawValue:)) {
            logger.logLevel = level
        }
        let first: FirstFile
        do {
            first = FirstFile(try TopologyFile(text: try RunDirectory.readText(config), name: config))
        } catch let error as TopologyError {
            throw CommandFailure("\(error)")
        }
        guard let named = first.hosts.first(where: { $0.name == host }) else {
            let names = first.hosts.map(\.name).joined(separator: ", ")
            throw CommandFailure("\(config): there is no host \(host); the file has \(names)")
        }
        let directory = try RunDirectory(
            path: runDir ?? ControlSocket.base(environment: ProcessInfo.processInfo.environment) + "/\(host)"
        )
        let lock = try directory.lock()
        defer { lock.release() }
        try directory.writeControlPID()

        let main: Switch
        do {
            main = try Switch(
                settings: .init(
                    host: host,
                    runDirectory: directory.path,
                    namespace: netns,
                    underlayMTU: underlayMtu,
                    version: Sluice.version
                ),
                logger: logger
            )
        } catch {
            throw CommandFailure("\(named.mark.problem("\(error)"))")
        }
        try await serve(main, directory, first, named.workers, logger)
    }

    /// Brings the switch up and runs it until it is told to end.
    private func serve(
        _ main: Switch,
        _ directory: RunDirectory,
        _ first: FirstFile,
        _ workers: Int,
        _ logger: Logger
    ) async throws {
        let signals = SignalStream([SIGINT, SIGTERM, SIGHUP])
        do {
            if try await main.begin(workers: workers) {
                await main.resume(first)
            } else {
                let result = try await main.begin(first)
                for warning in result.warnings { logger.warning("\(warning.path): \(warning.message)") }
            }
        } catch {
            await main.end()
            throw CommandFailure("\(error)")
        }
        let server = APIServer(service: main, socketPath: directory.path + "/api.sock", logger: logger)
        let config = config
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [readyFd] in try await server.run { RunCommand.announce(readyFd) } }
            group.addTask { await main.watch() }
            group.addTask { [stream = signals.stream] in
                for await number in stream {
                    guard number == SIGHUP else { return }
                    await main.reload(config)
                }
            }
            // The signal task ends on SIGINT or SIGTERM, the others only when something is badly wrong.
            try await group.next()
            group.cancelAll()
            await main.end()
        }
        directory.removeIfEmpty()
        withExtendedLifetime(signals) {}
    }

    /// Tells whoever started this process that ports are up and commands are served.
    private static func announce(_ descriptor: Int32?) {
        guard let descriptor else { return }
        _ = Glibc.write(descriptor, "ready\n", 6)
        close(descriptor)
    }
}

/// The file that a switch starts with, until it takes it. Nobody holds it longer: it may be large.
final class FirstFile: Sendable {
    private let file: Mutex<TopologyFile?>
    let hosts: [Model.Host]

    init(_ file: TopologyFile) {
        hosts = file.topology.hosts
        self.file = Mutex(file)
    }

    func take() -> TopologyFile? { file.withLock { $0.take() } }
}

extension Switch {
    /// Brings up what the first file says.
    func begin(_ first: FirstFile) throws -> ApplyResult {
        defer { linux_trim_memory() }
        guard let file = first.take() else { return ApplyResult(changes: [], applied: false) }
        return try commit(file)
    }

    /// Reads the file again; a wrong one is reported and changes nothing.
    func reload(_ path: String) {
        do {
            _ = try apply(text: try readFile(path), file: path, dryRun: false)
            logger.notice("applied \(path) again")
        } catch {
            logger.error("\(error)")
        }
    }
}

/// Signals as elements of a stream, in place of their default action.
private final class SignalStream {
    let stream: AsyncStream<Int32>
    private let sources: [any DispatchSourceSignal]

    init(_ numbers: [Int32]) {
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
        self.stream = stream
        sources = numbers.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { continuation.yield(number) }
            source.resume()
            return source
        }
    }
}
