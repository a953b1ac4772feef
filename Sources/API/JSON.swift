import Foundation
import Hummingbird

/// Values as JSON with sorted keys, so that the same state always gives the same text.
func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var rest = ByteBuffer(bytes: try encoder.encode(value))
    rest.writeString("\n")
    // In pieces, so that a slow client's progress is seen.
    var pieces: [ByteBuffer] = []
    while let piece = rest.readSlice(length: min(65_536, rest.readableBytes)), piece.readableBytes > 0 {
        pieces.append(piece)
    }
    return Response(
        status: status,
        headers: [.contentType: "application/json"],
        body: pieces.count == 1 ? ResponseBody(byteBuffer: pieces[0]) : ResponseBody(contentsOf: pieces)
    )
}

/// Throws a `ServiceError` that says where the JSON is wrong.
func decode<T: Decodable>(_ type: T.Type, from body: ByteBuffer) throws -> T {
    do {
        return try JSONDecoder().decode(type, from: Data(body.readableBytesView))
    } catch let error as DecodingError {
        let (what, path): (String, [any CodingKey]) =
            switch error {
            case .keyNotFound(let key, let context): ("the key \(key.stringValue) is missing", context.codingPath)
            case .typeMismatch(let type, let context): ("this is not a \(type)", context.codingPath)
            case .valueNotFound(let type, let context): ("this is not a \(type)", context.codingPath)
            case .dataCorrupted(let context): (context.debugDescription, context.codingPath)
            @unknown default: ("\(error)", [])
            }
        let place = path.map(\.stringValue).joined(separator: ".")
        throw ServiceError(.refused, "the request is wrong\(place.isEmpty ? "" : " at \(place)"): \(what).")
    }
}
