import Foundation
import Model
import NIOCore
import NIOHTTP1
import NIOPosix

/// Talks to a running switch: HTTP/1.1 on its control socket, one connection a request.
public struct SwitchClient: Sendable {
    /// How long a switch may say nothing before it counts as hung.
    public static let patience: Duration = .seconds(30)

    public let socket: ControlSocket

    public init(_ socket: ControlSocket) { self.socket = socket }

    // MARK: JSON

    /// The answer to a question, decoded.
    public func get<T: Decodable>(_ path: String, _ query: [(String, String)] = [], as type: T.Type) async throws -> T {
        try decode(type, await get(path, query))
    }

    /// The answer to a question, as it came.
    public func get(_ path: String, _ query: [(String, String)] = []) async throws -> [UInt8] {
        try await exchange(.GET, path, query, body: [], contentType: nil, patience: Self.patience)
    }

    /// Sends a value as JSON.
    public func post<T: Decodable>(
        _ path: String,
        _ query: [(String, String)] = [],
        json value: (any Encodable)? = nil,
        as type: T.Type
    ) async throws -> T {
        let body = try value.map { [UInt8](try JSONEncoder().encode($0)) } ?? []
        return try decode(
            type,
            await exchange(.POST, path, query, body: body, contentType: "application/json", patience: Self.patience)
        )
    }

    /// Sends a text as it is; what it makes the switch do may take `patience`.
    public func post<T: Decodable>(
        _ path: String,
        _ query: [(String, String)] = [],
        text: [UInt8],
        patience: Duration,
        as type: T.Type
    ) async throws -> T {
        try decode(
            type,
            await exchange(.POST, path, query, body: text, contentType: "application/yaml", patience: patience)
        )
    }

    private func decode<T: Decodable>(_ type: T.Type, _ bytes: [UInt8]) throws -> T {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw ClientError.broken(socket: socket.path, reason: "\(error)")
        }
    }

    private func exchange(
        _ method: HTTPMethod,
        _ path: String,
        _ query: [(String, String)],
        body: [UInt8],
        contentType: String?,
        patience: Duration
    ) async throws -> [UInt8] {
        let exchange = HTTPExchange(socket: socket, patience: patience)
        var bytes: [UInt8] = []
        try await exchange.run(method, Self.target(path, query), body: body, contentType: contentType) { piece in
            bytes += piece.readableBytesView
            return true
        }
        return bytes
    }

    // MARK: Streams

    /// Hands over an answer that may never end, piece by piece, until it ends or `take` says false. There is no
    /// deadline on the pieces.
    public func stream(
        _ path: String,
        _ query: [(String, String)] = [],
        take: (ByteBuffer) async throws -> Bool
    ) async throws {
        try await HTTPExchange(socket: socket, patience: nil).run(
            .GET,
            Self.target(path, query),
            body: [],
            contentType: nil,
            take: take
        )
    }

    /// A request target with an encoded query (RFC 3986 §2.3: only unreserved characters stay).
    static func target(_ path: String, _ query: [(String, String)]) -> String {
        func encoded(_ text: String) -> String {
            text.utf8.reduce(into: "") { result, byte in
                let character = Character(Unicode.Scalar(byte))
                let isPlain = character.isASCII && (character.isLetter || character.isNumber)
                if isPlain || "-._~/".contains(character) {
                    result.append(character)
                } else {
                    let hex = String(byte, radix: 16, uppercase: true)
                    result += "%" + (hex.count == 1 ? "0" : "") + hex
                }
            }
        }
        guard !query.isEmpty else { return path }
        return path + "?" + query.map { "\(encoded($0.0))=\(encoded($0.1))" }.joined(separator: "&")
    }
}
