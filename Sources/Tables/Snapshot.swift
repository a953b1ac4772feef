import Wire

/// The sections of a snapshot in the order of its header.
enum Section: Int, CaseIterable {
    case endpoints, segments, attachments, peers, flood
    case vlanIndex, vniIndex, memberIndex, peerIndex, toldIndex, interfaceIndex
    case strings

    /// Bytes of one row.
    var stride: Int {
        switch self {
        case .endpoints: MemoryLayout<EndpointRecord>.stride
        case .segments: MemoryLayout<SegmentRecord>.stride
        case .attachments: MemoryLayout<AttachmentRecord>.stride
        case .peers: MemoryLayout<PeerRecord>.stride
        case .flood: 4
        case .strings: 1
        default: MemoryLayout<FrozenIndex.Entry>.stride
        }
    }

    var isIndex: Bool { (Section.vlanIndex.rawValue...Section.interfaceIndex.rawValue).contains(rawValue) }
}

/// The first bytes of a snapshot: magic, layout version, generation, size, seed, then (offset, count) of each section.
enum SnapshotHeader {
    static let magic: UInt64 = 0x736C_7569_6365_3031  // "sluice01"
    static let layout: UInt64 = 1
    static let magicOffset = 0
    static let layoutOffset = 8
    static let generationOffset = 16
    static let sizeOffset = 24
    static let seedOffset = 32
    static let sectionsOffset = 64
    static let length = 64 + 16 * Section.allCases.count
}

/// Told state, as the datapath sees it: one immutable flat image, replaced whole. A view: it does not own the memory.
/// Every key begins with an endpoint or a segment, so a look-up without a tenant cannot be written.
@frozen
public struct Snapshot: @unchecked Sendable {
    public let generation: UInt64
    public let endpointCount: UInt32
    public let segmentCount: UInt32
    public let attachmentCount: UInt32
    public let peerCount: UInt32
    public let endpoints: UnsafePointer<EndpointRecord>
    public let segments: UnsafePointer<SegmentRecord>
    public let attachments: UnsafePointer<AttachmentRecord>
    public let peers: UnsafePointer<PeerRecord>
    public let flood: UnsafePointer<UInt32>
    public let vlanIndex: FrozenIndex
    public let vniIndex: FrozenIndex
    public let memberIndex: FrozenIndex
    public let peerIndex: FrozenIndex
    public let toldIndex: FrozenIndex
    public let interfaceIndex: FrozenIndex
    public let strings: UnsafeRawPointer
    public let stringBytes: Int

    /// The attachment of a tagged frame on a VLAN-aware endpoint, or `noSlot`.
    @inlinable @inline(__always)
    public func attachment(endpoint: UInt32, tpid: UInt16, vid: UInt16) -> UInt32 {
        vlanIndex.find(UInt64(endpoint) << 32 | UInt64(tpid) << 16 | UInt64(vid))
    }

    /// The segment of a VNI or GRE key on a tunnel endpoint, or `noSlot`.
    @inlinable @inline(__always)
    public func segment(endpoint: UInt32, identifier: UInt32) -> UInt32 {
        vniIndex.find(UInt64(endpoint) << 32 | UInt64(identifier))
    }

    /// The slot of a remote VTEP, or `noSlot`.
    @inlinable @inline(__always)
    public func peer(_ address: IPv6Address) -> UInt32 {
        // The key is a digest; the row decides.
        let slot = peerIndex.find(address.high &* 0x9E37_79B9_7F4A_7C15 ^ address.low)
        return slot != noSlot && peers[Int(slot)].address == address ? slot : noSlot
    }

    /// The attachment of a remote VTEP in a segment, or `noSlot` where it has no port there.
    @inlinable @inline(__always)
    public func attachment(segment: UInt32, peer: UInt32) -> UInt32 {
        memberIndex.find(UInt64(segment) << 32 | UInt64(peer))
    }

    /// The attachment that the operator's file names as home of an address, or `noSlot`.
    @inlinable @inline(__always)
    public func told(segment: UInt32, mac: MACAddress) -> UInt32 {
        toldIndex.find(mac.bits | UInt64(segment & 0xFFFF) << 48, segment >> 16)
    }

    /// Whether a host interface belongs to a tenant's port, so that no tunnel packet may come from there.
    @inlinable @inline(__always)
    public func isTenantInterface(_ index: UInt32) -> Bool {
        index != 0 && interfaceIndex.find(UInt64(index)) != noSlot
    }

    /// The text of a string reference.
    public func text(_ ref: StringRef) -> String {
        let start = Int(ref)
        guard start + 2 <= stringBytes else { return "" }
        let count = Int(strings.loadUnaligned(fromByteOffset: start, as: UInt16.self))
        guard start + 2 + count <= stringBytes else { return "" }
        return String(
            decoding: UnsafeRawBufferPointer(start: strings + start + 2, count: count),
            as: UTF8.self
        )
    }
}

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

        generation = base.loadUnaligned(fromByteOffset: SnapshotHeader.generationOffset, as: UInt64.self)
        endpointCount = count(.endpoints)
        segmentCount = count(.segments)
        attachmentCount = count(.attachments)
        peerCount = count(.peers)
        endpoints = rows(.endpoints, EndpointRecord.self)
        segments = rows(.segments, SegmentRecord.self)
        attachments = rows(.attachments, AttachmentRecord.self)
        peers = rows(.peers, PeerRecord.self)
        flood = rows(.flood, UInt32.self)
        vlanIndex = index(.vlanIndex)
        vniIndex = index(.vniIndex)
        memberIndex = index(.memberIndex)
        peerIndex = index(.peerIndex)
        toldIndex = index(.toldIndex)
        interfaceIndex = index(.interfaceIndex)
        strings = starts[Section.strings.rawValue]
        stringBytes = counts[Section.strings.rawValue]
        try checkReferences(floodEntries: counts[Section.flood.rawValue])
        for (section, limit) in [
            (Section.vlanIndex, attachmentCount), (.vniIndex, segmentCount), (.memberIndex, attachmentCount),
            (.peerIndex, peerCount), (.toldIndex, attachmentCount), (.interfaceIndex, endpointCount),
        ] {
            let entries = rows(section, FrozenIndex.Entry.self)
            try Snapshot.check(entries, counts[section.rawValue], section, limit)
            guard [.vlanIndex, .memberIndex, .toldIndex].contains(section) else { continue }
            for i in 0..<counts[section.rawValue] where entries[i].value != FrozenIndex.none {
                guard attachments[Int(entries[i].value)].kind != AttachmentKind.none else {
                    throw .danglingReference(section: "\(section)", row: i)
                }
            }
        }
    }

    private func checkReferences(floodEntries: Int) throws(SnapshotError) {
        for i in 0..<Int(endpointCount) {
            let untagged = endpoints[i].untagged
            guard
                untagged == noSlot
                    || untagged < attachmentCount && attachments[Int(untagged)].kind != AttachmentKind.none
            else { throw .danglingReference(section: "endpoints", row: i) }
        }
        for i in 0..<Int(segmentCount) {
            let segment = segments[i]
            guard UInt64(segment.floodStart) + UInt64(segment.floodCount) <= UInt64(floodEntries) else {
                throw .danglingReference(section: "segments", row: i)
            }
        }
        for i in 0..<Int(attachmentCount) where attachments[i].kind != AttachmentKind.none {
            let row = attachments[i]
            guard row.endpoint < endpointCount, row.segment < segmentCount,
                row.isTunnel ? row.peer < peerCount : row.peer == noSlot
            else { throw .danglingReference(section: "attachments", row: i) }
        }
        for i in 0..<floodEntries {
            guard flood[i] < attachmentCount, attachments[Int(flood[i])].kind != AttachmentKind.none else {
                throw .danglingReference(section: "flood", row: i)
            }
        }
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
