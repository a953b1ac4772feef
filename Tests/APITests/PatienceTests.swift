import API
import Client
import Foundation
import Glibc
import Testing

/// What slow, idle and many clients can do to the switch: nothing.
@Suite struct PatienceTests {
    /// A connection without a library: what a hostile client would use.
    private final class RawConnection: Sendable {
        let descriptor: Int32

        init(_ path: String) {
            descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            _ = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        }

        deinit { close(descriptor) }

        func send(_ text: String) {
            let bytes = Array(text.utf8)
            _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        }

        /// Whether the other end closes within ten seconds. Never blocks: the server runs on the same few threads.
        func isClosed() async -> Bool {
            var isOver = false
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            try? await eventually {
                let count = recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
                isOver = count == 0 || count < 0 && errno != EAGAIN
                return isOver
            }
            return isOver
        }

        /// Whether the other end has said something.
        var isReadable: Bool {
            var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            return poll(&poller, 1, 0) > 0
        }
    }

    private static func impatient() -> APIServer.Limits {
        var limits = APIServer.Limits()
        limits.idle = .milliseconds(300)
        limits.request = .milliseconds(600)
        limits.stall = .milliseconds(300)
        return limits
    }

    @Test func idleConnectionsAreClosed() async throws {
        try await withServer(FakeSwitch(), limits: Self.impatient()) { _, path in
            let silent = RawConnection(path)
            let halfway = RawConnection(path)
            halfway.send("GET /v1/status HTTP/1.1\r\nHost:")
            #expect(await silent.isClosed())
            #expect(await halfway.isClosed())
        }
    }

    @Test func bodiesMustArrive() async throws {
        try await withServer(FakeSwitch(), limits: Self.impatient()) { client, path in
            let drip = RawConnection(path)
            drip.send("POST /v1/apply HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
            let dripping = Task {
                // Often enough to never look idle.
                while !Task.isCancelled {
                    drip.send("#")
                    try? await Task.sleep(for: .milliseconds(50))
                }
            }
            try await eventually { drip.isReadable }
            dripping.cancel()
            #expect(drip.isReadable)
            _ = try await client.get("/v1/status")
        }
    }

    @Test func clientsThatDoNotReadAreClosed() async throws {
        let fake = try FakeSwitch(blocks: [[UInt8](repeating: 0, count: 8 << 20)], endsCaptures: false)
        try await withServer(fake, limits: Self.impatient()) { client, path in
            let stuck = RawConnection(path)
            stuck.send("GET /v1/capture HTTP/1.1\r\nHost: x\r\n\r\n")
            try await eventually { fake.calls.withLock({ $0.endedCaptures }) > 0 }
            #expect(fake.calls.withLock { $0.endedCaptures } == 1)
            _ = try await client.get("/v1/status")
        }
    }

    @Test func tooManyConnectionsWaitForTheirTurn() async throws {
        var limits = Self.impatient()
        limits.connections = 4
        try await withServer(FakeSwitch(), limits: limits) { client, path in
            let idle = (0..<20).map { _ in RawConnection(path) }
            // Idle ones are closed in their turn, so that this one has its own.
            _ = try await client.get("/v1/status")
            _ = idle
        }
    }

    @Test func nonsenseIsAnsweredAndClosed() async throws {
        try await withServer(FakeSwitch()) { client, path in
            for text in [
                "\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", String(repeating: "x", count: 200_000),
            ] {
                let connection = RawConnection(path)
                connection.send(text)
                #expect(await connection.isClosed(), "\(text.prefix(20))")
            }
            _ = try await client.get("/v1/status")
        }
    }
}
