/// Where in the operator's file something was written. Marks never take part in `==`: moving a line changes nothing.
public struct Mark: Sendable, Equatable, CustomStringConvertible {
    /// The file as it was named on the command line.
    public var file: String
    /// From 1; 0 speaks of the file as a whole.
    public var line: Int
    /// From 1, counted in Unicode scalars.
    public var column: Int
    /// The keys that lead here: `tenants.red.ports.web.address`.
    public var path: String

    public init(file: String = "", line: Int = 0, column: Int = 0, path: String = "") {
        self.file = file
        self.line = line
        self.column = column
        self.path = path
    }

    public static func == (a: Self, b: Self) -> Bool { true }

    /// A problem with what stands here, for stages that find out later (a device that is missing at run time).
    public func problem(_ message: String) -> Problem {
        Problem(file: file, line: line, column: column, path: path, message: message)
    }

    public var description: String { line > 0 ? "\(file):\(line):\(column)" : file }
}

/// One thing that is wrong with a file: where, and a sentence that says what and what to do.
public struct Problem: Sendable, Equatable, CustomStringConvertible {
    public var file: String
    /// From 1; 0 speaks of the file as a whole.
    public var line: Int
    /// From 1, counted in Unicode scalars.
    public var column: Int
    /// The keys that lead to it, or empty for the file as a whole.
    public var path: String
    public var message: String

    public init(file: String, line: Int, column: Int, path: String, message: String) {
        self.file = file
        self.line = line
        self.column = column
        self.path = path
        self.message = message
    }

    /// `FILE:LINE:COLUMN: PATH: message`, the form that editors and compilers have made familiar.
    public var description: String {
        let place = line > 0 ? "\(file):\(line):\(column)" : file
        return path.isEmpty ? "\(place): \(message)" : "\(place): \(path): \(message)"
    }
}

/// Everything that is wrong with a file, in the order of its lines.
public struct TopologyError: Error, Sendable, Equatable, CustomStringConvertible {
    public var problems: [Problem]

    public init(problems: [Problem]) { self.problems = problems }

    /// One line a problem.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
