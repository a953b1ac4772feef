import Glibc

/// Why a lab was not made, not found or not taken down: one sentence or several lines for people.
public struct LabError: Error, Hashable, Sendable, CustomStringConvertible {
    public var message: String
    /// The signal that ended it; the exit code is then 128 and this.
    public var signal: Int32?
    /// The errno behind it, where there is one.
    public var code: Int32?

    public init(_ message: String, signal: Int32? = nil) {
        self.message = message
        self.signal = signal
    }

    init(_ operation: String, _ object: String, _ code: Int32) {
        self.init("\(operation) \(object): \(String(cString: strerror(code)))")
        self.code = code
    }

    public var description: String { message }
}
