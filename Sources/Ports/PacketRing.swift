import CLinux
import Rings

/// Where a packet socket leaves what it received: memory that the kernel fills and we read without a system call
/// (PACKET_RX_RING, TPACKET_V2). The copy is made where the frame is sent, and no queue has to be locked for it.
///
/// Slots are short, so that there can be many: enough for a few milliseconds in which the worker does not run. Of a frame
/// that is longer, the slot has the beginning and the socket's queue the whole, both in the order of arrival.
///
/// Plain data, like the `PortIO` that it is a part of.
struct PacketRing {
    private typealias Layout = PacketRingLayout
    /// What the kernel allocates at a time.
    private static let blockSize = 64 * 1024

    private let memory: UnsafeMutableRawPointer
    /// The slot to read next; nil until one was found filled, if somebody else has read here before.
    private(set) var position: Int?

    /// Maps the ring of a packet socket, and gives it one if it has none.
    ///
    /// - Parameter makes: whether to.
    /// - Returns: nil if there is none: the socket is then read by calls. Old kernels and full memory are no reason to fail.
    init?(_ descriptor: Int32, makes: Bool) {
        var memory: UnsafeMutableRawPointer?
        // The datapath before this one had the socket, and what came since is still there. There is no other size than ours.
        if linux_map_shared(descriptor, Layout.size, 1, &memory) < 0 {
            guard makes,
                linux_packet_ring(
                    descriptor,
                    UInt32(Layout.slotSize),
                    UInt32(Layout.slotCount),
                    UInt32(PacketRing.blockSize)
                ) == 0
            else { return nil }
            guard linux_map_shared(descriptor, Layout.size, 1, &memory) == 0 else {
                _ = linux_remove_packet_ring(descriptor)
                return nil
            }
            position = 0
        }
        guard let memory else { return nil }
        self.memory = memory
        // Tenants' frames.
        _ = linux_keep_out_of_dumps(memory, Layout.size)
    }

    /// The ring itself stays with the socket.
    func unmap() { _ = linux_unmap(memory, Layout.size) }

    @inline(__always)
    subscript(index: Int) -> PacketSlot {
        PacketSlot(memory: memory + (index & (Layout.slotCount &- 1)) &* Layout.slotSize)
    }

    @inline(__always)
    mutating func advance(_ count: Int) {
        if let position { self.position = (position &+ count) & (Layout.slotCount &- 1) }
    }

    /// Finds out where another reader stopped: at the oldest frame. While there is none, that cannot be said.
    mutating func findPosition() {
        var oldest = UInt64.max
        for index in 0..<Layout.slotCount where self[index].isFilled && self[index].time < oldest {
            oldest = self[index].time
            position = index
        }
    }
}

/// One slot: `struct tpacket2_hdr`, a virtio header, the frame or its beginning.
struct PacketSlot {
    let memory: UnsafeMutableRawPointer

    @inline(__always)
    private var header: UnsafeMutablePointer<tpacket2_hdr> { memory.assumingMemoryBound(to: tpacket2_hdr.self) }

    @inline(__always)
    var status: UInt32 { linux_load_acquire32(memory.assumingMemoryBound(to: UInt32.self)) }
    @inline(__always)
    var isFilled: Bool { status & UInt32(LINUX_SLOT_USER) != 0 }

    /// Gives the slot back.
    @inline(__always)
    func release() { linux_store_release32(memory.assumingMemoryBound(to: UInt32.self), 0) }

    /// Bytes of the frame, and how many of them are here.
    @inline(__always)
    var length: Int { Int(header.pointee.tp_len) }
    @inline(__always)
    var captured: Int { Int(header.pointee.tp_snaplen) }
    /// The frame, with a virtio header in front.
    @inline(__always)
    var frame: UnsafeMutableRawPointer { memory + Int(header.pointee.tp_mac) }
    /// The tag that the kernel took out, if the status says that there was one.
    @inline(__always)
    var tagType: UInt16 { header.pointee.tp_vlan_tpid }
    @inline(__always)
    var tag: UInt16 { header.pointee.tp_vlan_tci }
    /// When it came, in nanoseconds.
    var time: UInt64 { UInt64(header.pointee.tp_sec) &* 1_000_000_000 &+ UInt64(header.pointee.tp_nsec) }
}
