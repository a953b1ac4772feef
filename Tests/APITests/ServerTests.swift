import API
import Control
import Foundation
import Logging
import Model
import Testing

@testable import Client

@Suite struct ServerTests {
    private func refusal(_ body: () async throws -> Void) async -> (status: Int, text: String)? {
        do {
            try await body()
            return nil
        } catch ClientError.refused(let status, let message, let advice) {
            return (status, "\(message) \(advice)")
        } catch {
            return (0, "\(error)")
        }
    }

    @Test func answersEveryQuestion() async throws {
        try await withServer(FakeSwitch()) { client, _ in
            let status = try await client.get("/v1/status", as: StatusView.self)
            #expect(status.process == processFixture && status.endpoints.total == 7)
            let overview = try await client.get("/v1/overview", as: OverviewView.self)
            #expect(overview.ports.count == 4 && overview.status == status)
            #expect(try await client.get("/v1/ports", as: [EndpointView].self) == overview.ports)
            #expect(try await client.get("/v1/uplinks", as: [EndpointView].self) == overview.uplinks)
            #expect(try await client.get("/v1/networks", as: [NetworkView].self) == overview.networks)
            #expect(try await client.get("/v1/tunnels", as: [TunnelView].self) == overview.tunnels)
            #expect(try await client.get("/v1/counters", as: CountersView.self).endpoints.count == 7)
            #expect(try await client.get("/v1/drops", as: DropsView.self).endpoints.isEmpty)
            let all = try await client.get("/v1/fdb", as: FDBView.self)
            let red = try await client.get("/v1/fdb", [("network", "red/app")], as: FDBView.self)
            #expect(red.total > 0 && red.total < all.total)
            #expect(try await client.get("/v1/fdb", [("limit", "1")], as: FDBView.self).entries.count == 1)
            let trace = try await client.post(
                "/v1/trace",
                json: TraceRequest(port: "blue/web", frame: "dst=02:00:00:00:00:12 type=0x88cc"),
                as: TraceView.self
            )
            #expect(trace.outputs.map(\.endpoint) == ["blue/db"])
        }
    }

    @Test func appliesWholeFilesOnly() async throws {
        let fake = try FakeSwitch()
        try await withServer(fake) { client, _ in
            let changed = LiveFixture.file.replacing("5002", with: "5003")
            let dry = try await client.post(
                "/v1/apply",
                [("dry-run", "true"), ("file", "a b&c.yaml")],
                text: Array(changed.utf8),
                patience: .seconds(5),
                as: ApplyResult.self
            )
            #expect(!dry.applied && dry.changes.count == 1)
            #expect(dry.changes[0].path == "tenants.blue.networks.app.segment" && dry.changes[0].action == "changed")
            let real = try await client.post(
                "/v1/apply",
                text: Array(changed.utf8),
                patience: .seconds(5),
                as: ApplyResult.self
            )
            #expect(real.applied)
            do {
                let wrong = LiveFixture.file.replacing("5002", with: "5001")
                _ = try await client.post(
                    "/v1/apply",
                    [("file", "wrong.yaml")],
                    text: Array(wrong.utf8),
                    patience: .seconds(5),
                    as: ApplyResult.self
                )
                Issue.record("accepted")
            } catch ClientError.problems(let problems) {
                #expect(problems.count == 1 && problems[0].file == "wrong.yaml" && problems[0].line > 0)
                #expect(problems[0].message.contains("5001"))
            }
            let bytes = await refusal {
                _ = try await client.post(
                    "/v1/apply",
                    text: [0x73, 0xFF],
                    patience: .seconds(5),
                    as: ApplyResult.self
                )
            }
            #expect(bytes?.status == 400 && bytes?.text.contains("UTF-8") == true)
        }
        let applied = fake.calls.withLock { $0.applied }
        #expect(applied.map(\.dryRun) == [true, false] && applied[0].file == "a b&c.yaml")
    }

    @Test func largeAnswersArriveWhole() async throws {
        let fake = try FakeSwitch()
        let place = fake.fixture.attachment("blue/app", "blue/db")
        for i in 0..<900 {
            fake.fixture.learn("02:01:00:00:\(10 + i / 90):\(10 + i % 90)", at: place)
        }
        let expected = fake.fixture.live.fdb()
        try await withServer(fake) { client, _ in
            let bytes = try await client.get("/v1/fdb")
            #expect(bytes.count > 65_536)
            #expect(try JSONDecoder().decode(FDBView.self, from: Data(bytes)) == expected)
        }
    }

    @Test func flushesOneNetworkOrAll() async throws {
        let fake = try FakeSwitch()
        try await withServer(fake) { client, _ in
            _ = try await client.post("/v1/fdb/flush", as: [String: String].self)
            _ = try await client.post("/v1/fdb/flush", [("network", "red/app")], as: [String: String].self)
        }
        #expect(fake.calls.withLock { $0.flushed } == [nil, fake.fixture.segment("red/app")])
    }

    @Test func refusesWithStatusAndSentence() async throws {
        try await withServer(FakeSwitch()) { client, _ in
            let rows: [(String, [(String, String)], Int, String)] = [
                ("/v1/nothing", [], 404, "nothing at"),
                ("/", [], 404, "nothing at"),
                ("/v1/fdb", [("network", "red/ap")], 404, "red/app"),
                ("/v1/fdb", [("limit", "-1")], 400, "limit"),
                ("/v1/fdb", [("netwrok", "red/app")], 400, "no parameter netwrok"),
                ("/v1/fdb", [("limit", "1"), ("limit", "2")], 400, "twice"),
                ("/v1/capture", [("port", "red/web"), ("network", "red/app")], 400, "not about two"),
                ("/v1/capture", [("port", "red/nobody")], 404, "there is no port"),
                ("/v1/capture", [("drops", "maybe")], 400, "true or false"),
                ("/v1/capture", [("snaplen", "0")], 400, "snaplen"),
                ("/v1/capture", [("snaplen", "13")], 503, "no luck Try another length."),
            ]
            for (path, query, status, text) in rows {
                let answer = await refusal { _ = try await client.get(path, query) }
                #expect(answer?.status == status, "\(path) \(query)")
                #expect(answer?.text.contains(text) == true, "\(path) \(query): \(answer?.text ?? "")")
            }
            let frame = await refusal {
                _ = try await client.post(
                    "/v1/trace",
                    json: TraceRequest(port: "red/web", frame: "proto=ipip"),
                    as: TraceView.self
                )
            }
            #expect(frame?.status == 400)
            let shape = await refusal { _ = try await client.post("/v1/trace", json: ["port": 5], as: TraceView.self) }
            #expect(shape?.status == 400 && shape?.text.contains("at port") == true)
            let dry = await refusal {
                _ = try await client.post(
                    "/v1/apply",
                    [("dryrun", "true")],
                    text: [],
                    patience: .seconds(5),
                    as: ApplyResult.self
                )
            }
            #expect(dry?.status == 400)
        }
    }

    @Test func bodiesAreBounded() async throws {
        var limits = APIServer.Limits()
        limits.applyBody = 1000
        try await withServer(FakeSwitch(), limits: limits) { client, _ in
            let answer = await refusal {
                _ = try await client.post(
                    "/v1/apply",
                    text: [UInt8](repeating: 32, count: 3_000_000),
                    patience: .seconds(5),
                    as: ApplyResult.self
                )
            }
            #expect(answer?.status == 413 && answer?.text.contains("too large") == true)
            // The next one is served as if nothing had been.
            _ = try await client.get("/v1/status")
        }
    }

    @Test func theSocketIsTheOwnersAndGoesAway() async throws {
        let seen = Seen()
        try await withServer(FakeSwitch()) { _, path in
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            let folder = URL(filePath: path).deletingLastPathComponent().path()
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["api.sock"])
            // A second switch does not take a socket that answers.
            let second = APIServer(service: try FakeSwitch(), socketPath: path, logger: Logger(label: "test"))
            await #expect(throws: ServiceError.self) { try await second.run() }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["api.sock"])
            await seen.note(path)
        }
        let path = await seen.path
        #expect(!path.isEmpty && !FileManager.default.fileExists(atPath: path))
    }

    private actor Seen {
        var path = ""
        func note(_ path: String) { self.path = path }
    }

    @Test func aSocketLeftBehindIsReplaced() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "stale-\(UInt32.random(in: 0...99_999))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let path = directory.appending(path: "api.sock").path()
        try Data().write(to: URL(filePath: path))
        let client = SwitchClient(ControlSocket(path: path, host: "h9"))
        await #expect(throws: ClientError.notRunning(host: "h9", socket: path)) { try await client.get("/v1/status") }
        let server = APIServer(service: try FakeSwitch(), socketPath: path, logger: Logger(label: "test"))
        let task = Task { try await server.run() }
        try await eventually { client.socket.answers }
        _ = try await client.get("/v1/status")
        task.cancel()
        try await task.value
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func tooLongPathsAreRefused() async throws {
        let path = "/tmp/" + String(repeating: "x", count: 100)
        let server = APIServer(service: try FakeSwitch(), socketPath: path, logger: Logger(label: "test"))
        await #expect(throws: ServiceError.self) { try await server.run() }
    }
}
