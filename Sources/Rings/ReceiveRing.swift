/// One burst of frames from one port: what a port hands to the pipeline at a time.
///
/// A burst ends after `capacity` frames, `byteBudget` bytes or the first large frame. So a super-frame is dealt with
/// while it is in the cache, and the next one arrives in the same buffer again.
public struct ReceiveRing: ~Copyable {
    public static let capacity = 32
    public static let byteBudget = 131_072
    /// Datagrams that may come as one (`UDP_MAX_SEGMENTS`).
    public static let mostDatagrams = 128
    /// Frames beyond `capacity` that a port may add when it had to cut a large one: one less than would come if every
    /// message of a burst held as many datagrams as it can. Memory that is not used is not touched.
    public static let extra = capacity * (mostDatagrams - 1)
    /// A frame of this many bytes ends the burst.
    public static let largeFrame = 8_192

    @frozen @usableFromInline
    struct State {
        @usableFromInline var count = 0
        @usableFromInline var bytes = 0
        @usableFromInline var unreadable = 0
        @usableFromInline var isDrained = true
    }

    @usableFromInline let frames: UnsafeMutablePointer<Frame>
    @usableFromInline let state: UnsafeMutablePointer<State>

    public init() {
        frames = .allocate(capacity: ReceiveRing.capacity + ReceiveRing.extra)
        state = .allocate(capacity: 1)
        state.initialize(to: State())
    }

    deinit {
        frames.deallocate()
        state.deallocate()
    }

    /// Frames in the burst.
    @inline(__always)
    public var count: Int { state.pointee.count }

    /// Bytes in the burst.
    @inline(__always)
    public var bytes: Int { state.pointee.bytes }

    /// Whether the port had nothing more when the burst ended.
    @inline(__always)
    public var isDrained: Bool { state.pointee.isDrained }

    /// Frames of this burst that were lost before they could be looked at: larger than a buffer, or with offloads that
    /// a virtio header cannot express, or the kernel had no room for them.
    @inline(__always)
    public var unreadable: Int { state.pointee.unreadable }

    /// Whether the port has to stop filling.
    @inline(__always)
    public var isFull: Bool {
        state.pointee.count >= ReceiveRing.capacity || state.pointee.bytes >= ReceiveRing.byteBudget
    }

    @inline(__always)
    public subscript(index: Int) -> UnsafeMutablePointer<Frame> { frames + index }

    /// Empties the ring.
    @inline(__always)
    public func reset() { state.pointee = State() }

    /// Adds a frame. Returns whether the burst goes on.
    @inline(__always) @discardableResult
    public func append(_ frame: Frame) -> Bool {
        frames[state.pointee.count] = frame
        state.pointee.count &+= 1
        state.pointee.bytes &+= frame.length
        return frame.length < ReceiveRing.largeFrame && !isFull
    }

    /// How many pieces of a larger frame still fit, with a whole burst behind them.
    @inline(__always)
    public var spare: Int { max(0, ReceiveRing.extra &- state.pointee.count) }

    /// Adds a frame that was cut from a larger one. There must be `spare` room.
    @inline(__always)
    public func appendExtra(_ frame: Frame) {
        frames[state.pointee.count] = frame
        state.pointee.count &+= 1
        state.pointee.bytes &+= frame.length
    }

    /// Notes that the port has more (the burst ended first) or not.
    @inline(__always)
    public func setDrained(_ value: Bool) { state.pointee.isDrained = value }

    /// Notes that frames were lost.
    @inline(__always)
    public func noteUnreadable(_ count: Int = 1) { state.pointee.unreadable &+= count }
}
