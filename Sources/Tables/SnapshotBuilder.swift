import Wire

/// Collects rows and indexes, and freezes them into the bytes of a snapshot.
public struct SnapshotBuilder: Sendable {
    public var endpoints: [EndpointRecord] = []
    public var segments: [SegmentRecord] = []
    public var attachments: [AttachmentRecord] = []
    public var peers: [PeerRecord] = []
    public private(set) var flood: [UInt32] = []
    public var routers: [RouterRecord] = []
    public var interfaces: [InterfaceRecord] = []
    public var addresses: [InterfaceAddress] = []
    public var routes: [RouteRecord] = []
    public var hops: [NextHopRecord] = []
    var rangesIPv4: [RangeIPv4] = []
    var rangesIPv6: [RangeIPv6] = []
    var rangeIndex: [UInt32] = []
    private var neighbors: [NeighborRecord] = []
    private var neighborIndex = FrozenIndexBuilder()
    private var tunnelIndex = FrozenIndexBuilder()
    private var vlanIndex = FrozenIndexBuilder()
    private var vniIndex = FrozenIndexBuilder()
    private var memberIndex = FrozenIndexBuilder()
    private var peerIndex = FrozenIndexBuilder()
    private var toldIndex = FrozenIndexBuilder()
    private var interfaceIndex = FrozenIndexBuilder()
    private var strings: [UInt8] = [0, 0]
    private var stringRefs: [String: StringRef] = ["": 0]

    public init() {}

    /// Stores a text once and gives its reference. Longer than 65 535 bytes is cut.
    public mutating func string(_ text: String) -> StringRef {
        if let known = stringRefs[text] { return known }
        let bytes = Array(text.utf8.prefix(Int(UInt16.max)))
        let ref = StringRef(strings.count)
        strings.append(UInt8(bytes.count & 0xFF))
        strings.append(UInt8(bytes.count >> 8))
        strings += bytes
        stringRefs[text] = ref
        return ref
    }

    /// Sets the attachments that a flooded frame of a segment goes to.
    public mutating func setFlood(segment: UInt32, to attachments: [UInt32]) {
        segments[Int(segment)].floodStart = UInt32(flood.count)
        segments[Int(segment)].floodCount = UInt32(attachments.count)
        flood += attachments
    }

    public mutating func mapVLAN(endpoint: UInt32, tpid: UInt16, vid: UInt16, to attachment: UInt32) {
        vlanIndex.insert(UInt64(endpoint) << 32 | UInt64(tpid) << 16 | UInt64(vid), value: attachment)
    }

    public mutating func mapIdentifier(endpoint: UInt32, identifier: UInt32, to segment: UInt32) {
        vniIndex.insert(UInt64(endpoint) << 32 | UInt64(identifier), value: segment)
    }

    public mutating func mapMember(segment: UInt32, peer: UInt32, to attachment: UInt32) {
        memberIndex.insert(UInt64(segment) << 32 | UInt64(peer), value: attachment)
    }

    public mutating func mapPeer(_ address: IPv6Address, to peer: UInt32) {
        peerIndex.insert(address.high &* 0x9E37_79B9_7F4A_7C15 ^ address.low, value: peer)
    }

    public mutating func tell(segment: UInt32, mac: MACAddress, at attachment: UInt32) {
        let key = ToldKey(segment, mac)
        toldIndex.insert(key.word, key.extra, value: attachment)
    }

    public mutating func markTenantInterface(_ index: UInt32, endpoint: UInt32) {
        interfaceIndex.insert(UInt64(index), value: endpoint)
    }

    /// Leads packets from `peer` on a raw endpoint to the far end of a router's tunnel.
    public mutating func mapTunnel(endpoint: UInt32, peer: UInt32, key: UInt32?, to attachment: UInt32) {
        tunnelIndex.insert(TunnelKey.word(endpoint, peer, hasKey: key != nil), key ?? 0, value: attachment)
    }

    mutating func mapNeighbor(_ row: NeighborRecord) {
        neighborIndex.insert(NeighborKey.digest(row.address), row.segment, value: UInt32(neighbors.count))
        neighbors.append(row)
    }

    /// The snapshot's bytes. `seed` is secret and random: tenants choose the keys.
    public func freeze(generation: UInt64, seed: UInt64) -> [UInt8] {
        var image = [UInt8](repeating: 0, count: SnapshotHeader.length)
        var places: [(offset: Int, count: Int)] = []
        func add<T>(_ rows: [T]) {
            while image.count % 16 != 0 { image.append(0) }
            places.append((image.count, rows.count))
            rows.withUnsafeBytes { image.append(contentsOf: $0) }
        }
        add(endpoints)
        add(segments)
        add(attachments)
        add(peers)
        add(flood)
        add(routers)
        add(interfaces)
        add(addresses)
        add(routes)
        add(hops)
        add(rangesIPv4)
        add(rangesIPv6)
        add(rangeIndex)
        add(neighbors)
        for index in [
            vlanIndex, vniIndex, memberIndex, peerIndex, toldIndex, interfaceIndex, neighborIndex, tunnelIndex,
        ] {
            add(index.layOut(seed: seed))
        }
        add(strings)
        image.withUnsafeMutableBytes { bytes in
            func put(_ value: UInt64, _ offset: Int) {
                bytes.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
            }
            put(SnapshotHeader.magic, SnapshotHeader.magicOffset)
            put(SnapshotHeader.layout, SnapshotHeader.layoutOffset)
            put(generation, SnapshotHeader.generationOffset)
            put(UInt64(bytes.count), SnapshotHeader.sizeOffset)
            put(seed, SnapshotHeader.seedOffset)
            for (i, place) in places.enumerated() {
                put(UInt64(place.offset), SnapshotHeader.sectionsOffset + 16 * i)
                put(UInt64(place.count), SnapshotHeader.sectionsOffset + 16 * i + 8)
            }
        }
        return image
    }
}
