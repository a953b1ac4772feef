import ArgumentParser
import Client
import Foundation

/// Which running switch a command talks to.
struct SwitchOptions: ParsableArguments {
    @Option(help: "The host whose switch is meant. Not needed where one switch is running.")
    var host: String?

    @Option(
        help: """
            The directory in which the switch, or several of them, keep their sockets. Without it SLUICE_RUN_DIR counts, \
            then /run/sluice, XDG_RUNTIME_DIR/sluice, and /tmp/sluice-UID.
            """
    )
    var runDir: String?

    @Option(help: "The control socket itself.")
    var socket: String?

    mutating func validate() throws {
        if socket != nil, runDir != nil || host != nil {
            throw ValidationError("--socket says it all: leave --host and --run-dir away.")
        }
    }

    /// The switch that is meant.
    func client() throws -> SwitchClient {
        SwitchClient(
            try SwitchChoice(socket: socket, runDirectory: runDir, host: host)
                .resolve(environment: ProcessInfo.processInfo.environment)
        )
    }
}
