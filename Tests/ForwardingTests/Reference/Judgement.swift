import Forwarding
import Tables
import Wire

/// What goes back to a sender, as far as `decide` says.
struct Said: Equatable, Sendable {
    /// Of `Answer.Kind`.
    var kind: UInt8
    var type: UInt8 = 0
    var code: UInt8 = 0
    var parameter: UInt32 = 0
    /// nil is the switch, in the destination's name.
    var router: Int?
    var source: IPv6Address

    /// An ICMP error.
    init(error type: UInt8, _ code: UInt8, _ parameter: Int = 0, router: Int? = nil, source: IPv6Address) {
        kind = Answer.Kind.error
        self.type = type
        self.code = code
        self.parameter = UInt32(parameter)
        self.router = router
        self.source = source
    }

    init(_ kind: UInt8, router: Int, source: IPv6Address) {
        self.kind = kind
        self.router = router
        self.source = source
    }

    /// nil if nothing is said.
    init?(_ decision: Decision) {
        let answer = decision.answer
        guard answer.kind != Answer.Kind.none else { return nil }
        kind = answer.kind
        type = answer.type
        code = answer.code
        parameter = answer.parameter
        router = answer.router == noSlot ? nil : Int(answer.router)
        source = answer.source
    }
}

/// What becomes of one frame, according to the reference model.
struct Judgement {
    var verdict = Verdict.drop
    var reason: DropReason?
    var network: Int?
    var ingress: Int?
    /// The source is to be learned at `ingress`.
    var learns: MACAddress?
    var events: UInt64 = 0
    var copies: [Copy] = []
    /// The largest fragment, if it leaves in fragments.
    var fragment = 0
    var said: Said?
    var news: News?
    /// Routers passed, of a frame that goes on.
    var hops = 0
    /// One of several next hops was chosen on the way.
    var isBalanced = false

    /// What a decision says otherwise, or nil.
    func difference(from decision: Decision) -> String? {
        let given = DropReason(rawValue: decision.reason)
        if given != reason { return "\(given?.name ?? "no drop"), expected \(reason?.name ?? "none")" }
        if decision.verdict != verdict { return "\(decision.verdict), expected \(verdict)" }
        if decision.segment != network.map(UInt32.init) ?? noSlot { return "network \(decision.segment)" }
        if decision.ingress != ingress.map(UInt32.init) ?? noSlot { return "ingress \(decision.ingress)" }
        if (decision.learns ? decision.source : nil) != learns { return "learns \(decision.learns)" }
        if decision.events != events { return "events \(decision.events), expected \(events)" }
        if Said(decision) != said { return "says \(decision.answer), expected \(said.map { "\($0)" } ?? "nothing")" }
        if News(decision.neighbor) != news {
            return "news \(decision.neighbor), expected \(news.map { "\($0)" } ?? "none")"
        }
        let passed = verdict == .forward || verdict == .flood ? Int(decision.routing.hops) : 0
        if passed != hops { return "\(passed) routers passed, expected \(hops)" }
        let mtu = verdict == .drop ? 0 : decision.fragmentMTU
        if mtu != fragment { return "fragments of \(mtu), expected \(fragment)" }
        return nil
    }
}
