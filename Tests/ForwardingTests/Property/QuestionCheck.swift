import Forwarding
import Rings
import Tables
import Wire

/// Whether a router's question for an address is one that its neighbours answer, and goes to its own network only.
struct QuestionCheck {
    private let cloud: Cloud
    private let reference: Reference
    private let tables: LiveTables
    private let memory: FrameMemory
    private let given: NeighborNews
    private let news: News
    private let now: UInt32

    init(_ run: Run, _ given: NeighborNews, _ news: News, now: UInt32) {
        cloud = run.cloud
        reference = run.reference
        tables = run.tables
        memory = run.memory
        self.given = given
        self.news = news
        self.now = now
    }

    func run(_ tally: inout Tally) -> String? {
        withUnsafeTemporaryAllocation(byteCount: Original.capacity, alignment: 16) { scratch in
            run(scratch.baseAddress!, &tally)
        }
    }

    private func run(_ scratch: UnsafeMutableRawPointer, _ tally: inout Tally) -> String? {
        let snapshot = tables.snapshot
        let made = makeQuestion(
            given,
            snapshot: snapshot,
            taught: tables.state.taught,
            now: now,
            scratch: scratch
        )
        let isIPv6 = !isIPv4(news.host.address)
        let own = cloud.interfaces[news.interface!].addresses.filter { $0.isIPv6 == isIPv6 }
        if own.isEmpty { return made == nil ? nil : "by a router without an address to ask by" }
        guard let made else { return "none" }
        let network = news.host.network
        // Who had the address is asked alone, where it is known where that is.
        var targets = reference.members[network]
        if news.kind == NeighborNews.Kind.recheck {
            let station = Reference.Station(network: network, mac: news.mac.bits)
            let home = reference.homes[station] ?? reference.seen(station, now)
            if let home, !cloud.attachments[home]!.isRouter { targets = [home] }
        }
        let given =
            made.decision.verdict == .forward
            ? [made.decision.attachment] : Array(FloodTargets(made.decision, snapshot))
        if given.map(Int.init) != targets { return "to \(given), expected \(targets)" }
        tally.note(news.kind == NeighborNews.Kind.recheck ? "unicast question" : "question")
        for target in given {
            let copy = memory.copy(made.frame, made.decision, to: target, tables, now: now)
            if copy.reason != nil { continue }
            let attachment = cloud.attachments[copy.attachment]!
            if reference.network(of: copy, at: attachment.endpoint) != network { return "into another network" }
            var frame = Array(copy.bytes.dropFirst(copy.tunnelLength))
            if attachment.tpid != 0 { frame.removeSubrange(12..<16) }
            if let problem = check(frame, own, isIPv6: isIPv6) { return "\(problem): \(frame)" }
        }
        return nil
    }

    private func check(_ frame: [UInt8], _ own: [Cloud.Prefix], isIPv6: Bool) -> String? {
        let router = cloud.routers[cloud.interfaces[news.interface!].router]
        let transport = cloud.networks[news.host.network].transport
        let mac = macBytes(transport == .flat || transport == .vlan ? router.hostMAC : router.mac)
        let known = news.kind == NeighborNews.Kind.recheck ? macBytes(news.mac) : nil
        // By the address in the neighbour's own prefix, if there is one.
        let near = own.filter { Cloud.Prefix(news.host.address, $0.length).network == $0.network }
        let speaker = be128((near.first ?? own[0]).address)
        let target = be128(news.host.address)
        if Array(frame[6..<12]) != mac { return "from another station" }
        if !isIPv6 {
            if Array(frame[0..<6]) != known ?? [UInt8](repeating: 255, count: 6) { return "to another station" }
            let body = [8, 6, 0, 1, 8, 0, 6, 4, 0, 1] + mac + speaker[12...] + [0, 0, 0, 0, 0, 0] + target[12...]
            return Array(frame[12...]) == body ? nil : "no ARP question"
        }
        let group: [UInt8] = [0xFF, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF] + target[13...]
        if Array(frame[0..<6]) != known ?? [0x33, 0x33] + Array(group[12...]) { return "to another station" }
        let header = [0x86, 0xDD, 0x60, 0, 0, 0, 0, 32, 58, 255] + speaker + (known == nil ? group : target)
        if Array(frame[12..<54]) != header { return "another header" }
        if Array(frame[54..<56]) != [135, 0] || Array(frame[58...]) != [0, 0, 0, 0] + target + [1, 1] + mac {
            return "no solicitation"
        }
        return onesSum(frame[54...], onesSum(frame[22..<54], 58 + 32)) == 0xFFFF ? nil : "a wrong checksum"
    }
}
