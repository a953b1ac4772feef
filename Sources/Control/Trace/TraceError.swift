/// Why a frame cannot be walked, and what to write instead.
public struct TraceError: Error, Sendable, Equatable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}
