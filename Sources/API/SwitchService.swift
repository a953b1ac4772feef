import Control
import Tables

/// What the API needs of a running switch. Implemented by `sluice run`, and by a fake in tests.
public protocol SwitchService: Sendable {
    /// The processes and what they run by.
    func process() async -> ProcessStatus

    /// The state of every endpoint's device.
    func endpoints() async -> [EndpointStatus]

    /// Runs `body` over the snapshot in force and what the workers count and learn. The memory stays valid until
    /// `body` returns, and no longer. Throws a `ServiceError` while there are no tables.
    func withTables<T: Sendable>(_ body: @Sendable (Snapshot, WorkerStates) throws -> T) async throws -> T

    /// Makes the switch match a file, whole or not at all; a dry run only says what would change. `file` is the name
    /// for messages. Throws `TopologyError` for a file that is wrong and `ServiceError` for a system that refuses.
    func apply(text: String, file: String, dryRun: Bool) async throws -> ApplyResult

    /// Forgets what was learned in one segment (a slot), or everywhere.
    func flush(segment: UInt32?) async throws

    /// Starts a capture. The first element holds the section header and interface blocks of pcapng, every other one
    /// whole blocks, so that a slow reader may miss elements but never gets half a block: the buffering policy of the
    /// stream is bounded. The capture ends when the stream's consumer is cancelled or gone (`onTermination`), or when
    /// the switch finishes the stream.
    func startCapture(_ request: CaptureRequest) async throws -> AsyncStream<[UInt8]>
}

/// Why a running switch cannot do what it was asked, and what to do about it.
public struct ServiceError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: Sendable { case notFound, refused, unavailable, failed }

    public var kind: Kind
    public var message: String
    /// What to do, or empty.
    public var advice: String

    public init(_ kind: Kind, _ message: String, advice: String = "") {
        self.kind = kind
        self.message = message
        self.advice = advice
    }

    public var description: String { advice.isEmpty ? message : "\(message) \(advice)" }
}
