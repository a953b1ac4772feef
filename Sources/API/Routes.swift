import Control
import Hummingbird
import Logging
import Model
import NIOCore
import Tables

/// What the API answers:
///
///     GET  /v1/status                        the processes, what they run by, what is not up
///     GET  /v1/overview                      status, networks, routers, ports, uplinks and tunnels of one moment
///     GET  /v1/ports  /v1/uplinks            endpoints with their state and counters
///     GET  /v1/networks  /v1/routers  /v1/tunnels
///     GET  /v1/fdb[?network=T/N][&limit=N]   where the stations are
///     GET  /v1/neighbors[?network=T/N][&limit=N]   which address the neighbours of routers have
///     GET  /v1/routes[?router=T/R][&limit=N]
///     GET  /v1/counters  /v1/drops
///     GET  /v1/capture[?port=T/P|network=T/N|drops=true][&snaplen=N]   pcapng until the client goes away
///     POST /v1/apply[?dry-run=true][&file=NAME]   the file's text → what changes
///     POST /v1/trace                         a `TraceRequest` → a `TraceView`
///     POST /v1/fdb/flush[?network=T/N]       forget what was learned
///
/// Answers are JSON, except capture. What goes wrong is `{"error": sentence, "advice": sentence}`, and for a wrong file
/// status 422 with `{"problems": [...]}`.
struct Routes: Sendable {
    let service: any SwitchService
    let limits: APIServer.Limits
    let logger: Logger

    func router() -> Hummingbird.Router<BasicRequestContext> {
        let router = Hummingbird.Router(context: BasicRequestContext.self)
        router.add(middleware: ErrorsAsJSON(logger: logger))
        let v1 = router.group("v1")
        v1.get("status") { _, _ in try await json(tables { $0.status($1) }) }
        v1.get("overview") { _, _ in try await json(tables { $0.overview($1) }) }
        v1.get("ports") { _, _ in try await json(tables { live, _ in live.ports() }) }
        v1.get("uplinks") { _, _ in try await json(tables { live, _ in live.uplinks() }) }
        v1.get("networks") { _, _ in try await json(tables { live, _ in live.networks() }) }
        v1.get("routers") { _, _ in try await json(tables { $0.routers(host: $1.host) }) }
        v1.get("tunnels") { _, _ in try await json(tables { live, _ in live.tunnels() }) }
        v1.get("counters") { _, _ in try await json(tables { live, _ in live.counters() }) }
        v1.get("drops") { _, _ in try await json(tables { live, _ in live.drops() }) }
        v1.get("fdb") { request, _ in try await fdb(Question(request)) }
        v1.get("neighbors") { request, _ in try await neighbors(Question(request)) }
        v1.get("routes") { request, _ in try await routes(Question(request)) }
        v1.post("fdb/flush") { request, _ in try await flush(Question(request)) }
        v1.post("apply") { request, _ in try await apply(request) }
        v1.post("trace") { request, _ in try await trace(request) }
        v1.get("capture") { request, _ in try await capture(request) }
        return router
    }

    /// Runs a view over the tables of one moment.
    private func tables<T: Sendable>(_ view: @Sendable (LiveTables, ProcessStatus) throws -> T) async throws -> T {
        let process = await service.process()
        let endpoints = await service.endpoints()
        return try await service.withTables { snapshot, states in
            try view(LiveTables(snapshot, states, endpoints: endpoints), process)
        }
    }

    private func fdb(_ question: Question) async throws -> Response {
        try question.allow("network", "limit")
        let network = question["network"]
        let limit = try question.number("limit", in: 0...Int(Int32.max)) ?? 0
        return try await json(
            tables { live, _ in
                try live.fdb(segment: network.map { try live.requireSegment($0) }, limit: limit)
            }
        )
    }

    private func neighbors(_ question: Question) async throws -> Response {
        try question.allow("network", "limit")
        let network = question["network"]
        let limit = try question.number("limit", in: 0...Int(Int32.max)) ?? 0
        return try await json(
            tables { live, _ in
                try live.neighbors(segment: network.map { try live.requireSegment($0) }, limit: limit)
            }
        )
    }

    private func routes(_ question: Question) async throws -> Response {
        try question.allow("router", "limit")
        let router = question["router"]
        let limit = try question.number("limit", in: 0...Int(Int32.max)) ?? 0
        return try await json(
            tables { live, _ in try live.routes(router: router.map { try live.requireRouter($0) }, limit: limit) }
        )
    }

    private func flush(_ question: Question) async throws -> Response {
        try question.allow("network")
        var segment: UInt32?
        if let network = question["network"] {
            segment = try await tables { live, _ in try live.requireSegment(network) }
        }
        try await service.flush(segment: segment)
        return try json(["flushed": question["network"] ?? "all"])
    }

    private func apply(_ request: Request) async throws -> Response {
        let question = try Question(request)
        try question.allow("dry-run", "file")
        let dryRun = try question.flag("dry-run")
        let body = try await body(of: request, limit: limits.applyBody)
        guard let text = String(validating: body.readableBytesView, as: UTF8.self) else {
            throw ServiceError(.refused, "the file is not UTF-8 text.", advice: "Save it as UTF-8.")
        }
        return try await json(service.apply(text: text, file: question["file"] ?? "(request)", dryRun: dryRun))
    }

    private func trace(_ request: Request) async throws -> Response {
        let question = try decode(TraceRequest.self, from: await body(of: request, limit: limits.body))
        return try await json(tables { live, _ in try live.trace(question) })
    }

    private func capture(_ request: Request) async throws -> Response {
        let question = try Question(request)
        try question.allow("port", "network", "drops", "snaplen")
        let port = question["port"]
        let network = question["network"]
        let drops = try question.flag("drops")
        guard network == nil || port == nil && !drops else {
            throw ServiceError(
                .refused,
                "a capture is about a port, a network or drops, not about two of them.",
                advice: "Only `port` and `drops` go together: drops at that port."
            )
        }
        let longest = CaptureRequest.defaultSnapLength
        let snapLength = try question.number("snaplen", in: 1...longest) ?? longest
        let filter: CaptureRequest.Filter = try await tables { live, _ in
            let endpoint = try port.map { try live.requireEndpoint($0) }
            if drops { return .drops(endpoint: endpoint) }
            if let network { return .segment(try live.requireSegment(network)) }
            return endpoint.map { .endpoint($0) } ?? .all
        }
        let stream = try await service.startCapture(CaptureRequest(filter: filter, snapLength: snapLength))
        return Response(
            status: .ok,
            headers: [.contentType: "application/x-pcapng"],
            body: ResponseBody { writer in
                // Without this a client that goes away would only be noticed at the next frame.
                try await request.body.consumeWithCancellationOnInboundClose { _ in
                    for await block in stream { try await writer.write(ByteBuffer(bytes: block)) }
                }
                try await writer.finish(nil)
            }
        )
    }

    private func body(of request: Request, limit: Int) async throws -> ByteBuffer {
        do {
            return try await withDeadline(limits.request) {
                // Room for what was announced, so that a large file is not copied again each time that it has doubled.
                let announced = request.headers[.contentLength].flatMap { Int($0) } ?? 0
                var whole = ByteBuffer()
                whole.reserveCapacity(max(0, min(announced, limit)))
                for try await var part in request.body {
                    guard whole.readableBytes + part.readableBytes <= limit else {
                        throw NIOTooManyBytesError(maxBytes: limit)
                    }
                    whole.writeBuffer(&part)
                }
                return whole
            }
        } catch is DeadlineExceeded {
            throw HTTPError(.requestTimeout, message: "the request took longer than \(limits.request) to arrive")
        } catch let error as NIOTooManyBytesError {
            throw error
        } catch {
            throw ServiceError(.refused, "the request broke off: \(error).")
        }
    }
}
