import Rings
import Tables
import Wire

/// A frame that the switch makes itself, and the decision by which it is encapsulated.
public struct Original {
    public var frame: Frame
    public var decision: Decision

    /// Bytes that the functions below may write.
    public static let capacity = ICMPError.capacity

    /// `bytes` hold `length` bytes of an Ethernet frame.
    fileprivate init(_ bytes: UnsafeMutableRawPointer, _ length: Int, ingress: UInt32, segment: UInt32) {
        frame = Frame(bytes: bytes, length: length, endpoint: noSlot)
        decision = Decision(contentLength: length)
        decision.ingress = ingress
        decision.segment = segment
        decision.networkOffset = UInt32(HeaderLength.ethernet)
        decision.packetSize = UInt32(truncatingIfNeeded: length &- HeaderLength.ethernet)
    }
}

/// Makes the answer that a decision asks for. It goes back to where the frame came in, whatever addresses the frame has:
/// nobody can be made a target by a forged source.
///
/// - Parameters:
///   - frame: what was decided about. An echo request becomes its reply in place, anything else is only read.
///   - scratch: `Original.capacity` bytes.
/// - Returns: what is to be encapsulated to `decision.ingress`; nil if nothing is.
public func makeAnswer(
    _ frame: Frame,
    _ decision: Decision,
    snapshot: Snapshot,
    scratch: UnsafeMutableRawPointer
) -> Original? {
    let content = frame.bytes + Int(decision.contentOffset)
    let count = Int(decision.contentLength)
    let type = decision.networkType
    let parsed =
        type == 0 ? ParsedFrame(content, count) : ParsedFrame(datagram: content, count, etherType: type)
    var made: Original
    switch decision.answer.kind {
    case Answer.Kind.arpReply:
        guard let question = ARPPacket(content, parsed), let own = decision.answer.source.mappedIPv4 else { return nil }
        ARPPacket.writeReply(
            to: scratch,
            senderMAC: decision.routing.source,
            senderIP: own,
            targetMAC: question.senderMAC,
            targetIP: question.senderIP
        )
        // RFC 826 would have it sent to the address in the packet; one that is not the sender's own gets nothing.
        guard question.senderMAC == parsed.source else { return nil }
        made = Original(scratch, ARPPacket.frameLength, ingress: decision.ingress, segment: decision.segment)
    case Answer.Kind.neighborAdvertisement:
        let question = NeighborDiscovery.parse(content, parsed)
        guard question.kind == .solicitation else { return nil }
        NeighborDiscovery.writeAnswer(
            to: scratch,
            question,
            senderMAC: decision.routing.source,
            neighborMAC: parsed.source,
            isRouter: true
        )
        made = Original(scratch, NeighborDiscovery.frameLength, ingress: decision.ingress, segment: decision.segment)
    case Answer.Kind.echoReply:
        guard EchoReply.isRequest(content, parsed) else { return nil }
        let start = EchoReply.make(inPlace: content, parsed)
        made = Original(content, parsed.endOffset, ingress: decision.ingress, segment: decision.segment)
        made.decision.offload = decision.offload
        made.packet(from: start, decision, to: parsed.source, from: parsed.destination)
    case Answer.Kind.error:
        let packet = content + Int(decision.networkOffset)
        let length = ICMPError.write(
            to: scratch,
            about: packet,
            count: count &- Int(decision.networkOffset),
            isIPv6: parsed.isIPv6,
            type: decision.answer.type,
            code: decision.answer.code,
            parameter: decision.answer.parameter,
            source: decision.answer.source
        )
        guard length > 0 else { return nil }
        made = Original(scratch, length, ingress: decision.ingress, segment: decision.segment)
        made.packet(from: 0, decision, to: decision.routing.destination, from: decision.routing.source)
    default:
        return nil
    }
    made.decision.priority = decision.priority
    made.decision.verdict = .forward
    made.decision.attachment = decision.ingress
    return made
}

extension Original {
    /// What is to be sent begins with the IP header at `start`.
    fileprivate mutating func packet(
        from start: Int,
        _ asked: Decision,
        to destination: MACAddress,
        from source: MACAddress
    ) {
        decision.networkOffset = UInt32(truncatingIfNeeded: start)
        decision.packetSize = decision.contentLength &- decision.networkOffset
        decision.networkType = asked.networkType
        decision.routing.isReframed = asked.networkType == 0
        decision.routing.destination = destination
        decision.routing.source = source
        decision.routing.segment = asked.segment
    }
}

/// Makes the question for an address that a decision asks for, to be sent as its verdict says: to everybody in the
/// segment, or to the station that had the address when it answered last.
///
/// - Parameter scratch: `Original.capacity` bytes.
/// - Returns: nil if the router has no address of the family to ask by.
public func makeQuestion(
    _ news: NeighborNews,
    snapshot: Snapshot,
    taught: Taught,
    now: UInt32,
    scratch: UnsafeMutableRawPointer
) -> Original? {
    guard news.interface < snapshot.interfaceCount else { return nil }
    let row = snapshot.interfaces[Int(news.interface)]
    guard row.inUse != 0, row.segment == news.segment else { return nil }
    let own = snapshot.speaker(row, towards: news.address)
    let mac = snapshot.routerMAC(row.router, in: row.segment)
    let known = news.kind == NeighborNews.Kind.recheck
    var length = ARPPacket.frameLength
    if let target = news.address.mappedIPv4 {
        guard let sender = own.mappedIPv4 else { return nil }
        ARPPacket.writeRequest(
            to: scratch,
            senderMAC: mac,
            senderIP: sender,
            targetIP: target,
            targetMAC: known ? news.mac : .broadcast
        )
    } else {
        guard own != IPv6Address(high: 0, low: 0) else { return nil }
        length = NeighborDiscovery.writeSolicitation(
            to: scratch,
            senderMAC: mac,
            source: own,
            target: news.address,
            targetMAC: known ? news.mac : nil
        )
    }
    var made = Original(scratch, length, ingress: row.attachment, segment: row.segment)
    made.decision.verdict = .flood
    if known {
        var target = snapshot.told(segment: row.segment, mac: news.mac)
        if target == noSlot {
            target = taught.macs.find(segment: row.segment, mac: news.mac, now: now, snapshot: snapshot)
        }
        if target != noSlot, !snapshot.attachments[Int(target)].isRouter {
            made.decision.verdict = .forward
            made.decision.attachment = target
        }
    }
    return made
}

extension Snapshot {
    /// The address of an interface by which to speak to a neighbour: in the neighbour's own prefix, else the first.
    fileprivate func speaker(_ row: InterfaceRecord, towards address: IPv6Address) -> IPv6Address {
        let isIPv4 = address.mappedIPv4 != nil
        for i in Int(row.addressStart)..<Int(row.addressStart &+ row.addressCount) {
            let own = addresses[i]
            guard (own.address.mappedIPv4 != nil) == isIPv4 else { continue }
            let length = own.length &+ (isIPv4 ? 96 : 0)
            if own.address.matches(address, length) { return own.address }
        }
        if isIPv4 { return row.ipv4 == 0 ? IPv6Address(high: 0, low: 0) : IPv6Address(mapping: .init(bits: row.ipv4)) }
        return row.ipv6
    }
}

extension IPv6Address {
    /// Whether the first `length` bits, at most 128, are the same.
    @inline(__always)
    fileprivate func matches(_ other: IPv6Address, _ length: UInt32) -> Bool {
        let high = self.high ^ other.high
        if length < 64 { return high >> UInt64(64 - length) == 0 }
        return high == 0 && (self.low ^ other.low) >> UInt64(128 - length) == 0
    }
}
