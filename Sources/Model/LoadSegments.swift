/// What makes a segment the same as another: never shared by two networks, whoever owns them.
enum SegmentKey: Hashable {
    case flat(physical: String)
    case vlan(physical: String, protocol: VLANProtocol, id: UInt16)
    /// Whatever its UDP port: a VNI is one tenant's, so that no port number stands between two of them.
    case vxlan(UInt32)
    case gre(UInt32)
}

extension Loader {
    private enum SegmentType: String, CaseIterable { case local, flat, vlan, vxlan, gre }

    private static let segmentSchema = Schema(
        subject: "a segment",
        keys: ["type", "physical", "id", "protocol", "port"],
        mistaken: ["vni": "id", "key": "id", "vlan": "id", "vid": "id", "tag": "id", "device": "physical"]
    )

    mutating func loadSegment(_ network: Fields, of result: inout Network) {
        let path = network.path("segment")
        guard let node = network["segment"] else {
            refuse(
                result.mark.place,
                network.path,
                "the network's `segment` is missing; write `segment: {type: local}` or one of flat, vlan, vxlan, gre"
            )
            return
        }
        result.segmentMark = mark(node.place, path)
        guard let fields = fields(node, path, Self.segmentSchema) else { return }
        guard let typeNode = fields["type"] else {
            refuse(node.place, path, "the segment's `type` is missing; it is local, flat, vlan, vxlan or gre")
            return
        }
        guard let type = word(typeNode, "\(path).type", "the type of a segment", as: SegmentType.self) else { return }
        checkKeys(fields, of: type)
        guard let segment = segment(type, fields) else { return }
        result.segment = segment
        claim(segment, node.place, path, result.mark.path)
    }

    /// Keys that belong to another type are not ignored.
    private mutating func checkKeys(_ fields: Fields, of type: SegmentType) {
        let allowed =
            switch type {
            case .local: ["type"]
            case .flat: ["type", "physical"]
            case .vlan: ["type", "physical", "id", "protocol"]
            case .vxlan: ["type", "id", "port"]
            case .gre: ["type", "id"]
            }
        for entry in fields.entries
        where !allowed.contains(entry.key) && Self.segmentSchema.keys.contains(entry.key) {
            refuse(
                entry.place,
                fields.path(entry.key),
                "`\(entry.key)` has no meaning for a segment of type `\(type.rawValue)`; remove it"
            )
        }
    }

    private mutating func segment(_ type: SegmentType, _ fields: Fields) -> Segment? {
        switch type {
        case .local: return .local
        case .flat: return physical(fields, of: type).map { .flat(physical: $0) }
        case .vlan:
            let physical = physical(fields, of: type)
            let id = identifier(fields, of: type, "the VLAN id", in: Segment.vlanRange)
            var tag = VLANProtocol.dot1Q
            if let node = fields["protocol"] {
                guard let given = word(node, fields.path("protocol"), "the tag's protocol", as: VLANProtocol.self)
                else { return nil }
                tag = given
            }
            guard let physical, let id else { return nil }
            return .vlan(physical: physical, id: UInt16(id), protocol: tag)
        case .vxlan:
            let id = identifier(fields, of: type, "the VNI", in: Segment.vniRange)
            var port = Int(Segment.vxlanPort)
            if let node = fields["port"] {
                guard let given = integer(node, fields.path("port"), "the UDP port", in: 1...65_535) else { return nil }
                port = given
            }
            return id.map { .vxlan(id: UInt32($0), port: UInt16(port)) }
        case .gre:
            return identifier(fields, of: type, "the GRE key", in: 0...Int(UInt32.max)).map { .gre(key: UInt32($0)) }
        }
    }

    private mutating func identifier(
        _ fields: Fields,
        of type: SegmentType,
        _ what: String,
        in range: ClosedRange<Int>
    ) -> Int? {
        guard let node = fields["id"] else {
            refuse(
                fields.place,
                fields.path,
                "a segment of type `\(type.rawValue)` needs `id`, \(what), from \(range.lowerBound) to \(range.upperBound)"
            )
            return nil
        }
        if type == .vlan, case .scalar(let scalar) = node.content, scalar.isPlain, ["0", "4095"].contains(scalar.text) {
            refuse(
                node.place,
                fields.path("id"),
                "VLAN id \(scalar.text) is reserved (IEEE 802.1Q); use one from 1 to 4094"
                    + (scalar.text == "0" ? ", or `type: flat` for untagged frames" : "")
            )
            return nil
        }
        return integer(node, fields.path("id"), what, in: range)
    }

    private mutating func physical(_ fields: Fields, of type: SegmentType) -> String? {
        guard let node = fields["physical"] else {
            refuse(
                fields.place,
                fields.path,
                "a segment of type `\(type.rawValue)` needs `physical`, the provider network that carries it"
            )
            return nil
        }
        guard let name = reference(node, fields.path("physical"), "a provider network") else { return nil }
        guard physicalNames.contains(name) || !brokenHosts.isEmpty else {
            let advice = suggestion(for: name, among: { $0.physicalNames.sorted() }, called: "the provider networks")
            refuse(
                node.place,
                fields.path("physical"),
                "no host has a provider network `\(shown(name))`\(advice); declare it with `physical: {NAME: DEVICE}` "
                    + "on the hosts that it reaches"
            )
            return nil
        }
        return name
    }

    private mutating func claim(_ segment: Segment, _ place: Place, _ path: String, _ owner: String) {
        let (key, what): (SegmentKey, String)
        switch segment {
        case .local: return
        case .flat(let physical):
            (key, what) = (.flat(physical: physical), "the untagged frames of \(physical) already belong")
        case .vlan(let physical, let id, let tag):
            let kind = tag == .dot1Q ? "VLAN \(id)" : "802.1ad VLAN \(id)"
            (key, what) = (.vlan(physical: physical, protocol: tag, id: id), "\(kind) on \(physical) already belongs")
        case .vxlan(let id, _): (key, what) = (.vxlan(id), "VNI \(id) already belongs")
        case .gre(let id): (key, what) = (.gre(id), "GRE key \(id) already belongs")
        }
        if let claim = segments[key] {
            refuse(
                place,
                path,
                "\(what) to \(claim.owner) (line \(claim.line)) and \(owner) wants it too; two networks never share a "
                    + "segment, so give one of them another"
            )
        } else {
            segments[key] = Claim(owner: owner, line: place.line)
        }
    }
}
