import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
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

    /// How long requests that are under way when the switch ends may take.
    private static let grace: Duration = .milliseconds(500)

    /// Serves until its task is cancelled, then removes the socket; `ready` is called once clients can connect. Throws
    /// `ServiceError` if another switch answers at the socket or the socket cannot be made.
    public func run(ready: @escaping @Sendable () -> Void = {}) async throws {
        let socket = try SocketFile(path: socketPath)
        defer { socket.remove() }
        let failure = Mutex<(any Error)?>(nil)
        let logger = logger
        let server = server(on: socket) { channel in
            do {
                try socket.publish()
                logger.info("API ready", metadata: ["socket": "\(socket.path)"])
                ready()
            } catch {
                failure.withLock { $0 = error }
                channel.close(promise: nil)
            }
        }
        let serving = Task { try await server.run() }
        do {
            try await withTaskCancellationHandler {
                try await serving.value
            } onCancel: {
                Task { await Self.end(server, serving) }
            }
        } catch {
            if !Task.isCancelled { throw error }
        }
        if let reason = failure.withLock({ $0 }) { throw reason }
    }

    /// Hummingbird's `Application` could run this too, but when its task is cancelled it drops connections that it has
    /// accepted and not yet begun to serve, which NIO answers with a crash. Ending in two steps avoids that.
    private static func end(_ server: Server<HTTP1Channel>, _ serving: Task<Void, any Error>) async {
        let deadline = Task {
            try await Task.sleep(for: grace)
            serving.cancel()
        }
        try? await server.shutdownGracefully()
        deadline.cancel()
    }

    private func server(
        on socket: SocketFile,
        onServerRunning: @escaping @Sendable (any Channel) async -> Void
    ) -> Server<HTTP1Channel> {
        let responder = Routes(service: service, limits: limits, logger: logger).router().buildResponder()
        let limits = limits
        let logger = logger
        // What concerns an operator is logged by `ErrorsAsJSON`; the rest is what clients do to themselves.
        var quiet = logger
        quiet.logLevel = .critical
        return Server(
            childChannelSetup: HTTP1Channel(
                responder: { request, writer, channel in
                    let context = BasicRequestContext(source: .init(channel: channel, logger: logger))
                    let response = try await responder.respond(to: request, context: context)
                    try await writer.write(response: response.head, body: response.body)
                },
                configuration: .init(
                    additionalChannelHandlers: [StalledWriteHandler(limit: .init(limits.stall)), LongReads()],
                    idleTimeout: .init(limits.idle)
                )
            ),
            configuration: .init(
                address: .unixDomainSocket(path: socket.stagedPath),
                availableConnectionsDelegate: MaximumAvailableConnections(limits.connections)
            ),
            onServerRunning: onServerRunning,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: quiet
        )
    }
}
