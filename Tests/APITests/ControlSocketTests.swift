import Foundation
import Glibc
import Testing

@testable import Client

@Suite struct ControlSocketTests {
    @Test func theBaseDependsOnWhoAsks() {
        func base(_ environment: [String: String], root: Bool, owner: Bool = true) -> String {
            ControlSocket.base(environment: environment, canUse: { $0.hasPrefix("/run") ? root : owner })
        }
        #expect(base(["SLUICE_RUN_DIR": "/x", "XDG_RUNTIME_DIR": "/y"], root: true) == "/x")
        #expect(base(["XDG_RUNTIME_DIR": "/y"], root: true) == "/run/sluice")
        #expect(base(["XDG_RUNTIME_DIR": "/y"], root: false) == "/y/sluice")
        #expect(base(["XDG_RUNTIME_DIR": "/y"], root: false, owner: false) == "/tmp/sluice-\(getuid())")
        #expect(base([:], root: false) == "/tmp/sluice-\(getuid())")
    }

    /// A run directory with sockets in it: those that end in `!` answer.
    private final class RunBase {
        let path: String
        private var descriptors: [Int32] = []

        init(_ names: String...) throws {
            let base = FileManager.default.temporaryDirectory.appending(path: "run-\(UInt32.random(in: 0...99_999))")
            path = base.path()
            for name in names {
                let folder = base.appending(path: name.replacing("!", with: ""))
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                let path = folder.appending(path: "api.sock").path()
                if name.hasSuffix("!") { listen(at: path) } else { try Data().write(to: URL(filePath: path)) }
            }
        }

        deinit {
            for descriptor in descriptors { close(descriptor) }
            try? FileManager.default.removeItem(atPath: path)
        }

        private func listen(at path: String) {
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            descriptors.append(descriptor)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            let bound = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            #expect(bound == 0 && Glibc.listen(descriptor, 8) == 0)
        }
    }

    private func choose(_ base: RunBase, host: String? = nil) throws -> ControlSocket {
        try SwitchChoice(host: host).resolve(environment: ["SLUICE_RUN_DIR": base.path])
    }

    @Test func theOnlyOneIsMeant() throws {
        do {
            let base = try RunBase("h1!")
            #expect(try choose(base) == ControlSocket(path: "\(base.path)/h1/api.sock", host: "h1"))
        }
        do {
            let base = try RunBase("labs/demo/h2!")
            #expect(
                try choose(base) == ControlSocket(path: "\(base.path)/labs/demo/h2/api.sock", host: "h2", lab: "demo")
            )
        }
    }

    @Test func ofSeveralTheUserChooses() throws {
        let base = try RunBase("h1!", "labs/demo/h1!", "labs/demo/h2!")
        do {
            _ = try choose(base)
            Issue.record("chose one")
        } catch ClientError.severalSwitches(_, let found) {
            #expect(found.count == 3 && found[1].contains("h1 of lab demo"))
        }
        #expect(try choose(base, host: "h2").lab == "demo")
        #expect(throws: ClientError.self) { try choose(base, host: "h1") }
    }

    @Test func whatIsLeftBehindDoesNotCount() throws {
        do {
            let base = try RunBase("h1", "h2!", "labs/old/h1")
            #expect(try choose(base).host == "h2")
            #expect(throws: ClientError.self) { try choose(base, host: "h3") }
        }
        // Where nothing answers, the error names what is there.
        do {
            let base = try RunBase("h1")
            let chosen = try choose(base)
            #expect(chosen.path == "\(base.path)/h1/api.sock")
        }
    }

    @Test func sentencesSayWhatToDo() throws {
        let base = try RunBase()
        do {
            _ = try choose(base)
        } catch {
            #expect(
                "\(error)".contains("no switch is running under \(base.path)") && "\(error)".contains("sluice run")
            )
        }
        do {
            _ = try choose(base, host: "h1")
        } catch {
            #expect(
                "\(error)".hasPrefix(
                    "no switch is running for host h1 (socket \(base.path)/h1/api.sock): start one with"
                )
            )
        }
    }

    @Test func aRunDirectoryOfOneSwitch() throws {
        let base = try RunBase("h1!")
        let choice = SwitchChoice(runDirectory: "\(base.path)/h1")
        #expect(try choice.resolve(environment: [:]).path == "\(base.path)/h1/api.sock")
        #expect(try SwitchChoice(socket: "/some/where").resolve(environment: [:]).path == "/some/where")
    }

    @Test func queriesAreEncoded() {
        #expect(SwitchClient.target("/v1/fdb", []) == "/v1/fdb")
        #expect(SwitchClient.target("/p", [("a", "red/app"), ("b", "x y&z=ä")]) == "/p?a=red/app&b=x%20y%26z%3D%C3%A4")
    }
}
