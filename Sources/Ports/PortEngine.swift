import CLinux
import Rings
import Wire

/// Moves frames between endpoints and rings: one for each worker. It holds the memory that system calls need (message
/// headers, addresses, ancillary data, scratch for headers), so that nothing is allocated for a frame.
///
/// The order of the files is a frame's: `+Receive`, `+ReceiveSlots`, `+Nested`, `+ReceiveTunnel` on its way in; `+Transmit`,
/// `+TransmitTunnel`, `+Segment` on its way out; `+TAP` has both ways of a TAP; `UnderlayNews` is what comes back. What kind of
/// endpoint it is gets looked at once for each burst and each queue.
public struct PortEngine: ~Copyable {
    static let controlSize = 128
    static let nameSize = 32
    /// Headers of one segment with room in front for a virtio header.
    static let segmentStride = SegmentationPlan.headerCapacity + 32
    static let segmentsPerCall = 64
    /// Room for the pieces of super-frames that are cut on their way in.
    static let nestedCapacity = 512 * 1024
    /// Pieces that one of them may become.
    static let nestedFrameLimit = 256
    /// Largest UDP payload that the length fields of IPv4 and UDP allow.
    static let largestDatagram = 65_507

    let received: UnsafeMutablePointer<linux_mmsghdr>
    let receivedPieces: UnsafeMutablePointer<iovec>
    let receivedNames: UnsafeMutableRawPointer
    let receivedControls: UnsafeMutableRawPointer

    let nestedFrames: UnsafeMutableRawPointer

    /// One for each outer source port: flows that share a port keep their order.
    let batches: UnsafeMutablePointer<MessageBatch>
    let segmentHeaders: UnsafeMutableRawPointer
    let segmentPieces: UnsafeMutablePointer<iovec>
    let planScratch: UnsafeMutableRawPointer
    let linearFrame: UnsafeMutableRawPointer
    let single: UnsafeMutablePointer<msghdr>
    let singleName: UnsafeMutableRawPointer
    let singleControl: UnsafeMutableRawPointer

    let news = UnderlayNews()
    let calls: CallBatch?

    /// - Parameter withBatches: whether TAPs are read and written many frames at a time, where the kernel lets us.
    public init(withBatches: Bool = true) {
        calls = withBatches ? CallBatch() : nil
        let burst = ReceiveRing.capacity
        received = .allocate(capacity: burst)
        received.initialize(repeating: linux_mmsghdr(), count: burst)
        receivedPieces = .allocate(capacity: burst)
        receivedPieces.initialize(repeating: iovec(), count: burst)
        receivedNames = zeroed(burst * PortEngine.nameSize)
        receivedControls = zeroed(burst * PortEngine.controlSize)
        // Not touched before it is needed.
        nestedFrames = .allocate(byteCount: PortEngine.nestedCapacity, alignment: 64)

        batches = .allocate(capacity: PortIO.transmitSockets)
        for index in 0..<PortIO.transmitSockets { (batches + index).initialize(to: MessageBatch()) }
        segmentHeaders = zeroed(PortEngine.segmentsPerCall * PortEngine.segmentStride)
        segmentPieces = .allocate(capacity: 2 * PortEngine.segmentsPerCall)
        segmentPieces.initialize(repeating: iovec(), count: 2 * PortEngine.segmentsPerCall)
        planScratch = zeroed(SegmentationPlan.headerCapacity)
        linearFrame = .allocate(byteCount: BufferPool.capacity + TransmitSlot.headerCapacity, alignment: 64)
        single = .allocate(capacity: 1)
        single.initialize(to: msghdr())
        singleName = zeroed(PortEngine.nameSize)
        singleControl = zeroed(PortEngine.controlSize)
    }

    deinit {
        received.deallocate()
        receivedPieces.deallocate()
        receivedNames.deallocate()
        receivedControls.deallocate()
        nestedFrames.deallocate()
        for index in 0..<PortIO.transmitSockets { batches[index].deallocate() }
        batches.deallocate()
        segmentHeaders.deallocate()
        segmentPieces.deallocate()
        planScratch.deallocate()
        linearFrame.deallocate()
        single.deallocate()
        singleName.deallocate()
        singleControl.deallocate()
        news.deallocate()
        calls?.deallocate()
    }
}

private func zeroed(_ count: Int) -> UnsafeMutableRawPointer {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: count)
    return memory
}
