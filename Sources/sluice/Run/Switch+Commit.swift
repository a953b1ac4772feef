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
    /// Makes the switch match a topology. Throws `TopologyError` with file and line for what the file or one of its
    /// devices is to blame for; the switch then goes on exactly as before.
    func commit(_ new: Topology, text: String, file: String) throws -> ApplyResult {
        let mtu = underlayMTU(new)
        let first = try compile(new, mtu, indexes: interfaceIndexes(served))
        let plan = Reconciler.actions(desired: first.endpoints, observed: observed())
        var undo: [() -> Void] = []
        var opened: [UInt32: OpenedEndpoint] = [:]
        var reconfigured: [UInt32: EndpointPlan] = [:]
        do {
            for action in plan.before { try perform(action, &opened, &reconfigured, &undo) }
        } catch {
            for step in undo.reversed() { step() }
            throw error
        }
        var standing = served.filter { slot, _ in first.endpoints.contains { $0.slot == slot } }
        for (slot, endpoint) in opened { standing[slot] = endpoint }
        let indexes = interfaceIndexes(standing)
        let compiled: Compiled
        do {
            compiled = try compile(new, mtu, indexes: indexes)
            try switchOver(to: compiled, opened)
        } catch {
            for step in undo.reversed() { step() }
            throw error
        }
        // From here on the new state is in force; what follows cannot fail in a way that matters to frames.
        let changes = Topology.difference(from: topology, to: new).map(ApplyResult.Change.init)
        for action in plan.after { finish(action) }
        for (slot, plan) in reconfigured { adopt(plan, slot) }
        for plan in compiled.endpoints where opened[plan.slot] == nil && reconfigured[plan.slot] == nil {
            adopt(plan, plan.slot)
        }
        watchNamespaces()
        allocation = compiled.allocation
        inherited = [:]
        topology = new
        self.file = file
        do {
            try writeFile(settings.path("applied.yaml"), text)
        } catch {
            logger.warning("the applied file could not be kept for a restart", metadata: ["error": "\(error)"])
        }
        return ApplyResult(
            changes: changes,
            applied: true,
            warnings: new.warnings(underlayMTU: mtu).map(ProblemView.init)
        )
    }

    /// What a commit of this topology would change.
    func preview(_ new: Topology) throws -> ApplyResult {
        let mtu = underlayMTU(new)
        _ = try compile(new, mtu, indexes: interfaceIndexes(served))
        return ApplyResult(
            changes: Topology.difference(from: topology, to: new).map(ApplyResult.Change.init),
            applied: false,
            warnings: new.warnings(underlayMTU: mtu).map(ProblemView.init)
        )
    }

    /// What the command line says, or what the device with the VTEP's address or the uplink's bridge has.
    private func underlayMTU(_ topology: Topology) -> Int {
        if let mtu = settings.underlayMTU { return mtu }
        guard let host = topology.hosts.first(where: { $0.name == settings.host }) else {
            return LabSettings.defaultMTU
        }
        if case .tap(_, let bridge, _, _) = host.underlay {
            return maker.underlayMTU(bridge: bridge) ?? LabSettings.defaultMTU
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

    private func switchOver(to compiled: Compiled, _ opened: [UInt32: OpenedEndpoint]) throws {
        let memory = try SharedMemory.sealed("sluice-snapshot", compiled.image)
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
