import ArgumentParser
import Lab

/// `sluice lab`: hosts and endpoints as namespaces of this machine.
struct LabCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab",
        abstract: "Bring up a file's hosts, links and endpoints as namespaces of this machine.",
        discussion: """
            Every host of the file becomes a network namespace with a switch of its own, joined to the others by an \
            underlay; every endpoint becomes a namespace too. `down` removes exactly what `up` made, also after a \
            crash half-way.

            Needs root, except `run`, which helps itself with a user namespace.
            """,
        subcommands: [LabUp.self, LabDown.self, LabStatusCommand.self, LabExec.self, LabRun.self]
    )
}

/// `sluice lab up FILE`.
struct LabUp: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Make the lab and start its switches; print what stands."
    )

    @Argument(help: "The topology.", completion: .file(extensions: ["yaml", "yml", "json"]))
    var file: String

    @Flag(name: .shortAndLong, help: "Print nothing but errors.")
    var quiet = false

    func run() throws {
        try LabConsole.reportingErrors {
            let lab = Lab(file: file)
            let (topology, plan) = try lab.plan()
            let signals = try SignalTrap()
            defer { signals.stop() }
            try lab.up(plan, signals: signals, report: LabConsole.reporter(quiet: quiet))
            if !quiet { print(LabText.standing(topology, plan, Output.style)) }
        }
    }
}

/// `sluice lab down FILE`.
struct LabDown: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down",
        abstract: "Remove what `up` made, and nothing else.",
        discussion: "The file itself need not be there any more: the lab is known by its name."
    )

    @Argument(help: "The topology.", completion: .file(extensions: ["yaml", "yml", "json"]))
    var file: String

    @Flag(name: .shortAndLong, help: "Print nothing but errors.")
    var quiet = false

    func run() throws {
        try LabConsole.reportingErrors {
            let lab = Lab(file: file)
            try LabConsole.takeDown(lab, report: LabConsole.reporter(quiet: quiet))
        }
    }
}

/// `sluice lab status FILE`.
struct LabStatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what stands of the lab.",
        discussion: "Exits with 0 when the lab is up and whole, with 1 otherwise."
    )

    @Argument(help: "The topology.", completion: .file(extensions: ["yaml", "yml", "json"]))
    var file: String

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        try LabConsole.reportingErrors {
            let lab = Lab(file: file)
            guard let status = lab.status() else {
                if json { print(try LabConsole.json(["lab": lab.name, "state": "down"])) }
                throw LabError("\(lab.name) is not up. Bring it up with `sluice lab up \(file)`")
            }
            print(json ? try LabConsole.json(status) : LabText.status(status, Output.style))
            if !status.isWhole { throw ExitCode.failure }
        }
    }
}
