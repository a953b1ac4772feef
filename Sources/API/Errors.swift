import Control
import Hummingbird
import Logging
import Model
import NIOCore

/// The body of every answer that is not what was asked for.
struct ErrorBody: Codable {
    var error: String
    /// What to do, or empty.
    var advice: String
}

struct ProblemsBody: Codable {
    var problems: [ProblemView]
}

/// Turns whatever a handler throws into JSON with the right status.
struct ErrorsAsJSON: RouterMiddleware {
    typealias Context = BasicRequestContext
    let logger: Logger

    func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as TopologyError {
            return try json(ProblemsBody(problems: error.problems.map(ProblemView.init)), status: .unprocessableContent)
        } catch let error as ServiceError {
            let status: HTTPResponse.Status =
                switch error.kind {
                case .notFound: .notFound
                case .refused: .badRequest
                case .unavailable: .serviceUnavailable
                case .failed: .internalServerError
                }
            return try answer(status, error.message, error.advice)
        } catch let error as UnknownName {
            return try answer(.notFound, "\(error).", "")
        } catch let error as TraceError {
            return try answer(.badRequest, error.description, "")
        } catch is NIOTooManyBytesError {
            return try answer(.contentTooLarge, "the request is too large.", "Split the file or send less.")
        } catch let error as HTTPError {
            if error.status == .notFound {
                return try answer(.notFound, "there is nothing at \(request.method) \(request.uri.path).", "")
            }
            return try answer(error.status, error.body ?? error.status.reasonPhrase, "")
        } catch {
            logger.error("API request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            return try answer(.internalServerError, "\(error)", "The switch's log says more.")
        }
    }

    private func answer(_ status: HTTPResponse.Status, _ error: String, _ advice: String) throws -> Response {
        try json(ErrorBody(error: error, advice: advice), status: status)
    }
}

struct DeadlineExceeded: Error {}

/// Runs `body`; throws `DeadlineExceeded` and cancels it if it takes longer.
func withDeadline<T: Sendable>(
    _ limit: Duration,
    _ body: @escaping @Sendable () async throws -> T
) async throws -> T {
    try await withThrowingTaskGroup(of: T.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw DeadlineExceeded()
        }
        defer { group.cancelAll() }
        return try await group.next()!
    }
}
