import Forwarding
import Rings
import Tables
import Wire

/// Whether what goes back to a sender is a packet that its receiver can take, says what was decided, and goes nowhere
/// else. Gives the frame as it leaves, and what is wrong with it.
struct AnswerCheck {
    private let cloud: Cloud
    private let reference: Reference
    private let tables: LiveTables
    private let memory: FrameMemory
    private let arrival: Arrival
    private let decision: Decision
    private let expected: Judgement
    private let now: UInt32

    init(_ run: Run, _ arrival: Arrival, _ decision: Decision, _ expected: Judgement, now: UInt32) {
        cloud = run.cloud
        reference = run.reference
        tables = run.tables
        memory = run.memory
        self.arrival = arrival
        self.decision = decision
        self.expected = expected
        self.now = now
    }

    func run() -> (Copy?, String?) {
        withUnsafeTemporaryAllocation(byteCount: Original.capacity, alignment: 16) { scratch in
            run(scratch.baseAddress!)
        }
    }

    private func run(_ scratch: UnsafeMutableRawPointer) -> (Copy?, String?) {
        let frame = memory.place(arrival)
        let made = makeAnswer(frame, decision, snapshot: tables.snapshot, scratch: scratch)
        guard let said = expected.said else { return (nil, made == nil ? nil : "one that nobody asked for") }
        if said.kind == Answer.Kind.arpReply, isForAnother { return (nil, made == nil ? nil : "to another than asked") }
        guard let made else { return (nil, "none") }
        guard made.decision.verdict == .forward, made.decision.attachment == decision.ingress else {
            return (nil, "to \(made.decision.attachment), not where the frame came from")
        }
        let ingress = Int(decision.ingress)
        let copy = memory.copy(made.frame, made.decision, to: decision.ingress, tables, now: now)
        if let reason = copy.reason {
            let length = Int(made.decision.packetSize)
            var walk = Reference.Walk()
            if cloud.attachments[ingress]!.tunnel == nil { walk.frame = (.zero, .zero) }
            let room = reference.room(ingress, walk, now)
            return (copy, room.map { length > $0.bytes } == true ? nil : "not sent: \(reason)")
        }
        guard copy.attachment == ingress, reference.network(of: copy, at: arrival.endpoint) == expected.network else {
            return (copy, "into another network")
        }
        return (copy, check(said, copy))
    }

    /// The frame that came in, without what is around it.
    private var content: ArraySlice<UInt8> { arrival.bytes[Int(decision.contentOffset)...] }

    /// An ARP question in the name of another than its sender.
    private var isForAnother: Bool {
        let start = content.startIndex
        let at = start + Int(decision.networkOffset) + 8
        return content[at..<at + 6] != content[start + 6..<start + 12]
    }

    private func check(_ said: Said, _ copy: Copy) -> String? {
        let attachment = cloud.attachments[copy.attachment]!
        var bytes = copy.bytes.dropFirst(copy.tunnelLength)
        guard attachment.tunnel == nil else { return checkPacket(said, Array(bytes), copy) }
        if attachment.tpid != 0 {
            let tag = bytes.dropFirst(12).prefix(4)
            let vid = Int(tag.last!) | Int(tag.dropFirst(2).first! & 15) << 8
            if Array(tag.prefix(2)) != be16(attachment.tpid) || vid != attachment.vid { return "with another tag" }
            bytes = bytes.prefix(12) + bytes.dropFirst(16)
        }
        let frame = Array(bytes)
        let (asker, asked) = (Array(content.dropFirst(6).prefix(6)), Array(content.prefix(6)))
        if said.kind == Answer.Kind.arpReply { return checkARP(said, frame, asker) }
        let type = isIPv4(said.source) ? 0x0800 : 0x86DD
        if Array(frame[12..<14]) != be16(type) { return "of another type" }
        if said.kind == Answer.Kind.neighborAdvertisement { return checkAdvertisement(said, frame, asker) }
        if Array(frame[0..<6]) != asker || Array(frame[6..<12]) != asked { return "between other stations" }
        return checkPacket(said, Array(frame[14...]), copy)
    }

    /// The router's address in the network that was asked in.
    private func mac(_ said: Said) -> [UInt8] {
        let router = cloud.routers[said.router!]
        let transport = cloud.networks[Int(decision.segment)].transport
        return macBytes(transport == .flat || transport == .vlan ? router.hostMAC : router.mac)
    }

    private func checkARP(_ said: Said, _ frame: [UInt8], _ asker: [UInt8]) -> String? {
        let start = content.startIndex + Int(decision.networkOffset)
        let own = mac(said)
        let (head, told) = (Array(frame[..<22]), Array(frame[22..<32]))
        if head != asker + own + [8, 6, 0, 1, 8, 0, 6, 4, 0, 2] { return "no ARP reply: \(frame)" }
        if told != own + Array(content[start + 24..<start + 28]) { return "tells something else: \(frame)" }
        return frame[32...] == asker + content[start + 14..<start + 18] ? nil : "to another: \(frame)"
    }

    private func checkAdvertisement(_ said: Said, _ frame: [UInt8], _ asker: [UInt8]) -> String? {
        let start = content.startIndex + Int(decision.networkOffset)
        let source = Array(content[start + 8..<start + 24])
        let isFromNobody = source.allSatisfy { $0 == 0 }
        let everybody = be128(IPv6Address(high: 0xFF02 << 48, low: 1))
        let own = mac(said)
        if frame.count != 14 + 40 + 32 { return "of \(frame.count) bytes" }
        if Array(frame[0..<12]) != (isFromNobody ? [0x33, 0x33, 0, 0, 0, 1] : asker) + own { return "between others" }
        let target = be128(said.source)
        let header = [0x60, 0, 0, 0, 0, 32, 58, 255] + target + (isFromNobody ? everybody : source)
        if Array(frame[14..<54]) != header { return "with another header: \(frame)" }
        // Router and override; solicited if there is somebody who asked.
        let flags: UInt8 = isFromNobody ? 0xA0 : 0xE0
        if Array(frame[54..<56]) != [136, 0] || Array(frame[58...]) != [flags, 0, 0, 0] + target + [2, 1] + own {
            return "tells something else: \(frame)"
        }
        return sumIsRight(Array(frame[14...])) ? nil : "with a wrong checksum"
    }

    /// The sum over an ICMP message behind a header of 20 or 40 bytes, or as many as it has.
    private func sumIsRight(_ packet: [UInt8]) -> Bool {
        if packet[0] >> 4 == 4 {
            let header = Int(packet[0] & 15) * 4
            return onesSum(packet[..<header]) == 0xFFFF && onesSum(packet[header...]) == 0xFFFF
        }
        return onesSum(packet[40...], onesSum(packet[8..<40], 58 + packet.count - 40)) == 0xFFFF
    }

    private func checkPacket(_ said: Said, _ packet: [UInt8], _ copy: Copy) -> String? {
        let layers =
            decision.networkType == 0 ? Layers(content) : Layers(content, packet: Int(decision.networkType))
        let start = content.startIndex
        let asked = Array(content[start + layers.l3..<start + layers.end])
        return said.kind == Answer.Kind.echoReply
            ? checkEcho(packet, asked, layers, copy) : checkError(said, packet, asked)
    }

    private func checkEcho(_ packet: [UInt8], _ asked: [UInt8], _ layers: Layers, _ copy: Copy) -> String? {
        let at = layers.l4 - layers.l3
        var wanted: [UInt8]
        if layers.version == 4 {
            wanted = asked
            wanted.replaceSubrange(12..<20, with: asked[16..<20] + asked[12..<16])
            wanted[8] = 64
            wanted.replaceSubrange(10..<12, with: [0, 0])
            wanted.replaceSubrange(10..<12, with: be16(0xFFFF - onesSum(wanted[..<at])))
            wanted[at] = 0
        } else {
            wanted = [asked[0], asked[1] & 0xF0, 0, 0] + be16(asked.count - at) + [58, 64]
            wanted += asked[24..<40] + asked[8..<24] + asked[at...]
            wanted[40] = 129
        }
        // The checksum is as right as it was, or left to others as it was.
        let message = layers.version == 4 ? at : 40
        if packet.count != wanted.count { return "an echo of \(packet.count) bytes" }
        wanted.replaceSubrange(message + 2..<message + 4, with: packet[message + 2..<message + 4])
        if packet != wanted { return "echo \(packet)\nexpected \(wanted)" }
        return copy.offload.needsChecksum || sumIsRight(packet) ? nil : "an echo with a wrong checksum"
    }

    private func checkError(_ said: Said, _ packet: [UInt8], _ asked: [UInt8]) -> String? {
        let isIPv4 = asked[0] >> 4 == 4
        let header = isIPv4 ? 20 : 40
        let most = isIPv4 ? 576 : 1280
        let quoted = min(asked.count, most - header - 8)
        guard packet.count == header + 8 + quoted else { return "an error of \(packet.count) bytes" }
        if Array(packet[(header + 8)...]) != Array(asked.prefix(quoted)) { return "an error with another quote" }
        let length = be16(isIPv4 ? packet.count : packet.count - 40)
        // Network control, as RFC 1812 §4.3.2.5 has it, and whole; 64 hops.
        let front = isIPv4 ? [0x45, 0xC0] + length + [0, 0, 0x40, 0, 64, 1] : [0x60, 0, 0, 0] + length + [58, 64]
        if Array(packet.prefix(front.count)) != front { return "an error with the header \(packet.prefix(header))" }
        let speaker = isIPv4 ? Array(be128(said.source)[12...]) : be128(said.source)
        let sender = isIPv4 ? asked[12..<16] : asked[8..<24]
        if packet[(isIPv4 ? 12 : 8)..<header] != speaker + sender { return "an error between others" }
        if packet[header] != said.type || packet[header + 1] != said.code { return "another error" }
        if Array(packet[header + 4..<header + 8]) != be32(said.parameter) { return "an error with another parameter" }
        return sumIsRight(packet) ? nil : "an error with a wrong checksum"
    }
}
