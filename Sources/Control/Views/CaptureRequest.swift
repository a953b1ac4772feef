/// Which frames a capture is about, by slot of the snapshot.
public struct CaptureRequest: Sendable, Equatable {
    public enum Filter: Sendable, Equatable {
        /// Everything that enters or leaves any endpoint.
        case all
        /// Everything that enters or leaves one endpoint.
        case endpoint(UInt32)
        /// Every frame of one segment, once.
        case segment(UInt32)
        /// Dropped frames, of one endpoint or of all.
        case drops(endpoint: UInt32?)
    }

    /// The longest part of a frame that is kept unless the client says otherwise: all of it.
    public static let defaultSnapLength = 262_144

    public var filter: Filter
    /// The most bytes kept of one frame.
    public var snapLength: Int

    public init(filter: Filter, snapLength: Int = CaptureRequest.defaultSnapLength) {
        self.filter = filter
        self.snapLength = snapLength
    }
}
