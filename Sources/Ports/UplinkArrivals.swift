import Rings
import Wire

/// Frames of the underlay on their way from a device to the ring. A peer's UDP_SEGMENT comes as one frame of many VXLAN
/// packets: it is taken apart. What were segments of one TCP super-frame before they were sent becomes one again, as in
/// `TunnelArrivals`. Only neighbours are looked at, so nothing is overtaken and nothing waits.
struct UplinkArrivals {
    /// The frame that the next one may be appended to, not yet in the ring, and its outer headers.
    private var last: Frame?
    private var outer = OuterPlaces()
    private var end: UnsafeMutableRawPointer
    /// The same as what it is about to become; found out when there is a next one.
    private var growing: Coalescing?
    /// Whether its outer lengths and checksums have to be written anew.
    private var isChanged = false
    /// Memory for frames that have no outer headers in front of them where they arrived, and how much is left.
    private var spare: UnsafeMutableRawPointer
    private let limit: UnsafeMutableRawPointer
    private let keepsSegments: Bool

    @inline(__always)
    init(_ port: PortIO, spare: UnsafeMutableRawPointer, _ count: Int) {
        keepsSegments = port.flags & PortIO.Flags.keepsSegments != 0
        self.spare = spare
        limit = spare + count
        end = spare
    }

    /// Takes one frame, in a buffer that ends at `end`.
    @inline(__always)
    mutating func add(_ frame: Frame, end: UnsafeMutableRawPointer, _ ring: borrowing ReceiveRing) {
        let offload = frame.offload
        guard let places = OuterPlaces(frame) else { return pass(frame, ring) }
        let isOuterWork = offload.needsChecksum && Int(offload.checksumStart) == places.transport
        if offload.isSuperFrame {
            guard isOuterWork, offload.gsoKind == Offload.gsoUDP, places.isUDP else { return pass(frame, ring) }
            return takeApart(frame, places, end, ring)
        }
        // An outer checksum that nobody has looked at yet is for the pipeline.
        guard !places.isUDP || offload.flags != 0 || places.hasNoChecksum(frame) else { return pass(frame, ring) }
        var whole = frame
        whole.length = places.end
        if append(whole.bytes + places.inner, places.end &- places.inner, frame, places) { return }
        begin(whole, places, end, ring)
    }

    /// Nothing is appended to it, and it is appended to nothing.
    private mutating func pass(_ frame: Frame, _ ring: borrowing ReceiveRing) {
        handOver(ring)
        put(frame, ring)
    }

    @inline(__always)
    private mutating func begin(
        _ frame: Frame,
        _ places: OuterPlaces,
        _ end: UnsafeMutableRawPointer,
        _ ring: borrowing ReceiveRing
    ) {
        handOver(ring)
        last = frame
        outer = places
        self.end = end
    }

    /// Appends what stands behind outer headers to the frame before it, if it came the same way and follows on it.
    @inline(__always)
    private mutating func append(
        _ content: UnsafeMutableRawPointer,
        _ count: Int,
        _ frame: Frame,
        _ places: OuterPlaces
    ) -> Bool {
        guard let last, !keepsSegments, places.isSameWay(frame, as: outer, last) else { return false }
        let first = last.bytes + outer.inner
        // Where the sender is on this machine, the inner checksums may still be to be computed.
        let work = outer.innerWork(last)
        guard work == places.innerWork(frame) else { return false }
        if growing == nil {
            growing = Coalescing(
                first,
                last.length &- outer.inner,
                prefixLength: outer.prefixLength,
                networkType: outer.networkType,
                isUnfinished: work >= 0
            )
            guard work < 0 || growing!.checksumStart == work else {
                growing!.isOpen = false
                return false
            }
        }
        return growing!.append(content, count, capacity: end - first)
    }

    /// Many datagrams behind one header.
    @inline(never)
    private mutating func takeApart(
        _ frame: Frame,
        _ places: OuterPlaces,
        _ end: UnsafeMutableRawPointer,
        _ ring: borrowing ReceiveRing
    ) {
        let size = Int(frame.offload.gsoSize)
        var left = places.end &- places.inner
        guard size >= HeaderLength.vxlan, left <= size &* ReceiveRing.mostDatagrams else {
            return ring.noteUnreadable()
        }
        // Nobody has to look at the outer checksum.
        var piece = frame
        piece.offload = Offload(flags: Offload.dataValidFlag)
        var content = frame.bytes + places.inner
        var isFirst = true
        while left > 0 {
            let count = min(left, size)
            if !append(content, count, piece, places) {
                piece.length = places.inner &+ count
                if isFirst {
                    begin(piece, places, end, ring)
                } else {
                    handOver(ring)
                    guard limit - spare >= BufferPool.headroom &+ BufferPool.capacity, ring.spare > 0 else {
                        ring.noteUnreadable()
                        return
                    }
                    let copy = spare + BufferPool.headroom
                    copy.copyMemory(from: frame.bytes, byteCount: places.inner)
                    (copy + places.inner).copyMemory(from: content, byteCount: count)
                    piece.bytes = copy
                    begin(piece, places, copy + BufferPool.capacity, ring)
                }
                isChanged = true
            }
            isFirst = false
            content += count
            left &-= count
        }
    }

    /// Puts the last frame into the ring: no other will be appended to it.
    @inline(__always)
    mutating func handOver(_ ring: borrowing ReceiveRing) {
        guard let frame = last else { return }
        finish(frame, ring)
    }

    private mutating func finish(_ given: Frame, _ ring: borrowing ReceiveRing) {
        var frame = given
        if let growing, growing.count > 1 {
            growing.finish()
            frame.length = outer.inner &+ growing.length
            frame.offload = Offload(
                flags: Offload.needsChecksumFlag,
                gsoType: growing.gsoType,
                headerLength: UInt16(truncatingIfNeeded: outer.inner &+ growing.payloadOffset),
                gsoSize: growing.gsoSize,
                checksumStart: UInt16(truncatingIfNeeded: outer.inner &+ growing.checksumStart),
                checksumOffset: UInt16(truncatingIfNeeded: PartialChecksum.tcpOffset)
            )
            isChanged = true
        }
        if isChanged { outer.writeLengths(frame) }
        if frame.bytes >= spare, frame.bytes < limit { spare = frame.bytes + (frame.length &+ 63) & ~63 }
        put(frame, ring)
        last = nil
        growing = nil
        isChanged = false
    }

    private func put(_ frame: Frame, _ ring: borrowing ReceiveRing) {
        guard ring.spare > 0 else { return ring.noteUnreadable() }
        ring.appendExtra(frame)
    }
}
