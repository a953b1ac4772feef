import ArgumentParser
import Client
import Control
import Glibc
import Model

/// `sluice apply`: make a running switch match a file.
struct ApplyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Makes a running switch match a file, and prints the difference.",
        discussion: """
            The file is applied whole or not at all. With --dry-run nothing changes; the difference says what would.

              sluice apply cloud.yaml --dry-run
              sluice apply cloud.yaml
            """
    )

    @Argument(help: "The file, or - for standard input.", completion: .file(extensions: ["yaml", "yml", "json"]))
    var file: String

    @Flag(help: "Only say what would change.")
    var dryRun = false

    @Flag(help: "Print the result as JSON.")
    var json = false

    @OptionGroup var target: SwitchOptions

    /// Making devices for a whole cloud takes its time.
    static let patience: Duration = .seconds(600)

    func run() async throws {
        let name = file == "-" ? "(standard input)" : file
        let text = try FileBytes.read(file)
        var query = [("file", name)]
        if dryRun { query.append(("dry-run", "true")) }
        let result = try await target.client().post(
            "/v1/apply",
            query,
            text: text,
            patience: Self.patience,
            as: ApplyResult.self
        )
        if json { return Output.show(try JSONText.of(result)) }
        for warning in result.warnings { Output.warn(warning.problem) }
        Output.show(Self.text(result, dryRun: dryRun, style: Output.style))
    }

    static func text(_ result: ApplyResult, dryRun: Bool, style: Style) -> String {
        guard !result.changes.isEmpty else { return "Nothing to change: the switch already matches." }
        let lines = result.changes.map { change in
            switch change.action {
            case "added": style.good(change.text)
            case "removed": style.bad(change.text)
            default: change.text
            }
        }
        let count = result.changes.count == 1 ? "1 change" : "\(result.changes.count) changes"
        return
            (lines + [
                result.applied ? "\(count) applied." : "\(count); nothing was applied\(dryRun ? " (dry run)" : "")."
            ])
            .joined(separator: "\n")
    }
}
