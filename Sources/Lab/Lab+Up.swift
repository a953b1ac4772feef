import Glibc
import Netlink

extension Lab {
    /// How long a switch may take until all its ports are up.
    static let patience: Double = 30

    /// Makes everything in the plan and starts its hosts; returns when every host is ready. When something fails, or
    /// a signal comes, what was made is taken down again before the error is thrown.
    ///
    /// - Parameter executable: the program that is started as `sluice run` on each host.
    /// - Parameter livesWithMaker: this process will take the lab down; when it is killed, the next `up` of the same
    ///   name does.
    /// - Parameter report: gets a short line for each step that takes time.
    public func up(
        _ plan: LabPlan,
        executable: String = "/proc/self/exe",
        livesWithMaker: Bool = false,
        signals: SignalTrap? = nil,
        report: (String) -> Void = { _ in }
    ) throws(LabError) {
        guard Sandbox.hasPrivileges else {
            throw LabError(
                "a lab that stays up needs root. Run it with sudo, or use `sluice lab run FILE -- CMD`, which needs no "
                    + "privileges and takes the lab down after CMD"
            )
        }
        try directory.check(lab: name, hosts: plan.hosts.map(\.name))
        try directory.make()
        guard let lock = try LabLock.take(path, create: true) else { return }
        defer { withExtendedLifetime(lock) {} }
        try clearLeftovers(report)
        var isOurs = false
        do throws(LabError) {
            try refuseTakenNames(plan)
            guard let maker = ProcessIdentity(running: getpid()) else {
                throw LabError("cannot read /proc/\(getpid())/stat: is /proc mounted?")
            }
            var record = LabRecord(plan, file: file, directory: directory, maker: maker)
            record.livesWithMaker = livesWithMaker
            isOurs = true
            try record.write(to: directory.record(name))
            try build(plan, &record, signals)
            try start(plan, &record, executable, signals, report)
            record.state = .standing
            try record.write(to: directory.record(name))
        } catch {
            if isOurs {
                report("taking down what was made")
                for line in takeDown().trouble { report(line) }
            } else {
                removeDirectory()
            }
            throw error
        }
    }

    /// A lab of this name that stands is refused; one that an interrupted or killed command left is removed.
    private func clearLeftovers(_ report: (String) -> Void) throws(LabError) {
        guard let old = record else { return }
        let processes = old.processes
        let isThere = !processes.control.isEmpty || !processes.datapath.isEmpty || !old.ownNamespaces.isEmpty
        let isAbandoned = old.livesWithMaker && !old.maker.isRunning
        if old.state == .standing, isThere, !isAbandoned {
            let origin = old.file == file ? "" : " from \(old.file)"
            throw LabError("\(name) is up already\(origin). Take it down with `sluice lab down \(old.file)`")
        }
        if isThere { report("removing what an interrupted command left of \(name)") }
        let down = takeDown(keepingDirectory: true)
        guard down.trouble.isEmpty else { throw LabError(down.trouble.joined(separator: "\n")) }
    }

    private func refuseTakenNames(_ plan: LabPlan) throws(LabError) {
        let taken = plan.namespaces.map(\.name).filter(NetworkNamespace.exists)
        guard taken.isEmpty else {
            let names = taken.joined(separator: ", ")
            throw LabError(
                "there \(taken.count == 1 ? "is" : "are") already \(names), and not of this lab. Remove "
                    + "\(taken.count == 1 ? "it" : "them") with `ip netns delete`, or rename in \(file)"
            )
        }
    }

    private func build(_ plan: LabPlan, _ record: inout LabRecord, _ signals: SignalTrap?) throws(LabError) {
        func check() throws(LabError) {
            if let caught = signals?.next() { throw LabError("interrupted", signal: caught.signal) }
        }
        var builder = LabBuilder()
        do {
            for (i, namespace) in plan.namespaces.enumerated() {
                try check()
                record.namespaces[i].identity = try builder.make(namespace)
            }
            try record.write(to: directory.record(name))
            for bridge in plan.bridges { try builder.make(bridge) }
            for cable in plan.cables {
                try check()
                try builder.make(cable)
            }
        } catch let error as NetlinkError {
            throw LabError("\(error)")
        } catch let error as LabError {
            throw error
        } catch {
            throw LabError("\(error)")
        }
    }

    private func start(
        _ plan: LabPlan,
        _ record: inout LabRecord,
        _ executable: String,
        _ signals: SignalTrap?,
        _ report: (String) -> Void
    ) throws(LabError) {
        var starter = HostStarter()
        for (i, host) in plan.hosts.enumerated() {
            record.hosts[i].process = try starter.start(
                record.hosts[i],
                underlayMTU: host.underlayMTU,
                record: record,
                executable: executable
            )
            try record.write(to: directory.record(name))
        }
        try starter.waitUntilReady(seconds: Self.patience, signals: signals, report: report)
    }
}
