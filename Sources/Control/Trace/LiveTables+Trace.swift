import Forwarding
import Rings
import Tables
import Wire

extension LiveTables {
    /// Walks a frame through the tables with the functions that the datapath forwards by. Nothing is learned, counted or
    /// sent. Throws `TraceError` for a frame that cannot be read and `UnknownName` for a port that is not there.
    public func trace(_ request: TraceRequest) throws -> TraceView {
        let place = try ingress(request)
        let content = try FrameText.bytes(request.frame, place.defaults)
        var packet = header(place, content) + content
        let trace = packet.withUnsafeMutableBytes { bytes in
            explain(
                Frame(
                    bytes: bytes.baseAddress!,
                    length: bytes.count,
                    endpoint: place.endpoint,
                    outerSource: place.peer
                ),
                snapshot: snapshot,
                taught: states.taught(at: place.endpoint),
                now: states.now
            )
        }
        return view(trace, FrameSummary.text(content, isPacket: place.defaults.isPacket))
    }

    private func view(_ trace: Trace, _ summary: String) -> TraceView {
        let outputs = trace.outcomes.map(output)
        var reason = DropReason(rawValue: trace.decision.reason)
        if reason == nil, !outputs.isEmpty, outputs.allSatisfy({ $0.reason != nil }) {
            reason = trace.outcomes.first?.reason
        }
        let segment = trace.decision.segment
        let target = trace.decision.routing.segment
        return TraceView(
            summary: summary,
            lines: trace.notes.map { .init(stage: $0.stage, text: $0.text) },
            verdict: reason != nil ? "drop" : "\(trace.decision.verdict)",
            reason: reason?.name,
            sentence: reason?.sentence,
            network: segment == noSlot ? nil : name(segment: segment),
            target: outputs.isEmpty || target == noSlot ? nil : name(segment: target),
            outputs: outputs,
            answer: trace.answer.map(output)
        )
    }

    private func output(_ outcome: Trace.Outcome) -> TraceView.Output {
        let place = snapshot.attachments[Int(outcome.attachment)]
        let isRemote = place.isTunnel || place.carriesPackets
        // What arrives is what leaves without the tunnel header.
        let arrives = Array(outcome.bytes.dropFirst(headerLength(place)))
        return TraceView.Output(
            endpoint: name(endpoint: place.endpoint),
            kind: EndpointKindName(snapshot.endpoints[Int(place.endpoint)].kind) ?? .port,
            peer: isRemote ? address(peer: place.peer) : nil,
            tunnel: place.carriesPackets ? name(segment: place.segment) : nil,
            reason: outcome.reason?.name,
            sentence: outcome.reason?.sentence,
            summary: outcome.reason == nil ? FrameSummary.text(arrives, isPacket: place.carriesPackets) : "",
            bytes: FrameSummary.hex(outcome.bytes)
        )
    }

    /// Bytes of the tunnel header that stands in front of what leaves: VXLAN and a network's GRE both have eight.
    private func headerLength(_ place: AttachmentRecord) -> Int {
        switch place.kind {
        case AttachmentKind.vxlan, AttachmentKind.gre: VXLANHeader.length
        case AttachmentKind.greIP:
            GREHeader.length(
                hasKey: place.flags & AttachmentRecord.greKey != 0,
                hasChecksum: place.flags & AttachmentRecord.greChecksum != 0
            )
        default: 0
        }
    }

    // MARK: Where it comes in

    private struct Ingress {
        var endpoint: UInt32
        /// The outer source of a tunnel packet.
        var peer = IPv6Address(high: 0, low: 0)
        /// The VXLAN network identifier or GRE key in front of a frame.
        var identifier: UInt32?
        /// The far end of the router's tunnel that it comes out of.
        var tunnel: AttachmentRecord?
        var defaults = FrameText.Defaults()
    }

    /// The tunnel header in front of the content.
    private func header(_ place: Ingress, _ content: [UInt8]) -> [UInt8] {
        if let tunnel = place.tunnel {
            guard tunnel.kind == AttachmentKind.greIP else { return [] }
            var header = [UInt8](repeating: 0, count: headerLength(tunnel))
            let hasChecksum = tunnel.flags & AttachmentRecord.greChecksum != 0
            header.withUnsafeMutableBytes { bytes in
                let length = GREHeader.write(
                    to: bytes.baseAddress!,
                    protocolType: FrameSummary.etherType(ofPacket: content),
                    key: snapshot.segments[Int(tunnel.segment)].identifier,
                    hasKey: tunnel.flags & AttachmentRecord.greKey != 0,
                    hasChecksum: hasChecksum
                )
                guard hasChecksum else { return }
                content.withUnsafeBytes {
                    GREHeader.writeChecksum(
                        header: bytes.baseAddress!,
                        length: length,
                        payload: $0.baseAddress!,
                        content.count,
                        rest: $0.baseAddress!,
                        0
                    )
                }
            }
            return header
        }
        guard let identifier = place.identifier else { return [] }
        var header = [UInt8](repeating: 0, count: VXLANHeader.length)
        header.withUnsafeMutableBytes { bytes in
            if snapshot.endpoints[Int(place.endpoint)].kind == EndpointKind.vxlan {
                VXLANHeader.write(to: bytes.baseAddress!, vni: identifier)
            } else {
                GREHeader.write(to: bytes.baseAddress!, key: identifier)
            }
        }
        return header
    }

    private func ingress(_ request: TraceRequest) throws -> Ingress {
        if let port = request.port {
            guard request.vtep == nil else {
                throw TraceError("a frame comes in at a port or out of a tunnel, not both: leave one of them out.")
            }
            if let tunnel = tunnel(named: port) { return tunnel }
            let slot = try requireEndpoint(port)
            let kind = EndpointKindName(snapshot.endpoints[Int(slot)].kind)
            guard kind == .port || kind == .provider else {
                throw TraceError(
                    "\(port) is a tunnel socket: name the VTEP or the tunnel that the frame comes from instead."
                )
            }
            return Ingress(endpoint: slot, defaults: defaults(slot))
        }
        guard let vtep = request.vtep else {
            throw TraceError("say where the frame comes in: a port, or the VTEP of a tunnel with a VNI or GRE key.")
        }
        guard let address = IPAddress(vtep) else { throw TraceError("\(vtep) is not an IP address.") }
        let kind: EndpointKindName
        let identifier: UInt32
        switch (request.vni, request.key) {
        case (let vni?, nil): (kind, identifier) = (.vxlan, vni)
        case (nil, let key?): (kind, identifier) = (.gre, key)
        default: throw TraceError("a frame out of a tunnel comes with a VNI or a GRE key: name one of them.")
        }
        guard kind == .gre || identifier < 1 << 24 else { throw TraceError("a VNI is less than 16777216.") }
        let slot = try tunnel(kind, identifier, isIPv6: address.isIPv6)
        return Ingress(endpoint: slot, peer: address.mapped, identifier: identifier)
    }

    /// The far end of the router's tunnel called `tenant/router/tunnel`.
    private func tunnel(named name: String) -> Ingress? {
        guard let segment = segment(named: name) else { return nil }
        for slot in 0..<Int(snapshot.attachmentCount) {
            let row = snapshot.attachments[slot]
            guard row.segment == segment, row.carriesPackets else { continue }
            return Ingress(
                endpoint: row.endpoint,
                peer: snapshot.peers[Int(row.peer)].address,
                tunnel: row,
                defaults: FrameText.Defaults(isPacket: true)
            )
        }
        return nil
    }

    /// The socket at which a tunnel packet of that family would arrive: the one that knows the identifier, or any.
    private func tunnel(_ kind: EndpointKindName, _ identifier: UInt32, isIPv6: Bool) throws -> UInt32 {
        let sockets = endpointSlots.filter { slot in
            switch EndpointKey(record: snapshot.endpoints[Int(slot)], in: snapshot) {
            case .vxlan(let address, _): kind == .vxlan && address.isIPv6 == isIPv6
            case .gre(let address): kind == .gre && address.isIPv6 == isIPv6
            default: false
            }
        }
        let knows = sockets.first { snapshot.segment(endpoint: $0, identifier: identifier) != noSlot }
        guard let slot = knows ?? sockets.first else {
            throw TraceError(
                "this host has no \(kind.rawValue) tunnels over IPv\(isIPv6 ? 6 : 4): no such packet can arrive."
            )
        }
        return slot
    }

    /// What a frame need not say at an access port: who sends it is in the file, and to whom it goes first a station
    /// knows as its router does.
    private func defaults(_ endpoint: UInt32) -> FrameText.Defaults {
        let row = snapshot.endpoints[Int(endpoint)]
        guard row.kind == EndpointKind.port, row.untagged != noSlot else { return FrameText.Defaults() }
        let segment = snapshot.attachments[Int(row.untagged)].segment
        return FrameText.Defaults(
            source: toldMACs(at: row.untagged).first,
            destination: { mac(of: $0, segment: segment) }
        )
    }

    /// The address to which a station of a segment sends packets for `address`: its owner's, or a router's.
    private func mac(of address: IPAddress, segment: UInt32) -> MACAddress? {
        let told = snapshot.neighbor(segment: segment, address.mapped)
        if told != noSlot { return MACAddress(bits: snapshot.neighbors[Int(told)].mac) }
        for region in states.regions {
            let neighbors = region.taught.neighbors
            let known = neighbors.find(segment: segment, address.mapped, now: region.now, snapshot: snapshot)
            if known.state == NeighborTable.State.reachable { return MACAddress(bits: known.mac) }
        }
        var router: UInt32?
        for slot in 0..<Int(snapshot.interfaceCount) {
            let row = snapshot.interfaces[slot]
            guard row.inUse != 0, row.segment == segment else { continue }
            for own in row.addressStart..<row.addressStart + row.addressCount {
                let prefix = snapshot.addresses[Int(own)]
                let link = IPPrefix(address: IPAddress(mapped: prefix.address), length: Int(prefix.length))
                if link.contains(address) { return nil }
                if link.address.isIPv6 == address.isIPv6 { router = router ?? row.router }
            }
        }
        return router.map { MACAddress(bits: snapshot.routers[Int($0)].mac) }
    }
}
