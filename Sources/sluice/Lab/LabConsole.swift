import ArgumentParser
import FoundationEssentials
import Glibc
import Lab

/// What the lab's commands say and how they exit.
enum LabConsole {
    /// Turns a lab's errors into exit codes: 1, or 128 and the signal's number after an interruption.
    static func reportingErrors(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as LabError {
            guard let signal = error.signal else { throw CommandFailure(error.message) }
            Output.complain("sluice: \(error)")
            throw ExitCode(128 + signal)
        }
    }

    /// Short lines about progress, on standard error so that a command's output stays its own.
    static func reporter(quiet: Bool) -> (String) -> Void {
        quiet ? { _ in } : { Output.complain($0) }
    }

    /// Takes the lab down and says what that took.
    static func takeDown(_ lab: Lab, report: (String) -> Void) throws {
        let removal = try lab.down()
        for line in removal.ended { report("ended \(line)") }
        guard removal.trouble.isEmpty else {
            throw LabError(
                removal.trouble.joined(separator: "\n") + "\n\(lab.name) is not down yet; try `lab down` again"
            )
        }
        report(removal.wasThere ? "\(lab.name) down" : "\(lab.name) is not up; nothing to do")
    }

    /// The words of a command, without the `--` that may come first.
    static func command(_ words: [String]) throws -> [String] {
        let command = words.first == "--" ? Array(words.dropFirst()) : words
        guard !command.isEmpty else { throw ValidationError("Give the command to run after `--`.") }
        return command
    }

    /// Of a command that did not start, as shells have it: 127 when it is not there, 126 when it cannot be run.
    static func status(of error: LabError) -> Int32 { error.code == ENOENT ? 127 : 126 }

    /// A value as JSON on one line, in stable order.
    static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
