import ArgumentParser
import FoundationEssentials
import Lab

/// `sluice lab exec FILE PORT|HOST -- CMD`.
struct LabExec: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec",
        abstract: "Run a command where a port or host lives.",
        usage: "sluice lab exec FILE PORT|HOST -- CMD ...",
        discussion: "The exit status is the command's."
    )

    @Argument(help: "The topology.", completion: .file(extensions: ["yaml", "yml", "json"]))
    var file: String

    @Argument(help: "A host, a port as TENANT/PORT, or a port's name when only one tenant has it.")
    var target: String

    @Argument(parsing: .captureForPassthrough, help: "The command and its arguments.")
    var command: [String] = []

    func run() throws {
        try LabConsole.reportingErrors {
            let command = try LabConsole.command(command)
            let namespace = try Lab(file: file).namespace(of: target)
            let failure = Lab.execute(command, in: namespace)
            Output.complain("sluice: \(failure)")
            throw ExitCode(LabConsole.status(of: failure))
        }
    }
}

/// `sluice lab run FILE -- CMD`.
struct LabRun: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Bring the lab up, run a command, take the lab down.",
        usage: "sluice lab run FILE -- CMD ...",
        discussion: """
            The exit status is the command's; 128 and the signal's number when it died of one. The command finds \
            SLUICE_LAB_FILE and SLUICE_RUN_DIR in its environment, so that `sluice lab exec "$SLUICE_LAB_FILE" …` \
            works in it.

            Without root the lab and the command live in a user namespace of their own, where they are root, with an \
            empty /run.
            """
    )

    @Flag(name: .shortAndLong, help: "Print nothing but errors.")
    var quiet = false

    @Argument(help: "The topology.", completion: .file(extensions: ["yaml", "yml", "json"]))
    var file: String

    @Argument(parsing: .captureForPassthrough, help: "The command and its arguments.")
    var command: [String] = []

    func run() throws {
        try LabConsole.reportingErrors {
            let command = try LabConsole.command(command)
            if Sandbox.isNeeded {
                // A wrong file is told before anything is made.
                _ = try Lab(file: file).plan()
                throw ExitCode(try Sandbox.run())
            }
            try Sandbox.prepare()
            let lab = Lab(file: file)
            let plan = try lab.plan().plan
            throw ExitCode(try run(command, in: lab, plan))
        }
    }

    private func run(_ command: [String], in lab: Lab, _ plan: LabPlan) throws -> Int32 {
        let report = LabConsole.reporter(quiet: quiet)
        let signals = try SignalTrap()
        defer { signals.stop() }
        try lab.up(plan, livesWithMaker: true, signals: signals, report: report)
        var environment = ProcessInfo.processInfo.environment
        environment["SLUICE_LAB_FILE"] = lab.file
        environment["SLUICE_RUN_DIR"] = lab.directory.base
        var status: Int32
        do {
            status = try Lab.run(command, environment: environment, signals: signals)
        } catch {
            Output.complain("sluice: \(error)")
            status = LabConsole.status(of: error)
        }
        do {
            try LabConsole.takeDown(lab, report: report)
        } catch let error as LabError {
            // What the command said counts; a lab that stays behind is a failure only where it said nothing.
            Output.complain("sluice: \(error)")
            if status == 0 { status = 1 }
        }
        return status
    }
}
