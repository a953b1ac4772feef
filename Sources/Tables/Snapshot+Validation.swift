import Wire

/// Why bytes are not a snapshot that may be forwarded by.
public enum SnapshotError: Error, Equatable, Sendable {
    case notASnapshot
    case otherLayout(UInt64)
    case truncated
    /// A row refers to a slot that does not exist.
    case danglingReference(section: String, row: Int)
}

extension Snapshot {
    /// Checks everything that the forwarding functions later take for granted: sizes, alignment, every reference.
    public init(validating bytes: UnsafeRawBufferPointer) throws(SnapshotError) {
        guard let base = bytes.baseAddress, bytes.count >= SnapshotHeader.length,
            base.loadUnaligned(fromByteOffset: SnapshotHeader.magicOffset, as: UInt64.self) == SnapshotHeader.magic
        else { throw .notASnapshot }
        let layout = base.loadUnaligned(fromByteOffset: SnapshotHeader.layoutOffset, as: UInt64.self)
        guard layout == SnapshotHeader.layout else { throw .otherLayout(layout) }
        guard base.loadUnaligned(fromByteOffset: SnapshotHeader.sizeOffset, as: UInt64.self) == UInt64(bytes.count)
        else { throw .truncated }
        let seed = base.loadUnaligned(fromByteOffset: SnapshotHeader.seedOffset, as: UInt64.self)

        var starts: [UnsafeRawPointer] = []
        var counts: [Int] = []
        for section in Section.allCases {
            let at = SnapshotHeader.sectionsOffset + 16 * section.rawValue
            let offset = base.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            let count = base.loadUnaligned(fromByteOffset: at + 8, as: UInt64.self)
            guard offset % 16 == 0, offset <= UInt64(bytes.count),
                count <= (UInt64(bytes.count) - offset) / UInt64(section.stride)
            else { throw .truncated }
            if section.isIndex {
                guard count >= 2, count & (count - 1) == 0 else { throw .truncated }
            }
            starts.append(base + Int(offset))
            counts.append(Int(count))
        }
        func rows<T>(_ section: Section, _: T.Type) -> UnsafePointer<T> {
            starts[section.rawValue].assumingMemoryBound(to: T.self)
        }
        func index(_ section: Section) -> FrozenIndex {
            FrozenIndex(entries: rows(section, FrozenIndex.Entry.self), count: counts[section.rawValue], seed: seed)
        }
        func count(_ section: Section) -> UInt32 { UInt32(clamping: counts[section.rawValue]) }

        self.init(
            SnapshotPlaces(
                generation: base.loadUnaligned(fromByteOffset: SnapshotHeader.generationOffset, as: UInt64.self),
                endpointCount: count(.endpoints),
                segmentCount: count(.segments),
                attachmentCount: count(.attachments),
                peerCount: count(.peers),
                endpoints: rows(.endpoints, EndpointRecord.self),
                segments: rows(.segments, SegmentRecord.self),
                attachments: rows(.attachments, AttachmentRecord.self),
                peers: rows(.peers, PeerRecord.self),
                flood: rows(.flood, UInt32.self),
                routerCount: count(.routers),
                interfaceCount: count(.interfaces),
                routeCount: count(.routes),
                neighborCount: count(.neighbors),
                routers: rows(.routers, RouterRecord.self),
                interfaces: rows(.interfaces, InterfaceRecord.self),
                addresses: rows(.addresses, InterfaceAddress.self),
                routes: rows(.routes, RouteRecord.self),
                hops: rows(.hops, NextHopRecord.self),
                rangesIPv4: rows(.rangesIPv4, RangeIPv4.self),
                rangesIPv6: rows(.rangesIPv6, RangeIPv6.self),
                rangeIndex: rows(.rangeIndex, UInt32.self),
                neighbors: rows(.neighbors, NeighborRecord.self),
                vlanIndex: index(.vlanIndex),
                vniIndex: index(.vniIndex),
                memberIndex: index(.memberIndex),
                peerIndex: index(.peerIndex),
                toldIndex: index(.toldIndex),
                interfaceIndex: index(.interfaceIndex),
                neighborIndex: index(.neighborIndex),
                tunnelIndex: index(.tunnelIndex),
                strings: starts[Section.strings.rawValue],
                stringBytes: counts[Section.strings.rawValue]
            )
        )
        do throws(SnapshotError) {
            try check(starts, counts)
        } catch {
            forget()
            throw error
        }
    }

    /// Everything that refers to something. `starts` and `counts` are those of the sections.
    private func check(_ starts: [UnsafeRawPointer], _ counts: [Int]) throws(SnapshotError) {
        try checkReferences(floodEntries: counts[Section.flood.rawValue])
        try checkRouters(
            addresses: counts[Section.addresses.rawValue],
            hops: counts[Section.hops.rawValue],
            rangesIPv4: counts[Section.rangesIPv4.rawValue],
            rangesIPv6: counts[Section.rangesIPv6.rawValue],
            rangeIndex: counts[Section.rangeIndex.rawValue]
        )
        for (section, limit) in [
            (Section.vlanIndex, attachmentCount), (.vniIndex, segmentCount), (.memberIndex, attachmentCount),
            (.peerIndex, peerCount), (.toldIndex, attachmentCount), (.interfaceIndex, endpointCount),
            (.neighborIndex, neighborCount), (.tunnelIndex, attachmentCount),
        ] {
            let entries = starts[section.rawValue].assumingMemoryBound(to: FrozenIndex.Entry.self)
            try Snapshot.check(entries, counts[section.rawValue], section, limit)
            guard [.vlanIndex, .memberIndex, .toldIndex, .tunnelIndex].contains(section) else { continue }
            for i in 0..<counts[section.rawValue] where entries[i].value != FrozenIndex.none {
                let target = attachments[Int(entries[i].value)]
                let fits =
                    switch section {
                    case .toldIndex: target.kind != AttachmentKind.none && !target.carriesPackets
                    case .tunnelIndex: target.carriesPackets && TunnelKey.leads(entries[i].key, to: target)
                    default: hasEndpoint(entries[i].value) && !target.carriesPackets
                    }
                guard fits else { throw .danglingReference(section: "\(section)", row: i) }
            }
        }
    }

    private func checkReferences(floodEntries: Int) throws(SnapshotError) {
        for i in 0..<Int(endpointCount) {
            let untagged = endpoints[i].untagged
            guard untagged == noSlot || hasEndpoint(untagged) else {
                throw .danglingReference(section: "endpoints", row: i)
            }
            if endpoints[i].kind == EndpointKind.uplink, untagged != noSlot {
                guard attachments[Int(untagged)].kind == AttachmentKind.provider,
                    attachments[Int(untagged)].endpoint == UInt32(i)
                else { throw .danglingReference(section: "endpoints", row: i) }
            }
        }
        for i in 0..<Int(segmentCount) {
            let segment = segments[i]
            guard UInt64(segment.floodStart) + UInt64(segment.floodCount) <= UInt64(floodEntries) else {
                throw .danglingReference(section: "segments", row: i)
            }
        }
        for i in 0..<Int(attachmentCount) where attachments[i].kind != AttachmentKind.none {
            let row = attachments[i]
            guard row.kind <= AttachmentKind.greIP,
                row.isRouter ? row.endpoint == noSlot : row.endpoint < endpointCount, row.segment < segmentCount,
                row.isTunnel || row.carriesPackets ? row.peer < peerCount : row.peer == noSlot,
                needsInterface(row) ? row.interface < interfaceCount : row.interface == noSlot
            else { throw .danglingReference(section: "attachments", row: i) }
        }
        for i in 0..<floodEntries {
            // Routers are not flooded to: what concerns them is seen on the way in.
            guard hasEndpoint(flood[i]) else {
                throw .danglingReference(section: "flood", row: i)
            }
        }
    }

    /// Whether an attachment leads to a router: its own, a tunnel's, or what lies behind an uplink.
    private func needsInterface(_ row: AttachmentRecord) -> Bool {
        row.isRouter || row.carriesPackets || endpoints[Int(row.endpoint)].kind == EndpointKind.uplink
    }

    /// Whether frames can be sent to an attachment.
    func hasEndpoint(_ slot: UInt32) -> Bool {
        guard slot < attachmentCount else { return false }
        let row = attachments[Int(slot)]
        return row.kind != AttachmentKind.none && !row.isRouter
    }

    private static func check(
        _ entries: UnsafePointer<FrozenIndex.Entry>,
        _ count: Int,
        _ section: Section,
        _ limit: UInt32
    ) throws(SnapshotError) {
        var empty = 0
        for i in 0..<count {
            if entries[i].value == FrozenIndex.none {
                empty += 1
            } else if entries[i].value >= limit {
                throw .danglingReference(section: "\(section)", row: i)
            }
        }
        // A full table would make a look-up for a missing key run for ever.
        guard empty > 0 else { throw .danglingReference(section: "\(section)", row: count) }
    }
}
