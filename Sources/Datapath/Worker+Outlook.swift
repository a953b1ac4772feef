import CLinux
import Forwarding
import Ports
import Rings
import Tables
import Wire

// Large tables do not fit into the processor's caches, and a decision that goes from row to row waits for memory at each
// of them. So the frames of a burst are looked at together before the first is decided: every step asks for the memory
// that the next step reads, for all of them, and the waits overlap. Nothing is decided here and nothing found that
// `decide` does not find for itself; a wrong guess costs time.

/// How far one frame of a burst has been followed.
struct Outlook {
    /// The tenant's frame.
    var content: UnsafeRawPointer
    /// VNI, GRE key, or tag (TPID << 16 | TCI); then the segment. `noSlot` where there is nothing to follow.
    var key: UInt32
    /// Where it came in: the peer, then the attachment.
    var origin: UInt32
}

extension Worker {
    /// Attachments whose rows and index entries, some 150 bytes for each, are beyond the second-level cache.
    static var cachedAttachments: UInt32 { 4096 }
    /// Frames that are followed together.
    static var outlookCapacity: Int { ReceiveRing.capacity }

    /// Whether frames of a burst would wait for memory.
    @inline(__always)
    var hasLargeTables: Bool { snapshot.attachmentCount > Worker.cachedAttachments || hasManyMACs }

    /// Asks for the memory that the decisions about `count` frames from the `first` on will read.
    @inline(never)
    func lookAhead(_ first: Int, _ count: Int) {
        let slot = ring[first].pointee.endpoint
        guard slot < snapshot.endpointCount else { return }
        let endpoint = snapshot.endpoints[Int(slot)]
        switch endpoint.kind {
        case EndpointKind.vxlan, EndpointKind.gre, EndpointKind.uplink: enterTunnels(first, count, endpoint)
        case EndpointKind.port, EndpointKind.provider: enterNetworks(first, count, endpoint)
        default: return
        }
        var isOpen = false
        for i in 0..<count where outlooks[i].key != noSlot {
            let segment = outlooks[i].key
            let target = outlooks[i].content.mac(0)
            if target.isGroup {
                linux_prefetch(snapshot.flood + Int(snapshot.segments[Int(segment)].floodStart))
                outlooks[i].key = noSlot
                continue
            }
            let home = snapshot.told(segment: segment, mac: target)
            if home != noSlot {
                fetch(attachment: home)
                outlooks[i].key = noSlot
            } else {
                let places = state.macs.places(segment: segment, mac: target)
                linux_prefetch(places.0)
                linux_prefetch(places.1)
                isOpen = true
            }
        }
        guard isOpen else { return }
        for i in 0..<count where outlooks[i].key != noSlot {
            let supposed = state.macs.supposed(segment: outlooks[i].key, mac: outlooks[i].content.mac(0))
            if supposed < snapshot.attachmentCount { fetch(attachment: supposed) }
        }
    }

    /// Follows tunnel packets to their networks and to the attachments of their senders.
    private func enterTunnels(_ first: Int, _ count: Int, _ endpoint: EndpointRecord) {
        let slot = ring[first].pointee.endpoint
        // One VTEP mostly has sent more than one packet.
        var source = IPv6Address(high: 0, low: 0)
        var peer = noSlot
        for i in 0..<count {
            let (next, sender) = openTunnel(ring[first &+ i], endpoint)
            outlooks[i] = next
            guard next.key != noSlot else { continue }
            if sender != source {
                source = sender
                peer = snapshot.peer(sender)
            }
            outlooks[i].origin = peer
            linux_prefetch(snapshot.placeOfSegment(endpoint: slot, identifier: next.key))
        }
        for i in 0..<count where outlooks[i].key != noSlot {
            let segment = snapshot.segment(endpoint: slot, identifier: outlooks[i].key)
            outlooks[i].key = segment
            guard segment != noSlot else { continue }
            linux_prefetch(snapshot.placeOfAttachment(segment: segment, peer: outlooks[i].origin))
            fetch(segment, outlooks[i].content)
        }
        for i in 0..<count where outlooks[i].key != noSlot {
            let ingress = snapshot.attachment(segment: outlooks[i].key, peer: outlooks[i].origin)
            if ingress != noSlot { fetch(attachment: ingress) }
        }
    }

    /// Follows frames of a port to their networks.
    private func enterNetworks(_ first: Int, _ count: Int, _ endpoint: EndpointRecord) {
        let slot = ring[first].pointee.endpoint
        let readsTags = endpoint.isVLANAware || endpoint.kind == EndpointKind.provider
        for i in 0..<count {
            let frame = ring[first &+ i]
            let content = UnsafeRawPointer(frame.pointee.bytes)
            outlooks[i] = Outlook(content: content, key: noSlot, origin: endpoint.untagged)
            guard frame.pointee.length >= HeaderLength.ethernet &+ HeaderLength.vlanTag else { continue }
            outlooks[i].key = 0
            guard readsTags, EtherType.isTag(content.be16(12)), content.be16(14) & 0xFFF != 0 else { continue }
            outlooks[i].key = content.be32(12)
            let vid = content.be16(14) & 0xFFF
            linux_prefetch(snapshot.placeOfAttachment(endpoint: slot, tpid: content.be16(12), vid: vid))
        }
        for i in 0..<count where outlooks[i].key != noSlot {
            if outlooks[i].key != 0 {
                let tpid = UInt16(truncatingIfNeeded: outlooks[i].key &>> 16)
                let vid = UInt16(truncatingIfNeeded: outlooks[i].key) & 0xFFF
                outlooks[i].origin = snapshot.attachment(endpoint: slot, tpid: tpid, vid: vid)
            }
            if outlooks[i].origin == noSlot {
                outlooks[i].key = noSlot
            } else {
                fetch(attachment: outlooks[i].origin)
            }
        }
        for i in 0..<count where outlooks[i].key != noSlot {
            let segment = snapshot.attachments[Int(outlooks[i].origin)].segment
            outlooks[i].key = segment
            guard segment != noSlot else { continue }
            fetch(segment, outlooks[i].content)
        }
    }

    /// The network identifier and the sender of a tunnel packet, if it looks like one.
    @inline(__always)
    private func openTunnel(_ frame: UnsafeMutablePointer<Frame>, _ endpoint: EndpointRecord) -> (Outlook, IPv6Address)
    {
        let bytes = UnsafeRawPointer(frame.pointee.bytes)
        let length = frame.pointee.length
        var sender = frame.pointee.outerSource
        var start = 0
        var next = Outlook(content: bytes, key: noSlot, origin: noSlot)
        if endpoint.kind == EndpointKind.gre {
            let header = GREHeader.parse(bytes, length)
            guard header.hasKey, header.protocolType == EtherType.transparentEthernet,
                length >= header.length &+ HeaderLength.ethernet
            else { return (next, sender) }
            next.content = bytes + header.length
            next.key = header.key
            return (next, sender)
        }
        if endpoint.kind == EndpointKind.uplink {
            let longest = HeaderLength.ethernet &+ HeaderLength.ipv6 &+ HeaderLength.udp
            guard length >= longest else { return (next, sender) }
            if bytes.be16(12) == EtherType.ipv4 {
                start = HeaderLength.ethernet &+ HeaderLength.ipv4 &+ HeaderLength.udp
                sender = IPv6Address(mapping: bytes.ipv4(26))
            } else {
                start = longest
                sender = bytes.ipv6(22)
            }
            guard bytes.be16(start &- 6) == UInt16(truncatingIfNeeded: endpoint.port) else { return (next, sender) }
        }
        guard length >= start &+ VXLANHeader.length &+ HeaderLength.ethernet else { return (next, sender) }
        next.content = bytes + (start &+ VXLANHeader.length)
        next.key = bytes.be32(start &+ 4) &>> 8
        return (next, sender)
    }

    /// Asks for the row of a segment, and for what it knows about the two addresses of a frame.
    @inline(__always)
    private func fetch(_ segment: UInt32, _ content: UnsafeRawPointer) {
        let row = UnsafeRawPointer(snapshot.segments + Int(segment))
        linux_prefetch(row)
        linux_prefetch(row + (MemoryLayout<SegmentRecord>.size &- 1))
        linux_prefetch(snapshot.placeOfTold(segment: segment, mac: content.mac(0)))
        let source = content.mac(6)
        linux_prefetch(snapshot.placeOfTold(segment: segment, mac: source))
        let places = state.macs.places(segment: segment, mac: source)
        linux_prefetch(places.0)
        linux_prefetch(places.1)
    }

    /// Asks for the row of an attachment.
    @inline(__always)
    private func fetch(attachment: UInt32) {
        let row = UnsafeRawPointer(snapshot.attachments + Int(attachment))
        linux_prefetch(row)
        linux_prefetch(row + (MemoryLayout<AttachmentRecord>.size &- 1))
    }
}
