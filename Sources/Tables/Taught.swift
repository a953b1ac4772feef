import Wire

/// The largest IP packet that got through to a peer, as the underlay's routers told.
@frozen
public struct PathMTU: Equatable, Sendable {
    /// The peer that had the slot when it was learned.
    public var address: IPv6Address
    /// In bytes; 0 is unknown.
    public var mtu: UInt32
    /// Second in which it was learned.
    public var learned: UInt32

    /// Seconds after which the way may have become wider (RFC 1191 §6.3, RFC 8201 §5.3).
    public static let seconds: UInt32 = 600
    /// Smaller values are not believed (RFC 1191 §3, RFC 8201 §4).
    public static let leastIPv4: UInt32 = 68
    public static let leastIPv6: UInt32 = 1280
}

/// Everything that the datapath has learned, as the pipeline reads it.
@frozen
public struct Taught {
    public let macs: MACTable
    public let neighbors: NeighborTable
    /// By peer slot.
    public let pathMTUs: UnsafeMutablePointer<PathMTU>

    public init(macs: MACTable, neighbors: NeighborTable, pathMTUs: UnsafeMutablePointer<PathMTU>) {
        self.macs = macs
        self.neighbors = neighbors
        self.pathMTUs = pathMTUs
    }

    /// The largest IP packet on the way to a peer, in bytes: what was told or what was learned, whichever is less; 0 is
    /// unknown.
    @inlinable @inline(__always)
    public func pathMTU(_ peer: UInt32, now: UInt32, snapshot: Snapshot) -> UInt32 {
        let row = snapshot.peers[Int(peer)]
        let known = pathMTUs[Int(peer)]
        guard known.mtu != 0, known.address == row.address, now &- known.learned < PathMTU.seconds else {
            return row.pathMTU
        }
        return row.pathMTU == 0 ? known.mtu : min(known.mtu, row.pathMTU)
    }

    /// Notes what the underlay told about the way to a peer. A larger value than the one that holds is not believed
    /// (RFC 8201 §4), nor one that no way may have.
    ///
    /// - Returns: whether it was believed.
    @discardableResult
    public func learnPathMTU(_ mtu: UInt32, peer: UInt32, now: UInt32, snapshot: Snapshot) -> Bool {
        let isIPv4 = snapshot.peers[Int(peer)].address.mappedIPv4 != nil
        guard mtu >= (isIPv4 ? PathMTU.leastIPv4 : PathMTU.leastIPv6) else { return false }
        let held = pathMTU(peer, now: now, snapshot: snapshot)
        guard held == 0 || mtu < held else { return false }
        pathMTUs[Int(peer)] = PathMTU(address: snapshot.peers[Int(peer)].address, mtu: mtu, learned: now)
        return true
    }
}
