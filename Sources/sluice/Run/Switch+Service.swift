import API
import CLinux
import Control
import Forwarding
import Glibc
import Model
import Rings
import Tables

extension Switch: SwitchService {
    func process() -> ProcessStatus {
        let now = linux_monotonic()
        return ProcessStatus(
            host: settings.host,
            version: settings.version,
            config: source?.name ?? "",
            controlPID: getpid(),
            datapathPID: datapath?.pid,
            uptime: Int((now - started) / 1_000_000_000),
            datapathUptime: datapath == nil ? nil : Int((now - datapathStarted) / 1_000_000_000),
            datapathRestarts: restarts,
            workers: workers
        )
    }

    func endpoints() -> [EndpointStatus] {
        devices.keys.sorted().compactMap { slot in
            guard let device = devices[slot], let plan = served[slot]?.plan ?? lastPlans[slot] else { return nil }
            return EndpointStatus(slot: slot, plan: plan, device: device, remark: served[slot]?.remark ?? "")
        }
    }

    func withTables<T: Sendable>(_ body: @Sendable (Snapshot, WorkerStates) throws -> T) throws -> T {
        guard let snapshot, regions.count >= workers else {
            throw ServiceError(.unavailable, "the switch has no tables yet", advice: "Try again in a moment.")
        }
        let states = WorkerStates(Array(regions.prefix(workers)), former: Array(regions.dropFirst(workers)))
        return try body(snapshot, states)
    }

    func apply(text: String, file: String, dryRun: Bool) throws -> ApplyResult {
        defer { trimLater() }
        do {
            if let edit = source?.edit(to: text, name: file) {
                guard dryRun, var new = source else { return try commit(edit) }
                new.apply(edit)
                return try preview(new.topology, edit.changes)
            }
            let new = try TopologyFile(text: text, name: file)
            guard dryRun else { return try commit(new) }
            return try preview(new.topology, Topology.difference(from: source?.topology, to: new.topology))
        } catch let error as SystemRefusal {
            throw ServiceError(.failed, "\(error)", advice: "The switch goes on as before.")
        }
    }

    /// Large files and what is made of them leave much behind in the heap. It goes back to the system as soon as nothing
    /// is applied for a second: one change soon after another would take it again.
    private func trimLater() {
        applies += 1
        let ticket = applies
        Task {
            try? await Task.sleep(for: .seconds(1))
            if applies == ticket { linux_trim_memory() }
        }
    }

    func flush(segment: UInt32?) throws {
        datapath?.send(Command(Command.Kind.flush, slot: segment ?? noSlot))
        try sync()
    }
}

extension EndpointStatus {
    init(slot: UInt32, plan: EndpointPlan, device: EndpointDevice, remark: String) {
        let state: State =
            switch device.state {
            case .working: .up
            case .down: .down
            case .missing, .namespaceMissing: .missing
            case .failed: .failed
            }
        let text = device.text == "working" ? "" : device.text
        let detail = [text, remark].filter { !$0.isEmpty }.joined(separator: "; ")
        self.init(
            slot: slot,
            key: plan.key.description,
            device: plan.medium.description,
            namespace: plan.medium.namespace,
            state: state,
            detail: detail,
            interfaceIndex: device.index == 0 ? nil : Int(device.index),
            mac: plan.mac?.description,
            mtu: device.mtu ?? plan.mtu,
            addresses: plan.addresses.map(\.description)
        )
    }
}
