import Model

/// What a file changes in a running switch.
public struct ApplyResult: Codable, Sendable, Equatable {
    /// In the order in which they are made.
    public var changes: [Change]
    /// False for a dry run, and where there was nothing to change.
    public var applied: Bool
    /// What is allowed but worth a look.
    public var warnings: [ProblemView]

    public init(changes: [Change], applied: Bool, warnings: [ProblemView] = []) {
        self.changes = changes
        self.applied = applied
        self.warnings = warnings
    }

    /// One line of the difference, as `Model` words it.
    public struct Change: Codable, Sendable, Equatable {
        /// `added`, `removed` or `changed`.
        public var action: String
        /// The keys that lead to it in the file: `tenants.red.networks.app.mtu`.
        public var path: String
        /// What was; nil for what is added.
        public var before: String?
        /// What will be; nil for what is removed.
        public var after: String?
        /// All of it in one line: `~ tenants.red.networks.app.mtu: 1450 -> 1400`.
        public var text: String

        public init(_ change: Model.Change) {
            action = change.kind.rawValue
            path = change.path
            before = change.before
            after = change.after
            text = change.description
        }
    }
}

/// `Problem` as the API writes it.
public struct ProblemView: Codable, Sendable, Equatable {
    public var file: String
    public var line: Int
    public var column: Int
    public var path: String
    public var message: String

    public init(_ problem: Problem) {
        file = problem.file
        line = problem.line
        column = problem.column
        path = problem.path
        message = problem.message
    }

    public var problem: Problem { Problem(file: file, line: line, column: column, path: path, message: message) }
}
