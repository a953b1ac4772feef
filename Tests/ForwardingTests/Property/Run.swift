import Forwarding
import Glibc
import Rings
import Tables
import Wire

/// One cloud under fire.
struct Run {
    let cloud: Cloud
    let tables: LiveTables
    let memory: FrameMemory
    var reference: Reference
    private var source: FrameSource
    private var now: UInt32 = 1000
    /// What is being asked for, as the worker keeps it.
    private var questions: [Reference.Host] = []
    /// What the flows were hashed to.
    private var flows: [Flow: UInt32] = [:]

    init(seed: UInt64, _ memory: FrameMemory) throws {
        var random = SplitMix64(seed: seed)
        cloud = Cloud.random(&random)
        tables = try LiveTables(cloud.compile(), seed: random.next())
        reference = Reference(cloud)
        source = FrameSource(cloud, seed: random.next())
        self.memory = memory
        resolveSome(&random)
    }

    /// Some of the neighbours have answered already.
    private mutating func resolveSome(_ random: inout SplitMix64) {
        for interface in cloud.interfaces where cloud.networks[interface.network].transport != .routed {
            let number = cloud.networks[interface.network].number
            for host in Pool.hosts where random.chance(1, of: 2) {
                let address = random.chance(1, of: 2) ? Pool.ipv4(number, host) : Pool.ipv6(number, host)
                let host = Reference.Host(network: interface.network, address: address)
                if reference.hosts[host] != nil { continue }
                let mac = random.pick(Pool.macs)
                taught.neighbors.confirm(
                    segment: UInt32(interface.network),
                    address,
                    mac: mac,
                    creates: true,
                    now: now,
                    snapshot: tables.snapshot
                )
                reference.confirm(host, mac, creates: true, now)
            }
        }
    }

    private var taught: Taught { tables.state.taught }

    /// One frame through both; what they disagree about, if anything.
    mutating func step(explain isExplained: Bool, _ tally: inout Tally) -> String? {
        passTime()
        let arrival = source.next()
        let snapshot = tables.snapshot
        let frame = memory.place(arrival)
        let decision = decide(frame, snapshot: snapshot, taught: taught, now: now)
        let expected = reference.judge(arrival, now: now, flow: decision.flowHash)
        if let problem = expected.difference(from: decision) { return describe(arrival, problem) }
        if !bytesEqual(frame, arrival.bytes) { return describe(arrival, "decide changed the frame") }
        if let problem = checkFlow(arrival, decision) { return describe(arrival, problem) }

        let (answer, complaint) = AnswerCheck(self, arrival, decision, expected, now: now).run()
        if let complaint { return describe(arrival, "answer: \(complaint)") }
        // An echo request becomes its reply in place.
        let whole = memory.place(arrival)
        applyChanges(whole, decision)
        let copies = targets(decision).map { memory.copy(whole, decision, to: $0, tables, now: now) }
        if copies != expected.copies {
            return describe(arrival, "copies \(copies)\nexpected \(expected.copies)")
        }
        if let problem = escape(copies, decision) ?? checkHops(copies, decision, arrival) {
            return describe(arrival, problem)
        }
        if isExplained {
            let again = memory.place(arrival)
            let trace = Forwarding.explain(again, snapshot: snapshot, taught: taught, now: now)
            if let problem = compare(trace, decision, copies, answer) { return describe(arrival, problem) }
            if !bytesEqual(again, arrival.bytes) { return describe(arrival, "explain changed the frame") }
        }
        tally.count(self, decision, expected, copies)
        if let problem = learn(decision, expected) ?? settle(decision, expected, &tally) {
            return describe(arrival, problem)
        }
        return nil
    }

    private func targets(_ decision: Decision) -> [UInt32] {
        switch decision.verdict {
        case .forward: [decision.attachment]
        case .flood, .relay: Array(FloodTargets(decision, tables.snapshot))
        default: []
        }
    }

    // MARK: What goes on beside frames

    /// Seconds go by, questions are repeated and given up, and the underlay tells of narrow ways.
    private mutating func passTime() {
        if source.random.chance(1, of: 25) {
            now += UInt32(source.random.pick([1, 1, 1, 1, 1, 1, 2, 2, 5, 20]))
            if source.random.chance(1, of: 12) { now += UInt32(source.random.pick([60, 60, 70, 650])) }
            for host in questions {
                _ = taught.neighbors.review(
                    segment: UInt32(host.network),
                    host.address,
                    now: now,
                    snapshot: tables.snapshot
                )
                reference.review(host, now)
            }
            questions.removeAll { reference.resolved($0, now).map { $0.state == .failed || $0.questions == 0 } ?? true }
        }
        if source.random.chance(1, of: 200) {
            let peer = source.random.below(cloud.peers.count)
            let mtu = source.random.pick([60, 68, 100, 576, 1280, 1300, 1400, 1492])
            taught.learnPathMTU(UInt32(mtu), peer: UInt32(peer), now: now, snapshot: tables.snapshot)
            reference.learnPath(peer, mtu, now: now)
        }
    }

    private mutating func learn(_ decision: Decision, _ expected: Judgement) -> String? {
        guard decision.learns else { return nil }
        let lesson = taught.macs.learn(
            mac: decision.source,
            attachment: decision.ingress,
            now: now,
            snapshot: tables.snapshot
        )
        reference.learn(expected, now: now)
        return lesson == .evictedAnother || lesson == .limitReached ? "the learned table is too small: \(lesson)" : nil
    }

    /// Does with news about neighbours what the worker does.
    private mutating func settle(_ decision: Decision, _ expected: Judgement, _ tally: inout Tally) -> String? {
        guard let news = expected.news else { return nil }
        let snapshot = tables.snapshot
        let segment = UInt32(news.host.network)
        let address = news.host.address
        switch news.kind {
        case NeighborNews.Kind.learn, NeighborNews.Kind.update:
            let creates = news.kind == NeighborNews.Kind.learn
            taught.neighbors.confirm(
                segment: segment,
                address,
                mac: news.mac,
                creates: creates,
                now: now,
                snapshot: snapshot
            )
            reference.confirm(news.host, news.mac, creates: creates, now)
        default:
            let isAsked = taught.neighbors.ask(segment: segment, address, now: now, snapshot: snapshot)
            if reference.ask(news.host, now) != isAsked { return "asking: \(isAsked)" }
            if isAsked {
                if !questions.contains(news.host) { questions.append(news.host) }
                if let problem = QuestionCheck(self, decision.neighbor, news, now: now).run(&tally) {
                    return "question: \(problem)"
                }
            }
        }
        let entry = taught.neighbors.find(segment: segment, address, now: now, snapshot: snapshot)
        let known = reference.resolved(news.host, now)
        let states: [Resolved.State: UInt8] = [
            .incomplete: NeighborTable.State.incomplete, .reachable: NeighborTable.State.reachable,
            .failed: NeighborTable.State.failed,
        ]
        return entry.state == known.map { states[$0.state]! } ?? NeighborTable.State.none
            ? nil : "the neighbour table says \(entry), expected \(known.map { "\($0)" } ?? "nothing")"
    }

    // MARK: What must hold whatever the model says

    /// Isolation, from the bytes that leave: whoever reads them on the far side finds the network that they are meant for,
    /// and that is the one they came from or one of the same tenant's that a router leads to.
    private func escape(_ copies: [Copy], _ decision: Decision) -> String? {
        guard !copies.isEmpty else { return nil }
        let isRouted = decision.routing.segment != noSlot && decision.routing.hops > 0 || isRedirected(decision)
        let network = isRouted ? Int(decision.routing.segment) : Int(decision.segment)
        let tenant = cloud.networks[Int(decision.segment)].tenant
        if cloud.networks[network].tenant != tenant { return "a copy leaves the tenant for network \(network)" }
        for copy in copies {
            guard let target = cloud.attachments[copy.attachment], target.network == network else {
                return "a copy leaves the network by attachment \(copy.attachment)"
            }
            if case .port(let owner) = cloud.endpoints[target.endpoint].place, owner != tenant {
                return "a copy reaches a port of tenant \(owner)"
            }
            guard copy.reason == nil else { continue }
            if reference.network(of: copy, at: target.endpoint) != network {
                return "a copy is read as another network's at endpoint \(target.endpoint): \(copy.bytes.prefix(32))"
            }
            let offload = copy.offload
            let field = Int(offload.checksumStart) + Int(offload.checksumOffset) + 2
            if offload.needsChecksum && field > copy.bytes.count { return "a checksum lies outside of a copy" }
        }
        return nil
    }

    func isRedirected(_ decision: Decision) -> Bool {
        decision.routing.isReframed && decision.routing.destination == decision.routing.source
    }

    /// TTL and hop limit fall by the routers that were passed, and the header stays whole.
    private func checkHops(_ copies: [Copy], _ decision: Decision, _ arrival: Arrival) -> String? {
        let hops = Int(decision.routing.hops)
        guard let first = copies.first(where: { $0.reason == nil }), hops > 0 || isRedirected(decision) else {
            return nil
        }
        let length = Int(decision.contentLength - decision.networkOffset)
        let before = arrival.bytes[Int(decision.contentOffset + decision.networkOffset)...]
        let after = first.bytes.suffix(length)
        let at = after.first! >> 4 == 6 ? 7 : 8
        let fell = Int(before[before.startIndex + at]) - Int(after[after.startIndex + at])
        if hops > 8 || fell != hops { return "the hop limit fell by \(fell), and \(hops) routers were passed" }
        if at == 8 {
            let header = Int(after.first! & 15) * 4
            if onesSum(after.prefix(header)) != 0xFFFF { return "the header of a routed packet is broken" }
        }
        return nil
    }

    private struct Flow: Hashable {
        var version: Int
        var ends: Ends
        var rest: [Int]
    }

    /// All frames of a flow have one hash.
    private mutating func checkFlow(_ arrival: Arrival, _ decision: Decision) -> String? {
        guard decision.flowHash != 0, decision.verdict != .drop else { return nil }
        let f = arrival.bytes[Int(decision.contentOffset)...]
        let layers =
            decision.networkType == 0 ? Layers(f[...]) : Layers(f[...], packet: Int(decision.networkType))
        var walk = Reference.Walk()
        walk.content = f
        walk.layers = layers
        var flow = Flow(version: layers.version, ends: Ends(), rest: [])
        if layers.version == 0 {
            flow.rest = [layers.type] + f.prefix(12).map(Int.init)
        } else {
            flow.ends = walk.readEnds()
            flow.rest = layers.isFragment && layers.version == 6 ? [] : [layers.proto]
            let hasPorts = [6, 17, 33, 132, 136].contains(layers.proto) && layers.l4 >= 0
            if hasPorts && !layers.isFragment && layers.end - layers.l4 >= 4 {
                let at = layers.l4 - layers.l3
                flow.rest += [walk.word(at), walk.word(at + 2)]
            }
        }
        let known = flows.updateValue(decision.flowHash, forKey: flow)
        return known == nil || known == decision.flowHash ? nil : "another hash than before for \(flow)"
    }

    private func compare(_ trace: Trace, _ decision: Decision, _ copies: [Copy], _ answer: Copy?) -> String? {
        if trace.decision != decision { return "trace decides otherwise: \(trace.decision) and \(decision)" }
        // A trace does not tell which part is whose header.
        func plain(_ copy: Copy) -> Copy {
            var copy = copy
            (copy.tunnelLength, copy.networkType) = (0, 0)
            return copy
        }
        if trace.outcomes.map({ plain(Copy($0)) }) != copies.map(plain) { return "trace sends otherwise" }
        return trace.answer.map({ plain(Copy($0)) }) == answer.map(plain) ? nil : "trace answers otherwise"
    }

    private func bytesEqual(_ frame: Frame, _ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { bytes.isEmpty || memcmp($0.baseAddress!, frame.bytes, frame.length) == 0 }
    }

    private func describe(_ arrival: Arrival, _ problem: String) -> String {
        let place = cloud.endpoints.indices.contains(arrival.endpoint) ? "\(cloud.endpoints[arrival.endpoint])" : "none"
        let hex = arrival.bytes.prefix(160).map { String($0, radix: 16) }.joined(separator: " ")
        return "\(problem)\n\(place), offload \(arrival.offload), outer \(arrival.outerTOS & 3), "
            + "\(arrival.bytes.count) bytes: \(hex)"
    }
}

extension Copy {
    init(_ outcome: Trace.Outcome) {
        self.init(
            attachment: Int(outcome.attachment),
            reason: outcome.reason,
            bytes: outcome.bytes,
            offload: outcome.offload,
            destination: outcome.destination,
            destinationPort: outcome.destinationPort,
            tos: outcome.tos
        )
    }
}
