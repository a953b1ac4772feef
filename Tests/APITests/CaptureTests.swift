import Control
import NIOCore
import Synchronization
import Testing

@testable import Client

@Suite struct CaptureTests {
    @Test func blocksArriveAsTheyWere() async throws {
        let blocks = (0..<40).map { [UInt8](repeating: UInt8($0), count: 1000 * ($0 + 1)) }
        let fake = try FakeSwitch(blocks: blocks)
        try await withServer(fake) { client, _ in
            let bytes = Mutex<[UInt8]>([])
            try await client.stream("/v1/capture", [("port", "red/web"), ("drops", "true"), ("snaplen", "96")]) {
                piece in
                bytes.withLock { $0 += piece.readableBytesView }
                return true
            }
            #expect(bytes.withLock { $0 } == Array(blocks.joined()))
        }
        let request = fake.calls.withLock { $0.captures.first }
        #expect(request == CaptureRequest(filter: .drops(endpoint: fake.fixture.endpoint("red/web")), snapLength: 96))
    }

    @Test func filtersByName() async throws {
        let fake = try FakeSwitch()
        try await withServer(fake) { client, _ in
            for query in [[], [("port", "physnet1")], [("network", "blue/app")], [("drops", "true")]] {
                try await client.stream("/v1/capture", query) { _ in true }
            }
        }
        #expect(
            fake.calls.withLock { $0.captures.map(\.filter) } == [
                .all, .endpoint(fake.fixture.endpoint("physnet1")), .segment(fake.fixture.segment("blue/app")),
                .drops(endpoint: nil),
            ]
        )
    }

    @Test func endsWhenTheClientHasEnough() async throws {
        let fake = try FakeSwitch(blocks: [[1, 2, 3]], endsCaptures: false)
        try await withServer(fake) { client, _ in
            try await client.stream("/v1/capture") { _ in false }
            // No frame comes any more, and the switch notices all the same.
            try await eventually { fake.calls.withLock({ $0.endedCaptures }) > 0 }
        }
        #expect(fake.calls.withLock { $0.endedCaptures } == 1)
    }

    @Test func endsWhenTheClientIsCancelled() async throws {
        let fake = try FakeSwitch(blocks: [[1, 2, 3]], endsCaptures: false)
        try await withServer(fake) { client, _ in
            let seen = Mutex(false)
            let task = Task {
                try await client.stream("/v1/capture") { _ in
                    seen.withLock { $0 = true }
                    return true
                }
            }
            try await eventually { seen.withLock { $0 } }
            task.cancel()
            _ = await task.result
            try await eventually { fake.calls.withLock({ $0.endedCaptures }) > 0 }
        }
        #expect(fake.calls.withLock { $0.endedCaptures } == 1)
    }

    @Test func endsWithTheSwitch() async throws {
        let fake = try FakeSwitch(blocks: [[1]], endsCaptures: false)
        let reader = Reader()
        try await withServer(fake) { client, _ in
            reader.start(client)
            try await eventually { reader.pieces > 0 }
        }
        // The server is gone: the client hears of it one way or the other, and does not hang.
        await reader.end()
        #expect(reader.pieces == 1)
    }

    private final class Reader: Sendable {
        private let count = Mutex(0)
        private let task = Mutex<Task<Void, any Error>?>(nil)

        var pieces: Int { count.withLock { $0 } }

        func start(_ client: SwitchClient) {
            let new = Task {
                try await client.stream("/v1/capture") { _ in
                    self.count.withLock { $0 += 1 }
                    return true
                }
            }
            task.withLock { $0 = new }
        }

        func end() async { _ = await task.withLock { $0 }?.result }
    }
}
