import API
import Client
import Control
import Foundation
import Logging
import Model
import Synchronization
import Tables

/// A switch without a datapath: tables from the fixture, captures by hand.
final class FakeSwitch: SwitchService {
    struct Calls {
        var applied: [(text: String, file: String, dryRun: Bool)] = []
        var flushed: [UInt32?] = []
        var captures: [CaptureRequest] = []
        var endedCaptures = 0
    }

    let fixture: LiveFixture
    let calls = Mutex(Calls())
    /// What a capture hands out, and whether it then ends by itself.
    let blocks: [[UInt8]]
    let endsCaptures: Bool

    init(blocks: [[UInt8]] = [], endsCaptures: Bool = true) throws {
        fixture = try LiveFixture()
        self.blocks = blocks
        self.endsCaptures = endsCaptures
    }

    func process() async -> ProcessStatus { processFixture }

    func endpoints() async -> [EndpointStatus] { fixture.statuses }

    func withTables<T: Sendable>(_ body: @Sendable (Snapshot, WorkerStates) throws -> T) async throws -> T {
        try body(fixture.snapshot, WorkerStates([fixture.region]))
    }

    func apply(text: String, file: String, dryRun: Bool) async throws -> ApplyResult {
        let new = try Topology.load(text: text, file: file)
        calls.withLock { $0.applied.append((text, file, dryRun)) }
        let old = try Topology.load(text: LiveFixture.file, file: "")
        let changes = Topology.difference(from: old, to: new)
        return ApplyResult(
            changes: changes.map(ApplyResult.Change.init),
            applied: !dryRun && !changes.isEmpty,
            warnings: new.warnings(underlayMTU: 1500).map(ProblemView.init)
        )
    }

    func flush(segment: UInt32?) async throws { calls.withLock { $0.flushed.append(segment) } }

    func startCapture(_ request: CaptureRequest) async throws -> AsyncStream<[UInt8]> {
        if request.snapLength == 13 { throw ServiceError(.unavailable, "no luck", advice: "Try another length.") }
        calls.withLock { $0.captures.append(request) }
        let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self, bufferingPolicy: .bufferingOldest(64))
        continuation.onTermination = { _ in self.calls.withLock { $0.endedCaptures += 1 } }
        for block in blocks { continuation.yield(block) }
        if endsCaptures { continuation.finish() }
        return stream
    }
}

/// Runs `body` with a server over `service` on a socket of its own.
func withServer(
    _ service: FakeSwitch,
    limits: APIServer.Limits = .init(),
    _ body: @escaping @Sendable (SwitchClient, String) async throws -> Void
) async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "api-\(UInt32.random(in: 0...UInt32.max))")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appending(path: "api.sock").path()
    var logger = Logger(label: "test")
    logger.logLevel = .error
    let server = APIServer(service: service, socketPath: path, limits: limits, logger: logger)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run() }
        group.addTask {
            let socket = ControlSocket(path: path, host: "h1")
            try await eventually { socket.answers }
            try await body(SwitchClient(socket), path)
        }
        // Whoever ends first: the body, or a server that failed.
        try await group.next()
        group.cancelAll()
        while let _ = try? await group.next() {}
    }
}

/// Waits until something is so, ten seconds at most.
func eventually(_ isSo: () -> Bool) async throws {
    for _ in 0..<1000 {
        if isSo() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
}
