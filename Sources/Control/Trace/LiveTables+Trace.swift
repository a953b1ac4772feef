import Forwarding
import Rings
import Tables
import Wire

extension LiveTables {
    /// Walks a frame through the tables with the functions that the datapath forwards by. Nothing is learned, counted or
    /// sent. Throws `TraceError` for a frame that cannot be read and `UnknownName` for a port that is not there.
    public func trace(_ request: TraceRequest) throws -> TraceView {
        let (endpoint, header, peer) = try ingress(request)
        let content = try FrameText.bytes(request.frame, source: defaultSource(endpoint))
        var packet = header + content
        let trace = packet.withUnsafeMutableBytes { bytes in
            explain(
                Frame(bytes: bytes.baseAddress!, length: bytes.count, endpoint: endpoint, outerSource: peer),
                snapshot: snapshot,
                taught: region.taught,
                now: region.now
            )
        }
        return view(trace, content)
    }

    private func view(_ trace: Trace, _ content: [UInt8]) -> TraceView {
        let outputs = trace.outcomes.map(output)
        var reason = DropReason(rawValue: trace.decision.reason)
        if reason == nil, !outputs.isEmpty, outputs.allSatisfy({ $0.reason != nil }) {
            reason = trace.outcomes.first?.reason
        }
        let segment = trace.decision.segment
        return TraceView(
            summary: FrameSummary.text(content),
            lines: trace.notes.map { .init(stage: $0.stage, text: $0.text) },
            verdict: reason != nil ? "drop" : "\(trace.decision.verdict)",
            reason: reason?.name,
            sentence: reason?.sentence,
            network: segment == noSlot ? nil : name(segment: segment),
            outputs: outputs
        )
    }

    private func output(_ outcome: Trace.Outcome) -> TraceView.Output {
        let place = snapshot.attachments[Int(outcome.attachment)]
        // What arrives is what leaves without the tunnel header: VXLAN and keyed GRE both have eight bytes.
        let arrives = place.isTunnel ? Array(outcome.bytes.dropFirst(VXLANHeader.length)) : outcome.bytes
        return TraceView.Output(
            endpoint: name(endpoint: place.endpoint),
            kind: EndpointKindName(snapshot.endpoints[Int(place.endpoint)].kind) ?? .port,
            peer: place.isTunnel ? address(peer: place.peer) : nil,
            reason: outcome.reason?.name,
            sentence: outcome.reason?.sentence,
            summary: outcome.reason == nil ? FrameSummary.text(arrives) : "",
            bytes: FrameSummary.hex(outcome.bytes)
        )
    }

    // MARK: Where it comes in

    private func ingress(
        _ request: TraceRequest
    ) throws -> (endpoint: UInt32, header: [UInt8], peer: IPv6Address) {
        if let port = request.port {
            guard request.vtep == nil else {
                throw TraceError("a frame comes in at a port or out of a tunnel, not both: leave one of them out.")
            }
            let slot = try requireEndpoint(port)
            let kind = EndpointKindName(snapshot.endpoints[Int(slot)].kind)
            guard kind == .port || kind == .provider else {
                throw TraceError("\(port) is a tunnel socket: name the VTEP that the frame comes from instead.")
            }
            return (slot, [], IPv6Address(high: 0, low: 0))
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
        var header = [UInt8](repeating: 0, count: VXLANHeader.length)
        header.withUnsafeMutableBytes { bytes in
            if kind == .vxlan {
                VXLANHeader.write(to: bytes.baseAddress!, vni: identifier)
            } else {
                GREHeader.write(to: bytes.baseAddress!, key: identifier)
            }
        }
        return (slot, header, address.mapped)
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

    /// The address that the file gives the station behind an access port, so that a frame need not name it.
    private func defaultSource(_ endpoint: UInt32) -> MACAddress? {
        let row = snapshot.endpoints[Int(endpoint)]
        guard row.kind == EndpointKind.port, row.untagged != noSlot else { return nil }
        return toldMACs(at: row.untagged).first
    }
}
