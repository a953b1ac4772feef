import API
import CLinux
import Control
import Glibc
import Logging
import Model
import Netlink
import Ports
import Rings
import Tables
import Wire

/// A running switch as its control process sees it: what the file says, what stands, and the datapath that serves it.
/// Changes are rare and come one by one, so an actor holds all of it; frames never pass here.
actor Switch {
    /// What the command line says and never changes.
    struct Settings: Sendable {
        var host: String
        var runDirectory: String
        var namespace: String?
        var underlayMTU: Int?
        var version: String

        func path(_ name: String) -> String { "\(runDirectory)/\(name)" }
    }

    let settings: Settings
    let logger: Logger
    let pump: EventPump
    let maker: DeviceMaker
    let started = linux_monotonic()

    // What should be.
    var source: TopologyFile?
    /// What the file in force deserves a warning for, above an underlay.
    var warned: (underlayMTU: Int, problems: [Problem])?
    /// Files that were to be applied so far.
    var applies = 0
    var allocation = SlotAllocation()
    var generation: UInt64 = 0
    let seed: UInt64
    /// What the snapshot in force was compiled for and with.
    var compiled: (endpoints: [EndpointPlan], underlayMTU: Int, indexes: [EndpointKey: UInt32])?

    // What stands.
    var served: [UInt32: OpenedEndpoint] = [:]
    var devices: [UInt32: EndpointDevice] = [:]
    /// What endpoints whose device is lost are to be made of when they can.
    var lastPlans: [UInt32: EndpointPlan] = [:]
    /// Endpoints of a datapath that was taken over, until the first commit has matched them with the file.
    var inherited: [UInt32: ObservedEndpoint] = [:]
    var monitors: [NamespaceIdentity: LinkMonitor] = [:]

    // The datapath.
    var datapath: DatapathLink?
    var datapathStarted: UInt64 = 0
    var restarts = 0
    var recentRestarts: [UInt64] = []
    /// Of its workers, by number, then of workers that an earlier datapath had.
    var states: [SharedMemory] = []
    var regions: [StateRegion] = []
    /// Workers of the datapath that runs, or that is to be started.
    var workers = 1
    /// So many of the regions know all that was learned; the others were not told any more.
    var informed = 0
    var image: SharedMemory?
    var snapshot: Snapshot?

    var captures: [UInt32: CaptureSession] = [:]

    init(settings: Settings, logger: Logger) throws {
        self.settings = settings
        self.logger = logger
        pump = try EventPump()
        maker = try DeviceMaker(
            host: try settings.namespace.map { try NetworkNamespace(named: $0) } ?? NetworkNamespace.current()
        )
        seed = UInt64.random(in: 1...UInt64.max)
    }

    // MARK: Life

    /// Takes over a running datapath, or starts one with this many workers. Returns whether one was running.
    func begin(workers: Int) throws -> Bool {
        if let (link, inheritance) = try DatapathLink.adopt(
            path: settings.path("datapath.sock"),
            pidFile: settings.path("datapath.pid")
        ) {
            try takeOver(link, inheritance)
            return true
        }
        self.workers = workers
        try startDatapath()
        return false
    }

    /// Goes on where an earlier control process stopped. What was committed last is the truth, whatever file this start
    /// names. A refusal is no reason to stop what forwards: the switch serves what it inherited, and says so.
    func resume(_ first: FirstFile) {
        defer { linux_trim_memory() }
        do {
            guard var file = first.take() else { return }
            if let text = try? readFile(settings.path("applied.yaml")) {
                file = try TopologyFile(text: text, name: file.name)
            }
            _ = try commit(file)
        } catch {
            logger.error(
                "forwarding goes on as it was; the configuration could not be applied",
                metadata: ["error": "\(error)"]
            )
        }
        lookAtEveryDevice()
    }

    /// Handles what the system reports until the stream of events ends.
    func watch() async {
        pump.watch(maker.follower.descriptor)
        for await event in pump.events { handle(event) }
    }

    /// Ends the switch: the datapath stops and everything that was made is removed.
    func end() {
        datapath?.terminate()
        datapath = nil
        for (slot, endpoint) in served {
            maker.remove(endpoint.plan.medium, madeAsVeth: endpoint.kind == .packet)
            served[slot] = nil
        }
        for name in ["datapath.sock", "datapath.pid", "control.pid", "applied.yaml"] { unlink(settings.path(name)) }
    }

    // MARK: The datapath process

    /// A region for each worker. One that the last datapath had no worker for begins with what the first one knows.
    private func prepareStates() throws {
        for number in 0..<workers where number >= informed {
            if number == states.count {
                let capacity = regions.first?.capacity ?? .standard
                let memory = try SharedMemory.create("sluice-state", size: StateRegion.size(capacity))
                StateRegion.format(memory.base, capacity, seed: regions.first?.seed ?? seed)
                try keep(memory)
            }
            if number > 0 { regions[number].copyTaught(from: regions[0]) }
        }
        informed = workers
    }

    private func keep(_ memory: SharedMemory) throws {
        guard let region = StateRegion(memory.base, count: memory.count) else {
            throw SystemRefusal("use the datapath's state", "it is of another version", errno: EPROTO)
        }
        states.append(memory)
        regions.append(region)
    }

    func startDatapath() throws {
        try prepareStates()
        let link = try DatapathLink.spawn(
            path: settings.path("datapath.sock"),
            pidFile: settings.path("datapath.pid"),
            log: settings.path("datapath.log"),
            workers: workers
        )
        datapath = link
        datapathStarted = linux_monotonic()
        pump.watch(link.socket)
        for (number, memory) in states.enumerated() {
            link.send(Command(Command.Kind.state, slot: UInt32(number)), fds: [memory.fd])
        }
        for (slot, endpoint) in served { attach(slot, endpoint) }
        // A datapath begins to read with its first snapshot: until then frames wait in their devices.
        if let image, let snapshot {
            link.send(Command(Command.Kind.snapshot, wide: snapshot.generation), fds: [image.fd])
        }
        try sync()
        logger.info("datapath runs", metadata: ["pid": "\(link.pid)"])
    }

    /// Goes on with a datapath that an earlier control process left running: same slots, same descriptors.
    private func takeOver(_ link: DatapathLink, _ inheritance: DatapathLink.Inheritance) throws {
        datapath = link
        datapathStarted = linux_monotonic()
        pump.watch(link.socket)
        for number in inheritance.states.keys.sorted() {
            guard let fd = inheritance.states[number] else { continue }
            try keep(try SharedMemory.adopt(fd, writable: true))
        }
        workers = inheritance.workers
        informed = min(workers, regions.count)
        if let fd = inheritance.snapshot {
            let memory = try SharedMemory.adopt(fd, writable: false)
            let view = try Snapshot(validating: UnsafeRawBufferPointer(start: memory.base, count: memory.count))
            image = memory
            snapshot = view
            generation = view.generation
            allocation = SlotAllocation(recoveredFrom: view)
        }
        for (command, fds) in inheritance.endpoints {
            guard let snapshot, command.slot < snapshot.endpointCount, let kind = PortKind(rawValue: command.value)
            else {
                fds.forEach { close($0) }
                continue
            }
            inheritDescriptors(command.slot, kind, flags: command.extra, fds, snapshot)
        }
        watchNamespaces()
        logger.info(
            "took over a running datapath",
            metadata: ["pid": "\(link.pid)", "endpoints": "\(inherited.count)", "generation": "\(generation)"]
        )
    }

    private func inheritDescriptors(
        _ slot: UInt32,
        _ kind: PortKind,
        flags: UInt32,
        _ fds: [Int32],
        _ snapshot: Snapshot
    ) {
        let observed = ObservedEndpoint(slot: slot, in: snapshot)
        inherited[slot] = observed
        guard let key = observed.key, let medium = observed.medium else { return fds.forEach { close($0) } }
        let plan = EndpointPlan(
            slot: slot,
            generation: snapshot.endpoints[Int(slot)].generation,
            key: key,
            medium: medium,
            mac: nil,
            mtu: Int(snapshot.endpoints[Int(slot)].mtu),
            addresses: [],
            gateways: [],
            mark: Mark()
        )
        let found = maker.find(plan, kind, fds)
        served[slot] = OpenedEndpoint(
            plan: plan,
            kind: kind,
            flags: flags,
            descriptors: fds,
            interface: found.interface,
            watched: found.watched,
            followed: found.followed,
            isTenants: found.isTenants
        )
        var device = EndpointDevice(plan: plan)
        _ = device.handle(.opened(found.interface))
        devices[slot] = device
    }

    /// Has the datapath serve an endpoint; with `Command.untilSnapshot` it reads it only after the next snapshot.
    func attach(_ slot: UInt32, _ endpoint: OpenedEndpoint, wide: UInt64 = 0) {
        datapath?.send(
            Command(
                Command.Kind.endpoint,
                slot: slot,
                value: endpoint.kind.rawValue,
                extra: endpoint.flags,
                wide: wide
            ),
            fds: endpoint.descriptors
        )
    }

    func sync() throws {
        guard let datapath else { return }
        for refusal in try datapath.sync() {
            throw SystemRefusal(
                "have the datapath take command \(refusal.slot)",
                "slot \(refusal.extra)",
                errno: Int32(bitPattern: refusal.value)
            )
        }
    }

    // MARK: Files

    func readFile(_ path: String) throws -> String {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { throw SystemRefusal("read", path, errno: errno) }
        defer { close(fd) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let n = read(fd, &chunk, chunk.count)
            guard n >= 0 else { throw SystemRefusal("read", path, errno: errno) }
            if n == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk.prefix(n)
        }
    }

    /// Whole or not at all, also when the machine stops half-way.
    func writeFile(_ path: String, _ text: String) throws {
        let temporary = "\(path).new"
        let fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw SystemRefusal("write", temporary, errno: errno) }
        defer { close(fd) }
        var text = text
        try text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)[...]
            while !rest.isEmpty {
                let n = UnsafeRawBufferPointer(rebasing: rest).withMemoryRebound(to: UInt8.self) {
                    write(fd, $0.baseAddress, $0.count)
                }
                guard n > 0 else { throw SystemRefusal("write", temporary, errno: errno) }
                rest = rest.dropFirst(n)
            }
        }
        guard fsync(fd) == 0, rename(temporary, path) == 0 else {
            throw SystemRefusal("write", path, errno: errno)
        }
    }
}
