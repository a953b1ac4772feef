/// Listens to the stages of a decision. The datapath passes `NoRecorder`, for which the compiler removes every note;
/// `trace` passes `Explanation` through the same functions.
public protocol Recorder {
    /// One line about what a stage found. `text` is not evaluated unless somebody reads it.
    mutating func note(_ stage: StaticString, _ text: @autoclosure () -> String)
}

/// Nobody listens.
@frozen
public struct NoRecorder: Recorder {
    @inlinable public init() {}

    @inlinable @inline(__always)
    public mutating func note(_ stage: StaticString, _ text: @autoclosure () -> String) {}
}

/// Collects what was noted, for people.
public struct Explanation: Recorder, Sendable {
    /// One line of a trace.
    public struct Note: Equatable, Sendable {
        public var stage: String
        public var text: String

        public init(stage: String, text: String) {
            self.stage = stage
            self.text = text
        }
    }

    public private(set) var notes: [Note] = []

    public init() {}

    public mutating func note(_ stage: StaticString, _ text: @autoclosure () -> String) {
        notes.append(Note(stage: stage.description, text: text()))
    }
}
