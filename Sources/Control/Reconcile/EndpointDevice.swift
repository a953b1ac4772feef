import Glibc

/// The life of one endpoint's device as the switch sees it: which state it is in and what an event asks for. Values in,
/// values out; the runner has the sockets and the clock.
///
/// Devices that exist already are taken up again when an interface of their name is there. Interfaces that the switch
/// makes are made again. At most one `open` is under way at a time.
public struct EndpointDevice: Sendable, Equatable {
    /// Retries begin after this time, double each time, and never wait longer than `longestRetry`.
    static let firstRetry = 100
    static let longestRetry = 5000

    public let plan: EndpointPlan
    public private(set) var state: DeviceState = .missing
    /// Of the interface that was opened; 0 when none is or it has none.
    public private(set) var index: UInt32 = 0
    /// What the interface has, in bytes; nil before anybody looked.
    public private(set) var mtu: Int?

    /// Whether the datapath has a descriptor of it.
    private var isAttached = false
    /// Whether an `open` was asked for and not yet answered.
    private var isOpening = true
    private var isRetryComing = false
    /// The interface of that name, as the kernel last described it.
    private var latest: LinkFacts?
    /// Opens that failed since the last that did not.
    private var failedOpens = 0
    /// Descriptors that failed in service since the kernel last had news of the interface.
    private var failures = 0

    /// An endpoint that is being opened for the first time.
    public init(plan: EndpointPlan) { self.plan = plan }

    /// The interface whose events concern this endpoint: the device, the TAP, or the switch's end of a veth pair. Of
    /// what the switch made, whatever `opened` said it is called.
    public var watchedName: String? {
        if plan.medium.isMade, isAttached, let latest { return latest.name }
        if case .veth(_, _, let ownEnd) = plan.medium { return ownEnd }
        return plan.medium.interface
    }

    /// What to do about an event. Events of other interfaces ask for nothing.
    public mutating func handle(_ event: DeviceEvent) -> [DeviceAction] {
        let before = state
        var actions = react(to: event)
        if state != before { actions.append(.stateChanged(state)) }
        return actions
    }

    private mutating func react(to event: DeviceEvent) -> [DeviceAction] {
        switch event {
        case .opened(let facts):
            opened(facts)
            return []
        case .openFailed(let number): return openFailed(number)
        case .namespaceMissing:
            isOpening = false
            state = .namespaceMissing
            return retry()
        case .link(let facts): return seen(facts)
        case .gone(let name, let number): return gone(name, number)
        case .resync(let links): return resync(links)
        case .endpointFailed(let number): return failed(number)
        case .retry:
            isRetryComing = false
            return open()
        }
    }

    // MARK: Opening

    private mutating func open() -> [DeviceAction] {
        guard !isAttached, !isOpening else { return [] }
        isOpening = true
        return [.open(index: latest?.index)]
    }

    private mutating func retry() -> [DeviceAction] {
        guard !isRetryComing else { return [] }
        isRetryComing = true
        return [.retryAfter(milliseconds: min(Self.firstRetry << min(failedOpens + failures, 6), Self.longestRetry))]
    }

    private mutating func opened(_ facts: LinkFacts?) {
        isOpening = false
        isAttached = true
        failedOpens = 0
        latest = facts ?? latest
        index = facts?.index ?? 0
        mtu = facts?.mtu
        state = facts?.isUp ?? true ? .working : .down
    }

    private mutating func openFailed(_ number: Int32) -> [DeviceAction] {
        isOpening = false
        guard number == ENODEV || number == ENXIO, !plan.medium.isMade else {
            state = .failed(errno: number)
            let actions = retry()
            failedOpens += 1
            return actions
        }
        state = .missing
        // The kernel will announce it. If it did while the open was under way, try once more.
        guard latest != nil else { return [] }
        latest = nil
        return retry()
    }

    // MARK: The kernel's news

    private mutating func seen(_ facts: LinkFacts) -> [DeviceAction] {
        guard facts.name == watchedName else {
            // A device goes by its name: ours under another name is gone. What the switch made stays its own.
            guard isAttached, index != 0, facts.index == index else { return [] }
            guard plan.medium.isMade else { return lose(index) }
            return serving(facts)
        }
        latest = facts
        guard isAttached else { return taken(facts) }
        // Another interface of this name: news of the end of ours is on its way.
        return index == 0 || facts.index == index ? serving(facts) : []
    }

    /// News of the interface behind the descriptor.
    private mutating func serving(_ facts: LinkFacts) -> [DeviceAction] {
        latest = facts
        var actions: [DeviceAction] = []
        if let old = mtu, old != facts.mtu { actions.append(.mtuChanged(from: old, to: facts.mtu)) }
        index = facts.index
        mtu = facts.mtu
        if facts.isUp, state == .down { failures = 0 }
        state = facts.isUp ? .working : .down
        return actions
    }

    /// An interface of the right name while there is no descriptor.
    private mutating func taken(_ facts: LinkFacts) -> [DeviceAction] {
        // What the switch makes is announced while it is being made.
        if plan.medium.isMade { return [] }
        if !facts.isUp, state != .missing {
            state = .down
            return []
        }
        failures = 0
        return open()
    }

    private mutating func gone(_ name: String, _ number: UInt32) -> [DeviceAction] {
        let isOurs = isAttached && index != 0 && number == index
        guard name == watchedName || isOurs else { return [] }
        if latest?.index == number { latest = nil }
        if isAttached {
            // Otherwise it is the end of an earlier interface of that name.
            return isOurs || index == 0 ? lose(number) : []
        }
        if latest == nil, !plan.medium.isMade { state = .missing }
        return []
    }

    private mutating func resync(_ links: [LinkFacts]) -> [DeviceAction] {
        guard let name = watchedName else { return [] }
        let byIndex = links.first { isAttached && plan.medium.isMade && index != 0 && $0.index == index }
        guard let facts = byIndex ?? links.first(where: { $0.name == name }) else {
            return gone(name, isAttached ? index : latest?.index ?? 0)
        }
        if isAttached, index != 0, facts.index != index {
            latest = facts
            return lose(index)
        }
        return seen(facts)
    }

    /// The interface behind the descriptor is no more. Takes up the next one at once if it is there already.
    private mutating func lose(_ number: UInt32) -> [DeviceAction] {
        if latest?.index == number { latest = nil }
        isAttached = false
        index = 0
        mtu = nil
        state = .missing
        if plan.medium.isMade {
            let again = retry()
            failures += 1
            return [.detach] + again
        }
        failures = 0
        return [.detach] + (latest == nil ? [] : open())
    }

    private mutating func failed(_ number: Int32) -> [DeviceAction] {
        guard isAttached else { return [] }
        isAttached = false
        index = 0
        if number == ENETDOWN, let latest, !latest.isUp, !plan.medium.isMade {
            state = .down
            return [.detach]
        }
        state = .failed(errno: number)
        let again = retry()
        failures += 1
        return [.detach] + again
    }
}
