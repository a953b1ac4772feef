import Forwarding
import Tables
import Wire

/// What a frame says about an address, or what has to be asked, according to the model.
struct News: Equatable {
    /// Of `NeighborNews.Kind`.
    var kind: UInt8
    var host: Reference.Host
    var interface: Int?
    var mac = MACAddress.zero

    init(_ kind: UInt8, _ host: Reference.Host, _ interface: Int? = nil, _ mac: MACAddress = .zero) {
        self.kind = kind
        self.host = host
        self.interface = interface
        self.mac = mac
    }

    init?(_ news: NeighborNews) {
        guard news.kind != NeighborNews.Kind.none else { return nil }
        kind = news.kind
        host = Reference.Host(network: Int(news.segment), address: news.address)
        interface = news.interface == noSlot ? nil : Int(news.interface)
        mac = news.mac
    }
}

/// An address that was asked for or answered for.
struct Resolved {
    enum State { case incomplete, reachable, failed }

    var state: State
    var mac = MACAddress.zero
    /// Seconds.
    var confirmed: UInt32
    var asked: UInt32
    var questions = 0
}

// Three questions a second apart, then refused for three seconds; good for ten minutes; after a minute asked again.

extension Reference {
    func resolved(_ host: Host, _ now: UInt32) -> Resolved? {
        guard let known = neighbors[host] else { return nil }
        switch known.state {
        case .incomplete: return now - known.asked < 8 ? known : nil
        case .reachable: return now - known.confirmed < 600 ? known : nil
        case .failed: return now - known.asked < 3 ? known : nil
        }
    }

    /// Asks for an address, if it is not asked for too often.
    mutating func ask(_ host: Host, _ now: UInt32) -> Bool {
        var known = resolved(host, now) ?? Resolved(state: .incomplete, confirmed: now, asked: now - 1)
        guard known.state != .failed, known.asked != now else { return false }
        if known.questions == 3 {
            if now - known.asked < 8 { return false }
            known.questions = 0
        }
        known.asked = now
        known.questions += 1
        neighbors[host] = known
        return true
    }

    mutating func confirm(_ host: Host, _ mac: MACAddress, creates: Bool, _ now: UInt32) {
        let known = resolved(host, now)
        if known == nil && !creates { return }
        neighbors[host] = Resolved(state: .reachable, mac: mac, confirmed: now, asked: known?.asked ?? now - 1)
    }

    /// Asks again, or gives up.
    mutating func review(_ host: Host, _ now: UInt32) {
        guard var known = resolved(host, now), known.questions > 0, known.state != .failed, known.asked != now else {
            return
        }
        if known.questions < 3 { known.questions += 1 } else { known.state = .failed }
        known.asked = now
        neighbors[host] = known
    }
}
