import API
import Control
import Glibc
import Model
import Netlink
import Ports
import Rings
import Tables
import Wire

// One transaction: what the file says becomes what stands, whole or not at all.

extension Switch {
    /// What a transaction leads to.
    private struct Target {
        var topology: Topology
        var text: String
        var underlayMTU: Int
        /// What leads there from the file in force, when that is known.
        var edit: TopologyEdit?
    }

    /// What is about to be in force.
    private struct Stage {
        var image: SharedMemory
        var endpoints: [EndpointPlan]
        var allocation: SlotAllocation
        var indexes: [EndpointKey: UInt32]
    }

    /// Makes the switch match a file. Throws `TopologyError` with file and line for what the file or one of its devices is
    /// to blame for; the switch then goes on exactly as before.
    func commit(_ new: TopologyFile) throws -> ApplyResult {
        let mtu = underlayMTU(new.topology)
        let notes = restartNotes(new.topology)
        try realise(Target(topology: new.topology, text: new.text, underlayMTU: mtu))
        let changes = Topology.difference(from: source?.topology, to: new.topology)
        source = new
        return result(changes, applied: true, mtu, warnings(mtu) + notes)
    }

    /// The same for the next version of the file in force.
    func commit(_ edit: TopologyEdit) throws -> ApplyResult {
        let (mtu, before) = (warned?.underlayMTU, warned)
        // Nobody else holds it meanwhile, so that it is changed in place.
        guard var new = source else { throw SystemRefusal("find the file in force", settings.host, errno: ENOENT) }
        source = nil
        new.apply(edit)
        do {
            let underlayMTU = underlayMTU(new.topology)
            let notes = restartNotes(new.topology)
            try realise(Target(topology: new.topology, text: new.text, underlayMTU: underlayMTU, edit: edit))
            source = new
            if let before, mtu == underlayMTU, edit.changedMACs != nil { warned = before }
            return result(edit.changes, applied: true, underlayMTU, warnings(underlayMTU) + notes)
        } catch {
            new.apply(edit.inverse)
            source = new
            throw error
        }
    }

    /// What a commit of this topology would change.
    func preview(_ new: Topology, _ changes: [Change]) throws -> ApplyResult {
        let mtu = underlayMTU(new)
        _ = try compile(new, mtu, indexes: interfaceIndexes(served))
        return result(changes, applied: false, mtu, new.warnings(underlayMTU: mtu) + restartNotes(new))
    }

    private func result(_ changes: [Change], applied: Bool, _ mtu: Int, _ warnings: [Problem]) -> ApplyResult {
        ApplyResult(
            changes: changes.map(ApplyResult.Change.init),
            applied: applied,
            warnings: warnings.map(ProblemView.init)
        )
    }

    /// Of the file in force. Other MACs are nothing to warn of.
    private func warnings(_ underlayMTU: Int) -> [Problem] {
        if let warned, warned.underlayMTU == underlayMTU { return warned.problems }
        let problems = source?.topology.warnings(underlayMTU: underlayMTU) ?? []
        warned = (underlayMTU, problems)
        return problems
    }

    private func realise(_ target: Target) throws {
        var stage = try stage(target, indexes: interfaceIndexes(served), before: nil)
        let plan = Reconciler.actions(desired: stage.endpoints, observed: observed())
        var undo: [() -> Void] = []
        var opened: [UInt32: OpenedEndpoint] = [:]
        var reconfigured: [UInt32: EndpointPlan] = [:]
        do {
            for action in plan.before { try perform(action, &opened, &reconfigured, &undo) }
            let slots = Set(stage.endpoints.map(\.slot))
            var standing = served.filter { slots.contains($0.key) }
            for (slot, endpoint) in opened { standing[slot] = endpoint }
            stage = try self.stage(target, indexes: interfaceIndexes(standing), before: stage)
            try switchOver(to: stage.image, opened)
        } catch {
            for step in undo.reversed() { step() }
            throw error
        }
        // From here on the new state is in force; what follows cannot fail in a way that matters to frames.
        for action in plan.after { finish(action) }
        for (slot, plan) in reconfigured { adopt(plan, slot) }
        for plan in stage.endpoints where opened[plan.slot] == nil && reconfigured[plan.slot] == nil {
            adopt(plan, plan.slot)
        }
        watchNamespaces()
        allocation = stage.allocation
        compiled = (stage.endpoints, target.underlayMTU, stage.indexes)
        inherited = [:]
        warned = nil
        do {
            try writeFile(settings.path("applied.yaml"), target.text)
        } catch {
            logger.warning("the applied file could not be kept for a restart", metadata: ["error": "\(error)"])
        }
        followWorkers(of: target.topology)
    }

    /// The snapshot of what is wanted. `before` is the one that was made when other interfaces stood.
    private func stage(_ target: Target, indexes: [EndpointKey: UInt32], before: Stage?) throws -> Stage {
        if let before, before.indexes == indexes { return before }
        if let edit = target.edit, let compiled, let image, compiled.underlayMTU == target.underlayMTU,
            compiled.indexes == indexes,
            let change = Retelling(
                edit,
                generation: generation + 1,
                allocation: allocation,
                endpoints: compiled.endpoints
            ), let next = try SharedMemory.sealed("sluice-snapshot", copyOf: image, { change.patch.apply(to: $0) })
        {
            return Stage(image: next, endpoints: change.endpoints, allocation: allocation, indexes: indexes)
        }
        let new = try compile(target.topology, target.underlayMTU, indexes: indexes)
        return Stage(
            image: try SharedMemory.sealed("sluice-snapshot", new.image),
            endpoints: new.endpoints,
            allocation: new.allocation,
            indexes: indexes
        )
    }

    /// What the operator should know before the number of workers changes.
    private func restartNotes(_ new: Topology) -> [Problem] {
        guard datapath != nil, let host = new.hosts.first(where: { $0.name == settings.host }), host.workers != workers
        else { return [] }
        return [
            host.workersMark.problem(
                "another number of workers (\(workers) -> \(host.workers)) takes a restart of the datapath: frames wait "
                    + "for some hundredths of a second, and what was learned and counted is kept"
            )
        ]
    }

    /// Has as many workers as the file in force says.
    private func followWorkers(of topology: Topology) {
        guard let host = topology.hosts.first(where: { $0.name == settings.host }), host.workers != workers else {
            return
        }
        changeWorkers(to: host.workers)
    }

    /// What the command line says, or what the device with the VTEP's address, or the uplink's bridge or device, has.
    private func underlayMTU(_ topology: Topology) -> Int {
        if let mtu = settings.underlayMTU { return mtu }
        guard let host = topology.hosts.first(where: { $0.name == settings.host }) else {
            return LabSettings.defaultMTU
        }
        switch host.underlay {
        case .tap(_, let device, _, _), .device(let device, _, _):
            return maker.underlayMTU(device: device) ?? LabSettings.defaultMTU
        case .socket: break
        }
        return maker.underlayMTU(host.vteps) ?? LabSettings.defaultMTU
    }

    private func compile(_ new: Topology, _ mtu: Int, indexes: [EndpointKey: UInt32]) throws -> Compiled {
        do {
            return try Compiler.compile(
                topology: new,
                host: settings.host,
                underlayMTU: mtu,
                interfaceIndexes: indexes,
                generation: generation + 1,
                seed: seed,
                allocation: allocation
            )
        } catch {
            throw TopologyError(problems: [error.problem])
        }
    }

    /// Interfaces of tenants in the host's own namespace, from which no tunnel packet may come.
    private func interfaceIndexes(_ served: [UInt32: OpenedEndpoint]) -> [EndpointKey: UInt32] {
        var indexes: [EndpointKey: UInt32] = [:]
        for endpoint in served.values {
            guard endpoint.isTenants, let interface = endpoint.interface else { continue }
            indexes[endpoint.plan.key] = interface.index
        }
        return indexes
    }

    private func observed() -> [ObservedEndpoint] {
        served.map { slot, endpoint in inherited[slot] ?? ObservedEndpoint(endpoint.plan) }
    }

    // MARK: Steps

    private func perform(
        _ action: EndpointAction,
        _ opened: inout [UInt32: OpenedEndpoint],
        _ reconfigured: inout [UInt32: EndpointPlan],
        _ undo: inout [() -> Void]
    ) throws {
        switch action {
        case .open(let plan), .replace(let plan, _):
            let endpoint = try blaming(plan) { try maker.open(plan) }
            opened[plan.slot] = endpoint
            undo.append { [maker] in maker.remove(plan.medium, madeAsVeth: endpoint.kind == .packet) }
        case .reconfigure(let plan, let changes, let old):
            guard let endpoint = served[plan.slot] else { return }
            reconfigured[plan.slot] = plan
            undo.append { [maker] in try? maker.reconfigure(endpoint, to: endpoint.plan, changes, from: .init(plan)) }
            try blaming(plan) { try maker.reconfigure(endpoint, to: plan, changes, from: old) }
        case .close(let slot, _, _, _):
            // Only where an interface changes hands: the new owner needs its name.
            guard let endpoint = served[slot] else { return }
            closeEndpoint(slot)
            undo.append { [self] in self.reopen(endpoint.plan) }
        }
    }

    /// Turns a refusal of the system into a problem of the line that asked for it.
    private func blaming<T>(_ plan: EndpointPlan, _ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch {
            throw TopologyError(problems: [plan.mark.problem("\(error)")])
        }
    }

    private func switchOver(to memory: SharedMemory, _ opened: [UInt32: OpenedEndpoint]) throws {
        let view = try Snapshot(validating: UnsafeRawBufferPointer(start: memory.base, count: memory.count))
        guard let datapath else { throw SystemRefusal("reach the datapath", settings.host, errno: EPIPE) }
        do {
            // Known before it is read, attached before it is sent to: no frame meets half of the change.
            for (slot, endpoint) in opened { attach(slot, endpoint, wide: Command.untilSnapshot) }
            datapath.send(Command(Command.Kind.snapshot, wide: view.generation), fds: [memory.fd])
            try sync()
        } catch {
            for slot in opened.keys {
                if let old = served[slot] {
                    attach(slot, old)
                } else {
                    datapath.send(.init(Command.Kind.detach, slot: slot))
                }
            }
            view.forget()
            throw error
        }
        // What the kernel has told about interfaces while they were set up concerns nobody yet.
        handleFollowed()
        for (slot, endpoint) in opened {
            if let old = served[slot], old.plan.medium != endpoint.plan.medium {
                maker.remove(old.plan.medium, madeAsVeth: old.kind == .packet)
            }
            served[slot] = endpoint
            var device = EndpointDevice(plan: endpoint.plan)
            _ = device.handle(.opened(endpoint.interface))
            devices[slot] = device
        }
        snapshot?.forget()
        image = memory
        snapshot = view
        generation = view.generation
    }

    private func finish(_ action: EndpointAction) {
        if case .close(let slot, _, _, _) = action { closeEndpoint(slot) }
    }

    /// Ends an endpoint: no frames, no descriptors, no device of ours.
    func closeEndpoint(_ slot: UInt32) {
        guard let endpoint = served.removeValue(forKey: slot) else { return }
        datapath?.send(Command(Command.Kind.detach, slot: slot))
        devices[slot] = nil
        try? sync()
        maker.remove(endpoint.plan.medium, madeAsVeth: endpoint.kind == .packet)
    }

    /// The endpoint is served as before, by a plan that says more, or something else, about it.
    private func adopt(_ plan: EndpointPlan, _ slot: UInt32) {
        guard let endpoint = served[slot] else { return }
        endpoint.plan = plan
        var device = EndpointDevice(plan: plan)
        _ = device.handle(.opened(endpoint.interface))
        if devices[slot]?.state == .working || devices[slot] == nil { devices[slot] = device }
    }

    /// Opens an endpoint of the state in force again, after its device was lost or a transaction was undone.
    @discardableResult
    func reopen(_ plan: EndpointPlan) -> DeviceEvent {
        do {
            let endpoint = try maker.open(plan)
            handleFollowed()
            served[plan.slot] = endpoint
            attach(plan.slot, endpoint)
            try sync()
            watchNamespaces()
            return .opened(endpoint.interface)
        } catch let error as NetlinkError {
            if let name = plan.medium.namespace, !NetworkNamespace.exists(name) { return .namespaceMissing }
            return .openFailed(errno: error.errno)
        } catch let error as PortError {
            return .openFailed(errno: error.code)
        } catch {
            return .openFailed(errno: EIO)
        }
    }
}
