import CLinux
import Control
import Glibc
import Netlink
import Rings

// What happens to a running switch without being asked: devices come and go, a datapath dies.

extension Switch {
    func handle(_ descriptor: Int32) {
        if descriptor < 0 { return handleTimer(~descriptor) }
        if descriptor == datapath?.socket { return handleDatapath() }
        if descriptor == maker.follower.descriptor { return handleFollowed() }
        guard let (identity, monitor) = monitors.first(where: { $0.value.descriptor == descriptor }) else { return }
        let events = monitor.drain()
        pump.arm(descriptor)
        for event in events { handle(event, in: identity) }
    }

    // MARK: The datapath

    private func handleDatapath() {
        guard let link = datapath else { return }
        guard let news = link.drain() else { return restartDatapath() }
        pump.arm(link.socket)
        for command in news where command.kind == Command.Kind.endpointFailed {
            feed(command.slot, .endpointFailed(errno: Int32(bitPattern: command.value)))
        }
    }

    /// The datapath is gone; its descriptors, counters and learned addresses are still here. A frame that kills it every
    /// time must not make this loop spin: after five deaths in ten seconds each further start waits a second.
    private func restartDatapath() {
        guard let old = datapath else { return }
        pump.forget(old.socket)
        datapath = nil
        for slot in captures.keys { endCapture(slot) }
        old.reap()
        let now = linux_monotonic()
        recentRestarts = recentRestarts.filter { now - $0 < 10_000_000_000 } + [now]
        restarts += 1
        logger.error("the datapath died and is started again", metadata: ["pid": "\(old.pid)"])
        guard recentRestarts.count <= 5 else { return after(milliseconds: 1000, .startDatapath) }
        tryStart()
    }

    /// Starts the datapath again with another number of workers. Meanwhile frames wait in their devices.
    func changeWorkers(to count: Int) {
        workers = count
        // One that is being started already will have them.
        guard let old = datapath else { return }
        pump.forget(old.socket)
        datapath = nil
        for slot in captures.keys { endCapture(slot) }
        old.kill()
        logger.notice("the datapath is started again", metadata: ["workers": "\(count)"])
        tryStart()
    }

    private func tryStart() {
        guard datapath == nil else { return }
        do {
            try startDatapath()
        } catch {
            logger.critical("the datapath cannot be started", metadata: ["error": "\(error)"])
            after(milliseconds: 1000, .startDatapath)
        }
    }

    // MARK: Devices

    /// One monitor for each namespace in which a device of ours is.
    func watchNamespaces() {
        var wanted: [NamespaceIdentity: NetworkNamespace] = [:]
        for endpoint in served.values {
            if let place = endpoint.watched { wanted[place.identity] = place }
        }
        // A lost device of the host is awaited here.
        if devices.keys.contains(where: { served[$0] == nil }) { wanted[maker.host.identity] = maker.host }
        for (identity, monitor) in monitors where wanted[identity] == nil {
            pump.forget(monitor.descriptor)
            monitors[identity] = nil
        }
        for (identity, place) in wanted where monitors[identity] == nil {
            do {
                let monitor = try LinkMonitor(in: place)
                monitors[identity] = monitor
                pump.watch(monitor.descriptor)
            } catch {
                logger.warning("a namespace cannot be watched", metadata: ["error": "\(error)"])
            }
        }
    }

    private func handle(_ event: LinkEvent, in identity: NamespaceIdentity) {
        let slots = devices.keys.filter { slot in
            served[slot]?.location == identity
                || served[slot] == nil && identity == maker.host.identity
        }
        switch event {
        case .changed(let link): for slot in slots { feed(slot, .link(LinkFacts(link))) }
        case .removed(let index, let name): for slot in slots { feed(slot, .gone(name: name, index: UInt32(index))) }
        case .overrun:
            logger.warning("link events were lost; looking at every link again")
            guard
                let place = served.values.compactMap(\.watched).first(where: { $0.identity == identity })
                    ?? (identity == maker.host.identity ? maker.host : nil),
                let links = try? Netlink(in: place).links()
            else { return }
            for slot in slots { feed(slot, .resync(links.map(LinkFacts.init))) }
        default: break
        }
    }

    /// Devices in tenants' namespaces. Where events were lost every one of them is looked at again.
    func handleFollowed() {
        let events = maker.follower.drain()
        pump.arm(maker.follower.descriptor)
        for (identity, event) in events {
            if let identity {
                handle(event, in: identity)
            } else {
                logger.warning("link events were lost; looking at every link again")
                lookAtEveryDevice()
            }
        }
    }

    /// Compares what is there with what was known, after events may have been missed.
    func lookAtEveryDevice() {
        for (slot, endpoint) in served where endpoint.location != nil {
            let name = endpoint.plan.medium.namespace
            guard let place = endpoint.watched ?? name.flatMap({ try? NetworkNamespace(named: $0) }) else {
                feed(slot, .namespaceMissing)
                continue
            }
            guard let links = try? Netlink(in: place).links() else { continue }
            feed(slot, .resync(links.map(LinkFacts.init)))
        }
    }

    /// Tells an endpoint's state machine what happened and does what it asks for.
    func feed(_ slot: UInt32, _ event: DeviceEvent) {
        guard var device = devices[slot] else { return }
        let actions = device.handle(event)
        devices[slot] = device
        for action in actions {
            switch action {
            case .detach:
                lastPlans[slot] = served[slot]?.plan ?? lastPlans[slot]
                served[slot] = nil
                datapath?.send(Command(Command.Kind.detach, slot: slot))
                try? sync()
            case .open:
                guard let plan = served[slot]?.plan ?? lastPlans[slot] else { continue }
                feed(slot, reopen(plan))
            case .retryAfter(let milliseconds): after(milliseconds: milliseconds, .retry(slot))
            case .mtuChanged(let old, let new):
                logger.warning("MTU changed", metadata: ["slot": "\(slot)", "from": "\(old)", "to": "\(new)"])
            case .stateChanged(let state):
                logger.notice(
                    "endpoint changed",
                    metadata: ["endpoint": "\(name(of: slot))", "state": "\(state)"]
                )
            }
        }
        watchNamespaces()
    }

    func name(of slot: UInt32) -> String {
        guard let snapshot, slot < snapshot.endpointCount else { return "slot \(slot)" }
        return snapshot.text(snapshot.endpoints[Int(slot)].name)
    }

    // MARK: Timers

    enum Timer: Sendable {
        case startDatapath
        case retry(UInt32)
    }

    private func after(milliseconds: Int, _ timer: Timer) {
        let number: Int32
        switch timer {
        case .startDatapath: number = Int32.max
        case .retry(let slot): number = Int32(slot)
        }
        Task { [pump] in
            try? await Task.sleep(for: .milliseconds(milliseconds))
            pump.post(~number)
        }
    }

    private func handleTimer(_ number: Int32) {
        if number == Int32.max { return tryStart() }
        feed(UInt32(number), .retry)
    }
}
