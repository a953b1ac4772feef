import Forwarding
import Tables

/// What a run was made of.
struct Tally {
    var forwarded = 0
    var flooded = 0
    /// Copies of packets that passed a router.
    var routed = 0
    var copies = 0
    var verdicts: [Verdict: Int] = [:]
    var reasons: [DropReason: Int] = [:]
    var events: [Event: Int] = [:]
    var others: [String: Int] = [:]

    var summary: String {
        let drops = DropReason.allCases.filter { reasons[$0] != nil }.map { "\($0.name) \(reasons[$0]!)" }
        let events = Event.allCases.filter { self.events[$0] != nil }.map { "\($0.name) \(self.events[$0]!)" }
        let rest = others.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        let ends = verdicts.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key) \($0.value)" }
        return "\(ends.joined(separator: ", ")); \(copies) copies, \(routed) routed\n"
            + [drops, events, rest].map { $0.joined(separator: ", ") }.joined(separator: "\n")
    }

    /// What each run of some length must have met, and has not.
    var missing: [String] {
        let endings: [Verdict] = [.drop, .forward, .flood, .answer, .taken, .relay, .hold]
        // A fault of the tables, what the datapath adds, and what uplinks do, which the model does not have.
        let elsewhere: Set<DropReason> = [
            .crossesNetworks, .tooManyUnresolved, .answerSuppressed, .queueFull, .unreachable, .deviceDown,
            .refusedBySystem, .noTransmitSlot, .outerFragment, .outerChecksum,
        ]
        let wanted: [Event] = [
            .vxlanReservedBits, .greSequenceIgnored, .ecnAlarm, .ecnNotice, .partialChecksumFound, .superFrameFound,
            .fragmented,
        ]
        let answers = [
            "ARP reply", "neighbour advertisement", "echo reply", "echo reply of IPv6",
            "error 3/0", "error 3/1", "error 3/2", "error 3/3", "error 3/4", "error 3/13", "error 11/0",
            "error of IPv6 1/0", "error of IPv6 1/1", "error of IPv6 1/3", "error of IPv6 1/4", "error of IPv6 2/0",
            "error of IPv6 3/0", "error of IPv6 4/1", "error of IPv6 4/2", "error by the switch",
            "learn", "update", "resolve", "recheck", "question", "unicast question", "several routers", "redirected",
            "several next hops", "into ipip", "into sit", "into gre",
        ]
        return endings.filter { verdicts[$0] == nil }.map { "\($0)" }
            + DropReason.allCases.filter { reasons[$0] == nil && !elsewhere.contains($0) }.map(\.name)
            + wanted.filter { events[$0] == nil }.map(\.name) + answers.filter { others[$0] == nil }
    }

    mutating func note(_ what: String) { others[what, default: 0] += 1 }

    mutating func count(_ run: Run, _ decision: Decision, _ judgement: Judgement, _ sent: [Copy]) {
        verdicts[decision.verdict, default: 0] += 1
        if let reason = DropReason(rawValue: decision.reason) { reasons[reason, default: 0] += 1 }
        if decision.events != 0 {
            for event in Event.allCases where decision.events & event.bit != 0 { events[event, default: 0] += 1 }
        }
        if decision.verdict == .forward { forwarded += 1 }
        if decision.verdict == .flood { flooded += 1 }
        let isRedirected = run.isRedirected(decision)
        for copy in sent {
            if let reason = copy.reason {
                reasons[reason, default: 0] += 1
                continue
            }
            copies += 1
            if judgement.hops > 0 || isRedirected { routed += 1 }
            switch run.cloud.attachments[copy.attachment]?.tunnel {
            case .ipip: note("into ipip")
            case .sit: note("into sit")
            case .gre: note("into gre")
            case nil: break
            }
        }
        if judgement.hops > 1 { note("several routers") }
        if isRedirected && decision.verdict == .forward { note("redirected") }
        if judgement.isBalanced { note("several next hops") }
        if let news = judgement.news { note(Tally.name(news)) }
        if let said = judgement.said { note(Tally.name(said)) }
        if let said = judgement.said, said.kind == Answer.Kind.error, said.router == nil { note("error by the switch") }
    }

    private static func name(_ news: News) -> String {
        switch news.kind {
        case NeighborNews.Kind.learn: "learn"
        case NeighborNews.Kind.update: "update"
        case NeighborNews.Kind.resolve: "resolve"
        default: "recheck"
        }
    }

    private static func name(_ said: Said) -> String {
        let family = isIPv4(said.source) ? "" : " of IPv6"
        switch said.kind {
        case Answer.Kind.arpReply: return "ARP reply"
        case Answer.Kind.neighborAdvertisement: return "neighbour advertisement"
        case Answer.Kind.echoReply: return "echo reply\(family)"
        default: return "error\(family) \(said.type)/\(said.code)"
        }
    }
}
