import Rings
import Tables
import Wire

// What a trace says about frames and tables. Only called when somebody reads it.

extension Snapshot {
    /// The name of an endpoint, with the device behind it.
    func describe(_ endpoint: EndpointRecord) -> String {
        let name = text(endpoint.name)
        let device = text(endpoint.device)
        return device.isEmpty ? name : "\(name) (\(device))"
    }

    /// What came in where. A tunnel packet's content is described when its header is off.
    func describe(_ frame: Frame, _ endpoint: EndpointRecord) -> String {
        let work = describeOffload(frame.offload)
        var text = "\(frame.length) bytes in by \(describe(endpoint))" + (work.isEmpty ? "" : ", \(work)")
        let isPort =
            endpoint.kind == EndpointKind.port || endpoint.kind == EndpointKind.provider
            || endpoint.kind == EndpointKind.uplink
        if isPort && frame.length >= HeaderLength.ethernet {
            text += ": " + Forwarding.describe(ParsedFrame(frame.bytes, frame.length), frame.bytes)
        }
        return text
    }

    /// Where a segment meets an endpoint, in the operator's names.
    public func describe(attachment slot: UInt32) -> String {
        guard slot < attachmentCount else { return "nowhere" }
        let row = attachments[Int(slot)]
        if row.isRouter { return "the router's interface \(text(interfaces[Int(row.interface)].name))" }
        if row.carriesPackets {
            guard row.peer < peerCount else { return "nowhere" }
            return "tunnel \(text(segments[Int(row.segment)].name)) (\(describeTunnel(row)) to "
                + "\(describeAddress(peers[Int(row.peer)].address)))"
        }
        if row.isTunnel {
            guard row.peer < peerCount else { return "nowhere" }
            let peer = peers[Int(row.peer)]
            let name = text(peer.name)
            let address = describeAddress(peer.address)
            return name.isEmpty || name == address ? "VTEP \(address)" : "VTEP \(name) (\(address))"
        }
        guard row.endpoint < endpointCount else { return "nowhere" }
        let name = describe(endpoints[Int(row.endpoint)])
        return row.vlanTPID == 0 ? name : "\(name) \(describeVLAN(row.vlanTPID, row.vlanID))"
    }

    func describeSegment(_ slot: UInt32) -> String {
        guard slot < segmentCount else { return "no network" }
        let row = segments[Int(slot)]
        let kind =
            switch row.kind {
            case SegmentKind.local: "local"
            case SegmentKind.flat: "flat"
            case SegmentKind.vlan: "VLAN \(row.identifier)"
            case SegmentKind.vxlan: "VNI \(row.identifier)"
            case SegmentKind.gre: "GRE key \(row.identifier)"
            case SegmentKind.routed: "a router's tunnel"
            case SegmentKind.underlay: "the underlay"
            default: "kind \(row.kind)"
            }
        return "network \(text(row.name)) (\(kind))"
    }

    func describeIngress(_ decision: Decision) -> String {
        "\(describe(attachment: decision.ingress)): \(describeSegment(decision.segment))"
    }

    /// The last line of a decision.
    func describe(_ decision: Decision) -> String {
        switch decision.verdict {
        case .forward: return "forwarded to \(describe(attachment: decision.attachment))"
        case .flood:
            let targets = FloodTargets(decision, self).map { describe(attachment: $0) }
            return "flooded to \(targets.joined(separator: ", "))"
        case .answer: return "answered"
        case .taken: return "taken note of by the router"
        case .relay:
            let targets = FloodTargets(decision, self).map { describe(attachment: $0) }
            return "taken note of by the router, and told to \(targets.joined(separator: ", "))"
        case .hold: return "waits for the address of the next hop"
        case .drop:
            guard let reason = DropReason(rawValue: decision.reason) else { return "dropped" }
            return "dropped (\(reason.name)): \(reason.sentence)"
        }
    }

    func describeEgress(_ decision: Decision, _ place: AttachmentRecord, _ endpoint: EndpointRecord) -> String {
        var parts: [String] = []
        if place.isTunnel {
            let segment = segments[Int(place.segment)]
            let peer = peers[Int(place.peer)]
            parts.append(
                place.kind == AttachmentKind.vxlan
                    ? "VXLAN header with VNI \(segment.identifier) to \(describeAddress(peer.address)) port \(endpoint.port)"
                    : "GRE header with key \(segment.identifier) to \(describeAddress(peer.address))"
            )
        }
        if place.carriesPackets {
            parts.append("\(describeTunnel(place)) to \(describeAddress(peers[Int(place.peer)].address))")
        } else if decision.routing.isReframed {
            parts.append("from \(decision.routing.source) to \(decision.routing.destination)")
        }
        if decision.routing.hops != 0 { parts.append("hop limit less \(decision.routing.hops)") }
        if decision.fragmentMTU != 0 { parts.append("in fragments of at most \(decision.fragmentMTU) bytes") }
        if decision.strippedTagBytes != 0 { parts.append("tag removed") }
        if place.vlanTPID != 0 { parts.append("\(describeVLAN(place.vlanTPID, place.vlanID)) pushed") }
        if decision.ecn != Decision.keepECN { parts.append("inner ECN \(decision.ecn)") }
        let work = describeOffload(decision.offload)
        if !work.isEmpty { parts.append(work) }
        return "out by \(describe(endpoint)): " + (parts.isEmpty ? "as it came" : parts.joined(separator: ", "))
    }
}

func describeAddress(_ address: IPv6Address) -> String { IPAddress(mapped: address).description }

func describeVLAN(_ tpid: UInt16, _ vid: UInt16) -> String {
    switch tpid {
    case EtherType.vlan: "VLAN \(vid)"
    case EtherType.serviceVLAN: "service VLAN \(vid)"
    default: "VLAN \(vid) (type 0x\(String(tpid, radix: 16)))"
    }
}

func describeOffload(_ offload: Offload) -> String {
    guard offload.isSuperFrame else { return offload.needsChecksum ? "checksum to finish" : "" }
    let kind = offload.gsoKind == Offload.gsoUDP ? "UDP" : "TCP"
    return "\(kind) super-frame in segments of \(offload.gsoSize) bytes"
}

func describeLearning(_ source: MACAddress, home: UInt32, segment: SegmentRecord) -> String {
    if home != noSlot { return "\(source) belongs here by the file" }
    return segment.learns ? "\(source) is to be learned here" : "\(source) is unknown, and the network does not learn"
}

/// Addresses, tags and what the frame carries, on one line.
func describe(_ parsed: ParsedFrame, _ bytes: UnsafeRawPointer) -> String {
    var text = "\(parsed.source) to \(parsed.destination), "
    if parsed.tagCount > 0 { text += "\(describeVLAN(parsed.outerTagType, parsed.outerVID)), " }
    if parsed.tagCount > 1 { text += "\(describeVLAN(parsed.innerTagType, parsed.innerTag & 0xFFF)), " }
    return text + describePacket(parsed, bytes)
}

private func describePacket(_ parsed: ParsedFrame, _ bytes: UnsafeRawPointer) -> String {
    guard parsed.isIP else {
        switch parsed.etherType {
        case EtherType.arp: return "ARP"
        case EtherType.ipv4, EtherType.ipv6: return "broken IP"
        case ..<0x600: return "802.3"
        default: return "type 0x\(String(parsed.etherType, radix: 16))"
        }
    }
    let header = bytes + parsed.networkOffset
    let source = parsed.isIPv4 ? header.ipv4(12).description : header.ipv6(8).description
    let destination = parsed.isIPv4 ? header.ipv4(16).description : header.ipv6(24).description
    var text: String
    switch parsed.protocol {
    case IPProtocol.tcp: text = "TCP"
    case IPProtocol.udp: text = "UDP"
    case IPProtocol.icmp where parsed.isIPv4: text = "ICMP"
    case IPProtocol.icmpv6 where parsed.isIPv6: text = "ICMPv6"
    default: text = "protocol \(parsed.protocol)"
    }
    guard parsed.has(.ports) else { return "\(text) \(source) to \(destination)" }
    if parsed.isIPv6 {
        text += " [\(source)]:\(parsed.sourcePort) to [\(destination)]:\(parsed.destinationPort)"
    } else {
        text += " \(source):\(parsed.sourcePort) to \(destination):\(parsed.destinationPort)"
    }
    return text
}
