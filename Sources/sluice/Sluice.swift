import ArgumentParser
import Client
import Glibc
import Model

/// The command line. Exit codes: 0 done, 1 refused or failed, 2 usage.
@main
struct Sluice: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "sluice",
        abstract: "Gives every tenant a network of its own: a userspace virtual switch and tunnel endpoint.",
        discussion: """
            One file describes hosts, tenants, networks and ports; Sluice makes it so. To see it work on this machine:

              sluice lab up Configs/two-tenants.yaml
              sluice show
              sluice lab down Configs/two-tenants.yaml
            """,
        version: version,
        subcommands: [
            LabCommand.self, RunCommand.self, CheckCommand.self, ApplyCommand.self, ShowCommand.self,
            TraceCommand.self, CaptureCommand.self, TopCommand.self,
        ]
    )

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            leave(with: error)
        }
    }

    /// Prints what an error has to say where it belongs, and exits.
    static func leave(with error: any Error) -> Never {
        switch error {
        case let error as TopologyError: Output.complain(error.description)
        case ClientError.problems(let problems):
            Output.complain(problems.map(\.description).joined(separator: "\n"))
        case let error as ClientError: Output.complain("sluice: \(error)")
        case let error as CommandFailure: Output.complain("sluice: \(error)")
        case is CancellationError: break
        default: leave(withParserError: error)
        }
        Glibc.exit(1)
    }

    /// Help, versions, usage errors and exit codes are errors to ArgumentParser, which gives a usage error the code 64.
    private static func leave(withParserError error: any Error) -> Never {
        let code = exitCode(for: error)
        let message = fullMessage(for: error)
        if code.isSuccess {
            if !message.isEmpty { Output.show(message) }
        } else if !message.isEmpty {
            Output.complain(code == .validationFailure ? message : "sluice: \(error)")
        }
        Glibc.exit(code == .validationFailure ? 2 : code.rawValue)
    }
}
