import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import Synchronization

/// The switch's API: HTTP/1.1 with JSON on a Unix socket. See `Routes` for what it answers.
///
/// Nobody who talks to it can hurt the switch: bodies are bounded, a request must arrive and a response must be taken
/// within a deadline, idle connections are closed, and there are at most `Limits.connections` of them.
public struct APIServer: Sendable {
    /// How much of anybody's patience and memory a client may take.
    public struct Limits: Sendable {
        /// Connections served at a time; more wait in the socket's queue.
        public var connections = 64
        /// Bytes of a topology file.
        public var applyBody = 64 << 20
        /// Bytes of any other request.
        public var body = 1 << 20
        /// Until a connection without a request, or with half of one, is closed.
        public var idle: Duration = .seconds(30)
        /// Until a request's body must be complete.
        public var request: Duration = .seconds(60)
        /// How long a client may take nothing of what is ready for it.
        public var stall: Duration = .seconds(30)

        public init() {}
    }

    private let service: any SwitchService
    private let socketPath: String
    private let limits: Limits
    private let logger: Logger

    /// `socketPath` is a name in an existing directory, at most 100 bytes long.
    public init(service: any SwitchService, socketPath: String, limits: Limits = Limits(), logger: Logger) {
        self.service = service
        self.socketPath = socketPath
        self.limits = limits
        self.logger = logger
    }

    /// Serves until its task is cancelled, then removes the socket. Throws `ServiceError` if another switch answers at
    /// the socket or the socket cannot be made.
    public func run() async throws {
        let socket = try SocketFile(path: socketPath)
        let failure = Mutex<(any Error)?>(nil)
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let limits = limits
        let logger = logger
        let application = Application(
            router: Routes(service: service, limits: limits, logger: logger).router(),
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [StalledWriteHandler(limit: .init(limits.stall))],
                    idleTimeout: .init(limits.idle))),
            configuration: .init(
                address: .unixDomainSocket(path: socket.stagedPath),
                availableConnectionsDelegate: MaximumAvailableConnections(limits.connections)),
            onServerRunning: { channel in
                do {
                    try socket.publish()
                    logger.info("API ready", metadata: ["socket": "\(socket.path)"])
                } catch {
                    failure.withLock { $0 = error }
                    channel.close(promise: nil)
                }
            },
            logger: quiet)
        defer { socket.remove() }
        do {
            try await application.run()
        } catch {
            if let reason = failure.withLock({ $0 }) { throw reason }
            if Task.isCancelled { return }
            throw error
        }
    }
}
