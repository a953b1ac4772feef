import Foundation
import Model
import NIOCore
import NIOHTTP1
import NIOPosix

/// One request and its answer on a connection of its own.
struct HTTPExchange {
    private typealias Connection = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

    let socket: ControlSocket
    /// How long the switch may say nothing; nil is for ever.
    let patience: Duration?

    /// Hands the body of a good answer to `take`, piece by piece, until it ends or `take` says false.
    func run(
        _ method: HTTPMethod,
        _ target: String,
        body: [UInt8],
        contentType: String?,
        take: (ByteBuffer) async throws -> Bool
    ) async throws {
        let connection = try await connect()
        do {
            try await connection.executeThenClose { inbound, outbound in
                var headers: HTTPHeaders = ["Host": "sluice", "Connection": "close"]
                if let contentType { headers.add(name: "Content-Type", value: contentType) }
                if method != .GET { headers.add(name: "Content-Length", value: "\(body.count)") }
                try? await outbound.write(
                    .head(.init(version: .http1_1, method: method, uri: target, headers: headers))
                )
                // A switch that refuses early closes before it has read everything; its answer says why.
                for start in stride(from: 0, to: body.count, by: Self.piece) {
                    let part = body[start..<min(start + Self.piece, body.count)]
                    guard (try? await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: part))))) != nil else { break }
                }
                try? await outbound.write(.end(nil))
                try await read(inbound, take)
            }
        } catch let error as ClientError {
            throw error
        } catch let error as HTTPParserError {
            throw ClientError.broken(socket: socket.path, reason: "\(error)")
        } catch is IdleStateHandler.IdleStateEvent {
            throw ClientError.silent(socket: socket.path, seconds: Int(patience?.components.seconds ?? 0))
        } catch let error as IOError {
            throw ClientError.broken(socket: socket.path, reason: error.localizedDescription)
        }
    }

    /// Bytes of a body that are sent at a time.
    private static let piece = 1 << 20
    /// How often a full queue is asked again, 100 ms apart.
    private static let attempts = 50

    private func connect() async throws -> Connection {
        for _ in 0..<Self.attempts {
            do {
                return try await open()
            } catch let error as IOError {
                switch error.errnoCode {
                case EAGAIN: try await Task.sleep(for: .milliseconds(100))
                case EACCES, EPERM: throw ClientError.forbidden(socket: socket.path)
                case ENOENT, ECONNREFUSED, ENOTDIR, ENOTSOCK, EPROTOTYPE:
                    throw ClientError.notRunning(host: socket.host, socket: socket.path)
                default: throw ClientError.broken(socket: socket.path, reason: error.localizedDescription)
                }
            } catch is SocketAddressError {
                throw ClientError.notRunning(host: socket.host, socket: socket.path)
            }
        }
        throw ClientError.busy(socket: socket.path)
    }

    private func open() async throws -> Connection {
        let patience = patience
        return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(5))
            .connect(unixDomainSocketPath: socket.path) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    if let patience {
                        try channel.pipeline.syncOperations.addHandlers(
                            IdleStateHandler(allTimeout: .init(patience)),
                            SilenceHandler()
                        )
                    }
                    return try Connection(wrappingChannelSynchronously: channel)
                }
            }
    }

    private func read(
        _ inbound: NIOAsyncChannelInboundStream<HTTPClientResponsePart>,
        _ take: (ByteBuffer) async throws -> Bool
    ) async throws {
        var status: HTTPResponseStatus?
        var refusal: [UInt8] = []
        for try await part in inbound {
            switch part {
            case .head(let head):
                if head.status.code >= 200 { status = head.status }
            case .body(let piece):
                if status?.code == 200 {
                    guard try await take(piece) else { return }
                } else if refusal.count < 16 << 20 {
                    refusal += piece.readableBytesView
                }
            case .end:
                guard let status else { continue }
                guard status.code == 200 else { throw Self.error(status, refusal) }
                return
            }
        }
        try Task.checkCancellation()
        throw ClientError.broken(socket: socket.path, reason: "it broke off")
    }

    private struct Refusal: Decodable {
        var error: String
        var advice: String?
    }

    private struct Problems: Decodable {
        struct Row: Decodable {
            var file: String
            var line: Int
            var column: Int
            var path: String
            var message: String
        }
        var problems: [Row]
    }

    private static func error(_ status: HTTPResponseStatus, _ body: [UInt8]) -> ClientError {
        let decoder = JSONDecoder()
        if let wrong = try? decoder.decode(Problems.self, from: Data(body)) {
            return .problems(
                wrong.problems.map {
                    Problem(file: $0.file, line: $0.line, column: $0.column, path: $0.path, message: $0.message)
                }
            )
        }
        let refusal = try? decoder.decode(Refusal.self, from: Data(body))
        return .refused(
            status: Int(status.code),
            message: refusal?.error ?? status.reasonPhrase,
            advice: refusal?.advice ?? ""
        )
    }
}

/// Turns silence into an error that the reader of the connection gets.
private final class SilenceHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let silence = event as? IdleStateHandler.IdleStateEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        context.fireErrorCaught(silence)
        context.close(promise: nil)
    }
}

extension IdleStateHandler.IdleStateEvent: @retroactive Error {}
