import Glibc
import Netlink

/// What `down` did.
public struct LabRemoval: Sendable, Equatable {
    /// False when there was nothing to take down.
    public var wasThere = false
    /// Processes inside the lab's namespaces that had to be ended, as `name (pid) in namespace`.
    public var ended: [String] = []
    /// What could not be removed, one sentence each; the record then stays, so that `down` can be tried again.
    public var trouble: [String] = []
}

extension Lab {
    /// Removes what `up` made, whole or half, and nothing else. Safe to call again.
    ///
    /// Waits a while for an `up` that is being interrupted and cleans up by itself.
    public func down() throws(LabError) -> LabRemoval {
        guard let lock = try LabLock.take(path, create: false, patience: 15) else { return LabRemoval() }
        defer { withExtendedLifetime(lock) {} }
        return takeDown()
    }

    /// The work of `down`, for who holds the lock.
    func takeDown(keepingDirectory: Bool = false) -> LabRemoval {
        var removal = LabRemoval()
        guard var record else {
            // Killed before the first record was whole: the directory is all that there can be.
            if !keepingDirectory { removeDirectory() }
            return removal
        }
        removal.wasThere = true
        record.state = .removing
        do {
            try record.write(to: directory.record(name))
        } catch {
            // A full disk must not keep a lab up; everything below can be done twice.
        }
        endSwitches(record, &removal)
        endInhabitants(record, &removal)
        for namespace in record.ownNamespaces {
            do {
                try NetworkNamespace.delete(namespace.name)
            } catch {
                if error.errno != ENOENT { removal.trouble.append("\(error)") }
            }
        }
        guard removal.trouble.isEmpty else { return removal }
        if keepingDirectory {
            for entry in Files.list(path) { Files.removeTree("\(path)/\(entry)") }
            unlink(directory.record(name))
        } else {
            removeDirectory()
        }
        return removal
    }

    func removeDirectory() {
        Files.removeTree(path)
        // Stays where other labs are in it.
        rmdir("\(directory.base)/labs")
    }

    /// The control process ends its datapath itself when it is asked to; whoever hangs is killed.
    private func endSwitches(_ record: LabRecord, _ removal: inout LabRemoval) {
        let (control, datapath) = record.processes
        let marked = Processes.withEnvironment("\(LabRecord.environmentKey)=\(record.id)")
        for process in control { process.send(SIGTERM) }
        // In this order: a control process would start a datapath again that died before it.
        var left = kill(Processes.wait(for: control, seconds: 5))
        left.formUnion(kill(Processes.wait(for: datapath.union(marked).subtracting(control), seconds: 1)))
        // Started in between by a control process that was on its way out.
        let late = Processes.withEnvironment("\(LabRecord.environmentKey)=\(record.id)").subtracting(left)
        left.formUnion(kill(late))
        removal.trouble += left.map { "process \($0.pid) (\($0.name)) does not end" }.sorted()
    }

    /// Kills and answers who survives that.
    private func kill(_ processes: Set<ProcessIdentity>) -> Set<ProcessIdentity> {
        for process in processes { process.send(SIGKILL) }
        return Processes.wait(for: processes, seconds: 2)
    }

    /// What runs inside the lab's namespaces was started there by somebody, and would keep their devices alive.
    private func endInhabitants(_ record: LabRecord, _ removal: inout LabRemoval) {
        let namespaces = record.ownNamespaces.compactMap { namespace in
            NamespaceIdentity(path: "\(NetworkNamespace.directory)/\(namespace.name)").map { ($0, namespace.name) }
        }
        // A file whose namespace was never bound is on the file system of /run, where no process lives.
        let names = Dictionary(namespaces) { first, _ in first }
        let inhabitants = Processes.inside(Set(names.keys))
        for process in inhabitants {
            let place = NamespaceIdentity(path: "/proc/\(process.pid)/ns/net").flatMap { names[$0] } ?? "?"
            removal.ended.append("\(process.name) (\(process.pid)) in \(place)")
        }
        removal.ended.sort()
        let left = Processes.end(inhabitants, grace: 2)
        removal.trouble += left.map { "process \($0.pid) (\($0.name)) does not end" }.sorted()
    }
}
