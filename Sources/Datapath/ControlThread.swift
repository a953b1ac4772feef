import CLinux
import Glibc
import Ports
import Rings
import Tables

/// The datapath's main thread: keeps every descriptor, maps snapshots, and turns the control process's commands into
/// orders for the workers, which it gives to one after the other. It serves one control process at a time; a new one
/// supersedes the old. When none is there the workers simply go on.
struct ControlThread: ~Copyable {
    /// An endpoint that all workers have been told of.
    private struct Attached {
        var command: Command
        var fds: [Int32]
        var port: PortIO
    }

    private let listener: Int32
    /// Of each worker.
    private let mailboxes: [Mailbox]
    private var connection: Int32 = -1
    /// What a successor of the control process is given: the command that attached each slot, and its descriptors.
    private var endpoints: [UInt32: Attached] = [:]
    private var ringCount = 0
    /// By number: those of the workers, and of workers that an earlier datapath had.
    private var stateFDs: [UInt32: Int32] = [:]
    private var snapshotFD: Int32 = -1
    private var snapshotMapping: Mapping?
    private var snapshot: Snapshot?
    private var generation: UInt64 = 0
    private var captures: [UInt32: Mapping] = [:]

    init(listener: Int32, mailboxes: [Mailbox]) {
        self.listener = listener
        self.mailboxes = mailboxes
    }

    /// Serves until the process is ended by a signal.
    mutating func run() -> Never {
        while true {
            var polled = [listener, connection].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            polled += mailboxes.map { pollfd(fd: $0.newsRead, events: Int16(POLLIN), revents: 0) }
            guard poll(&polled, nfds_t(polled.count), -1) > 0 else { continue }
            for (i, mailbox) in mailboxes.enumerated() where polled[2 + i].revents != 0 { forwardNews(mailbox) }
            if polled[1].revents != 0 { serveConnection() }
            if polled[0].revents != 0 { acceptConnection() }
        }
    }

    private mutating func acceptConnection() {
        let new = accept(listener, nil, nil)
        guard new >= 0 else {
            // Out of descriptors, most likely: do not spin on the pending connection.
            usleep(100_000)
            return
        }
        endConnection()
        connection = new
    }

    /// Captures belong to the control process that started them; everything else stays.
    private mutating func endConnection() {
        guard connection >= 0 else { return }
        close(connection)
        connection = -1
        for slot in captures.keys { stopCapture(slot) }
    }

    private func forwardNews(_ mailbox: Mailbox) {
        var news = Command(0)
        let size = MemoryLayout<Command>.size
        while withUnsafeMutableBytes(of: &news, { read(mailbox.newsRead, $0.baseAddress, size) }) == size {
            send(news)
        }
    }

    private func send(_ command: Command, fds: [Int32] = []) {
        guard connection >= 0 else { return }
        _ = withUnsafeBytes(of: command) { bytes in
            fds.withUnsafeBufferPointer {
                linux_send_descriptors(connection, bytes.baseAddress, bytes.count, $0.baseAddress, $0.count)
            }
        }
    }

    private mutating func serveConnection() {
        var command = Command(0)
        let size = MemoryLayout<Command>.size
        var received = [Int32](repeating: -1, count: Int(LINUX_MAX_DESCRIPTORS))
        var count = Int(LINUX_MAX_DESCRIPTORS)
        let n = withUnsafeMutableBytes(of: &command) { bytes in
            received.withUnsafeMutableBufferPointer {
                linux_receive_descriptors(connection, bytes.baseAddress, bytes.count, $0.baseAddress, &count, 0)
            }
        }
        let fds = Array(received.prefix(count))
        if n == -EAGAIN || n == -EINTR { return }
        guard n == size else {
            fds.forEach { close($0) }
            return endConnection()
        }
        guard command.version == Command.protocolVersion else {
            fds.forEach { close($0) }
            send(Command(Command.Kind.refused, slot: command.kind, value: UInt32(EPROTO)))
            return
        }
        let result = carryOut(command, fds)
        if result < 0 {
            fds.forEach { close($0) }
            send(Command(Command.Kind.refused, slot: command.kind, value: UInt32(-result), extra: command.slot))
        }
    }

    private mutating func carryOut(_ command: Command, _ fds: [Int32]) -> Int32 {
        switch command.kind {
        case Command.Kind.hello: return welcome()
        case Command.Kind.state: return takeState(command, fds)
        case Command.Kind.endpoint: return takeEndpoint(command, fds)
        case Command.Kind.detach: return detach(command.slot)
        case Command.Kind.snapshot: return takeSnapshot(command, fds)
        case Command.Kind.flush: return flush(command)
        case Command.Kind.capture: return startCapture(command, fds)
        case Command.Kind.captureStop:
            stopCapture(command.slot)
            return 0
        case Command.Kind.sync:
            // Orders are carried out one by one, so everything said before is in force.
            send(Command(Command.Kind.done, wide: command.wide))
            return 0
        default: return -EOPNOTSUPP
        }
    }

    /// Has every worker carry out an order. Returns the first refusal, or 0.
    private func perform(_ order: Order) -> Int32 {
        var result: Int32 = 0
        for mailbox in mailboxes {
            let answer = mailbox.perform(order)
            if result == 0 { result = answer }
        }
        return result
    }

    // MARK: Commands

    private func welcome() -> Int32 {
        let workers = UInt32(mailboxes.count)
        send(Command(Command.Kind.welcome, value: UInt32(getpid()), extra: workers, wide: generation))
        for endpoint in endpoints.values { send(endpoint.command, fds: endpoint.fds) }
        for (number, fd) in stateFDs { send(Command(Command.Kind.state, slot: number), fds: [fd]) }
        if snapshotFD >= 0 { send(Command(Command.Kind.snapshot, wide: generation), fds: [snapshotFD]) }
        send(Command(Command.Kind.done))
        return 0
    }

    private mutating func takeState(_ command: Command, _ fds: [Int32]) -> Int32 {
        let number = command.slot
        guard fds.count == 1, stateFDs[number] == nil else { return -EINVAL }
        guard number < UInt32(mailboxes.count) else {
            stateFDs[number] = fds[0]
            return 0
        }
        guard let mapping = Mapping(fds[0], writable: true, populate: false),
            var region = StateRegion(mapping.base, count: mapping.count)
        else { return -EINVAL }
        let result = withUnsafeMutablePointer(to: &region) {
            mailboxes[Int(number)].perform(
                Order(command: Command(Command.Kind.state), pointer: UnsafeMutableRawPointer($0))
            )
        }
        if result == 0 { stateFDs[number] = fds[0] }
        return result
    }

    private mutating func takeEndpoint(_ command: Command, _ fds: [Int32]) -> Int32 {
        guard !fds.isEmpty else { return -EINVAL }
        guard let port = fds.withUnsafeBufferPointer({ port(command, $0) })
        else { return -EINVAL }
        let result = perform(Order(command: command, port: port))
        guard result == 0 else {
            // Its descriptors are closed now, and their numbers may soon be somebody else's.
            _ = perform(Order(command: Command(Command.Kind.detach, slot: command.slot)))
            port.unmapRing()
            return result
        }
        let old = endpoints.updateValue(Attached(command: command, fds: fds, port: port), forKey: command.slot)
        if port.hasRing { ringCount += 1 }
        letGo(of: old)
        return 0
    }

    private func port(_ command: Command, _ descriptors: UnsafeBufferPointer<Int32>) -> PortIO? {
        guard let kind = PortKind(rawValue: command.value) else { return nil }
        return PortIO(
            kind: kind,
            flags: command.extra,
            descriptors: descriptors,
            makesRing: ringCount < PacketRingLayout.most
        )
    }

    /// Gives back what an endpoint took, once no worker knows it any more.
    private mutating func letGo(of endpoint: Attached?) {
        guard let endpoint else { return }
        if endpoint.port.hasRing { ringCount -= 1 }
        endpoint.port.unmapRing()
        endpoint.fds.forEach { close($0) }
    }

    private mutating func detach(_ slot: UInt32) -> Int32 {
        let result = perform(Order(command: Command(Command.Kind.detach, slot: slot)))
        letGo(of: endpoints.removeValue(forKey: slot))
        return result
    }

    private mutating func takeSnapshot(_ command: Command, _ fds: [Int32]) -> Int32 {
        guard fds.count == 1, let mapping = Mapping(fds[0], writable: false, populate: true) else { return -EINVAL }
        guard
            var new = try? Snapshot(
                validating: UnsafeRawBufferPointer(start: mapping.base, count: mapping.count)
            )
        else {
            mapping.unmap()
            return -EINVAL
        }
        // Whether it fits is the same for all workers: the first one's answer holds for all.
        let result = withUnsafeMutablePointer(to: &new) {
            let order = Order(command: command, pointer: UnsafeMutableRawPointer($0))
            let first = mailboxes[0].perform(order)
            guard first == 0 else { return first }
            for mailbox in mailboxes.dropFirst() {
                let answer = mailbox.perform(order)
                precondition(answer == 0, "workers of one datapath have state regions of one size")
            }
            return 0
        }
        guard result == 0 else {
            new.forget()
            mapping.unmap()
            return result
        }
        // Every worker has let go of the old one.
        snapshot?.forget()
        snapshotMapping?.unmap()
        snapshot = new
        if snapshotFD >= 0 { close(snapshotFD) }
        snapshotMapping = mapping
        snapshotFD = fds[0]
        generation = new.generation
        return 0
    }

    private func flush(_ command: Command) -> Int32 {
        let order = Order(command: command)
        var result = perform(order)
        // A worker that forgot first may have been told afterwards what another had not forgotten yet.
        if mailboxes.count > 1 { result = perform(order) }
        return result
    }

    private mutating func startCapture(_ command: Command, _ fds: [Int32]) -> Int32 {
        guard fds.count == 1, captures[command.slot] == nil else { return -EBUSY }
        guard let mapping = Mapping(fds[0], writable: true, populate: true) else { return -EINVAL }
        let size = mapping.count / mailboxes.count
        var result: Int32 = 0
        for (i, mailbox) in mailboxes.enumerated() where result == 0 {
            result = mailbox.perform(Order(command: command, pointer: mapping.base + i * size, size: size))
        }
        guard result == 0 else {
            _ = perform(Order(command: Command(Command.Kind.captureStop, slot: command.slot)))
            mapping.unmap()
            return result
        }
        captures[command.slot] = mapping
        close(fds[0])
        return 0
    }

    private mutating func stopCapture(_ slot: UInt32) {
        guard let mapping = captures.removeValue(forKey: slot) else { return }
        _ = perform(Order(command: Command(Command.Kind.captureStop, slot: slot)))
        mapping.unmap()
    }
}
