import ArgumentParser
import FoundationEssentials
import Glibc
import Lab
import Model

/// What the lab's commands say and how they exit.
enum LabConsole {
    /// Tells people what went wrong and exits with 1, or with 128 and the signal's number after an interruption.
    static func reportingErrors(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as LabError {
            complain(error.message)
            throw ExitCode(error.signal.map { 128 + $0 } ?? 1)
        } catch let error as TopologyError {
            complain("\(error)")
            throw ExitCode.failure
        }
    }

    static func complain(_ message: String) { write(message) }

    /// Short lines about progress, on standard error so that a command's output stays its own.
    static func reporter(quiet: Bool) -> (String) -> Void {
        quiet ? { _ in } : { write($0) }
    }

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

    /// What stands after FILE and TARGET, without the `--` that may come first.
    static func command(_ words: [String]) throws -> [String] {
        let command = words.first == "--" ? Array(words.dropFirst()) : words
        guard !command.isEmpty else { throw ValidationError("Give the command to run after `--`.") }
        return command
    }

    /// As shells have it: 127 for a command that is not there, 126 for one that cannot be run.
    static func statusOfFailedStart(_ error: LabError) -> Int32 {
        error.message.hasSuffix(String(cString: strerror(ENOENT))) ? 127 : 126
    }

    static func quoted(_ text: String) -> String {
        (try? JSONEncoder().encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
    }

    private static func write(_ message: String) {
        let line = message.hasSuffix("\n") ? message : message + "\n"
        // One call, so that lines of several processes do not mix.
        _ = Glibc.write(STDERR_FILENO, line, line.utf8.count)
    }
}

extension LabStatus {
    /// One object, with stable order, on one line.
    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
    }
}
